import { constants, deflateRawSync, type InflateRaw, inflateRawSync } from 'node:zlib';
import { type Codec, CompressionError, CORRUPT, type Deflater, HEADROOM, type Inflater, TOO_LONG } from './codec.ts';

// zlib by public API alone, for a Node whose insides are not what zlibhandle.ts knows: a stream for each message, no
// message refers to another, and a compressed message is kept until it is whole.

const TAIL = Buffer.from([0, 0, 0xff, 0xff]);
/** The tail, and an empty final block: at its end, and only there, the data is complete. */
const ENDING = Buffer.from([0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff]);
const NO_BYTES = Buffer.alloc(0);

/** Whether zlib had more to write than it was allowed to. */
function isTooLong(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
}

class CallDeflater implements Deflater {
  output = NO_BYTES;
  private readonly options: { windowBits: number; level: number; finishFlush: number };

  constructor(windowBits: number, level: number) {
    this.options = { windowBits, level, finishFlush: constants.Z_SYNC_FLUSH };
  }

  compress(input: Buffer, length: number, limit: number): number {
    if (limit < 1) return -1;
    let bytes: Buffer;
    try {
      const maxOutputLength = limit === Infinity ? undefined : limit + TAIL.length;
      bytes = deflateRawSync(input.subarray(0, length), { ...this.options, maxOutputLength });
    } catch (cause) {
      if (isTooLong(cause)) return -1;
      throw new CompressionError('zlib cannot compress', { cause });
    }
    const payload = bytes.length - TAIL.length;
    this.output = Buffer.allocUnsafe(HEADROOM + payload);
    bytes.copy(this.output, HEADROOM, 0, payload);
    return payload;
  }

  done(): void {
    this.output = NO_BYTES;
  }

  close(): void {
    // Nothing is kept.
  }
}

class CallInflater implements Inflater {
  used = 0;
  private readonly windowBits: number;
  private limit = 0;
  private input: Buffer[] = [];
  private result: Buffer | null = null;
  /** How much of the result has been handed out. */
  private given = 0;

  constructor(windowBits: number) {
    this.windowBits = windowBits;
  }

  begin(limit: number): void {
    this.reset();
    this.limit = limit;
  }

  inflate(input: Buffer, from: number, to: number): number {
    if (from < to) this.input.push(Buffer.from(input.subarray(from, to)));
    this.used = to;
    return 0;
  }

  finish(output: Buffer, at: number, end: number): number {
    if (this.result === null) {
      const result = this.run(Buffer.concat([...this.input, ENDING]));
      if (typeof result === 'number') return result;
      this.result = result;
    }
    const count = this.result.copy(output, at, this.given, Math.min(this.result.length, this.given + end - at));
    this.given += count;
    return count;
  }

  reset(): void {
    this.input = [];
    this.result = null;
    this.given = 0;
  }

  close(): void {
    this.reset();
  }

  /** Inflates one stream after the other: a final block ends one (RFC 7692 §7.2.3.4). */
  private run(input: Buffer): Buffer | number {
    const found: Buffer[] = [];
    let total = 0;
    const message = input.length - ENDING.length;
    try {
      for (let from = 0; from < input.length; ) {
        const rest = input.subarray(from);
        if (rest.length === ENDING.length && from > 0) break; // a final block was the last
        const { buffer, engine } = this.stream(rest, this.limit - total, constants.Z_FINISH);
        found.push(buffer);
        total += buffer.length;
        if (total > this.limit) return TOO_LONG;
        from += engine.bytesWritten;
        // What ends in the ending, not with it nor with the tail, was cut off, and took the beginning of it for its own.
        if (from > message && from < input.length && from !== message + TAIL.length) return CORRUPT;
        if (from > message && this.tookTail(rest, buffer)) return CORRUPT;
      }
    } catch (error) {
      return isTooLong(error) ? TOO_LONG : CORRUPT;
    }
    return Buffer.concat(found);
  }

  /** A block without compression that lacks four bytes takes the tail for them. */
  private tookTail(input: Buffer, result: Buffer): boolean {
    if (!result.subarray(-TAIL.length).equals(TAIL)) return false;
    const without = this.stream(input.subarray(0, -ENDING.length), result.length, constants.Z_SYNC_FLUSH);
    return without.buffer.length < result.length;
  }

  private stream(input: Buffer, limit: number, finishFlush: number): { buffer: Buffer; engine: InflateRaw } {
    // A chunk of the window's size, for the reason that zlibhandle.ts gives; one byte too many tells that there are.
    const { windowBits } = this;
    const options = { windowBits, chunkSize: 1 << windowBits, maxOutputLength: limit + 1, finishFlush, info: true };
    // The types do not know of `info`.
    return inflateRawSync(input, options) as unknown as { buffer: Buffer; engine: InflateRaw };
  }
}

/** zlib by Node's public functions. */
export const callCodec: Codec = {
  takeover: false,
  deflater: (windowBits, level) => new CallDeflater(windowBits, level),
  inflater: (windowBits) => new CallInflater(windowBits),
};
