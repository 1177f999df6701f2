/**
 * The seam to zlib: raw DEFLATE (RFC 1951), a message at a time (RFC 7692 §7.2). zlibhandle.ts is the fast way, behind
 * a self-test; zlibcalls.ts the one on public API.
 */

/** Free bytes in front of a compressed payload: room for the header of its frame. */
export const HEADROOM = 10;
/** What `Inflater` returns where it has no count of bytes to return. */
export const CORRUPT = -1;
export const TOO_LONG = -2;

/** zlib failed to compress, for want of memory: never what a peer has sent. */
export class CompressionError extends Error {}

/** Compresses one message after the other. */
export interface Deflater {
  /** What `compress` has made is `output[HEADROOM..HEADROOM + length)`, until anything is compressed again. */
  readonly output: Buffer;
  /**
   * Compresses the message `input[0..length)` (RFC 7692 §7.2.1), which may refer to those before it that are not forgotten.
   * @returns the length of the payload, or -1: it would be longer than `limit`; then nothing may refer to it.
   * @throws CompressionError
   */
  compress(input: Buffer, length: number, limit: number): number;
  /** The output has been used. Without `takeover` the messages so far are forgotten. @throws CompressionError */
  done(takeover: boolean): void;
  /** Gives its memory back. */
  close(): void;
}

/** Decompresses one message after the other, as its bytes arrive (RFC 7692 §7.2.2). */
export interface Inflater {
  /** How far the last `inflate` has come in its input. */
  readonly used: number;
  /** A message begins; `limit`: the most bytes that are wanted of it. */
  begin(limit: number): void;
  /**
   * Decompresses `input[from..to)` into `output[at..end)`. Where that is filled, there may be more.
   * @returns how many bytes it has written, or CORRUPT.
   */
  inflate(input: Buffer, from: number, to: number, output: Buffer, at: number, end: number): number;
  /**
   * The message has ended, and everything `inflate` had was taken. Where the output is filled, there may be more.
   * @returns how many bytes it has written, CORRUPT if its data is cut off, or TOO_LONG.
   */
  finish(output: Buffer, at: number, end: number): number;
  /** Forgets the messages before, and whatever was wrong with them. @throws CompressionError */
  reset(): void;
  /** Gives its memory back. */
  close(): void;
}

/** One way to use zlib. */
export interface Codec {
  /** Whether a message can refer to the ones before it. */
  readonly takeover: boolean;
  /** @param windowBits 9 to 15. @param level 1 to 9. @throws CompressionError */
  deflater(windowBits: number, level: number): Deflater;
  /** @param windowBits 9 to 15. @throws CompressionError */
  inflater(windowBits: number): Inflater;
}
