import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { Duplex } from 'node:stream';
import { Sender } from 'ws';
import { WebSocketEngine } from '../../src/wire/rfc6455.ts';
import { feed, OPTIONS } from '../support/feed.ts';
import type { Found } from '../support/frames.ts';

test('PROPERTY: we read what ws writes as a client, fragments and control frames', () => {
  const item = fc.record({
    kind: fc.constantFrom('text', 'binary', 'ping', 'pong'),
    content: fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 40 }),
      fc.nat(30).map((length) => 'ab'.repeat(length)),
    ),
    parts: fc.integer({ min: 1, max: 4 }),
  });
  fc.assert(
    fc.property(fc.array(item, { maxLength: 6 }), fc.integer({ min: 1, max: 300 }), (items, size) => {
      const chunks: Buffer[] = [];
      const sink = new Duplex({
        read() {},
        write(chunk: Buffer, _, done) {
          chunks.push(Buffer.from(chunk));
          done();
        },
      });
      const sender = new Sender(sink);
      const expected: Found[] = [];
      for (const { kind, content, parts } of items) {
        const bytes = Buffer.from(content).subarray(0, 125);
        if (kind === 'ping' || kind === 'pong') {
          sender[kind](bytes, true, () => {});
          expected.push(kind === 'ping' ? { ping: bytes.toString('latin1') } : { pong: bytes.toString('latin1') });
          continue;
        }
        const whole = Buffer.from(content);
        for (let i = 0; i < parts; i++) {
          const piece = whole.subarray((whole.length * i) / parts, (whole.length * (i + 1)) / parts);
          sender.send(
            Buffer.from(piece),
            { binary: kind === 'binary', fin: i + 1 === parts, mask: true, compress: false },
            () => {},
          );
        }
        expected.push({ message: whole.toString('latin1'), binary: kind === 'binary' });
      }
      sender.close(1001, 'going', true, () => {});
      expected.push({ close: 1001, reason: 'going' });
      const found = feed((receiver) => new WebSocketEngine(receiver, OPTIONS), Buffer.concat(chunks), [size]).all();
      expect(found).toEqual(expected);
    }),
    { numRuns: 200 },
  );
});
