import type { Socket } from 'node:net';
import type { Reader, TransportSocket } from './transport.ts';

/** A reader for a socket that nobody has taken: it reads nothing and hears nothing. */
const NOBODY: Reader = { onBytes() {}, onDrain() {}, onEnd() {}, onClose() {} };

const SELF = Symbol('transport socket');
type Owned = Socket & { [SELF]?: StreamSocket };

// One function for all sockets: a closure for each connection and event would be most of its memory.
function onData(this: Owned, chunk: Buffer): void {
  this[SELF]?.reader.onBytes(chunk);
}
function onDrain(this: Owned): void {
  this[SELF]?.reader.onDrain();
}
function onEnd(this: Owned): void {
  this[SELF]?.reader.onEnd();
}
function onError(this: Owned, error: Error): void {
  const self = this[SELF];
  if (self !== undefined) self.failure = error;
}
function onClose(this: Owned): void {
  const self = this[SELF];
  if (self !== undefined) self.reader.onClose(self.failure);
}

/** A `net.Socket` or `TLSSocket` as a TransportSocket: the public API of Node alone. */
export class StreamSocket implements TransportSocket {
  readonly ip: string;
  readonly port: number;
  readonly secure: boolean;
  reader: Reader = NOBODY;
  /** Why it was closed, if by an error. */
  failure: Error | null = null;
  private readonly stream: Owned;

  constructor(stream: Socket, secure: boolean) {
    this.stream = stream;
    this.secure = secure;
    this.ip = plainIp(stream.remoteAddress);
    this.port = stream.remotePort ?? 0;
    this.stream[SELF] = this;
    stream.on('data', onData);
    stream.on('drain', onDrain);
    stream.on('end', onEnd);
    stream.on('error', onError);
    stream.on('close', onClose);
  }

  get pending(): number {
    return this.stream.writableLength;
  }

  get unsent(): number {
    // `writeQueueSize` shrinks while one large write goes out, `writableLength` only when all of it is out.
    // oxlint-disable-next-line no-underscore-dangle -- Node's own name
    const handle = (this.stream as { _handle?: { writeQueueSize?: number } | null })._handle;
    return this.stream.writableLength === 0 ? 0 : this.stream.writableLength * 2 + (handle?.writeQueueSize ?? 0);
  }

  get willDrain(): boolean {
    return this.stream.writableNeedDrain;
  }

  write(data: Buffer | string): void {
    if (!this.stream.writable) return;
    if (typeof data === 'string') this.stream.write(data, 'latin1');
    else this.stream.write(data);
  }

  writeAll(pieces: readonly (Buffer | string)[]): void {
    this.stream.cork();
    for (const piece of pieces) this.write(piece);
    this.stream.uncork();
  }

  pause(): void {
    this.stream.pause();
  }

  resume(): void {
    this.stream.resume();
  }

  end(): void {
    this.stream.end();
  }

  destroy(): void {
    this.stream.destroy();
  }

  detach(head: Buffer): Socket {
    const { stream } = this;
    stream.pause();
    stream.off('data', onData);
    stream.off('drain', onDrain);
    stream.off('end', onEnd);
    stream.off('error', onError);
    if (head.length > 0) stream.unshift(head);
    return stream;
  }
}

/** Node's form of a peer's address, without the IPv6 clothes of an IPv4 address (RFC 4291 §2.5.5.2). */
function plainIp(address: string | undefined): string {
  if (address === undefined || address === '') return 'unix';
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}
