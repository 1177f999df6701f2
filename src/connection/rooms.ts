import type { Log } from '../log.ts';
import type { Limits } from './limits.ts';
import type { Member, Registry } from './registry.ts';

/** What bounds the rooms of a client. */
interface RoomContext {
  readonly registry: Registry;
  readonly limits: Limits;
  readonly log: Log;
}

/**
 * Lets a client into one more room.
 * @param has how many it is in.
 * @returns whether it is in it: not if it has gone, or is in `[limits] maxRooms` already.
 */
export function enterRoom(
  context: RoomContext,
  member: Member & { readonly who: string },
  room: string,
  has: number,
): boolean {
  const { registry, limits, log } = context;
  if (!registry.has(member)) return false;
  if (has >= limits.values.maxRooms) {
    limits.refuse('maxRooms', member, log);
    return false;
  }
  registry.enter(member, room);
  return true;
}
