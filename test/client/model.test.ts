import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { dial, FakeSocket, outcome, pass, useFakes } from './bed.ts';

useFakes();

/** A daemon that speaks websock.2 as PROTOCOL.md says, over a network that the test stops and cuts where it likes. */
class ModelDaemon {
  /** What was handled, in order: its text, and whether it was marked as a repetition. */
  readonly handled: { readonly text: string; readonly again: boolean }[] = [];
  private session = { secret: '', highest: 0, sent: [] as string[], acked: 0 };
  private sessions = 0;
  private socket: FakeSocket | null = null;
  /** How many frames of the socket have arrived. */
  private read = 0;
  /** What is on its way to the client. */
  private wire: string[] = [];

  /** Takes the client's newest socket, if it has one that is not taken. */
  accept(): void {
    const { last } = FakeSocket;
    if (this.socket === last || last.closed !== null) return;
    this.socket = last;
    this.read = 0;
    last.protocol = 'websock.2';
    const asked = last.offered.find((name) => name.startsWith('websock.resume.'))?.split('.') ?? [];
    if (asked[2] === this.session.secret && asked.length > 0) {
      const received = Number(asked[3]);
      expect(received).toBeGreaterThanOrEqual(this.session.acked);
      expect(received).toBeLessThanOrEqual(this.session.sent.length);
      const { highest } = this.session;
      this.wire = [`\n${JSON.stringify({ opcode: 'resumed', uuid: 'u', handled: highest, lost: 0 })}`];
      this.wire.push(...this.session.sent.slice(received));
    } else {
      this.session = { secret: `S${++this.sessions}`, highest: 0, sent: [], acked: 0 };
      const bounds = { maxPayload: 300, maxBuffer: 1000, maxChunks: 10 };
      this.wire = [`\n${JSON.stringify({ opcode: 'ready', uuid: 'u', session: this.session.secret, ...bounds })}`];
    }
  }

  /** Sends a message to the client, wherever it is. */
  push(text: string): void {
    if (this.session.secret === '') return;
    this.session.sent.push(text);
    if (this.socket !== null) this.wire.push(text);
  }

  /** So many frames of the client arrive. */
  take(count: number): void {
    for (let n = 0; n < count && this.socket !== null && this.read < this.socket.sent.length; n++) {
      const { header, payload } = this.socket.frames[this.read++];
      const {
        id,
        again = false,
        ack,
        more,
      } = header ?? { ack: (JSON.parse(payload) as { received: number }).received };
      if (ack !== undefined) {
        expect(ack).toBeGreaterThanOrEqual(this.session.acked);
        expect(ack).toBeLessThanOrEqual(this.session.sent.length);
        this.session.acked = ack as number;
      }
      if (header === null) continue;
      expect(more).toBeUndefined();
      if ((id as number) > this.session.highest) {
        expect(id).toBe(this.session.highest + 1);
        this.session.highest++;
        this.handled.push({ text: payload, again: again as boolean });
      }
      this.wire.push(`\n${JSON.stringify({ opcode: 'next', fyi: '', id })}`);
    }
  }

  /** So many frames arrive at the client. */
  give(count: number): void {
    for (const text of this.wire.splice(0, count)) this.socket?.text(text);
  }

  /** The connection is lost with all that is on its way. @param forget by a crash: the session is, too. */
  cut(forget: boolean): void {
    const { socket } = this;
    this.wire = [];
    this.socket = null;
    if (forget) this.session.secret = 'forgotten';
    socket?.end(1006);
  }

  get idle(): boolean {
    return this.socket !== null && this.wire.length === 0 && this.read === this.socket.sent.length;
  }
}

type Step = readonly ['send' | 'push' | 'take' | 'give' | 'cut' | 'crash' | 'accept' | 'time', number];

const step = (crash: number): fc.Arbitrary<Step> =>
  fc.tuple(
    fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom('send' as const, 'push' as const) },
      { weight: 8, arbitrary: fc.constantFrom('take' as const, 'give' as const, 'accept' as const) },
      { weight: 2, arbitrary: fc.constantFrom('cut' as const, 'time' as const) },
      { weight: crash, arbitrary: fc.constant('crash' as const) },
    ),
    fc.integer({ min: 1, max: 5 }),
  );

/** Runs the steps, and then lets everything arrive. */
async function play(steps: readonly Step[]) {
  FakeSocket.all = [];
  const { connection } = dial({ pipeline: 4, queue: { messages: 1000 } });
  const daemon = new ModelDaemon();
  const [received, sent]: [string[], Promise<unknown>[]] = [[], []];
  let pushed = 0;
  // oxlint-disable-next-line unicorn/prefer-add-event-listener -- it has no other
  connection.onmessage = (data) => received.push(data as string);
  const run = ([what, count]: Step): void => {
    if (what === 'send') sent.push(connection.send(`m${sent.length}`));
    else if (what === 'push') daemon.push(`p${pushed++}`);
    else if (what === 'take') daemon.take(count);
    else if (what === 'give') daemon.give(count);
    else if (what === 'accept') daemon.accept();
    else if (what === 'time') pass(count * 300);
    else daemon.cut(what === 'crash');
  };
  for (const one of steps) run(one);
  for (let n = 0; n < 100 && !(daemon.idle && connection.state === 'open'); n++) {
    pass(500);
    daemon.accept();
    daemon.take(1000);
    daemon.give(1000);
  }
  const outcomes = await Promise.all(sent.map((one) => outcome(one)));
  connection.close();
  return { daemon, received, pushed, outcomes };
}

test('whatever is cut where: every message handled once, every one received once, all in order', async () => {
  const steps = fc.array(step(0), { minLength: 5, maxLength: 120 });
  await fc.assert(
    fc.asyncProperty(steps, async (some) => {
      // The session stands before the network fails.
      const all: Step[] = [['accept', 1], ['give', 1], ...some];
      const { daemon, received, pushed, outcomes } = await play(all);
      expect(daemon.handled).toEqual(outcomes.map((_, n) => ({ text: `m${n}`, again: false })));
      expect(outcomes).toEqual(outcomes.map(() => expect.objectContaining({ opcode: 'next' })));
      expect(received).toEqual(Array.from({ length: pushed }, (_, n) => `p${n}`));
    }),
    { numRuns: 300 },
  );
});

test('and where the daemon forgets: nothing is missing, in order, and what comes again says so', async () => {
  const steps = fc.array(step(1), { minLength: 5, maxLength: 120 });
  await fc.assert(
    fc.asyncProperty(steps, async (some) => {
      const { daemon, outcomes } = await play(some);
      const firsts = new Map<string, number>();
      for (const { text, again } of daemon.handled) {
        if (firsts.has(text)) expect([text, again]).toEqual([text, true]);
        else firsts.set(text, firsts.size);
      }
      expect([...firsts.keys()]).toEqual(outcomes.map((_, n) => `m${n}`));
      expect(outcomes).toEqual(outcomes.map(() => expect.objectContaining({ opcode: 'next' })));
    }),
    { numRuns: 300 },
  );
});
