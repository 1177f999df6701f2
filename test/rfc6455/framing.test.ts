import { describe, expect, test } from '@jest/globals';
import { decode, faultAfter, feed, OPTIONS } from '../support/feed.ts';
import { bytesOf, clientClose, type Found, frame, hex, Recorder } from '../support/frames.ts';
import { WebSocketEngine } from '../../src/wire/rfc6455.ts';
import { VIOLATIONS } from './violations.ts';

// What the engine makes of a client's frames. What the daemon sends for them: violations.test.ts.

const FAULTS = { 1002: 'protocol', 1007: 'utf8' } as const;

function message(content: string | Buffer, binary = false): Found {
  return { message: bytesOf(content).toString('latin1'), binary };
}

describe('what breaks a rule', () => {
  test.each(VIOLATIONS)('$clause: $name -> $code', ({ sent, after, code, reason }) => {
    expect(faultAfter(sent)).toEqual({ at: after, fault: FAULTS[code], text: reason });
    // The same in any chunks, behind a message, and nothing behind it is looked at.
    const all = decode(Buffer.concat([frame({ payload: 'before' }), sent, frame({ payload: 'later' }), clientClose()]));
    expect([all[0], all.at(-1)]).toEqual([message('before'), { fault: FAULTS[code] }]);
  });

  test('§7.1.7: nothing that follows is processed, not even a Close frame', () => {
    const recorder = new Recorder();
    const engine = new WebSocketEngine(recorder, OPTIONS);
    engine.decode(Buffer.concat([hex('83 80 00000000'), frame({ op: 9 }), clientClose(1000)]));
    engine.decode(Buffer.concat([frame({ payload: 'later' }), clientClose(1000)]));
    engine.resume();
    engine.end();
    expect(recorder.found).toEqual([{ fault: 'protocol' }]);
  });
});

describe('a frame', () => {
  test('§5.2 length: each form, at its borders, in network byte order', () => {
    const forms: readonly (readonly [number, string])[] = [
      [0, '80'],
      [1, '81'],
      [125, 'fd'],
      [126, 'fe 007e'],
      [127, 'fe 007f'],
      [255, 'fe 00ff'],
      [256, 'fe 0100'],
      [65_535, 'fe ffff'],
      [65_536, 'ff 0000000000010000'],
      [65_537, 'ff 0000000000010001'],
      [300_000, 'ff 00000000000493e0'],
    ];
    for (const [length, form] of forms) {
      const payload = Buffer.alloc(length, 'A');
      for (const [first, binary] of [
        ['81', false],
        ['82', true],
      ] as const) {
        const input = Buffer.concat([hex(`${first} ${form} 00000000`), payload, frame({ payload: 'next' })]);
        for (const sizes of [[input.length], [1000, 1], [65_536]]) {
          const { found } = feed((receiver) => new WebSocketEngine(receiver, OPTIONS), input, sizes);
          expect(found).toEqual([message(payload, binary), message('next')]);
        }
      }
    }
  });

  test('§5.3: octet i is XORed with octet i modulo 4 of the key, whatever the key, however the payload comes', () => {
    expect(decode('81 85 37fa213d 7f9f4d5158')).toEqual([message('Hello')]);
    expect(decode('81 85 00000000 48656c6c6f')).toEqual([message('Hello')]);
    expect(decode('82 86 ffffffff b79a9393 90ff')).toEqual([message(hex('48656c6c6f00'), true)]);
    expect(decode('82 89 01020408 0103070f 05070303 09')).toEqual([message(hex('00010307 0405070b 08'), true)]);
  });

  test('§5.3: each frame by its own key', () => {
    const input = '02 82 01010101 4140  00 82 02020202 4140  80 82 ff00ff00 be41  82 81 80808080 c1';
    expect(decode(input)).toEqual([message(hex('4041 4342 4141'), true), message('A', true)]);
  });
});

describe('fragments', () => {
  test('§5.4 fragments: text and binary, in one frame and in several, empty ones among them', () => {
    expect(decode('01 83 00000000 48656c  80 82 00000000 6c6f')).toEqual([message('Hello')]);
    expect(decode('02 83 00000000 48656c  00 81 00000000 6c  80 81 00000000 6f')).toEqual([message('Hello', true)]);
    expect(decode('01 80 00000000  00 80 00000000  80 80 00000000')).toEqual([message('')]);
    expect(decode('02 80 00000000  80 81 00000000 ff')).toEqual([message(hex('ff'), true)]);
    expect(decode('81 80 00000000  82 80 00000000')).toEqual([message(''), message('', true)]);
  });

  test('§5.4 fragments, §6.2: the type is that of the first frame; what follows the last is a new message', () => {
    const input = '02 81 00000000 41  80 81 00000000 42  01 81 00000000 43  80 81 00000000 44  82 81 00000000 45';
    expect(decode(input)).toEqual([message('AB', true), message('CD'), message('E', true)]);
  });

  test('§5.4 order: a thousand fragments are joined in the order that they came in', () => {
    const parts = Array.from({ length: 1000 }, (_, i) => `${i},`);
    const frames = parts.map((payload, i) => frame({ op: i === 0 ? 1 : 0, fin: i === 999, payload }));
    expect(decode(Buffer.concat(frames))).toEqual([message(parts.join(''))]);
  });

  test('§5.4 control frames: between any two fragments, in front and behind, they are handled where they come', () => {
    const ping = '89 84 00000000 70696e67';
    const pong = '8a 80 00000000';
    const input = `${ping} 01 81 00000000 41 ${ping} ${pong} 00 80 00000000 ${pong} 80 81 00000000 42 ${ping}`;
    const pings = { ping: 'ping' };
    expect(decode(input)).toEqual([pings, pings, { pong: '' }, { pong: '' }, message('AB'), pings]);
  });

  test('§5.4 control frames: a Close frame in the middle of a message ends it', () => {
    expect(decode('01 81 00000000 41  88 82 00000000 03e9  80 81 00000000 42')).toEqual([{ close: 1001, reason: '' }]);
  });
});

describe('control frames', () => {
  test('§5.5: up to 125 bytes, of any value, are taken', () => {
    const payload = Buffer.from(Array.from({ length: 125 }, (_, i) => 255 - i));
    const shown = payload.toString('latin1');
    expect(decode(Buffer.concat([frame({ op: 9, payload }), frame({ op: 10, payload })]))).toEqual([
      { ping: shown },
      { pong: shown },
    ]);
    expect(decode(clientClose(1000, 'x'.repeat(123)))).toEqual([{ close: 1000, reason: 'x'.repeat(123) }]);
  });

  test('§5.5.1 body: none, a code, a code and a reason', () => {
    expect(decode('88 80 00000000')).toEqual([{ close: 1005, reason: '' }]);
    expect(decode('88 82 00000000 03e8')).toEqual([{ close: 1000, reason: '' }]);
    expect(decode('88 86 00000000 10e1 c3bc c39f')).toEqual([{ close: 4321, reason: 'üß' }]);
  });

  test('§5.5.1 data: what a client sends behind its Close frame is not looked at, be it wrong', () => {
    for (const later of ['81 81 00000000 41', '89 80 00000000', '88 82 00000000 03e9', '83 00', 'ffff']) {
      expect(decode(`88 82 00000000 03e8 ${later}`)).toEqual([{ close: 1000, reason: '' }]);
    }
  });

  test('§7.4.1, §7.4.2: of all 65536 codes those are taken that may be sent', () => {
    const taken: number[] = [];
    const refused = new Set<string>();
    for (let code = 0; code < 65_536; code++) {
      const recorder = new Recorder();
      new WebSocketEngine(recorder, OPTIONS).decode(clientClose(code));
      const [found] = recorder.found;
      if ('close' in found) taken.push(found.close);
      else refused.add(JSON.stringify(found));
    }
    expect([...refused]).toEqual(['{"fault":"protocol"}']);
    // 1012 to 1014 were registered with IANA since.
    const defined = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014];
    expect(taken).toEqual([...defined, ...Array.from({ length: 2000 }, (_, i) => 3000 + i)]);
  });
});

test('§6.2: the examples of §5.7, masked', () => {
  const hello = '37fa213d 7f9f4d5158';
  const input = `81 85 ${hello}  01 83 37fa213d 7f9f4d  89 85 ${hello}  80 82 37fa213d 5b95  8a 85 ${hello}`;
  expect(decode(input)).toEqual([message('Hello'), { ping: 'Hello' }, message('Hello'), { pong: 'Hello' }]);
  const bytes = Buffer.alloc(65_536, 0xe7);
  for (const length of [256, 65_536]) {
    const payload = bytes.subarray(0, length);
    expect(decode(frame({ op: 2, payload }))).toEqual([message(payload, true)]);
  }
});

describe('sizes', () => {
  const options = { maxPayload: 1000, maxFragments: 3 };

  test.each([
    ['a frame of 2**60 bytes', '82 ff 1000000000000000', 10, 'maxPayload'],
    ['a frame of 2**63 - 1 bytes', '82 ff 7fffffffffffffff', 10, 'maxPayload'],
    ['a frame of one byte too much', '81 fe 03e9', 4, 'maxPayload'],
    ['fragments of one byte too much', `02 81 00000000 41  00 fe 03e8`, 11, 'maxPayload'],
    ['an empty fragment too much', `01 80 00000000 ${'00 80 00000000'.repeat(3)}`, 20, 'maxFragments'],
  ])('§10.4: %s is refused with its header, before a byte of it is kept', (_, input, at, fault) => {
    expect(faultAfter(hex(input), options)).toMatchObject({ at, fault });
  });
});
