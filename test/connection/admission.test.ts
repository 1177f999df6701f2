import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { Admission } from '../../src/connection/admission.ts';
import { Limits } from '../../src/connection/limits.ts';
import { LIMIT_VALUES } from '../support/fakes.ts';

const create = (maxClients: number, maxPerIP = 0): Admission =>
  new Admission(new Limits({ ...LIMIT_VALUES, maxClients, maxPerIP }));

describe('Admission', () => {
  test('maxClients may stay; those above are told so, and above the headroom nobody is taken', () => {
    const admission = create(2);
    const verdicts = [1, 2, 3].map(() => [admission.enter('192.0.2.1'), admission.refusal('192.0.2.1')]);
    expect(verdicts).toEqual([
      [true, null],
      [true, null],
      [true, 'maxClients'],
    ]);
    let taken = 3;
    while (admission.enter('192.0.2.2')) taken++;
    expect(taken).toBe(2 + 32);
    expect(admission.count).toBe(taken);
    admission.leave('192.0.2.2');
    expect(admission.enter('192.0.2.3')).toBe(true);
  });

  test('maxPerIP counts each address by itself; 0 is no limit', () => {
    const admission = create(100, 1);
    admission.enter('192.0.2.1');
    admission.enter('192.0.2.2');
    expect([admission.refusal('192.0.2.1'), admission.refusal('192.0.2.2')]).toEqual([null, null]);
    admission.enter('192.0.2.1');
    expect([admission.refusal('192.0.2.1'), admission.refusal('192.0.2.2')]).toEqual(['maxPerIP', null]);
    admission.leave('192.0.2.1');
    expect(admission.refusal('192.0.2.1')).toBeNull();
    const free = create(100, 0);
    for (let i = 0; i < 50; i++) free.enter('192.0.2.1');
    expect(free.refusal('192.0.2.1')).toBeNull();
  });

  test('a connection of a proxy counts for the client behind it', () => {
    const admission = create(100, 1);
    for (const client of ['192.0.2.1', '192.0.2.2', '192.0.2.1']) {
      admission.enter('10.0.0.1');
      admission.move('10.0.0.1', client);
    }
    expect(['192.0.2.1', '192.0.2.2', '10.0.0.1'].map((ip) => admission.refusal(ip))).toEqual(['maxPerIP', null, null]);
    expect(admission.count).toBe(3);
    admission.move('192.0.2.2', '192.0.2.2');
    expect(admission.refusal('192.0.2.2')).toBeNull();
  });

  test('PROPERTY: when everybody has left nothing is counted, for no address', () => {
    const ips = ['192.0.2.1', '192.0.2.2', 'unix', 'fd00::1'];
    const visit = fc.tuple(fc.constantFrom(...ips), fc.constantFrom(...ips));
    fc.assert(
      fc.property(fc.array(visit, { maxLength: 20 }), (visits) => {
        const admission = create(100, 1);
        for (const [from, to] of visits) {
          admission.enter(from);
          admission.move(from, to);
        }
        expect(admission.count).toBe(visits.length);
        for (const [, to] of visits) admission.leave(to);
        expect(admission.count).toBe(0);
        for (const ip of ips) {
          // The first of each address is alone: one more than nobody.
          admission.enter(ip);
          expect(admission.refusal(ip)).toBeNull();
          admission.enter(ip);
          expect(admission.refusal(ip)).toBe('maxPerIP');
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
});
