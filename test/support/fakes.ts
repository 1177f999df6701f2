import { Socket } from 'node:net';
import type { Guards } from '../../src/auth/auth.ts';
import { Access, type AccessOptions } from '../../src/connection/access.ts';
import { Admission } from '../../src/connection/admission.ts';
import { Attempts } from '../../src/connection/attempts.ts';
import type { ConnectionContext, HttpPeer } from '../../src/connection/context.ts';
import { Cork } from '../../src/connection/cork.ts';
import { Deadlines } from '../../src/transport/deadlines.ts';
import { Debts } from '../../src/connection/debts.ts';
import { Heartbeat } from '../../src/connection/heartbeat.ts';
import { InTurn } from '../../src/connection/inturn.ts';
import { Limits, type LimitValues } from '../../src/connection/limits.ts';
import { Live } from '../../src/connection/live.ts';
import { Registry } from '../../src/connection/registry.ts';
import { type Callbacks, engineOptions, type Route } from '../../src/connection/route.ts';
import { Sessions } from '../../src/connection/sessions.ts';
import { Stalls } from '../../src/connection/stalls.ts';
import type { Log } from '../../src/log.ts';
import { Tickets } from '../../src/packet/ticket.ts';
import type { Compression } from '../../src/wire/compression.ts';
import type { Reader, TransportSocket } from '../../src/transport/transport.ts';

const NOBODY: Reader = { onBytes() {}, onBehind() {}, onDrain() {}, onEnd() {}, onFinish() {}, onClose() {} };

/** A socket that writes down what is done to it. What is written is taken at once, unless `blocked`. */
export class FakeSocket implements TransportSocket {
  ip = '192.0.2.7';
  port = 40_000;
  proxied = false;
  secure = false;
  entrance = { loopback: false, name: 'example.org' };
  reader: Reader = NOBODY;
  /** One entry for each call of write or writeAll. */
  readonly writes: Buffer[] = [];
  /** What was done beside writing, in order. */
  readonly calls: string[] = [];
  /** Nothing that is written from now on is taken. */
  blocked = false;
  pending = 0;
  paused = false;
  ended = false;
  destroyed = false;
  /** The bytes that detach() put back. */
  detached: Buffer | null = null;
  taken = 0;

  get behind(): boolean {
    return this.pending > 0;
  }

  get willDrain(): boolean {
    return this.pending > 0;
  }

  write(data: Buffer | string): void {
    this.writeAll([data]);
  }

  /** This event loop turns after each. */
  writeSoon(text: string): void {
    this.write(text);
  }

  writeAll(pieces: readonly (Buffer | string)[]): void {
    if (this.ended) throw new Error('a write after the end');
    const bytes = Buffer.concat(pieces.map((data) => (typeof data === 'string' ? Buffer.from(data, 'latin1') : data)));
    this.writes.push(bytes);
    if (this.blocked) this.pending += bytes.length;
    else this.taken += bytes.length;
  }

  pause(): void {
    this.paused = true;
    this.calls.push('pause');
  }

  resume(): void {
    this.paused = false;
    this.calls.push('resume');
  }

  end(): void {
    this.ended = true;
    this.calls.push('end');
    if (this.pending === 0) this.reader.onFinish();
  }

  destroy(): void {
    this.destroyed = true;
    this.calls.push('destroy');
  }

  detach(head: Buffer): Socket {
    this.detached = Buffer.from(head);
    this.calls.push('detach');
    return new Socket();
  }

  // ---- what the peer does

  /** The peer takes `count` bytes of what is pending; the last of them drain it. */
  read(count: number): void {
    const taken = Math.min(count, this.pending);
    this.pending -= taken;
    this.taken += taken;
    if (this.pending > 0 || taken === 0) return;
    this.reader.onDrain();
    if (this.ended) this.reader.onFinish();
  }

  /** The peer sends bytes, each part in a chunk that is only lent: what is kept of it must be a copy. */
  say(...parts: (string | Buffer)[]): void {
    for (const part of parts) {
      const chunk = Buffer.from(part as string);
      this.reader.onBytes(chunk);
      chunk.fill(0xdb);
    }
  }

  /** Everything written, and forgets it. */
  drop(): Buffer {
    return Buffer.concat(this.writes.splice(0));
  }
}

export class FakeLog implements Log {
  readonly lines: string[] = [];

  error(text: string): void {
    this.lines.push(`error ${text}`);
  }

  warn(text: string): void {
    this.lines.push(`warn ${text}`);
  }

  info(text: string): void {
    this.lines.push(`info ${text}`);
  }

  debug(text: string): void {
    this.lines.push(`debug ${text}`);
  }

  wants(): boolean {
    return true;
  }

  /** The lines of these levels. */
  at(...levels: string[]): string[] {
    return this.lines.filter((line) => levels.includes(line.split(' ')[0]));
  }
}

export const LIMIT_VALUES: LimitValues = {
  maxPayload: 100_000,
  maxBuffer: 200_000,
  maxChunks: 100,
  maxFragments: 100,
  maxHead: 8192,
  maxHeaders: 100,
  maxAhead: 100,
  headTimeout: 10,
  proxyTimeout: 5,
  messageTimeout: 120,
  bodyTimeout: 30,
  maxAnswers: 100,
  maxAnswer: 1000,
  maxAnswerMemory: 10_000,
  minBodyRate: 1000,
  closeTimeout: 5,
  handlerTimeout: 60,
  writeTimeout: 30,
  maxClients: 100,
  maxPerIP: 0,
  maxAttempts: 5,
  maxSession: 10_000,
  maxHandshakes: 0,
  tlsTimeout: 5,
  connectRate: 0,
  connectRateAll: 0,
  heartbeatInterval: 0,
  heartbeatTimeout: 10,
  idleTimeout: 0,
  messageRate: 0,
  byteRate: 0,
  rateGrace: 5,
  maxRooms: 3,
  maxRequests: 2,
  sendQueue: 50_000,
  maxSendMemory: 10_000_000,
  resume: 30,
  maxSessions: 100,
  keepPackets: 100,
  keepBytes: 50_000,
  maxKept: 1_000_000,
  maxNexts: 10,
};

export const ACCESS: AccessOptions = {
  allowedOrigins: ['same', 'loopback'],
  hosts: [],
  trustedProxies: [],
  allowed: [],
  trustLoopback: true,
  key: '',
};

export interface ContextOptions {
  values?: Partial<LimitValues>;
  access?: Partial<AccessOptions>;
  routes?: readonly Route[];
  webIdent?: boolean;
  /** Seconds, by the clock that fake timers turn; default 0: off. */
  stallWarn?: number;
  compression?: Compression;
  guards?: Guards;
}

/** A context of real parts, but for the log; handed-over streams are in `handed`. */
export interface FakeContext extends ConnectionContext {
  readonly log: FakeLog;
  readonly handed: { stream: Socket; peer: HttpPeer }[];
}

export function fakeContext(options: ContextOptions = {}): FakeContext {
  const values = { ...LIMIT_VALUES, ...options.values };
  const limits = new Limits(values);
  const routes = new Map((options.routes ?? []).map((route) => [route.path, route]));
  const handed: FakeContext['handed'] = [];
  // The clock is the one that fake timers turn.
  const deadlines = new Deadlines(() => Date.now());
  const log = new FakeLog();
  const access = new Access({ ...ACCESS, ...options.access });
  return {
    log,
    limits,
    values,
    deadlines,
    heartbeat: new Heartbeat(deadlines, values),
    cork: new Cork(),
    debts: new Debts(limits, log, () => Date.now()),
    access,
    admission: new Admission(limits, { log, now: () => Date.now(), isProxy: (ip) => access.isProxy(ip) }),
    attempts: new Attempts(limits),
    tickets: new Tickets('the secret of these tests', 86_400),
    guards: options.guards ?? { of: () => null },
    registry: new Registry(),
    sessions: new Sessions(limits, log),
    routes: { find: (path) => routes.get(path) },
    webIdent: options.webIdent ?? false,
    compression: options.compression ?? null,
    handed,
    handOver: (stream, peer) => void handed.push({ stream, peer }),
    reports: new InTurn(),
    stalls: new Stalls(log, options.stallWarn ?? 0, () => Date.now()),
    live: new Live(),
    waiting: new Live(),
    lastId: 0,
    draining: false,
  };
}

/** A resource whose every callback is written down in `calls`; what it does is given by `callbacks`. */
export class FakeResource implements Callbacks {
  readonly calls: unknown[][] = [];
  onHandshake?: Callbacks['onHandshake'];
  private readonly callbacks: Partial<Callbacks>;

  constructor(callbacks: Partial<Callbacks> = {}) {
    this.callbacks = callbacks;
    if (callbacks.onHandshake !== undefined) this.onHandshake = callbacks.onHandshake;
  }

  onOpen(...values: Parameters<NonNullable<Callbacks['onOpen']>>): unknown {
    this.calls.push(['onOpen', values[0].id]);
    return this.callbacks.onOpen?.(...values);
  }

  onData(...values: Parameters<Callbacks['onData']>): ReturnType<Callbacks['onData']> {
    const [, message, info] = values;
    this.calls.push(['onData', message, info.binary, info.buffered]);
    return this.callbacks.onData?.(...values);
  }

  onClose(...values: Parameters<Callbacks['onClose']>): unknown {
    this.calls.push(['onClose', values[1], values[2]]);
    return this.callbacks.onClose?.(...values);
  }

  onError(...values: Parameters<Callbacks['onError']>): unknown {
    this.calls.push(['onError', (values[1] as Error | undefined)?.message]);
    return this.callbacks.onError?.(...values);
  }

  onOther(...values: Parameters<Callbacks['onOther']>): unknown {
    const { type, ...rest } = values[1];
    this.calls.push([type, ...Object.values(rest).map(String)]);
    return this.callbacks.onOther?.(...values);
  }

  /** The names of the callbacks that were called, and the messages. */
  get names(): unknown[] {
    return this.calls.map(([name, first]) => (name === 'onData' ? first : name));
  }
}

export function fakeRoute(resource: Callbacks, options: Partial<Route> = {}): Route {
  const dialog = options.dialog ?? true;
  return {
    path: '/',
    app: '/',
    accepts: new Set(['ws', 'wss', 'tcp', 'ssl']),
    tickets: false,
    dialog,
    textAsBuffer: false,
    borrowed: false,
    engineOptions: engineOptions(LIMIT_VALUES, dialog),
    compression: null,
    resource,
    ...options,
  };
}

/** Lets promises that are settled do what waits for them. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve(); // oxlint-disable-line no-await-in-loop
}
