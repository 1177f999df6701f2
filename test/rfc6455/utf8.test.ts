import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { WebSocketEngine } from '../../src/wire/rfc6455.ts';
import { decode, faultAfter, feed, OPTIONS } from '../support/feed.ts';
import { clientClose, frame, hex, Recorder } from '../support/frames.ts';

/** Bytes that are not UTF-8 (RFC 3629 §3), and how many of them it takes to know that. */
const BAD: readonly (readonly [name: string, bytes: string, known: number])[] = [
  ['a continuation byte alone: 80', '80', 1],
  ['a continuation byte alone: BF', 'bf', 1],
  ['one continuation byte too many', 'c3 a4 80', 3],
  ['one continuation byte too many, of three', 'e2 82 ac bf', 4],
  ['one continuation byte too many, of four', 'f0 9f 99 82 80', 5],
  ['overlong, of two bytes: /', 'c0 af', 1],
  ['overlong, of two bytes: U+0000', 'c0 80', 1],
  ['overlong, of two bytes: U+007F', 'c1 bf', 1],
  ['overlong, of three bytes: U+0000', 'e0 80 80', 2],
  ['overlong, of three bytes: U+07FF', 'e0 9f bf', 2],
  ['overlong, of four bytes: U+0000', 'f0 80 80 80', 2],
  ['overlong, of four bytes: U+FFFF', 'f0 8f bf bf', 2],
  ['a form of five bytes', 'f8 88 80 80 80', 1],
  ['a form of six bytes', 'fc 84 80 80 80 80', 1],
  ['the first surrogate: U+D800', 'ed a0 80', 2],
  ['the last of the first half: U+DBFF', 'ed af bf', 2],
  ['the first of the second half: U+DC00', 'ed b0 80', 2],
  ['the last surrogate: U+DFFF', 'ed bf bf', 2],
  ['a pair of surrogates', 'ed a0 bd ed b8 80', 2],
  ['above U+10FFFF: U+110000', 'f4 90 80 80', 2],
  ['above U+10FFFF: U+140000', 'f5 80 80 80', 1],
  ['above U+10FFFF: U+1FFFFF', 'f7 bf bf bf', 1],
  ['FE', 'fe', 1],
  ['FF', 'ff', 1],
  ['two bytes, cut by ASCII', 'c3 41', 2],
  ['three bytes, cut by ASCII behind one', 'e2 41', 2],
  ['three bytes, cut by ASCII behind two', 'e2 82 41', 3],
  ['four bytes, cut by ASCII behind one', 'f0 41', 2],
  ['four bytes, cut by ASCII behind two', 'f0 9f 41', 3],
  ['four bytes, cut by ASCII behind three', 'f0 9f 99 41', 4],
  ['two bytes, cut by a character', 'c3 c3 a4', 2],
  ['three bytes, cut by a character', 'e2 82 e2 82 ac', 3],
  ['four bytes, cut by a character', 'f0 9f 99 f0 9f 99 82', 4],
];
/** The beginning of a character, and nothing behind it. */
const CUT = ['c3', 'e2', 'e2 82', 'e0 a0', 'ed 9f', 'f0', 'f0 9f', 'f0 90', 'f0 9f 99', 'f4 8f', 'f4 8f bf'];
/** The first and the last characters of each width, and what is no character but may be sent. */
const BORDERS = '\0\x7f\u0080\u07ff\u0800\ud7ff\ue000\ufdd0\ufeff\ufffe\uffff\u{10000}\u{1ffff}\u{10ffff}';
const BEFORE = ['', 'plain', 'Größe 🙂'];
/** Behind what is wrong stands much, so that a fault that is found at the end is found too late. */
const BEHIND = Buffer.alloc(50, 'x');

describe('a fault is found with the byte that makes it certain, before the message ends', () => {
  test.each(BAD)('§8.1: %s, in one frame, cut into two chunks at every place', (_, bytes, known) => {
    for (const before of BEFORE) {
      const start = Buffer.concat([Buffer.from(before), hex(bytes)]);
      const whole = frame({ payload: Buffer.concat([start, BEHIND]) });
      const certain = whole.length - BEHIND.length - hex(bytes).length + known;
      expect(faultAfter(whole)).toMatchObject({ at: certain, fault: 'utf8' });
      for (let cut = 1; cut < whole.length; cut++) {
        const recorder = new Recorder();
        const engine = new WebSocketEngine(recorder, OPTIONS);
        engine.decode(Buffer.from(whole.subarray(0, cut)));
        expect(recorder.found).toEqual(cut < certain ? [] : [{ fault: 'utf8' }]);
        engine.decode(Buffer.from(whole.subarray(cut)));
        expect(recorder.found).toEqual([{ fault: 'utf8' }]);
      }
    }
  });

  test.each(BAD)('§8.1: %s, cut into two frames at every place, the message not ended', (_, bytes, known) => {
    const bad = hex(bytes);
    for (let at = 0; at <= bad.length; at++) {
      const first = frame({ fin: false, payload: Buffer.concat([Buffer.from('ä'), bad.subarray(0, at)]) });
      const second = frame({ op: 0, fin: false, payload: Buffer.concat([bad.subarray(at), BEHIND]) });
      const certain = known <= at ? first.length - at + known : first.length + 6 + known - at;
      expect(faultAfter(Buffer.concat([first, second]))).toMatchObject({ at: certain, fault: 'utf8' });
    }
  });

  test.each(BAD)('§8.1: %s, each byte a frame, with Pings and empty frames between them', (_, bytes, known) => {
    const parts = [...hex(bytes)].map((byte) => [
      frame({ op: 0, fin: false, payload: Buffer.from([byte]) }),
      frame({ op: 9 }),
      frame({ op: 0, fin: false }),
    ]);
    const input = Buffer.concat([frame({ fin: false }), ...parts.flat()]);
    expect(faultAfter(input)).toMatchObject({ at: 6 + (known - 1) * (7 + 6 + 6) + 7, fault: 'utf8' });
  });

  test.each(BAD)('§8.1: %s, in the reason of a Close frame', (_, bytes) => {
    const payload = Buffer.concat([hex('03e8'), Buffer.from('reason '), hex(bytes)]);
    expect(decode(frame({ op: 8, payload }))).toEqual([{ fault: 'utf8' }]);
  });
});

describe('text that ends inside a character', () => {
  test.each(CUT)('§8.1, §5.6: %s at the end of a message', (tail) => {
    const payload = Buffer.concat([Buffer.from('abc'), hex(tail)]);
    const inFragments = [frame({ fin: false, payload }), frame({ op: 0 })];
    const byteByByte = [...payload].map((byte, i) =>
      frame({ op: i === 0 ? 1 : 0, fin: false, payload: Buffer.from([byte]) }),
    );
    for (const input of [
      frame({ payload }),
      Buffer.concat(inFragments),
      Buffer.concat([...byteByByte, frame({ op: 0, fin: false }), frame({ op: 0 })]),
    ]) {
      expect(decode(input)).toEqual([{ fault: 'utf8' }]);
      expect(faultAfter(input)).toMatchObject({ at: input.length });
    }
    expect(decode(frame({ op: 8, payload: Buffer.concat([hex('03e8'), payload]) }))).toEqual([{ fault: 'utf8' }]);
  });

  test('§5.6: of a frame that is not the last is no fault', () => {
    const bytes = Buffer.from(BORDERS);
    for (let at = 0; at <= bytes.length; at++) {
      const first = frame({ fin: false, payload: bytes.subarray(0, at) });
      const input = Buffer.concat([first, frame({ op: 9 }), frame({ op: 0, payload: bytes.subarray(at) })]);
      const found = [{ ping: '' }, { message: bytes.toString('latin1'), binary: false }];
      for (const sizes of [[1], [at + 7, 1], [input.length]]) {
        expect(feed((receiver) => new WebSocketEngine(receiver, OPTIONS), input, sizes).all()).toEqual(found);
      }
    }
  });
});

describe('what is taken', () => {
  test('§5.6: the first and the last characters of each width, in any chunks', () => {
    const message = { message: Buffer.from(BORDERS).toString('latin1'), binary: false };
    expect(decode(frame({ payload: BORDERS }))).toEqual([message]);
    expect(decode(clientClose(1000, BORDERS))).toEqual([{ close: 1000, reason: BORDERS }]);
  });

  test('§5.6: binary messages, Pings and Pongs may hold anything', () => {
    const payload = hex(BAD.map(([, bytes]) => bytes).join(''));
    const short = payload.subarray(0, 125);
    const input = [
      frame({ op: 2, fin: false, payload }),
      frame({ op: 9, payload: short }),
      frame({ op: 0, payload }),
      frame({ op: 10, payload: short }),
      frame({ op: 2, payload }),
    ];
    const shown = payload.toString('latin1');
    expect(decode(Buffer.concat(input))).toEqual([
      { ping: short.toString('latin1') },
      { message: shown + shown, binary: true },
      { pong: short.toString('latin1') },
      { message: shown, binary: true },
    ]);
  });

  test('§8.1: PROPERTY: any bytes as text, in any fragments and chunks, are taken exactly if TextDecoder takes them', () => {
    const pieces = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 8 }).map((text) => Buffer.from(text)),
      fc.constantFrom(...BAD.map(([, bytes]) => hex(bytes)), ...CUT.map(hex)),
      fc.uint8Array({ maxLength: 4 }).map((bytes) => Buffer.from(bytes)),
    );
    const isText = (bytes: Buffer): boolean => {
      try {
        new TextDecoder('utf-8', { fatal: true }).decode(bytes);
        return true;
      } catch {
        return false;
      }
    };
    const seen = { taken: 0, refused: 0 };
    fc.assert(
      fc.property(fc.array(pieces, { minLength: 1, maxLength: 5 }), fc.integer({ min: 1, max: 40 }), (parts, size) => {
        const bytes = Buffer.concat(parts);
        const frames = parts.map((payload, i) => frame({ op: i === 0 ? 1 : 0, fin: i + 1 === parts.length, payload }));
        const found = feed((r) => new WebSocketEngine(r, OPTIONS), Buffer.concat(frames), [size]).all();
        const good = isText(bytes);
        seen[good ? 'taken' : 'refused']++;
        expect(found).toEqual(good ? [{ message: bytes.toString('latin1'), binary: false }] : [{ fault: 'utf8' }]);
      }),
      { numRuns: 1000 },
    );
    expect(Math.min(seen.taken, seen.refused)).toBeGreaterThan(50);
  });
});
