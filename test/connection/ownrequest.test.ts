import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { frame } from '../support/frames.ts';
import { answer, asking, LATE, settle } from './askingbed.ts';
import { type Bed, defer, NEXT, openBed } from './bed.ts';

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['queueMicrotask', 'nextTick'] });
});
afterEach(() => {
  jest.useRealTimers();
});

describe('a handler that waits for an answer of its own client', () => {
  test.each(['web', 'line'] as const)('has it, and every next is in order (%s)', async (way) => {
    const bed = asking({ way });
    bed.say('ask', 'a', 'b');
    const [number] = bed.numbers(bed.heard());
    bed.say('c', answer(number, { n: 1 }), 'd');
    expect(bed.heard()).toEqual([]);
    await settle();
    expect(bed.results).toEqual(['{"opcode":"answer","request":N,"n":1}']);
    // Of the question, then of those behind it, the answer among them.
    expect(bed.heard()).toEqual([NEXT, 'a', NEXT, 'b', NEXT, 'c', NEXT, NEXT, 'd', NEXT]);
    expect(bed.socket.paused).toBe(false);
    bed.say('e');
    await settle();
    expect(bed.heard()).toEqual(['e', NEXT]);
  });

  test('all in one chunk, but for the answer', async () => {
    const bed = asking();
    bed.socket.say(Buffer.concat(['ask', 'a', 'ask', 'b'].map((text) => frame({ payload: text }))));
    const [first] = bed.numbers(bed.heard());
    bed.say(answer(first));
    await settle();
    const words = bed.heard();
    const [second] = bed.numbers(words);
    expect(words.slice(0, 3)).toEqual([NEXT, 'a', NEXT]);
    bed.say(answer(second));
    await settle();
    expect([bed.results.length, bed.heard()]).toEqual([2, [NEXT, 'b', NEXT, NEXT, NEXT]]);
  });

  test('may ask when it has waited for something else before: what has come by then is looked at', async () => {
    const [before, after] = [defer(), defer()];
    const bed = asking({
      callbacks: {
        onData: async (client, message) => {
          if (String(message) !== 'wait') return;
          await before.promise;
          await client.request({ opcode: 'q' });
          await after.promise;
        },
      },
    });
    bed.say('wait', 'a');
    expect(bed.socket.paused).toBe(true);
    before.resolve();
    await settle();
    const [number] = bed.numbers(bed.heard());
    expect(bed.socket.paused).toBe(false);
    bed.say(answer(number));
    await settle();
    // Nothing is waited for any more, but the handler goes on.
    expect([bed.socket.paused, bed.heard()]).toEqual([true, []]);
    after.resolve();
    await settle();
    expect([bed.socket.paused, bed.heard()]).toEqual([false, [NEXT, NEXT, NEXT]]);
  });

  test('may ask in onOpen, where messages have come with the handshake', async () => {
    let asked: unknown = null;
    const bed = openBed({
      rest: frame({ payload: 'early' }),
      callbacks: {
        onOpen: async (client) => {
          asked = await client.request({ opcode: 'q' });
        },
        onData: (client, message) => void client.send(`got ${String(message)}`),
      },
    });
    const words = bed.heard();
    const { request } = JSON.parse(words.find((word) => word.includes('request')) ?? '{}') as { request: number };
    bed.say(answer(request));
    await settle();
    expect([asked, bed.heard()]).toEqual([{ opcode: 'answer', request }, ['got early', NEXT, NEXT]]);
  });

  test('may ask as often as it likes', async () => {
    const bed = asking({
      callbacks: {
        onData: async (client) => {
          for (let i = 0; i < 40; i++) {
            // oxlint-disable-next-line no-await-in-loop -- one after the other
            const { n } = await client.request({ opcode: 'q', i });
            if (n !== i) throw new Error(`${String(n)}, not ${i}`);
          }
          return { done: true };
        },
      },
    });
    bed.say('go');
    for (let i = 0; i < 40; i++) {
      bed.say(answer(bed.numbers(bed.heard())[0], { n: i }));
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      await settle();
    }
    expect(bed.heard()).toEqual(['{"opcode":"next","fyi":"","done":true}', ...Array.from({ length: 40 }, () => NEXT)]);
  });

  test('of very many answers in one handler the oldest are forgotten, and told so when it is their turn', async () => {
    const bed = asking({
      values: { maxPayload: 1_000_000 },
      callbacks: {
        onData: async (client) => {
          // oxlint-disable-next-line no-await-in-loop -- one after the other
          for (let i = 0; i < 1030; i++) await client.request({ opcode: 'q' });
        },
      },
    });
    bed.say('go');
    for (let i = 0; i < 1030; i++) {
      bed.say(answer(bed.numbers(bed.heard())[0]));
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      await settle();
    }
    await settle();
    const nexts = bed.heard();
    expect([nexts.length, nexts.lastIndexOf(LATE), nexts.filter((next) => next === LATE).length]).toEqual([1031, 6, 6]);
  });

  test('a long message behind it is in order as well, cut inside a character', async () => {
    const bed = asking();
    bed.say('ask', 'bufferON');
    const [number] = bed.numbers(bed.heard());
    const [head, tail] = [Buffer.from('ü').subarray(0, 1), Buffer.from('ü').subarray(1)];
    for (const payload of [head, tail, 'bufferOFF', 'bufferON', head, tail]) bed.socket.say(frame({ payload }));
    // Inside of a message in pieces it is a piece.
    bed.say(answer(number), 'bufferOFF', answer(number, { n: 2 }));
    await settle();
    expect(bed.results).toEqual(['{"opcode":"answer","request":N,"n":2}']);
    const nexts = Array.from({ length: 4 }, () => NEXT);
    expect(bed.heard()).toEqual([NEXT, ...nexts, 'ü', ...nexts, NEXT, `ü${answer(number)}`, NEXT]);
    bed.say('ü');
    await settle();
    expect(bed.heard()).toEqual(['ü', NEXT]);
  });

  test('a handler behind it that asks as well does not make a text of what is still a piece', async () => {
    const bed = asking();
    bed.ask(); // it is read on for that, whatever the handler waits for
    bed.say('ask');
    const [first] = bed.numbers(bed.heard());
    const [head, tail] = [Buffer.from('ü').subarray(0, 1), Buffer.from('ü').subarray(1)];
    bed.say('bufferON', 'x', 'bufferOFF', 'ask', answer(first), 'bufferON');
    bed.socket.say(frame({ payload: head }));
    await settle();
    const words = bed.heard();
    const [second] = bed.numbers(words);
    expect(words.filter((word) => !word.includes('request'))).toEqual([NEXT, NEXT, NEXT, NEXT, 'x']);
    bed.socket.say(frame({ payload: tail }));
    bed.say('bufferOFF', answer(second));
    await settle();
    expect(bed.results).toHaveLength(2);
    expect(bed.heard()).toEqual([...Array.from({ length: 6 }, () => NEXT), 'ü', NEXT]);
  });

  test('pings are answered meanwhile; a Close frame waits for its turn, and ends the waiting', async () => {
    const bed = asking();
    bed.say('ask', 'a');
    bed.heard();
    bed.socket.say(frame({ op: 9, payload: 'p' }), frame({ op: 8, payload: Buffer.from([3, 232]) }));
    expect(bed.heard()).toEqual(['pong p']);
    await settle();
    expect(bed.results).toEqual(['RequestError closed: the client has gone, or cannot be asked']);
    expect(bed.heard()).toEqual([NEXT, 'a', NEXT, 'close 1000']);
    expect(bed.resource.names.slice(-2)).toEqual(['close', 'onClose']);
  });

  test('what is wrong with the bytes behind ends the waiting, and is told when it is its turn', async () => {
    const bed = asking();
    bed.say('ask', 'a');
    bed.heard();
    bed.socket.say(frame({ payload: Buffer.from([0xff]) }));
    await settle();
    expect(bed.results).toEqual(['RequestError closed: the client has gone, or cannot be asked']);
    const text = 'a text message is not UTF-8';
    expect(bed.heard()).toEqual([NEXT, 'a', NEXT, `{"opcode":"close","error":"${text}"}`, `close 1007 ${text}`]);
  });

  test('the FIN of a line client ends the waiting; what came before it is handled', async () => {
    const bed = asking({ way: 'line' });
    bed.say('ask', 'a');
    bed.heard();
    bed.socket.say('last');
    bed.socket.reader.onEnd();
    await settle();
    expect(bed.results).toEqual(['RequestError closed: the client has gone, or cannot be asked']);
    expect([bed.heard(), bed.socket.ended]).toEqual([[NEXT, 'a', NEXT, 'last', NEXT], true]);
  });

  test('a close by the resource ends the waiting', async () => {
    const bed = asking();
    bed.say('ask');
    bed.client.close(4001, 'enough');
    await settle();
    expect(bed.results).toEqual(['RequestError closed: the client has gone, or cannot be asked']);
    expect(bed.heard().slice(-1)).toEqual(['close 4001 enough']);
  });

  test.each([
    ['its client goes', (bed: Bed) => bed.socket.reader.onClose(null), 1006],
    ['the daemon stops', (bed: Bed) => bed.connection.stop(1001, 'daemon stopping'), 1001],
  ])('that leaves the rejection alone has not failed, when %s', async (_, end, code) => {
    const bed = asking({
      callbacks: { onData: async (client) => void (await client.request({ opcode: 'q' })) },
    });
    bed.say('go');
    end(bed);
    await settle();
    expect(bed.context.log.at('error', 'warn')).toEqual([]);
    expect(bed.resource.names).toEqual(['onOpen', 'go', 'onClose']);
    expect(bed.resource.calls.at(-1)).toEqual(expect.arrayContaining([code]));
  });

  test('fails as any, where the answer does not come in time', async () => {
    const bed = asking({
      callbacks: { onData: async (client) => void (await client.request({ opcode: 'q' }, { timeout: 1000 })) },
    });
    bed.say('go');
    jest.advanceTimersByTime(1300);
    await settle();
    expect(bed.heard().at(-1)).toBe('close 1011 the resource failed');
    expect(bed.context.log.at('error')[0]).toContain('no answer to q within 1 s');
  });

  test('its time is that of any handler', async () => {
    const bed = asking({ values: { handlerTimeout: 2 } });
    bed.say('ask');
    jest.advanceTimersByTime(2300);
    await settle();
    expect(bed.heard().at(-1)).toBe('close 1011 the resource took longer than 2 s');
    expect(bed.results).toEqual(['RequestError closed: the client has gone, or cannot be asked']);
  });
});

describe('what is read while an answer is waited for', () => {
  test('is bounded by maxPayload: then nothing more is, and what came is handled in the end', async () => {
    const bed = asking({ values: { maxPayload: 1000 } });
    bed.say('ask');
    const [number] = bed.numbers(bed.heard());
    const text = 'x'.repeat(400);
    bed.say(text, text);
    expect(bed.socket.paused).toBe(false);
    bed.say(text);
    expect(bed.socket.paused).toBe(true);
    bed.say(answer(number)); // it was on its way
    await settle();
    expect(bed.results).toEqual([]);
    jest.advanceTimersByTime(10_300);
    await settle();
    expect(bed.results).toEqual(['RequestError timeout: no answer to q within 10 s']);
    expect(bed.heard()).toEqual([NEXT, text, NEXT, text, NEXT, text, NEXT, LATE]);
    expect(bed.socket.paused).toBe(false);
  });

  test('empty messages count as well', async () => {
    const bed = asking({ values: { maxPayload: 1000 } });
    bed.say('ask');
    bed.heard();
    let count = 0;
    for (; !bed.socket.paused && count < 1000; count++) bed.say('');
    expect(count).toBe(16);
    bed.client.close();
    await settle();
  });

  test('stops for a client that does not read, and goes on when it does', async () => {
    const bed = asking({
      callbacks: {
        onData: async (client, message) => {
          if (String(message) !== 'ask') return;
          client.send('y'.repeat(30_000));
          await client.request({ opcode: 'q' });
        },
      },
    });
    bed.socket.blocked = true;
    bed.say('ask');
    expect(bed.socket.paused).toBe(true);
    const [number] = bed.numbers(bed.heard().slice(1));
    bed.socket.blocked = false;
    bed.socket.read(100_000);
    expect(bed.socket.paused).toBe(false);
    bed.say(answer(number));
    await settle();
    expect(bed.heard()).toEqual([NEXT, NEXT]);
  });
});
