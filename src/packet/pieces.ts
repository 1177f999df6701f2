import { isUtf8 } from 'node:buffer';

const ON = Buffer.from('bufferON');
const OFF = Buffer.from('bufferOFF');

/** The bytes that a message starts with which begins buffering: such text may be cut inside a character. */
export const BUFFER_ON: Buffer = ON;

/** The bounds of one message in pieces. */
export interface PieceLimits {
  /** Bytes of all pieces together. */
  readonly maxBuffer: number;
  /** Number of pieces. */
  readonly maxChunks: number;
}

/** Whether `b[start..end)` begins a message in pieces (PROTOCOL.md §4). */
export function isBufferOn(b: Buffer, start: number, end: number): boolean {
  return end - start >= ON.length && b[start] === ON[0] && b.compare(ON, 0, ON.length, start, start + ON.length) === 0;
}

/** Whether `b[start..end)`, whole, ends a message in pieces. */
export function isBufferOff(b: Buffer, start: number, end: number): boolean {
  return end - start === OFF.length && b.compare(OFF, 0, OFF.length, start, end) === 0;
}

/** A message that arrives in pieces between bufferON and bufferOFF. */
export class Pieces {
  private first: 'text' | 'binary' | null = null;
  private readonly limits: PieceLimits;
  private bytes: Buffer = Buffer.allocUnsafeSlow(0);
  private filled = 0;
  private count = 0;

  constructor(limits: PieceLimits) {
    this.limits = limits;
  }

  /** Whether the first piece came as a binary message: then so does the whole. */
  get binary(): boolean {
    return this.first === 'binary';
  }

  /** Adds what stands behind `bufferON` in the message that began the buffering. */
  addFirst(b: Buffer, start: number, end: number, binary: boolean): 'maxBuffer' | 'maxChunks' | null {
    return end - start > ON.length ? this.add(b, start + ON.length, end, binary) : null;
  }

  /** Adds a piece. @returns the limit that it would go over, or null. */
  add(b: Buffer, start: number, end: number, binary: boolean): 'maxBuffer' | 'maxChunks' | null {
    const need = this.filled + end - start;
    if (this.count + 1 > this.limits.maxChunks) return 'maxChunks';
    if (need > this.limits.maxBuffer) return 'maxBuffer';
    this.count++;
    this.first ??= binary ? 'binary' : 'text';
    if (need > this.bytes.length) {
      const size = Math.min(this.limits.maxBuffer, Math.max(need, this.bytes.length * 2));
      const larger = Buffer.allocUnsafeSlow(size);
      this.bytes.copy(larger, 0, 0, this.filled);
      this.bytes = larger;
    }
    b.copy(this.bytes, this.filled, start, end);
    this.filled = need;
    return null;
  }

  /** The pieces, joined; null if they are text and not UTF-8. */
  join(): Buffer | null {
    const whole = this.bytes.subarray(0, this.filled);
    return this.binary || isUtf8(whole) ? whole : null;
  }
}
