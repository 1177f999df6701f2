import { describe, expect, test } from '@jest/globals';
import { encodeMessage, Outgoing } from '../../src/connection/encode.ts';
import { LineEngine } from '../../src/wire/lines.ts';
import { WebSocketEngine } from '../../src/wire/rfc6455.ts';
import { bytesOf, Recorder, serverFrames } from '../support/frames.ts';
import { OPTIONS } from '../support/feed.ts';

const web = new WebSocketEngine(new Recorder(), OPTIONS);
const lines = new LineEngine(new Recorder(), OPTIONS);

/** As bytes: a string is one of latin1 characters. */
function encode(engine: typeof web | typeof lines, data: string | Buffer, binary = false): Buffer {
  const encoded = encodeMessage(engine, data, binary);
  return typeof encoded === 'string' ? Buffer.from(encoded, 'latin1') : encoded;
}

describe('encodeMessage', () => {
  test.each([0, 1, 125, 126, 16383, 16384, 65535, 65536, 200_000])('%d bytes of ASCII, umlauts and bytes', (length) => {
    const ascii = 'a'.repeat(length);
    const umlauts = 'ä'.repeat(Math.floor(length / 2));
    const bytes = Buffer.alloc(length, 0xfe);
    // Compared as Buffers: Jest would go through them byte by byte.
    const check = (data: string | Buffer, op: number): void => {
      const frames = serverFrames(encode(web, data, op === 2));
      expect([frames.length, frames[0].op, frames[0].payload.equals(bytesOf(data))]).toEqual([1, op, true]);
    };
    check(ascii, 1);
    check(umlauts, 1);
    check(bytes, 2);
    for (const text of [ascii, umlauts]) expect(encode(lines, text).equals(Buffer.from(`${text}\n`))).toBe(true);
  });

  test('binary is a matter of the frame, not of the data', () => {
    expect(serverFrames(encode(web, 'text', true))).toEqual([{ op: 2, payload: Buffer.from('text') }]);
    expect(serverFrames(encode(web, Buffer.from('text'), false))).toEqual([{ op: 1, payload: Buffer.from('text') }]);
  });

  test('characters beyond ASCII are counted in bytes, and half a character becomes U+FFFD', () => {
    expect(serverFrames(encode(web, 'é🙂'))[0].payload.toString()).toBe('é🙂');
    expect(serverFrames(encode(web, 'x\ud83d'))[0].payload.toString()).toBe('x\ufffd');
  });

  test('a line has no line end inside, whatever the data is', () => {
    expect(encode(lines, '{"a":1,\r\n"ä":2}').toString()).toBe('{"a":1,  "ä":2}\n');
    expect(encode(lines, 'a\nb').toString()).toBe('a b\n');
    expect(encode(lines, Buffer.from('a\r\nb'), true).toString()).toBe('a  b\n');
    expect(serverFrames(encode(web, 'a\nb'))[0].payload.toString()).toBe('a\nb');
  });

  test('a Buffer is copied: it may change once it is sent', () => {
    for (const engine of [web, lines]) {
      const data = Buffer.from('before');
      const frame = encode(engine, data, true);
      data.fill('x');
      expect(frame.toString('latin1')).toContain('before');
    }
  });
});

describe('Outgoing', () => {
  test.each([['text', 'ä'.repeat(10)] as const, ['ASCII', 'plain'] as const, ['bytes', Buffer.from('b')] as const])(
    '%s is encoded once for receivers of one framing, rightly for those of several',
    (_, data) => {
      const outgoing = new Outgoing(data, false);
      const first = Buffer.from(outgoing.frameFor(web) as string, 'latin1');
      const second = outgoing.frameFor(new WebSocketEngine(new Recorder(), OPTIONS));
      expect(outgoing.frameFor(web)).toBe(second);
      expect(second).toEqual(first);
      expect(serverFrames(first)).toEqual([{ op: 1, payload: bytesOf(data) }]);
      expect(outgoing.frameFor(lines).toString()).toBe(`${data.toString()}\n`);
      expect(Buffer.from(outgoing.frameFor(web) as string, 'latin1')).toEqual(first);
    },
  );
});
