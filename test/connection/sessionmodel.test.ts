import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { settle } from '../support/fakes.ts';
import { type SessionBed, sessionBed } from './sessionbed.ts';

/** What may happen, each with a number to choose by. */
const OPS = ['say', 'send', 'finish', 'read', 'cut', 'resume', 'ack'] as const;
type Op = readonly [(typeof OPS)[number], number];

/** The most plain client that there can be: it keeps what is not answered, counts what comes, and loses what was under way. */
class ModelClient {
  readonly received: string[] = [];
  readonly answers = new Map<number, string>();
  lost = 0;
  private readonly bed: SessionBed;
  private peer: ReturnType<SessionBed['connect']>;
  private connected = true;
  private readonly session: string;
  /** Messages, and dialog packets, that have been written and that it has not read. */
  private wire: string[] = [];
  private lastId = 0;
  private readonly unanswered: number[] = [];

  constructor(bed: SessionBed) {
    this.bed = bed;
    this.peer = bed.connect();
    this.session = this.peer.session;
  }

  private get count(): number {
    return this.received.length + this.lost;
  }

  say(): void {
    this.lastId++;
    this.unanswered.push(this.lastId);
    if (this.connected) this.peer.say(this.lastId, `m${this.lastId}`);
  }

  /** Reads so many of what has come. */
  read(count: number): void {
    this.wire.push(...this.peer.heard());
    for (const word of this.wire.splice(0, count)) {
      if (!word.startsWith('\n{')) {
        this.received.push(word);
        continue;
      }
      const { opcode, id, n } = JSON.parse(word) as { opcode: string; id: number; n: string };
      if (opcode !== 'next') throw new Error(word);
      const at = this.unanswered.indexOf(id);
      if (at === -1) throw new Error(`a next for ${id}, which has one`);
      this.unanswered.splice(at, 1);
      this.answers.set(id, n);
    }
  }

  ack(): void {
    if (this.connected) this.peer.ack(this.count);
  }

  cut(): void {
    if (!this.connected) return;
    this.connected = false;
    this.wire = [];
    this.peer.heard();
    this.peer.cut();
  }

  /** @param readsIt false: the connection is lost before the answer comes. */
  resume(readsIt: boolean): void {
    this.cut();
    this.connected = true;
    this.peer = this.bed.resume(this.session, this.count);
    const { first } = this.peer;
    if (first?.opcode !== 'resumed') throw new Error(JSON.stringify(first));
    if (!readsIt) {
      this.cut();
      return;
    }
    this.lost += Number(first.lost);
    for (const id of this.unanswered) this.peer.say(id, `m${id}`);
  }
}

async function play(ops: readonly Op[], keepPackets: number): Promise<void> {
  const handled: string[] = [];
  const waiting: (() => void)[] = [];
  const bed = sessionBed({
    values: { keepPackets },
    callbacks: {
      onData: (_, message) => {
        handled.push(message.toString());
        const answer = { n: `${handled.length}` };
        if (handled.length % 3 > 0) return answer;
        return new Promise((done) => waiting.push(() => done(answer)));
      },
    },
  });
  const client = new ModelClient(bed);
  const [seen] = bed.context.registry.clients.values();
  let sent = 0;
  const finish = async (): Promise<void> => {
    waiting.shift()?.();
    await settle();
  };
  /* oxlint-disable no-await-in-loop -- one after the other */
  for (const [op, n] of ops) {
    if (op === 'send') {
      for (let i = 0; i <= n % 4; i++) expect(seen.send(`s${++sent}`)).toBe(true);
    } else if (op === 'finish') await finish();
    else if (op === 'read') client.read(n);
    else if (op === 'resume') client.resume(n % 4 > 0);
    else client[op]();
  }
  client.resume(true);
  for (let i = 0; i < ops.length; i++) await finish();
  /* oxlint-enable no-await-in-loop */
  client.read(Number.POSITIVE_INFINITY);
  const said = ops.filter(([op]) => op === 'say').length;
  // Every message was handled once, in order, and has its own answer.
  expect(handled).toEqual(Array.from({ length: said }, (_, i) => `m${i + 1}`));
  expect([...client.answers].toSorted(([a], [b]) => a - b)).toEqual(handled.map((_, i) => [i + 1, `${i + 1}`]));
  // What was sent came in order, each once; what did not come was counted.
  expect(client.received.length + client.lost).toBe(sent);
  const numbers = client.received.map((text) => Number(text.slice(1)));
  expect(numbers).toEqual([...new Set(numbers)].toSorted((a, b) => a - b));
  if (keepPackets >= 1000) expect(client.lost).toBe(0);
}

describe('whatever happens to its connections', () => {
  const ops = fc.array(fc.tuple(fc.constantFrom(...OPS), fc.nat(5)), { maxLength: 60 });

  test('nothing is lost, nothing comes twice, and all is in order', async () => {
    await fc.assert(
      fc.asyncProperty(ops, (all) => play(all, 1000)),
      { numRuns: 300 },
    );
  });

  test('with too little room, what is lost is counted exactly', async () => {
    await fc.assert(
      fc.asyncProperty(ops, (all) => play(all, 3)),
      { numRuns: 300 },
    );
  });
});
