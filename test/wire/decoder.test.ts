import { describe, expect, test } from '@jest/globals';
import { WebSocketEngine } from '../../src/wire/rfc6455.ts';
import { decode, faultAfter, feed, OPTIONS } from '../support/feed.ts';
import { bytesOf, clientClose, type Found, frame, hex, Recorder } from '../support/frames.ts';

const message = (text: string | Buffer, binary = false): Found => ({
  message: bytesOf(text).toString('latin1'),
  binary,
});

describe('the examples of RFC 6455 §5.7', () => {
  test('a masked text message', () => {
    expect(decode('81 85 37 fa 21 3d 7f 9f 4d 51 58')).toEqual([message('Hello')]);
  });

  test('a masked message in two fragments, with a ping between them and a pong', () => {
    const input = '01 83 37fa213d 7f9f4d  89 85 37fa213d 7f9f4d5158  80 82 37fa213d 5b95  8a 85 37fa213d 7f9f4d5158';
    expect(decode(input)).toEqual([{ ping: 'Hello' }, message('Hello'), { pong: 'Hello' }]);
  });
});

describe('lengths', () => {
  test.each([0, 1, 125, 126, 127, 65535, 65536, 300_000])('a message of %d bytes, text and binary', (length) => {
    const make = (recorder: Recorder): WebSocketEngine => new WebSocketEngine(recorder, OPTIONS);
    const content = Buffer.alloc(length, 'abcdefg');
    const input = Buffer.concat([frame({ payload: content }), frame({ op: 2, payload: content })]);
    for (const sizes of [[input.length], [1000, 1], [65536]]) {
      const { found } = feed((recorder) => make(recorder), input, sizes);
      expect(found).toEqual([message(content), message(content, true)]);
    }
  });

  test('the form of each length is what the RFC says', () => {
    expect(decode('82 fe 00 7e 00000000' + '41'.repeat(126))).toEqual([message('A'.repeat(126), true)]);
    expect(decode('82 ff 0000000000010000 00000000' + '41'.repeat(65536))).toEqual([message('A'.repeat(65536), true)]);
  });
});

describe('what no client may send', () => {
  test.each([
    ['an unmasked frame', '81 05 48656c6c6f', 'a frame from a client is not masked'],
    ['RSV1', 'c1 85 37fa213d 7f9f4d5158', 'a reserved bit is set'],
    ['RSV2', 'a1 80 00000000', 'a reserved bit is set'],
    ['RSV3 on a ping', '99 80 00000000', 'a reserved bit is set'],
    ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((op) => [
      `opcode ${op}`,
      `${(0x80 | op).toString(16)} 80 00000000`,
      `opcode ${op} is reserved`,
    ]),
    ['a fragmented ping', '09 80 00000000', 'a control frame is fragmented'],
    ['a fragmented Close', '08 80 00000000', 'a control frame is fragmented'],
    ['a ping of 126 bytes', '89 fe 007e 00000000', 'a control frame is longer than 125 bytes'],
    ['a ping of 64-bit length', '89 ff 0000000000010000', 'a control frame is longer than 125 bytes'],
    ['125 in 16 bits', '81 fe 007d 00000000', 'a frame length is not in its shortest form'],
    ['0 in 64 bits', '81 ff 0000000000000000', 'a frame length is not in its shortest form'],
    ['65535 in 64 bits', '81 ff 000000000000ffff', 'a frame length is not in its shortest form'],
    ['a length with its top bit set', '81 ff 8000000000000000', 'the top bit of a 64-bit frame length is set'],
    ['a continuation of nothing', '80 80 00000000', 'a continuation without a message'],
    ['a continuation after a whole message', '81 80 00000000 80 80 00000000', 'a continuation without a message'],
    ['text inside a fragmented text', '01 80 00000000 81 80 00000000', 'a new message inside a fragmented one'],
    ['binary inside a fragmented binary', '02 80 00000000 02 80 00000000', 'a new message inside a fragmented one'],
    ['a Close frame of one byte', '88 81 00000000 03', 'a Close frame with a body of one byte'],
  ])('%s is a protocol error', (_, input, text) => {
    expect(decode(input).at(-1)).toEqual({ fault: 'protocol' });
    const recorder = new Recorder();
    new WebSocketEngine(recorder, OPTIONS).decode(hex(input));
    expect(recorder.texts).toHaveLength(1);
    expect(recorder.texts[0]).toContain(text);
  });

  test('what can be known from two bytes is known after two bytes', () => {
    expect(faultAfter(hex('81 05 48656c6c6f'))?.at).toBe(2);
    expect(faultAfter(hex('89 fe 007e 00000000'))?.at).toBe(2);
  });

  test('nothing after a fault is looked at', () => {
    expect(decode(Buffer.concat([frame({ payload: 'a' }), hex('83 80 00000000'), frame({ payload: 'b' })]))).toEqual([
      message('a'),
      { fault: 'protocol' },
    ]);
  });
});

describe('Close frames', () => {
  test('without a body, with a code, with a reason; what follows is ignored', () => {
    const later = frame({ payload: 'later' });
    expect(decode(Buffer.concat([clientClose(), later]))).toEqual([{ close: 1005, reason: '' }]);
    expect(decode(Buffer.concat([clientClose(1000), later]))).toEqual([{ close: 1000, reason: '' }]);
    expect(decode(Buffer.concat([clientClose(4321, 'Größe ✓'), hex('ff ff')]))).toEqual([
      { close: 4321, reason: 'Größe ✓' },
    ]);
    expect(decode(clientClose(3000, 'x'.repeat(123)))).toEqual([{ close: 3000, reason: 'x'.repeat(123) }]);
  });

  test.each([1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999])(
    'code %d is taken',
    (code) => {
      expect(decode(clientClose(code))).toEqual([{ close: code, reason: '' }]);
    },
  );

  test.each([0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535])('code %d is a fault', (code) => {
    expect(decode(clientClose(code, 'x'))).toEqual([{ fault: 'protocol' }]);
  });

  test('a reason that is not UTF-8', () => {
    expect(decode(frame({ op: 8, payload: hex('03e8 c3') }))).toEqual([{ fault: 'utf8' }]);
  });

  test('a Close frame in the middle of a fragmented message ends it', () => {
    expect(decode(Buffer.concat([frame({ fin: false, payload: 'abc' }), clientClose(1001)]))).toEqual([
      { close: 1001, reason: '' },
    ]);
  });
});

describe('fragments', () => {
  test('empty ones, many of them, control frames between any two', () => {
    const input = Buffer.concat([
      frame({ fin: false }),
      frame({ op: 0, fin: false, payload: 'ab' }),
      frame({ op: 9, payload: '1' }),
      frame({ op: 0, fin: false }),
      frame({ op: 10, payload: '2' }),
      frame({ op: 0, payload: '' }),
      frame({ op: 2, payload: 'c' }),
    ]);
    expect(decode(input)).toEqual([{ ping: '1' }, { pong: '2' }, message('ab'), message('c', true)]);
  });

  test('each may have a key of its own', () => {
    const parts = [
      frame({ op: 2, fin: false, payload: 'abcde', key: [1, 2, 3, 4] }),
      frame({ op: 0, payload: 'fghij', key: [255, 0, 128, 7] }),
    ];
    expect(decode(Buffer.concat(parts))).toEqual([message('abcdefghij', true)]);
  });

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
