import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { READ_BUFFER, unmask, unmaskTo } from '../../src/wire/mask.ts';

function naive(bytes: Uint8Array, start: number, end: number, key: readonly number[]): Buffer {
  return Buffer.from(bytes.map((byte, i) => (i < start || i >= end ? byte : byte ^ key[(i - start) % 4])));
}

const wordOf = ([a, b, c, d]: readonly number[]): number => (a << 24) | (b << 16) | (c << 8) | d;

function check(bytes: Buffer, start: number, end: number, key: readonly [number, number, number, number]): void {
  const expected = naive(bytes, start, end, key);
  const or = unmask(bytes, start, end, wordOf(key));
  if (!bytes.equals(expected)) expect(bytes.toString('hex')).toBe(expected.toString('hex'));
  const ascii = expected.subarray(start, end).every((byte) => byte < 128);
  if (or < 128 !== ascii) expect([start, end, or < 128]).toEqual([start, end, ascii]);
}

describe('unmask', () => {
  test('is the XOR of RFC 6455 §5.3 at every offset and length, and touches nothing around it', () => {
    const slab = Buffer.from(new ArrayBuffer(160));
    let runs = 0;
    for (let base = 0; base < 8; base++) {
      for (let start = 0; start <= 8; start++) {
        for (let length = 0; length <= 64; length++) {
          const bytes = slab.subarray(base, base + 90);
          bytes.forEach((_, i) => (bytes[i] = (i * 37 + length) & 255));
          check(bytes, start, start + length, [0x9a, 0x01, 0xff, 0x40]);
          runs++;
        }
      }
    }
    expect(runs).toBe(8 * 9 * 65);
  });

  test('says of every single byte whether it is ASCII, wherever it stands', () => {
    const key = [1, 2, 3, 4] as const;
    for (let length = 1; length <= 40; length++) {
      for (let at = 0; at < length; at++) {
        for (const [byte, ascii] of [
          [0x7f, true],
          [0x80, false],
        ] as const) {
          const plain = Buffer.alloc(length + 3, 'a').subarray(3);
          plain[at] = byte;
          const masked = naive(plain, 0, length, key);
          const or = unmask(masked, 0, length, wordOf(key));
          expect([length, at, masked.equals(plain), or < 128]).toEqual([length, at, true, ascii]);
        }
      }
    }
  });

  test('PROPERTY: large ones, in buffers of any size and place', () => {
    const byte = fc.nat(255);
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 5000 }),
        fc.nat(7),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.tuple(byte, byte, byte, byte),
        (content, base, part, key) => {
          // An ArrayBuffer whose length is no multiple of four has a last word that is not whole.
          const bytes = Buffer.from(new ArrayBuffer(base + content.length), base);
          bytes.set(content);
          check(bytes, Math.floor(part * content.length), content.length, key);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('PROPERTY: where sockets read to, by SIMD, and from anywhere into another buffer', () => {
    const byte = fc.nat(255);
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 70_000 }),
        fc.nat(40),
        fc.nat(40),
        fc.tuple(byte, byte, byte, byte),
        fc.boolean(),
        (length, start, at, key, inReadBuffer) => {
          const content = Buffer.alloc(length + start + 7, 'text', 'latin1');
          if (length > 0 && (length & 1) === 1) content[start + (length >> 1)] = 0xe4;
          const masked = naive(content, start, start + length, key);
          const source = inReadBuffer ? READ_BUFFER.subarray(at, at + masked.length) : Buffer.alloc(masked.length);
          masked.copy(source);
          const target = Buffer.alloc(at + length + 9, 1);
          const or = unmaskTo(target, at, source, start, start + length, wordOf(key));
          expect(
            target.equals(
              Buffer.concat([Buffer.alloc(at, 1), content.subarray(start, start + length), Buffer.alloc(9, 1)]),
            ),
          ).toBe(true);
          expect(or < 128).toBe((length & 1) === 0);
          masked.copy(source);
          const inPlace = unmask(source, start, start + length, wordOf(key));
          expect([source.equals(content), inPlace < 128]).toEqual([true, (length & 1) === 0]);
        },
      ),
      { numRuns: 300 },
    );
  });
});
