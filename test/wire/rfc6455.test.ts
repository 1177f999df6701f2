import * as fc from 'fast-check';
import { WebSocketEngine } from '../../src/wire/rfc6455.ts';
import { clientClose, type Found, frame } from '../support/frames.ts';
import { engineContract, type Session } from './contract.ts';

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
const control = fc
  .tuple(fc.constantFrom(9, 10), fc.uint8Array({ maxLength: 125 }), key)
  .map(([op, content, mask]): Session => {
    const bytes = Buffer.from(content);
    const shown = bytes.toString('latin1');
    return { bytes: frame({ op, payload: bytes, key: mask }), found: [op === 9 ? { ping: shown } : { pong: shown }] };
  });

/** One message in fragments that begin at the given places, with control frames between them. */
const message = fc
  .tuple(payload, fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 5 }), fc.array(control), key)
  .map(([{ op, bytes }, places, controls, mask]): Session => {
    const cuts = [
      0,
      ...places.map((place) => Math.floor(place * bytes.length)).toSorted((a, b) => a - b),
      bytes.length,
    ];
    const parts: Buffer[] = [];
    const found: Found[] = [];
    for (let i = 0; i + 1 < cuts.length; i++) {
      const last = i + 2 === cuts.length;
      parts.push(frame({ op: i === 0 ? op : 0, fin: last, payload: bytes.subarray(cuts[i], cuts[i + 1]), key: mask }));
      if (last || i >= controls.length) continue;
      parts.push(controls[i].bytes);
      found.push(...controls[i].found);
    }
    found.push({ message: bytes.toString('latin1'), binary: op === 2 });
    return { bytes: Buffer.concat(parts), found };
  });

const ending = fc.option(
  fc.tuple(fc.constantFrom(1000, 1001, 1014, 3000, 4999), fc.constantFrom('', 'Tschüß 🙂')).map(
    ([code, reason]): Session => ({
      // What follows a Close frame is not looked at.
      bytes: Buffer.concat([clientClose(code, reason), frame({ payload: 'too late' })]),
      found: [{ close: code, reason }],
    }),
  ),
);
const sessions = fc
  .tuple(fc.array(fc.oneof(message, control), { maxLength: 6 }), ending)
  .map(([parts, end]): Session => {
    const all = end === null ? parts : [...parts, end];
    return { bytes: Buffer.concat(all.map((part) => part.bytes)), found: all.flatMap((part) => part.found) };
  });

/** Frames that are mostly right, and bytes that are mostly wrong. */
const oddFrame = fc
  .record({
    op: fc.oneof({ weight: 4, arbitrary: fc.constantFrom(0, 1, 2, 8, 9, 10) }, fc.nat(15)),
    fin: fc.boolean(),
    rsv: fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, fc.nat(7)),
    payload: fc.uint8Array({ maxLength: 140 }).map((bytes) => Buffer.from(bytes)),
    key: fc.oneof({ weight: 9, arbitrary: key }, fc.constant(null)),
  })
  .map(frame);
const junk = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes));
const noise = fc
  .array(
    fc.oneof({ weight: 5, arbitrary: oddFrame }, { weight: 2, arbitrary: message.map(({ bytes }) => bytes) }, junk),
    {
      maxLength: 6,
    },
  )
  .map((parts) => Buffer.concat(parts));

engineContract({
  name: 'WebSocketEngine',
  create: (receiver, options) => new WebSocketEngine(receiver, options),
  sessions,
  noise,
  text: (content) => frame({ payload: content }),
});
