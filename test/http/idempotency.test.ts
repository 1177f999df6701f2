import { beforeEach, describe, expect, jest, test } from '@jest/globals';
import { Limits } from '../../src/connection/limits.ts';
import { digestOf, Idempotency, keyOf } from '../../src/http/idempotency.ts';
import type { Answer } from '../../src/http/poster.ts';
import { Deadlines } from '../../src/transport/deadlines.ts';
import { FakeLog, LIMIT_VALUES } from '../support/fakes.ts';

const RESUME = 30;

let log: FakeLog;
let limits: Limits;
let deadlines: Deadlines;
let store: Idempotency;
let handled: number;

function make(values: Partial<typeof LIMIT_VALUES> = {}): void {
  log = new FakeLog();
  limits = new Limits({ ...LIMIT_VALUES, ...values });
  deadlines = new Deadlines(() => Date.now());
  store = new Idempotency({ limits, log, deadlines, resume: RESUME }, () => Date.now());
  handled = 0;
}

beforeEach(() => {
  jest.useFakeTimers();
  make();
});

/** One POST; `answer` is what its handler gives. */
function post(request: string, answer: Partial<Answer> = {}, body = 'the body'): Promise<Answer> {
  return store.once(request, body, '#1 10.0.0.1 POST /php', async () => {
    handled++;
    return { status: 200, note: '', body: `{"n":${handled}}`, ...answer };
  });
}

describe('the key', () => {
  test.each([
    ['"8e03978e-40d5-43e8-bc93-6894a57f9324"', '8e03978e-40d5-43e8-bc93-6894a57f9324'],
    ['8e03978e-40d5-43e8-bc93-6894a57f9324', '8e03978e-40d5-43e8-bc93-6894a57f9324'],
    [' "with a blank" ', 'with a blank'],
    ['YWJjZA==', 'YWJjZA=='],
    [`"${'x'.repeat(256)}"`, 'x'.repeat(256)],
  ])('%s', (field, key) => {
    expect(keyOf(field)).toBe(key);
  });

  test.each([
    '',
    '""',
    '"open',
    'two words',
    '"a", "b"',
    'a, b',
    '"a";p=1',
    '"ü"',
    `"${'x'.repeat(257)}"`,
    'x'.repeat(257),
  ])('not %s', (field) => {
    expect(keyOf(field)).toBeNull();
  });
});

test('a digest stands for its parts, however they are cut', () => {
  expect(digestOf('ab', 'c')).not.toBe(digestOf('a', 'bc'));
  expect(digestOf('ab', 'c')).toBe(digestOf(Buffer.from('ab'), 'c'));
});

describe('the same POST again', () => {
  test('gets the same answer, and is not handled', async () => {
    await post('a');
    expect(await post('a')).toEqual({ status: 200, note: '', body: '{"n":1}', replayed: true });
    expect(handled).toBe(1);
  });

  test('another is handled', async () => {
    await post('a');
    expect(await post('b')).toMatchObject({ body: '{"n":2}' });
  });

  test('after [dialog] resume it is handled again, and by then nothing is kept', async () => {
    await post('a');
    jest.advanceTimersByTime(RESUME * 1000 - 1);
    await post('a');
    expect([handled, store.size]).toEqual([1, 1]);
    jest.advanceTimersByTime(1000);
    expect([store.size, store.bytes, deadlines.size]).toEqual([0, 0, 0]);
    await post('a');
    expect(handled).toBe(2);
  });

  test('of several, each has its time', async () => {
    await post('a');
    jest.advanceTimersByTime(20_000);
    await post('b');
    jest.advanceTimersByTime(11_000);
    expect(store.size).toBe(1);
    jest.advanceTimersByTime(20_000);
    expect([store.size, deadlines.size]).toEqual([0, 0]);
  });

  test('with another body: 422, also while the first is being handled', async () => {
    const first = post('a');
    expect(await post('a', {}, 'other')).toMatchObject({ status: 422, body: expect.stringContaining('another body') });
    await first;
    expect(await post('a', {}, 'other')).toMatchObject({ status: 422 });
    expect(handled).toBe(1);
  });

  test.each([500, 504, 404, 415])('an answer with %i is kept, for something may have come of it', async (status) => {
    await post('a', { status });
    expect(await post('a')).toMatchObject({ status, replayed: true });
    expect(handled).toBe(1);
  });

  test.each([400, 401, 403, 413, 429, 503])('an answer with %i is not kept', async (status) => {
    await post('a', { status });
    expect(await post('a')).toEqual({ status: 200, note: '', body: '{"n":2}' });
  });

  test('a 503 that says that the answer was too long for sendQueue is kept', async () => {
    await post('a', { status: 503, handled: true });
    expect(await post('a')).toMatchObject({ status: 503, replayed: true });
  });
});

describe('what is kept has bounds', () => {
  test('in number: the oldest is forgotten, and handled again', async () => {
    make({ maxAnswers: 2 });
    for (const request of ['a', 'b', 'c']) await post(request);
    expect([store.size, limits.counters.maxAnswers]).toEqual([2, 1]);
    await post('b');
    await post('c');
    expect(handled).toBe(3);
    await post('a');
    expect(handled).toBe(4);
    expect(log.lines).toEqual([
      'warn POST: over [http] maxAnswers: more than 2 POSTs with an Idempotency-Key within [dialog] resume: the oldest is dropped',
    ]);
    jest.advanceTimersByTime(61_000);
    for (const request of ['d', 'e', 'f']) await post(request);
    expect(log.lines.at(-1)).toMatch(/dropped \(and 1 others since that was last said\)$/);
  });

  test('in length: a longer answer is not kept, but that it was handled is', async () => {
    make({ maxAnswer: 10 });
    expect(await post('a', { body: 'x'.repeat(11) })).toMatchObject({ status: 200, body: 'x'.repeat(11) });
    expect(await post('a')).toMatchObject({ status: 409, body: expect.stringContaining('not kept any more') });
    expect([handled, store.bytes, limits.counters.maxAnswer]).toEqual([1, 0, 1]);
    expect(log.lines).toEqual([
      'info #1 10.0.0.1 POST /php: over [http] maxAnswer: an answer of more than 10 bytes: it is not kept',
    ]);
    await post('b', { body: 'x'.repeat(10) });
    expect(await post('b')).toMatchObject({ status: 200, replayed: true });
  });

  test('in bytes: the oldest answers go first, and who asks for one of them gets 409', async () => {
    make({ maxAnswerMemory: 25 });
    for (const request of ['a', 'b', 'c']) await post(request, { body: 'ü'.repeat(5) });
    expect([store.bytes, store.size, limits.counters.maxAnswerMemory]).toEqual([20, 3, 1]);
    expect(await post('a')).toMatchObject({ status: 409 });
    expect(await post('b')).toMatchObject({ status: 200, replayed: true });
    expect(handled).toBe(3);
    jest.advanceTimersByTime(31_000);
    expect([store.bytes, store.size]).toEqual([0, 0]);
  });

  test('one that waits for the first gets its answer also where that is too long to be kept', async () => {
    make({ maxAnswer: 10 });
    const [first, second] = await Promise.all([post('a', { body: 'x'.repeat(11) }), post('a')]);
    expect(second).toEqual({ ...first, replayed: true });
    expect(handled).toBe(1);
  });
});
