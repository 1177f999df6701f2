import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ROOT, type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { curl } from '../support/commands.ts';
import { RawPeer } from '../support/rawpeer.ts';
import { withProgram } from '../support/program.ts';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const withCurl = withProgram('curl', 'curl');
const KEY = 'correct:horse-battery';
const FOLDER = join(ROOT, 'dist/console');
/** Other pages of the daemon use these: they are for everybody. */
const SHARED = new Set(['palette.css', 'theme.css', 'icon.svg']);
const FILES = readdirSync(FOLDER)
  .filter((name) => !SHARED.has(name))
  .map((name) => (name === 'index.html' ? '' : name));
const PATHS = [...FILES, 'uplot.js', 'uplot.css', 'about.json'].map((name) => `/_websock/${name}`);
const NOBODY = '[backend]\ntrustLoopback=false';

/** Trusts loopback, as by default, and has no key. */
let open: RunningDaemon;
/** Trusts nobody without the key; knows a proxy. */
let keyed: RunningDaemon;
/** Trusts nobody. */
let noKey: RunningDaemon;
let off: RunningDaemon;

beforeAll(async () => {
  open = await startDaemon({ ini: "[security]\ntrustedProxies='192.0.2.1'" });
  const trusts = "[security]\ntrustedProxies='127.0.0.1'";
  keyed = await startDaemon({ ini: `${trusts}\n${NOBODY}`, env: { WEBSOCK_BACKEND_KEY: KEY } });
  noKey = await startDaemon({ ini: NOBODY });
  off = await startDaemon({ ini: '[http]\nconsole=false' });
});

afterAll(() => Promise.all([open.dispose(), keyed.dispose(), noKey.dispose(), off.dispose()]));

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
}

async function ask(daemon: RunningDaemon, path: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(`http://127.0.0.1:${daemon.port}${path}`, init);
  return { status: response.status, text: await response.text(), headers: response.headers };
}

/** @param from the client's address, by the proxy. */
function shown(key: string, from = '198.51.100.1', user = 'me'): RequestInit {
  const basic = Buffer.from(`${user}:${key}`).toString('base64');
  return { headers: { Authorization: `Basic ${basic}`, 'X-Forwarded-For': from } };
}

describe('from loopback', () => {
  test('the page, and all that it loads, each with its type and a strict policy', async () => {
    expect(PATHS.length).toBeGreaterThan(12);
    for (const path of PATHS) {
      const { status, text, headers } = await ask(open, path); // oxlint-disable-line no-await-in-loop
      expect([path, status, text === '']).toEqual([path, 200, false]);
      expect(headers.get('content-type')).toMatch(
        /^(?:text\/(?:html|javascript|css); charset=utf-8|image\/svg\+xml|application\/json)$/,
      );
      const policy = headers.get('content-security-policy') ?? '';
      expect(policy).toMatch(
        /^default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; /,
      );
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).not.toMatch(/unsafe|\*|data:|https?:/);
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('referrer-policy')).toBe('no-referrer');
      expect(headers.get('cross-origin-resource-policy')).toBe('same-origin');
      expect(headers.get('cache-control')).toBe(path.endsWith('.json') ? 'no-store' : 'private, no-cache');
    }
  });

  test('the page loads nothing from elsewhere and has no script of its own', () => {
    const page = readFileSync(join(FOLDER, 'index.html'), 'utf8');
    const loaded = [...page.matchAll(/\b(?:src|href)="([^"]*)"/g)].map(([, url]) => url);
    expect(loaded.filter((url) => !FILES.includes(url) && !SHARED.has(url) && url !== 'uplot.css')).toEqual([]);
    expect(page).not.toMatch(/<script(?! type="module" src=)|<style|\sstyle=|\son\w+=/);
  });

  test('what the daemon serves: path, app, schemes, dialog', async () => {
    const { text } = await ask(open, '/_websock/about.json');
    const { resources, ...rest } = JSON.parse(text) as { resources: { path: string }[] };
    expect(rest).toEqual({ pages: true, key: false });
    expect(resources.toSorted((one, other) => (one.path < other.path ? -1 : 1))).toEqual([
      { path: '/', app: '/', accepts: ['ws', 'wss', 'tcp', 'ssl'], dialog: true },
      { path: '/jobs', app: '/jobs', accepts: ['ws', 'wss', 'tcp', 'ssl'], dialog: true },
      { path: '/php', app: '/', accepts: ['tcp', 'ssl'], dialog: true },
      { path: '/web', app: '/', accepts: ['ws', 'wss'], dialog: true },
    ]);
  });

  test('HEAD, and an ETag that holds', async () => {
    const [get, head] = [await ask(open, '/_websock/'), await ask(open, '/_websock/', { method: 'HEAD' })];
    expect([head.status, head.text, head.headers.get('content-length')]).toEqual([
      200,
      '',
      get.headers.get('content-length'),
    ]);
    const etag = get.headers.get('etag') ?? '';
    const again = await ask(open, '/_websock/', { headers: { 'If-None-Match': etag } });
    expect([again.status, again.text, again.headers.get('etag')]).toEqual([304, '', etag]);
  });

  test('without its slash: there', async () => {
    const { status, headers } = await ask(open, '/_websock', { redirect: 'manual' });
    expect([status, headers.get('location')]).toEqual([308, '/_websock/']);
    expect((await ask(off, '/_websock')).status).toBe(404);
  });

  test('other methods get 405', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
      const { status, headers } = await ask(open, '/_websock/', { method }); // oxlint-disable-line no-await-in-loop
      expect([method, status, headers.get('allow')]).toEqual([method, 405, 'GET, HEAD']);
    }
    const get = await ask(open, '/_websock/post/php');
    expect([get.status, get.headers.get('allow')]).toEqual([405, 'POST']);
  });

  test('no page of another origin may read it, an allowed one neither', async () => {
    const { status, headers } = await ask(open, '/_websock/about.json', {
      headers: { Origin: 'http://localhost:3000' },
    });
    expect([status, headers.get('access-control-allow-origin')]).toEqual([200, null]);
  });

  withCurl('under a strange name (DNS rebinding) it is not served', async () => {
    const { status } = await curl('-H', 'Host: evil.example', `http://127.0.0.1:${open.port}/_websock/`);
    expect(status).toBe(421);
  });

  test('a forwarded request is not from loopback', async () => {
    for (const headers of [{ 'X-Forwarded-For': '127.0.0.1' }, { Via: '1.1 proxy' }] as Record<string, string>[]) {
      const { status, text } = await ask(open, '/_websock/', { headers }); // oxlint-disable-line no-await-in-loop
      expect([status, text]).toEqual([
        403,
        expect.stringContaining("open it on the daemon's own host, as localhost, or set [backend] key"),
      ]);
    }
  });
});

describe('with the key', () => {
  test('without it: 401, and the browser asks its user', async () => {
    for (const path of PATHS) {
      const { status, headers, text } = await ask(keyed, path); // oxlint-disable-line no-await-in-loop
      expect([path, status, headers.get('www-authenticate')]).toEqual([
        path,
        401,
        expect.stringMatching(/^Basic realm=".*", charset="UTF-8"$/),
      ]);
      expect(text).toBe('the console asks for the backend key, as the password of any user name\n');
    }
  });

  test('as the password of whatever user', async () => {
    for (const user of ['', 'admin', 'ü']) {
      const { status } = await ask(keyed, '/_websock/', shown(KEY, '198.51.100.2', user)); // oxlint-disable-line no-await-in-loop
      expect([user, status]).toEqual([user, 200]);
    }
    const about = await ask(keyed, '/_websock/about.json', shown(KEY));
    expect(JSON.parse(about.text)).toMatchObject({ key: true });
  });

  test('one that is wrong: 401; after five of them 429, for the right one too, and not for others', async () => {
    const from = '203.0.113.9';
    for (let n = 0; n < 5; n++) {
      const { status, text } = await ask(keyed, '/_websock/', shown('wrong', from)); // oxlint-disable-line no-await-in-loop
      expect([status, text]).toEqual([401, 'the backend key is wrong\n']);
    }
    const right = await ask(keyed, '/_websock/', shown(KEY, from));
    expect([right.status, Number(right.headers.get('retry-after')) > 0]).toEqual([429, true]);
    // A backend of that address guesses from the same account.
    const bearer = { Authorization: `Bearer ${KEY}`, 'X-Forwarded-For': from };
    expect((await ask(keyed, '/php', { method: 'POST', headers: bearer, body: '{"opcode":"echo"}' })).status).toBe(429);
    expect((await ask(keyed, '/_websock/', shown(KEY))).status).toBe(200);
    // Who shows none has not guessed.
    expect((await ask(keyed, '/_websock/', { headers: { 'X-Forwarded-For': from } })).status).toBe(401);
  });

  test('what is no Basic is none', async () => {
    for (const Authorization of [
      'Basic',
      'Basic ???',
      `Basic ${Buffer.from('nocolon').toString('base64')}`,
      'Digest x',
    ]) {
      // oxlint-disable-next-line no-await-in-loop
      const { status } = await ask(keyed, '/_websock/', {
        headers: { Authorization, 'X-Forwarded-For': '198.51.100.7' },
      });
      expect([Authorization, status]).toEqual([Authorization, 401]);
    }
  });

  test('where there is no key, and loopback is not trusted, it is for nobody', async () => {
    expect((await ask(noKey, '/_websock/')).status).toBe(403);
    expect((await ask(noKey, '/_websock/', shown('guess', ''))).status).toBe(403);
  });

  test('the key is in no log line', () => {
    expect(keyed.out).not.toContain(KEY);
    expect(keyed.out).not.toContain(Buffer.from(`me:${KEY}`).toString('base64'));
  });
});

describe('[http] console=false', () => {
  test('there is none', async () => {
    for (const path of [...PATHS, '/_websock/post/php']) {
      const { status, text } = await ask(off, path); // oxlint-disable-line no-await-in-loop
      expect([path, status, text]).toEqual([path, 404, `no such page: ${path}\n`]);
    }
    const method = 'POST';
    expect(
      (await ask(off, '/_websock/post/php', { method, headers: own(off), body: '{"opcode":"echo"}' })).status,
    ).toBe(404);
  });

  test('but for the client library, which pages load', async () => {
    expect((await ask(off, '/_websock/client.js')).status).toBe(200);
  });
});

/** What the console's page sends along with a POST. */
function own({ port }: RunningDaemon): Record<string, string> {
  return { Origin: `http://127.0.0.1:${port}`, 'Sec-Fetch-Site': 'same-origin', 'Content-Type': 'text/plain' };
}

describe('the POST of its page', () => {
  const post = (daemon: RunningDaemon, headers: Record<string, string>, path = '/_websock/post/php'): Promise<Answer> =>
    ask(daemon, path, { method: 'POST', headers, body: '{"opcode":"echo","n":1}' });

  test('reaches the resource as that of a backend', async () => {
    const { status, text } = await post(open, own(open));
    expect([status, JSON.parse(text)]).toEqual([200, { opcode: 'next', fyi: '', packets: [{ opcode: 'echo', n: 1 }] }]);
    const missing = await post(open, own(open), '/_websock/post/nothing?x=1');
    expect([missing.status, missing.text]).toEqual([404, '{"opcode":"close","error":"no such resource: /nothing"}\n']);
  });

  test('with the key by Basic, too', async () => {
    const { headers } = shown(KEY);
    expect((await post(keyed, { ...own(keyed), ...(headers as Record<string, string>) })).status).toBe(200);
    expect((await post(keyed, own(keyed))).status).toBe(401);
  });

  test('the page of anybody else may not, though its visitor may see the console', async () => {
    const right = own(open);
    const strangers: Record<string, string>[] = [
      { ...right, Origin: 'http://localhost:3000' },
      { ...right, Origin: `http://localhost:${open.port}` },
      { ...right, Origin: 'https://evil.example' },
      { ...right, Origin: 'null' },
      { ...right, 'Sec-Fetch-Site': 'same-site' },
      { ...right, 'Sec-Fetch-Site': 'cross-site' },
      { 'Content-Type': 'text/plain' },
    ];
    for (const headers of strangers) {
      const { status, headers: got } = await post(open, headers); // oxlint-disable-line no-await-in-loop
      expect([headers, status, got.get('access-control-allow-origin')]).toEqual([headers, 403, null]);
    }
  });
});

describe('where the daemon listens on all addresses', () => {
  let wide: RunningDaemon;
  beforeAll(async () => {
    wide = await startDaemon({ ini: "adress='ws://0.0.0.0:0'" });
  });
  afterAll(() => wide.dispose());
  const get = async (path: string, host: string, method = 'GET', fields = ''): Promise<number> => {
    const peer = await RawPeer.open({ port: wide.port });
    const named = host === '' ? '' : `Host: ${host}\r\n`;
    const version = host === '' ? '1.0' : '1.1';
    peer.write(`${method} ${path} HTTP/${version}\r\n${named}${fields}Content-Length: 0\r\nConnection: close\r\n\r\n`);
    const { status } = await peer.response();
    peer.destroy();
    return status;
  };

  test('a page that came under another name (DNS rebinding) sees nothing, and posts nothing as a backend', async () => {
    const evil = `evil.example:${wide.port}`;
    const page = `Origin: http://${evil}\r\nSec-Fetch-Site: same-origin\r\n`;
    expect(await get('/_websock/', evil)).toBe(403);
    expect(await get('/_websock/about.json', evil)).toBe(403);
    expect(await get('/_websock/post/php', evil, 'POST', page)).toBe(403);
    for (const host of ['localhost.evil.com', '']) expect(await get('/_websock/', host)).toBe(403); // oxlint-disable-line no-await-in-loop
    expect(await get(`http://${evil}/_websock/`, 'localhost')).toBe(403);
  });

  test('under a name of this machine it is there', async () => {
    for (const host of ['localhost', `127.0.0.1:${wide.port}`, '[::1]'])
      expect(await get('/_websock/', host)).toBe(200); // oxlint-disable-line no-await-in-loop
  });
});
