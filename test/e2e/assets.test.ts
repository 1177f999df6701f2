import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ROOT, type RunningDaemon, startDaemon } from '../support/daemon.ts';

const PATHS = ['/_websock/client.js', '/_websock/client.classic.js'];
const PAGE = { Origin: 'http://localhost:3000' };

let daemon: RunningDaemon;
let url: string;

beforeAll(async () => {
  daemon = await startDaemon({
    extra: { 'taken.js': "export default class { static path = '/_websock/client.js'; onData() {} }" },
  });
  url = `http://127.0.0.1:${daemon.port}`;
});

afterAll(() => daemon.dispose());

function bundle(path: string): string {
  return readFileSync(join(ROOT, 'dist/client', path.slice('/_websock/'.length)), 'utf8');
}

describe.each(PATHS)('%s', (path) => {
  test('is the bundle, as JavaScript, to be asked for again', async () => {
    const response = await fetch(url + path);
    expect(response.status).toBe(200);
    expect(await response.text()).toBe(bundle(path));
    expect(response.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
    expect(response.headers.get('content-length')).toBe(String(Buffer.byteLength(bundle(path))));
    expect(response.headers.get('cache-control')).toBe('no-cache');
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
    expect(response.headers.get('etag')).toMatch(/^"[\w-]{22}"$/);
  });

  test('HEAD has the same headers and no body', async () => {
    const [get, head] = await Promise.all([fetch(url + path), fetch(url + path, { method: 'HEAD' })]);
    const hop = new Set(['date', 'connection', 'keep-alive']);
    const seen = ({ headers }: Response): unknown => [...headers].filter(([name]) => !hop.has(name));
    expect(head.status).toBe(200);
    expect(await head.text()).toBe('');
    expect(seen(head)).toEqual(seen(get));
    await get.text();
  });

  test('who has it already gets a 304; who has another one, all of it', async () => {
    const etag = (await fetch(url + path, { method: 'HEAD' })).headers.get('etag') ?? '';
    for (const tag of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      // oxlint-disable-next-line no-await-in-loop -- one connection
      const response = await fetch(url + path, { headers: { 'If-None-Match': tag } });
      // oxlint-disable-next-line no-await-in-loop -- one connection
      expect([tag, response.status, await response.text()]).toEqual([tag, 304, '']);
      expect(response.headers.get('etag')).toBe(etag);
    }
    const changed = await fetch(url + path, { headers: { 'If-None-Match': '"other"' } });
    expect([changed.status, await changed.text()]).toEqual([200, bundle(path)]);
  });

  test('a page of an allowed origin may read it, another one may not', async () => {
    const allowed = await fetch(url + path, { headers: PAGE });
    expect(allowed.headers.get('access-control-allow-origin')).toBe(PAGE.Origin);
    expect(allowed.headers.get('vary')).toBe('Origin');
    const foreign = await fetch(url + path, { headers: { Origin: 'https://evil.example' } });
    expect(foreign.headers.get('access-control-allow-origin')).toBeNull();
    expect(foreign.headers.get('vary')).toBe('Origin');
    await Promise.all([allowed.text(), foreign.text()]);
  });

  test('other methods are refused, with those that are served', async () => {
    for (const method of ['POST', 'PUT', 'DELETE']) {
      // oxlint-disable-next-line no-await-in-loop -- one connection
      const response = await fetch(url + path, { method });
      expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD, OPTIONS']);
      expect(await response.text()).toBe(`${method} is not served here\n`); // oxlint-disable-line no-await-in-loop
    }
    const preflight = await fetch(url + path, { method: 'OPTIONS', headers: PAGE });
    expect([preflight.status, preflight.headers.get('allow')]).toEqual([204, 'GET, HEAD, OPTIONS']);
    expect(preflight.headers.get('access-control-allow-methods')).toBe('GET, HEAD');
  });
});

test('what is not there says so; nothing below /_websock is a resource', async () => {
  for (const path of ['/_websock/nothing', '/_websock/nothing.js', '/_websock/../client.js']) {
    const response = await fetch(url + path.replace('..', '%2e%2e%2f')); // oxlint-disable-line no-await-in-loop
    expect(response.status).toBe(404);
    expect(await response.text()).toMatch(/^no such page: \/_websock/); // oxlint-disable-line no-await-in-loop
  }
  expect(daemon.out).toMatch(
    /Resource refused : .*taken\.js: its path \/_websock\/client\.js is the daemon's own, as all below \/_websock\//,
  );
});
