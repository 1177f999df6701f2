import { Connection } from './connection.ts';
import type { Options, PacketMap } from './types.ts';

export type { AnswerHandler } from './answers.ts';
export { describeClose } from './close.ts';
export type { Connection } from './connection.ts';
export type { Handler, Packet } from './inbox.ts';
export { ClosedError, LostError, QueueFullError, TooLongError } from './errors.ts';
export type { AnyPacket, Message, Next, Options, PacketMap, PacketOf, State, StateDetail } from './types.ts';

/**
 * Connects to a websock daemon, and stays connected until it is closed for good.
 * @param url `wss://host/path`; in a page it may be relative, and http stands for ws.
 * @throws TypeError if it is no URL.
 */
export function connect<Packets extends Record<keyof Packets, object> = PacketMap>(
  url: string | URL,
  options: Options = {},
): Connection<Packets> {
  return new Connection<Packets>(url, options);
}
