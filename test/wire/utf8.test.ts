import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { checkUtf8 } from '../../src/wire/utf8.ts';
import { hex } from '../support/frames.ts';
import { utf8 } from './oracle.ts';

/** By TextDecoder: the index up to which `bytes` is whole characters; -1 if nothing can make UTF-8 of it any more. */
function oracle(bytes: Buffer): number {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  try {
    return Buffer.byteLength(decoder.decode(bytes, { stream: true }));
  } catch {
    return -1;
  }
}

const SECOND_BYTES = [0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc3, 0xe2, 0xf0, 0xff];

describe('checkUtf8', () => {
  test('agrees with TextDecoder on every beginning of two and three bytes, and so does the oracle of the fuzz models', () => {
    let runs = 0;
    for (let first = 0; first < 256; first++) {
      const inputs = SECOND_BYTES.flatMap((second) => [
        [first, second],
        ...SECOND_BYTES.map((third) => [first, second, third]),
      ]);
      for (const input of [[first], ...inputs]) {
        const bytes = Buffer.from([0x78, ...input]);
        const got = checkUtf8(bytes, 1, bytes.length);
        const expected = oracle(bytes.subarray(1));
        if (got !== (expected === -1 ? -1 : expected + 1)) expect([bytes.toString('hex'), got]).toEqual([0, expected]);
        const state = expected === -1 ? 'wrong' : expected + 1 === bytes.length ? 'whole' : 'begun';
        if (utf8(bytes) !== state) expect([bytes.toString('hex'), utf8(bytes)]).toEqual([0, state]);
        runs++;
      }
    }
    expect(runs).toBe(256 * (1 + 14 + 14 * 14));
  });

  test('PROPERTY: text checked in pieces, each from where the last check ended, is judged as TextDecoder judges', () => {
    const piece = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 6 }).map((text) => Buffer.from(text)),
      fc.constantFrom(...['e2 82', 'f0 9f 99', 'c3', '80', 'ed a0', 'f4 90'].map(hex)),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 6 }), fc.integer({ min: 1, max: 5 }), (parts, step) => {
        const bytes = Buffer.concat(parts);
        let checked = 0;
        for (let end = 0; end <= bytes.length && checked !== -1; end += step) {
          checked = checkUtf8(bytes, checked, end);
          expect(checked).toBe(oracle(bytes.subarray(0, end)));
        }
      }),
      { numRuns: 1000 },
    );
  });
});
