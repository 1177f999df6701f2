import { randomBytes } from 'node:crypto';
import { constants, deflateRawSync } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import { callCodec } from '../../src/wire/zlibcalls.ts';
import { handleCodec } from '../../src/wire/zlibhandle.ts';
import { agree, deflated, deflating, type DeflatingOptions, InflatingClient } from '../support/deflating.ts';
import { bytesOf, clientClose, type Found, frame, type FrameOptions, hex, Recorder } from '../support/frames.ts';
import { feed, OPTIONS } from '../support/feed.ts';

const NO_TAKEOVER = { settings: { contextTakeover: false } };
/** Both implementations, and for the one that knows it context takeover. */
const WAYS: [string, DeflatingOptions][] = [
  ['handle, context takeover', {}],
  ['handle', { codec: handleCodec, ...NO_TAKEOVER }],
  ['calls', { codec: callCodec }],
];

const message = (content: string | Buffer, binary = false): Found => ({
  message: bytesOf(content).toString('latin1'),
  binary,
});

/** A compressed frame: RSV1 set. */
const packed = (payload: Buffer | string, options: FrameOptions = {}): Buffer =>
  frame({ rsv: 4, payload: typeof payload === 'string' ? hex(payload) : payload, ...options });

/** What is found in `input`, the same for any chunks, and the texts of faults. */
function decode(
  input: Buffer,
  options: DeflatingOptions = {},
  engineOptions: Partial<typeof OPTIONS> = {},
): { found: Found[]; texts: string[] } {
  const make = deflating({ ...OPTIONS, ...engineOptions }, options);
  const whole = feed(make, input, [input.length + 1]);
  for (const sizes of [[1], [3], [2, 5], [100, 7]]) {
    const again = feed(make, input, sizes);
    expect(again.all()).toEqual(whole.all());
    expect(again.texts).toEqual(whole.texts);
  }
  return { found: whole.all(), texts: whole.texts };
}

describe.each(WAYS)('what a client sends: %s', (_, way) => {
  const found = (...frames: Buffer[]): Found[] => decode(Buffer.concat(frames), way).found;

  test('§7.2.3.1: "Hello" in one block', () => {
    expect(found(hex('c187 00000000 f248cdc9c90700'))).toEqual([message('Hello')]);
    expect(found(packed('f248cdc9c90700'))).toEqual([message('Hello')]);
  });

  test('§7.2.3.1: the same in two fragments, RSV1 on the first alone', () => {
    expect(found(hex('4183 00000000 f248cd  8084 00000000 c9c90700'))).toEqual([message('Hello')]);
    // A ping between them is no part of the message, and is not compressed.
    expect(
      found(
        packed('f248cd', { fin: false }),
        frame({ op: 9, payload: 'ping' }),
        frame({ op: 0, payload: hex('c9c90700') }),
      ),
    ).toEqual([{ ping: 'ping' }, message('Hello')]);
  });

  test('§7.2.3.3, §7.2.3.4, §7.2.3.5: a block without compression, a final one, two', () => {
    expect(found(hex('c18b 00000000 000500faff48656c6c6f00'))).toEqual([message('Hello')]);
    expect(found(packed('f348cdc9c9070000'))).toEqual([message('Hello')]);
    expect(found(packed('f2480500 0000ffff cac9c90700'))).toEqual([message('Hello')]);
  });

  test('§7.2.3.6: an empty message is one byte; §7.2.1 knows none of no byte, but some send it', () => {
    expect(found(packed('00'), packed('00', { op: 2 }))).toEqual([message(''), message('', true)]);
    expect(found(packed(''), packed('f248cdc9c90700'), packed(''))).toEqual([
      message(''),
      message('Hello'),
      message(''),
    ]);
  });

  test('§6: messages that are compressed, and messages that are not, in turns', () => {
    expect(
      found(frame({ payload: 'plain' }), packed('f248cdc9c90700'), frame({ op: 2, payload: 'plain' }), packed('00')),
    ).toEqual([message('plain'), message('Hello'), message('plain', true), message('')]);
  });

  test('§6: fragments may be cut anywhere, and be empty', () => {
    const text = 'Größe, Größe: 🙂🙂🙂';
    const payload = deflated(text);
    for (let cut = 0; cut <= payload.length; cut++) {
      const frames = [
        packed(payload.subarray(0, cut), { fin: false }),
        frame({ op: 0, fin: false }),
        frame({ op: 0, fin: false, payload: payload.subarray(cut) }),
        frame({ op: 0 }),
      ];
      expect(found(...frames)).toEqual([message(text)]);
    }
  });

  test('§7.2.3.4: final blocks in one message and in the ones after it', () => {
    const final = 'f348cdc9c90700';
    expect(found(packed(`${final}${final}00`), packed(`${final}00`), packed('f248cdc9c90700'))).toEqual([
      message('HelloHello'),
      message('Hello'),
      message('Hello'),
    ]);
  });

  test('a message longer than any buffer, text and bytes', () => {
    const text = 'Ängström, 🙂 und mehr. '.repeat(20_000);
    const bytes = randomBytes(300_000);
    const input = Buffer.concat([packed(deflated(text)), packed(deflated(bytes), { op: 2 })]);
    const recorder = feed(deflating(OPTIONS, way), input, [16_384, 70_000]);
    const [first, second] = recorder.all().map((item) => ('message' in item ? item.message : ''));
    expect([first === bytesOf(text).toString('latin1'), second === bytes.toString('latin1')]).toEqual([true, true]);
  });

  test('§6.2: what is a text message is UTF-8 when it is inflated: RFC 6455 §8.1', () => {
    for (const wrong of ['c3', 'c328', 'eda080', 'f4908080', '61ff', 'e282']) {
      expect(decode(packed(deflated(hex(wrong))), way)).toEqual({
        found: [{ fault: 'utf8' }],
        texts: [expect.stringContaining('UTF-8')],
      });
      expect(found(packed(deflated(hex(wrong)), { op: 2 }))).toEqual([message(hex(wrong), true)]);
    }
  });

  test.each([
    ['a reserved block type', '07'],
    ['lengths that do not match', '0005000000 48656c6c6f 00'],
    ['a distance before the beginning', 'f200110000'],
    ['data that is cut off', 'f248cd'],
    ['something after the end', 'f248cdc9c90700 0000ffff ff'],
  ])('data that is not DEFLATE is a fault: %s', (_name, payload) => {
    const result = decode(Buffer.concat([packed(payload), frame({ payload: 'later' })]), way);
    expect(result).toEqual({ found: [{ fault: 'deflate' }], texts: ['a compressed message cannot be inflated'] });
  });

  test('§6: RSV1 on a control frame or a later fragment MUST fail the connection, as RSV2 and RSV3 do', () => {
    const wrong = [
      packed('', { op: 9 }),
      packed('', { op: 10 }),
      packed('03e8', { op: 8 }),
      Buffer.concat([frame({ fin: false, payload: 'a' }), packed('00', { op: 0 })]),
      Buffer.concat([packed('f248cd', { fin: false }), packed('c9c90700', { op: 0 })]),
      frame({ rsv: 2 }),
      frame({ rsv: 1 }),
      frame({ rsv: 6 }),
      frame({ rsv: 5, op: 2 }),
      packed('', { op: 3 }),
    ];
    for (const input of wrong) {
      const result = decode(input, way);
      expect(result.found).toEqual([{ fault: 'protocol' }]);
      expect(result.texts[0]).toMatch(/^(?:a reserved bit is set|opcode 3 is reserved)/);
    }
  });

  test('the rules of RFC 6455 go for compressed frames too', () => {
    for (const input of [
      packed('00', { key: null }),
      Buffer.concat([packed('f248cd', { fin: false }), packed('00')]),
      Buffer.concat([packed('f248cd', { fin: false }), frame({ payload: 'x' })]),
      hex('c1fe 0001 00000000 00'),
    ]) {
      expect(found(input)).toEqual([{ fault: 'protocol' }]);
    }
    expect(found(packed('f248cd', { fin: false }), clientClose(1000))).toEqual([{ close: 1000, reason: '' }]);
  });

  test('maxFragments counts the frames of a compressed message', () => {
    const frames = (count: number): Buffer =>
      Buffer.concat([
        packed('f248cdc9c90700', { fin: false }),
        ...Array.from({ length: count - 1 }, (_item, i) => frame({ op: 0, fin: i === count - 2 })),
      ]);
    expect(decode(frames(3), way, { maxFragments: 3 }).found).toEqual([message('Hello')]);
    expect(decode(frames(4), way, { maxFragments: 3 }).found).toEqual([{ fault: 'maxFragments' }]);
  });

  test('text that begins with the raw prefix is not checked, wherever the chunks are cut', () => {
    const rawPrefix = Buffer.from('bufferON');
    const cut = Buffer.concat([rawPrefix, hex('c3')]);
    const input = Buffer.concat([packed(deflated(cut)), packed(deflated('bufferON'))]);
    expect(decode(input, way, { rawPrefix }).found).toEqual([message(cut), message('bufferON')]);
    expect(
      decode(packed(deflated(Buffer.concat([Buffer.from('bufferO'), hex('c3')]))), way, { rawPrefix }).found,
    ).toEqual([{ fault: 'utf8' }]);
  });

  test('while raw is set nothing is checked', () => {
    const recorder = new Recorder();
    const engine = deflating(OPTIONS, way)(recorder);
    engine.raw = true;
    engine.decode(packed(deflated(hex('c3'))));
    engine.raw = false;
    engine.decode(packed(deflated(hex('c3'))));
    expect(recorder.found).toEqual([message(hex('c3')), { fault: 'utf8' }]);
  });
});

describe('§7.2.3.2, §7.1.1: messages that refer to the one before', () => {
  const twice = Buffer.concat([packed('f248cdc9c90700'), packed('f200110000')]);

  test('with context takeover they are understood', () => {
    expect(decode(twice).found).toEqual([message('Hello'), message('Hello')]);
    // Messages that are not compressed are no part of it, nor are empty ones.
    const between = [frame({ payload: 'other' }), packed(''), packed('00')];
    const input = Buffer.concat([twice.subarray(0, 13), ...between, twice.subarray(13)]);
    expect(decode(input).found.map((item) => 'message' in item && item.message)).toEqual([
      'Hello',
      'other',
      '',
      '',
      'Hello',
    ]);
  });

  test('a client that said it would not, or was told not to, cannot', () => {
    for (const way of [
      { offer: 'permessage-deflate; client_no_context_takeover' },
      NO_TAKEOVER,
      { codec: callCodec },
    ] as DeflatingOptions[]) {
      expect(decode(twice, way).found).toEqual([message('Hello'), { fault: 'deflate' }]);
    }
  });

  test('§7.1.2.2: with the window agreed upon, no further back than two of them', () => {
    const word = randomBytes(64);
    const near = Buffer.concat([word, randomBytes(400), word]);
    const far = Buffer.concat([word, randomBytes(1500), word]);
    const way = { offer: 'permessage-deflate; client_max_window_bits=9' };
    expect(decode(packed(deflated(near), { op: 2 }), way).found).toEqual([message(near, true)]);
    const recorder = feed(deflating(OPTIONS, way), packed(deflated(far), { op: 2 }), [5000]);
    expect(recorder.found).toEqual([{ fault: 'deflate' }]);
    expect(decode(packed(deflated(far), { op: 2 })).found).toEqual([message(far, true)]);
  });
});

describe('maxPayload is of the message, not of what it was compressed to', () => {
  test.each(WAYS)('%s: exactly that many bytes, and one more', (_, way) => {
    for (const size of [1, 1000, 70_000]) {
      for (const content of ['a'.repeat(size), randomBytes(size)]) {
        const op = typeof content === 'string' ? 1 : 2;
        const limits = { maxPayload: size };
        const fits = feed(deflating({ ...OPTIONS, ...limits }, way), packed(deflated(content), { op }), [1000]);
        expect(fits.all()).toEqual([message(content, op === 2)]);
        const over = Buffer.concat([bytesOf(content), Buffer.from('b')]);
        const input = Buffer.concat([packed(deflated(over), { op }), frame({ payload: 'x' })]);
        const { found, texts } = feed(deflating({ ...OPTIONS, ...limits }, way), input, [1000]);
        expect(found).toEqual([{ fault: 'maxPayload' }]);
        expect(texts).toEqual([`a message that is inflated to more than ${size} bytes`]);
      }
    }
  });

  test('a bomb is found out where it gets too large, long before its end', () => {
    const bomb = packed(deflated(Buffer.alloc(100_000_000)), { op: 2 });
    const recorder = new Recorder();
    const engine = deflating({ ...OPTIONS, maxPayload: 1_000_000 })(recorder);
    let at = 0;
    for (; at < bomb.length && recorder.found.length === 0; at += 100) engine.decode(bomb.subarray(at, at + 100));
    expect(recorder.found).toEqual([{ fault: 'maxPayload' }]);
    expect(at).toBeLessThan(2000);
  });

  test('text that is not UTF-8 is found out where it is, not at the end', () => {
    const text = Buffer.concat([Buffer.alloc(200_000, 'abcdefg'), hex('ff'), randomBytes(100_000)]);
    const input = packed(deflated(text));
    const recorder = new Recorder();
    const engine = deflating(OPTIONS)(recorder);
    let at = 0;
    for (; at < input.length && recorder.found.length === 0; at += 1000) engine.decode(input.subarray(at, at + 1000));
    expect(recorder.found).toEqual([{ fault: 'utf8' }]);
    expect(at).toBeLessThan(80_000);
  });

  test('blocks that hold nothing do not go on for ever', () => {
    const nothing = hex('000000ffff');
    const limits = { maxPayload: 1000 };
    const most = 1000 + 125 + 1024;
    const frames = (length: number): Buffer => packed(Buffer.concat([Buffer.alloc(length, nothing), hex('00')]));
    expect(feed(deflating({ ...OPTIONS, ...limits }), frames(429 * 5), [5000]).found).toEqual([message('')]);
    // Judged at the header, as of any other message.
    const recorder = new Recorder();
    deflating({ ...OPTIONS, ...limits })(recorder).decode(frames(most).subarray(0, 4));
    expect(recorder.found).toEqual([{ fault: 'maxPayload' }]);
    // A flush for each fragment is taken: 7 bytes for each byte of the message.
    const one = deflateRawSync('x', { finishFlush: constants.Z_SYNC_FLUSH });
    const letters = Array.from({ length: 1000 }, (_, i) =>
      i === 0
        ? packed(one, { fin: false })
        : frame({ op: 0, fin: i === 999, payload: i === 999 ? one.subarray(0, -4) : one }),
    );
    expect(feed(deflating({ ...OPTIONS, ...limits }), Buffer.concat(letters), [5000]).found).toEqual([
      message('x'.repeat(1000)),
    ]);
  });
});

describe('what we send', () => {
  const sent = (content: string | Buffer, options: DeflatingOptions = {}, always = true): string | null => {
    const { deflate } = agree(options);
    const made = deflate.frame(content, typeof content !== 'string', always);
    return typeof made === 'string' ? Buffer.from(made, 'latin1').toString('hex') : (made?.toString('hex') ?? null);
  };

  test('§7.2.3.1: "Hello", RSV1 set, the tail removed; §7.2.3.2: again, which refers to it', () => {
    const { deflate } = agree();
    const frames = ['Hello', 'Hello'].map((text) => Buffer.from(deflate.frame(text, false, true) as string, 'latin1'));
    expect(frames).toEqual([hex('c107 f248cdc9c90700'), hex('c105 f200110000')]);
    deflate.close();
  });

  test('§7.1.1.1: after server_no_context_takeover no message refers to another', () => {
    for (const way of [
      { offer: 'permessage-deflate; server_no_context_takeover' },
      NO_TAKEOVER,
      { codec: callCodec },
    ]) {
      const { deflate } = agree(way);
      const text = 'Hello, hello, hello';
      const first = deflate.frame(text, false, true);
      expect(deflate.frame(text, false, true)).toEqual(first);
      expect(first).not.toBeNull();
    }
  });

  test('§7.2.3.6: an empty message is one byte; where it can be sent as it is, it is', () => {
    expect(sent('')).toBe('c10100');
    expect(sent(Buffer.alloc(0))).toBe('c20100');
    expect(sent('', NO_TAKEOVER)).toBeNull();
  });

  test('what does not get shorter is sent as it is, unless the next may refer to it', () => {
    const noise = randomBytes(1000);
    expect(sent(noise, NO_TAKEOVER)).toBeNull();
    expect(sent(noise)).toMatch(/^c27e/);
    expect(sent('ab', NO_TAKEOVER)).toBeNull();
  });

  test('the threshold counts bytes, and gives way to who asks for it', () => {
    const way = { settings: { threshold: 100, contextTakeover: false } };
    expect(sent('a'.repeat(99), way, false)).toBeNull();
    expect(sent('a'.repeat(100), way, false)).not.toBeNull();
    expect(sent('ä'.repeat(49), way, false)).toBeNull();
    expect(sent('ä'.repeat(50), way, false)).not.toBeNull();
    expect(sent(Buffer.alloc(99), way, false)).toBeNull();
    expect(sent('a'.repeat(99), way, true)).not.toBeNull();
  });

  test('half a character goes out as U+FFFD, as it does in a message that is not compressed', () => {
    const { deflate } = agree();
    const made = Buffer.from(deflate.frame('x'.repeat(20) + '\ud83d', false, true) as string, 'latin1');
    expect(new InflatingClient().read(made)).toEqual([`*${'x'.repeat(20)}\ufffd`]);
  });

  test('text longer than the buffer it is encoded in, and results longer than a string should be', () => {
    const { deflate } = agree(NO_TAKEOVER);
    for (const text of ['ä'.repeat(100_000), randomBytes(60_000).toString('base64')]) {
      const made = deflate.frame(text, false, false) ?? '';
      const bytes = typeof made === 'string' ? Buffer.from(made, 'latin1') : made;
      expect(new InflatingClient().read(bytes)[0] === `*${text}`).toBe(true);
      expect(typeof made === 'string').toBe(bytes.length < 16_384);
    }
  });

  test('after the end of its connection nothing is compressed that would need its context', () => {
    const own = agree().deflate;
    own.close();
    expect(own.frame('Hello, hello, hello', false, true)).toBeNull();
    const shared = agree(NO_TAKEOVER).deflate;
    shared.close();
    expect(shared.frame('Hello, hello, hello', false, true)).not.toBeNull();
  });
});
