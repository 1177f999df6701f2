import { afterEach, beforeEach, jest } from '@jest/globals';
import { connect, type Connection, type Options, type State, type StateDetail } from '../../src/client/index.ts';

const SESSION = 'websock.2';
const READY = { opcode: 'ready', uuid: 'u1', session: 'SECRET', resume: 30 };
const BOUNDS = { maxPayload: 1000, maxBuffer: 4000, maxChunks: 10 };

/** What was sent in a session: the header and what follows it, or a control packet. */
export interface Sent {
  readonly header: Record<string, unknown> | null;
  readonly payload: string;
}

/** A WebSocket whose daemon is the test. */
export class FakeSocket {
  static all: FakeSocket[] = [];
  /** What the next one throws. */
  static broken: Error | null = null;
  binaryType = 'blob';
  protocol = '';
  /** 1: open, 2: closing. */
  readyState = 1;
  readonly url: string;
  readonly offered: string[];
  readonly sent: (string | Uint8Array)[] = [];
  /** What it was closed with by the client. */
  closed: [code?: number, reason?: string] | null = null;
  private readonly listeners = new Map<string, ((...args: unknown[]) => void)[]>();

  constructor(url: string, offered: string[]) {
    if (FakeSocket.broken !== null) throw FakeSocket.broken;
    this.url = url;
    this.offered = offered;
    FakeSocket.all.push(this);
  }

  static get last(): FakeSocket {
    return FakeSocket.all[FakeSocket.all.length - 1];
  }

  addEventListener(type: string, listener: (...args: unknown[]) => void): void {
    this.listeners.set(type, [...(this.listeners.get(type) ?? []), listener]);
  }

  on(type: string, listener: (...args: unknown[]) => void): void {
    this.addEventListener(type, listener);
  }

  send(data: string | Uint8Array): void {
    this.sent.push(data);
  }

  close(...why: [code?: number, reason?: string]): void {
    this.closed = why;
  }

  // ---- what the daemon does

  fire(type: string, ...args: unknown[]): void {
    for (const listener of this.listeners.get(type) ?? []) listener(...args);
  }

  text(data: string | ArrayBuffer): void {
    this.fire('message', { data });
  }

  /** A packet of a resource or another client; of the plain dialog, too. */
  packet(packet: object): void {
    this.text(JSON.stringify(packet));
  }

  /** A packet of the dialog in a session. */
  dialog(packet: object): void {
    this.text(`\n${JSON.stringify(packet)}`);
  }

  /** Opens with a session. */
  ready(fields: object = {}): this {
    this.protocol = SESSION;
    this.dialog({ ...READY, ...BOUNDS, ...fields });
    return this;
  }

  resumed(fields: object = {}): this {
    this.protocol = SESSION;
    this.dialog({ opcode: 'resumed', uuid: 'u1', handled: 0, lost: 0, ...fields });
    return this;
  }

  /** Opens with the plain dialog. */
  plain(uuid = 'u1'): this {
    this.protocol = 'websock';
    this.packet({ opcode: 'ready', uuid });
    return this;
  }

  end(code: number, reason = ''): void {
    this.fire('close', { code, reason });
  }

  /** What was sent, read as in a session. */
  get frames(): Sent[] {
    return this.sent.map((data) => {
      const text = typeof data === 'string' ? data : Buffer.from(data).toString('latin1');
      if (text.startsWith('\n')) return { header: null, payload: text.slice(1) };
      const end = text.indexOf('\n');
      return { header: JSON.parse(text.slice(0, end)) as Record<string, unknown>, payload: text.slice(end + 1) };
    });
  }

  /** The headers of the messages sent. */
  get headers(): unknown[] {
    return this.frames.map(({ header }) => header).filter((header) => header !== null);
  }
}

/** The states that it went through, as `waiting 1006`. */
export interface Watched {
  readonly connection: Connection;
  readonly states: string[];
  readonly details: StateDetail[];
}

export function dial(options: Options = {}, url = 'ws://host/web'): Watched {
  const connection = connect(url, { WebSocket: FakeSocket, ...options });
  const states: string[] = [];
  const details: StateDetail[] = [];
  connection.onstate = (state: State, detail) => {
    states.push(detail.code === 0 ? state : `${state} ${detail.code}`);
    details.push(detail);
  };
  return { connection, states, details };
}

/** Lets promises that are settled be heard of. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve(); // oxlint-disable-line no-await-in-loop -- one turn after the other
}

/** How a promise has ended: its value, or the name of its error; `pending` if it has not. */
export async function outcome(promise: Promise<unknown>): Promise<unknown> {
  let found: unknown = 'pending';
  promise.then(
    (value) => (found = value),
    (error: Error) => (found = error.name),
  );
  await settled();
  return found;
}

/** Fake timers and no chance: half of what the delay may be. */
export function useFakes(): void {
  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask'] });
    jest.spyOn(Math, 'random').mockReturnValue(0.5);
    FakeSocket.all = [];
    FakeSocket.broken = null;
  });
  afterEach(() => {
    jest.useRealTimers();
    jest.restoreAllMocks();
  });
}

/** Milliseconds pass. */
export function pass(time: number): void {
  jest.advanceTimersByTime(time);
}

/** The connection is lost, and the next one is made as soon as it may. */
export function reconnect(code = 1006): FakeSocket {
  const before = FakeSocket.all.length;
  FakeSocket.last.end(code);
  for (let n = 0; n < 1000 && FakeSocket.all.length === before; n++) pass(50);
  return FakeSocket.last;
}
