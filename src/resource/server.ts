import type { Client, Kind, Scheme, SendOptions } from '../connection/client.ts';
import { Outgoing } from '../connection/encode.ts';
import type { Registry } from '../connection/registry.ts';
import type { Hub } from '../hub/hub.ts';
import type { Log } from '../log.ts';
import { addresseeOf, type Packet, parsePacket } from '../packet/packet.ts';
import type { Ticket, Tickets } from '../packet/ticket.ts';
import { type RoomTarget, roomTarget } from './rooms.ts';

/** Whom a feedback is for, where it is not in the packet itself. */
export interface FeedbackOptions {
  /** What is sent; default: the packet as JSON text. */
  readonly text?: string | Buffer;
  /** The app whose idents are meant; default: that of the resource. */
  readonly app?: string;
  /** As in {@link SendOptions}. */
  readonly droppable?: boolean;
}

/** What `server.count` counts; what is left out does not matter. */
export interface CountFilter {
  /** Those of the resource at this path. */
  readonly path?: string;
  /** Those that hear the broadcasts of this app. */
  readonly app?: string;
  /** Of an app; default: that of the resource. */
  readonly room?: string;
}

/** What is known of an open client: a copy, as it was when it was asked for. The fields are those of {@link Client}. */
export interface ClientInfo {
  /** Its socket ID. */
  readonly id: number;
  /** What `ready` told it. */
  readonly uuid: string;
  /** Its name; '' if it has none. */
  readonly ident: string;
  /** The path it asked for. */
  readonly path: string;
  /** Whose broadcasts it hears. */
  readonly app: string;
  /** How it came. */
  readonly scheme: Scheme;
  /** `websocket` or `tcp`. */
  readonly kind: Kind;
  /** Its address, or `unix`. */
  readonly ip: string;
  /** The rooms that it is in. */
  readonly rooms: string[];
  /** Since when, in Unix milliseconds. */
  readonly connected: number;
  /** Bytes sent to it that are not out yet. */
  readonly bufferedAmount: number;
  /** Droppable messages that it did not get. */
  readonly dropped: number;
  /** Its connection is lost, and its session waits for it. */
  readonly detached: boolean;
}

/**
 * What a resource is set up by: the texts of its section of websock.ini, by key; of `[jobs]` the values by their rows, defaults
 * included. What is not there is undefined.
 */
export type Settings = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

/** What a resource is handed by `registerServer`: the daemon, seen from that resource. */
export interface Server {
  /** The open clients of the whole daemon, by socket ID. */
  readonly clients: ReadonlyMap<number, Client>;
  /** The section `[/path]` of websock.ini for the path of the resource; frozen. */
  readonly settings: Settings;
  /** Sends a message to one client. @returns whether it was queued; false if there is no such client. */
  write(id: number, data: string | Buffer, options?: SendOptions): boolean;
  /** Closes one client, as `client.close` does. @returns whether there was one. */
  close(id: number, code?: number, reason?: string): boolean;
  /** Whether a client with this socket ID is open. */
  exists(id: number): boolean;
  /** How many clients of any kind are open, those included that are waited for (`detached`): in the whole daemon, or of a path, of an app, in a room. */
  count(filter?: CountFilter): number;
  /** The paths that have open clients: what {@link count} may be asked of. */
  paths(): string[];
  /** What is known of one client, as a plain object that JSON can hold. @returns undefined if there is no such client. */
  getClientInfo(id: number): ClientInfo | undefined;
  /**
   * Sends a message to the clients of kind `websocket` in an app.
   * @param options.app default: that of the resource.
   * @param options.except socket ID of the one that does not get it.
   * @returns how many clients it was queued for.
   */
  broadcast(data: string | Buffer, options?: { app?: string; except?: number } & SendOptions): number;
  /**
   * Sends a packet to the client that its `uuid` names, in whatever app; without one, to the clients of an app that its
   * `ident` names. They count only as non-empty strings; an ident also as a safe integer, by its digits.
   * @returns how many clients it was queued for.
   */
  feedback(packet: Packet | string, options?: FeedbackOptions): number;
  /**
   * The clients of any kind that are in one of some rooms (`client.join`), to send them something.
   * @param rooms one or more; an object behind them names another app than that of the resource.
   * @throws TypeError for what is no room.
   */
  to(...rooms: [...rooms: string[], options: { app?: string }] | string[]): RoomTarget;
  /**
   * Whether a client may do what a packet asks for (PROTOCOL.md §5): web clients by `[security] webMay`, where a feedback
   * by ident is `feedback-ident` and a `ticket` is for their own uuid; those that came by a ticket `echo` and `quit`, and
   * until it expires `feedback` to its uuid; all others always.
   */
  may(client: Client, packet: Packet): boolean;
  /**
   * A ticket: who shows it as `Authorization: Bearer TICKET` may send feedback to the client with `uuid`, and nothing else,
   * at resources with `static tickets = true`. What is no uuid of a client, such as `job:ID`, makes one for what a resource of yours knows by it.
   * @param ttl seconds that it is good for, at most `[tickets] maxTtl`, or Infinity for that; default 600.
   * @returns its text, which needs no escaping in a header, a URL or a shell, and when it expires, in Unix seconds.
   * @throws RangeError that says which of them cannot be.
   */
  ticket(uuid: string, ttl?: number): { ticket: string; expires: number };
  /** Writes a line to the daemon's log, with the resource's path in front. */
  log(text: string): void;
}

/** What the servers of all resources share. */
export interface ServerContext {
  readonly registry: Registry;
  readonly hub: Hub;
  readonly log: Log;
  /** `[security] webMay`. */
  readonly webMay: ReadonlySet<string>;
  readonly tickets: Tickets;
  /** By the path of the resource. */
  readonly settingsOf: (path: string) => Settings;
}

/** The daemon, as the resource at one path sees it. */
export class ResourceServer implements Server {
  readonly settings: Settings;
  private readonly context: ServerContext;
  private readonly path: string;
  private readonly app: string;

  constructor(context: ServerContext, path: string, app: string) {
    this.context = context;
    this.path = path;
    this.app = app;
    this.settings = context.settingsOf(path);
  }

  get clients(): ReadonlyMap<number, Client> {
    return this.context.registry.clients;
  }

  write(id: number, data: string | Buffer, options?: SendOptions): boolean {
    return this.clients.get(id)?.send(data, options) ?? false;
  }

  close(id: number, code?: number, reason?: string): boolean {
    const client = this.clients.get(id);
    client?.close(code, reason);
    return client !== undefined;
  }

  exists(id: number): boolean {
    return this.clients.has(id);
  }

  paths(): string[] {
    return this.context.registry.openPaths();
  }

  count({ path, app, room }: CountFilter = {}): number {
    const { registry } = this.context;
    return room === undefined ? registry.count(path, app) : registry.countRoom(room, path, app ?? this.app);
  }

  getClientInfo(id: number): ClientInfo | undefined {
    const client = this.clients.get(id);
    if (client === undefined) return undefined;
    const { uuid, ident, path, scheme, kind, ip, connected, bufferedAmount, dropped, detached } = client;
    const app = this.context.registry.appOf(path) ?? path;
    const rooms = [...client.rooms];
    return { id, uuid, ident, path, app, scheme, kind, ip, rooms, connected, bufferedAmount, dropped, detached };
  }

  broadcast(data: string | Buffer, options: { app?: string; except?: number } & SendOptions = {}): number {
    const outgoing = new Outgoing(
      data,
      options.binary ?? typeof data !== 'string',
      options.compress,
      options.droppable,
    );
    return this.context.hub.broadcast(options.app ?? this.app, outgoing, options.except);
  }

  feedback(packet: Packet | string, options: FeedbackOptions = {}): number {
    const target = addresseeOf(typeof packet === 'string' ? parsePacket(packet) : packet);
    if (target === null) return 0;
    const text = options.text ?? (typeof packet === 'string' ? packet : JSON.stringify(packet));
    const { hub } = this.context;
    const outgoing = new Outgoing(text, false, undefined, options.droppable);
    if ('uuid' in target) return hub.toUuid(target.uuid, outgoing);
    return hub.toIdent(options.app ?? this.app, target.ident, outgoing);
  }

  to(...rooms: (string | { app?: string })[]): RoomTarget {
    const last = rooms.at(-1);
    const options = typeof last === 'object' && last !== null ? last : null;
    return roomTarget(this.context.hub, options?.app ?? this.app, options === null ? rooms : rooms.slice(0, -1));
  }

  may(client: Client, packet: Packet): boolean {
    const { webMay } = this.context;
    const { opcode } = packet;
    if (client.ticket !== null) return this.mayByTicket(client.ticket, packet);
    if (client.kind !== 'websocket') return true;
    const target = opcode === 'feedback' || opcode === 'ticket' ? addresseeOf(packet) : null;
    if (target === null) return webMay.has(opcode);
    if (opcode === 'ticket') return webMay.has(opcode) && (!('uuid' in target) || target.uuid === client.uuid);
    return webMay.has('ident' in target ? 'feedback-ident' : opcode);
  }

  private mayByTicket(ticket: Ticket, packet: Packet): boolean {
    const { opcode } = packet;
    // These reach nobody else.
    if (opcode === 'echo' || opcode === 'quit') return true;
    if (opcode !== 'feedback' || this.context.tickets.isExpired(ticket)) return false;
    const target = addresseeOf(packet);
    return target !== null && 'uuid' in target && target.uuid === ticket.uuid;
  }

  ticket(uuid: string, ttl?: number): { ticket: string; expires: number } {
    return this.context.tickets.make(uuid, ttl);
  }

  log(text: string): void {
    this.context.log.info(`${this.path}: ${text}`, { path: this.path });
  }
}
