import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import type { Client } from '../../src/connection/client.ts';
import { frame } from '../support/frames.ts';
import { answer, settle } from './askingbed.ts';
import { NEXT, openBed } from './bed.ts';

/** What a message does: its handler ends at once or later, asks once or twice; it is empty, or comes in pieces. */
const KINDS = ['sync', 'slow', 'ask', 'asks', 'empty', 'pieces'] as const;

interface Step {
  readonly kind: (typeof KINDS)[number];
  /** How much of what is under way arrives after it, in tenths. */
  readonly arrives: number;
  /** Whether what is asked by then is answered behind it. */
  readonly answers: boolean;
  readonly settles: boolean;
}

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom(...KINDS),
  arrives: fc.integer({ min: 0, max: 10 }),
  answers: fc.boolean(),
  settles: fc.boolean(),
});

/** The frames, or lines, of one message; the name says what its handler does. */
function messages(kind: Step['kind'], n: number): Buffer[] {
  if (kind === 'empty') return [Buffer.alloc(0)];
  if (kind !== 'pieces') return [Buffer.from(`${kind} ${n}`)];
  const text = Buffer.from(`pieces ${n} ü`);
  return [Buffer.from('bufferON'), text.subarray(0, -1), text.subarray(-1), Buffer.from('bufferOFF')];
}

/** @param other an answer is waited for from outside of the handlers, too: so it is read on at all times. */
async function run(way: 'web' | 'line', steps: readonly Step[], other: boolean): Promise<void> {
  const handled: string[] = [];
  const onData = async (client: Client, message: string | Buffer): Promise<void> => {
    const [kind] = String(message).split(' ');
    handled.push(String(message));
    if (kind === 'sync' || kind === 'pieces') return;
    await Promise.resolve();
    for (let i = kind === 'asks' ? 2 : kind === 'ask' ? 1 : 0; i > 0; i--) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const { to } = await client.request({ opcode: 'q', of: String(message) }, { timeout: 60_000 });
      if (to !== String(message)) throw new Error(`${String(to)} is no answer to ${String(message)}`);
    }
  };
  const bed = openBed({
    way,
    callbacks: {
      // Only an asynchronous handler holds what follows.
      onData: (client, message) =>
        /^(?:sync|pieces)/.test(String(message)) ? void onData(client, message) : onData(client, message),
    },
  });
  bed.heard();
  let wire = Buffer.alloc(0);
  let sent = 0;
  let nexts = 0;
  const asked: { request: number; of: string }[] = [];
  const send = (payload: Buffer): void => {
    sent++;
    const bytes = way === 'line' ? Buffer.concat([payload, Buffer.from('\n')]) : frame({ payload });
    wire = Buffer.concat([wire, bytes]);
  };
  const arrive = (length: number): void => {
    bed.socket.say(wire.subarray(0, length));
    wire = wire.subarray(length);
  };
  const listen = (): void => {
    for (const word of bed.heard()) {
      if (word === NEXT) nexts++;
      else asked.push(JSON.parse(word) as { request: number; of: string });
    }
  };
  const last = other ? bed.connection.client.request({ opcode: 'q', of: 'other' }, { timeout: 60_000 }) : null;
  listen();
  const [others] = asked.splice(0);
  const answerAll = (): void => {
    for (const { request, of } of asked.splice(0)) send(Buffer.from(answer(request, { to: of })));
  };
  const expected: string[] = [];
  for (const [n, { kind, arrives, answers, settles }] of steps.entries()) {
    for (const payload of messages(kind, n)) send(payload);
    if (kind !== 'empty') expected.push(kind === 'pieces' ? `pieces ${n} ü` : `${kind} ${n}`);
    arrive(Math.ceil((wire.length * arrives) / 10));
    if (settles) await settle(); // oxlint-disable-line no-await-in-loop -- one step after the other
    listen();
    if (answers) answerAll();
  }
  for (let turn = 0; turn < 2 * steps.length + 2; turn++) {
    arrive(wire.length);
    await settle(); // oxlint-disable-line no-await-in-loop -- one turn after the other
    listen();
    answerAll();
  }
  if (other) {
    send(Buffer.from(answer(others.request, { to: 'other' })));
    arrive(wire.length);
    listen();
    expect(await last).toMatchObject({ to: 'other' });
  }
  expect([handled, nexts, bed.socket.paused, bed.connection.open]).toEqual([expected, sent, false, true]);
  bed.socket.reader.onClose(null);
  expect(bed.context.deadlines.size).toBe(0);
}

test.each(['web', 'line'] as const)(
  'however messages and answers come, each is handled once and in order, and has its next (%s)',
  async (way) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), fc.boolean(), (steps, other) =>
        run(way, steps, other),
      ),
      { numRuns: 60 },
    );
  },
);
