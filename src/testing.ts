/** Tools to test a resource without a network: `websock/testing`. */
import type { Auth } from './auth/auth.ts';
import { type Client, type ClientLink, type Identity, LinkedClient, sinceNow } from './connection/client.ts';
import type { Outgoing } from './connection/encode.ts';
import { type MessageSource, sendWhole } from './connection/fragments.ts';
import { Limits, type LimitValues } from './connection/limits.ts';
import { Pass } from './connection/pass.ts';
import { type Member, Registry } from './connection/registry.ts';
import { type RequestHost, Requests } from './connection/requests.ts';
import { enterRoom } from './connection/rooms.ts';
import {
  type Handled,
  type HandshakeAnswer,
  type HandshakeRequest,
  type MessageInfo,
  type Notice,
  readAnswer,
  type Route,
} from './connection/route.ts';
import { CLOSE, closeCodeOf, messageOf } from './errors.ts';
import { askForPage, type RequestAnswer, type RequestOptions } from './http/benchpage.ts';
import { LocalHub } from './hub/local.ts';
import type { Log } from './log.ts';
import { NEXT, nextPacket, type Packet } from './packet/packet.ts';
import { type Ticket, Tickets } from './packet/ticket.ts';
import { mount } from './resource/mount.ts';
import { ResourceServer, type Settings } from './resource/server.ts';
export type { RequestAnswer, RequestOptions } from './http/benchpage.ts';

/** Who a test client is; what is left out gets a default. */
export interface ClientOptions {
  /** Default: `ws`; `tcp` and `ssl` make it a client of kind `tcp`. */
  readonly scheme?: 'ws' | 'wss' | 'tcp' | 'ssl';
  /** Default: made up, and different for each client. */
  readonly uuid?: string;
  /** Default: none. */
  readonly ident?: string;
  /** Default: `127.0.0.1`. */
  readonly ip?: string;
  /** By lower-case names. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Without the `?`. */
  readonly query?: string;
  /** The text of a ticket that it shows, of scheme `tcp` or `ssl`; default: none, it is a backend. */
  readonly ticket?: string;
  /** What `[auth]` found of it: `request.auth` and `client.auth`. Default: null. */
  readonly auth?: Auth;
}

/** What a bench is set up by; what is left out gets a default. */
export interface BenchOptions {
  /** `[security] webMay`; default: `echo`, `broadcast`, `feedback`, `ticket`. */
  readonly webMay?: readonly string[];
  /** `server.settings`, by the path of the resource; default: none. */
  readonly settings?: Readonly<Record<string, Settings>>;
}

const LIMITS = { maxPayload: 1024 * 1024, maxFragments: 16384 };
const COMPRESSION = { enabled: false, threshold: 1024, level: 1, contextTakeover: false };
/** `[limits] sendQueue`, its default. */
const SEND_QUEUE = 1024 * 1024;
/** `[limits]`, the defaults of what a client of the bench can go over. */
const BOUNDS: Partial<LimitValues> = { maxRooms: 100, maxRequests: 16 };

/** What the clients of a bench share. */
interface BenchContext {
  readonly registry: Registry;
  readonly limits: Limits;
  readonly log: Log;
  readonly deadlines: Timers;
}

/** Deadlines by timers of their own: a test that waits for one goes on running. */
class Timers {
  private readonly timers = new Map<object, NodeJS.Timeout>();

  arm(deadline: { expire(): void }, seconds: number): void {
    this.timers.set(
      deadline,
      setTimeout(() => deadline.expire(), seconds * 1000),
    );
  }

  disarm(deadline: object): void {
    clearTimeout(this.timers.get(deadline));
    this.timers.delete(deadline);
  }
}

/** One or more resources, mounted as the daemon mounts them, and their clients. Routes and fan-out are the daemon's own. */
export class TestBench {
  /** The open clients, by socket ID: what `server.clients` is. */
  readonly clients: ReadonlyMap<number, Client>;
  /** What resources have logged. */
  readonly log: string[] = [];
  private readonly registry = new Registry();
  private readonly context: BenchContext;
  private readonly routes = new Map<string, Route>();
  private readonly webMay: ReadonlySet<string>;
  private readonly settings: Readonly<Record<string, Settings>>;
  private readonly tickets = new Tickets('the secret of all test benches', 86_400);
  private lastId = 0;

  constructor(options: BenchOptions = {}) {
    const note = (text: string): void => void this.log.push(text);
    this.context = {
      registry: this.registry,
      limits: new Limits(BOUNDS as LimitValues),
      log: { error: note, warn: note, info: note, debug: note, wants: () => true },
      deadlines: new Timers(),
    };
    this.clients = this.registry.clients;
    this.webMay = new Set(options.webMay ?? ['echo', 'broadcast', 'feedback', 'ticket']);
    this.settings = options.settings ?? {};
  }

  /**
   * Mounts a resource class.
   * @param path what the name of its file would make its path, where it has no `static path`.
   * @throws Error that says what the class lacks, as the daemon's log would, or that it has no path at all.
   */
  mount(resourceClass: unknown, path?: string): this {
    const { log } = this.context;
    const hub = new LocalHub(this.registry);
    const { path: own } = Object(resourceClass) as { path?: string };
    if (own === undefined && path === undefined) throw new Error('it has no path: give one, as its file would');
    const route = mount(resourceClass, path ?? '/', {
      values: LIMITS,
      compression: COMPRESSION,
      serverFor: (at, app) => {
        const { registry, webMay, tickets, settings } = this;
        const settingsOf = (one: string): Settings => Object.freeze({ ...settings[one] });
        return new ResourceServer({ registry, hub, log, webMay, tickets, settingsOf }, at, app);
      },
    });
    this.routes.set(route.path, route);
    return this;
  }

  /**
   * Connects a client: `onHandshake`, then `onOpen`.
   * @param path default: that of the first resource mounted.
   * @throws Error if there is no such resource, it does not accept such a client or its ticket, or `onHandshake` refuses it.
   */
  async connect(options: ClientOptions = {}, path?: string): Promise<TestClient> {
    const route = path === undefined ? [...this.routes.values()][0] : this.routes.get(path);
    if (route === undefined) throw new Error(`no such resource: ${path ?? 'none was mounted'}`);
    const { scheme = 'ws', ip = '127.0.0.1', headers = {}, query = '', auth } = options;
    if (!route.accepts.has(scheme)) throw new Error(`${route.path} does not accept ${scheme}`);
    const kind = scheme === 'ws' || scheme === 'wss' ? 'websocket' : 'tcp';
    const ticket = kind === 'tcp' && options.ticket !== undefined ? this.judge(options.ticket, route) : null;
    const request = {
      path: route.path,
      query: new URLSearchParams(query),
      headers,
      ip,
      scheme,
      kind,
      ticket,
      protocols: [],
      auth: auth ?? null,
    } as const;
    const answer = readAnswer(await this.ask(route, request));
    if ('status' in answer) throw new Error(`refused: ${answer.status} ${answer.text}`);
    const id = ++this.lastId;
    const uuid = options.uuid ?? `00000000-0000-4000-8000-${String(id).padStart(12, '0')}`;
    const identity = {
      id,
      uuid,
      ident: answer.ident ?? (ticket === null ? (options.ident ?? '') : ''),
      path: route.path,
      scheme,
      kind,
      ip,
      headers,
      query,
      ticket,
      pass: auth === undefined ? null : new Pass({ auth }),
      since: sinceNow(),
    } as const;
    const client = new TestClient(this.context, route, identity, answer.data);
    await client.open();
    return client;
  }

  /**
   * Asks for the page of a path; default: that of the first resource mounted.
   * @returns what `onRequest` answered, or what the daemon does where it does not; where it throws, 500, and `log` has the error.
   */
  request(path?: string, options: RequestOptions = {}): Promise<RequestAnswer> {
    const route = path === undefined ? [...this.routes.values()][0] : this.routes.get(path);
    return askForPage(route, path ?? '', options, (line) => this.log.push(line));
  }

  private judge(text: string, route: Route): Ticket {
    const ticket = this.tickets.read(text);
    if (ticket === null) throw new Error('refused: 401 the ticket is damaged, or of another bench');
    if (this.tickets.isExpired(ticket)) throw new Error('refused: 401 the ticket has expired');
    if (!route.tickets) throw new Error(`refused: 403 ${route.path} takes no tickets`);
    return ticket;
  }

  private async ask(route: Route, request: HandshakeRequest): Promise<HandshakeAnswer> {
    return route.resource.onHandshake?.(request);
  }
}

/** A client without a connection: it says things to its resource, and keeps what it is sent. */
export class TestClient implements Member, ClientLink, RequestHost {
  /** The messages that it was sent, oldest first, without `ready`, `next` and `close` packets. */
  readonly received: (string | Buffer)[] = [];
  /** Code and reason that it was closed with; null: it is open. */
  closed: { code: number; reason: string } | null = null;
  /** What its resource sees. */
  readonly client: Client;
  /** @internal */ readonly byUuid = true;
  readonly bufferedAmount = 0;
  /** It was told that its connection is lost, and not that it is back. */
  detached = false;
  /** Messages that were dropped. */
  dropped = 0;
  /** Set it to let older messages wait for this client: those sent as `droppable` are dropped. */
  behind = false;
  private readonly context: BenchContext;
  private readonly route: Route;
  private readonly identity: Identity;
  private readonly linked: LinkedClient;
  private readonly handlers = new Map<string, (packet: Packet) => unknown>();

  constructor(context: BenchContext, route: Route, identity: Identity, data: unknown) {
    this.context = context;
    this.route = route;
    this.identity = identity;
    this.linked = new LinkedClient(identity, this, data);
    this.client = this.linked;
  }

  /** `#id ip path`, as in the log. @internal */
  get who(): string {
    return `#${this.id} ${this.identity.ip} ${this.identity.path}`;
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
  get kind(): Identity['kind'] {
    return this.identity.kind;
  }
  get app(): string {
    return this.route.app;
  }
  /** Whether it has left, or was closed: `closed` says how. @internal */
  get isGone(): boolean {
    return this.closed !== null;
  }
  /** The packets among what it received. */
  get packets(): Packet[] {
    return this.received.map((message) => JSON.parse(message.toString()) as Packet);
  }

  /**
   * Says something: `onData` is called, and waited for.
   * @param message a packet goes as JSON text.
   * @param options.again it says that it may have said this before; default false.
   * @returns the `next` that the client gets; undefined if the message closed it.
   */
  async say(message: string | Buffer | Packet, options: { again?: boolean } = {}): Promise<Packet | undefined> {
    const binary = Buffer.isBuffer(message);
    const text = typeof message === 'string' || binary ? message : JSON.stringify(message);
    const data = this.route.textAsBuffer ? Buffer.from(text as string) : text;
    const info: MessageInfo = { binary, buffered: false, again: options.again ?? false };
    if (data.length === 0 && this.route.dialog) return JSON.parse(NEXT) as Packet;
    const taken = binary ? null : this.linked.requests?.take(text);
    if (taken !== undefined && taken !== null) return nextOf(taken);
    let fields: Handled;
    try {
      fields = (await this.route.resource.onData(this.client, data, info)) ?? undefined;
    } catch (error) {
      await this.fail(error);
      return undefined;
    }
    return nextOf(fields);
  }

  /**
   * Answers the requests of an opcode (`client.request`) by what `handler` returns, an object, or a promise of it. What it throws is a refusal.
   * Those of other opcodes are in `received`, and wait: `say({ opcode: 'answer', request: packet.request, … })` answers one.
   */
  answer(opcode: string, handler: (packet: Packet) => unknown): this {
    this.handlers.set(opcode, handler);
    return this;
  }

  private async give(request: unknown, handle: () => Promise<unknown>): Promise<void> {
    let fields: unknown;
    try {
      fields = await handle();
    } catch (error) {
      fields = { error: messageOf(error) };
    }
    this.linked.requests?.take(JSON.stringify({ ...(fields as object), opcode: 'answer', request }));
  }

  /** Does something that is no message: `onOther` is called. */
  async notify(notice: Notice): Promise<void> {
    if (notice.type === 'detached' || notice.type === 'resumed') this.detached = notice.type === 'detached';
    await this.route.resource.onOther(this.client, notice);
  }

  /** Leaves: `onClose` is called. */
  leave(code = 1006, reason = ''): void {
    this.close(code, reason);
  }

  /** Enters; `connect` does it. @internal */
  async open(): Promise<void> {
    this.context.registry.add(this);
    try {
      await this.route.resource.onOpen?.(this.client);
    } catch (error) {
      await this.fail(error);
    }
  }

  deliver(outgoing: Outgoing): boolean {
    return this.send(outgoing.data, outgoing.binary, undefined, outgoing.droppable);
  }

  send(data: string | Buffer, binary: boolean, _compress?: boolean, droppable = false): boolean {
    if (this.closed !== null) return false;
    if (droppable && this.behind) {
      this.dropped++;
      return false;
    }
    this.received.push(binary ? Buffer.from(data as string) : data.toString());
    return true;
  }

  /** It is one message; a client of kind `tcp` takes no longer one than a script or a POST does. @internal */
  sendFragmented(source: MessageSource, binary: boolean | undefined): Promise<boolean> {
    return sendWhole(this, source, binary, this.kind === 'tcp' ? SEND_QUEUE : Infinity);
  }

  enter(room: string, has: number): boolean {
    return enterRoom(this.context, this, room, has);
  }

  exit(room: string): void {
    this.context.registry.exit(this, room);
  }

  answering(): Requests {
    if (!this.route.dialog) throw new TypeError('at a resource with dialog = false no client can be asked');
    return new Requests(this.context, this);
  }

  /** @internal */ get answers(): boolean {
    return this.closed === null;
  }

  onAsked(): void {
    const packet = JSON.parse(String(this.received.at(-1))) as Packet;
    const handler = this.handlers.get(packet.opcode);
    if (handler !== undefined) void this.give(packet.request, async () => handler(packet));
  }

  onAnswered(): void {}

  ping(): boolean {
    return this.closed === null && this.kind === 'websocket';
  }

  close(code: number, reason: string): void {
    if (this.closed !== null) return;
    this.closed = { code, reason };
    this.context.registry.remove(this);
    this.linked.requests?.close();
    this.route.resource.onClose(this.client, code, reason);
  }

  /** What the daemon does with an error that a callback throws. */
  private async fail(error: unknown): Promise<void> {
    const closeCode = closeCodeOf(error);
    if (closeCode !== undefined) {
      this.close(closeCode, messageOf(error));
      return;
    }
    await this.route.resource.onError(this.client, error);
    this.close(CLOSE.FAILED, 'the resource failed');
  }
}

function nextOf(fields: Handled): Packet {
  return JSON.parse(typeof fields === 'object' && fields !== null ? nextPacket(fields) : NEXT) as Packet;
}
