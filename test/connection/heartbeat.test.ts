import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import * as fc from 'fast-check';
import { FakeSocket, settle } from '../support/fakes.ts';
import { frame } from '../support/frames.ts';
import { type BedOptions, type Bed, defer, NEXT, openBed } from './bed.ts';

/** Two ticks: how late a deadline may be. */
const LATEST = 200;

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['queueMicrotask', 'nextTick'] });
});
afterEach(() => {
  jest.useRealTimers();
});

const VALUES = { heartbeatInterval: 25, heartbeatTimeout: 10, idleTimeout: 0 };
const GONE = 'no answer to a ping within 10 s';
const CLOSED = [`{"opcode":"close","error":"${GONE}"}`, `close 4408 ${GONE}`];
const open = (options: BedOptions = {}): Bed => openBed({ ...options, values: { ...VALUES, ...options.values } });
const wait = (seconds: number): void => {
  jest.advanceTimersByTime(seconds * 1000);
};
const pong = (socket: FakeSocket): void => socket.say(frame({ op: 10 }));

describe('a web client that sends nothing', () => {
  test('is pinged after the interval, and closed with 4408 after the timeout', () => {
    const { socket, heard, context, resource } = open();
    wait(24.9);
    expect(heard()).toEqual([]);
    wait(0.3);
    expect(heard()).toEqual(['ping ']);
    wait(9.7);
    expect(heard()).toEqual([]);
    wait(0.5);
    expect(heard()).toEqual(CLOSED);
    expect(resource.calls.at(-1)).toEqual(['onClose', 4408, GONE]);
    expect(context.log.at('warn')).toEqual([`warn #1 192.0.2.7 /: over [heartbeat] timeout: ${GONE}`]);
    expect(context.limits.counters.heartbeatTimeout).toBe(1);
    wait(5 + LATEST / 1000);
    expect(socket.destroyed).toBe(true);
    expect(context.deadlines.size).toBe(0);
  });

  test('lives on by its pongs alone, pinged each interval', () => {
    const { socket, heard } = open();
    for (let i = 0; i < 5; i++) {
      wait(25 + LATEST / 1000);
      expect(heard()).toEqual(['ping ']);
      pong(socket);
    }
  });

  test('is not kept by what it is sent', () => {
    const { connection, heard } = open();
    for (let i = 0; i < 24; i++) {
      wait(1);
      connection.client.send('news');
    }
    wait(1 + LATEST / 1000);
    expect(heard().at(-1)).toBe('ping ');
    for (let i = 0; i < 9; i++) {
      wait(1);
      connection.client.send('news');
    }
    wait(1 + LATEST / 1000);
    expect(heard().slice(-2)).toEqual(CLOSED);
  });

  test('interval 0: is never pinged, nor closed, and nothing is armed for it', () => {
    const { heard, context } = open({ values: { heartbeatInterval: 0 } });
    expect(context.deadlines.size).toBe(0);
    wait(100_000);
    expect(heard()).toEqual([]);
  });
});

describe('a sign of life', () => {
  test('is whatever comes: a message, a ping, a part of a frame', () => {
    const long = frame({ payload: 'abcdef' });
    const signs = [
      [frame({ payload: 'x' }), frame({ op: 10 })],
      [frame({ op: 9 }), frame({ payload: 'x' })],
      [long.subarray(0, 3), long.subarray(3, 5)],
    ];
    for (const [sign, answer] of signs) {
      const { socket, heard } = open();
      wait(20);
      socket.say(sign);
      heard();
      wait(24.5);
      expect(heard()).toEqual([]);
      wait(1);
      expect(heard()).toEqual(['ping ']);
      wait(5);
      socket.say(answer);
      heard();
      wait(24.5);
      expect(heard()).toEqual([]);
    }
  });

  test('PROPERTY: nobody is pinged before the interval is over since the last, or later than two looks', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 24_000 }), { maxLength: 12 }), (gaps) => {
        const { socket, heard } = open();
        for (const gap of gaps) {
          jest.advanceTimersByTime(gap);
          socket.say(frame({ op: 10 }));
        }
        expect(heard()).toEqual([]);
        // What was read is known to a tick.
        jest.advanceTimersByTime(25_000 - LATEST);
        expect(heard()).toEqual([]);
        jest.advanceTimersByTime(2 * LATEST);
        expect(heard()).toEqual(['ping ']);
        socket.reader.onClose(null);
      }),
    );
  });
});

describe('who is not to blame for his silence', () => {
  test('a client whose message is being handled: it is not read', async () => {
    const done = defer();
    const { say, heard, connection } = open({ callbacks: { onData: () => done.promise } });
    say('slow');
    wait(50);
    expect(heard()).toEqual([]);
    done.resolve();
    await settle();
    expect(heard()).toEqual([NEXT]);
    wait(24.5);
    expect(heard()).toEqual([]);
    wait(1);
    expect(heard()).toEqual(['ping ']);
    expect(connection.open).toBe(true);
  });

  test('a client that was pinged before its message is handled', async () => {
    const done = defer();
    const { say, heard } = open({ callbacks: { onData: () => done.promise } });
    wait(25.2);
    say('slow');
    wait(50);
    done.resolve();
    await settle();
    expect(heard()).toEqual(['ping ', NEXT]);
  });

  test('a client that has still to read what it was sent: that is for writeTimeout to judge', () => {
    const socket = new FakeSocket();
    const { connection, heard } = open({ socket, values: { writeTimeout: 300 } });
    socket.blocked = true;
    connection.client.send('much');
    heard();
    wait(200);
    expect(heard()).toEqual([]);
    socket.blocked = false;
    socket.read(1000);
    let pings = 0;
    for (let seconds = 0; seconds < 26; seconds++) {
      wait(1);
      for (const word of heard()) {
        expect(word).toBe('ping ');
        pings++;
        pong(socket);
      }
    }
    expect(pings).toBe(1);
    expect(connection.open).toBe(true);
  });

  test('a handler that takes too long is closed for that, as before', () => {
    const { say, heard, context } = open({ callbacks: { onData: () => new Promise(() => {}) } });
    say('slow');
    wait(60 + LATEST / 1000);
    expect(heard().at(-1)).toBe('close 1011 the resource took longer than 60 s');
    expect(context.limits.counters.heartbeatTimeout).toBe(0);
  });
});

describe('scripts and line clients', () => {
  test.each(['script', 'line'] as const)('%s: are never pinged, and stay for ever', (way) => {
    const { heard, connection } = open({ way });
    wait(100_000);
    expect(heard()).toEqual([]);
    expect(connection.open).toBe(true);
  });

  test.each(['script', 'line'] as const)('%s: idleTimeout closes those that send nothing, with 4408', (way) => {
    const { heard, say, connection, context } = open({ way, values: { idleTimeout: 100 } });
    wait(90);
    say('x');
    wait(90);
    connection.client.send('news');
    expect(connection.open).toBe(true);
    wait(10.5);
    expect(connection.open).toBe(false);
    wait(1);
    const text = 'nothing was sent for 100 s';
    const last = way === 'script' ? `close 4408 ${text}` : `{"opcode":"close","error":"${text}"}`;
    expect(heard().at(-1)).toBe(last);
    expect(context.log.at('warn')).toEqual([`warn #1 192.0.2.7 /: over [limits] idleTimeout: ${text}`]);
    expect(context.limits.counters.idleTimeout).toBe(1);
  });

  test('idleTimeout is nothing to web clients', () => {
    const { heard } = open({ values: { idleTimeout: 5, heartbeatInterval: 0 } });
    wait(100);
    expect(heard()).toEqual([]);
  });
});
