import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import * as fc from 'fast-check';
import type { Client } from '../../src/connection/client.ts';
import { FakeSocket } from '../support/fakes.ts';
import { frame, serverFragments } from '../support/frames.ts';
import { NEXT, openBed } from './bed.ts';

type Piece = string | Buffer;

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['queueMicrotask', 'nextTick', 'setImmediate'] });
});
afterEach(() => {
  jest.useRealTimers();
});

/** What happens to a client, and what it does. */
type Step =
  /** A message in pieces, `pause` turns of the event loop between two of them. */
  | { readonly do: 'pieces'; readonly pieces: readonly Piece[]; readonly pause: number }
  | { readonly do: 'send' | 'say' | 'ping' | 'block' }
  | { readonly do: 'read'; readonly count: number }
  | { readonly do: 'turns'; readonly count: number };

const text = fc.string({ unit: fc.constantFrom('a', 'é', '🙂', '\ud83d', '\ude42'), maxLength: 30 });
const piece = fc.oneof(
  { weight: 4, arbitrary: text },
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    do: fc.constant('pieces' as const),
    pieces: fc.oneof(fc.array(piece, { maxLength: 12 }), fc.array(text, { maxLength: 12 })),
    pause: fc.nat(2),
  }),
  fc.record({ do: fc.constantFrom('send' as const, 'say' as const, 'ping' as const, 'block' as const) }),
  fc.record({ do: fc.constant('read' as const), count: fc.nat(2000) }),
  fc.record({ do: fc.constant('turns' as const), count: fc.nat(10) }),
);

/** The bytes of a message in pieces: halves of a pair find each other, unless a Buffer is between them. */
function wholeOf(pieces: readonly Piece[]): Buffer {
  const runs: Piece[] = [];
  for (const next of pieces) {
    const last = runs.at(-1);
    if (typeof next === 'string' && typeof last === 'string') runs[runs.length - 1] = last + next;
    else runs.push(next);
  }
  return Buffer.concat(runs.map((run) => Buffer.from(run as string)));
}

async function* source(pieces: readonly Piece[], pause: number): AsyncGenerator<Piece> {
  for (const next of pieces) {
    for (let i = 0; i < pause; i++) await nextTurn(); // oxlint-disable-line no-await-in-loop
    yield next;
  }
}

/** The messages in what a server wrote; control frames are told to `control`. Throws where their order is not legal (§5.4). */
function messagesIn(bytes: Buffer, control: (payload: string) => void): string[] {
  const messages: string[] = [];
  let open: { op: number; parts: Buffer[] } | null = null;
  for (const { op, fin, payload } of serverFragments(bytes)) {
    if (op >= 8) {
      if (!fin) throw new Error('a control frame is fragmented');
      control(payload.toString());
      continue;
    }
    if ((op === 0) !== (open !== null))
      throw new Error(`opcode ${op} while ${open === null ? 'no' : 'a'} message is open`);
    open ??= { op, parts: [] };
    open.parts.push(payload);
    if (!fin) continue;
    messages.push(`${open.op} ${Buffer.concat(open.parts).toString('latin1')}`);
    open = null;
  }
  if (open !== null) throw new Error('the last message is not complete');
  return messages;
}

const line = (op: number, content: Piece): string => `${op} ${Buffer.from(content as string).toString('latin1')}`;

test('PROPERTY: whatever is sent meanwhile and however it is read, messages arrive whole, and in a legal order', async () => {
  const property = fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
    const socket = new FakeSocket();
    const bed = openBed({
      socket,
      values: { sendQueue: 3000 },
      callbacks: { onData: (client: Client, message) => void client.send(message) },
    });
    const { client } = bed.connection;
    const sent: Promise<boolean>[] = [];
    /** In the order in which they must arrive; those in pieces at any place. */
    const plain: string[] = [];
    const inPieces: string[] = [];
    const pings: string[] = [];
    const heardPings: string[] = [];
    for (const [i, now] of steps.entries()) {
      if (now.do === 'pieces') {
        sent.push(client.sendFragmented(source(now.pieces, now.pause)));
        inPieces.push(line(typeof (now.pieces[0] ?? '') === 'string' ? 1 : 2, wholeOf(now.pieces)));
      } else if (now.do === 'send') {
        client.send(`sent ${i}`);
        plain.push(line(1, `sent ${i}`));
      } else if (now.do === 'say') {
        socket.say(frame({ payload: `said ${i}` }));
        plain.push(line(1, `said ${i}`), line(1, NEXT));
      } else if (now.do === 'block') socket.blocked = true;
      else if (now.do === 'ping') {
        client.ping(`ping ${i}`);
        pings.push(`ping ${i}`);
      } else if (now.do === 'read') {
        socket.blocked = false;
        socket.read(now.count);
      } else if (now.do === 'turns') for (let turn = 0; turn < now.count; turn++) await nextTurn(); // oxlint-disable-line no-await-in-loop
      expect(socket.pending).toBeLessThanOrEqual(3000);
    }
    socket.blocked = false;
    socket.read(10_000);
    expect(await Promise.all(sent)).toEqual(sent.map(() => true));
    const messages = messagesIn(socket.drop(), (payload) => heardPings.push(payload));
    const isPlain = (message: string): boolean => plain.includes(message);
    expect(messages.filter(isPlain)).toEqual(plain);
    expect(messages.filter((message) => !isPlain(message)).toSorted()).toEqual(inPieces.toSorted());
    expect([heardPings, client.bufferedAmount, socket.paused]).toEqual([pings, 0, false]);
  });
  await fc.assert(property, { numRuns: 300 });
});
