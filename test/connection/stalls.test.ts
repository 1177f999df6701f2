import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { Stalls } from '../../src/connection/stalls.ts';
import { FakeLog } from '../support/fakes.ts';
import { openBed } from './bed.ts';

const A = { id: 1, who: '#1 192.0.2.7 /a' };
const B = { id: 2, who: '#2 192.0.2.8 /b' };
const said = (who: string, seconds: string, warn = 1): string =>
  `warn ${who}: its handler held the event loop for ${seconds} s, and everybody waited ([log] stallWarn is ${warn} s)`;

describe('handlers', () => {
  let now: number;
  let log: FakeLog;
  let stalls: Stalls;
  beforeEach(() => {
    now = 5000;
    log = new FakeLog();
    stalls = new Stalls(log, 1, () => now);
  });

  test('one that takes longer than stallWarn is told of, with its client and how long', () => {
    const began = stalls.begin();
    now += 1001;
    stalls.end(began, A);
    expect(log.lines).toEqual([said(A.who, '1.0')]);
  });

  test('one that takes no longer is not', () => {
    for (let i = 0; i < 5; i++) {
      const began = stalls.begin();
      now += 1000;
      stalls.end(began, A);
    }
    expect(log.lines).toEqual([]);
  });

  test('what the handler of another took is that one alone', () => {
    const outer = stalls.begin();
    now += 600;
    const inner = stalls.begin();
    now += 2000;
    stalls.end(inner, B);
    now += 300;
    stalls.end(outer, A);
    expect(log.lines).toEqual([said(B.who, '2.0')]);
    const next = stalls.begin();
    now += 1500;
    stalls.end(next, A);
    expect(log.lines.slice(1)).toEqual([said(A.who, '1.5')]);
  });

  test('0: the clock is not even looked at', () => {
    const clock = jest.fn(() => 1);
    const off = new Stalls(log, 0, clock);
    off.end(off.begin(), A);
    off.start();
    expect(clock).not.toHaveBeenCalled();
    expect(log.lines).toEqual([]);
  });
});

describe('what no handler accounts for', () => {
  let late: number;
  let log: FakeLog;
  let stalls: Stalls;
  beforeEach(() => {
    jest.useFakeTimers();
    late = 0;
    log = new FakeLog();
    stalls = new Stalls(log, 1, () => Date.now() + late);
    stalls.start();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  const ELSEWHERE =
    'not in a handler (a timer or promise of a resource, many handlers together, a busy machine): something held the event loop for 3.0 s';

  test('is told of once, when it has ended', () => {
    jest.advanceTimersByTime(10_000);
    expect(log.lines).toEqual([]);
    late += 3000;
    jest.advanceTimersByTime(10_000);
    expect(log.lines).toEqual([`warn ${ELSEWHERE}, and everybody waited ([log] stallWarn is 1 s)`]);
  });

  test('names whose promise was the last to settle, for it may be the rest of that handler', () => {
    stalls.last = A;
    late += 3000;
    jest.advanceTimersByTime(250);
    expect(log.lines[0]).toContain(
      `a busy machine; the last asynchronous handler to end was that of ${A.who}): something held`,
    );
  });

  test('what a handler took is not told of again', () => {
    const began = stalls.begin();
    late += 3000;
    stalls.end(began, A);
    jest.advanceTimersByTime(10_000);
    expect(log.lines).toEqual([said(A.who, '3.0')]);
  });
});

describe('each callback is watched', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });
  const slow = (): undefined => {
    jest.setSystemTime(Date.now() + 2000);
    return undefined;
  };

  test.each(['onOpen', 'onData', 'onOther', 'onClose', 'onError'] as const)('%s', (name) => {
    const onData = (): never => {
      throw new Error('x');
    };
    const callbacks = name === 'onError' ? { onData, onError: slow } : { [name]: slow };
    const { say, socket, context, connection } = openBed({ stallWarn: 1, callbacks });
    say('hello');
    if (name === 'onOther') socket.reader.onDrain();
    if (name === 'onClose') socket.reader.onClose(null);
    expect(context.log.at('warn')).toEqual([said('#1 192.0.2.7 /', '2.0')]);
    connection.destroy();
  });

  test('whose promise was the last is forgotten when its client goes', async () => {
    const { say, socket, context } = openBed({ stallWarn: 1, callbacks: { onData: async () => undefined } });
    say('hello');
    await Promise.resolve();
    await Promise.resolve();
    expect(context.stalls.last).toMatchObject({ who: '#1 192.0.2.7 /' });
    socket.reader.onClose(null);
    expect(context.stalls.last).toBeNull();
  });
});
