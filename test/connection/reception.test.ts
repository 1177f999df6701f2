import { describe, expect, jest, test } from '@jest/globals';
import { Reception } from '../../src/connection/reception.ts';
import {
  type ContextOptions,
  type FakeContext,
  fakeContext,
  fakeRoute,
  FakeResource,
  FakeSocket,
} from '../support/fakes.ts';
import { head } from './openerbed.ts';

interface Hall {
  readonly reception: Reception;
  readonly context: FakeContext;
  /** One from `ip` is accepted. */
  readonly come: (ip: string, counted?: boolean) => FakeSocket;
}

function open(values: ContextOptions['values'] = {}): Hall {
  const context = fakeContext({ values, routes: [fakeRoute(new FakeResource())] });
  const reception = new Reception(context);
  const come = (ip: string, counted = false): FakeSocket => {
    const socket = Object.assign(new FakeSocket(), { ip });
    reception.accept(socket, counted);
    return socket;
  };
  return { reception, context, come };
}

const IP = '192.0.2.1';
const OTHER = '192.0.2.2';

describe('who is accepted', () => {
  test('counts from then on, before a byte of it has come', () => {
    const { come, context } = open();
    const sockets = [come(IP), come(OTHER)];
    expect([context.admission.count, context.waiting.size]).toEqual([2, 2]);
    for (const { reader } of sockets) reader.onClose(null);
    expect([context.admission.count, context.waiting.size]).toEqual([0, 0]);
  });

  test('of a rush at maxClients as many are let in as there is room for: who is told to go takes no place', () => {
    const { come, context } = open({ maxClients: 10 });
    const sockets = Array.from({ length: 20 }, () => come(IP));
    for (const socket of sockets) socket.say(head());
    expect(context.registry.clients.size).toBe(10);
    expect(context.limits.counters.maxClients).toBe(10);
    for (const { reader } of sockets) reader.onClose(null);
    expect(context.admission.count).toBe(0);
    for (let i = 0; i < 11; i++) come(IP).say(head());
    expect([context.registry.clients.size, context.limits.counters.maxClients]).toEqual([10, 11]);
  });

  test('while the daemon stops: is gone at once, and counts no more', () => {
    const { come, context, reception } = open();
    expect(reception.enter(IP)).toBe(true);
    context.draining = true;
    expect([come(IP, true).destroyed, come(OTHER).destroyed]).toEqual([true, true]);
    expect(context.admission.count).toBe(0);
    expect(reception.enter(IP)).toBe(false);
  });

  test('too fast: a few are told so, others are gone at once', () => {
    const { come, context } = open({ connectRate: 1, maxClients: 1000 });
    for (let i = 0; i < 10; i++) expect(come(IP).destroyed).toBe(false);
    const told = Array.from({ length: 32 }, () => come(IP));
    expect(told.some(({ destroyed }) => destroyed)).toBe(false);
    expect(come(IP).destroyed).toBe(true);
    expect(context.admission.count).toBe(42);
    for (const socket of told) {
      socket.say(head());
      expect(socket.drop().toString()).toMatch(/^HTTP\/1\.1 429 /);
      socket.reader.onClose(null);
    }
    expect([context.admission.count, come(IP).destroyed]).toEqual([10, false]);
    expect(context.log.at('warn')).toHaveLength(1);
    expect(context.limits.counters.connectRate).toBe(34);
  });
});

describe('who waits in the transport', () => {
  test('counts, and once only when it is accepted', () => {
    const { come, context, reception } = open({ connectRate: 1 });
    for (let i = 0; i < 10; i++) {
      expect(reception.enter(IP)).toBe(true);
      come(IP, true);
    }
    expect(context.admission.count).toBe(10);
    expect(reception.enter(IP)).toBe(false);
    expect(context.admission.count).toBe(10);
    expect(reception.enter(OTHER)).toBe(true);
    reception.leave(OTHER);
    expect(context.admission.count).toBe(10);
  });

  test('has no place where there is none', () => {
    const { context, reception } = open({ maxPerIP: 1 });
    const taken = Array.from({ length: 20 }, () => reception.enter(IP)).filter(Boolean).length;
    expect([taken, context.admission.count]).toEqual([9, 9]);
    expect(context.log.at('warn')).toEqual([
      `warn ${IP} refused: over [limits] maxPerIP: Too many connections from: ${IP}`,
    ]);
  });

  test('is counted where it goes over a limit', () => {
    const { context, reception } = open({ maxHandshakes: 7 });
    reception.over('tlsTimeout', IP);
    reception.over('maxHandshakes', IP);
    const { tlsTimeout, maxHandshakes } = context.limits.counters;
    expect([tlsTimeout, maxHandshakes, reception.most]).toEqual([1, 1, 7]);
  });
});

describe('maxHandshakes', () => {
  const text = 'more than 3 connections whose request has not come yet';

  test('one more, and the oldest goes; who has asked for something stays', () => {
    const { come, context } = open({ maxHandshakes: 3, maxClients: 1000 });
    const client = come(IP);
    client.say(head());
    const silent = Array.from({ length: 3 }, () => come(OTHER));
    silent[0].say('GET / HT');
    for (let i = 0; i < 3; i++) {
      const honest = come(IP);
      expect(silent.slice(0, 3).map(({ destroyed }) => destroyed)).toEqual([true, i > 0, i > 1]);
      honest.say(head());
      expect(honest.drop().toString()).toMatch(/^HTTP\/1\.1 101 /);
      silent[i].reader.onClose(null);
      if (i < 2) silent.push(come(OTHER));
      expect(context.waiting.size).toBeLessThanOrEqual(3);
    }
    expect(client.destroyed).toBe(false);
    expect(context.limits.counters.maxHandshakes).toBe(3);
    expect(context.log.at('warn')).toEqual([
      `warn ${OTHER} closed, it was the oldest: over [limits] maxHandshakes: ${text}`,
    ]);
  });

  test('without room one goes that has kept silent for a second: who has just come is left his time', () => {
    jest.useFakeTimers();
    try {
      const { come, context } = open({ maxClients: 3 });
      const client = come(IP);
      client.say(head());
      const silent = [come(OTHER), come(OTHER)];
      const early = come(IP);
      early.say(head());
      expect(silent.map(({ destroyed }) => destroyed)).toEqual([false, false]);
      expect(early.drop().toString()).toContain('Too many connections');
      early.reader.onClose(null);
      jest.advanceTimersByTime(1200);
      const honest = come(IP);
      honest.say(head());
      expect(honest.drop().toString()).toContain('"opcode":"ready"');
      expect(silent.map(({ destroyed }) => destroyed)).toEqual([true, false]);
      // It counts no more from when it was told to go, and not twice.
      expect(context.admission.count).toBe(3);
      silent[0].reader.onClose(null);
      expect([context.admission.count, context.limits.counters.maxClients]).toEqual([3, 2]);
    } finally {
      jest.useRealTimers();
    }
  });

  test('a burst within one turn of the event loop leaves no more than that, and 0 is no limit', () => {
    const { come, context } = open({ maxHandshakes: 3, maxClients: 1000 });
    const sockets = Array.from({ length: 10 }, () => come(IP));
    expect(sockets.map(({ destroyed }) => destroyed)).toEqual([...Array(7).fill(true), false, false, false]);
    expect(context.waiting.size).toBe(3);
    for (const { reader } of sockets) reader.onClose(null);
    expect([context.waiting.size, context.admission.count]).toEqual([0, 0]);
    const free = open({ maxClients: 1000 });
    for (let i = 0; i < 50; i++) free.come(IP);
    expect(free.context.waiting.size).toBe(50);
  });
});
