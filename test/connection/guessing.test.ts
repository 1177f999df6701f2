import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { Verdict } from '../../src/auth/auth.ts';
import { defer } from './bed.ts';
import { guarded, NO } from './guarded.ts';
import { answer, gone, head, READY } from './openerbed.ts';

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['queueMicrotask', 'nextTick', 'setImmediate'] });
});
afterEach(() => {
  jest.useRealTimers();
});

const settled = (): Promise<void> => new Promise((done) => setImmediate(done));

describe('an address that has been wrong five times', () => {
  const RIGHT = head({ Authorization: 'Bearer right' });

  test('gets 429 and the time to wait, even with the right token', () => {
    const bed = guarded();
    for (let i = 0; i < 5; i++) bed.context.attempts.failed('127.0.0.1');
    bed.socket.say(RIGHT);
    const { head: text } = answer(bed.socket);
    expect(text).toMatch(/^HTTP\/1\.1 429 Too Many Requests\r\nRetry-After: \d+\r\n/);
    expect(bed.shown).toEqual([]);
    gone(bed);
  });

  test('comes in where nothing could be guessed: its neighbours cannot shut it out', () => {
    const bed = guarded({ guessable: false });
    for (let i = 0; i < 5; i++) bed.context.attempts.failed('127.0.0.1');
    bed.socket.say(RIGHT);
    expect(answer(bed.socket).words).toEqual([expect.stringMatching(READY)]);
    gone(bed);
  });

  test('counts what was guessed, and nothing else', () => {
    for (const [verdict, counts] of [
      [NO, true],
      [{ refusal: { status: 401, text: 'show a token' } }, false],
      [{ auth: { mode: 'token' } }, false],
    ] as const) {
      const bed = guarded({ verdict });
      for (let i = 0; i < 4; i++) bed.context.attempts.failed('127.0.0.1');
      bed.socket.say(head());
      expect(bed.context.attempts.wait('127.0.0.1') > 0).toBe(counts);
      gone(bed);
    }
  });

  test('gains nothing by many tries at once', async () => {
    const verdict = defer<Verdict>();
    const bed = guarded({ verdict: verdict.promise });
    bed.socket.say(RIGHT);
    for (let i = 0; i < 5; i++) bed.context.attempts.failed('127.0.0.1');
    verdict.resolve({ auth: { mode: 'token' } });
    await settled();
    expect(answer(bed.socket).head).toMatch(/^HTTP\/1\.1 429 /);
    gone(bed);
  });
});
