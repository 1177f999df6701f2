/** Clients that are slow on purpose: each begins something and does not end it. */
import { connect, type Socket } from 'node:net';
import { serve } from '../child.ts';
import { frame, frameHeader, upgrade } from '../wire.ts';
import { pace } from './pace.ts';

export type Shape = 'hello' | 'head' | 'header' | 'payload' | 'unread' | 'line' | 'body';

export interface SlowOrder {
  readonly port: number;
  readonly shape: Shape;
  readonly clients: number;
  /** The address that they come from. */
  readonly from: string;
  /** Seconds within which all of them arrive. */
  readonly within: number;
  /** Seconds between two bytes of one client. */
  readonly beat: number;
}

/** What became of those of one shape so far. */
export interface SlowReport {
  readonly shape: Shape;
  readonly clients: number;
  readonly gone: number;
  /** Seconds from the connection to its end: the shortest and the longest. */
  readonly least: number;
  readonly most: number;
  readonly errors: readonly string[];
}

/** What a shape says at once, and what it then says byte by byte. */
const SHAPES: Readonly<Record<Shape, { first: string | Buffer; slowly: Buffer }>> = {
  // A record of 512 bytes with a ClientHello in it.
  hello: {
    first: Buffer.from([0x16, 3, 1, 2, 0]),
    slowly: Buffer.from([1, 0, 1, 0xfc, 3, 3, ...Buffer.alloc(500, 7)]),
  },
  head: { first: 'G', slowly: Buffer.from(upgrade('/echo', `X-Slow: ${'x'.repeat(4000)}\r\n`)).subarray(1) },
  header: { first: `${upgrade('/echo')}\x82`, slowly: frameHeader(500_000, { op: 2 }).subarray(1, -1) },
  payload: {
    first: Buffer.concat([Buffer.from(upgrade('/echo')), frameHeader(1000, { op: 2 })]),
    slowly: Buffer.alloc(999, 'x'),
  },
  // 32 MiB are asked for: more than the kernel takes.
  unread: {
    first: Buffer.concat([Buffer.from(upgrade('/give')), ...Array<Buffer>(512).fill(frame('x'))]),
    slowly: Buffer.alloc(0),
  },
  line: { first: 'GET /echo\nx', slowly: Buffer.alloc(1000, 'x') },
  body: {
    first: 'POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n',
    slowly: Buffer.alloc(999, 'x'),
  },
};

class Slow {
  readonly began = performance.now();
  ended = 0;
  isConnecting = true;
  private readonly socket: Socket;
  private readonly bytes: Buffer;
  /** Those of its shape that have more to say. */
  private readonly talking: Set<Slow>;
  private at = 0;

  constructor({ port, shape, from }: SlowOrder, talking: Set<Slow>, onError: (error: string) => void) {
    const { first, slowly } = SHAPES[shape];
    this.bytes = slowly;
    this.talking = talking.add(this);
    this.socket = connect({ port, host: '127.0.0.1', localAddress: from, allowHalfOpen: true });
    this.socket.setNoDelay(true);
    // Who does not read hears of no end either: its own writes tell it.
    if (shape === 'unread') this.socket.pause();
    else this.socket.resume();
    this.socket.write(first, 'latin1');
    this.socket.on('connect', () => (this.isConnecting = false));
    this.socket.on('error', (error) => {
      // One that is thrown out may hear of it by a reset.
      if (this.isConnecting) onError(error.message);
      this.isConnecting = false;
    });
    this.socket.on('end', () => this.end());
    this.socket.on('close', () => this.end());
  }

  /** Says its next byte. */
  tick(): void {
    if (this.bytes.length === 0) this.socket.write(frame('x'));
    else if (this.at < this.bytes.length) this.socket.write(this.bytes.subarray(this.at, ++this.at));
  }

  private end(): void {
    if (this.ended !== 0) return;
    this.ended = performance.now();
    this.talking.delete(this);
    this.socket.end();
  }
}

const waves: { shape: Shape; all: Slow[]; errors: string[] }[] = [];

function report(): SlowReport[] {
  return waves.map(({ shape, all, errors }) => {
    const gone = all.filter(({ ended }) => ended !== 0);
    const lives = gone.map(({ began, ended }) => (ended - began) / 1000);
    return {
      shape,
      clients: all.length,
      gone: gone.length,
      least: Math.min(...lives),
      most: Math.max(...lives),
      errors,
    };
  });
}

serve(async (order: SlowOrder | { report: true }) => {
  if ('report' in order) return report();
  const { shape, clients, within, beat } = order;
  const all: Slow[] = [];
  const talking = new Set<Slow>();
  pace(talking, beat * 1000, (one) => one.tick());
  const errors: string[] = [];
  waves.push({ shape, all, errors });
  const began = performance.now();
  for (let i = 0; i < clients; i++) {
    const due = began + (within * 1000 * i) / clients;
    // oxlint-disable-next-line no-await-in-loop -- they come one after the other
    if (performance.now() < due) await new Promise((done) => setTimeout(done, due - performance.now()));
    all.push(new Slow(order, talking, (error) => errors.push(error)));
  }
  // Until the last of them has been accepted, or not.
  // oxlint-disable-next-line no-await-in-loop -- one look after the other
  while (all.some(({ isConnecting }) => isConnecting)) await new Promise((done) => setTimeout(done, 10));
  return null;
});
