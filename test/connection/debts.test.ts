import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import * as fc from 'fast-check';
import { Outgoing } from '../../src/connection/encode.ts';
import type { LimitValues } from '../../src/connection/limits.ts';
import { Output } from '../../src/connection/output.ts';
import { LineEngine } from '../../src/wire/lines.ts';
import { OPTIONS } from '../support/feed.ts';
import { FakeSocket, fakeContext, type FakeContext } from '../support/fakes.ts';
import { Recorder } from '../support/frames.ts';

const KIB = 1024;

class Reader {
  readonly socket = new FakeSocket();
  readonly output: Output;
  /** What its owner was told. */
  readonly told: string[] = [];

  constructor(context: FakeContext, blocked = true) {
    this.socket.blocked = blocked;
    this.output = new Output(this.socket, new LineEngine(new Recorder(), OPTIONS), context, {
      onSlow: (limit, owed) => {
        this.told.push(`${limit} ${owed}`);
        // What a connection does: it is closed, and destroyed when it is told again.
        if (this.output.ended) {
          this.socket.pending = 0;
          this.output.dispose();
        } else this.output.finish(null, '');
      },
      onDrop: (owed) => void this.told.push(`drop ${owed}`),
      onBacklog() {},
      onRelief() {},
    });
    this.socket.reader = { ...this.socket.reader, onDrain: () => this.output.drained() };
  }

  /** Sends a message of which `bytes` are written. */
  send(bytes: number): boolean {
    return this.output.send('x'.repeat(bytes - 1), false);
  }
}

function setUp(values: Partial<LimitValues> = {}): { context: FakeContext; add: (blocked?: boolean) => Reader } {
  const context = fakeContext({ values: { sendQueue: 1000 * KIB, maxSendMemory: 1000 * KIB, ...values } });
  return { context, add: (blocked) => new Reader(context, blocked) };
}

const long = (bytes: number): Outgoing => {
  const outgoing = new Outgoing(Buffer.alloc(bytes - 1, 'y'), false);
  outgoing.frameFor(new LineEngine(new Recorder(), OPTIONS));
  return outgoing;
};

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

describe('what waits for all', () => {
  test('who takes everything at once is not counted at all', () => {
    const { context, add } = setUp();
    const reader = add(false);
    reader.send(5000);
    reader.output.share(long(50_000));
    expect([context.debts.total, context.debts.size]).toEqual([0, 0]);
  });

  test('is the bytes of each; what is taken is not counted any more', () => {
    const { context, add } = setUp();
    const [a, b] = [add(), add()];
    a.send(5000);
    b.send(300);
    a.send(20);
    expect([context.debts.total, context.debts.size]).toEqual([5320, 2]);
    a.socket.read(5020);
    expect([context.debts.total, context.debts.size]).toEqual([300, 1]);
    b.output.dispose();
    expect([context.debts.total, context.debts.size]).toEqual([0, 0]);
  });

  test('is also what may not be written yet', () => {
    const { context, add } = setUp();
    const reader = add(false);
    reader.output.arrived(true);
    reader.send(5000);
    expect(context.debts.total).toBe(5000);
    reader.output.next('NEXT');
    expect(context.debts.total).toBe(0);
  });

  test('a long frame counts once, however many it waits for, until the last has taken it', () => {
    const { context, add } = setUp();
    const readers = Array.from({ length: 10 }, () => add());
    const outgoing = long(100 * KIB);
    for (const reader of readers) expect(reader.output.share(outgoing)).toBe(true);
    expect(context.debts.total).toBe(100 * KIB);
    readers[0].send(500);
    expect(context.debts.total).toBe(100 * KIB + 500);
    for (const { socket } of readers.slice(1)) socket.read(100 * KIB);
    expect(context.debts.total).toBe(100 * KIB + 500);
    readers[0].socket.read(100 * KIB);
    readers[0].output.watch();
    expect(context.debts.total).toBe(500);
  });

  test('short frames of a broadcast count for each: they are copied', () => {
    const { context, add } = setUp();
    const readers = Array.from({ length: 10 }, () => add());
    const outgoing = long(1000);
    for (const reader of readers) reader.output.share(outgoing);
    expect(context.debts.total).toBe(10_000);
  });

  test('with TLS what is pending is there twice, as it was sent and encrypted', () => {
    const { context, add } = setUp();
    const [a, b] = [add(), add()];
    a.socket.secure = b.socket.secure = true;
    a.send(1000);
    expect(context.debts.total).toBe(2000);
    const outgoing = long(50_000);
    a.output.share(outgoing);
    b.output.share(outgoing);
    expect(context.debts.total).toBe(2000 + 50_000 + 2 * 50_000);
  });
});

test('the sum is right, whatever is sent and taken in whatever order', () => {
  const step = fc.oneof(
    fc.record({ type: fc.constant('send' as const), who: fc.nat(2), bytes: fc.integer({ min: 1, max: 30_000 }) }),
    fc.record({ type: fc.constant('share' as const), bytes: fc.integer({ min: 16_500, max: 60_000 }) }),
    fc.record({ type: fc.constant('read' as const), who: fc.nat(2), bytes: fc.integer({ min: 1, max: 80_000 }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const { context, add } = setUp({ sendQueue: 1e9, maxSendMemory: 1e9 });
      const readers = [add(), add(), add()];
      /** What waits for each: its bytes that are left, and the frame that others share. */
      const queues: { left: number; shared: Outgoing | null; bytes: number }[][] = [[], [], []];
      for (const one of steps) {
        if (one.type === 'send') {
          readers[one.who].send(one.bytes);
          queues[one.who].push({ left: one.bytes, shared: null, bytes: one.bytes });
        } else if (one.type === 'share') {
          const shared = long(one.bytes);
          for (const [i, reader] of readers.entries()) {
            reader.output.share(shared);
            queues[i].push({ left: one.bytes, shared, bytes: one.bytes });
          }
        } else {
          readers[one.who].socket.read(one.bytes);
          readers[one.who].output.watch();
          const queue = queues[one.who];
          for (let left = one.bytes; left > 0 && queue.length > 0; ) {
            const taken = Math.min(left, queue[0].left);
            queue[0].left -= taken;
            left -= taken;
            if (queue[0].left === 0) queue.shift();
          }
        }
      }
      const shared = new Map<Outgoing, number>();
      let own = 0;
      for (const queue of queues) {
        const pending = queue.reduce((sum, { left }) => sum + left, 0);
        const longOnes = queue.filter((piece) => piece.shared !== null);
        for (const piece of longOnes) shared.set(piece.shared as Outgoing, piece.bytes);
        own += Math.max(0, pending - longOnes.reduce((sum, { bytes }) => sum + bytes, 0));
      }
      expect(context.debts.total).toBe(own + [...shared.values()].reduce((sum, bytes) => sum + bytes, 0));
      for (const { output } of readers) output.dispose();
      expect([context.debts.total, context.debts.size]).toEqual([0, 0]);
    }),
  );
});

describe('over maxSendMemory', () => {
  test('who is stuck goes, the slowest first, until an eighth is free; who reads stays', () => {
    const { context, add } = setUp();
    const stuck = [add(), add()];
    stuck[0].send(200 * KIB);
    jest.advanceTimersByTime(5000);
    stuck[1].send(200 * KIB);
    const honest = [add(), add(), add()];
    for (const reader of honest) {
      reader.send(300 * KIB);
      jest.advanceTimersByTime(100);
      reader.socket.read(200 * KIB);
      reader.output.watch();
    }
    jest.advanceTimersByTime(1000);
    expect(context.debts.total).toBe(700 * KIB);
    honest[0].send(301 * KIB);
    expect(stuck[0].told).toEqual([`maxSendMemory ${200 * KIB}`]);
    expect(stuck[1].told).toEqual([]);
    for (const { told } of honest) expect(told).toEqual([]);
    expect(context.log.lines).toEqual([
      `warn over [limits] maxSendMemory: ${1001 * KIB} bytes wait for 5 clients: the slowest go`,
    ]);
    // What waits for it is still there: when more memory is needed, it is destroyed, and the next slowest is told.
    honest[1].send(100 * KIB);
    expect(stuck[0].told).toHaveLength(2);
    expect(stuck[1].told).toEqual([`maxSendMemory ${200 * KIB}`]);
    for (const { told } of honest) expect(told).toEqual([]);
    expect(context.debts.total).toBeLessThanOrEqual(1000 * KIB);
  });

  test('where all are stuck, who is owed most goes first', () => {
    const { add } = setUp();
    const readers = [300, 400, 200].map((size) => {
      const reader = add();
      reader.send(size * KIB);
      return reader;
    });
    readers[2].send(101 * KIB);
    expect(readers.map(({ told }) => told.length)).toEqual([0, 1, 0]);
  });

  test('who trickles is as slow as it is, however often it takes something', () => {
    const { add } = setUp();
    const [trickle, good] = [add(), add()];
    trickle.send(400 * KIB);
    good.send(500 * KIB);
    for (let i = 0; i < 20; i++) {
      jest.advanceTimersByTime(1000);
      trickle.socket.read(10);
      good.socket.read(20 * KIB);
      trickle.output.watch();
      good.output.watch();
    }
    good.send(600 * KIB);
    expect([trickle.told.length, good.told.length]).toEqual([1, 0]);
  });

  test('it is looked at what really waits: nobody goes for what has been taken without a word', () => {
    const { context, add } = setUp();
    const readers = [add(), add()];
    for (const reader of readers) reader.send(500 * KIB);
    readers[0].socket.pending = 0;
    readers[1].send(400 * KIB);
    expect(readers.map(({ told }) => told)).toEqual([[], []]);
    expect([context.debts.total, context.debts.size]).toEqual([900 * KIB, 1]);
    expect(context.log.lines).toEqual([]);
  });

  test('whoever sends to the one that goes is told that it was not queued', () => {
    const { add } = setUp({ sendQueue: 10_000 * KIB });
    const reader = add();
    expect(reader.send(1000 * KIB)).toBe(true);
    expect(reader.send(100)).toBe(false);
    expect(reader.told).toEqual([`maxSendMemory ${1000 * KIB + 100}`]);
    expect(reader.send(100)).toBe(false);
  });

  test('frames that many wait for: only when the last of them goes there is room', () => {
    const { context, add } = setUp();
    const readers = Array.from({ length: 4 }, () => add());
    const outgoing = long(900 * KIB);
    for (const reader of readers) reader.output.share(outgoing);
    expect(context.debts.total).toBe(900 * KIB);
    const own = add();
    own.send(101 * KIB);
    expect(readers.map(({ told }) => told.length)).toEqual([1, 1, 1, 1]);
    expect(own.told).toEqual([]);
  });
});

describe('a message that may be dropped', () => {
  test('is not, as long as everything is taken', () => {
    const { context, add } = setUp();
    const reader = add(false);
    expect(reader.output.drops()).toBe(false);
    context.cork.during(null, () => {
      reader.send(100);
      expect(reader.output.drops()).toBe(false);
    });
    expect([reader.output.dropped, context.debts.dropped]).toEqual([0, 0]);
  });

  test('is, as soon as something waits; counted, and told once in a minute', () => {
    const { context, add } = setUp();
    const reader = add();
    reader.send(100);
    for (let i = 0; i < 3; i++) expect(reader.output.drops()).toBe(true);
    expect([reader.output.dropped, context.debts.dropped, reader.told]).toEqual([3, 3, ['drop 100']]);
    jest.advanceTimersByTime(60_000);
    reader.output.drops();
    expect(reader.told).toEqual(['drop 100', 'writeTimeout 100']);
    reader.socket.read(100);
    expect(reader.output.dropped).toBe(3);
  });

  test('is not when all has been taken', () => {
    const { add } = setUp();
    const reader = add();
    reader.send(100);
    expect(reader.output.drops()).toBe(true);
    reader.socket.read(100);
    expect(reader.output.drops()).toBe(false);
  });

  test('is behind a message in fragments, which is still being taken; not behind a next to come', () => {
    const { add } = setUp();
    const reader = add(false);
    reader.output.arrived(true);
    reader.send(100);
    expect(reader.output.drops()).toBe(false);
    reader.output.next('NEXT');
    reader.output.fragment(Buffer.from('piece'), false);
    expect(reader.output.drops()).toBe(true);
    reader.output.complete();
    expect(reader.output.drops()).toBe(false);
  });

  test('never closes its client: it is dropped where half of sendQueue is gathered', () => {
    const { context, add } = setUp({ sendQueue: 1000 });
    const reader = add(false);
    context.cork.during(null, () => {
      reader.send(600);
      expect(reader.output.drops()).toBe(true);
    });
    expect(reader.told).toEqual(['drop 600']);
  });
});
