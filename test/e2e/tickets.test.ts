import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Tickets } from '../../src/packet/ticket.ts';
import { curl } from '../support/commands.ts';
import { fixture, type RunningDaemon, spawnDaemon, startDaemon, temporaryFolder } from '../support/daemon.ts';
import { withProgram } from '../support/program.ts';
import { clientFrame, RawPeer, upgradeRequest } from '../support/rawpeer.ts';
import { WebPeer } from '../support/webpeer.ts';

const withCurl = withProgram('curl', 'curl');
const KEY = 'correct-horse-battery';
const SECRET = 'a secret of thirty-two characters';
/** Makes tickets as the daemon does: its secret is known here. */
const FORGE = new Tickets(SECRET, 86_400);
const STRANGER = '6f1c1a52-5d0e-4d1b-9c7e-3f2a1b0c9d8e';
const DAMAGED = 'the ticket is damaged, or not of this daemon: without [tickets] secret they end when it does';

/** Trusts no address: what works here works from any host. */
let daemon: RunningDaemon;
let page: WebPeer;

beforeAll(async () => {
  daemon = await startDaemon({
    ini: "logLevel='debug'\n[backend]\ntrustLoopback=false\n[limits]\nmaxAttempts=0",
    env: { WEBSOCK_BACKEND_KEY: KEY, WEBSOCK_TICKETS_SECRET: SECRET },
    extra: { 'lab.js': fixture('resources/lab.js') },
  });
  page = await WebPeer.open(`ws://127.0.0.1:${daemon.port}/web`);
});
afterAll(async () => {
  await page.close();
  await daemon.dispose();
});

const at = (path: string, of = daemon): string => `http://127.0.0.1:${of.port}${path}`;
const shown = (what: string): string[] => ['-H', `Authorization: Bearer ${what}`];
const post = (packet: unknown): string[] => ['-d', typeof packet === 'string' ? packet : JSON.stringify(packet)];
const report = (uuid = page.uuid): Record<string, unknown> => ({ opcode: 'feedback', uuid, message: '50 %' });

describe('a backend asks for a ticket', () => {
  withCurl('with the key; who has the ticket reports with it, at / and at /php, and needs no key', async () => {
    const asked = { opcode: 'ticket', uuid: page.uuid, ttl: 600 };
    const given = await curl(...shown(KEY), ...post(asked), at('/php'));
    const { packets, ...next } = given.json();
    expect([given.status, next]).toEqual([200, { opcode: 'next', fyi: '' }]);
    const [{ ticket, expires, ...more }] = packets as { ticket: string; expires: number; opcode: string }[];
    expect(more).toEqual({ opcode: 'ticket' });
    expect(Math.abs(expires - Date.now() / 1000 - 600)).toBeLessThan(60);
    for (const path of ['/php', '/']) {
      const done = await curl(...shown(ticket), ...post(report()), at(path));
      expect(done.json()).toEqual({ opcode: 'next', fyi: '', delivered: 1, packets: [] });
      expect(await page.packet()).toEqual(report());
    }
    expect((await curl(...post(report()), at('/php'))).status).toBe(401);
    await page.nothingElse();
  });

  withCurl('by a form, as by JSON; for a time that cannot be, it is told so', async () => {
    const form = await curl(...shown(KEY), '-d', `opcode=ticket&uuid=${page.uuid}&ttl=60`, at('/php'));
    expect(form.json()).toMatchObject({ packets: [{ opcode: 'ticket' }] });
    const long = await curl(...shown(KEY), ...post({ opcode: 'ticket', uuid: page.uuid, ttl: 86_401 }), at('/php'));
    expect(long.json()).toEqual({
      opcode: 'next',
      fyi: '',
      error: 'ttl is not a whole number of seconds from 1 to 86400',
      packets: [],
    });
  });

  withCurl('without the key it gets none, with a ticket neither', async () => {
    const asked = post({ opcode: 'ticket', uuid: page.uuid });
    expect((await curl(...asked, at('/php'))).status).toBe(401);
    const { ticket } = FORGE.make(page.uuid);
    expect((await curl(...shown(ticket), ...asked, at('/php'))).json()).toEqual({
      opcode: 'next',
      fyi: '',
      error: 'not allowed',
      packets: [],
    });
  });
});

describe('a page asks for a ticket for itself, and hands it on', () => {
  let ticket: string;
  beforeAll(async () => {
    const packet = await page.ask({ opcode: 'ticket' });
    expect(packet).toMatchObject({ opcode: 'ticket', ticket: expect.stringMatching(/^wst1\.[\w-]+$/) });
    expect(await page.packet()).toEqual({ opcode: 'next', fyi: '' });
    ticket = String(packet.ticket);
  });

  test('to a script client', async () => {
    const script = await RawPeer.script({ port: daemon.port }, '/php', { Authorization: `Bearer ${ticket}` });
    script.write(clientFrame(JSON.stringify(report())));
    expect(await script.packet()).toEqual({ opcode: 'next', fyi: '', delivered: 1 });
    expect(await page.packet()).toEqual(report());
    script.write(clientFrame('{"opcode":"broadcast"}'));
    expect(await script.packet()).toEqual({ opcode: 'next', fyi: '', error: 'not allowed' });
    script.destroy();
    await page.nothingElse();
  });

  test('to a line client', async () => {
    const line = await RawPeer.line({ port: daemon.port }, `GET /php Bearer ${ticket}`);
    line.end(`${JSON.stringify(report())}\n${JSON.stringify(report(STRANGER))}\n{"opcode":"quit"}`);
    expect((await line.rest()).split('\n').slice(0, 3)).toEqual([
      '{"opcode":"next","fyi":"","delivered":1}',
      '{"opcode":"next","fyi":"","error":"not allowed"}',
      '{"opcode":"next","fyi":""}',
    ]);
    expect(await page.packet()).toEqual(report());
  });

  withCurl('to a poster: of several messages in one body only what is allowed has an effect', async () => {
    const lines = [report(), { opcode: 'broadcast' }, report(STRANGER), { opcode: 'feedback', ident: 'x' }, report()];
    const body = lines.map((packet) => JSON.stringify(packet)).join('\n');
    const type = ['-H', 'Content-Type: application/x-ndjson', '--data-binary', body];
    const answers = await curl(...shown(ticket), ...type, at('/php'));
    const refused = { opcode: 'next', fyi: '', error: 'not allowed', packets: [] };
    const done = { opcode: 'next', fyi: '', delivered: 1, packets: [] };
    expect(answers.json()).toEqual([done, refused, refused, refused, done]);
    expect([await page.packet(), await page.packet()]).toEqual([report(), report()]);
    await page.nothingElse();
  });

  test("but not for another's uuid", async () => {
    const other = await WebPeer.open(`ws://127.0.0.1:${daemon.port}/`);
    expect(await other.ask({ opcode: 'ticket', uuid: page.uuid })).toEqual({
      opcode: 'next',
      fyi: '',
      error: 'not allowed',
    });
    await other.close();
  });
});

withCurl('a page may use a ticket as well, if its origin is allowed', async () => {
  const { ticket } = FORGE.make(page.uuid);
  const origin = 'http://localhost:3000';
  const done = await curl('-H', `Origin: ${origin}`, ...shown(ticket), ...post(report()), at('/php'));
  expect([done.status, done.json().delivered]).toEqual([200, 1]);
  expect(done.head).toContain(`Access-Control-Allow-Origin: ${origin}`);
  expect(await page.packet()).toEqual(report());
  const foreign = await curl('-H', 'Origin: https://evil.example', ...shown(ticket), ...post(report()), at('/php'));
  expect(foreign.status).toBe(403);
  await page.nothingElse();
});

describe('a ticket that is not good', () => {
  const expired = new Tickets(SECRET, 86_400, () => Date.now() - 60_000);
  const cases: [string, () => string, string, number, string][] = [
    ['has expired', () => expired.make(page.uuid, 59).ticket, '/php', 401, 'the ticket has expired: ask for another'],
    ['was made by another', () => new Tickets(`${SECRET}.`, 60).make(page.uuid).ticket, '/php', 401, DAMAGED],
    ['was cut', () => FORGE.make(page.uuid).ticket.slice(0, -1), '/php', 401, DAMAGED],
    ['is empty', () => 'wst1.', '/php', 401, DAMAGED],
    [
      'is shown where none are taken',
      () => FORGE.make(page.uuid).ticket,
      '/lab',
      403,
      '/lab takes no tickets: its resource has no static tickets',
    ],
  ];

  for (const [title, make, path, status, text] of cases) {
    withCurl(title, async () => {
      const ticket = make();
      const from = daemon.out.length;
      const response = await curl(...shown(ticket), ...post(report()), at(path));
      expect([response.status, response.json()]).toEqual([status, { opcode: 'close', error: text }]);
      await daemon.said(
        new RegExp(`WARN .*#\\d+ 127\\.0\\.0\\.1 POST ${path}: refused: ${status} (?:the ticket|${path} takes)`),
        from,
      );

      const script = await RawPeer.open({ port: daemon.port });
      script.write(upgradeRequest(path, { 'Client-Type': 'php', Authorization: `Bearer ${ticket}` }));
      const refusal = await script.response();
      expect([refusal.status, refusal.body]).toEqual([status, `${text}\n`]);
      expect(/^WWW-Authenticate: Bearer\r$/m.test(refusal.head)).toBe(status === 401);
      script.destroy();

      const line = await RawPeer.open({ port: daemon.port });
      line.write(`GET ${path} Bearer ${ticket}\n`);
      expect(await line.rest()).toBe(`${JSON.stringify({ opcode: 'close', error: text })}\n`);
      line.destroy();
      expect(daemon.out).not.toContain('wst1.');
      await page.nothingElse();
    });
  }

  withCurl('whose client has gone: nobody is reached, and it says so', async () => {
    const gone = await WebPeer.open(`ws://127.0.0.1:${daemon.port}/`);
    const { ticket } = FORGE.make(gone.uuid);
    await gone.close();
    const response = await curl(...shown(ticket), ...post(report(gone.uuid)), at('/php'));
    expect(response.json()).toEqual({ opcode: 'next', fyi: '', delivered: 0, packets: [] });
  });
});

describe('the secret of tickets', () => {
  test('in a file: a ticket outlives the daemon that made it', async () => {
    const dir = temporaryFolder();
    writeFileSync(join(dir, 'secret'), `${SECRET}\n`, { mode: 0o600 });
    const ini = "logLevel='debug'\n[tickets]\nsecretFile='secret'\n[backend]\ntrustLoopback=false";
    const one = await startDaemon({ dir, ini });
    try {
      expect(one.out).not.toContain('Tickets end with this daemon');
      const line = await RawPeer.line({ port: one.port }, `/php Bearer ${FORGE.make(STRANGER).ticket}`);
      line.destroy();
      expect(one.out).not.toContain(SECRET);
    } finally {
      await one.dispose();
    }
  });

  test('that is not set is made at the start: another daemon does not know its tickets, and the log says so', async () => {
    const both = await Promise.all([startDaemon({ ini: "logLevel='debug'" }), startDaemon()]);
    const [one, two] = both;
    try {
      expect(one.out).toMatch(/Tickets end with this daemon: \[tickets\] secret is not set/);
      const web = await WebPeer.open(`ws://127.0.0.1:${one.port}/`);
      const { ticket } = await web.ask({ opcode: 'ticket' });
      const mine = await RawPeer.line({ port: one.port }, `/php Bearer ${String(ticket)}`);
      const foreign = await RawPeer.open({ port: two.port });
      foreign.write(`/php Bearer ${String(ticket)}\n`);
      expect(await foreign.rest()).toBe(`${JSON.stringify({ opcode: 'close', error: DAMAGED })}\n`);
      for (const peer of [mine, foreign]) peer.destroy();
      await web.close();
    } finally {
      await Promise.all(both.map((each) => each.dispose()));
    }
  });

  test('that could be guessed from a ticket is refused, and not shown', async () => {
    const guessed = spawnDaemon({ env: { WEBSOCK_TICKETS_SECRET: 'swordfish' } });
    try {
      expect(await guessed.ended()).toBe(2);
      expect(guessed.out).toContain(
        'environment WEBSOCK_TICKETS_SECRET: it has 9 characters; allowed: 32 or more: openssl rand -hex 32',
      );
      expect(guessed.out).not.toContain('swordfish');
    } finally {
      await guessed.dispose();
    }
  });
});

withCurl('five wrong keys or tickets a minute from one address: 429, for the right key too', async () => {
  const keyed = await startDaemon({
    ini: "[security]\ntrustedProxies='127.0.0.1'\n[backend]\ntrustLoopback=false",
    env: { WEBSOCK_BACKEND_KEY: KEY, WEBSOCK_TICKETS_SECRET: SECRET },
  });
  try {
    const from = (ip: string, what: string): string[] => ['-H', `X-Forwarded-For: ${ip}`, ...shown(what)];
    const echo = [...post({ opcode: 'echo' }), at('/php', keyed)];
    for (const wrong of ['wrong', `${KEY}x`, 'wst1.AAAA', KEY.toUpperCase(), 'wrong']) {
      expect((await curl(...from('203.0.113.9', wrong), ...echo)).status).toBe(401);
    }
    const { ticket } = FORGE.make(STRANGER);
    for (const right of [KEY, ticket]) {
      const response = await curl(...from('203.0.113.9', right), ...echo);
      expect(response.status).toBe(429);
      expect(response.head).toMatch(/^Retry-After: (?:60|5\d)\r?$/im);
      expect(response.json()).toEqual({
        opcode: 'close',
        error: expect.stringMatching(/^too many wrong keys, tokens or tickets from your address: try again in \d\d s$/),
      });
      expect((await curl(...from('203.0.113.10', right), ...echo)).status).toBe(200);
    }
    expect(keyed.out).toMatch(/WARN .*#\d+ 203\.0\.113\.9 POST \/php: refused: 429 too many wrong keys/);
    const line = await RawPeer.line({ port: keyed.port }, `/php Bearer ${KEY}`);
    line.destroy();
    for (let i = 0; i < 5; i++) {
      const guess = await RawPeer.open({ port: keyed.port });
      guess.write('/php Bearer wrong\n');
      await guess.rest();
      guess.destroy();
    }
    const late = await RawPeer.open({ port: keyed.port });
    late.write(`/php Bearer ${KEY}\n`);
    expect(await late.rest()).toMatch(/^\{"opcode":"close","error":"too many wrong keys, .* try again in \d\d s"\}\n$/);
    late.destroy();
  } finally {
    await keyed.dispose();
  }
});
