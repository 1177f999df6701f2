import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { Live, type Stoppable } from '../../src/connection/live.ts';

const make = (): Stoppable => ({ previous: null, next: null, stop() {}, cut() {}, destroy() {} });

test('PROPERTY: Live holds whom a Set would hold', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(7)), { maxLength: 60 }), (steps) => {
      const all = Array.from({ length: 8 }, make);
      const live = new Live();
      const set = new Set<Stoppable>();
      for (const [enters, index] of steps) {
        const each = all[index];
        if (!enters) {
          live.delete(each);
          set.delete(each);
        } else if (!set.has(each)) {
          live.add(each);
          set.add(each);
        }
        expect(live.size).toBe(set.size);
        expect(new Set(live)).toEqual(set);
        const [oldest = null] = set;
        expect(live.oldest).toBe(oldest);
      }
    }),
  );
});

test('who leaves while it is gone through does not keep the others from being told', () => {
  const live = new Live();
  const told: number[] = [];
  const leave = (i: number, each: Stoppable): void => {
    told.push(i);
    live.delete(each);
  };
  for (let i = 0; i < 4; i++) {
    const each: Stoppable = { ...make(), stop: () => leave(i, each) };
    live.add(each);
  }
  for (const each of live) each.stop(1001, 'x');
  expect([told.toSorted((a, b) => a - b), live.size]).toEqual([[0, 1, 2, 3], 0]);
});
