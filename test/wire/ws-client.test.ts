import { Duplex } from 'node:stream';
import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { Receiver, Sender } from 'ws';
import { WebSocketEngine } from '../../src/wire/rfc6455.ts';
import { feed, OPTIONS } from '../support/feed.ts';
import { type Found, Recorder } from '../support/frames.ts';
import { closing, type Item, item, pieces, wsOptions, type WsOptions } from '../support/wsitems.ts';

// Our codec against the two halves of `ws`, the client of most programs on Node.js.

/** What ws is told to have negotiated: nothing yet. */
function extensionsOf(_options: WsOptions): Record<string, unknown> {
  return {};
}

function shown({ kind, content }: Item): Found {
  const bytes = content.toString('latin1');
  if (kind === 'ping') return { ping: bytes };
  if (kind === 'pong') return { pong: bytes };
  return { message: bytes, binary: kind === 'binary' };
}

test('PROPERTY: we read what ws writes as a client, byte for byte', () => {
  const size = fc.oneof(fc.integer({ min: 1, max: 300 }), fc.constant(65_536));
  fc.assert(
    fc.property(wsOptions, fc.array(item, { maxLength: 6 }), closing, size, (options, items, end, chunk) => {
      const chunks: Buffer[] = [];
      const sink = new Duplex({
        read() {},
        write(bytes: Buffer, _, done) {
          chunks.push(Buffer.from(bytes));
          done();
        },
      });
      const sender = new Sender(sink, extensionsOf(options), options.generateMask);
      const done = (): void => {};
      for (const each of items) {
        if (each.kind === 'ping' || each.kind === 'pong') {
          sender[each.kind](Buffer.from(each.content), true, done);
          continue;
        }
        const all = pieces(each);
        for (const [i, piece] of all.entries()) {
          const fin = i + 1 === all.length;
          // What is whole goes as ws takes it from most programs: text as a string.
          const data = each.kind === 'text' && all.length === 1 ? piece.toString() : piece;
          sender.send(data, { binary: each.kind === 'binary', fin, mask: true, compress: false }, done);
        }
      }
      sender.close(end?.code, end?.reason ?? '', true, done);
      const found = feed((receiver) => new WebSocketEngine(receiver, OPTIONS), Buffer.concat(chunks), [chunk]).all();
      expect(found).toEqual([...items.map(shown), { close: end?.code ?? 1005, reason: end?.reason ?? '' }]);
    }),
    { numRuns: 500 },
  );
});

test('PROPERTY: ws reads what we write, byte for byte', async () => {
  const engine = new WebSocketEngine(new Recorder(), OPTIONS);
  const write = ({ kind, content }: Item): Buffer => {
    if (kind === 'ping') return Buffer.from(engine.pingFrame(content), 'latin1');
    if (kind === 'pong') return Buffer.from(engine.pongFrame(content), 'latin1');
    return Buffer.concat([Buffer.from(engine.prefix(content.length, kind === 'binary'), 'latin1'), content]);
  };
  const property = fc.asyncProperty(
    wsOptions,
    fc.array(item, { maxLength: 6 }),
    closing,
    fc.integer({ min: 1, max: 5000 }),
    async (options, items, end, size) => {
      const receiver = new Receiver({ extensions: extensionsOf(options) });
      const found: Found[] = [];
      receiver.on('message', (data, binary) => found.push({ message: data.toString('latin1'), binary }));
      receiver.on('ping', (data) => found.push({ ping: data.toString('latin1') }));
      receiver.on('pong', (data) => found.push({ pong: data.toString('latin1') }));
      const closed = new Promise<Found>((done, fail) => {
        receiver.on('conclude', (close, reason) => done({ close, reason: reason.toString() }));
        receiver.on('error', fail);
      });
      const close = Buffer.from(engine.closeFrame(end?.code ?? 1005, end?.reason ?? ''), 'latin1');
      const bytes = Buffer.concat([...items.map(write), close]);
      for (let at = 0; at < bytes.length; at += size) receiver.write(bytes.subarray(at, at + size));
      expect(await closed).toEqual({ close: end?.code ?? 1005, reason: end?.reason ?? '' });
      expect(found).toEqual(items.map(shown));
    },
  );
  await fc.assert(property, { numRuns: 200 });
});
