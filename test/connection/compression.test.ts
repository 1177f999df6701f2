import { describe, expect, test } from '@jest/globals';
import { Outgoing } from '../../src/connection/encode.ts';
import type { Callbacks } from '../../src/connection/route.ts';
import { LocalHub } from '../../src/hub/local.ts';
import { NEXT } from '../../src/packet/packet.ts';
import { type Codec, CompressionError } from '../../src/wire/codec.ts';
import { Compression } from '../../src/wire/compression.ts';
import { callCodec } from '../../src/wire/zlibcalls.ts';
import { handleCodec } from '../../src/wire/zlibhandle.ts';
import { deflated, InflatingClient } from '../support/deflating.ts';
import { type FakeContext, fakeContext, FakeResource, fakeRoute, type FakeSocket } from '../support/fakes.ts';
import { frame, hex } from '../support/frames.ts';
import { turns } from './feed.ts';
import { type OpenerBed, openerBed, head, SCRIPT } from './openerbed.ts';

const SETTINGS = { threshold: 20, level: 6, contextTakeover: false };
const LONG = '{"opcode":"echo","message":"again and again and again and again"}';
const OFFER = { 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' };
const NONE = 'permessage-deflate; server_no_context_takeover; client_no_context_takeover';

interface Options {
  offer?: Record<string, string>;
  settings?: Partial<typeof SETTINGS> | null;
  codec?: Codec | null;
  callbacks?: Partial<Callbacks>;
}

/** A context whose `/` compresses. */
function contextOf({ settings, codec = handleCodec, callbacks }: Options = {}): FakeContext {
  const compression = settings === null ? null : { ...SETTINGS, ...settings };
  return fakeContext({
    routes: [fakeRoute(new FakeResource(callbacks), { compression })],
    ...(codec === null ? {} : { compression: new Compression(codec) }),
  });
}

/** The header of the 101, and everything after it. */
function opened(socket: FakeSocket): { extension: string | undefined; rest: Buffer } {
  const bytes = socket.drop();
  const end = bytes.indexOf('\r\n\r\n') + 4;
  return {
    extension: /^Sec-WebSocket-Extensions: (.*)\r$/m.exec(bytes.toString('latin1', 0, end))?.[1],
    rest: bytes.subarray(end),
  };
}

/** A client that has come in; `ready` was read. */
function enter(options: Options = {}, context = contextOf(options)): OpenerBed & { client: InflatingClient } {
  const bed = openerBed({ context });
  bed.socket.say(head(options.offer ?? OFFER));
  const { rest } = opened(bed.socket);
  expect(new InflatingClient().read(rest)).toEqual([expect.stringContaining('"ready"')]);
  return { ...bed, client: new InflatingClient(options.settings?.contextTakeover) };
}

const packed = (text: string, rest = {}): Buffer => frame({ rsv: 4, payload: deflated(text), ...rest });
const echo: Partial<Callbacks> = { onData: (client, message) => void client.send(message) };

describe('the 101', () => {
  const extension = (fields: Record<string, string>, options: Options = {}, target = '/'): string | undefined => {
    const bed = openerBed({ context: contextOf(options) });
    bed.socket.say(head(fields, target));
    return opened(bed.socket).extension;
  };

  test('answers an offer, where the resource compresses', () => {
    expect(extension(OFFER)).toBe(NONE);
    expect(extension({ 'Sec-WebSocket-Extensions': 'permessage-deflate; server_max_window_bits=10' })).toBe(
      `${NONE}; server_max_window_bits=10`,
    );
    expect(extension(OFFER, { settings: { contextTakeover: true } })).toBe('permessage-deflate');
    expect(extension(OFFER, { settings: { contextTakeover: true }, codec: callCodec })).toBe(NONE);
  });

  test('says nothing of it to anybody else', () => {
    expect(extension({})).toBeUndefined();
    expect(extension({ 'Sec-WebSocket-Extensions': 'foo' })).toBeUndefined();
    expect(extension(OFFER, { settings: null })).toBeUndefined();
    expect(extension(OFFER, { codec: null })).toBeUndefined();
    // Script clients are never compressed (PROTOCOL.md §4), and who is sent away needs it no more.
    expect(extension({ ...OFFER, ...SCRIPT })).toBeUndefined();
    expect(extension(OFFER, {}, '/nowhere')).toBeUndefined();
  });

  test('RFC 6455 §9.1: a header that is no list of extensions is refused, whether we compress or not', () => {
    for (const options of [{}, { settings: null }]) {
      const bed = openerBed({ context: contextOf(options) });
      bed.socket.say(head({ 'Sec-WebSocket-Extensions': 'permessage-deflate;' }));
      expect(bed.socket.drop().toString()).toMatch(/^HTTP\/1\.1 400 .*Sec-WebSocket-Extensions is not a list/s);
    }
  });

  test('what was agreed upon is in the log, for who looks closely', () => {
    const { context } = enter();
    expect(context.log.at('debug')).toContainEqual(expect.stringContaining(`: ${NONE}`));
    const plain = enter({ offer: {} }, contextOf());
    expect(plain.context.log.at('debug').join('\n')).not.toContain('permessage');
  });
});

describe('messages', () => {
  test('come compressed or not, and are answered compressed from the threshold on; next never is', () => {
    const { socket, client } = enter({ callbacks: echo });
    socket.say(packed(LONG));
    expect(client.read(socket.drop())).toEqual([`*${LONG}`, NEXT]);
    socket.say(frame({ payload: LONG }));
    expect(client.read(socket.drop())).toEqual([`*${LONG}`, NEXT]);
    socket.say(packed('short'));
    expect(client.read(socket.drop())).toEqual(['short', NEXT]);
  });

  test('one chunk with several is one write, as ever', () => {
    const { socket, client } = enter({ callbacks: echo });
    socket.say(Buffer.concat([packed(LONG), frame({ payload: 'short' }), packed(LONG)]));
    expect(socket.writes).toHaveLength(1);
    expect(client.read(socket.drop())).toEqual([`*${LONG}`, NEXT, 'short', NEXT, `*${LONG}`, NEXT]);
  });

  test('send says for each whether to compress it', () => {
    const { socket, client } = enter({
      callbacks: {
        onData: (to) => {
          to.send(LONG, { compress: false });
          to.send('aaaaaaaaaa', { compress: true });
          to.send('ab', { compress: true }); // does not get shorter
          to.send(Buffer.alloc(100), { compress: true });
        },
      },
    });
    socket.say(frame({ payload: 'go' }));
    expect(client.read(socket.drop())).toEqual([LONG, '*aaaaaaaaaa', 'ab', `*${'\0'.repeat(100)}`, NEXT]);
  });

  test('in pieces, compressed: bufferON, characters cut anywhere, bufferOFF', () => {
    const { socket, client } = enter({ callbacks: echo });
    const text = Buffer.from('ä'.repeat(20));
    const pieces = [
      Buffer.from('bufferON'),
      text.subarray(0, 7),
      text.subarray(7, 20),
      text.subarray(20),
      Buffer.from('bufferOFF'),
    ];
    for (const piece of pieces) socket.say(frame({ rsv: 4, payload: deflated(piece) }));
    // What bufferOFF brings about follows its next.
    expect(client.read(socket.drop())).toEqual([NEXT, NEXT, NEXT, NEXT, NEXT, `*${text.toString()}`]);
  });

  test('with context takeover: in the order in which they are sent, whatever is held', () => {
    const settings = { contextTakeover: true, threshold: 0 };
    const next = { opcode: 'next', fyi: LONG };
    const { socket, client } = enter({
      settings,
      callbacks: {
        onData: (to, message) => {
          to.send(message);
          to.send(message);
          return next;
        },
      },
    });
    for (const text of [LONG, 'bufferON', LONG, 'bufferOFF', '']) socket.say(frame({ payload: text }));
    const long = JSON.stringify(next);
    expect(client.read(socket.drop())).toEqual([
      `*${LONG}`,
      `*${LONG}`,
      long,
      NEXT,
      NEXT,
      // The whole message: its next overtakes what was compressed before it.
      long,
      `*${LONG}`,
      `*${LONG}`,
      NEXT,
    ]);
    socket.say(frame({ payload: LONG }));
    expect(client.read(socket.drop())).toEqual([`*${LONG}`, `*${LONG}`, long]);
  });

  test('in fragments are not compressed; what waits behind them is, and read in its order', async () => {
    const { socket, client, context } = enter({ settings: { contextTakeover: true } });
    const [to] = context.registry.clients.values();
    const pieces = function* (): Generator<string> {
      yield 'one ';
      to.send(LONG);
      to.send(`${LONG} and again`);
      yield LONG;
    };
    expect(await to.sendFragmented(pieces())).toBe(true);
    const out = socket.drop();
    const fragments = Buffer.concat([
      hex('01 04'),
      Buffer.from('one '),
      Buffer.from([0, LONG.length]),
      Buffer.from(LONG),
    ]);
    expect(out.subarray(0, fragments.length + 2)).toEqual(Buffer.concat([fragments, hex('80 00')]));
    expect(client.read(out.subarray(fragments.length + 2))).toEqual([`*${LONG}`, `*${LONG} and again`]);
  });

  test('in pieces that are collected are not compressed either', async () => {
    const onData: Callbacks['onData'] = (to) => to.sendFragmented([LONG, LONG]);
    const { socket, client } = enter({ callbacks: { onData } });
    socket.say(frame({ payload: 'bufferONgo' }), frame({ payload: 'bufferOFF' }));
    await turns();
    expect(client.read(socket.drop())).toEqual([NEXT, NEXT, LONG + LONG]);
  });

  test('the close packet and the Close frame are not compressed, whatever the threshold', () => {
    const settings = { contextTakeover: true, threshold: 0 };
    const bed = enter({ settings, callbacks: { onData: (to) => to.close(4404, LONG) } });
    bed.socket.say(packed(LONG));
    const error = JSON.stringify({ opcode: 'close', error: LONG });
    expect(bed.client.read(bed.socket.drop())).toEqual([NEXT, error, 'close 4404']);
  });
});

describe('what is wrong', () => {
  test('data that cannot be inflated: 1007, and nobody else', () => {
    const context = contextOf({ callbacks: echo });
    const [bad, good] = [enter({}, context), enter({}, context)];
    bad.socket.say(frame({ rsv: 4, payload: Buffer.from([0xff]) }));
    expect(bad.client.read(bad.socket.drop())).toEqual([expect.stringContaining('cannot be inflated'), 'close 1007']);
    good.socket.say(packed(LONG));
    expect(good.client.read(good.socket.drop())).toEqual([`*${LONG}`, NEXT]);
  });

  test('more than maxPayload: 1009, a line in the log', () => {
    const { socket, client, context } = enter();
    socket.say(frame({ op: 2, rsv: 4, payload: deflated(Buffer.alloc(100_001)) }));
    expect(client.read(socket.drop())).toEqual([expect.stringContaining('more than 100000 bytes'), 'close 1009']);
    expect(context.log.at('warn')).toEqual([
      expect.stringContaining('over [limits] maxPayload: a message that is inflated to more than 100000 bytes'),
    ]);
    expect(context.limits.counters.maxPayload).toBe(1);
  });

  test('a client without the extension that sends RSV1: 1002', () => {
    const { socket, client } = enter({ offer: {} });
    socket.say(packed(LONG));
    expect(client.read(socket.drop())).toEqual([expect.stringContaining('reserved bit'), 'close 1002']);
  });

  test('zlib fails to compress: 1011 for who was to get it, and the sender goes on', () => {
    const codec: Codec = {
      ...handleCodec,
      deflater: (...values) =>
        Object.assign(handleCodec.deflater(...values), {
          compress: () => {
            throw new CompressionError('no memory');
          },
        }),
    };
    const context = contextOf({ codec });
    const hub = new LocalHub(context.registry);
    const [packing, plain] = [enter({}, context), enter({ offer: {} }, context)];
    expect(hub.broadcast('/', new Outgoing(LONG, false), undefined)).toBe(1);
    expect(packing.client.read(packing.socket.drop())).toEqual([
      expect.stringContaining('a message could not be compressed'),
      'close 1011',
    ]);
    expect(plain.client.read(plain.socket.drop())).toEqual([LONG]);
    expect(context.log.at('error')).toEqual([expect.stringMatching(/#1 .*a message to it was not sent: no memory/)]);
    // The same for a message to it alone.
    const again = enter({}, context);
    expect([...context.registry.clients.values()].at(-1)?.send(LONG)).toBe(false);
    expect(again.client.read(again.socket.drop()).at(-1)).toBe('close 1011');
  });
});

describe('a broadcast', () => {
  /** zlib that counts what it compresses. */
  function counting(): { codec: Codec; count: () => number } {
    let calls = 0;
    const codec: Codec = {
      ...handleCodec,
      deflater: (...values) => {
        const deflater = handleCodec.deflater(...values);
        const compress = deflater.compress.bind(deflater);
        return Object.assign(deflater, {
          compress: (...given: Parameters<typeof compress>) => {
            calls++;
            return compress(...given);
          },
        });
      },
    };
    return { codec, count: () => calls };
  }

  const offers = [OFFER, {}, { 'Sec-WebSocket-Extensions': 'permessage-deflate; server_max_window_bits=9' }];

  test('is compressed once for each set of parameters, however they take turns', () => {
    const { codec, count } = counting();
    const context = contextOf({ codec });
    const crowd = Array.from({ length: 30 }, (_, i) => enter({ offer: offers[i % 3] }, context));
    const hub = new LocalHub(context.registry);
    expect(hub.broadcast('/', new Outgoing(LONG, false), undefined)).toBe(30);
    crowd.forEach(({ socket, client }, i) =>
      expect(client.read(socket.drop())).toEqual([i % 3 === 1 ? LONG : `*${LONG}`]),
    );
    expect(count()).toBe(2);
  });

  test('that does not get shorter is tried once', () => {
    const { codec, count } = counting();
    const context = contextOf({ codec });
    const crowd = Array.from({ length: 10 }, () => enter({}, context));
    const text = 'abcdefghijklmnopqrstuvwxyz';
    expect(new LocalHub(context.registry).broadcast('/', new Outgoing(text, false), undefined)).toBe(10);
    for (const { socket, client } of crowd) expect(client.read(socket.drop())).toEqual([text]);
    expect(count()).toBe(1);
  });

  test('with context takeover goes to each by itself, and the other way to all others', () => {
    const { codec, count } = counting();
    const options = { codec, settings: { contextTakeover: true } };
    const context = contextOf(options);
    const own = Array.from({ length: 3 }, () => enter(options, context));
    const offer = { 'Sec-WebSocket-Extensions': 'permessage-deflate; server_no_context_takeover' };
    const shared = Array.from({ length: 3 }, () => enter({ ...options, offer }, context));
    for (let i = 0; i < 2; i++) new LocalHub(context.registry).broadcast('/', new Outgoing(LONG, false), undefined);
    for (const { socket, client } of own) expect(client.read(socket.drop())).toEqual([`*${LONG}`, `*${LONG}`]);
    for (const { socket } of shared)
      expect(new InflatingClient().read(socket.drop())).toEqual([`*${LONG}`, `*${LONG}`]);
    expect(count()).toBe(2 * (3 + 1));
  });

  test('with compress: false, or below the threshold, is the same frame as for who has no compression', () => {
    const { codec, count } = counting();
    const context = contextOf({ codec });
    const crowd = [enter({}, context), enter({ offer: {} }, context)];
    const hub = new LocalHub(context.registry);
    hub.broadcast('/', new Outgoing(LONG, false, false), undefined);
    hub.broadcast('/', new Outgoing('short', false), undefined);
    hub.broadcast('/', new Outgoing('aaaaaaaaaa', false, true), undefined);
    expect(crowd.map(({ socket, client }) => client.read(socket.drop()))).toEqual([
      [LONG, 'short', '*aaaaaaaaaa'],
      [LONG, 'short', 'aaaaaaaaaa'],
    ]);
    expect(count()).toBe(1);
  });
});
