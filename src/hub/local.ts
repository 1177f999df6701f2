import type { Client } from '../connection/client.ts';
import type { Outgoing } from '../connection/encode.ts';
import type { Member } from '../connection/registry.ts';
import type { Hub, Members } from './hub.ts';

/** Fan-out to the clients of this daemon, in memory. */
export class LocalHub implements Hub {
  private readonly members: Members;

  constructor(members: Members) {
    this.members = members;
  }

  broadcast(app: string, outgoing: Outgoing, except: number | undefined): number {
    let count = 0;
    for (const member of this.members.webClients(app)) {
      if (member.id !== except && member.deliver(outgoing)) count++;
    }
    return count;
  }

  toUuid(uuid: string, outgoing: Outgoing): number {
    return this.members.withUuid(uuid)?.deliver(outgoing) === true ? 1 : 0;
  }

  toIdent(app: string, ident: string, outgoing: Outgoing): number {
    let count = 0;
    for (const member of this.members.withIdent(app, ident)) if (member.deliver(outgoing)) count++;
    return count;
  }

  toRooms(app: string, rooms: readonly string[], outgoing: Outgoing, except: ReadonlySet<number>): number {
    let count = 0;
    for (const member of this.inRooms(app, rooms)) if (!except.has(member.id) && member.deliver(outgoing)) count++;
    return count;
  }

  countRooms(app: string, rooms: readonly string[], except: ReadonlySet<number>): number {
    const members = this.inRooms(app, rooms);
    if (except.size === 0) return members.size;
    let count = 0;
    for (const { id } of members) if (!except.has(id)) count++;
    return count;
  }

  clientsInRooms(app: string, rooms: readonly string[], except: ReadonlySet<number>): Client[] {
    const clients: Client[] = [];
    for (const { id, client } of this.inRooms(app, rooms)) if (!except.has(id)) clients.push(client);
    return clients;
  }

  /** Who is in one of the rooms. */
  private inRooms(app: string, rooms: readonly string[]): ReadonlySet<Member> {
    if (rooms.length === 1) return this.members.inRoom(app, rooms[0]);
    return new Set(rooms.flatMap((room) => [...this.members.inRoom(app, room)]));
  }
}
