import { describe, expect, test } from '@jest/globals';
import { WebSocketEngine } from '../../src/wire/rfc6455.ts';
import { decode, faultAfter, OPTIONS } from '../support/feed.ts';
import { bytesOf, clientClose, type Found, frame, hex, Recorder } from '../support/frames.ts';
import { keptBytes } from '../support/kept.ts';

const message = (text: string | Buffer, binary = false): Found => ({
  message: bytesOf(text).toString('latin1'),
  binary,
});

// What RFC 6455 demands: test/rfc6455.

describe('maxFragments', () => {
  test('as many as maxFragments says, and not one more', () => {
    const fragments = (count: number): Buffer =>
      Buffer.concat(
        Array.from({ length: count }, (_, i) => frame({ op: i === 0 ? 1 : 0, fin: i + 1 === count, payload: 'x' })),
      );
    expect(decode(fragments(3), { maxFragments: 3 })).toEqual([message('xxx')]);
    expect(decode(fragments(4), { maxFragments: 3 })).toEqual([{ fault: 'maxFragments' }]);
    expect(decode(fragments(1), { maxFragments: 1 })).toEqual([message('x')]);
    expect(decode(fragments(2), { maxFragments: 1 })).toEqual([{ fault: 'maxFragments' }]);
    // The count begins anew with each message; 0 is no limit.
    expect(decode(Buffer.concat([fragments(3), fragments(3)]), { maxFragments: 3 })).toHaveLength(2);
    expect(decode(fragments(100), { maxFragments: 0 })).toEqual([message('x'.repeat(100))]);
  });
});

describe('maxPayload is judged at the header', () => {
  const options = { maxPayload: 1000 };

  test('of one frame: with its length, before its key and payload', () => {
    expect(faultAfter(frame({ payload: 'x'.repeat(1001) }), options)).toMatchObject({
      at: 4,
      fault: 'maxPayload',
    });
    expect(faultAfter(hex('82 ff 0000000000010000'), options)).toMatchObject({ at: 10, fault: 'maxPayload' });
    expect(faultAfter(hex('82 ff 7fffffffffffffff'), options)).toMatchObject({ at: 10, fault: 'maxPayload' });
    expect(faultAfter(frame({ payload: 'x'.repeat(100) }), { maxPayload: 99 })?.at).toBe(2);
  });

  test('of fragments: all of them together', () => {
    const first = frame({ op: 2, fin: false, payload: 'x'.repeat(600) });
    const fits = frame({ op: 0, payload: 'y'.repeat(400) });
    const over = frame({ op: 0, payload: 'y'.repeat(401) });
    expect(decode(Buffer.concat([first, fits]), options)).toEqual([
      message(`${'x'.repeat(600)}${'y'.repeat(400)}`, true),
    ]);
    expect(faultAfter(Buffer.concat([first, over]), options)?.at).toBe(first.length + 4);
    // The next message has all of it again.
    expect(decode(Buffer.concat([first, fits, first, fits]), options)).toHaveLength(2);
  });

  test('and so much room is made for a message, at most, however its fragments grow', () => {
    const recorder = new Recorder();
    const limited = { ...OPTIONS, ...options };
    const engine = new WebSocketEngine(recorder, limited);
    engine.decode(frame({ fin: false, payload: 'x'.repeat(600) }));
    engine.decode(frame({ op: 0, fin: false, payload: 'y'.repeat(100) }));
    expect(keptBytes(engine, recorder, limited)).toBe(1000);
  });

  test('control frames do not count', () => {
    expect(decode(frame({ op: 9, payload: 'x'.repeat(125) }), { maxPayload: 10 })).toEqual([{ ping: 'x'.repeat(125) }]);
  });
});

test('ascii is said of each message by itself, assembled or not', () => {
  const flags: boolean[] = [];
  const recorder = new Recorder();
  const engine = new WebSocketEngine(
    {
      onMessage: (...parts) => {
        flags.push(parts[4]);
        return recorder.onMessage(...parts);
      },
      onPing() {},
      onPong() {},
      onCloseFrame() {},
      onFault() {},
    },
    OPTIONS,
  );
  const texts = ['plain', 'ä', 'plain again', 'Größe, in a longer text', 'plain in a longer text'];
  for (const payload of texts) engine.decode(frame({ payload }));
  for (const payload of texts) for (const byte of frame({ payload })) engine.decode(Buffer.from([byte]));
  const expected = [true, false, true, false, true];
  expect(flags).toEqual([...expected, ...expected]);
});

describe('who owns what', () => {
  test('a message that was assembled belongs to the receiver, one that lay whole in a chunk does not', () => {
    const owned: boolean[] = [];
    const recorder = new Recorder();
    const engine = new WebSocketEngine(
      {
        onMessage: (...parts) => {
          owned.push(parts[5]);
          return recorder.onMessage(...parts);
        },
        onPing() {},
        onPong() {},
        onCloseFrame() {},
        onFault() {},
      },
      OPTIONS,
    );
    const input = frame({ payload: 'Hello' });
    engine.decode(Buffer.from(input));
    engine.decode(input.subarray(0, 8));
    engine.decode(input.subarray(8));
    expect(owned).toEqual([false, true]);
  });

  test('the payloads of pings are copies', () => {
    const payloads: Buffer[] = [];
    const engine = new WebSocketEngine(
      { onMessage: () => true, onPing: (p) => payloads.push(p), onPong() {}, onCloseFrame() {}, onFault() {} },
      OPTIONS,
    );
    const chunk = frame({ op: 9, payload: 'ping' });
    engine.decode(chunk);
    chunk.fill(0xff);
    expect(payloads.map(String)).toEqual(['ping']);
  });
});

test('hold() inside a ping holds what stands behind it', () => {
  const recorder = new Recorder();
  const engine = new WebSocketEngine(recorder, OPTIONS);
  recorder.inPing = () => engine.hold();
  engine.decode(Buffer.concat([frame({ op: 9 }), frame({ payload: 'a' }), frame({ op: 9 }), clientClose(1000)]));
  for (const expected of [{ ping: '' }, { ping: '' }, { close: 1000, reason: '' }]) {
    expect(recorder.found.at(-1)).toEqual(expected);
    engine.resume();
  }
  expect(recorder.found).toHaveLength(4);
});

test('end() drops a message that is not complete, and nothing is decoded after it', () => {
  const recorder = new Recorder();
  const engine = new WebSocketEngine(recorder, OPTIONS);
  engine.decode(frame({ fin: false, payload: 'abc' }));
  engine.end();
  engine.decode(frame({ op: 0, payload: 'def' }));
  expect(recorder.found).toEqual([]);
});
