import { constants, deflateRawSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import type { PerMessageDeflateOptions } from 'ws';
import { type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { deflated } from '../support/deflating.ts';
import { forgetPeak, peakOf, residentOf } from '../support/memory.ts';
import { clientFrame, RawPeer, upgradeRequest } from '../support/rawpeer.ts';
import { WebPeer, type WebPeerOptions } from '../support/webpeer.ts';

const MIB = 1_048_576;
/** RSV1 and an opcode. */
const [PACKED_TEXT, PACKED_BINARY] = [0x41, 0x42];
const NONE = 'permessage-deflate; server_no_context_takeover; client_no_context_takeover';
const OFFER = { 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' };

/** A plain message socket that says everything back. */
function echo(path: string, compression: string): string {
  return `export default class {
    static path = '${path}';
    static dialog = false;
    static compression = ${compression};
    onData(client, message) { client.send(message); }
    onClose() {} onError() {} onOther() {}
  }`;
}

const ECHOES = {
  'own.js': echo('/own', '{ threshold: 0, contextTakeover: true }'),
  'shared.js': echo('/shared', '{ threshold: 0, level: 9 }'),
  'mixed.js': echo('/mixed', '{ threshold: 200, contextTakeover: true }'),
  'some.js': echo('/some', 'true'),
  'none.js': echo('/none', 'false'),
};

const JSON_TEXT = JSON.stringify(
  Array.from({ length: 2000 }, (_, id) => ({ id, name: `customer ${id % 50}`, open: true })),
);

/** One that has come in and offered compression. */
function packing(daemon: RunningDaemon, path: string, options: WebPeerOptions = { perMessageDeflate: true }): WebPeer {
  return WebPeer.start(`ws://127.0.0.1:${daemon.port}${path}`, options);
}

async function opened(peer: WebPeer): Promise<WebPeer> {
  await new Promise<void>((done, fail) => {
    peer.socket.once('open', done);
    peer.socket.once('error', fail);
  });
  return peer;
}

const bits = fc.constantFrom(9, 10, 11, 12, 13, 14, 15);
const offers: fc.Arbitrary<PerMessageDeflateOptions> = fc.record(
  {
    serverNoContextTakeover: fc.boolean(),
    clientNoContextTakeover: fc.constant(true),
    serverMaxWindowBits: bits,
    clientMaxWindowBits: bits,
    threshold: fc.constantFrom(0, 100),
  },
  { requiredKeys: [] },
);
const contents = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 100 }),
  fc.nat(100_000).map((length) => JSON_TEXT.slice(0, length)),
  fc.nat(40_000).map((length) => 'Grüße 🙂 '.repeat(length / 20)),
  fc.uint8Array({ maxLength: 3000 }).map((bytes) => Buffer.from(bytes)),
  fc.nat(200_000).map((length) => Buffer.alloc(length, JSON_TEXT)),
);
const messages = fc.array(
  fc.record({ content: contents, compress: fc.boolean(), parts: fc.integer({ min: 1, max: 3 }) }),
  {
    minLength: 1,
    maxLength: 6,
  },
);

/** Sends a message in so many fragments. */
function sendParts({ socket }: WebPeer, content: string | Buffer, compress: boolean, parts: number): void {
  const bytes = Buffer.from(content as string);
  for (let i = 0; i < parts; i++) {
    const piece = bytes.subarray((bytes.length * i) / parts, (bytes.length * (i + 1)) / parts);
    socket.send(piece, { binary: typeof content !== 'string', compress, fin: i + 1 === parts });
  }
}

describe('ws as the client', () => {
  let daemon: RunningDaemon;
  beforeAll(async () => {
    daemon = await startDaemon({ ini: '[limits]\nsendQueue=16MiB', extra: ECHOES });
  });
  afterAll(() => daemon.dispose());

  test.each(['/own', '/shared', '/mixed', '/some', '/none'])(
    'PROPERTY: %s, any parameters, both ways byte for byte',
    async (path) => {
      await fc.assert(
        fc.asyncProperty(offers, messages, async (perMessageDeflate, list) => {
          const peer = await opened(packing(daemon, path, { perMessageDeflate }));
          expect(peer.socket.extensions === '').toBe(path === '/none');
          for (const { content, compress, parts } of list) sendParts(peer, content, compress, parts);
          for (const { content } of list) {
            const { data, binary } = await peer.message(); // oxlint-disable-line no-await-in-loop
            expect([data.equals(Buffer.from(content as string)), binary]).toEqual([true, typeof content !== 'string']);
          }
          await peer.close();
        }),
        { numRuns: 40 },
      );
    },
  );

  test('what goes over the wire is small, and with context takeover the second of a kind is tiny', async () => {
    for (const [path, second] of [
      ['/shared', 0.2],
      ['/own', 0.05],
    ] as const) {
      const peer = await opened(packing(daemon, path)); // oxlint-disable-line no-await-in-loop
      const { _socket: wire } = peer.socket as unknown as { _socket: { bytesRead: number; bytesWritten: number } };
      const text = JSON_TEXT.slice(0, 20_000);
      for (const share of [0.2, second]) {
        const before = [wire.bytesRead, wire.bytesWritten];
        peer.send(text);
        expect(await peer.text()).toBe(text); // oxlint-disable-line no-await-in-loop
        const [read, written] = [wire.bytesRead - before[0], wire.bytesWritten - before[1]];
        expect(Math.max(read, written)).toBeLessThan(text.length * share);
      }
      await peer.close(); // oxlint-disable-line no-await-in-loop
    }
  });
});

describe('[compression] enabled', () => {
  let daemon: RunningDaemon;
  beforeAll(async () => {
    daemon = await startDaemon({ ini: 'logLevel=debug\n[compression]\nenabled=true\nthreshold=30' });
  });
  afterAll(() => daemon.dispose());

  const url = (path: string): string => `ws://127.0.0.1:${daemon.port}${path}`;

  test('the bundled resources compress: a dialog, and a broadcast to clients with it and without', async () => {
    const from = daemon.out.length;
    const [sender, packed, plain] = [
      await WebPeer.open(url('/web'), { perMessageDeflate: true }),
      await WebPeer.open(url('/'), { perMessageDeflate: { serverMaxWindowBits: 10 } }),
      await WebPeer.open(url('/')),
    ];
    expect([sender, packed, plain].map(({ socket }) => socket.extensions !== '')).toEqual([true, true, false]);
    await daemon.said(new RegExp(`DEBUG #\\d+ 127\\.0\\.0\\.1 /: ${NONE}; server_max_window_bits=10`), from);
    await daemon.said(new RegExp(`DEBUG #\\d+ 127\\.0\\.0\\.1 /web: ${NONE}`), from);
    const text = JSON.stringify({ opcode: 'broadcast', message: 'many, many, many, many, many words – Wörter 🙂' });
    expect(await sender.ask(text)).toEqual({ opcode: 'next', fyi: '', delivered: 2 });
    expect(await Promise.all([packed.text(), plain.text()])).toEqual([text, text]);
    const pieces = ['bufferON', '{"opcode":"echo","message":"', 'piece, '.repeat(50), '"}', 'bufferOFF'];
    for (const piece of pieces) sender.send(piece);
    for (const _ of pieces) expect(await sender.packet()).toEqual({ opcode: 'next', fyi: '' }); // oxlint-disable-line no-await-in-loop
    expect(await sender.packet()).toEqual({ opcode: 'echo', message: 'piece, '.repeat(50) });
    await Promise.all([sender, packed, plain].map((peer) => peer.close()));
  });

  test('script clients are never compressed, nor is who is sent away', async () => {
    const script = await RawPeer.open(daemon);
    script.write(upgradeRequest('/php', { 'Client-Type': 'php', ...OFFER }));
    expect(await script.head()).not.toContain('Extensions');
    const lost = await RawPeer.open(daemon);
    lost.write(upgradeRequest('/nowhere', OFFER));
    expect(await lost.head()).not.toContain('Extensions');
    script.destroy();
    lost.destroy();
  });

  test('an extension header that is none: 400', async () => {
    const peer = await RawPeer.open(daemon);
    peer.write(upgradeRequest('/web', { 'Sec-WebSocket-Extensions': 'permessage-deflate; a=' }));
    const { status, body } = await peer.response();
    expect([status, body]).toEqual([
      400,
      'not a WebSocket handshake: Sec-WebSocket-Extensions is not a list of extensions as in RFC 6455 section 9.1\n',
    ]);
    peer.destroy();
  });

  test('data that is not DEFLATE: Close 1007, and a compressed Close frame 1002', async () => {
    for (const [bytes, code] of [
      [clientFrame(Buffer.from([0xff]), PACKED_TEXT), 1007],
      [clientFrame(deflated(Buffer.from([0xc3])), PACKED_TEXT), 1007],
      [clientFrame(Buffer.from([3, 232]), 0x48), 1002],
    ] as const) {
      const peer = await RawPeer.open(daemon); // oxlint-disable-line no-await-in-loop
      peer.write(upgradeRequest('/web', OFFER));
      await peer.head(); // oxlint-disable-line no-await-in-loop
      await peer.frame(); // oxlint-disable-line no-await-in-loop
      peer.write(bytes);
      expect(await peer.packet()).toMatchObject({ opcode: 'close' }); // oxlint-disable-line no-await-in-loop
      expect(await peer.closeFrame()).toMatchObject({ code }); // oxlint-disable-line no-await-in-loop
      peer.destroy();
    }
  });
});

describe('a bomb', () => {
  const LIMIT = 8 * MIB;
  /** 1 GiB of zeros: the same 16 MiB again and again. */
  const part = deflateRawSync(Buffer.alloc(16 * MIB), { finishFlush: constants.Z_SYNC_FLUSH });
  const bomb = Buffer.alloc(64 * part.length, part).subarray(0, -4);
  let daemon: RunningDaemon;
  beforeAll(async () => {
    daemon = await startDaemon({ ini: '[limits]\nmaxPayload=8MiB\n[compression]\nenabled=true', extra: ECHOES });
  });
  afterAll(() => daemon.dispose());

  async function enter(): Promise<RawPeer> {
    const peer = await RawPeer.open(daemon);
    peer.write(upgradeRequest('/some', OFFER));
    await peer.head();
    return peer;
  }

  /** What the daemon grew by at most, while that came. */
  async function growth(payload: Buffer, code: number): Promise<number> {
    const peer = await enter();
    const before = residentOf(daemon.pid);
    forgetPeak(daemon.pid);
    peer.write(clientFrame(payload, PACKED_BINARY));
    expect(await peer.closeFrame()).toMatchObject({ code });
    peer.destroy();
    return peakOf(daemon.pid) - before;
  }

  test('of 1 GiB in 1 MiB costs less than twice maxPayload: 1009, a line in the log, and the others are served', async () => {
    expect(bomb.length).toBeLessThan(1.1 * MIB);
    const other = await opened(packing(daemon, '/some'));
    other.send(JSON_TEXT);
    expect(await other.text()).toBe(JSON_TEXT);
    // What as many bytes cost that hold nothing: reading them.
    const nothing = Buffer.alloc(bomb.length, Buffer.from([0, 0, 0, 0xff, 0xff]));
    const noise = await growth(Buffer.concat([nothing, Buffer.from([0xff])]), 1007);
    const from = daemon.out.length;
    const cost = await growth(bomb, 1009);
    await daemon.said(/WARN #\d+ \S+ \/some: over \[limits\] maxPayload: .* inflated to more than 8388608 bytes/, from);
    expect(cost).toBeLessThan(2 * LIMIT + Math.max(0, noise));
    other.send(JSON_TEXT);
    expect(await other.text()).toBe(JSON_TEXT);
    await other.close();
  });

  test('in many small frames is one too', async () => {
    const peer = await enter();
    const half = bomb.length / 2;
    for (let at = 0; at < half; at += 1000) {
      peer.write(clientFrame(bomb.subarray(at, at + 1000), at === 0 ? PACKED_BINARY : 0, false));
    }
    expect(await peer.closeFrame()).toMatchObject({ code: 1009 });
    peer.destroy();
  });

  test('exactly maxPayload is taken, and comes back', async () => {
    const peer = await opened(packing(daemon, '/some', { perMessageDeflate: true, maxPayload: LIMIT }));
    const message = Buffer.alloc(LIMIT, JSON_TEXT);
    peer.send(message);
    expect((await peer.message()).data.equals(message)).toBe(true);
    await peer.close();
  });
});

test('where zlib is not what it was, there is a warning, and compression without context takeover', async () => {
  const spoil =
    'import zlib from "node:zlib"; import { syncBuiltinESMExports } from "node:module";' +
    'Object.defineProperty(zlib, "createInflateRaw", { value: () => ({}) }); syncBuiltinESMExports();';
  const daemon = await startDaemon({ extra: ECHOES, nodeArgs: ['--import', `data:text/javascript,${spoil}`] });
  try {
    await daemon.said(/WARN .*compression is slower, and without context takeover: zlib's handle is not usable here: /);
    const peer = await opened(packing(daemon, '/own'));
    expect(peer.socket.extensions).not.toBe('');
    for (const text of [JSON_TEXT, 'Grüße', '', JSON_TEXT]) {
      peer.send(text);
      expect(await peer.text()).toBe(text); // oxlint-disable-line no-await-in-loop
    }
    await peer.close();
  } finally {
    await daemon.dispose();
  }
});
