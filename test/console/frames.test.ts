import { describe, expect, test } from '@jest/globals';
import { assert, integer, nat, property, string } from 'fast-check';
import {
  cut,
  inFull,
  matches,
  oneLine,
  parseHex,
  readFrame,
  sizeText,
  splitHeader,
  timeText,
} from '../../src/console/frames.js';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('what a frame says, in a session', () => {
  const session = true;

  test.each([
    ['in', '\n{"opcode":"ready","uuid":"U"}', 'ready', '', '{"opcode":"ready","uuid":"U"}', 'dialog'],
    ['in', '\n{"opcode":"next","fyi":"","id":7}', 'next', '7', '{"opcode":"next","fyi":"","id":7}', 'dialog'],
    ['in', '\n{"opcode":"close","error":"no"}', 'close', '', '{"opcode":"close","error":"no"}', 'error'],
    ['in', '{"opcode":"next","id":7}', 'next', '', '{"opcode":"next","id":7}', 'dialog'],
    ['in', '{"opcode":"feedback"}', 'feedback', '', '{"opcode":"feedback"}', 'message'],
    ['in', '\n\n{"opcode":"echo"}', 'echo', '', '\n{"opcode":"echo"}', 'message'],
    ['out', '\n{"opcode":"ack","received":3}', 'ack', '', '{"opcode":"ack","received":3}', 'dialog'],
    ['out', '{"id":12}\n{"opcode":"echo"}', 'echo', '12', '{"opcode":"echo"}', 'message'],
    ['out', '{"id":12,"more":true}\n{"opcode":', 'piece', '12', '{"opcode":', 'message'],
    ['out', '{"id":1}\nHello\nyou', 'text', '1', 'Hello\nyou', 'message'],
    ['out', '{"id":1}\n', 'text', '1', '', 'message'],
  ] as const)('%s %j', (direction, data, label, id, body, tone) => {
    expect(readFrame({ direction, data, session })).toEqual({ label, id, body, tone });
  });

  test('bytes have their header before them', () => {
    const data = bytes('{"id":3}\n\u0001\u0002');
    const { label, id, body } = readFrame({ direction: 'out', data, session });
    expect([label, id, [...(body as Uint8Array)]]).toEqual(['binary', '3', [1, 2]]);
  });

  test('the secret of the session is not shown', () => {
    const data = '\n{"opcode":"ready","uuid":"U","session":"SECRET","resume":30}';
    const { body } = readFrame({ direction: 'in', data, session });
    expect(body).toBe('{"opcode":"ready","uuid":"U","session":"…","resume":30}');
  });
});

describe('what a frame says, without one', () => {
  const session = false;

  test.each([
    ['in', '{"opcode":"ready","uuid":"U"}', 'ready', 'dialog'],
    ['in', '{"opcode":"close","error":"no"}', 'close', 'error'],
    ['out', '{"opcode":"close"}', 'close', 'message'],
    ['out', 'bufferON{"a":', 'bufferON', 'message'],
    ['out', '{"id":12}\nx', 'text', 'message'],
    ['out', '{"opcode":', 'text', 'message'],
    ['in', '[1]', 'text', 'message'],
  ] as const)('%s %j', (direction, data, label, tone) => {
    expect(readFrame({ direction, data, session })).toEqual({ label, id: '', body: data, tone });
  });

  test('a note is no frame', () => {
    expect(readFrame({ direction: 'note', data: '{"opcode":"x"}', session })).toMatchObject({
      label: '',
      tone: 'note',
    });
  });
});

test('whatever follows the header is the message', () => {
  assert(
    property(nat(), string({ unit: 'binary' }), (id, text) => {
      const { header, body } = splitHeader(`{"id":${id}}\n${text}`);
      expect([header, body]).toEqual([{ id }, text]);
    }),
  );
});

test('in the list it is one line, whatever it holds', () => {
  expect(oneLine('a\r\n\tb\u0000\u202Ec')).toBe('a␍⏎⇥b\\u0000\\u202ec');
  expect(oneLine(Uint8Array.of(0, 127, 255))).toBe('00 7f ff');
  expect(oneLine('x'.repeat(1000))).toHaveLength(400);
});

test('in full, JSON is indented and bytes are a dump', () => {
  expect(inFull('{"a":[1]}')).toBe('{\n  "a": [\n    1\n  ]\n}');
  expect(inFull('plain {')).toBe('plain {');
  expect(inFull(bytes('{"opcode":"echo"}\n'))).toBe(
    `0000  7b 22 6f 70 63 6f 64 65 22 3a 22 65 63 68 6f 22  {"opcode":"echo"\n0010  7d 0a${' '.repeat(42)}  }·`,
  );
});

test('bytes are read from hexadecimal digits, in whatever groups', () => {
  expect([...parseHex('00 7f\nFF')]).toEqual([0, 127, 255]);
  expect([...parseHex('')]).toEqual([]);
  expect(() => parseHex('0g')).toThrow("'g' is no hexadecimal digit: write bytes as 00 7f ff");
  expect(() => parseHex('00 7')).toThrow('half a byte is left over');
});

test('pieces joined are the text again, none of them is empty or ends inside a character', () => {
  assert(
    property(string({ unit: 'binary', minLength: 1 }), integer({ min: 1, max: 20 }), (text, count) => {
      const pieces = cut(text, count);
      expect(pieces.join('')).toBe(text);
      expect(pieces.length).toBeLessThanOrEqual(count);
      for (const piece of pieces) expect([piece === '', /^[\uDC00-\uDFFF]/.test(piece)]).toEqual([false, false]);
    }),
  );
  expect(cut('abcdefg', 3)).toEqual(['abc', 'def', 'g']);
});

test('the filter wants every word, in whatever case and order', () => {
  const frame = { direction: 'in', label: 'feedback', text: '{"message":"50 %"}' };
  expect(matches(frame, '')).toBe(true);
  expect(matches(frame, 'FEED in 50')).toBe(true);
  expect(matches(frame, 'feed out')).toBe(false);
});

test('sizes and times', () => {
  expect([0, 1023, 1024, 1536, 1 << 20].map(sizeText)).toEqual(['0 B', '1023 B', '1.0 KiB', '1.5 KiB', '1.0 MiB']);
  expect(timeText(new Date(2026, 0, 2, 3, 4, 5, 6).getTime())).toBe('03:04:05.006');
});
