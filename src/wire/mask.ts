import { makeSimd } from './simd.ts';

// Masking (RFC 6455 §5.3): byte i of the payload is XORed with byte i mod 4 of the key. Three ways, by what it costs: a loop
// over bytes for a few, words of four for some, and SIMD (simd.ts) for many: that one works in its own memory only, which
// sockets can read into (READ_BUFFER); other bytes are copied through it, which is still faster from a kilobyte on.

/** Some more than a power of two, as messages and their headers are. */
const READ_SIZE = 260 * 1024;
const SCRATCH_SIZE = 32 * 1024;
/** Fewer bytes than this are not worth a call into WebAssembly, which costs about 10 ns. */
const SIMD_LEAST = 64;
/** Fewer than this are not worth being copied there and back. */
const COPY_LEAST = 512;

const simd = makeSimd(READ_SIZE + SCRATCH_SIZE);

/** Where sockets may read to: payloads that lie here are unmasked by SIMD where they lie. Shared by all of them. */
export const READ_BUFFER: Buffer =
  simd === null ? Buffer.allocUnsafeSlow(READ_SIZE) : Buffer.from(simd.memory, 0, READ_SIZE);

const scratch = simd === null ? null : Buffer.from(simd.memory, READ_SIZE, SCRATCH_SIZE);

/**
 * XORs `b[start..end)` in place with `key`, whose most significant byte belongs to the first.
 * @returns the OR of all resulting bytes, folded: bit 7 says whether any of them is not ASCII.
 */
export function unmask(b: Buffer, start: number, end: number, key: number): number {
  const length = end - start;
  if (length < 16) return unmaskBytes(b, start, end, key);
  if (scratch === null || length < SIMD_LEAST) return unmaskWords(b, start, end, key);
  if (b.buffer === scratch.buffer) return unmaskSimd(b, start, end, key);
  return length < COPY_LEAST ? unmaskWords(b, start, end, key) : throughScratch(b, start, b, start, end, key);
}

/**
 * Writes what {@link unmask} would make of `b[start..end)` to `target` from `at` on; `b` itself may be changed or not.
 * @returns as {@link unmask}.
 */
export function unmaskTo(target: Buffer, at: number, b: Buffer, start: number, end: number, key: number): number {
  if (scratch !== null && b.buffer !== scratch.buffer && end - start >= COPY_LEAST) {
    return throughScratch(target, at, b, start, end, key);
  }
  const or = unmask(b, start, end, key);
  b.copy(target, at, start, end);
  return or;
}

/** `key` turned by `bytes`: what the byte that follows them begins with. */
export function turned(key: number, bytes: number): number {
  const turn = (bytes & 3) * 8;
  return turn === 0 ? key : (key << turn) | (key >>> (32 - turn));
}

/** The key as the word that little-endian memory holds. */
function reversed(key: number): number {
  return (key >>> 24) | ((key >>> 8) & 0xff00) | ((key << 8) & 0xff0000) | (key << 24);
}

/** Only where `b` lies in the memory of `simd`. */
function unmaskSimd(b: Buffer, start: number, end: number, key: number): number {
  const most = (end - start) & ~15;
  const at = b.byteOffset + start;
  const high = simd === null ? 0 : simd.xor(at, at, most, reversed(key));
  return (high === 0 ? 0 : 0x80) | unmaskBytes(b, start + most, end, key);
}

function throughScratch(target: Buffer, at: number, b: Buffer, start: number, end: number, key: number): number {
  if (scratch === null) return 0;
  let or = 0;
  let to = at;
  // Each part but the last is a multiple of four: the key does not turn.
  for (let from = start; from < end; from += SCRATCH_SIZE) {
    const length = Math.min(SCRATCH_SIZE, end - from);
    b.copy(scratch, 0, from, from + length);
    or |= unmaskSimd(scratch, 0, length, key);
    scratch.copy(target, to, 0, length);
    to += length;
  }
  return or;
}

function unmaskBytes(b: Buffer, start: number, end: number, key: number): number {
  let or = 0;
  for (let i = start, shift = 24; i < end; i++, shift = (shift - 8) & 31) or |= b[i] ^= (key >>> shift) & 255;
  return or;
}

let viewOf: ArrayBufferLike | null = null;
let view: Int32Array = new Int32Array(0);

function unmaskWords(b: Buffer, start: number, end: number, key: number): number {
  const base = b.byteOffset;
  // Up to the first aligned byte.
  const first = Math.min(end, start + (-(base + start) & 3));
  let or = unmaskBytes(b, start, first, key);
  // One view for a whole slab: a new one for each message would cost more than the loop.
  if (viewOf !== b.buffer) {
    viewOf = b.buffer;
    view = new Int32Array(b.buffer, 0, b.buffer.byteLength >> 2);
  }
  const w = view;
  const word = reversed(turned(key, first - start));
  let j = (base + first) >> 2;
  const last = Math.max(j, (base + end) >> 2);
  let or32 = 0;
  for (; j + 3 < last; j += 4) {
    or32 |= (w[j] ^= word) | (w[j + 1] ^= word) | (w[j + 2] ^= word) | (w[j + 3] ^= word);
  }
  for (; j < last; j++) or32 |= w[j] ^= word;
  if ((or32 & 0x80808080) !== 0) or |= 0x80;
  const rest = Math.max(first, (last << 2) - base);
  return or | unmaskBytes(b, rest, end, turned(key, rest - start));
}
