import type { Client, Kind } from './client.ts';
import type { Outgoing } from './encode.ts';

/** An open connection, as whoever routes messages sees it. */
export interface Member {
  /** Socket ID. */
  readonly id: number;
  /** What `ready` told it. */
  readonly uuid: string;
  /** Its name; '' if it has none. */
  readonly ident: string;
  /** Whose broadcasts it hears. */
  readonly app: string;
  /** `websocket` or `tcp`. */
  readonly kind: Kind;
  /** Whether a feedback by uuid reaches it: script clients have a uuid but are not reached by it (PROTOCOL.md §5). */
  readonly byUuid: boolean;
  readonly client: Client;
  /** Queues a message. @returns whether it was queued. */
  deliver(outgoing: Outgoing): boolean;
}

const NOBODY: ReadonlySet<Member> = new Set();

/** The open connections of this daemon, by socket ID, uuid, app, and ident and room within an app. */
export class Registry {
  /** By socket ID; what `server.clients` is. */
  readonly clients: ReadonlyMap<number, Client>;
  private readonly byId = new Map<number, Client>();
  /** The paths that have clients. */
  private readonly paths = new Map<string, { readonly app: string; clients: number }>();
  private readonly byUuid = new Map<string, Member>();
  /** The clients of kind `websocket`: those that hear broadcasts. */
  private readonly webByApp = new Map<string, Set<Member>>();
  /** By app, then ident. */
  private readonly identsByApp = new Map<string, Map<string, Set<Member>>>();
  /** By app, then room. */
  private readonly roomsByApp = new Map<string, Map<string, Set<Member>>>();

  constructor() {
    this.clients = this.byId;
  }

  add(member: Member): void {
    this.byId.set(member.id, member.client);
    entry(this.paths, member.client.path, () => ({ app: member.app, clients: 0 })).clients++;
    if (member.byUuid) this.byUuid.set(member.uuid, member);
    if (member.kind === 'websocket') entry(this.webByApp, member.app, newSet).add(member);
    if (member.ident !== '') entry(entry(this.identsByApp, member.app, newMap), member.ident, newSet).add(member);
  }

  remove(member: Member): void {
    const { path } = member.client;
    const there = this.byId.delete(member.id) ? this.paths.get(path) : undefined;
    if (there !== undefined && --there.clients === 0) this.paths.delete(path);
    if (member.byUuid) this.byUuid.delete(member.uuid);
    const web = this.webByApp.get(member.app);
    if (web?.delete(member) && web.size === 0) this.webByApp.delete(member.app);
    if (member.ident !== '') drop(this.identsByApp, member, member.ident);
    const { rooms } = member.client;
    if (rooms.size > 0) for (const room of rooms) drop(this.roomsByApp, member, room);
  }

  /** Whether a client is open. */
  has(member: Member): boolean {
    return this.byId.get(member.id) === member.client;
  }

  /** An open client is in a room of its app from now on. */
  enter(member: Member, room: string): void {
    entry(entry(this.roomsByApp, member.app, newMap), room, newSet).add(member);
  }

  exit(member: Member, room: string): void {
    drop(this.roomsByApp, member, room);
  }

  /** How many clients of any kind are open: all, or those of a path, of an app. */
  count(path: string | undefined, app: string | undefined): number {
    if (path === undefined && app === undefined) return this.byId.size;
    let count = 0;
    for (const [one, there] of this.paths) {
      if ((path ?? one) === one && (app ?? there.app) === there.app) count += there.clients;
    }
    return count;
  }

  /** The same of those in a room. */
  countRoom(room: string, path: string | undefined, app: string): number {
    const members = this.inRoom(app, room);
    if (path === undefined) return members.size;
    let count = 0;
    for (const { client } of members) if (client.path === path) count++;
    return count;
  }

  /** The paths that have clients. */
  openPaths(): string[] {
    return [...this.paths.keys()];
  }

  /** The app of a path that has clients. */
  appOf(path: string): string | undefined {
    return this.paths.get(path)?.app;
  }

  /** The client that a feedback to `uuid` is for. */
  withUuid(uuid: string): Member | undefined {
    return this.byUuid.get(uuid);
  }

  /** The clients of kind `websocket` in `app`. */
  webClients(app: string): ReadonlySet<Member> {
    return this.webByApp.get(app) ?? NOBODY;
  }

  /** The clients of any kind in `app` that are called `ident`. */
  withIdent(app: string, ident: string): ReadonlySet<Member> {
    return this.identsByApp.get(app)?.get(ident) ?? NOBODY;
  }

  /** The clients of any kind in `app` that are in `room`. */
  inRoom(app: string, room: string): ReadonlySet<Member> {
    return this.roomsByApp.get(app)?.get(room) ?? NOBODY;
  }
}

const newSet = (): Set<Member> => new Set();
const newMap = (): Map<string, Set<Member>> => new Map();

/** Takes a member out of what bears a name in its app; where nobody is left, nothing is kept. */
function drop(byApp: Map<string, Map<string, Set<Member>>>, member: Member, name: string): void {
  const names = byApp.get(member.app);
  const members = names?.get(name);
  if (members?.delete(member) && members.size === 0) names?.delete(name);
  if (names?.size === 0) byApp.delete(member.app);
}

function entry<Value>(map: Map<string, Value>, key: string, create: () => Value): Value {
  let value = map.get(key);
  if (value === undefined) {
    value = create();
    map.set(key, value);
  }
  return value;
}
