import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { curl } from '../support/commands.ts';
import { fixture, type RunningDaemon, startDaemon, temporaryFolder } from '../support/daemon.ts';
import { withProgram } from '../support/program.ts';
import { RawPeer, upgradeRequest } from '../support/rawpeer.ts';
import { WebPeer } from '../support/webpeer.ts';

const withCurl = withProgram('curl', 'curl');
const ECHO = ['-d', '{"opcode":"echo"}'];
const PAGE = 'https://app.example.org';
const KEY = 'correct-horse-battery';

/** Trusts loopback, as by default, and has no key. */
let open: RunningDaemon;
/** Trusts nobody without the key, which comes from the environment; knows a proxy. */
let keyed: RunningDaemon;

beforeAll(async () => {
  const extra = { 'lab.js': fixture('resources/lab.js') };
  [open, keyed] = await Promise.all([
    startDaemon({ ini: `[security]\nallowedOrigins='same,loopback,${PAGE}'`, extra }),
    startDaemon({
      ini: `[security]\nallowedOrigins='${PAGE}'\ntrustedProxies='127.0.0.1'\n[backend]\ntrustLoopback=false\nallowed='192.0.2.0/24'`,
      env: { WEBSOCK_BACKEND_KEY: KEY },
      extra,
    }),
  ]);
});

afterAll(() => Promise.all([open.dispose(), keyed.dispose()]));

function php(daemon: RunningDaemon): string {
  return `http://127.0.0.1:${daemon.port}/php`;
}

describe('a POST that comes from a page', () => {
  withCurl('of an origin that is not allowed: 403, and the page may not read it', async () => {
    const response = await curl('-H', 'Origin: https://evil.example', ...ECHO, php(open));
    expect(response.status).toBe(403);
    expect(response.json()).toMatchObject({ opcode: 'close', error: expect.stringContaining('https://evil.example') });
    expect(response.head).not.toMatch(/access-control-allow-origin/i);
    const without = await curl('-H', 'Sec-Fetch-Site: cross-site', ...ECHO, php(open));
    expect(without.status).toBe(403);
  });

  withCurl('of an allowed origin: its address earns no trust', async () => {
    const noKey = await curl('-H', `Origin: ${PAGE}`, ...ECHO, php(open));
    expect(noKey.status).toBe(403);
    const response = await curl('-H', `Origin: ${PAGE}`, ...ECHO, php(keyed));
    expect(response.status).toBe(401);
    expect(response.head).toMatch(/^www-authenticate: Bearer\r?$/im);
    expect(response.head).toContain(`Access-Control-Allow-Origin: ${PAGE}`);
  });

  withCurl('of an allowed origin, with the key: 200', async () => {
    const key = ['-H', `Authorization: Bearer ${KEY}`];
    const response = await curl('-H', `Origin: ${PAGE}`, ...key, ...ECHO, php(keyed));
    expect(response.json()).toMatchObject({ opcode: 'next', packets: [{ opcode: 'echo' }] });
    expect(response.head).toContain(`Access-Control-Allow-Origin: ${PAGE}`);
    const foreign = await curl('-H', 'Origin: https://evil.example', ...key, ...ECHO, php(keyed));
    expect(foreign.status).toBe(403);
  });

  withCurl('OPTIONS: what an allowed page may send, and 403 for any other', async () => {
    const asks = ['-X', 'OPTIONS', '-H', 'Access-Control-Request-Method: POST'];
    const response = await curl(...asks, '-H', `Origin: ${PAGE}`, php(open));
    expect(response.status).toBe(204);
    expect(response.head).toContain(`Access-Control-Allow-Origin: ${PAGE}`);
    expect(response.head).toMatch(/^access-control-allow-methods: POST\r?$/im);
    expect(response.head).toMatch(/^access-control-allow-headers: .*Authorization.*\r?$/im);
    expect(response.head).toMatch(/^vary: Origin\r?$/im);
    const foreign = await curl(...asks, '-H', 'Origin: https://evil.example', php(open));
    expect(foreign.status).toBe(403);
    expect(foreign.head).not.toMatch(/access-control/i);
  });
});

describe('a backend has to be trusted', () => {
  withCurl('what was forwarded by no trusted proxy is not trusted by its address', async () => {
    for (const header of ['X-Forwarded-For: 127.0.0.1', 'Forwarded: for=127.0.0.1', 'X-Real-IP: ::1', 'Via: 1.1 x']) {
      const response = await curl('-H', header, ...ECHO, php(open));
      expect([header, response.status]).toEqual([header, 403]);
    }
    const script = await RawPeer.open({ port: open.port });
    script.write(upgradeRequest('/php', { 'Client-Type': 'php', 'X-Forwarded-For': '127.0.0.1' }));
    expect((await script.response()).status).toBe(403);
    script.destroy();
  });

  withCurl('the key from the environment: without it 401, with a wrong one 401, with the right one 200', async () => {
    expect((await curl(...ECHO, php(keyed))).status).toBe(401);
    expect((await curl('-H', `Authorization: Bearer ${KEY}x`, ...ECHO, php(keyed))).status).toBe(401);
    expect((await curl('-H', `Authorization: Basic ${KEY}`, ...ECHO, php(keyed))).status).toBe(401);
    expect((await curl('-H', `authorization: bearer ${KEY}`, ...ECHO, php(keyed))).status).toBe(200);
  });

  test('a line client shows the key in its first line', async () => {
    for (const [first, answer] of [
      ['GET /php', 'show the backend key: Authorization: Bearer KEY'],
      ['GET /php Bearer wrong', 'the backend key is wrong'],
    ]) {
      const peer = await RawPeer.open({ port: keyed.port });
      peer.write(`${first}\n`);
      expect(await peer.rest()).toBe(`${JSON.stringify({ opcode: 'close', error: answer })}\n`);
      peer.destroy();
    }
    const peer = await RawPeer.line({ port: keyed.port }, `/php Bearer ${KEY}`);
    peer.end('{"opcode":"echo"}');
    expect(await peer.rest()).toBe('{"opcode":"echo"}\n{"opcode":"next","fyi":""}\n');
  });

  test('a script client shows it in its handshake', async () => {
    const peer = await RawPeer.open({ port: keyed.port });
    peer.write(upgradeRequest('/php', { 'Client-Type': 'php' }));
    const { status, head, body } = await peer.response();
    expect([status, body]).toEqual([401, 'show the backend key: Authorization: Bearer KEY\n']);
    expect(head).toContain('WWW-Authenticate: Bearer');
    peer.destroy();
    const trusted = await RawPeer.script({ port: keyed.port }, '/php', { Authorization: `Bearer ${KEY}` });
    trusted.destroy();
  });

  withCurl('behind a trusted proxy the right-most address that is no proxy counts', async () => {
    const me = ['-d', '{"opcode":"me"}', `http://127.0.0.1:${keyed.port}/lab`];
    const forwarded = (addresses: string): string[] => ['-H', `X-Forwarded-For: ${addresses}`, ...me];
    const response = await curl(...forwarded('198.51.100.1, 192.0.2.7, 127.0.0.1'));
    expect([response.status, response.json().packets]).toMatchObject([200, [{ ip: '192.0.2.7' }]]);
    expect((await curl(...forwarded('192.0.2.7, 198.51.100.1'))).status).toBe(401);
    expect((await curl(...forwarded('127.0.0.1'))).status).toBe(401);
    expect((await curl(...forwarded('rubbish'))).status).toBe(401);
  });

  withCurl(
    'so it does in Forwarded, and in both where they agree; malformed, or at odds, they name nobody',
    async () => {
      const me = ['-d', '{"opcode":"me"}', `http://127.0.0.1:${keyed.port}/lab`];
      const names = [
        ['Forwarded: for=192.0.2.7'],
        ['Forwarded: for=198.51.100.1, for="192.0.2.7:5";proto=https, for=127.0.0.1'],
        ['Forwarded: for="', 'Forwarded: for=192.0.2.7'],
        ['X-Forwarded-For: 198.51.100.1', 'X-Forwarded-For: 192.0.2.7'],
        ['X-Forwarded-For: 192.0.2.7', 'Forwarded: for=192.0.2.7'],
        [`X-Forwarded-For: ${','.repeat(7000)}192.0.2.7`],
      ];
      for (const headers of names) {
        const response = await curl(...headers.flatMap((header) => ['-H', header]), ...me);
        expect([headers, response.status]).toEqual([headers, 200]);
        expect(response.json().packets).toMatchObject([{ ip: '192.0.2.7' }]);
      }
      const namesNobody = [
        ['Forwarded: for=192.0.2.7, for=_hidden'],
        ['Forwarded: for=192.0.2.7, for=unknown, for=127.0.0.1'],
        ['Forwarded: for=192.0.2.7;for=192.0.2.7'],
        ['Forwarded: for="192.0.2.7'],
        ['X-Forwarded-For: 192.0.2.7', 'X-Forwarded-For: 2130706433'],
        ['X-Forwarded-For: 192.0.2.7', 'X-Forwarded-For;'],
        [`X-Forwarded-For: 192.0.2.7${','.repeat(7000)}`],
        [`Forwarded: for=192.0.2.7${','.repeat(7000)}`],
        ['X-Forwarded-For: 192.0.2.7', 'Forwarded: for=192.0.2.8'],
        ['X-Forwarded-For: 192.0.2.7', 'Forwarded: for=127.0.0.1'],
        ['X-Real-IP: 192.0.2.7'],
      ];
      for (const headers of namesNobody) {
        const given = headers.flatMap((header) => ['-H', header]);
        expect([headers, (await curl(...given, ...me)).status]).toEqual([headers, 401]);
        const response = await curl('-H', `Authorization: Bearer ${KEY}`, ...given, ...me);
        expect([headers, response.json().packets]).toMatchObject([headers, [{ ip: '127.0.0.1' }]]);
      }
    },
  );

  test('a script client too: of a header that comes several times, the last address counts', async () => {
    for (const [first, last, status] of [
      ['198.51.100.1', '192.0.2.7', 101],
      ['192.0.2.7', '198.51.100.1', 401],
      ['192.0.2.7', 'rubbish', 401],
    ] as const) {
      const peer = await RawPeer.open({ port: keyed.port });
      peer.write(upgradeRequest('/lab', { 'Client-Type': 'php', 'X-Forwarded-For': first, 'x-forwarded-for': last }));
      expect([last, (await peer.head()).slice(9, 12)]).toEqual([last, String(status)]);
      peer.destroy();
    }
  });

  test('a web client behind it is seen under its own address', async () => {
    const headers = { 'X-Forwarded-For': '203.0.113.9' };
    const web = await WebPeer.open(`ws://127.0.0.1:${keyed.port}/lab`, { headers });
    expect(await web.ask({ opcode: 'me' })).toMatchObject({ ip: '203.0.113.9' });
    await keyed.said(/#\d+ 203\.0\.113\.9 \/lab websocket ws: open/);
    await web.close();
  });

  test('the key comes from a file, too; one that others can read is warned about', async () => {
    const dir = temporaryFolder();
    const keyFile = join(dir, 'backend.key');
    writeFileSync(keyFile, `${KEY}\n`);
    chmodSync(keyFile, 0o644);
    const daemon = await startDaemon({ dir, ini: `[backend]\ntrustLoopback=false\nkeyFile='backend.key'` });
    try {
      expect(daemon.out).toMatch(/WARN .*backend\.key.*chmod/);
      expect(daemon.out).not.toContain(KEY);
      const peer = await RawPeer.line({ port: daemon.port }, `/php Bearer ${KEY}`);
      peer.destroy();
    } finally {
      await daemon.dispose();
    }
  });
});
