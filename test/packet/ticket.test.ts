import { createHmac } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { Tickets } from '../../src/packet/ticket.ts';

const SECRET = 'a secret of thirty-two characters';
const UUID = '6f1c1a52-5d0e-4d1b-9c7e-3f2a1b0c9d8e';
const NOW = 1_700_000_000;

function bed(secret = SECRET, maxTtl = 86_400): { tickets: Tickets; clock: { now: number } } {
  const clock = { now: NOW * 1000 + 999 };
  return { tickets: new Tickets(secret, maxTtl, () => clock.now), clock };
}

/** The text of a ticket that somebody made by himself. */
function crafted(claims: Buffer, secret: string, form = 'wst1.'): string {
  const mac = createHmac('sha256', secret).update(form).update(claims).digest();
  return form + Buffer.concat([claims, mac]).toString('base64url');
}

/** The name of the secret, 6 bytes of time, big-endian, and the uuid. */
function claimsOf(expires: number, uuid: string | Buffer, secret = SECRET): Buffer {
  const name = createHmac('sha256', secret).update('name of the secret').digest().subarray(0, 4);
  const time = Buffer.alloc(6);
  time.writeUIntBE(expires, 0, 6);
  return Buffer.concat([name, time, Buffer.from(uuid as string)]);
}

describe('a ticket', () => {
  test('says for whom, and until when: 10 minutes if nobody says how long', () => {
    const { tickets } = bed();
    const { ticket, expires } = tickets.make(UUID);
    expect(expires).toBe(NOW + 600);
    expect(tickets.read(ticket)).toEqual({ uuid: UUID, expires });
    expect(tickets.make(UUID, 1).expires).toBe(NOW + 1);
    expect(tickets.make(UUID, 86_400).expires).toBe(NOW + 86_400);
    expect(tickets.make(UUID, Infinity).expires).toBe(NOW + 86_400);
    expect(bed(SECRET, 60).tickets.make(UUID).expires).toBe(NOW + 60);
  });

  test('is HMAC-SHA256 over its form, the name of its secret, its time and its uuid, in text that nothing has to escape', () => {
    const { ticket, expires } = bed().tickets.make(UUID);
    expect(ticket).toBe(crafted(claimsOf(expires, UUID), SECRET));
    expect(ticket).toMatch(/^wst1\.[\w-]{104}$/);
    expect(encodeURIComponent(ticket)).toBe(ticket);
  });

  test('expires with the second that it names', () => {
    const { tickets, clock } = bed();
    const ticket = { uuid: UUID, expires: NOW + 600 };
    clock.now = (NOW + 600) * 1000 - 1;
    expect(tickets.isExpired(ticket)).toBe(false);
    clock.now += 1;
    expect(tickets.isExpired(ticket)).toBe(true);
  });

  test.each([0, -1, 86_401, 1.5, NaN, -Infinity, '600', null, true, [600]])('cannot be good for %p seconds', (ttl) => {
    expect(() => bed().tickets.make(UUID, ttl as number)).toThrow(
      new RangeError('ttl is not a whole number of seconds from 1 to 86400'),
    );
  });

  test('cannot be for nobody, or for a name that no client has', () => {
    const { tickets } = bed();
    for (const uuid of ['', 'x'.repeat(65), 'ü'.repeat(33)]) {
      expect(() => tickets.make(uuid)).toThrow(new RangeError('uuid is not the uuid of a client'));
    }
    for (const uuid of ['x', 'x'.repeat(64), 'ü'.repeat(32)]) {
      expect(tickets.read(tickets.make(uuid).ticket)?.uuid).toBe(uuid);
    }
  });
});

describe('what is no ticket of this daemon', () => {
  const { tickets } = bed();
  const { ticket, expires } = tickets.make(UUID);

  test('one with a single bit changed, wherever', () => {
    const bytes = Buffer.from(ticket.slice(5), 'base64url');
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3] ^= 1 << (bit & 7);
      expect([bit, tickets.read(`wst1.${changed.toString('base64url')}`)]).toEqual([bit, null]);
    }
  });

  test('one that was cut, at whatever place, or has more', () => {
    for (let length = 0; length < ticket.length; length++) expect(tickets.read(ticket.slice(0, length))).toBeNull();
    for (const more of ['=', '==', 'A', 'AAAA', ' ', '.', '\n']) expect(tickets.read(ticket + more)).toBeNull();
  });

  test('the same bytes in another text: padding, the other alphabet, blanks, bits that no byte has', () => {
    const body = ticket.slice(5);
    const long = tickets.make('sixsix').ticket; // 48 bytes: no bits to spare
    expect(tickets.read(long)).not.toBeNull();
    const spare = tickets.make('five.').ticket; // 47 bytes: two bits to spare
    const last = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'.indexOf(spare.at(-1) ?? '');
    const other = `${spare.slice(0, -1)}${'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'[last + 1]}`;
    expect(Buffer.from(other.slice(5), 'base64url')).toEqual(Buffer.from(spare.slice(5), 'base64url'));
    expect([tickets.read(spare)?.uuid, tickets.read(other)]).toEqual(['five.', null]);
    for (const text of [`wst1. ${body}`, `wst1.${body.slice(0, 9)}\n${body.slice(9)}`, `WST1.${body}`, body]) {
      expect(tickets.read(text)).toBeNull();
    }
    const all = Array.from({ length: 20 }, (_, i) => tickets.make(UUID, i + 1).ticket);
    const slashed = all
      .map((text) => text.replaceAll('-', '+').replaceAll('_', '/'))
      .filter((text) => !all.includes(text));
    expect(slashed.length).toBeGreaterThan(0);
    for (const text of slashed) expect(tickets.read(text)).toBeNull();
  });

  test('one of another secret, another form, without a uuid, with one that is too long', () => {
    const claims = claimsOf(expires, UUID);
    expect(tickets.read(crafted(claims, SECRET))).not.toBeNull();
    expect(tickets.read(crafted(claims, `${SECRET}.`))).toBeNull();
    expect(tickets.read(crafted(claims, ''))).toBeNull();
    expect(tickets.read(crafted(claims, SECRET, 'wst2.'))).toBeNull();
    expect(tickets.read(crafted(claims, SECRET, 'wst2.').replace('wst2.', 'wst1.'))).toBeNull();
    expect(tickets.read(crafted(claimsOf(expires, ''), SECRET))).toBeNull();
    expect(tickets.read(crafted(claimsOf(expires, 'x'.repeat(65)), SECRET))).toBeNull();
  });

  test('one of another secret says so; one that names this secret does not, nor does what is no ticket', () => {
    const other = `${SECRET}.`;
    expect(bed(other).tickets.isForeign(ticket)).toBe(true);
    expect(tickets.isForeign(crafted(claimsOf(expires, UUID, other), other))).toBe(true);
    expect(tickets.read(crafted(claimsOf(expires, UUID, other), SECRET))).not.toBeNull(); // whoever has the secret may call it what he likes
    for (const text of [
      ticket,
      crafted(claimsOf(expires, UUID), other),
      `${ticket}x`,
      ticket.slice(0, -1),
      'wst1.',
      '',
    ]) {
      expect([text, tickets.isForeign(text)]).toEqual([text, false]);
    }
  });

  test('anything else, without a throw', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.base64String(), fc.string({ unit: 'binary' })), (text) => {
        expect(tickets.read(text)).toBeNull();
        expect(tickets.read(`wst1.${text}`)).toBeNull();
      }),
    );
  });
});
