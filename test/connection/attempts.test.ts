import { expect, test } from '@jest/globals';
import { Attempts } from '../../src/connection/attempts.ts';

function bed(): { attempts: Attempts; clock: { now: number } } {
  const clock = { now: 5_000_000 };
  return { attempts: new Attempts(() => clock.now), clock };
}

test('four wrong secrets are forgiven, the fifth within a minute is not, until the first is a minute old', () => {
  const { attempts, clock } = bed();
  for (let i = 0; i < 4; i++) {
    attempts.failed('192.0.2.1');
    clock.now += 1000;
  }
  expect(attempts.wait('192.0.2.1')).toBe(0);
  attempts.failed('192.0.2.1');
  expect(attempts.wait('192.0.2.1')).toBe(56);
  expect(attempts.wait('192.0.2.2')).toBe(0);
  clock.now += 55_999;
  expect(attempts.wait('192.0.2.1')).toBe(1);
  clock.now += 1;
  expect(attempts.wait('192.0.2.1')).toBe(0);
});

test('it remembers 10,000 addresses, and forgets the one that was wrong longest ago', () => {
  const { attempts } = bed();
  for (let i = 0; i < 5; i++) attempts.failed('first');
  for (let i = 0; i < 5; i++) attempts.failed('second');
  attempts.failed('first');
  for (let i = 0; i < 9_999; i++) attempts.failed(`a${i}`);
  expect([attempts.wait('first') > 0, attempts.wait('second')]).toEqual([true, 0]);
});
