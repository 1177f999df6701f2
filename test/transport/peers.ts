import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';
import type { Listener, Lobby, Reader, TransportSocket } from '../../src/transport/transport.ts';

/** The server's side of a connection: what its reader was told, and who waits for more. */
export class Accepted implements Reader {
  readonly socket: TransportSocket;
  /** It has waited, and a lobby has counted it. */
  readonly counted: boolean;
  readonly chunks: Buffer[] = [];
  ended = false;
  finished = false;
  /** undefined: not closed. */
  closed: Error | null | undefined;
  behind = 0;
  drains = 0;
  /** Told of each chunk, before those who wait. */
  onChunk: (chunk: Buffer) => void = () => {};
  private waiters: (() => void)[] = [];

  constructor(socket: TransportSocket, counted: boolean) {
    this.socket = socket;
    this.counted = counted;
    socket.reader = this;
  }

  onBytes(chunk: Buffer): void {
    this.chunks.push(Buffer.from(chunk));
    this.onChunk(chunk);
    // It was lent, and may be written over: whatever the transport does with it later shows.
    chunk.fill(0xdb);
    this.changed();
  }

  onBehind(): void {
    this.behind++;
    this.changed();
  }

  onDrain(): void {
    this.drains++;
    this.changed();
  }

  onEnd(): void {
    this.ended = true;
    this.changed();
  }

  onFinish(): void {
    this.finished = true;
    this.changed();
  }

  onClose(error: Error | null): void {
    if (this.closed !== undefined) throw new Error('closed twice');
    this.closed = error;
    this.changed();
  }

  /** Everything that was read. */
  get bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }

  get text(): string {
    return this.bytes.toString('latin1');
  }

  /** Resolves as soon as `condition` holds. */
  async until(condition: (self: this) => boolean): Promise<this> {
    // oxlint-disable-next-line no-await-in-loop
    while (!condition(this)) await new Promise<void>((done) => this.waiters.push(done));
    return this;
  }

  private changed(): void {
    const { waiters } = this;
    this.waiters = [];
    for (const done of waiters) done();
  }
}

/** Takes what a listener accepts, in order. */
export class Door {
  readonly accepted: Accepted[] = [];
  private waiters: (() => void)[] = [];
  private next = 0;

  readonly accept = (socket: TransportSocket, counted: boolean): void => {
    this.accepted.push(new Accepted(socket, counted));
    for (const done of this.waiters.splice(0)) done();
  };

  /** The next one that comes. */
  async take(): Promise<Accepted> {
    // oxlint-disable-next-line no-await-in-loop
    while (this.accepted.length <= this.next) await new Promise<void>((done) => this.waiters.push(done));
    return this.accepted[this.next++];
  }
}

/** Writes down who comes and goes. */
export class FakeLobby implements Lobby {
  most = 0;
  full = false;
  /** Nobody is let in. */
  shut = false;
  told: string[] = [];
  private waiters: (() => void)[] = [];

  enter(): boolean {
    this.tell('enter');
    return !this.shut;
  }

  move(from: string, to: string): boolean {
    this.tell(`move ${from} ${to}`);
    return !this.shut;
  }

  leave(): void {
    this.tell('leave');
  }

  over(limit: string, ip: string): void {
    this.tell(`${limit} ${ip}`);
  }

  /** Resolves as soon as `condition` holds. */
  async until(condition: () => boolean): Promise<void> {
    // oxlint-disable-next-line no-await-in-loop
    while (!condition()) await new Promise<void>((done) => this.waiters.push(done));
  }

  private tell(what: string): void {
    this.told.push(what);
    for (const done of this.waiters.splice(0)) done();
  }
}

export function portOf(listener: Listener, index = 0): number {
  return Number(/:(\d+)$/.exec(listener.endpoints[index])?.[1]);
}

/** A plain client, connected. */
export async function dial(where: { port: number; host?: string } | { path: string }): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', ...where, allowHalfOpen: true });
  await once(socket, 'connect');
  return socket;
}

/** A TLS client, its handshake done; `options.socket` is one that is connected already. */
export async function dialTls(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const where = options.socket === undefined ? { host: '127.0.0.1', port } : {};
  const socket = connectTls({ ...where, rejectUnauthorized: false, ...options });
  await once(socket, 'secureConnect');
  return socket;
}

/** Everything that the server sends until its FIN. */
export async function readAll(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(socket, 'end');
  return Buffer.concat(chunks);
}

/** The next `count` bytes that the server sends. */
export async function readBytes(socket: Socket, count: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  return new Promise((done, fail) => {
    const onData = (chunk: Buffer): void => {
      chunks.push(chunk);
      length += chunk.length;
      if (length < count) return;
      socket.off('data', onData);
      socket.off('end', onEnd);
      done(Buffer.concat(chunks));
    };
    const onEnd = (): void => fail(new Error(`the server ended after ${length} bytes`));
    socket.on('data', onData);
    socket.on('end', onEnd);
  });
}
