import type { Socket } from 'node:net';
import type { Entrance, Reader, TransportSocket } from './transport.ts';
import { type PutOff, SOON_MOST, turn } from './turn.ts';

/** A reader for a socket that nobody has taken: it reads nothing and hears nothing. */
export const NOBODY: Reader = { onBytes() {}, onBehind() {}, onDrain() {}, onEnd() {}, onFinish() {}, onClose() {} };

const SELF = Symbol('transport socket');
/** What Node's handle of a socket knows of its writes, and how it is kept from reading. */
interface Handle {
  reading?: boolean;
  readStop?(): void;
  readStart?(): void;
  bytesWritten?: number;
  writeQueueSize?: number;
  _parent?: Handle;
}
type Owned = Socket & { [SELF]?: StreamSocket; _handle?: Handle | null };

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
function onFinish(this: Owned): void {
  this[SELF]?.reader.onFinish();
}
function onError(this: Owned, error: Error): void {
  const self = this[SELF];
  if (self !== undefined) self.failure = error;
}
function onClose(this: Owned): void {
  const self = this[SELF];
  if (self !== undefined) self.reader.onClose(self.failure);
}

/** A `net.Socket` or `TLSSocket` as a TransportSocket: the public API of Node, and where its handle is there, what that does better. */
export class StreamSocket implements TransportSocket, PutOff {
  readonly ip: string;
  readonly port: number;
  readonly proxied: boolean;
  readonly secure: boolean;
  readonly entrance: Entrance;
  reader: Reader = NOBODY;
  /** Why it was closed, if by an error. */
  failure: Error | null = null;
  private readonly stream: Owned;
  /** What `writeSoon` has put off: then it is one of those that wait for the end of the turn. */
  private later = '';
  /** The kernel keeps what comes. */
  private stopped = false;

  /**
   * @param ip address of the peer, from {@link peerAddress}, or of the client that a PROXY header names.
   * @param port of that client; undefined: there is no such header.
   */
  constructor(stream: Socket, ip: string, secure: boolean, entrance: Entrance, port?: number) {
    this.stream = stream;
    this.secure = secure;
    this.entrance = entrance;
    this.ip = ip;
    this.port = port ?? stream.remotePort ?? 0;
    this.proxied = port !== undefined;
    this.stream[SELF] = this;
    stream.on('data', onData);
    stream.on('drain', onDrain);
    stream.on('end', onEnd);
    stream.on('finish', onFinish);
    stream.on('error', onError);
    stream.on('close', onClose);
  }

  get pending(): number {
    return this.stream.writableLength;
  }

  get taken(): number {
    const { stream } = this;
    // oxlint-disable-next-line no-underscore-dangle -- Node's own name
    const handle = stream._handle;
    // The bytes of TLS are in the queue of the socket below it.
    // oxlint-disable-next-line no-underscore-dangle
    const { bytesWritten, writeQueueSize } = handle?._parent ?? handle ?? {};
    if (bytesWritten !== undefined && writeQueueSize !== undefined) return bytesWritten - writeQueueSize;
    // By public API a large write is known to be taken only when all of it is.
    return stream.bytesWritten - stream.writableLength;
  }

  get behind(): boolean {
    const { stream } = this;
    if (!this.secure) return stream.writableLength > 0;
    // What is written with TLS is pending until the event loop turns, taken or not.
    // oxlint-disable-next-line no-underscore-dangle
    const queue = stream._handle?._parent?.writeQueueSize;
    return queue === undefined ? stream.writableNeedDrain : queue > 0;
  }

  get willDrain(): boolean {
    return this.stream.writableNeedDrain;
  }

  writeSoon(text: string): void {
    const { later } = this;
    if (this.stream.writableLength > 0 || later.length + text.length > SOON_MOST) this.write(text);
    else {
      this.later = later + text;
      if (later === '') turn.add(this);
    }
  }

  writeNow(): void {
    const { later, stream } = this;
    if (later === '') return;
    this.later = '';
    if (stream.writable) stream.write(later, 'latin1');
    if (stream.writableLength > 0) this.reader.onBehind();
  }

  write(data: Buffer | string): void {
    if (this.later !== '') this.writeNow();
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
    const { stream } = this;
    stream.pause();
    // By public API a paused stream reads on until it is full, and keeps each read by itself: byte by byte, two hundred times what is sent.
    // oxlint-disable-next-line no-underscore-dangle
    const handle = stream._handle;
    if (this.stopped || handle?.reading !== true || handle.readStop === undefined) return;
    this.stopped = true;
    handle.readStop();
  }

  resume(): void {
    this.readOn();
    this.stream.resume();
  }

  end(): void {
    this.writeNow();
    this.stream.end();
  }

  destroy(): void {
    this.writeNow();
    this.stream.destroy();
  }

  detach(head: Buffer): Socket {
    const { stream } = this;
    this.writeNow();
    stream.pause();
    this.readOn();
    stream.off('data', onData);
    stream.off('drain', onDrain);
    stream.off('end', onEnd);
    stream.off('finish', onFinish);
    stream.off('error', onError);
    if (head.length > 0) stream.unshift(Buffer.from(head));
    return stream;
  }

  private readOn(): void {
    if (!this.stopped) return;
    this.stopped = false;
    // oxlint-disable-next-line no-underscore-dangle
    const handle = this.stream._handle;
    // Node has stopped it as well, if more came of the last read than a stream takes: then Node starts it, when that has been taken.
    if (handle?.reading === true) handle.readStart?.();
  }
}

/**
 * The address of a peer, IPv4 without its IPv6 clothes (RFC 4291 §2.5.5.2); `unix` on a Unix socket. Null: the peer has
 * reset the connection before it was asked for, and what it sent must not be handled: it would have no address to be judged by.
 *
 * @param address as Node gives it
 */
export function peerAddress(address: string | undefined, isUnix: boolean): string | null {
  if (isUnix) return 'unix';
  if (address === undefined || address === '') return null;
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
}
