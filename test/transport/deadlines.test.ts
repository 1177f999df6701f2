import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import * as fc from 'fast-check';
import { type Deadline, Deadlines } from '../../src/transport/deadlines.ts';

/** Two ticks: one until the time is up for certain, one until somebody looks. */
const LATEST = 200;

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

class Probe implements Deadline {
  slot: number | null = null;
  before: Deadline | null = null;
  after: Deadline | null = null;
  readonly at: number[] = [];
  next: () => void = () => {};

  expire(): void {
    this.at.push(Date.now());
    this.next();
  }
}

const create = (): Deadlines => new Deadlines(() => Date.now());

describe('Deadlines', () => {
  test('expire once, not before their time, and soon after', () => {
    const deadlines = create();
    const start = Date.now();
    const probe = new Probe();
    deadlines.arm(probe, 1);
    expect(deadlines.size).toBe(1);
    jest.advanceTimersByTime(999);
    expect(probe.at).toEqual([]);
    jest.advanceTimersByTime(1 + LATEST);
    expect(probe.at).toHaveLength(1);
    expect(probe.at[0] - start).toBeGreaterThanOrEqual(1000);
    expect([deadlines.size, probe.slot]).toEqual([0, null]);
    jest.advanceTimersByTime(10_000);
    expect(probe.at).toHaveLength(1);
  });

  test('PROPERTY: never early, never later than two ticks, whenever they are armed', () => {
    const plan = fc.array(fc.record({ wait: fc.integer({ max: 350, min: 0 }), ms: fc.nat(3000) }), {
      minLength: 1,
      maxLength: 12,
    });
    fc.assert(
      fc.property(plan, (steps) => {
        const deadlines = create();
        const probes = steps.map(({ wait, ms }) => {
          jest.advanceTimersByTime(wait);
          const probe = new Probe();
          deadlines.arm(probe, ms / 1000);
          return { probe, due: Date.now() + ms };
        });
        jest.advanceTimersByTime(3000 + LATEST);
        for (const { probe, due } of probes) {
          expect(probe.at).toHaveLength(1);
          expect(probe.at[0]).toBeGreaterThanOrEqual(due);
          expect(probe.at[0]).toBeLessThanOrEqual(due + LATEST);
        }
        expect(jest.getTimerCount()).toBe(0);
      }),
    );
  });

  test('PROPERTY: armed, disarmed and armed again in any order, also by one that expires, they do as a list of times would', () => {
    const PROBES = 5;
    const which = fc.nat(PROBES - 1);
    // Longer than the wheel goes round, too.
    const ms = fc.oneof(fc.nat(1500), fc.nat(300_000));
    const change = fc.oneof(
      fc.record({ kind: fc.constant('arm' as const), which, ms }),
      fc.record({ kind: fc.constant('disarm' as const), which, ms: fc.constant(0) }),
    );
    const step = fc.oneof(
      change,
      fc.record({ kind: fc.constant('advance' as const), ms: fc.oneof(fc.nat(500), fc.nat(200_000)) }),
      // The event loop is held: the clock goes on, nobody looks.
      fc.record({ kind: fc.constant('stop' as const), ms: fc.nat(400_000) }),
    );
    const plan = fc.array(step, { maxLength: 30 });
    const reactions = fc.array(fc.option(change), { maxLength: 12 });
    fc.assert(
      fc.property(plan, reactions, (steps, answers) => {
        let held = 0;
        const now = (): number => Date.now() + held;
        const deadlines = new Deadlines(now);
        const dues: (number | null)[] = Array.from({ length: PROBES }, () => null);
        const apply = (to: { kind: 'arm' | 'disarm'; which: number; ms: number }): void => {
          if (to.kind === 'arm') deadlines.arm(probes[to.which], to.ms / 1000);
          else deadlines.disarm(probes[to.which]);
          dues[to.which] = to.kind === 'arm' ? now() + to.ms : null;
        };
        let lastHeld = 0;
        const pending = [...answers];
        const probes = dues.map((_, i) => {
          const probe = new Probe();
          probe.next = () => {
            const due = dues[i];
            expect(due).not.toBeNull();
            expect(now()).toBeGreaterThanOrEqual(due ?? 0);
            expect(now()).toBeLessThanOrEqual((due ?? 0) + LATEST + lastHeld);
            dues[i] = null;
            const answer = pending.shift();
            if (answer !== undefined && answer !== null) apply(answer);
          };
          return probe;
        });
        const settle = (time: number): void => {
          jest.advanceTimersByTime(time);
          for (const due of dues) if (due !== null) expect(due + LATEST + lastHeld).toBeGreaterThan(now());
          expect(deadlines.size).toBe(dues.filter((due) => due !== null).length);
        };
        for (const to of steps) {
          if (to.kind === 'advance') settle(to.ms);
          else if (to.kind === 'stop') {
            held += to.ms;
            lastHeld = to.ms;
            settle(LATEST);
            lastHeld = 0;
          } else apply(to);
        }
        for (const probe of probes) deadlines.disarm(probe);
        expect(deadlines.size).toBe(0);
        jest.advanceTimersByTime(LATEST);
        expect(jest.getTimerCount()).toBe(0);
      }),
    );
  });

  test('what has come in while the event loop was held is read before anybody is told that his time is up', async () => {
    jest.useRealTimers();
    const deadlines = new Deadlines();
    const probe = new Probe();
    const server = createServer((socket) => {
      socket.once('data', () => {
        deadlines.disarm(probe);
        socket.destroy();
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    await once(socket, 'connect');
    await new Promise((done) => setImmediate(done));
    deadlines.arm(probe, 0.1);
    socket.write('x');
    const end = performance.now() + 500;
    while (performance.now() < end);
    await once(socket, 'close');
    server.close();
    await once(server, 'close');
    expect(probe.at).toEqual([]);
  });

  test('arming again replaces what was armed, sooner or later', () => {
    const deadlines = create();
    const start = Date.now();
    const later = new Probe();
    const sooner = new Probe();
    deadlines.arm(later, 1);
    deadlines.arm(later, 5);
    deadlines.arm(sooner, 5);
    deadlines.arm(sooner, 1);
    expect(deadlines.size).toBe(2);
    jest.advanceTimersByTime(10_000);
    expect(later.at.map((at) => Math.floor((at - start) / 1000))).toEqual([5]);
    expect(sooner.at.map((at) => Math.floor((at - start) / 1000))).toEqual([1]);
  });

  test('what is disarmed does not expire, also when another one disarms it at the same time', () => {
    const deadlines = create();
    const [a, b, c] = [new Probe(), new Probe(), new Probe()];
    deadlines.arm(a, 1);
    deadlines.arm(b, 1);
    deadlines.arm(c, 1);
    deadlines.disarm(a);
    deadlines.disarm(a);
    b.next = () => deadlines.disarm(c);
    jest.advanceTimersByTime(5000);
    expect([a.at.length, b.at.length, c.at.length]).toEqual([0, 1, 0]);
    expect(deadlines.size).toBe(0);
  });

  test('one that arms itself again in expire() expires again, each time in its time', () => {
    const deadlines = create();
    const probe = new Probe();
    probe.next = () => {
      if (probe.at.length < 3) deadlines.arm(probe, 1);
    };
    deadlines.arm(probe, 1);
    jest.advanceTimersByTime(20_000);
    expect(probe.at).toHaveLength(3);
    expect(probe.at[1] - probe.at[0]).toBeGreaterThanOrEqual(1000);
    expect(probe.at[2] - probe.at[1]).toBeGreaterThanOrEqual(1000);
  });

  test('zero seconds is a time that is up at the next look', () => {
    const deadlines = create();
    const probe = new Probe();
    deadlines.arm(probe, 0);
    expect(probe.at).toEqual([]);
    jest.advanceTimersByTime(LATEST);
    expect(probe.at).toHaveLength(1);
  });

  test('a process that was stopped for long expires everything that is overdue when it goes on', () => {
    let now = 5;
    const deadlines = new Deadlines(() => now);
    const probes = [1, 2, 60].map((seconds) => {
      const probe = new Probe();
      deadlines.arm(probe, seconds);
      return probe;
    });
    now += 30_000;
    jest.advanceTimersByTime(LATEST);
    expect(probes.map(({ at }) => at.length)).toEqual([1, 1, 0]);
  });

  test('the timer runs only while something is armed', () => {
    const deadlines = create();
    expect(jest.getTimerCount()).toBe(0);
    const probe = new Probe();
    deadlines.arm(probe, 60);
    expect(jest.getTimerCount()).toBe(1);
    deadlines.disarm(probe);
    jest.advanceTimersByTime(LATEST);
    expect(jest.getTimerCount()).toBe(0);
    // And starts again, with what was armed after a pause.
    jest.advanceTimersByTime(1_000_000);
    deadlines.arm(probe, 1);
    jest.advanceTimersByTime(1000 + LATEST);
    expect([probe.at.length, jest.getTimerCount()]).toEqual([1, 0]);
  });

  test('does not keep the process alive', () => {
    jest.useRealTimers();
    const deadlines = new Deadlines();
    const probe = new Probe();
    const before = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    deadlines.arm(probe, 60);
    expect(process.getActiveResourcesInfo().filter((name) => name === 'Timeout')).toHaveLength(before);
    deadlines.disarm(probe);
  });
});
