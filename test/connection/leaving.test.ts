import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { Client } from '../../src/connection/client.ts';
import { settle } from '../support/fakes.ts';
import { defer, NEXT, openBed } from './bed.ts';

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['queueMicrotask', 'nextTick'] });
});
afterEach(() => {
  jest.useRealTimers();
});

describe('the time to leave', () => {
  const values = { closeTimeout: 3, writeTimeout: 10 };

  test('begins when everything is out: a slow reader gets what it is owed', () => {
    const bed = openBed({ way: 'line', values });
    bed.socket.blocked = true;
    bed.connection.client.send('x'.repeat(999));
    bed.socket.reader.onEnd();
    expect(bed.socket.ended).toBe(true);
    for (let i = 0; i < 20; i++) {
      jest.advanceTimersByTime(2_000);
      bed.socket.read(40);
      expect(bed.socket.destroyed).toBe(false);
    }
    bed.socket.read(1000);
    jest.advanceTimersByTime(2_900);
    expect(bed.socket.destroyed).toBe(false);
    jest.advanceTimersByTime(300);
    expect(bed.socket.destroyed).toBe(true);
    expect(bed.context.limits.counters.closeTimeout).toBe(1);
  });

  test('a reader that takes nothing of it for writeTimeout is cut off', () => {
    const bed = openBed({ values });
    bed.socket.blocked = true;
    bed.connection.client.send('x'.repeat(999));
    bed.connection.client.close(1000);
    jest.advanceTimersByTime(9_900);
    expect(bed.socket.destroyed).toBe(false);
    jest.advanceTimersByTime(400);
    expect(bed.socket.destroyed).toBe(true);
    expect([bed.context.limits.counters.writeTimeout, bed.context.log.at('warn').length]).toEqual([1, 1]);
    bed.socket.reader.onClose(null);
    expect(bed.resource.calls.filter(([name]) => name === 'onClose')).toEqual([['onClose', 1000, '']]);
    expect(bed.context.deadlines.size).toBe(0);
  });

  test('a client at fault has closeTimeout from its fault on, whatever it is owed', () => {
    const bed = openBed({ values });
    bed.socket.blocked = true;
    bed.connection.client.send('x'.repeat(999));
    bed.connection.fail(1008, 'at fault');
    jest.advanceTimersByTime(3_200);
    expect(bed.socket.destroyed).toBe(true);
  });
});

test('cut() does not wait for a handler: the last words go at once', async () => {
  const call = defer<undefined>();
  const bed = openBed({ callbacks: { onData: () => call.promise } });
  bed.say('a');
  bed.connection.stop(1001, 'daemon stopping');
  expect(bed.heard()).toEqual([]);
  bed.connection.cut(1001, 'daemon stopping');
  expect(bed.heard()).toEqual(['{"opcode":"close","error":"daemon stopping"}', 'close 1001 daemon stopping']);
  call.resolve(undefined);
  await settle();
  expect([bed.heard(), bed.resource.names]).toEqual([[], ['onOpen', 'a', 'onClose']]);
});

test('a resource that closes others in onClose is told of each when it is done with the one before', () => {
  const said: string[] = [];
  const others: Client[] = [];
  const onClose = (client: Client): void => {
    said.push(`${client.id} begins`);
    others.shift()?.close(1000);
    said.push(`${client.id} ends`);
  };
  const first = openBed({ callbacks: { onClose } });
  for (let i = 0; i < 2; i++)
    others.push(openBed({ callbacks: { onClose }, context: first.context }).connection.client);
  first.connection.client.close(1000);
  expect(said).toEqual(['1 begins', '1 ends', '2 begins', '2 ends', '3 begins', '3 ends']);
});

test.each([undefined, null, 5, {}])('the reason %p of a plugin in plain JavaScript still closes', (reason) => {
  const bed = openBed();
  bed.connection.client.close(1000, reason as never);
  expect(bed.heard()[0]).toMatch(/^close 1000/);
  expect(bed.socket.ended).toBe(true);
});

test('all that many messages of one chunk cause goes out, though it is more than the send queue', () => {
  const bed = openBed({
    callbacks: { onData: (client) => void client.send('x'.repeat(400)) },
    values: { sendQueue: 1000 },
  });
  bed.say('a', 'b', 'c', 'd', 'e');
  expect(bed.heard()).toEqual(Array.from({ length: 5 }, () => ['x'.repeat(400), NEXT]).flat());
});
