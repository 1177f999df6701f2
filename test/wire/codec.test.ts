import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { type Codec, CompressionError, type Deflater, type Inflater } from '../../src/wire/codec.ts';
import { chooseCodec, probe } from '../../src/wire/probe.ts';
import { callCodec } from '../../src/wire/zlibcalls.ts';
import { handleCodec } from '../../src/wire/zlibhandle.ts';
import { hex } from '../support/frames.ts';
import { codecContract, compressed, inflated } from './codeccontract.ts';

codecContract('zlib by its handle', handleCodec);
codecContract('zlib by public calls', callCodec);

test('RFC 7692 §7.2.3.2: with context takeover the second message refers to the first, without it does not', () => {
  const deflater = handleCodec.deflater(15, 6);
  expect(compressed(deflater, 'Hello', Infinity, true)).toEqual(hex('f248cdc9c90700'));
  expect(compressed(deflater, 'Hello', Infinity, true)).toEqual(hex('f200110000'));
  expect(compressed(deflater, '', Infinity, true)).toEqual(hex('00'));
  expect(compressed(deflater, 'Hello', Infinity, false)).toHaveLength(4);
  expect(compressed(deflater, 'Hello', Infinity, false)).toEqual(hex('f248cdc9c90700'));
  deflater.close();
});

test('of any bytes both say the same, at once and byte by byte', () => {
  const bases = [
    'f248cdc9c90700',
    'f348cdc9c9070000',
    '000500faff48656c6c6f00',
    'f248050000 00ffff cac9c90700',
    '0300',
    '',
  ];
  const noise = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc
      .array(fc.tuple(fc.constantFrom(...bases), fc.nat(12), fc.nat(255), fc.nat(12)), { maxLength: 4 })
      .map((parts) => {
        const spoil = ([base, at, value, length]: [string, number, number, number]): Buffer => {
          const bytes = Buffer.from(hex(base));
          if (at < bytes.length) bytes[at] = value;
          return bytes.subarray(0, Math.max(3, length));
        };
        return Buffer.concat(parts.map(spoil));
      }),
  );
  fc.assert(
    fc.property(noise, (content) => {
      const bytes = Buffer.from(content);
      const found = [handleCodec, callCodec].flatMap((codec) =>
        [bytes.length || 1, 1].map((size) => {
          const inflater = codec.inflater(15);
          const result = inflated(inflater, bytes, [size]);
          inflater.close();
          return typeof result === 'number' ? result : result.toString('latin1');
        }),
      );
      expect(found).toEqual(found.map(() => found[0]));
    }),
    // A final block without compression that lacks four of its five bytes.
    { numRuns: 2000, examples: [[Uint8Array.from(hex('e90500faff48'))]] },
  );
});

test('close() gives back what zlib took, at once', () => {
  // Kept, so that it is not the garbage collector who does it.
  const kept: (Deflater | Inflater)[] = [];
  const use = (): void => {
    const [deflater, inflater] = [handleCodec.deflater(15, 6), handleCodec.inflater(15)];
    inflated(inflater, compressed(deflater, 'Hello, hello', Infinity, true) as Buffer);
    deflater.close();
    inflater.close();
    kept.push(deflater, inflater);
  };
  for (let i = 0; i < 100; i++) use();
  const before = process.memoryUsage.rss();
  for (let i = 0; i < 1500; i++) use();
  // About 230 KiB each: were they not given back, it would be more than 300 MiB.
  expect(process.memoryUsage.rss() - before).toBeLessThan(100 * 1_048_576);
  expect(kept).toHaveLength(3200);
});

test('public calls know no context takeover', () => {
  expect([handleCodec.takeover, callCodec.takeover]).toEqual([true, false]);
});

test('what zlib does not take as a window or level is an error that says so', () => {
  expect(() => handleCodec.deflater(99, 1)).toThrow(CompressionError);
  expect(() => handleCodec.inflater(99)).toThrow(CompressionError);
  const deflater = callCodec.deflater(99, 1);
  expect(() => deflater.compress(hex('00'), 1, Infinity)).toThrow(CompressionError);
});

describe('the self-test', () => {
  test('finds the handle to be what we take it for, and it is chosen', () => {
    expect(probe(handleCodec)).toBeNull();
    expect(chooseCodec()).toEqual({ codec: handleCodec, why: null });
  });

  /** The handle with some things of it otherwise. */
  const spoilt = (deflater: Partial<Deflater>, inflater: Partial<Inflater> = {}): Codec => ({
    takeover: true,
    deflater: (...values) => Object.assign(handleCodec.deflater(...values), deflater),
    inflater: (...values) => Object.assign(handleCodec.inflater(...values), inflater),
  });

  /** The handle, where what is cut off is not said to be. */
  const deaf: Codec = {
    ...handleCodec,
    inflater: (bits) => {
      const inflater = handleCodec.inflater(bits);
      const finish = inflater.finish.bind(inflater);
      return Object.assign(inflater, {
        finish: (...values: Parameters<Inflater['finish']>) => Math.max(0, finish(...values)),
      });
    },
  };

  test.each([
    ['a message does not refer to the one before', callCodec],
    ['a compressor is not reset', spoilt({ done: () => {} })],
    ['a message is not compressed', spoilt({ compress: () => 7 })],
    ['a decompressor is not reset', spoilt({}, { reset: () => {} })],
    ['a message is not inflated', spoilt({}, { inflate: (_b, _from, to) => to, finish: () => 0, used: 7 })],
    ['it leaves input', spoilt({}, { inflate: () => 0, used: 3 })],
    ['a message cut off is taken', deaf],
    [
      'a compressor does not keep to its window',
      { ...handleCodec, deflater: (_, level) => handleCodec.deflater(15, level) },
    ],
    ['a decompressor does not keep to its window', { ...handleCodec, inflater: () => handleCodec.inflater(15) }],
    ['zlib gives no handle', { ...handleCodec, inflater: () => handleCodec.inflater(99) }],
  ] as [string, Codec][])('notices: %s', (why, codec) => {
    expect(probe(codec)).toContain(why);
  });
});
