import type { Server } from 'node:net';
import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';
import { messageOf } from '../errors.ts';

// What the direct transport uses of Node's internals, in one place: the names and meanings of Node 20 to 26. Loading this
// file reaches for them; that throws where they are gone, or forbidden (node --permission).

/** Where a handle holds what it belongs to. */
export const OWNER: unique symbol = Symbol('transport socket');

/** A request to write: at once free again where the kernel takes everything, else in use until it completes. */
export interface WriteRequest {
  oncomplete(this: WriteRequest, status: number, handle: Handle): void;
  /** What is written, kept from the garbage collector. */
  buffer: unknown;
}

interface ShutdownRequest {
  oncomplete(this: ShutdownRequest, status: number, handle: Handle): void;
}

/** A connected TCP or Unix socket. What returns a number returns 0, or a negative error number. */
export interface Handle {
  /** Called when `RESULT[READ]` bytes lie in the user buffer; negative: an error number, or UV_EOF. It must return nothing. */
  onread: (this: Handle) => void;
  /** Bytes handed to `write…`, and how many of them the kernel has not taken. */
  readonly bytesWritten: number;
  readonly writeQueueSize: number;
  /** Ours, beside Node's own `owner`: what it belongs to. */
  [OWNER]: unknown;
  /** Only its address is kept: the buffer must outlive the handle. */
  useUserBuffer(buffer: Buffer): void;
  readStart(): number;
  readStop(): number;
  writeLatin1String(request: WriteRequest, text: string): number;
  writeBuffer(request: WriteRequest, bytes: Buffer): number;
  /** @param chunks Buffers; unless `allBuffers`, each followed by its encoding: strings may be among them then. */
  writev(request: WriteRequest, chunks: readonly (Buffer | string)[], allBuffers: boolean): number;
  /** FIN, behind everything that was written. 1: done already. */
  shutdown(request: ShutdownRequest): number;
  close(): void;
  // Not of Unix sockets:
  setNoDelay?(on: boolean): number;
  setKeepAlive?(on: boolean, seconds: number): number;
  getpeername?(peer: { address?: string; port?: number }): number;
}

/** A listening socket. */
export type ListeningHandle = Handle & {
  onconnection: (this: ListeningHandle, status: number, handle: Handle) => void;
};

interface StreamBinding {
  readonly WriteWrap: new () => WriteRequest;
  readonly ShutdownWrap: new () => ShutdownRequest;
  readonly streamBaseState: Int32Array;
  readonly kReadBytesOrError: number;
  readonly kLastWriteWasAsync: number;
}

const METHODS = [
  'useUserBuffer',
  'readStart',
  'readStop',
  'writeLatin1String',
  'writeBuffer',
  'writev',
  'shutdown',
  'close',
] as const;
const TCP_METHODS = ['setNoDelay', 'setKeepAlive', 'getpeername'] as const;

export const { WriteWrap, ShutdownWrap, RESULT, READ, WAS_ASYNC } = load();

/** As libuv numbers the end of a stream. */
export const UV_EOF = -4095;
export const UV_ENOTCONN: number = -constants.errno.ENOTCONN;

function load(): {
  WriteWrap: StreamBinding['WriteWrap'];
  ShutdownWrap: StreamBinding['ShutdownWrap'];
  /** Where the last read or write of any handle leaves what came of it. */
  RESULT: Int32Array;
  READ: number;
  WAS_ASYNC: number;
} {
  const found = streamBinding();
  const { kReadBytesOrError, kLastWriteWasAsync, streamBaseState } = found;
  for (const name of ['WriteWrap', 'ShutdownWrap'] as const) {
    if (typeof found[name] !== 'function') throw new Error(`${name} of process.binding('stream_wrap') is missing`);
  }
  for (const index of [kReadBytesOrError, kLastWriteWasAsync]) {
    if (typeof streamBaseState?.[index] !== 'number') {
      throw new Error("streamBaseState of process.binding('stream_wrap') is missing, or not what it was");
    }
  }
  return { ...found, RESULT: streamBaseState, READ: kReadBytesOrError, WAS_ASYNC: kLastWriteWasAsync };
}

function streamBinding(): StreamBinding {
  try {
    return (process as unknown as { binding(name: string): StreamBinding }).binding('stream_wrap');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new Error(`process.binding('stream_wrap') fails: ${code ?? messageOf(cause)}`, { cause });
  }
}

/**
 * The handle of a server that listens.
 * @throws Error that names what it lacks.
 */
export function listeningHandle(server: Server): ListeningHandle {
  // oxlint-disable-next-line no-underscore-dangle -- Node's own name
  const handle = (server as Server & { _handle?: ListeningHandle | null })._handle;
  if (handle === undefined || handle === null) throw new Error('_handle of a server that listens is missing');
  // A TCP handle has what every handle has, and more.
  const isTcp = typeof server.address() === 'object';
  for (const name of isTcp ? [...METHODS, ...TCP_METHODS] : METHODS) {
    if (typeof handle[name] !== 'function') throw new Error(`${name} of a ${isTcp ? 'TCP' : 'Unix'} handle is missing`);
  }
  if (!('onconnection' in handle)) throw new Error('onconnection of a handle that listens is missing');
  return handle;
}

/** The error of a system call, in the form of Node's own. @param code negative */
export function systemError(code: number, syscall: string): NodeJS.ErrnoException {
  const name = getSystemErrorName(code);
  return Object.assign(new Error(`${syscall} ${name}`), { errno: code, code: name, syscall });
}
