import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { Admission } from '../../src/connection/admission.ts';
import { Limits, type LimitValues } from '../../src/connection/limits.ts';
import { FakeLog, LIMIT_VALUES } from '../support/fakes.ts';

interface Hall {
  readonly admission: Admission;
  readonly limits: Limits;
  readonly log: FakeLog;
  /** Seconds pass. */
  readonly wait: (seconds: number) => void;
}

function open(values: Partial<LimitValues>, proxies: string[] = []): Hall {
  let now = 0;
  const log = new FakeLog();
  const limits = new Limits({ ...LIMIT_VALUES, ...values });
  const admission = new Admission(limits, { log, isProxy: (ip) => proxies.includes(ip), now: () => now });
  return { admission, limits, log, wait: (seconds) => void (now += Math.round(seconds * 1000)) };
}

const times = <Value>(count: number, what: () => Value): Value[] => Array.from({ length: count }, what);
/** How many of `count` connections that come at once are let in; they stay nowhere. */
const arrivals = ({ admission }: Hall, ip: string, count: number): number =>
  times(count, () => admission.arrive(ip)).filter((over) => over === null).length;

describe('how many', () => {
  test('maxClients may stay; those above are told so, and above the headroom nobody is taken', () => {
    const { admission, limits, log } = open({ maxClients: 2 });
    const verdicts = times(3, () => [admission.enter('192.0.2.1'), admission.refusal('192.0.2.1')]);
    expect(verdicts).toEqual([
      [null, null],
      [null, null],
      [null, 'maxClients'],
    ]);
    let taken = 3;
    while (admission.enter('192.0.2.2') === null) taken++;
    expect(taken).toBe(2 + 32);
    expect([admission.count, limits.counters.maxClients]).toEqual([taken, 1]);
    expect(log.lines).toEqual(['warn 192.0.2.2 refused: over [limits] maxClients: Too many connections']);
    admission.leave('192.0.2.2');
    expect(admission.enter('192.0.2.3')).toBeNull();
  });

  test('maxPerIP counts each address by itself; 0 is no limit', () => {
    const { admission } = open({ maxPerIP: 1 });
    admission.enter('192.0.2.1');
    admission.enter('192.0.2.2');
    expect([admission.refusal('192.0.2.1'), admission.refusal('192.0.2.2')]).toEqual([null, null]);
    admission.enter('192.0.2.1');
    expect([admission.refusal('192.0.2.1'), admission.refusal('192.0.2.2')]).toEqual(['maxPerIP', null]);
    admission.leave('192.0.2.1');
    expect(admission.refusal('192.0.2.1')).toBeNull();
    const free = open({ maxPerIP: 0 }).admission;
    for (let i = 0; i < 50; i++) free.enter('192.0.2.1');
    expect(free.refusal('192.0.2.1')).toBeNull();
  });

  test('of one address only some above maxPerIP are taken at all: it does not use up the others', () => {
    const { admission, limits, log } = open({ maxPerIP: 3, maxClients: 50 });
    const taken = times(100, () => admission.enter('192.0.2.1')).filter((over) => over === null).length;
    expect(taken).toBe(3 + 8);
    expect(limits.counters.maxPerIP).toBe(100 - taken);
    expect(log.lines).toEqual(['warn 192.0.2.1 refused: over [limits] maxPerIP: Too many connections from: 192.0.2.1']);
    expect([admission.enter('192.0.2.2'), admission.refusal('192.0.2.2')]).toEqual([null, null]);
  });

  test('an IPv6 network of 64 bits is one address', () => {
    const { admission } = open({ maxPerIP: 1 });
    admission.enter('2001:db8::1');
    admission.enter('2001:db8:0:0:ffff::2');
    expect(['2001:db8::3', '2001:db8:0:1::1'].map((ip) => admission.refusal(ip))).toEqual(['maxPerIP', null]);
    // Neighbours on the same link, and loopback, are not.
    for (const ip of ['fe80::1%eth0', 'fe80::2%eth0', '::1']) admission.enter(ip);
    expect(['fe80::1%eth0', 'fe80::2%eth0', '::1'].map((ip) => admission.refusal(ip))).toEqual([null, null, null]);
  });

  test('a connection of a proxy counts for the client behind it, and the proxy itself has no limit', () => {
    const { admission } = open({ maxPerIP: 1, connectRate: 1 }, ['10.0.0.1']);
    for (let i = 0; i < 50; i++) {
      expect([admission.enter('10.0.0.1'), admission.arrive('10.0.0.1')]).toEqual([null, null]);
    }
    expect(admission.refusal('10.0.0.1')).toBeNull();
    for (const client of ['192.0.2.1', '192.0.2.2', '192.0.2.1']) admission.move('10.0.0.1', client);
    expect(['192.0.2.1', '192.0.2.2', '10.0.0.1'].map((ip) => admission.refusal(ip))).toEqual(['maxPerIP', null, null]);
    expect(admission.count).toBe(50);
    admission.move('192.0.2.2', '192.0.2.2');
    expect(admission.refusal('192.0.2.2')).toBeNull();
  });

  test('peers of a Unix socket have no address that could have too many', () => {
    const { admission } = open({ maxPerIP: 1, connectRate: 1 });
    for (let i = 0; i < 50; i++) expect([admission.enter('unix'), admission.arrive('unix')]).toEqual([null, null]);
    expect(admission.refusal('unix')).toBeNull();
  });

  test('PROPERTY: when everybody has left nothing is counted, and nobody remembered', () => {
    const ips = ['192.0.2.1', '192.0.2.2', 'unix', 'fd00::1'];
    const visit = fc.tuple(fc.constantFrom(...ips), fc.constantFrom(...ips));
    fc.assert(
      fc.property(fc.array(visit, { maxLength: 20 }), (visits) => {
        const { admission } = open({ maxPerIP: 20 });
        for (const [from, to] of visits) {
          expect(admission.enter(from)).toBeNull();
          admission.move(from, to);
        }
        expect(admission.count).toBe(visits.length);
        for (const [, to] of visits) admission.leave(to);
        expect([admission.count, admission.remembered]).toEqual([0, 0]);
      }),
    );
  });
});

describe('how fast', () => {
  test('connectRate: ten seconds of it at once, then as many a second; each address by itself', () => {
    const hall = open({ connectRate: 5 });
    expect(arrivals(hall, '192.0.2.1', 100)).toBe(50);
    expect(arrivals(hall, '192.0.2.2', 10)).toBe(10);
    hall.wait(1);
    expect(arrivals(hall, '192.0.2.1', 100)).toBe(5);
    hall.wait(0.1);
    expect(arrivals(hall, '192.0.2.1', 100)).toBe(0);
    hall.wait(0.1);
    expect(arrivals(hall, '192.0.2.1', 100)).toBe(1);
    hall.wait(1000);
    expect(arrivals(hall, '192.0.2.1', 100)).toBe(50);
  });

  test('an IPv6 network of 64 bits is one address', () => {
    const hall = open({ connectRate: 1 });
    expect(arrivals(hall, '2001:db8::1', 10)).toBe(10);
    expect(hall.admission.arrive('2001:db8::2')).toBe('connectRate');
    expect(hall.admission.arrive('2001:db8:1::2')).toBeNull();
  });

  test.each(['127.0.0.1', '127.8.9.10', '::1', 'unix', 'unknown'])('%s has no rate of its own', (ip) => {
    expect(arrivals(open({ connectRate: 1 }), ip, 1000)).toBe(1000);
  });

  test('connectRateAll: from wherever they come; who is too fast by itself uses up nothing of it', () => {
    const hall = open({ connectRate: 1, connectRateAll: 2 });
    expect(arrivals(hall, '192.0.2.1', 1000)).toBe(10);
    expect(arrivals(hall, '127.0.0.1', 1000)).toBe(10);
    expect(hall.admission.arrive('192.0.2.2')).toBe('connectRateAll');
    hall.wait(1);
    expect(times(3, () => hall.admission.arrive('192.0.2.3'))).toEqual([null, null, 'connectRateAll']);
  });

  test('it is logged once a minute for each address, with how many were not, and all are counted', () => {
    const hall = open({ connectRate: 1 });
    const said = 'over [limits] connectRate: more than 1 connections a second from one address';
    arrivals(hall, '192.0.2.1', 20);
    arrivals(hall, '192.0.2.2', 11);
    expect(hall.log.lines).toEqual([`warn 192.0.2.1 refused: ${said}`, `warn 192.0.2.2 refused: ${said}`]);
    expect(hall.limits.counters.connectRate).toBe(11);
    hall.wait(59);
    arrivals(hall, '192.0.2.1', 15);
    expect(hall.log.lines).toHaveLength(2);
    hall.wait(1);
    arrivals(hall, '192.0.2.1', 2);
    expect(hall.log.lines.slice(2)).toEqual([
      `warn 192.0.2.1 refused: ${said} (and 14 others since that was last said)`,
    ]);
  });

  test('an address that has gone is forgotten when it may come again as it likes', () => {
    const hall = open({ connectRate: 1 });
    const { admission } = hall;
    for (let i = 0; i < 20; i++) {
      admission.enter(`192.0.2.${i}`);
      admission.arrive(`192.0.2.${i}`);
      admission.leave(`192.0.2.${i}`);
    }
    expect(admission.remembered).toBe(20);
    hall.wait(2);
    // Those that come make place for two each.
    for (let i = 0; i < 10; i++) {
      admission.enter(`198.51.100.${i}`);
      admission.leave(`198.51.100.${i}`);
    }
    expect(admission.remembered).toBe(0);
  });

  test('however many addresses come, a bounded number is remembered', () => {
    const hall = open({ connectRate: 1 });
    for (let i = 0; i < 70_000; i++) hall.admission.arrive(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`);
    expect(hall.admission.remembered).toBeLessThanOrEqual(65_536);
    expect(hall.admission.remembered).toBeGreaterThan(60_000);
  });

  test('a few that are too fast are heard out at a time', () => {
    const { admission } = open({});
    expect(times(33, () => admission.hearOut()).filter(Boolean)).toHaveLength(32);
    admission.heardOut();
    expect(times(2, () => admission.hearOut())).toEqual([true, false]);
  });

  test('PROPERTY: in any time an address gets no more in than its rate and ten seconds of it, and who keeps to it gets in', () => {
    const steps = fc.array(fc.record({ fifths: fc.nat(25), count: fc.nat(80) }), { maxLength: 30 });
    fc.assert(
      fc.property(steps, (plan) => {
        const hall = open({ connectRate: 5 });
        let tokens = 50;
        for (const { fifths, count } of plan) {
          hall.wait(fifths / 5);
          tokens = Math.min(50, tokens + fifths);
          const taken = arrivals(hall, '192.0.2.1', count);
          expect(taken).toBe(Math.min(count, tokens));
          tokens -= taken;
        }
      }),
    );
  });
});

describe('Limits', () => {
  test('over() counts and says what the client hears; describe() only says it', () => {
    const limits = new Limits({ ...LIMIT_VALUES, maxPayload: 1234 });
    expect(limits.describe('maxPayload').code).toBe(1009);
    expect(limits.counters.maxPayload).toBe(0);
    expect(limits.over('maxPayload').text).toContain('more than 1234 bytes');
    expect(limits.counters.maxPayload).toBe(1);
    expect(limits.describe('maxClients')).toEqual({ code: 1013, text: 'Too many connections' });
    expect(limits.describe('maxPerIP')).toEqual({ code: 4429, text: 'Too many connections from: ' });
    expect(limits.describe('handlerTimeout')).toEqual({ code: 1011, text: 'the resource took longer than 60 s' });
  });

  test('optionOf() is what the operator looks for in websock.ini', () => {
    const limits = new Limits(LIMIT_VALUES);
    const names = (['maxPayload', 'heartbeatTimeout', 'bodyTimeout'] as const).map((name) => limits.optionOf(name));
    expect(names).toEqual(['[limits] maxPayload', '[heartbeat] timeout', '[http] bodyTimeout']);
  });
});
