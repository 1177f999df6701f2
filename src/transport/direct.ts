import { Socket } from 'node:net';
import { READ_BUFFER } from '../wire/mask.ts';
import {
  type Handle,
  listeningHandle,
  OWNER,
  READ,
  RESULT,
  ShutdownWrap,
  systemError,
  UV_ENOTCONN,
  UV_EOF,
  WAS_ASYNC,
  WriteWrap,
  type WriteRequest,
} from './handle.ts';
import { NOBODY, peerAddress } from './socket.ts';
import type { Intake } from './tcp.ts';
import type { Entrance, Reader, TransportSocket } from './transport.ts';
import { type PutOff, SOON_MOST, turn } from './turn.ts';

// The state of a socket, as bits: its memory is counted by the ten thousand.
const READING = 1;
/** `end()` was called. */
const ENDED = 2;
/** Our FIN is out. */
const FINISHED = 4;
/** The peer's FIN has come. */
const PEER_ENDED = 8;
const DETACHED = 16;
/** `reader.onEnd` is running: what is ended meanwhile is finished when it returns. */
const ENDING = 32;

/** On Linux an accepted socket inherits these options from the one that listens: no system calls for each. */
const INHERITS = process.platform === 'linux';

/** What waits while the kernel is full: a request is in flight. */
interface Waiting {
  pieces: (Buffer | string)[];
  bytes: number;
}

/** The one request of all writes that the kernel takes at once. */
let free = newRequest();

function newRequest(): WriteRequest {
  const request = new WriteWrap();
  request.oncomplete = onWritten;
  return request;
}

/** What was read last. As much may well come again, and to make a view of it costs more than to decode a short message. */
let chunk = READ_BUFFER;

// One function for all sockets, as in socket.ts.
function onRead(this: Handle): void {
  const count = RESULT[READ];
  const socket = this[OWNER] as DirectSocket;
  if (count > 0) {
    if (count !== chunk.length) chunk = READ_BUFFER.subarray(0, count);
    socket.reader.onBytes(chunk);
  } else if (count < 0) socket.readEnded(count);
}

function onWritten(this: WriteRequest, status: number, handle: Handle): void {
  this.buffer = null;
  (handle[OWNER] as DirectSocket).written(status);
}

function onShutdown(this: unknown, _status: number, handle: Handle): void {
  (handle[OWNER] as DirectSocket).finished();
}

function ignore(): void {}

// For process.nextTick, which costs less than queueMicrotask: that makes an AsyncResource each time.
function finish(socket: DirectSocket): void {
  socket.finished();
}
function leave(socket: DirectSocket, error: Error | null): void {
  socket.gone(error);
}

/** A TCP or Unix socket on the bare handle of Node, past net.Socket and its streams. */
class DirectSocket implements TransportSocket, PutOff {
  readonly ip: string;
  readonly port: number;
  reader: Reader = NOBODY;
  /** null: it is gone, or going. */
  private handle: Handle | null;
  private readonly crowd: Crowd;
  private state = READING;
  private waiting: Waiting | null = null;
  /** What `writeSoon` has put off: then it is one of those that wait for the end of the turn. */
  private later = '';

  constructor(handle: Handle, ip: string, port: number, crowd: Crowd) {
    this.ip = ip;
    this.port = port;
    this.handle = handle;
    this.crowd = crowd;
    crowd.size++;
    handle[OWNER] = this;
    handle.onread = onRead;
    handle.useUserBuffer(READ_BUFFER);
    const code = handle.readStart();
    if (code !== 0) this.close(systemError(code, 'read'));
  }

  get secure(): boolean {
    return false;
  }

  get proxied(): boolean {
    return false;
  }

  get entrance(): Entrance {
    return this.crowd.entrance;
  }

  get pending(): number {
    const { waiting, handle } = this;
    return waiting === null || handle === null ? 0 : waiting.bytes + handle.writeQueueSize;
  }

  get behind(): boolean {
    return this.waiting !== null;
  }

  get taken(): number {
    const { handle } = this;
    return handle === null ? 0 : handle.bytesWritten - handle.writeQueueSize;
  }

  get willDrain(): boolean {
    return this.waiting !== null && (this.state & ENDED) === 0;
  }

  // ---- writing

  writeSoon(text: string): void {
    const { later } = this;
    if (this.handle === null || this.waiting !== null || (this.state & (ENDED | DETACHED)) !== 0) this.write(text);
    else if (later.length + text.length > SOON_MOST) this.write(text);
    else {
      this.later = later + text;
      if (later === '') turn.add(this);
    }
  }

  writeNow(): void {
    const { handle, later } = this;
    if (later === '') return;
    this.later = '';
    if (handle === null) return;
    this.wrote(handle.writeLatin1String(free, later), later);
    if (this.waiting !== null) this.reader.onBehind();
  }

  write(data: Buffer | string): void {
    if (this.later !== '') this.writeNow();
    const { handle, waiting } = this;
    if (handle === null || (this.state & (ENDED | DETACHED)) !== 0) return;
    if (waiting !== null) {
      waiting.pieces.push(data);
      waiting.bytes += data.length;
      return;
    }
    const code = typeof data === 'string' ? handle.writeLatin1String(free, data) : handle.writeBuffer(free, data);
    this.wrote(code, data);
  }

  writeAll(pieces: readonly (Buffer | string)[]): void {
    if (this.later !== '') this.writeNow();
    const { handle, waiting } = this;
    // A writev of nothing is what libuv aborts at.
    if (handle === null || (this.state & (ENDED | DETACHED)) !== 0 || pieces.length === 0) return;
    if (waiting === null) this.gather(handle, pieces);
    else for (const piece of pieces) this.write(piece);
  }

  end(): void {
    this.writeNow();
    if (this.handle === null || (this.state & (ENDED | DETACHED)) !== 0) return;
    this.state |= ENDED;
    if (this.waiting === null) this.lastWritten(this.handle);
  }

  /** Several pieces in one system call. */
  private gather(handle: Handle, pieces: readonly (Buffer | string)[]): void {
    let chunks = pieces;
    const mixed = pieces.some((piece) => typeof piece === 'string');
    if (mixed) {
      const encoded: (Buffer | string)[] = [];
      for (const piece of pieces) encoded.push(piece, 'latin1');
      chunks = encoded;
    }
    this.wrote(handle.writev(free, chunks, !mixed), chunks);
  }

  /** After a write of `data`. */
  private wrote(code: number, data: unknown): void {
    if (code !== 0) this.close(systemError(code, 'write'));
    else if (RESULT[WAS_ASYNC] !== 0) {
      free.buffer = data;
      free = newRequest();
      this.waiting = { pieces: [], bytes: 0 };
    }
  }

  /** The request in flight has completed: the next one takes all that waits. */
  written(status: number): void {
    const { handle, waiting } = this;
    if (handle === null || waiting === null) return;
    if (status < 0) {
      this.close(systemError(status, 'write'));
      return;
    }
    this.waiting = null;
    if (waiting.pieces.length > 0) this.gather(handle, waiting.pieces);
    if (this.waiting !== null || this.handle === null) return;
    if ((this.state & ENDED) === 0) this.reader.onDrain();
    else this.lastWritten(handle);
  }

  /** Everything is written. Where the peer's FIN has come, closing sends ours: no shutdown is needed. */
  private lastWritten(handle: Handle): void {
    if ((this.state & PEER_ENDED) === 0) this.shutdown(handle);
    else if ((this.state & ENDING) === 0) process.nextTick(finish, this);
  }

  private shutdown(handle: Handle): void {
    const request = new ShutdownWrap();
    request.oncomplete = onShutdown;
    const code = handle.shutdown(request);
    // A peer that has reset is told nothing: the next read says so.
    if (code === 1 || code === UV_ENOTCONN) setImmediate(() => this.finished());
    else if (code !== 0) this.close(systemError(code, 'shutdown'));
  }

  finished(): void {
    if (this.handle === null || (this.state & DETACHED) !== 0) return;
    this.state |= FINISHED;
    this.reader.onFinish();
    if ((this.state & PEER_ENDED) !== 0) this.close(null);
  }

  // ---- reading

  pause(): void {
    if (this.handle === null || (this.state & (READING | DETACHED)) !== READING) return;
    this.state &= ~READING;
    this.handle.readStop();
  }

  resume(): void {
    if (this.handle === null || (this.state & (READING | PEER_ENDED | DETACHED)) !== 0) return;
    this.state |= READING;
    const code = this.handle.readStart();
    if (code !== 0) this.close(systemError(code, 'read'));
  }

  readEnded(code: number): void {
    if (code !== UV_EOF) {
      this.close(systemError(code, 'read'));
      return;
    }
    const wasEnded = (this.state & ENDED) !== 0;
    this.state |= PEER_ENDED | ENDING;
    try {
      this.reader.onEnd();
    } finally {
      this.state &= ~ENDING;
      this.bothEnded(wasEnded);
    }
  }

  /** After the peer's FIN: goes, if ours is out, or was asked for just now, which the event loop need not be waited for. */
  private bothEnded(wasEnded: boolean): void {
    if (!wasEnded && (this.state & ENDED) !== 0 && this.waiting === null && this.handle !== null) {
      this.state |= FINISHED;
      this.reader.onFinish();
    }
    if ((this.state & FINISHED) !== 0) this.close(null);
  }

  // ---- its end

  destroy(): void {
    this.writeNow();
    if ((this.state & DETACHED) === 0) this.close(null);
  }

  private close(error: Error | null): void {
    const { handle } = this;
    if (handle === null) return;
    this.handle = null;
    this.waiting = null;
    handle.onread = ignore;
    // Its descriptor is closed when this returns; to be called back for that would cost more than to close it.
    handle.close();
    process.nextTick(leave, this, error);
  }

  gone(error: Error | null): void {
    this.crowd.leave();
    this.reader.onClose(error);
  }

  detach(head: Buffer): Socket {
    this.writeNow();
    const { handle, waiting } = this;
    if (handle === null) throw new Error('a socket that is gone cannot be detached');
    handle.readStop();
    this.state |= DETACHED;
    this.waiting = null;
    // A handle that has once read into a user buffer does so for ever: the default of net.Socket would find no bytes.
    const onread = {
      buffer: READ_BUFFER,
      callback: (count: number, buffer: Uint8Array) => stream.push(Buffer.from(buffer.subarray(0, count))),
    };
    const options = { handle, allowHalfOpen: true, onread };
    const stream = new Socket(options);
    stream.pause();
    if (head.length > 0) stream.unshift(Buffer.from(head));
    // What is in flight goes first.
    for (const piece of waiting?.pieces ?? []) stream.write(piece, 'latin1');
    stream.once('close', () => {
      this.handle = null;
      this.gone(null);
    });
    return stream;
  }
}

/** The sockets that one server has accepted: it knows nothing of them. */
class Crowd {
  readonly entrance: Entrance;
  size = 0;
  private waiters: (() => void)[] = [];

  constructor(entrance: Entrance) {
    this.entrance = entrance;
  }

  leave(): void {
    this.size--;
    if (this.size > 0) return;
    for (const done of this.waiters.splice(0)) done();
  }

  async gone(): Promise<void> {
    if (this.size > 0) await new Promise<void>((done) => this.waiters.push(done));
  }
}

/** Takes connections off a listening socket before net.Server makes a net.Socket of each. */
export const takeDirect: Intake = (server, entrance, keepAlive, accept) => {
  const listening = listeningHandle(server);
  const isUnix = typeof server.address() === 'string';
  const crowd = new Crowd(entrance);
  const peer: { address?: string; port?: number } = {};
  if (INHERITS) setOptions(listening, keepAlive);
  listening.onconnection = (status, handle) => {
    if (status !== 0) {
      server.emit('error', systemError(status, 'accept'));
      return;
    }
    peer.address = undefined;
    peer.port = 0;
    handle.getpeername?.(peer);
    const ip = peerAddress(peer.address, isUnix);
    if (ip === null) {
      handle.close();
      accept(null);
      return;
    }
    if (!INHERITS) setOptions(handle, keepAlive);
    accept(new DirectSocket(handle, ip, peer.port, crowd));
  };
  return () => crowd.gone();
};

function setOptions(handle: Handle, keepAlive: number): void {
  handle.setNoDelay?.(true);
  handle.setKeepAlive?.(true, Math.trunc(keepAlive));
}
