import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import * as fc from 'fast-check';
import { Deadlines } from '../../src/transport/deadlines.ts';
import { Rate } from '../../src/connection/rate.ts';
import { LIMIT_VALUES, settle } from '../support/fakes.ts';
import { frame } from '../support/frames.ts';
import { type Bed, type BedOptions, defer, NEXT, openBed } from './bed.ts';

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['queueMicrotask', 'nextTick'] });
});
afterEach(() => {
  jest.useRealTimers();
});

const wait = (seconds: number): void => {
  jest.advanceTimersByTime(seconds * 1000);
};
const open = (options: BedOptions = {}): Bed => openBed({ ...options, values: { messageRate: 10, ...options.values } });
const messages = (count: number): Buffer => Buffer.concat(Array.from({ length: count }, () => frame({ payload: 'x' })));
const closed = (text: string): string[] => [`{"opcode":"close","error":"${text}"}`, `close 1008 ${text}`];
const TOO_MANY = 'more than 10 messages a second';

describe('the rate of a client', () => {
  test('0 is no limit: nothing is kept for it', () => {
    expect(Rate.create(new Deadlines(), { ...LIMIT_VALUES, messageRate: 0, byteRate: 0 }, { onPaid() {} })).toBeNull();
    const { socket, heard, context } = openBed();
    socket.say(messages(8_000));
    expect(heard()).toHaveLength(8_000);
    expect([socket.paused, context.deadlines.size]).toEqual([false, 0]);
  });

  test('a burst of a second is taken as it comes', () => {
    const { socket, heard } = open();
    for (let i = 0; i < 5; i++) {
      socket.say(messages(10));
      expect([heard().length, socket.paused]).toEqual([10, false]);
      wait(1.2);
    }
  });

  test('a longer one is handled, and the client is read again when it is paid for', () => {
    const { socket, heard, context } = open();
    socket.say(messages(30));
    expect(heard()).toEqual(Array.from({ length: 30 }, () => NEXT));
    expect(socket.paused).toBe(true);
    wait(1.9);
    expect(socket.paused).toBe(true);
    wait(0.4);
    expect(socket.paused).toBe(false);
    expect(context.limits.counters.messageRate).toBe(0);
  });

  test('who goes on for longer than the grace is closed with 1008', () => {
    const { socket, heard, context, connection, resource } = open();
    const start = Date.now();
    // As the kernel would have it: the next ten as soon as they are read.
    while (connection.open) {
      if (!socket.paused) socket.say(messages(20));
      wait(0.1);
      expect(Date.now() - start).toBeLessThan(8000);
    }
    expect(Date.now() - start).toBeGreaterThan(2500);
    expect(heard().slice(-2)).toEqual(closed(TOO_MANY));
    expect(resource.calls.at(-1)).toEqual(['onClose', 1008, TOO_MANY]);
    expect(context.log.at('warn')).toEqual([`warn #1 192.0.2.7 /: over [limits] messageRate: ${TOO_MANY}`]);
    expect(context.limits.counters.messageRate).toBe(1);
  });

  test('so is who has sent more at once than could be paid for in that time', () => {
    const { socket, heard } = open();
    socket.say(messages(61));
    expect(heard().slice(-2)).toEqual(closed(TOO_MANY));
  });

  test('bursts with rests between them are taken for ever', () => {
    const { socket, connection } = open();
    for (let i = 0; i < 20; i++) {
      socket.say(messages(30));
      wait(4);
      expect(socket.paused).toBe(false);
    }
    expect(connection.open).toBe(true);
  });

  test.each([
    ['pings', (): Buffer => frame({ op: 9 })],
    ['pongs', (): Buffer => frame({ op: 10 })],
    ['empty messages', (): Buffer => frame()],
    ['pieces of one message', (i: number): Buffer => frame({ op: i === 0 ? 1 : 0, payload: 'x', fin: false })],
    ['pieces between bufferON and bufferOFF', (i: number): Buffer => frame({ payload: i === 0 ? 'bufferON' : 'x' })],
  ])('%s count too', (_, make) => {
    const { socket, heard } = open();
    socket.say(Buffer.concat(Array.from({ length: 10 }, (_none, i) => make(i))));
    expect(socket.paused).toBe(false);
    socket.say(make(10));
    expect(socket.paused).toBe(true);
    wait(0.5);
    expect(socket.paused).toBe(false);
    socket.say(Buffer.concat(Array.from({ length: 60 }, (_none, i) => make(i + 11))));
    expect(heard().slice(-2)).toEqual(closed(TOO_MANY));
  });

  test.each(['script', 'line'] as const)('%s clients are slowed and closed alike', (way) => {
    const { socket, heard } = open({ way });
    const many = (count: number): string | Buffer => (way === 'line' ? 'x\n'.repeat(count) : messages(count));
    socket.say(many(10));
    wait(0.09);
    expect(socket.paused).toBe(false);
    socket.say(many(5));
    expect(socket.paused).toBe(true);
    wait(0.8);
    expect(socket.paused).toBe(false);
    // Of a script no more are handled at once than may wait for their pace, and they are counted when they are.
    socket.say(many(75));
    wait(10);
    expect(heard().at(-1)).toBe(closed(TOO_MANY)[way === 'line' ? 0 : 1]);
  });

  test('bytes count by themselves, as they come over the wire', () => {
    const values = { messageRate: 0, byteRate: 1000 };
    const { socket, heard, context } = open({ values });
    socket.say(frame({ payload: 'x'.repeat(900) }));
    expect(socket.paused).toBe(false);
    // Of a frame that is not complete, too.
    socket.say(frame({ op: 2, payload: 'x'.repeat(9000) }).subarray(0, 2000));
    expect(socket.paused).toBe(true);
    wait(1.8);
    expect(socket.paused).toBe(true);
    wait(0.4);
    expect(socket.paused).toBe(false);
    socket.say(Buffer.alloc(6100));
    expect(heard().slice(-2)).toEqual(closed('more than 1000 bytes a second'));
    expect(context.limits.counters.byteRate).toBe(1);
  });

  test('what came behind the handshake counts', () => {
    const { socket } = open({ rest: messages(11) });
    expect(socket.paused).toBe(true);
  });

  test('a handler that ends meanwhile does not have it read sooner', async () => {
    const done = defer();
    const { socket, heard } = open({
      callbacks: { onData: (_, text) => (text === 'slow' ? done.promise : undefined) },
    });
    socket.say(Buffer.concat([messages(30), frame({ payload: 'slow' }), frame({ payload: 'behind' })]));
    done.resolve();
    await settle();
    expect([heard().length, socket.paused]).toEqual([31, true]);
    wait(2.5);
    expect([heard().length, socket.paused]).toEqual([1, false]);
  });

  test('nobody is pinged while he is not read', () => {
    const { socket, heard } = open({ values: { messageRate: 1, rateGrace: 100, heartbeatInterval: 2 } });
    socket.say(messages(31));
    heard();
    wait(29);
    expect([heard(), socket.paused]).toEqual([[], true]);
    wait(4);
    expect([heard(), socket.paused]).toEqual([['ping '], false]);
  });

  test('nothing is left of one that goes while it waits', () => {
    const { socket, context } = open();
    socket.say(messages(30));
    expect(context.deadlines.size).toBe(1);
    socket.reader.onClose(null);
    expect(context.deadlines.size).toBe(0);
  });

  test('PROPERTY: in the long run no client gets more through than its rate, and who keeps to it is never slowed', () => {
    const steps = fc.array(fc.record({ ms: fc.nat(3000), count: fc.nat(40) }), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(steps, (plan) => {
        const { socket, connection } = open({ values: { rateGrace: 1000 } });
        const start = Date.now();
        let taken = 0;
        let allowance = 10;
        for (const { ms, count } of plan) {
          jest.advanceTimersByTime(ms);
          allowance = Math.min(10, allowance + ms / 100);
          if (socket.paused) continue;
          const honest = allowance >= count;
          socket.say(messages(count));
          taken += count;
          allowance -= count;
          // A tick of the clock may be missing.
          if (honest && allowance >= 1) expect(socket.paused).toBe(false);
          if (allowance < -1) expect(socket.paused).toBe(true);
        }
        // A second of burst, the last chunk, and a tick.
        expect(taken).toBeLessThanOrEqual(((Date.now() - start) / 1000) * 10 + 10 + 40 + 1);
        expect(connection.open).toBe(true);
        socket.reader.onClose(null);
      }),
    );
  });
});
