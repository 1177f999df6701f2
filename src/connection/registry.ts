import type { Client, Kind } from './client.ts';
import type { Outgoing } from './encode.ts';

/** An open connection, as whoever routes messages sees it. */
export interface Member {
  readonly id: number;
  readonly uuid: string;
  readonly ident: string;
  readonly app: string;
  readonly kind: Kind;
  /** Whether a feedback by uuid reaches it: script clients have a uuid but are not reached by it (PROTOCOL.md §5). */
  readonly byUuid: boolean;
  readonly client: Client;
  /** Queues a message. @returns whether it was queued. */
  deliver(outgoing: Outgoing): boolean;
}

const NOBODY: ReadonlySet<Member> = new Set();

/** The open connections of this daemon, by socket ID, uuid, app, and ident within an app. */
export class Registry {
  /** By socket ID; what `server.clients` is. */
  readonly clients: ReadonlyMap<number, Client>;
  private readonly byId = new Map<number, Client>();
  private readonly byUuid = new Map<string, Member>();
  /** The clients of kind `websocket`: those that hear broadcasts. */
  private readonly webByApp = new Map<string, Set<Member>>();
  /** By app, then ident. */
  private readonly identsByApp = new Map<string, Map<string, Set<Member>>>();

  constructor() {
    this.clients = this.byId;
  }

  add(member: Member): void {
    this.byId.set(member.id, member.client);
    if (member.byUuid) this.byUuid.set(member.uuid, member);
    if (member.kind === 'websocket') entry(this.webByApp, member.app, newSet).add(member);
    if (member.ident !== '') entry(entry(this.identsByApp, member.app, newMap), member.ident, newSet).add(member);
  }

  remove(member: Member): void {
    this.byId.delete(member.id);
    if (member.byUuid) this.byUuid.delete(member.uuid);
    const web = this.webByApp.get(member.app);
    if (web?.delete(member) && web.size === 0) this.webByApp.delete(member.app);
    if (member.ident === '') return;
    const idents = this.identsByApp.get(member.app);
    const named = idents?.get(member.ident);
    if (named?.delete(member) && named.size === 0) idents?.delete(member.ident);
    if (idents?.size === 0) this.identsByApp.delete(member.app);
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
}

const newSet = (): Set<Member> => new Set();
const newMap = (): Map<string, Set<Member>> => new Map();

function entry<Value>(map: Map<string, Value>, key: string, create: () => Value): Value {
  let value = map.get(key);
  if (value === undefined) {
    value = create();
    map.set(key, value);
  }
  return value;
}
