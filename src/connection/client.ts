import type { Auth } from '../auth/auth.ts';
import type { Packet } from '../packet/packet.ts';
import type { Ticket } from '../packet/ticket.ts';
import { fieldsOf, type Headers } from '../wire/head.ts';
import type { MessageSource } from './fragments.ts';
import type { Pass } from './pass.ts';
import type { Requests } from './requests.ts';

/** How a client reached us: `ws` and `wss` for WebSocket clients, `tcp` and `ssl` for clients of kind `tcp`. */
export type Scheme = 'ws' | 'wss' | 'tcp' | 'ssl';
/** Web clients are `websocket`; scripts, line clients and posters are `tcp` (PROTOCOL.md §2). */
export type Kind = 'websocket' | 'tcp';

/** How a message is sent. */
export interface SendOptions {
  /** Send it as a binary message; default: Buffers are binary, strings are text. */
  readonly binary?: boolean;
  /**
   * Where compression was agreed upon (`static compression`): true compresses a message however short it is, false never;
   * default: from `threshold` on. What does not get shorter is sent as it is.
   */
  readonly compress?: boolean;
  /**
   * The message is worth nothing late (a dashboard's figures): it is dropped where something sent earlier still waits for the
   * client, and is not queued behind it. Nobody is closed for it. Default false.
   */
  readonly droppable?: boolean;
}

/** What a resource sees of a connection. `Data` is the type of the plugin's own `data`. */
export interface Client<Data = unknown> {
  /** The socket ID: counted up from 1, never used again in a run. A client with a session keeps it when it comes back. */
  readonly id: number;
  /** What `ready` told the client (UUID v4); '' for a POST, which nobody can address. */
  readonly uuid: string;
  /** The name that it gave itself or was given; '' if none. */
  readonly ident: string;
  /** The path it asked for, without the query. */
  readonly path: string;
  /** How it came. */
  readonly scheme: Scheme;
  /** What follows from that. */
  readonly kind: Kind;
  /** Its address, behind trusted proxies its own; `unix` for a Unix socket. */
  readonly ip: string;
  /** Header fields of its request, by lower-case names; empty for line clients. */
  readonly headers: Headers;
  /** Of its URL, without the `token` that `[auth]` asked for. */
  readonly query: URLSearchParams;
  /**
   * The ticket that let it in, where a resource has `static tickets`; null: none did, it is a web client or a backend. It may do
   * nothing but what `server.may` says.
   */
  readonly ticket: Ticket | null;
  /** What `[auth]` found of it: `claims` of a JWT, `session` of PHP; null: nothing was asked of it, a backend for one. */
  readonly auth: Auth | null;
  /** When it came in, in Unix milliseconds; with a session, when its newest connection did. */
  readonly connected: number;
  /** Its connection is lost, and its session waits for it (`[dialog] resume`). */
  readonly detached: boolean;
  /**
   * The plugin's own; undefined, or what `onHandshake` gave. With a session it outlives connections; a restart of the daemon only if JSON holds
   * it unchanged.
   */
  data: Data;
  /** Bytes sent to it that the kernel has not taken yet. */
  readonly bufferedAmount: number;
  /** Messages sent as `droppable` that were dropped. */
  readonly dropped: number;
  /** The rooms that it is in; of a client that has gone, those that it was in. */
  readonly rooms: ReadonlySet<string>;

  /**
   * Enters a room of its app: what is sent `to(room)` reaches it. It leaves all of them when it is closed; with a session it stays in them
   * without a connection, and over a restart of the daemon.
   * @param room a text of 1 to 256 characters.
   * @returns whether it is in it; false if it is closed, answers a POST, or is in `[limits] maxRooms` others.
   * @throws TypeError if `room` is no such text.
   */
  join(room: string): boolean;
  /** Leaves a room, or without an argument all of them. */
  leave(room?: string): void;
  /**
   * Sends one message. `data` is written or copied before this returns.
   * @returns whether it was queued; false once the client is closed, or was closed for not reading, and where the message was dropped.
   */
  send(data: string | Buffer, options?: SendOptions): boolean;
  /**
   * Sends one message in the pieces that `pieces` gives, as they come and as the client takes them: one that memory need not
   * hold. A `Readable` of node:stream will do. Once its first piece has come, other messages to this client wait for its end.
   * A script and a POST take no message but a whole one: for them the pieces are collected, up to `[limits] sendQueue`
   * bytes, and so they are for who has just sent `bufferOFF`, until its `next` has gone.
   * @param options.binary default: as the first piece is, a string or a Buffer. It is never compressed.
   * @returns true when all of it was queued; false if the client was closed meanwhile: then no more pieces are asked for.
   * @throws what `pieces` throws; if the client has been sent a part of it, it is closed with 1011. TypeError for a piece that is no
   * string or Buffer, RangeError above `sendQueue` where pieces are collected.
   */
  sendFragmented(pieces: MessageSource, options?: Pick<SendOptions, 'binary'>): Promise<boolean>;
  /** Sends a packet as JSON text. @returns as {@link send}. @throws TypeError for what JSON cannot hold. */
  sendPacket(packet: Packet, options?: Omit<SendOptions, 'binary'>): boolean;
  /**
   * Asks the client something: sends the packet, with a number in its field `request`, and waits for the answer (PROTOCOL.md §10; the client
   * library's `connection.answer` gives it). A handler may wait for an answer of its own client: that is read meanwhile. Not so of scripts, nor in
   * the plain dialog for a message in pieces: these get their `next` before anything else.
   * @param options.timeout milliseconds, a tenth of a second exact. Default 10000.
   * @returns the answer, a packet. With a session it may come by another connection. Rejects with {@link RequestError}; with a TypeError for what is no packet
   * or has a field `request`, and at a resource with `dialog = false`; with a RangeError for a timeout that is none.
   */
  request(packet: Packet, options?: { readonly timeout?: number }): Promise<Packet>;
  /** Sends a WebSocket ping of at most 125 bytes. @returns false where there is none to send: clients of kind `tcp`. @throws RangeError above 125 bytes. */
  ping(payload?: string | Buffer): boolean;
  /**
   * Closes it: a handler of its in flight ends first, and gets its `next`. With any code but 1000 a `close` packet
   * with the reason goes before the Close frame.
   * @param code 1000 (default) to 1003, 1007 to 1013, or 3000 to 4999.
   * @param reason at most 123 bytes of it reach the Close frame.
   * @throws RangeError if `code` may not be sent.
   */
  close(code?: number, reason?: string): void;
}

/** What a client does with its connection. */
export interface ClientLink {
  readonly detached: boolean;
  /** Bytes sent to it that are not out yet. */
  readonly bufferedAmount: number;
  readonly dropped: number;
  send(data: string | Buffer, binary: boolean, compress?: boolean, droppable?: boolean): boolean;
  /** @param binary undefined: as the first piece is. */
  sendFragmented(source: MessageSource, binary: boolean | undefined): Promise<boolean>;
  ping(payload: Buffer): boolean;
  close(code: number, reason: string): void;
  /** @param has how many rooms it is in. @returns whether it is in this one, too. */
  enter(room: string, has: number): boolean;
  exit(room: string): void;
  /** Begins to take answers. @throws TypeError, RequestError where there is nobody to give them. */
  answering(): Requests;
}

/** Who a client is; fixed when its handshake is done. */
export interface Identity {
  readonly id: number;
  readonly uuid: string;
  readonly ident: string;
  readonly path: string;
  readonly scheme: Scheme;
  readonly kind: Kind;
  readonly ip: string;
  /** May be parsed anew each time. */
  readonly headers: Headers;
  /** Without the `?`. */
  readonly query: string;
  readonly ticket: Ticket | null;
  /** Of who was authenticated. */
  readonly pass: Pass | null;
  /** When it came: see {@link sinceNow}. */
  readonly since: number;
}

/** Milliseconds of a unit of `since`. */
const UNIT = 100;

/** Now, in tenths of a second since the process began: a small integer, which takes no memory of its own. */
export function sinceNow(): number {
  return Math.floor(performance.now() / UNIT);
}

/** A time of {@link sinceNow} in Unix milliseconds, and back. */
export function unixOf(since: number): number {
  return Math.round(Date.now() - performance.now()) + since * UNIT;
}
export function sinceOf(unix: number): number {
  return sinceNow() - Math.round((Date.now() - unix) / UNIT);
}

/** Who a client is that came by a request or a line: an idle one keeps the head of its request as the one text that it came as. */
export class Arrival implements Identity {
  readonly id: number;
  readonly uuid: string;
  readonly ident: string;
  readonly path: string;
  readonly scheme: Scheme;
  readonly kind: Kind;
  readonly ip: string;
  readonly query: string;
  readonly ticket: Ticket | null;
  readonly pass: Pass | null;
  readonly since = sinceNow();
  private readonly head: string;

  /** @param head of the request, in latin1; '' for none. */
  constructor(who: Omit<Identity, 'headers' | 'since'>, head: string) {
    this.id = who.id;
    this.uuid = who.uuid;
    this.ident = who.ident;
    this.path = who.path;
    this.scheme = who.scheme;
    this.kind = who.kind;
    this.ip = who.ip;
    this.query = who.query;
    this.ticket = who.ticket;
    this.pass = who.pass;
    this.head = head;
  }

  get headers(): Headers {
    return fieldsOf(this.head);
  }
}

const NO_ROOMS: ReadonlySet<string> = new Set();

/** The Client of every kind of connection: it shows who it is, and passes on what it is told. */
export class LinkedClient implements Client {
  data: unknown;
  private identity: Identity;
  private readonly link: ClientLink;
  /** What few clients need: what was parsed because somebody asked for it, its rooms, and what it is asked. */
  private more: { headers?: Headers; query?: URLSearchParams; rooms?: Set<string>; requests?: Requests } | null = null;

  constructor(identity: Identity, link: ClientLink, data: unknown) {
    this.identity = identity;
    this.link = link;
    this.data = data;
  }

  /** It has come back by another connection. */
  moved(identity: Identity): void {
    this.identity = identity;
    if (this.more !== null) this.more.headers = this.more.query = undefined;
  }

  get id(): number {
    return this.identity.id;
  }
  get uuid(): string {
    return this.identity.uuid;
  }
  get ident(): string {
    return this.identity.ident;
  }
  get path(): string {
    return this.identity.path;
  }
  get scheme(): Scheme {
    return this.identity.scheme;
  }
  get kind(): Kind {
    return this.identity.kind;
  }
  get ip(): string {
    return this.identity.ip;
  }
  get headers(): Headers {
    this.more ??= {};
    this.more.headers ??= this.identity.headers;
    return this.more.headers;
  }
  get query(): URLSearchParams {
    this.more ??= {};
    this.more.query ??= new URLSearchParams(this.identity.query);
    return this.more.query;
  }
  get ticket(): Ticket | null {
    return this.identity.ticket;
  }
  get auth(): Auth | null {
    return this.identity.pass?.auth ?? null;
  }
  get connected(): number {
    return unixOf(this.identity.since);
  }
  get detached(): boolean {
    return this.link.detached;
  }
  get bufferedAmount(): number {
    return this.link.bufferedAmount;
  }
  get dropped(): number {
    return this.link.dropped;
  }
  get rooms(): ReadonlySet<string> {
    return this.more?.rooms ?? NO_ROOMS;
  }

  /** null: it was never asked anything. */
  get requests(): Requests | null {
    return this.more?.requests ?? null;
  }

  /** From now on its answers are its answers. @throws as {@link ClientLink.answering} */
  answering(): Requests {
    this.more ??= {};
    this.more.requests ??= this.link.answering();
    return this.more.requests;
  }

  request(packet: Packet, { timeout = 10_000 }: { readonly timeout?: number } = {}): Promise<Packet> {
    try {
      return this.answering().ask(packet, timeout);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  join(room: string): boolean {
    const { rooms } = this;
    if (rooms.has(roomOf(room))) return this.link.enter(room, 0);
    if (!this.link.enter(room, rooms.size)) return false;
    this.more ??= {};
    this.more.rooms ??= new Set();
    this.more.rooms.add(room);
    return true;
  }

  leave(room?: string): void {
    for (const one of room === undefined ? [...this.rooms] : [room]) {
      if (this.more?.rooms?.delete(one) === true) this.link.exit(one);
    }
  }

  send(data: string | Buffer, options?: SendOptions): boolean {
    if (typeof data !== 'string' && !(data instanceof Uint8Array)) {
      throw new TypeError('send takes a string or a Buffer; sendPacket takes an object');
    }
    return this.link.send(data, options?.binary ?? typeof data !== 'string', options?.compress, options?.droppable);
  }

  async sendFragmented(pieces: MessageSource, options?: Pick<SendOptions, 'binary'>): Promise<boolean> {
    if (typeof pieces === 'string' || pieces instanceof Uint8Array) {
      throw new TypeError('sendFragmented takes the pieces of a message; send takes a whole one');
    }
    return this.link.sendFragmented(pieces, options?.binary);
  }

  sendPacket(packet: Packet, options?: Omit<SendOptions, 'binary'>): boolean {
    return this.link.send(JSON.stringify(packet), false, options?.compress, options?.droppable);
  }

  ping(payload: string | Buffer = ''): boolean {
    const bytes = Buffer.from(payload as string);
    if (bytes.length > 125) throw new RangeError(`a ping holds at most 125 bytes, not ${bytes.length}`);
    return this.link.ping(bytes);
  }

  close(code = 1000, reason = ''): void {
    const sendable = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1013) || (code >= 3000 && code <= 4999);
    if (!Number.isInteger(code) || !sendable) {
      throw new RangeError(`close code ${code} may not be sent: use 1000 to 1003, 1007 to 1013 or 3000 to 4999`);
    }
    // A plugin in plain JavaScript may give anything.
    this.link.close(code, typeof reason === 'string' ? reason : '');
  }
}

/** Characters of the longest name of a room. */
const LONGEST_ROOM = 256;

/** The name of a room, as a resource gives it. @throws TypeError if it is none. */
export function roomOf(name: unknown): string {
  if (typeof name === 'string' && name !== '' && name.length <= LONGEST_ROOM) return name;
  const given = typeof name === 'string' ? `one of ${name.length}` : String(name);
  throw new TypeError(`a room is a text of 1 to ${LONGEST_ROOM} characters, not ${given}`);
}
