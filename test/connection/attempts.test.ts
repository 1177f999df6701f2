import { expect, test } from '@jest/globals';
import { Attempts } from '../../src/connection/attempts.ts';
import { Limits } from '../../src/connection/limits.ts';
import { LIMIT_VALUES } from '../support/fakes.ts';

function bed(maxAttempts = 5): { attempts: Attempts; limits: Limits; clock: { now: number } } {
  const clock = { now: 5_000_000 };
  const limits = new Limits({ ...LIMIT_VALUES, maxAttempts });
  return { attempts: new Attempts(limits, () => clock.now), limits, clock };
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

test('how many are forgiven is [limits] maxAttempts; 0: all', () => {
  const strict = bed(1);
  strict.attempts.failed('192.0.2.1');
  expect(strict.attempts.wait('192.0.2.1')).toBe(60);
  const lax = bed(0);
  for (let i = 0; i < 1000; i++) lax.attempts.failed('192.0.2.1');
  expect([lax.attempts.wait('192.0.2.1'), lax.attempts.refusal('192.0.2.1')]).toEqual([0, null]);
});

test('the refusal says when to come back, and is counted', () => {
  const { attempts, limits, clock } = bed(2);
  expect(attempts.refusal('192.0.2.1')).toBeNull();
  attempts.failed('192.0.2.1');
  attempts.failed('192.0.2.1');
  clock.now += 18_500;
  expect(attempts.refusal('192.0.2.1')).toEqual({
    status: 429,
    text: 'too many wrong keys, tokens or tickets from your address: try again in 42 s',
    headers: { 'Retry-After': '42' },
  });
  expect(limits.counters.maxAttempts).toBe(1);
});

test('all addresses of an IPv6 /64 are one: whoever has it could guess from another each time', () => {
  const { attempts } = bed();
  for (let i = 0; i < 5; i++) attempts.failed(`2001:db8:1:2::${i}`);
  expect(attempts.wait('2001:db8:1:2:ffff:ffff:ffff:ffff')).toBe(60);
  expect(attempts.wait('2001:db8:1:3::1')).toBe(0);
});
