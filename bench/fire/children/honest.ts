/** Honest clients: each sends a short message now and then, and looks at its echo. */
import { connect, type Socket } from 'node:net';
import { serve } from '../child.ts';
import { frame, ServerReader, upgrade } from '../wire.ts';
import { pace } from './pace.ts';

export interface HonestOrder {
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly clients: number;
  /** Milliseconds between two messages of one client. */
  readonly interval: number;
}

/** What they saw since they were last asked. */
export interface HonestReport {
  readonly echoes: number;
  /** Milliseconds from a message to its echo. */
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  /** Messages that wait for their echo for more than five seconds. */
  readonly late: number;
  /** Clients that are still connected. */
  readonly open: number;
  readonly errors: readonly string[];
}

const LATE = 5000;
const PAD = 'honest clients send short texts: ';

let latencies: number[] = [];
let errors: string[] = [];
const clients = new Set<Client>();

class Client {
  private readonly socket: Socket;
  private readonly sent: { at: number; text: string }[] = [];
  private count = 0;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('error', (error) => errors.push(error.message));
    socket.on('close', () => {
      clients.delete(this);
      errors.push('an honest client was disconnected');
    });
  }

  static async open({ host, port, path }: HonestOrder): Promise<void> {
    const socket = connect({ host, port });
    const client = new Client(socket);
    const reader = new ServerReader((op, payload) => client.onFrame(op, payload));
    socket.write(upgrade(path));
    await new Promise<void>((done, fail) => {
      socket.on('data', (chunk: Buffer) => {
        reader.push(chunk);
        if (reader.head.startsWith('HTTP/1.1 101')) done();
        else if (reader.head !== '') fail(new Error(reader.head));
      });
      socket.once('error', fail);
    });
    clients.add(client);
  }

  send(): void {
    const text = PAD + String(++this.count);
    this.sent.push({ at: performance.now(), text });
    this.socket.write(frame(text));
  }

  late(now: number): number {
    return this.sent.filter(({ at }) => now - at > LATE).length;
  }

  private onFrame(op: number, payload: Buffer): void {
    const text = payload.toString();
    if (op === 9) return;
    const next = op === 1 ? this.sent.shift() : undefined;
    if (next?.text !== text) errors.push(`opcode ${op}, ${text.slice(0, 100)} came in place of ${next?.text}`);
    else latencies.push(performance.now() - next.at);
  }
}

function report(): HonestReport {
  const sorted = Float64Array.from(latencies).toSorted();
  const at = (part: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
  const now = performance.now();
  let late = 0;
  for (const client of clients) late += client.late(now);
  const done = { echoes: sorted.length, p50: at(0.5), p99: at(0.99), max: at(1), late, open: clients.size, errors };
  latencies = [];
  errors = [];
  return done;
}

serve(async (order: HonestOrder | { take: true }) => {
  if ('take' in order) return report();
  await Promise.all(Array.from({ length: order.clients }, () => Client.open(order)));
  pace(clients, order.interval, (client) => client.send());
  return clients.size;
});
