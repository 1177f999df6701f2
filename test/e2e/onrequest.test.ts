import { once } from 'node:events';
import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { RawPeer } from '../support/rawpeer.ts';
import { WebPeer } from '../support/webpeer.ts';

const KEY = 'the-key-of-the-backend';
const TOKEN = 'correct-horse-battery-staple';
/** Proxies come from loopback, backends from here. */
const BACKEND = '10.0.0.5';

/** Answers as its query asks for. */
const PAGE = `import { Resource } from 'websock';
export default class Page extends Resource {
  static accepts = ['tcp', 'ssl', 'ws'];
  onRequest(request, response) {
    const { query } = request;
    switch (query.get('do')) {
      case 'bytes': return Buffer.from([0, 255]);
      case 'full':
        response.send('{"a":1}', {
          status: 201, type: 'application/json', headers: { 'X-Own': 'b', Vary: 'Cookie', 'Set-Cookie': ['a=1', 'b=2'] },
        });
        return undefined;
      case 'empty': response.send('', { status: 204 }); return undefined;
      case 'later': return new Promise((done) => setTimeout(() => done('later'), 20));
      case 'nothing': return undefined;
      case 'throw': throw new Error('it threw');
      case 'reject': return Promise.reject(new Error('it rejected'));
      case 'packet': this.getPacket('no JSON'); return undefined;
      case 'object': return { status: 200 };
      case 'header': response.send('a', { headers: { 'X-A': 'b\\r\\nSet-Cookie: c=1' } }); return undefined;
      case 'twice': response.send('first'); response.send('second'); return undefined;
      case 'late': return new Promise((done, fail) => setTimeout(() => fail(new Error('it was late')), 700));
      case 'tell': {
        const { method, path, headers, ip, secure, auth, trusted } = request;
        return JSON.stringify({ method, path, query: query.toString(), agent: headers['x-agent'], ip, secure, auth, trusted });
      }
      case 'who': {
        const { server } = this;
        const info = server.getClientInfo(Number(query.get('id'))) ?? null;
        const counts = [{}, { path: '/page' }, { path: '/web' }, { app: '/' }, { room: 'den' }].map((one) => server.count(one));
        return JSON.stringify({ info, counts, settings: server.settings, frozen: Object.isFrozen(server.settings) });
      }
      default: return '<p>page';
    }
  }
  onData(client, message) {
    client.join('den');
    client.send(String(client.id));
  }
}`;
const SCRIPTS = `import { Resource } from 'websock';
export default class Scripts extends Resource {
  static accepts = ['tcp'];
  async onRequest(request) { return 'for all'; }
}`;
const GETTER = `import { Resource } from 'websock';
export default class Getter extends Resource {
  get onRequest() { throw new Error('the getter threw'); }
}`;

let daemon: RunningDaemon;

beforeAll(async () => {
  daemon = await startDaemon({
    ini: `[limits]
handlerTimeout=0.4
maxAttempts=3
[security]
trustedProxies='127.0.0.1'
hosts='*'
[backend]
allowed='${BACKEND}'
key='${KEY}'
[auth.guarded]
path='/guarded'
mode=token
tokens='${TOKEN}'
[auth.strict]
path='/strict'
mode=token
tokens='${TOKEN}'
backends=true
[/page]
title='a; b'
size=5
[/web]
[/none]
x=1`,
    extra: { 'page.js': PAGE, 'guarded.js': PAGE, 'strict.js': PAGE, 'scripts.js': SCRIPTS, 'getter.js': GETTER },
  });
});

afterAll(() => daemon.dispose());

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A request on a connection of its own; of the method GET, if `path` names none. */
async function ask(path: string, headers: Record<string, string> = {}): Promise<Answer> {
  const [method, target] = path.startsWith('/') ? ['GET', path] : path.split(' ');
  const asking = request({ host: '127.0.0.1', port: daemon.port, path: target, method, headers, agent: false });
  asking.end();
  const [response] = (await once(asking, 'response')) as [IncomingMessage];
  return { status: response.statusCode ?? 0, headers: response.headers, body: await text(response) };
}

/** What the resource was told of a request. */
async function told(path: string, headers: Record<string, string> = {}): Promise<Record<string, unknown>> {
  const { status, body } = await ask(path, headers);
  expect(status).toBe(200);
  return JSON.parse(body) as Record<string, unknown>;
}

describe('what onRequest answers', () => {
  test('a text it returns is a page; HEAD has the same headers and no body', async () => {
    const get = await ask('/page');
    const head = await ask('HEAD /page');
    expect([get.status, get.body, head.status, head.body]).toEqual([200, '<p>page', 200, '']);
    for (const { headers } of [get, head]) {
      expect(headers).toMatchObject({
        'content-type': 'text/html; charset=utf-8',
        'content-length': '7',
        'x-content-type-options': 'nosniff',
        vary: 'Origin',
      });
    }
  });

  test('a Buffer is bytes, and a promise is waited for', async () => {
    const bytes = await fetch(`http://127.0.0.1:${daemon.port}/page?do=bytes`);
    expect(bytes.headers.get('content-type')).toBe('application/octet-stream');
    expect([...new Uint8Array(await bytes.arrayBuffer())]).toEqual([0, 255]);
    expect((await ask('/page?do=later')).body).toBe('later');
  });

  test('send has a status, a type and headers of its own', async () => {
    const { status, headers, body } = await ask('/page?do=full');
    expect([status, body]).toEqual([201, '{"a":1}']);
    expect(headers).toMatchObject({
      'content-type': 'application/json',
      'content-length': '7',
      'x-own': 'b',
      vary: 'Origin, Cookie',
      'set-cookie': ['a=1', 'b=2'],
    });
    const empty = await ask('/page?do=empty');
    expect([empty.status, empty.headers['content-type'], empty.headers['content-length'], empty.body]).toEqual([
      204,
      undefined,
      undefined,
      '',
    ]);
  });

  test('nothing: the client is told what the path is; and so at a resource without it', async () => {
    const what = 'is a resource: connect with WebSocket';
    expect(await ask('/page?do=nothing')).toMatchObject({
      status: 426,
      body: `/page ${what}, or POST a message to it\n`,
    });
    expect(await ask('/web')).toMatchObject({ status: 426, body: `/web ${what}\n` });
    expect(await ask('/page/below')).toMatchObject({ status: 404, body: 'no such resource: /page/below\n' });
  });

  test('whomever the resource accepts', async () => {
    expect(await ask('/scripts')).toMatchObject({ status: 200, body: 'for all' });
  });

  test('requests of one connection are answered in their order', async () => {
    const peer = await RawPeer.open({ port: daemon.port });
    const get = (path: string, more = ''): string => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n${more}\r\n`;
    peer.write(get('/page?do=later') + get('/page') + get('/page?do=full', 'Connection: close\r\n'));
    const bodies = (await peer.rest()).matchAll(/later|<p>page|\{"a":1\}/g);
    expect([...bodies].map(String)).toEqual(['later', '<p>page', '{"a":1}']);
  });

  test('a message is posted as ever, and other methods are refused', async () => {
    const asking = await fetch(`http://127.0.0.1:${daemon.port}/page`, {
      method: 'POST',
      body: '{"opcode":"x"}',
      headers: { Authorization: `Bearer ${KEY}` },
    });
    expect(await asking.json()).toMatchObject({ opcode: 'next', packets: [expect.any(Number)] });
    expect(await ask('PUT /page')).toMatchObject({ status: 405 });
    const { headers } = await ask('GET /page', { Connection: 'Upgrade', Upgrade: 'h2c' });
    expect(headers['content-type']).toBe('text/html; charset=utf-8');
  });
});

describe('what goes wrong', () => {
  const FAILED = { status: 500, body: 'the resource failed\n' };

  test.each([
    ['throw', /GET \/page: the resource failed: it threw \(at .*\(.*page\.js:\d+:\d+\)\)\n/],
    ['reject', /GET \/page: the resource failed: it rejected \(at .*\(.*page\.js:\d+:\d+\)\)\n/],
    ['object', /GET \/page: the resource failed: onRequest returned object: return a string, a Buffer or nothing/],
    ['header', /GET \/page: the resource failed: Invalid character in header content \["X-A"\]/],
  ])('%s: 500, and a line in the log', async (what, line) => {
    const from = daemon.out.length;
    const answer = await ask(`/page?do=${what}`);
    expect(answer).toMatchObject(FAILED);
    expect(answer.headers['set-cookie']).toBeUndefined();
    await daemon.said(line, from);
    expect((await ask('/page')).body).toBe('<p>page');
  });

  test('an error with a close code has the status of that code', async () => {
    const { status, body } = await ask('/page?do=packet');
    expect([status, body]).toEqual([400, expect.stringContaining('JSON')]);
  });

  test('a getter that throws is a failure of the resource', async () => {
    const from = daemon.out.length;
    expect(await ask('/getter')).toMatchObject(FAILED);
    await daemon.said(/GET \/getter: the resource failed: the getter threw/, from);
  });

  test('a second answer is an error, and the first stands', async () => {
    const from = daemon.out.length;
    expect(await ask('/page?do=twice')).toMatchObject({ status: 200, body: 'first' });
    await daemon.said(/onRequest failed, its client was answered already: the request was answered already/, from);
  });

  test('one that takes longer than handlerTimeout: 504, and what it throws then is logged', async () => {
    const from = daemon.out.length;
    expect((await ask('/page?do=late')).status).toBe(504);
    await daemon.said(/GET \/page: onRequest failed, too late: it was late/, from);
  });
});

describe('who may', () => {
  test('every page, but CORS says which may read it', async () => {
    const ours = await ask('/page', { Origin: 'http://127.0.0.1:3000' });
    expect([ours.status, ours.headers['access-control-allow-origin']]).toEqual([200, 'http://127.0.0.1:3000']);
    const foreign = await ask('/page', { Origin: 'https://evil.example' });
    expect([foreign.status, foreign.body, foreign.headers['access-control-allow-origin']]).toEqual([
      200,
      '<p>page',
      undefined,
    ]);
  });

  test('hears what there is to know of a request', async () => {
    expect(await told('/page?do=tell&a=b', { 'X-Agent': 'me', 'X-Forwarded-For': '192.0.2.1' })).toEqual({
      method: 'GET',
      path: '/page',
      query: 'do=tell&a=b',
      agent: 'me',
      ip: '192.0.2.1',
      secure: false,
      auth: null,
      trusted: false,
    });
  });

  test.each<[string, Record<string, string>, boolean]>([
    ['a stranger', { 'X-Forwarded-For': '192.0.2.1' }, false],
    ['the proxy itself', {}, false],
    ['a trusted address', { 'X-Forwarded-For': BACKEND }, true],
    [
      'a trusted address, under a name that may be that of any page',
      { 'X-Forwarded-For': BACKEND, Host: 'a.example' },
      false,
    ],
    ['a trusted address, and a browser', { 'X-Forwarded-For': BACKEND, 'Sec-Fetch-Site': 'none' }, false],
    ['a trusted address, and a page', { 'X-Forwarded-For': BACKEND, Origin: 'http://127.0.0.1' }, false],
    ['the key', { 'X-Forwarded-For': '192.0.2.1', Authorization: `Bearer ${KEY}` }, true],
    ['something else in Authorization', { 'X-Forwarded-For': '192.0.2.1', Authorization: 'Basic YTpi' }, false],
  ])('%s is trusted or not', async (_, headers, trusted) => {
    expect((await told('/page?do=tell', headers)).trusted).toBe(trusted);
  });

  test('a wrong key is refused, and may not be tried for ever', async () => {
    const headers = { 'X-Forwarded-For': '192.0.2.66' };
    const guess = { ...headers, Authorization: 'Bearer wrong' };
    const statuses: number[] = [];
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    for (let i = 0; i < 4; i++) statuses.push((await ask('/page', guess)).status);
    expect(statuses).toEqual([401, 401, 401, 429]);
    expect((await ask('/page', { ...headers, Authorization: `Bearer ${KEY}` })).status).toBe(429);
    expect((await ask('/page', headers)).status).toBe(200);
  });

  test('whom [auth] of the path lets in', async () => {
    const stranger = { 'X-Forwarded-For': '192.0.2.2' };
    expect((await ask('/guarded', stranger)).status).toBe(401);
    expect((await ask('/guarded', { ...stranger, Authorization: 'Bearer no' })).status).toBe(401);
    // A trusted address is no pass here, as it is none for a web client.
    expect((await ask('/guarded', { 'X-Forwarded-For': BACKEND })).status).toBe(401);
    const auth = { mode: 'token' };
    expect(await told(`/guarded?do=tell&token=${TOKEN}`, stranger)).toMatchObject({ auth, query: 'do=tell' });
    const shown = { ...stranger, Authorization: `Bearer ${TOKEN}` };
    expect(await told('/guarded?do=tell', shown)).toMatchObject({ auth, trusted: false });
    expect((await ask('/strict', stranger)).status).toBe(401);
  });
});

describe('what a resource knows of its clients and of itself', () => {
  test('its settings, as they are written', async () => {
    expect(await told('/page?do=who')).toMatchObject({ settings: { title: 'a; b', size: '5' }, frozen: true });
    expect(daemon.out).toMatch(
      /WARN .*websock\.ini line \d+, \[\/none\]: there is no resource at \/none, so nobody reads it\n/,
    );
    expect(daemon.out).not.toMatch(/\[\/(?:page|web)\]/);
  });

  test('who is there, how many, and since when', async () => {
    const before = Date.now();
    const page = await WebPeer.open(`ws://127.0.0.1:${daemon.port}/page`);
    page.socket.send('which');
    const id = Number(await page.text());
    const web = await WebPeer.open(`ws://127.0.0.1:${daemon.port}/web`);
    const { info, counts } = await told(`/page?do=who&id=${id}`);
    // The bundled three have one app.
    expect(counts).toEqual([2, 1, 1, 1, 1]);
    expect(info).toEqual({
      id,
      uuid: page.uuid,
      ident: '',
      path: '/page',
      app: '/page',
      scheme: 'ws',
      kind: 'websocket',
      ip: '127.0.0.1',
      rooms: ['den'],
      connected: expect.any(Number),
      bufferedAmount: 0,
      dropped: 0,
      detached: false,
    });
    const { connected } = info as { connected: number };
    // It is known to a tenth of a second.
    expect(connected).toBeGreaterThan(before - 200);
    expect(connected).toBeLessThan(Date.now() + 200);
    for (const peer of [page, web]) {
      peer.socket.close();
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      await peer.closed;
    }
    expect(await told(`/page?do=who&id=${id}`)).toMatchObject({ info: null, counts: [0, 0, 0, 0, 0] });
  });
});
