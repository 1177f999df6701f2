import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import * as fc from 'fast-check';
import { type Deadline, Deadlines } from '../../src/connection/deadlines.ts';

/** Two ticks: one until the time is up for certain, one until somebody looks. */
const LATEST = 200;

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

class Probe implements Deadline {
  slot: Set<Deadline> | null = null;
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
    jest.advanceTimersByTime(100);
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
