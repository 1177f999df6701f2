import { describe, expect, test } from '@jest/globals';
import { WebSocketEngine } from '../../src/wire/rfc6455.ts';
import { feed, OPTIONS } from '../support/feed.ts';
import { frame, hex, type Recorder } from '../support/frames.ts';

// That text is UTF-8 else: test/rfc6455/utf8.test.ts.
const BUFFER_ON = Buffer.from('bufferON');

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
