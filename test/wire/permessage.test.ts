import { once } from 'node:events';
import { Duplex } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { extension, PerMessageDeflate, Receiver, Sender } from 'ws';
import { dataHeader } from '../../src/wire/frame.ts';
import type { Engine } from '../../src/wire/engine.ts';
import { WebSocketEngine } from '../../src/wire/rfc6455.ts';
import { callCodec } from '../../src/wire/zlibcalls.ts';
import { handleCodec } from '../../src/wire/zlibhandle.ts';
import { agree, deflated, deflating } from '../support/deflating.ts';
import { feed, OPTIONS } from '../support/feed.ts';
import { type Found, frame, type Recorder } from '../support/frames.ts';
import { compressed } from './codeccontract.ts';
import { type EngineUnderTest, engineContract } from './contract.ts';

const key = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255));
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.string({ unit: 'grapheme', maxLength: 200 }),
  fc.constantFrom('Grüße, Ängström', '🙂👩‍👩‍👧‍👦 ✓', 'ab', ''),
  fc.nat(30_000).map((length) => 'ä€🙂x'.repeat(length / 4)),
);
const payload = fc.oneof(
  text.map((content) => ({ op: 1, bytes: Buffer.from(content) })),
  fc.uint8Array({ maxLength: 300 }).map((content) => ({ op: 2, bytes: Buffer.from(content) })),
);
const places = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 5 });

/** What a peer sends, and what is in it. */
interface Session {
  readonly bytes: Buffer;
  readonly found: readonly Found[];
}

/** A message as it goes out: compressed or not, in fragments that begin at these places, a ping behind the first. */
interface Item {
  readonly payload: { readonly op: number; readonly bytes: Buffer };
  readonly compress: boolean;
  readonly places: readonly number[];
  readonly ping: boolean;
  readonly mask: readonly number[];
}

const item: fc.Arbitrary<Item> = fc.record({ payload, compress: fc.boolean(), places, ping: fc.boolean(), mask: key });

function session(items: readonly Item[], compress: (bytes: Buffer) => Buffer): Session {
  const parts: Buffer[] = [];
  const found: Found[] = [];
  for (const { payload: message, compress: packed, places: at, ping, mask } of items) {
    const bytes = packed ? compress(message.bytes) : message.bytes;
    const cuts = [0, ...at.map((place) => Math.floor(place * bytes.length)).toSorted((a, b) => a - b), bytes.length];
    for (let i = 0; i + 1 < cuts.length; i++) {
      const fin = i + 2 === cuts.length;
      const rsv = packed && i === 0 ? 4 : 0;
      const piece = bytes.subarray(cuts[i], cuts[i + 1]);
      parts.push(frame({ op: i === 0 ? message.op : 0, fin, rsv, payload: piece, key: mask }));
      if (i > 0 || fin || !ping) continue;
      parts.push(frame({ op: 9, payload: 'between' }));
      found.push({ ping: 'between' });
    }
    found.push({ message: message.bytes.toString('latin1'), binary: message.op === 2 });
  }
  return { bytes: Buffer.concat(parts), found };
}

/** Bytes that resemble compressed messages. What is text is DEFLATE: of two things that are wrong, the chunks decide. */
const oddFrame = fc
  .record({
    op: fc.oneof({ weight: 4, arbitrary: fc.constantFrom(0, 2, 2, 8, 9, 10) }, fc.nat(15)),
    fin: fc.boolean(),
    rsv: fc.oneof({ weight: 4, arbitrary: fc.constantFrom(0, 4, 4) }, fc.nat(7)),
    payload: fc.oneof(
      fc.uint8Array({ maxLength: 140 }).map((bytes) => Buffer.from(bytes)),
      fc.uint8Array({ maxLength: 140 }).map((bytes) => deflated(Buffer.from(bytes))),
    ),
    key,
  })
  .map((options) => frame(options.op === 1 ? { ...options, op: 2 } : options));
const oddText = fc
  .record({ payload: fc.uint8Array({ maxLength: 60 }), fin: fc.boolean(), key })
  .map(({ payload: bytes, ...options }) => frame({ ...options, rsv: 4, payload: deflated(Buffer.from(bytes)) }));
const noise = fc.array(fc.oneof(oddFrame, oddText), { maxLength: 6 }).map((parts) => Buffer.concat(parts));

const sizes = fc.oneof(
  fc.constant([1]),
  fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 8 }),
  fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 8 }),
);
const turns = fc.array(fc.boolean(), { minLength: 1, maxLength: 12 });

/** The contract of Engine, and what fuzz.test.ts shows of uncompressed messages, of `sessions` that are compressed. */
function inflatingContract({ sessions, ...under }: EngineUnderTest & { sessions: fc.Arbitrary<Session> }): void {
  const make = (recorder: Recorder): Engine => under.create(recorder, OPTIONS);
  engineContract(under);

  describe(`${under.name}: any chunks`, () => {
    test('and any holds give the messages that were sent; the chunks may be overwritten', () => {
      fc.assert(
        fc.property(sessions, sizes, turns, (sent, chunks, holds) => {
          expect(feed(make, sent.bytes, chunks, holds).all()).toEqual(sent.found);
          expect(feed(make, sent.bytes, [sent.bytes.length + 1], holds).all()).toEqual(sent.found);
        }),
        { numRuns: 150 },
      );
    });

    test('of whatever bytes give the same in one chunk and byte by byte, and nothing after a fault', () => {
      fc.assert(
        fc.property(noise, turns, (bytes, holds) => {
          const whole = feed(make, bytes, [bytes.length + 1], holds).all();
          expect(feed(make, bytes, [1], holds).all()).toEqual(whole);
          const last = whole.findIndex((found) => 'fault' in found || 'close' in found);
          expect(last === -1 ? 0 : whole.length - 1 - last).toBe(0);
        }),
        { numRuns: 250 },
      );
    });
  });
}

const items = fc.array(item, { maxLength: 6 });
inflatingContract({
  name: 'WebSocketEngine, inflating with context takeover',
  create: (receiver, options) => deflating(options)(receiver),
  sessions: fc
    .tuple(items, fc.integer({ min: 9, max: 15 }), fc.integer({ min: 1, max: 9 }))
    .map(([list, bits, level]) => {
      const deflater = handleCodec.deflater(bits, level);
      const made = session(list, (bytes) => compressed(deflater, bytes, Infinity, true) as Buffer);
      deflater.close();
      return made;
    }),
  text: (content) => frame({ rsv: 4, payload: deflated(content) }),
  shared: ({ compressor }) => (compressor === null ? [] : [compressor]),
});

inflatingContract({
  name: 'WebSocketEngine, inflating by public calls',
  create: (receiver, options) => deflating(options, { codec: callCodec })(receiver),
  sessions: items.map((list) => session(list, deflated)),
  text: (content) => frame({ rsv: 4, payload: deflated(content) }),
  shared: ({ compressor }) => (compressor === null ? [] : [compressor]),
});

const bits = fc.constantFrom(9, 10, 11, 12, 13, 14, 15);
/** What ws, as a client, may be told to offer. */
const offers = fc.record(
  {
    serverNoContextTakeover: fc.boolean(),
    // false would be: does not take what any client has to (RFC 7692 §7.1.1.2).
    clientNoContextTakeover: fc.constant(true),
    serverMaxWindowBits: bits,
    // 8 is compressed with 9 by zlib.
    clientMaxWindowBits: fc.oneof(bits, fc.constantFrom(8, true)),
  },
  { requiredKeys: [] },
);
const settings = fc.record({
  threshold: fc.constantFrom(0, 10, 1000),
  level: fc.integer({ min: 1, max: 9 }),
  contextTakeover: fc.boolean(),
});
const said = fc.array(fc.record({ payload, compress: fc.boolean(), parts: fc.integer({ min: 1, max: 4 }) }), {
  maxLength: 6,
});

describe('PROPERTY: ws as the other side, all parameters at random', () => {
  /** ws and we, agreed. */
  const meet = (offer: object, options: Parameters<typeof agree>[0]) => {
    const client = new PerMessageDeflate({ ...offer, threshold: 0 });
    const { response, deflate } = agree({
      ...options,
      offer: extension.format({ 'permessage-deflate': client.offer() }),
    });
    client.accept(extension.parse(response)['permessage-deflate']);
    return { client, deflate };
  };

  test('we read what it compresses, fragmented and not, in any chunks', async () => {
    await fc.assert(
      fc.asyncProperty(offers, settings, said, fc.integer({ min: 1, max: 3000 }), async (offer, ours, list, size) => {
        const { client, deflate } = meet(offer, { settings: ours });
        const chunks: Buffer[] = [];
        const sink = new Duplex({
          read() {},
          write(chunk: Buffer, _, done) {
            chunks.push(Buffer.from(chunk));
            done();
          },
        });
        const sender = new Sender(sink, { 'permessage-deflate': client });
        const sendings: Promise<void>[] = [];
        for (const {
          payload: { op, bytes },
          compress,
          parts,
        } of list) {
          for (let i = 0; i < parts; i++) {
            const piece = bytes.subarray((bytes.length * i) / parts, (bytes.length * (i + 1)) / parts);
            const options = { binary: op === 2, fin: i + 1 === parts, mask: true, compress };
            sendings.push(new Promise((done) => sender.send(Buffer.from(piece), options, done)));
          }
        }
        await Promise.all(sendings);
        client.cleanup();
        const make = (receiver: ConstructorParameters<typeof WebSocketEngine>[0]) =>
          new WebSocketEngine(receiver, OPTIONS, deflate);
        const found = feed(make, Buffer.concat(chunks), [size]).all();
        expect(found).toEqual(
          list.map(({ payload: { op, bytes } }) => ({ message: bytes.toString('latin1'), binary: op === 2 })),
        );
      }),
      { numRuns: 150 },
    );
  });

  test('it reads what we compress, and what we do not', async () => {
    await fc.assert(
      fc.asyncProperty(offers, settings, said, fc.boolean(), async (offer, ours, list, calls) => {
        const { client, deflate } = meet(offer, { settings: ours, codec: calls ? callCodec : handleCodec });
        const receiver = new Receiver({ isServer: false, extensions: { 'permessage-deflate': client } });
        const found: Found[] = [];
        receiver.on('message', (data, binary) => found.push({ message: data.toString('latin1'), binary }));
        for (const {
          payload: { op, bytes },
          compress,
        } of list) {
          const made = deflate.frame(op === 1 ? bytes.toString() : bytes, op === 2, compress);
          if (made === null)
            receiver.write(Buffer.concat([Buffer.from(dataHeader(bytes.length, op === 2), 'latin1'), bytes]));
          else receiver.write(typeof made === 'string' ? Buffer.from(made, 'latin1') : made);
        }
        receiver.end();
        await once(receiver, 'finish');
        client.cleanup();
        deflate.close();
        expect(found).toEqual(
          list.map(({ payload: { op, bytes } }) => ({ message: bytes.toString('latin1'), binary: op === 2 })),
        );
      }),
      { numRuns: 150 },
    );
  });
});
