import { constants, createDeflateRaw, createInflateRaw } from 'node:zlib';
import { type Codec, CompressionError, CORRUPT, type Deflater, HEADROOM, type Inflater } from './codec.ts';

// zlib through the handle that Node's own streams write to: one compressor for any number of messages, without a stream,
// a thread and three allocations for each. Not public API, so `probe.ts` looks whether it is what it was.

/** What Node writes to. After each write `_writeState` is: room left in the output, bytes left of the input. */
interface Insides {
  readonly _handle: {
    writeSync(flush: number, input: Buffer, at: number, length: number, out: Buffer, outAt: number, room: number): void;
    reset(): void;
    close(): void;
    onerror: (message: string, errno: number, code: string) => void;
  };
  readonly _writeState: Uint32Array;
}

const { Z_SYNC_FLUSH, Z_BLOCK } = constants;
/** The end of what a flush writes; it is not sent (RFC 7692 §7.2.1). */
const TAIL = 4;
/** Those four bytes, and one that stays if a block ends with them. */
const TAIL_AND_ONE = Buffer.from([0, 0, 0xff, 0xff, 0]);
/** The streams around the handles are not used: nothing is to be put aside for their output. */
const chunkSize = constants.Z_MIN_CHUNK;
/** Output of compressors: kept up to this size, larger only for a message that needs it. */
const KEPT_OUTPUT = 65536;

/** zlib's handle, of one kind or the other. */
class Handle {
  readonly state: Uint32Array;
  /** What went wrong in the last write; null: nothing. */
  problem: string | null = null;
  private readonly handle: Insides['_handle'];

  constructor(make: () => unknown) {
    try {
      const { _handle, _writeState } = make() as Insides;
      this.handle = _handle;
      this.state = _writeState;
    } catch (cause) {
      throw new CompressionError('zlib gives no handle', { cause });
    }
    // oxlint-disable-next-line unicorn/prefer-add-event-listener -- a handle has no listeners
    this.handle.onerror = (message, _errno, code) => {
      this.problem = `${code}: ${message}`;
    };
  }

  write(flush: number, input: Buffer, from: number, to: number, output: Buffer, at: number, end: number): boolean {
    // The handle takes these at their word: it would end the process.
    if (from > to || to > input.length || at > end || end > output.length) throw new RangeError('outside of a buffer');
    this.problem = null;
    this.handle.writeSync(flush, input, from, to - from, output, at, end - at);
    return this.problem === null;
  }

  reset(): void {
    this.problem = null;
    this.handle.reset();
    // Assigned in the call, by onerror.
    const problem = this.problem as string | null;
    if (problem !== null) throw new CompressionError(`zlib cannot be reset: ${problem}`);
  }

  close(): void {
    this.handle.close();
  }
}

/** Shared by all compressors: what one has made is copied into a frame before the next begins. */
let sharedOutput: Buffer | null = null;

class HandleDeflater implements Deflater {
  output: Buffer;
  private readonly zlib: Handle;

  constructor(windowBits: number, level: number) {
    this.zlib = new Handle(() => createDeflateRaw({ windowBits, level, chunkSize }));
    this.output = sharedOutput ??= Buffer.allocUnsafeSlow(KEPT_OUTPUT);
  }

  compress(input: Buffer, length: number, limit: number): number {
    let { output } = this;
    if (length === 0) {
      // zlib writes nothing for nothing; §7.2.3.6 has one byte for it.
      output[HEADROOM] = 0;
      return limit < 1 ? -1 : 1;
    }
    const { zlib } = this;
    let from = 0;
    let at = HEADROOM;
    // One byte more than may come: a write that fills everything is not known to be complete.
    const most = HEADROOM + limit + TAIL + 1;
    for (;;) {
      const end = Math.min(output.length, most);
      if (!zlib.write(Z_SYNC_FLUSH, input, from, length, output, at, end)) {
        throw new CompressionError(`zlib cannot compress: ${zlib.problem}`);
      }
      from = length - zlib.state[1];
      at = end - zlib.state[0];
      if (at < end) return at - TAIL - HEADROOM;
      if (end === most) return -1;
      output = Buffer.allocUnsafeSlow(output.length * 2);
      this.output.copy(output, 0, 0, at);
      this.output = output;
    }
  }

  done(takeover: boolean): void {
    this.output = sharedOutput as Buffer;
    if (!takeover) this.zlib.reset();
  }

  close(): void {
    this.zlib.close();
  }
}

class HandleInflater implements Inflater {
  used = 0;
  private readonly zlib: Handle;
  /** The most that is written at once. */
  private readonly stride: number;

  constructor(windowBits: number) {
    this.zlib = new Handle(() => createInflateRaw({ windowBits, chunkSize }));
    // zlib keeps to the window only where a distance goes back beyond the output of the same write. So who compresses
    // with a larger window than was agreed upon is found out where it reaches back two of them.
    this.stride = windowBits === 15 ? Infinity : 1 << windowBits;
  }

  begin(): void {
    // The limit is kept by whoever gives the room to write to.
  }

  inflate(input: Buffer, from: number, to: number, output: Buffer, at: number, end: number): number {
    const { zlib, stride } = this;
    let filled = at;
    let next = from;
    let anew = false;
    do {
      const stop = Math.min(end, filled + stride);
      if (!zlib.write(Z_SYNC_FLUSH, input, next, to, output, filled, stop)) return CORRUPT;
      const used = to - zlib.state[1];
      filled = stop - zlib.state[0];
      if (filled === stop) {
        next = used;
        anew = false;
        continue;
      }
      if (used === to) {
        next = used;
        break;
      }
      // It has room, and takes no more: a final block has ended. The next one begins a new stream (§7.2.3.4).
      if (anew && used === next) return CORRUPT;
      next = used;
      zlib.reset();
      anew = true;
    } while (filled < end);
    this.used = next;
    return filled - at;
  }

  finish(output: Buffer, at: number, end: number): number {
    const { zlib } = this;
    // With Z_BLOCK it stops where a block ends: that must be behind the tail, or it takes the byte after it too.
    if (!zlib.write(Z_BLOCK, TAIL_AND_ONE, 0, TAIL + 1, output, at, end)) return CORRUPT;
    const left = zlib.state[1];
    // Nothing taken: a final block was the last, as some do it who do not add an empty one.
    const complete = left === 1 || left === TAIL + 1;
    return complete && zlib.state[0] === end - at ? 0 : CORRUPT;
  }

  reset(): void {
    this.zlib.reset();
  }

  close(): void {
    this.zlib.close();
  }
}

/** zlib by its handle. */
export const handleCodec: Codec = {
  takeover: true,
  deflater: (windowBits, level) => new HandleDeflater(windowBits, level),
  inflater: (windowBits) => new HandleInflater(windowBits),
};
