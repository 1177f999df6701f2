import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { frame } from '../support/frames.ts';
import { answer, asking, LATE, settle } from './askingbed.ts';
import { NEXT } from './bed.ts';

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['queueMicrotask', 'nextTick'] });
});
afterEach(() => {
  jest.useRealTimers();
});

describe('client.request', () => {
  test('sends the packet with a number, resolves with the answer, which has its next and goes no further', async () => {
    const bed = asking();
    const number = bed.ask({ text: 'who?' });
    expect(Number.isSafeInteger(number)).toBe(true);
    bed.say(answer(number, { name: 'zoe' }));
    await settle();
    expect([bed.results, bed.heard(), bed.resource.names]).toEqual([
      ['{"opcode":"answer","request":N,"name":"zoe"}'],
      [NEXT],
      ['onOpen'],
    ]);
  });

  test('an answer that comes twice, late, or of a number that is nobody’s goes no further, and is told so', async () => {
    const bed = asking();
    const number = bed.ask();
    bed.say(answer(number + 1), answer(number), answer(number));
    await settle();
    expect([bed.results.length, bed.heard()]).toEqual([1, [LATE, NEXT, LATE]]);
    const late = bed.ask({}, 2000);
    jest.advanceTimersByTime(2300);
    await settle();
    bed.say(answer(late));
    expect([bed.results[1], bed.heard()]).toEqual(['RequestError timeout: no answer to q within 2 s', [LATE]]);
    expect(bed.resource.names).toEqual(['onOpen']);
  });

  test('a client that was never asked says answer as it likes; and so does one that was, without a number', async () => {
    const bed = asking();
    bed.say(answer(1), '{"opcode":"answer"}');
    await settle();
    expect(bed.heard()).toEqual([answer(1), NEXT, '{"opcode":"answer"}', NEXT]);
    bed.ask();
    for (const text of [
      '{"opcode":"answer"}',
      '{"opcode":"answer","request":"1"}',
      '["answer"]',
      '"answer',
      'null "answer"',
    ]) {
      bed.say(text);
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      await settle();
      expect(bed.heard()).toEqual([text, NEXT]);
    }
    bed.socket.say(frame({ op: 2, payload: answer(1) }));
    await settle();
    expect(bed.heard()).toEqual([answer(1), NEXT]);
  });

  test('an error is a refusal', async () => {
    const bed = asking();
    bed.say(answer(bed.ask(), { error: 'not now' }));
    bed.say(answer(bed.ask(), { error: { code: 1 } }));
    await settle();
    expect(bed.results).toEqual([
      'RequestError refused: not now',
      '{"opcode":"answer","request":N,"error":{"code":1}}',
    ]);
  });

  test('answers come in any order', async () => {
    const bed = asking();
    const [one, two] = [bed.ask(), bed.ask()];
    bed.say(answer(two, { n: 2 }), answer(one, { n: 1 }));
    await settle();
    expect(bed.results.map((result) => (JSON.parse(result.replace('N', '0')) as { n: number }).n)).toEqual([2, 1]);
  });

  test('rejects as closed when the client goes, and at once when it has gone', async () => {
    const bed = asking();
    bed.ask();
    bed.socket.say(frame({ op: 8, payload: Buffer.from([3, 232]) }));
    await settle();
    expect(bed.results).toEqual(['RequestError closed: the client has gone, or cannot be asked']);
    await expect(bed.client.request({ opcode: 'q' })).rejects.toMatchObject({ name: 'RequestError', code: 'closed' });
    bed.socket.reader.onClose(null);
    expect(bed.context.deadlines.size).toBe(0);
  });

  test('more than maxRequests that wait are rejected, counted, and logged once', async () => {
    const bed = asking();
    bed.ask();
    const second = bed.ask();
    for (let i = 0; i < 3; i++) expect(bed.ask()).toBeUndefined();
    await settle();
    const text = 'more than 2 requests that wait for answers of one client';
    expect(bed.results).toEqual(Array.from({ length: 3 }, () => `RequestError limit: ${text}`));
    expect(bed.context.limits.counters.maxRequests).toBe(3);
    expect(bed.context.log.at('warn')).toEqual([`warn #1 192.0.2.7 /: over [limits] maxRequests: ${text}: refused`]);
    bed.say(answer(second));
    expect(bed.ask()).toEqual(expect.any(Number));
  });

  test.each([
    [{ opcode: 'q', request: 1 }, {}, TypeError, 'has no field "request" of its own'],
    ['text', {}, TypeError, 'an object with an opcode'],
    [undefined, {}, TypeError, 'an object with an opcode'],
    [{ opcode: 'q' }, { timeout: 0 }, RangeError, 'not 0'],
    [{ opcode: 'q' }, { timeout: Infinity }, RangeError, 'not Infinity'],
    [{ opcode: 'q' }, { timeout: 'soon' }, RangeError, 'not soon'],
  ])('%j with %j is no request', async (packet, options, kind, text) => {
    const bed = asking();
    const asked = bed.client.request(packet as never, options as never);
    await expect(asked).rejects.toThrow(kind);
    await expect(asked).rejects.toThrow(text);
    expect(bed.heard()).toEqual([]);
  });

  test('what JSON cannot hold is rejected, and leaves nothing behind', async () => {
    const bed = asking();
    await expect(bed.client.request({ opcode: 'q', big: 1n })).rejects.toThrow('BigInt');
    expect(bed.context.deadlines.size).toBe(0);
    expect([bed.ask(), bed.ask()]).toEqual([expect.any(Number), expect.any(Number)]);
  });

  test('there is none without the dialog', async () => {
    const bed = asking({ route: { dialog: false } });
    await expect(bed.client.request({ opcode: 'q' })).rejects.toThrow(
      new TypeError('at a resource with dialog = false no client can be asked'),
    );
  });

  test('text as Buffers, and borrowed, is looked at as well', async () => {
    const bed = asking({ route: { textAsBuffer: true, borrowed: true } });
    bed.say(answer(bed.ask()));
    await settle();
    expect([bed.results.length, bed.heard(), bed.resource.names]).toEqual([1, [NEXT], ['onOpen']]);
  });
});

describe('script clients', () => {
  test('answer what they are asked from outside of their handlers', async () => {
    const bed = asking({ way: 'script' });
    jest.advanceTimersByTime(20);
    void bed.client.request({ opcode: 'q' }).then(({ n }) => bed.results.push(`got ${String(n)}`));
    jest.advanceTimersByTime(20);
    const [number] = bed.numbers(bed.heard());
    bed.say(answer(number, { n: 5 }));
    await settle();
    jest.advanceTimersByTime(20);
    expect([bed.results, bed.heard()]).toEqual([['got 5'], [NEXT]]);
  });

  test('get the request of their own handler behind its next: who waits for it there waits for nothing', async () => {
    const bed = asking({ way: 'script' });
    jest.advanceTimersByTime(20);
    bed.say('ask');
    jest.advanceTimersByTime(10_300);
    await settle();
    jest.advanceTimersByTime(20);
    expect(bed.results).toEqual(['RequestError timeout: no answer to q within 10 s']);
    const words = bed.heard();
    expect([words[0], bed.numbers(words).length]).toEqual([NEXT, 1]);
  });
});
