/**
 * What the direct transport reads into, all sockets by turns: the bytes of one read are gone with the next. It is here
 * because most of them are unmasked where they lie.
 */
export const READ_BUFFER: Buffer = Buffer.allocUnsafeSlow(256 * 1024);

// Masking (RFC 6455 §5.3): byte i of the payload is XORed with byte i mod 4 of the key.

let viewOf: ArrayBufferLike | null = null;
let view: Int32Array = new Int32Array(0);

/**
 * XORs `b[start..end)` with the key `m0 m1 m2 m3` in place, four bytes at a time where they are aligned.
 * @returns the OR of all resulting bytes, folded: bit 7 says whether any of them is not ASCII.
 */
export function unmask(b: Buffer, start: number, end: number, m0: number, m1: number, m2: number, m3: number): number {
  let or = 0;
  let i = start;
  const base = b.byteOffset;
  if (end - start >= 16) {
    // Up to the first aligned byte; the key turns with each.
    while (((base + i) & 3) !== 0) {
      or |= b[i] ^= m0;
      i++;
      const turned = m0;
      m0 = m1;
      m1 = m2;
      m2 = m3;
      m3 = turned;
    }
    // One view for a whole slab: a new one for each message would cost more than the loop.
    if (viewOf !== b.buffer) {
      viewOf = b.buffer;
      view = new Int32Array(b.buffer, 0, b.buffer.byteLength >> 2);
    }
    const w = view;
    const key = m0 | (m1 << 8) | (m2 << 16) | (m3 << 24);
    let j = (base + i) >> 2;
    const last = (base + end) >> 2;
    let or32 = 0;
    for (; j + 3 < last; j += 4) {
      or32 |= (w[j] ^= key) | (w[j + 1] ^= key) | (w[j + 2] ^= key) | (w[j + 3] ^= key);
    }
    for (; j < last; j++) or32 |= w[j] ^= key;
    i = (last << 2) - base;
    if ((or32 & 0x80808080) !== 0) or |= 0x80;
  }
  for (let k = 0; i < end; i++, k++) {
    or |= b[i] ^= (k & 3) === 0 ? m0 : (k & 3) === 1 ? m1 : (k & 3) === 2 ? m2 : m3;
  }
  return or;
}
