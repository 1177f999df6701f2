import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { frame } from '../support/frames.ts';
import { type Bed, type BedOptions, defer, openBed } from './bed.ts';

const TEXT = 'a message that was not complete within 2 s';

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['queueMicrotask', 'nextTick'] });
});
afterEach(() => {
  jest.useRealTimers();
});

function open(options: BedOptions = {}): Bed {
  const bed = openBed({ ...options, values: { messageTimeout: 2, ...options.values } });
  bed.heard();
  return bed;
}

/** A byte each half second, until it is closed. */
function trickle(bed: Bed, bytes: Buffer): number {
  let count = 0;
  for (const byte of bytes) {
    if (!bed.connection.open) break;
    count++;
    bed.socket.say(Buffer.from([byte]));
    jest.advanceTimersByTime(500);
  }
  return count;
}

describe('messageTimeout', () => {
  test.each([
    ['a frame header', frame({ payload: Buffer.alloc(70_000) }), 'web'],
    ['a payload', frame({ payload: 'much' }), 'web'],
    ['the payload of a ping', frame({ op: 9, payload: 'much' }), 'web'],
    ['a line', Buffer.from('"long lines"\n'), 'line'],
  ] as const)('%s that trickles: 4408, however alive its bytes are', (_, bytes, way) => {
    const bed = open({ way });
    expect(trickle(bed, bytes)).toBeLessThan(7);
    const packet = JSON.stringify({ opcode: 'close', error: TEXT });
    expect(bed.heard()).toEqual(way === 'line' ? [packet] : [packet, `close 4408 ${TEXT}`]);
    expect(bed.context.limits.counters.messageTimeout).toBe(1);
    expect(bed.context.log.at('warn')).toEqual([`warn #1 192.0.2.7 /: over [limits] messageTimeout: ${TEXT}`]);
    bed.socket.reader.onClose(null);
    expect(bed.context.deadlines.size).toBe(0);
  });

  test('fragments that trickle, with pings between them, are one message', () => {
    const bed = open();
    bed.socket.say(frame({ payload: 'a', fin: false }));
    for (let i = 0; i < 6; i++) {
      bed.socket.say(Buffer.concat([frame({ op: 9 }), frame({ op: 0, payload: 'b', fin: false })]));
      jest.advanceTimersByTime(500);
    }
    expect(bed.heard().slice(-1)).toEqual([`close 4408 ${TEXT}`]);
  });

  test('each message has its own time: who sends one after the other, cut anywhere, is not late', () => {
    const bed = open({ route: { dialog: false } });
    const stream = Buffer.concat(Array.from({ length: 20 }, () => frame({ payload: 'x'.repeat(200) })));
    for (let at = 0; at < stream.length; at += 130) {
      bed.socket.say(stream.subarray(at, at + 130));
      jest.advanceTimersByTime(900);
    }
    expect(bed.connection.open).toBe(true);
    expect(bed.resource.calls.filter(([name]) => name === 'onData')).toHaveLength(20);
    expect(bed.context.deadlines.size).toBe(0);
  });

  test('pieces after bufferON and pings in a row are each complete in time', () => {
    const bed = open();
    const stream = Buffer.concat(
      ['bufferON', 'one', 'two', 'bufferOFF'].flatMap((payload) => [
        frame({ payload }),
        frame({ op: 9, payload: 'p' }),
      ]),
    );
    for (let at = 0; at < stream.length; at += 5) {
      bed.socket.say(stream.subarray(at, at + 5));
      jest.advanceTimersByTime(450);
    }
    expect(bed.connection.open).toBe(true);
    expect(bed.resource.calls.filter(([name]) => name === 'onData')).toHaveLength(1);
  });

  test('while its handler is busy nothing is read, and nothing is late', async () => {
    const handled = defer();
    const bed = open({ callbacks: { onData: () => handled.promise } });
    const next = frame({ payload: 'next' });
    bed.socket.say(Buffer.concat([frame({ payload: 'first' }), next.subarray(0, 3)]));
    jest.advanceTimersByTime(30_000);
    expect([bed.connection.open, bed.socket.paused]).toEqual([true, true]);
    handled.resolve();
    for (let i = 0; i < 10; i++) await Promise.resolve(); // oxlint-disable-line no-await-in-loop
    jest.advanceTimersByTime(1_500);
    expect(bed.connection.open).toBe(true);
    jest.advanceTimersByTime(1_000);
    expect(bed.context.limits.counters.messageTimeout).toBe(1);
  });

  test('while it is owed too much nothing is read, and nothing is late', () => {
    const bed = open({ route: { dialog: false }, values: { sendQueue: 100, writeTimeout: 60 } });
    bed.socket.blocked = true;
    bed.socket.say(frame({ payload: 'much' }).subarray(0, 3));
    bed.connection.client.send('x'.repeat(90));
    expect(bed.socket.paused).toBe(true);
    jest.advanceTimersByTime(30_000);
    expect(bed.connection.open).toBe(true);
  });

  test('0: no limit', () => {
    const bed = open({ values: { messageTimeout: 0 } });
    expect(trickle(bed, frame({ payload: 'a message' }))).toBe(15);
    expect([bed.connection.open, bed.context.deadlines.size]).toEqual([true, 0]);
  });
});
