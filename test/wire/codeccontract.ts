import { randomBytes } from 'node:crypto';
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { type Codec, CORRUPT, type Deflater, HEADROOM, type Inflater, TOO_LONG } from '../../src/wire/codec.ts';
import { hex } from '../support/frames.ts';

const TAIL = hex('0000ffff');
const LIMIT = 1 << 24;

/** One message, alone or after others of the same compressor; null: longer than `limit`. */
export function compressed(
  deflater: Deflater,
  message: string | Buffer,
  limit = Infinity,
  takeover = false,
): Buffer | null {
  const input = Buffer.from(message as string);
  const length = deflater.compress(input, input.length, limit);
  const payload = length < 0 ? null : Buffer.from(deflater.output.subarray(HEADROOM, HEADROOM + length));
  deflater.done(takeover);
  return payload;
}

/** One message that comes in pieces of these sizes, into outputs of this size. */
export function inflated(
  inflater: Inflater,
  payload: Buffer,
  sizes = [payload.length || 1],
  room = 1 << 16,
): Buffer | number {
  const parts: Buffer[] = [];
  const output = Buffer.alloc(room + 2, 0xee);
  /** @returns whether there may be more. */
  const took = (written: number): boolean => {
    if (written > 0) parts.push(Buffer.from(output.subarray(1, 1 + written)));
    if (output[0] !== 0xee || output[room + 1] !== 0xee) throw new Error('it writes where it was not told to');
    return written === room;
  };
  inflater.begin(LIMIT);
  for (let at = 0, i = 0; at < payload.length; i++) {
    const chunk = Buffer.from(payload.subarray(at, at + sizes[i % sizes.length]));
    at += chunk.length;
    for (let from = 0, more = true; more; from = inflater.used) {
      const count = inflater.inflate(chunk, from, chunk.length, output, 1, 1 + room);
      if (count < 0) return count;
      more = took(count);
    }
    if (inflater.used !== chunk.length) throw new Error('it leaves input though it has room');
    chunk.fill(0xff);
  }
  for (let more = true; more; ) {
    const count = inflater.finish(output, 1, 1 + room);
    if (count < 0) return count;
    more = took(count);
  }
  return Buffer.concat(parts);
}

/** As zlib alone does it, without the tail. */
function reference(message: string | Buffer, windowBits = 15, flush: number = constants.Z_SYNC_FLUSH): Buffer {
  const bytes = deflateRawSync(message, { windowBits, finishFlush: flush });
  return flush === constants.Z_SYNC_FLUSH ? bytes.subarray(0, -4) : bytes;
}

/** A text that repeats itself at every distance, and some bytes that do not. */
const messages = fc
  .tuple(fc.string({ unit: 'binary', maxLength: 40 }), fc.nat(3000), fc.uint8Array({ maxLength: 2000 }), fc.nat(20))
  .map(([text, times, bytes, again]) => {
    const once = Buffer.concat([
      Buffer.from(text.repeat(times % 50)),
      Buffer.from(bytes),
      Buffer.alloc(times, text || 'x'),
    ]);
    return Buffer.concat(Array.from({ length: again % 5 }, () => once));
  });
const sizes = fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 5 });
const bits = fc.integer({ min: 9, max: 15 });

/** What every implementation of Codec must do. */
export function codecContract(name: string, codec: Codec): void {
  const deflate = (message: string | Buffer, limit?: number): Buffer | null => {
    const deflater = codec.deflater(15, 6);
    const payload = compressed(deflater, message, limit);
    deflater.close();
    return payload;
  };
  const inflate = (payload: Buffer | string, windowBits = 15): string | number => {
    const inflater = codec.inflater(windowBits);
    const bytes = typeof payload === 'string' ? hex(payload) : payload;
    const whole = inflated(inflater, bytes);
    inflater.reset();
    // Byte by byte it is the same.
    const slow = inflated(inflater, bytes, [1], bytes.length < 1000 ? 3 : 4096);
    inflater.close();
    const [found, again] = [whole, slow].map((result) =>
      typeof result === 'number' ? result : result.toString('latin1'),
    );
    if (found !== again) throw new Error('byte by byte it is not the same');
    return found;
  };

  describe(`${name}: the contract of Codec`, () => {
    test('RFC 7692 §7.2.3.1, one compressed block', () => {
      expect(deflate('Hello')).toEqual(hex('f248cdc9c90700'));
      expect(inflate('f248cdc9c90700')).toBe('Hello');
    });

    test('RFC 7692 §7.2.3.3, a block without compression', () => {
      expect(inflate('00 0500 faff 48656c6c6f 00')).toBe('Hello');
    });

    test('RFC 7692 §7.2.3.4, a block with BFINAL set, and messages after it', () => {
      expect(inflate('f348cdc9c90700 00')).toBe('Hello');
      const inflater = codec.inflater(15);
      for (let i = 0; i < 3; i++) expect(inflated(inflater, hex('f348cdc9c9070000'))).toEqual(Buffer.from('Hello'));
      expect(inflated(inflater, hex('f248cdc9c90700'))).toEqual(Buffer.from('Hello'));
    });

    test('RFC 7692 §7.2.1: blocks of both kinds, in any order; each final one ends at a byte', () => {
      expect(inflate('f348cdc9c90700 f348cdc9c90700 00')).toBe('HelloHello');
      expect(inflate('f348cdc9c90700 f248cdc9c90700')).toBe('HelloHello');
      expect(inflate('0300 0300 0300 00')).toBe('');
      expect(inflate('010500faff48656c6c6f 010500faff48656c6c6f 00')).toBe('HelloHello');
    });

    test('a final block that is the last is taken too, though §7.2.1 has an empty one appended', () => {
      expect(inflate('f348cdc9c90700')).toBe('Hello');
      expect(inflate(reference('Hello, '.repeat(9000), 15, constants.Z_FINISH))).toBe('Hello, '.repeat(9000));
    });

    test('RFC 7692 §7.2.3.5, two blocks', () => {
      expect(inflate('f248050000 00ffff cac9c90700')).toBe('Hello');
    });

    test('RFC 7692 §7.2.3.6, an empty message is one byte', () => {
      expect(deflate('')).toEqual(hex('00'));
      expect(inflate('00')).toBe('');
      const deflater = codec.deflater(15, 6);
      for (const message of ['', 'Hello', '', 'Hello', '']) {
        expect(compressed(deflater, message)).toEqual(hex(message === '' ? '00' : 'f248cdc9c90700'));
      }
    });

    test('§7.2.1: the tail is removed, whatever the message: zlib reads it with the tail put back', () => {
      fc.assert(
        fc.property(messages, bits, fc.integer({ min: 1, max: 9 }), (message, windowBits, level) => {
          const deflater = codec.deflater(windowBits, level);
          const payload = compressed(deflater, message) as Buffer;
          deflater.close();
          const options = { windowBits, finishFlush: constants.Z_SYNC_FLUSH };
          expect(inflateRawSync(Buffer.concat([payload, TAIL]), options).equals(message)).toBe(true);
        }),
        { numRuns: 200 },
      );
    });

    test('§7.2.2: what zlib compressed, in any pieces, into any room, with any window', () => {
      fc.assert(
        fc.property(messages, bits, sizes, fc.integer({ min: 1, max: 5000 }), (message, windowBits, pieces, room) => {
          const inflater = codec.inflater(windowBits);
          const found = inflated(inflater, reference(message, windowBits), pieces, room);
          inflater.close();
          expect(Buffer.isBuffer(found) && found.equals(message)).toBe(true);
        }),
        { numRuns: 200 },
      );
    });

    test('one compressor and one decompressor serve message after message', () => {
      fc.assert(
        fc.property(fc.array(messages, { maxLength: 6 }), bits, sizes, (list, windowBits, pieces) => {
          const deflater = codec.deflater(windowBits, 1);
          const inflater = codec.inflater(windowBits);
          for (const message of list) {
            const found = inflated(inflater, compressed(deflater, message) as Buffer, pieces);
            expect(Buffer.isBuffer(found) && found.equals(message)).toBe(true);
            inflater.reset();
          }
          deflater.close();
          inflater.close();
        }),
        { numRuns: 100 },
      );
    });

    test('of every length around the sizes of buffers, compressible or not', () => {
      const deflater = codec.deflater(15, 1);
      const inflater = codec.inflater(15);
      const random = randomBytes(140_000);
      const wrong: number[] = [];
      const check = (message: Buffer): void => {
        const found = inflated(inflater, compressed(deflater, message) as Buffer);
        if (!Buffer.isBuffer(found) || !found.equals(message)) wrong.push(message.length);
        inflater.reset();
      };
      for (const around of [1, 125, 65_500, 65_536, 131_072]) {
        for (let length = Math.max(0, around - 30); length < around + 30; length++) check(random.subarray(0, length));
      }
      check(Buffer.alloc(3_000_000, 'a text that repeats itself'));
      expect(wrong).toEqual([]);
      deflater.close();
      inflater.close();
    });

    test('a limit: what would be longer is not made, and what follows is not disturbed', () => {
      const deflater = codec.deflater(15, 6);
      const random = randomBytes(100_000);
      expect(compressed(deflater, random, random.length - 1)).toBeNull();
      expect(compressed(deflater, 'Hello', 7)).toEqual(hex('f248cdc9c90700'));
      expect(compressed(deflater, 'Hello', 6)).toBeNull();
      expect(compressed(deflater, 'Hello', 4)).toBeNull();
      expect(compressed(deflater, '', 0)).toBeNull();
      expect(compressed(deflater, '', -1)).toBeNull();
      expect(compressed(deflater, 'Hello')).toEqual(hex('f248cdc9c90700'));
      deflater.close();
    });

    test('a compressor keeps to its window, and uses all of it', () => {
      const half = randomBytes(1000);
      const input = Buffer.concat([half, half]);
      const length = (windowBits: number): number => {
        const deflater = codec.deflater(windowBits, 6);
        const payload = compressed(deflater, input) as Buffer;
        deflater.close();
        return payload.length;
      };
      expect(length(9)).toBeGreaterThan(2000);
      expect(length(10)).toBeGreaterThan(2000);
      expect(length(11)).toBeLessThan(1100);
      expect(length(15)).toBeLessThan(1100);
    });

    test('a level is one: 9 is smaller than 1', () => {
      const text = Array.from({ length: 3000 }, (_, i) => `${(i * 7919) % 1000}:${i % 13};`).join('');
      const [fast, small] = [1, 9].map((level) => compressed(codec.deflater(15, level), text)?.length ?? 0);
      expect(small).toBeLessThan(fast * 0.95);
    });

    test.each([9, 10, 12, 14])('who reaches back further than two windows of %d bits is found out', (windowBits) => {
      const word = randomBytes(100);
      const far = Buffer.concat([word, randomBytes((2 << windowBits) + 300), word]);
      expect(inflate(reference(far), windowBits)).toBe(windowBits === 14 ? far.toString('latin1') : CORRUPT);
      expect(inflate(reference(far, windowBits), windowBits)).toBe(far.toString('latin1'));
    });

    test.each([
      ['a reserved block type', '07'],
      ['lengths that do not match', '00 0500 0000 48656c6c6f 00'],
      ['a distance before the beginning', 'f200110000'],
      ['after a whole block', 'f248cdc9c90700 0000ffff ff'],
      ['after a final block', 'f348cdc9c90700 ff'],
    ])('corrupt: %s; what comes after a reset is not', (_, payload) => {
      expect(inflate(payload)).toBe(CORRUPT);
      const inflater = codec.inflater(15);
      expect(inflated(inflater, hex(payload))).toBe(CORRUPT);
      inflater.reset();
      expect(inflated(inflater, hex('f248cdc9c90700'))).toEqual(Buffer.from('Hello'));
      inflater.close();
    });

    test('cut off anywhere it is corrupt, compressed or not', () => {
      const stored = Buffer.concat([hex('00 0900 f6ff'), Buffer.from('Hello all'), hex('00')]);
      for (const whole of [reference('Hello, hello, hello!'), stored, reference(Buffer.alloc(5000, 'abcdefgh'))]) {
        for (let length = 2; length < whole.length; length++) {
          expect([length, inflate(whole.subarray(0, length))]).toEqual([length, CORRUPT]);
        }
        expect(inflate(whole)).not.toBe(CORRUPT);
      }
    });

    test('more than the limit is not all made: it is corrupt, too long, or stops where the output is full', () => {
      const inflater = codec.inflater(15);
      const bomb = reference(Buffer.alloc(50_000_000));
      const output = Buffer.alloc(100_000);
      inflater.begin(output.length - 1);
      const first = inflater.inflate(bomb, 0, bomb.length, output, 0, output.length);
      if (first === output.length) expect(inflater.used).toBeLessThan(bomb.length);
      else expect([first, inflater.finish(output, 0, output.length)]).toEqual([0, TOO_LONG]);
      inflater.close();
    });
  });
}
