import { connect, type Socket } from 'node:net';
import { messageOf, WebsockError } from '../errors.ts';
import { SILENT } from '../log.ts';
import { parseAddresses } from './address.ts';
import { Deadlines } from './deadlines.ts';
import { type Intake, NetTransport } from './tcp.ts';
import type { Reader, TransportSocket } from './transport.ts';

/** What moves the bytes of plain sockets: net.Socket, or the bare handle. */
export interface TransportChoice {
  readonly name: 'net' | 'direct';
  /** For {@link NetTransport}. */
  readonly intake: Intake | null;
  /** Why it is not the one that `auto` prefers; null: it is, or was not to be. */
  readonly why: string | null;
}

/** Milliseconds that the test may take. */
const PATIENCE = 2000;
/** Every character of latin1, and every byte in another order. */
const TEXT = String.fromCharCode(...Array.from({ length: 256 }, (_, code) => code));
const BYTES = Buffer.from(Array.from({ length: 256 }, (_, index) => 255 - index));
/** Bytes of one large write, and how many of these fill the buffers of any kernel. */
const LARGE = 1 << 20;
const MANY = 256;

/**
 * What is to serve plain listeners. `direct` rests on internals of Node: it is tried out before it is used.
 * @throws WebsockError WEBSOCK_START if `direct` is asked for and does not work.
 */
export async function chooseTransport(wanted: 'auto' | 'net' | 'direct'): Promise<TransportChoice> {
  if (wanted === 'net') return { name: 'net', intake: null, why: null };
  try {
    // Not loaded before it is wanted: loading it reaches for the internals.
    const { takeDirect } = await import('./direct.ts');
    await tryOut(takeDirect);
    return { name: 'direct', intake: takeDirect, why: null };
  } catch (cause) {
    const why = `direct does not work on Node ${process.version}: ${messageOf(cause)}`;
    if (wanted === 'auto') return { name: 'net', intake: null, why };
    throw new WebsockError('WEBSOCK_START', `transport ${why}; set transport to auto or net`, { cause });
  }
}

/**
 * Moves bytes over a listener of its own on loopback, which is gone afterwards.
 * @throws Error that says what is missing, or what is not as it should be.
 */
export async function tryOut(intake: Intake): Promise<void> {
  const trial = new Trial();
  const transport = new NetTransport(
    { keepAlive: 60, backlog: 2, tls: undefined, deadlines: new Deadlines() },
    SILENT,
    intake,
  );
  const listener = await transport.listen(parseAddresses('tcp://127.0.0.1:0')[0], (socket) => trial.take(socket));
  const port = Number(listener.endpoints[0].split(':')[1]);
  let late: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, fail) => {
    late = setTimeout(() => fail(new Error(`nothing happens any more while ${trial.step}`)), PATIENCE);
  });
  const all = async (): Promise<void> => {
    await exchange(trial, trial.dial(port));
    await handOver(trial, trial.dial(port));
  };
  try {
    await Promise.race([all(), tooLate]);
  } finally {
    trial.destroy();
    try {
      await Promise.race([listener.close(), tooLate]);
    } finally {
      clearTimeout(late);
    }
  }
}

/** Bytes both ways, a full kernel, half-close, close. */
async function exchange(trial: Trial, peer: Socket): Promise<void> {
  const side = await trial.accepted();
  const { socket } = side;
  trial.check(socket.ip === '127.0.0.1' && socket.port === peer.localPort);
  peer.write(BYTES);
  await trial.until('reading', () => side.bytes.length === BYTES.length);
  trial.check(side.bytes.equals(BYTES));
  socket.pause();
  peer.write('later');
  const sent: (Buffer | string)[] = [TEXT, BYTES, TEXT, BYTES, BYTES, BYTES];
  socket.write(TEXT);
  socket.write(BYTES);
  socket.writeAll([TEXT, BYTES]);
  socket.writeAll([BYTES, BYTES]);
  const large = Buffer.alloc(LARGE, BYTES);
  while (socket.pending === 0 && sent.length < MANY) {
    socket.write(large);
    sent.push(large);
  }
  trial.step = 'writing what the kernel cannot take at once';
  trial.check(socket.pending > 0 && socket.willDrain);
  socket.write(TEXT);
  socket.writeAll([BYTES, TEXT]);
  sent.push(TEXT, BYTES, TEXT);
  socket.resume();
  await trial.until('reading on after a pause', () => side.bytes.length === BYTES.length + 5);
  const got = collect(trial, peer);
  await trial.until('writing', () => side.drained);
  trial.check(socket.pending === 0);
  socket.end();
  await trial.until('ending', () => side.finished && got.ended);
  const pieces = sent.map((piece) => (typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece));
  trial.check(Buffer.concat(got.chunks).equals(Buffer.concat(pieces)) && !side.closed);
  peer.end('last');
  await trial.until('closing', () => side.closed);
  trial.check(side.ended && side.bytes.equals(Buffer.concat([BYTES, Buffer.from('laterlast')])));
}

/** A stream as node:http gets it. */
async function handOver(trial: Trial, peer: Socket): Promise<void> {
  const side = await trial.accepted();
  peer.write('head');
  await trial.until('reading', () => side.bytes.length === 4);
  const stream = trial.keep(side.socket.detach(side.bytes));
  const got = collect(trial, stream);
  stream.resume();
  const answer = collect(trial, peer);
  peer.end('tail');
  await trial.until('handing a stream over', () => got.ended);
  stream.end('answer');
  await trial.until('ending a stream', () => answer.ended && side.closed);
  trial.check(String(Buffer.concat(got.chunks)) === 'headtail' && String(Buffer.concat(answer.chunks)) === 'answer');
}

function collect(trial: Trial, stream: Socket): { chunks: Buffer[]; ended: boolean } {
  const got = { chunks: [] as Buffer[], ended: false };
  stream.on('data', (chunk: Buffer) => got.chunks.push(chunk));
  stream.on('end', () => {
    got.ended = true;
    trial.changed();
  });
  return got;
}

/** What is going on, and who waits for it. */
class Trial {
  step = 'connecting';
  private failure: Error | null = null;
  private wake: () => void = () => {};
  private side: Side | null = null;
  private readonly sides: Side[] = [];
  private readonly streams: Socket[] = [];

  dial(port: number): Socket {
    this.side = null;
    return this.keep(connect({ host: '127.0.0.1', port, allowHalfOpen: true }));
  }

  take(socket: TransportSocket): void {
    this.side = new Side(socket, this);
    this.sides.push(this.side);
    this.changed();
  }

  async accepted(): Promise<Side> {
    await this.until('accepting', () => this.side !== null);
    return this.side as Side;
  }

  keep(stream: Socket): Socket {
    this.streams.push(stream);
    stream.on('error', (error) => this.changed(error));
    return stream;
  }

  /** Resolves as soon as `condition` holds. */
  async until(step: string, condition: () => boolean): Promise<void> {
    this.step = step;
    while (!condition()) {
      if (this.failure !== null) throw new Error(`${this.failure.message} while ${step}`, { cause: this.failure });
      // oxlint-disable-next-line no-await-in-loop
      await new Promise<void>((done) => {
        this.wake = done;
      });
    }
  }

  check(good: boolean): void {
    if (!good) throw new Error(`what comes of ${this.step} is wrong`);
  }

  changed(failure: Error | null = null): void {
    this.failure ??= failure;
    this.wake();
  }

  destroy(): void {
    for (const stream of this.streams) stream.destroy();
    for (const { socket } of this.sides) socket.destroy();
  }
}

/** The reader of an accepted socket. */
class Side implements Reader {
  readonly socket: TransportSocket;
  bytes: Buffer = Buffer.alloc(0);
  drained = false;
  ended = false;
  finished = false;
  closed = false;
  private readonly trial: Trial;

  constructor(socket: TransportSocket, trial: Trial) {
    this.socket = socket;
    this.trial = trial;
    socket.reader = this;
  }

  onBytes(chunk: Buffer): void {
    this.bytes = Buffer.concat([this.bytes, chunk]);
    this.trial.changed();
  }

  onBehind(): void {
    // Nothing is put off here.
  }

  onDrain(): void {
    this.drained = true;
    this.trial.changed();
  }

  onEnd(): void {
    this.ended = true;
    this.trial.changed();
  }

  onFinish(): void {
    this.finished = true;
    this.trial.changed();
  }

  onClose(error: Error | null): void {
    this.closed = true;
    this.trial.changed(error);
  }
}
