import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { WebSocketEngine } from '../../src/wire/rfc6455.ts';
import { feed, OPTIONS } from '../support/feed.ts';
import { frame, hex, Recorder } from '../support/frames.ts';

const BUFFER_ON = Buffer.from('bufferON');

/** Bytes that are not UTF-8, and how many of them it takes to know that. */
const BAD: readonly (readonly [name: string, bytes: string, known: number])[] = [
  ['a continuation byte alone', '80', 1],
  ['C0 begins nothing', 'c0 80', 1],
  ['C1 begins nothing', 'c1 bf', 1],
  ['F5 begins nothing', 'f5 80 80 80', 1],
  ['FF', 'ff', 1],
  ['two bytes cut short', 'c3 41', 2],
  ['an overlong form of three', 'e0 9f bf', 2],
  ['a surrogate', 'ed a0 80', 2],
  ['three bytes cut short', 'e2 82 41', 3],
  ['an overlong form of four', 'f0 8f bf bf', 2],
  ['above U+10FFFF', 'f4 90 80 80', 2],
  ['four bytes cut short', 'f0 9f 99 41', 4],
  ['a lead byte after a lead byte', 'e2 e2', 2],
];

/** How many bytes an engine must see before it finds that text is not UTF-8. */
function faultAfter(bytes: Buffer): number {
  const recorder = new Recorder();
  const engine = new WebSocketEngine(recorder, OPTIONS);
  for (let i = 0; i < bytes.length; i++) {
    engine.decode(Buffer.from([bytes[i]]));
    if (recorder.found.length > 0) {
      expect(recorder.found).toEqual([{ fault: 'utf8' }]);
      return i + 1;
    }
  }
  return 0;
}

describe('fail fast: a fault comes with the byte that makes it certain (RFC 6455 §8.1)', () => {
  test.each(BAD)('%s, in the middle of a frame', (_, bytes, known) => {
    for (const before of ['', 'plain', 'Größe 🙂']) {
      const start = Buffer.from(before);
      const whole = frame({ payload: Buffer.concat([start, hex(bytes), Buffer.alloc(50, 'x')]) });
      const head = whole.length - start.length - hex(bytes).length - 50;
      expect(faultAfter(whole)).toBe(head + start.length + known);
    }
  });

  test.each(BAD)('%s, split between two fragments at every place', (_, bytes, known) => {
    const bad = hex(bytes);
    for (let at = 0; at <= bad.length; at++) {
      const first = frame({ fin: false, payload: Buffer.concat([Buffer.from('ä'), bad.subarray(0, at)]) });
      const second = frame({ op: 0, fin: false, payload: Buffer.concat([bad.subarray(at), Buffer.from('x')]) });
      const expected = known <= at ? first.length - at + known : first.length + 6 + known - at;
      expect(faultAfter(Buffer.concat([first, second]))).toBe(expected);
    }
  });

  test.each(BAD)('%s, in a frame that lies whole in its chunk', (_, bytes) => {
    const recorder = new Recorder();
    new WebSocketEngine(recorder, OPTIONS).decode(frame({ payload: Buffer.concat([Buffer.from('x'), hex(bytes)]) }));
    expect(recorder.found).toEqual([{ fault: 'utf8' }]);
  });

  test.each(['c3', 'e2', 'e2 82', 'f0', 'f0 9f', 'f0 9f 99'])('text that ends inside a character: %s', (tail) => {
    const payload = Buffer.concat([Buffer.from('abc'), hex(tail)]);
    for (const input of [frame({ payload }), Buffer.concat([frame({ fin: false, payload }), frame({ op: 0 })])]) {
      for (const sizes of [[1], [4], [input.length]]) {
        expect(feed((r) => new WebSocketEngine(r, OPTIONS), input, sizes).all()).toEqual([{ fault: 'utf8' }]);
      }
    }
  });

  test('binary messages may hold anything', () => {
    const payload = hex(BAD.map(([, bytes]) => bytes).join(''));
    const input = Buffer.concat([
      frame({ op: 2, fin: false, payload }),
      frame({ op: 0, payload }),
      frame({ op: 2, payload }),
    ]);
    expect(feed((r) => new WebSocketEngine(r, OPTIONS), input, [1]).all()).toEqual([
      { message: Buffer.concat([payload, payload]).toString('latin1'), binary: true },
      { message: payload.toString('latin1'), binary: true },
    ]);
  });

  test('PROPERTY: any bytes as text, in any fragments and chunks, are taken exactly if TextDecoder takes them', () => {
    const pieces = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 8 }).map((text) => Buffer.from(text)),
      fc.constantFrom(...BAD.map(([, bytes]) => hex(bytes)), hex('e2'), hex('f0 9f')),
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

describe('raw text: pieces of a message may be cut inside a character', () => {
  const make = (recorder: Recorder): WebSocketEngine =>
    new WebSocketEngine(recorder, { ...OPTIONS, rawPrefix: BUFFER_ON });
  const cut = Buffer.concat([BUFFER_ON, Buffer.from('ab'), hex('f0 9f')]);
  const shown = { message: cut.toString('latin1'), binary: false };

  test('what starts with rawPrefix is handed over unchecked, whole, in any chunks and in any fragments', () => {
    for (let at = 0; at <= cut.length; at++) {
      const parts = [frame({ fin: false, payload: cut.subarray(0, at) }), frame({ op: 0, payload: cut.subarray(at) })];
      for (const input of [frame({ payload: cut }), Buffer.concat(parts)]) {
        for (const sizes of [[1], [at + 1], [input.length]]) {
          expect(feed((r) => make(r), input, sizes).all()).toEqual([shown]);
        }
      }
    }
  });

  test('what only resembles it is checked', () => {
    for (const start of ['bufferOF', 'bufferO', 'BufferON', ' bufferON', 'bufferOn']) {
      const payload = Buffer.concat([Buffer.from(start), hex('f0 9f')]);
      for (const sizes of [[1], [1000]]) {
        expect(feed((r) => make(r), frame({ payload }), sizes).all()).toEqual([{ fault: 'utf8' }]);
      }
    }
  });

  test('the next message after it is checked again', () => {
    const input = Buffer.concat([frame({ payload: cut }), frame({ payload: hex('f0 9f') })]);
    for (const sizes of [[1], [1000]]) {
      expect(feed((r) => make(r), input, sizes).all()).toEqual([shown, { fault: 'utf8' }]);
    }
  });

  test('raw, set in one message, counts from the next on, in the same chunk too', () => {
    const bad = frame({ payload: hex('9f 99') });
    const input = Buffer.concat([frame({ payload: 'on' }), bad, bad, frame({ payload: 'off' }), bad]);
    for (const sizes of [[1], [7], [1000]]) {
      const recorder = feed(
        (r) => {
          const engine = make(r);
          r.inMessage = (index) => {
            engine.raw = index < 3;
          };
          return engine;
        },
        input,
        sizes,
      );
      const raw = { message: '\x9f\x99', binary: false };
      expect(recorder.all()).toEqual([
        { message: 'on', binary: false },
        raw,
        raw,
        { message: 'off', binary: false },
        { fault: 'utf8' },
      ]);
    }
  });
});
