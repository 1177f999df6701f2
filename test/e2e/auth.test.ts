import { createSecretKey, generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { SignJWT } from 'jose';
import { openChromium } from '../support/chromium.ts';
import { curl, run } from '../support/commands.ts';
import { ROOT, type RunningDaemon, startDaemon, temporaryFolder } from '../support/daemon.ts';
import { withProgram } from '../support/program.ts';
import { RawPeer, upgradeRequest } from '../support/rawpeer.ts';
import { servePage } from '../support/site.ts';
import { WebPeer, type WebPeerOptions } from '../support/webpeer.ts';

const withCurl = withProgram('curl', 'curl');
const withChromium = withProgram('chromium', 'chromium');
const TOKEN = 'correct-horse-battery-staple';
const WRONG = 'hunter2-hunter2-hunter2';
const KEY = 'the-key-of-the-backend';
const SECRET = 'a-secret-of-at-least-32-bytes-for-HS256';
const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });

/** Says who it is taken for. */
const WHO = `import { Resource } from 'websock';
export default class Who extends Resource {
  onHandshake(request) {
    if (request.query.get('ident') === 'nobody') return { status: 403, body: 'not for ' + JSON.stringify(request.auth) };
  }
  onData(client) {
    client.sendPacket({ opcode: 'who', ident: client.ident, auth: client.auth });
  }
}`;
const INI = `[auth]
mode=token
tokens='${TOKEN}'
[auth.jwt]
path=/hs
mode=jwt
keyFile=secret
[auth.rsa]
path=/rs
mode=jwt
keyFile=public.pem
audience=chat
identClaim=name
[auth.strict]
path=/strict,/query
mode=token
tokens='${TOKEN}'
backends=true
[auth.job]
path=/job
mode=jwt
keyFile=secret
backends=true
[auth.open]
path=/open,/nothere
mode=none
[security]
webIdent=true
trustedProxies='127.0.0.1'
[backend]
allowed='127.0.0.1'
key='${KEY}'`;

let daemon: RunningDaemon;
let last = 0;

beforeAll(async () => {
  const dir = temporaryFolder();
  writeFileSync(join(dir, 'secret'), SECRET, { mode: 0o600 });
  writeFileSync(join(dir, 'public.pem'), publicKey.export({ type: 'spki', format: 'pem' }));
  const extra = Object.fromEntries(['who', 'hs', 'rs', 'strict', 'job', 'open'].map((name) => [`${name}.js`, WHO]));
  extra['query.js'] = `import { Resource } from 'websock';
export default class Query extends Resource {
  onHandshake(request) { return { data: request.query.toString() } }
  onData(client) { client.sendPacket({ opcode: 'query', asked: client.data, has: client.query.toString() }); }
}`;
  daemon = await startDaemon({ dir, ini: `logLevel=debug\n${INI}`, extra });
});

afterAll(() => daemon.dispose());

/** Each from an address of its own: five that are wrong, and one has to wait. */
function elsewhere(): Record<string, string> {
  last++;
  return { 'X-Forwarded-For': `203.0.${last >> 8}.${last & 255}` };
}

async function who(path: string, { headers, ...options }: WebPeerOptions = {}): Promise<unknown> {
  const peer = await WebPeer.open(`ws://127.0.0.1:${daemon.port}${path}`, {
    ...options,
    headers: { ...elsewhere(), ...(headers as Record<string, string>) },
  });
  const { opcode, ...rest } = await peer.ask({ opcode: 'who' });
  expect([opcode, (await peer.packet()).opcode]).toEqual(['who', 'next']);
  await peer.close();
  return rest;
}

async function refused(
  path: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: string; head: string }> {
  const peer = await RawPeer.open({ port: daemon.port });
  peer.write(upgradeRequest(path, { ...elsewhere(), ...headers }));
  const { status, body, head } = await peer.response();
  await peer.gone();
  peer.destroy();
  return { status, body: body.trim(), head };
}

function hs(claims: Record<string, unknown>, expires: number | string = '1 minute'): Promise<string> {
  const jwt = new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).setExpirationTime(expires);
  return jwt.sign(createSecretKey(Buffer.from(SECRET)));
}

describe('mode=token', () => {
  test('a web client shows it in one of three places', async () => {
    const found = { ident: '', auth: { mode: 'token' } };
    expect(await who('/who', { headers: { Authorization: `Bearer ${TOKEN}` } })).toEqual(found);
    expect(await who(`/who?token=${TOKEN}`)).toEqual(found);
    expect(await who('/who', { protocols: [`websock.token.${TOKEN}`] })).toEqual(found);
    expect(await who('/who', { protocols: ['chat', `websock.token.${TOKEN}`] })).toEqual(found);
    expect(await who('/open')).toEqual({ ident: '', auth: null });
  });

  test('nothing, or a wrong one: 401 before the upgrade', async () => {
    expect(await refused('/who')).toMatchObject({
      status: 401,
      body: 'show a token: Authorization: Bearer TOKEN, ?token=TOKEN, or the subprotocol websock.token.TOKEN',
      head: expect.stringContaining('WWW-Authenticate: Bearer realm="websock"\r\n'),
    });
    for (const [path, headers] of [
      ['/', { Authorization: `Bearer ${WRONG}` }],
      [`/web?token=${WRONG}`, {}],
      ['/who', { 'Sec-WebSocket-Protocol': `chat, websock.token.${WRONG}` }],
      [`/who?token=${WRONG}`, { Authorization: `Bearer ${TOKEN}` }],
    ] as [string, Record<string, string>][]) {
      expect(await refused(path, headers)).toMatchObject({
        status: 401,
        body: 'the token is wrong',
        head: expect.stringContaining('error="invalid_token"'),
      });
    }
  });

  test('a web client cannot name itself, though webIdent=true', async () => {
    const headers = { Ident: 'root', Authorization: `Bearer ${TOKEN}` };
    expect(await who('/who?ident=root', { headers })).toMatchObject({ ident: '' });
    expect(await who('/open?ident=root', { headers: { Ident: 'guest' } })).toMatchObject({ ident: 'guest' });
  });

  test('onHandshake decides after it', async () => {
    const headers = { Authorization: `Bearer ${TOKEN}` };
    expect(await refused('/who?ident=nobody')).toMatchObject({ status: 401 });
    expect(await refused('/who?ident=nobody', headers)).toMatchObject({
      status: 403,
      body: 'not for {"mode":"token"}',
    });
  });

  withCurl('a resource sees a POST without the token in its query', async () => {
    const url = `http://127.0.0.1:${daemon.port}/query?a=1&token=${TOKEN}&b=2`;
    const answer = await curl('-d', '{}', url);
    expect(answer.json()).toMatchObject({ packets: [{ opcode: 'query', asked: 'a=1&b=2', has: 'a=1&b=2' }] });
  });

  withCurl('backends need none, unless backends=true: then a POST, a script and a line show one as well', async () => {
    const post = (path: string, ...more: string[]): ReturnType<typeof curl> =>
      curl('-d', '{"opcode":"who"}', '-H', 'Ident: job', ...more, `http://127.0.0.1:${daemon.port}${path}`);
    expect((await post('/who')).json()).toMatchObject({ packets: [{ ident: 'job', auth: null }] });
    const none = await post('/strict');
    expect([none.status, none.json().opcode]).toEqual([401, 'close']);
    expect(none.head).toMatch(/^www-authenticate: Bearer realm="websock"\r?$/im);
    expect((await post(`/strict?token=${WRONG}`)).status).toBe(401);
    const bearer = ['-H', `Authorization: Bearer ${TOKEN}`];
    const let1 = { packets: [{ ident: 'job', auth: { mode: 'token' } }] };
    expect((await post('/strict', ...bearer)).json()).toMatchObject(let1);
    expect((await post(`/strict?token=${TOKEN}`, '-H', `Authorization: Bearer ${KEY}`)).json()).toMatchObject(let1);
    const named = await post('/job', '-H', `Authorization: Bearer ${await hs({ sub: 'zoe' })}`);
    expect(named.json()).toMatchObject({ packets: [{ ident: 'zoe', auth: { claims: { sub: 'zoe' } } }] });
    expect(await refused('/strict', { 'Client-Type': 'php' })).toMatchObject({
      status: 401,
      body: 'show the backend key: Authorization: Bearer KEY',
    });
    expect(await refused('/strict', { 'Client-Type': 'php', Authorization: `Bearer ${KEY}` })).toMatchObject({
      status: 401,
    });
    const peer = await RawPeer.open({ port: daemon.port });
    peer.write('GET /strict\n');
    expect(await peer.rest()).toMatch(/^\{"opcode":"close","error":"show a token: .*"\}\n$/);
    peer.destroy();
    const line = await RawPeer.line({ port: daemon.port }, `/strict?token=${TOKEN}`);
    line.destroy();
  });

  test('five wrong ones from one address: 429, also for the right one, and for that address alone', async () => {
    const from = { 'X-Forwarded-For': '198.51.100.7' };
    for (let i = 0; i < 5; i++) expect(await refused(`/who?token=${WRONG}${i}`, from)).toMatchObject({ status: 401 });
    const { status, head } = await refused(`/who?token=${TOKEN}`, from);
    expect(status).toBe(429);
    expect(Number(/^retry-after: (\d+)\r$/im.exec(head)?.[1])).toBeGreaterThan(30);
    expect(await who(`/who?token=${TOKEN}`)).toMatchObject({ auth: { mode: 'token' } });
  });
});

describe('mode=jwt', () => {
  test('HS256: the claims are client.auth, sub is the ident', async () => {
    const token = await hs({ sub: 'zoe', rooms: [1, 2] });
    expect(await who('/hs?ident=root', { protocols: ['chat', `websock.token.${token}`] })).toEqual({
      ident: 'zoe',
      auth: { mode: 'jwt', claims: { sub: 'zoe', rooms: [1, 2], exp: expect.any(Number) } },
    });
  });

  test('RS256 for an audience, named by another claim; no other algorithm', async () => {
    const sign = (alg: string, aud: string, key: Parameters<SignJWT['sign']>[0] = privateKey): Promise<string> =>
      new SignJWT({ name: 'Zoë', aud }).setProtectedHeader({ alg }).setExpirationTime('1 minute').sign(key);
    expect(await who(`/rs?token=${await sign('RS256', 'chat')}`)).toMatchObject({ ident: 'Zoë' });
    const pem = createSecretKey(Buffer.from(publicKey.export({ type: 'spki', format: 'pem' })));
    for (const [token, text] of [
      [await sign('RS256', 'shop'), 'the aud of the token is not accepted here'],
      [await sign('HS256', 'chat', pem), 'the token is wrong'],
      [
        `${Buffer.from('{"alg":"none"}').toString('base64url')}.${(await sign('RS256', 'chat')).split('.')[1]}.`,
        'the token is wrong',
      ],
      [TOKEN, 'the token is wrong'],
    ]) {
      expect(await refused(`/rs?token=${token}`)).toMatchObject({ status: 401, body: text });
    }
  });

  test('the connection ends with the token', async () => {
    const expires = Math.floor(Date.now() / 1000) + 4;
    const peer = await WebPeer.open(`ws://127.0.0.1:${daemon.port}/hs?token=${await hs({}, expires)}`);
    expect(await peer.packet()).toEqual({ opcode: 'close', error: 'the token has expired' });
    expect(await peer.closed).toEqual({ code: 1008, reason: 'the token has expired' });
    expect(Date.now() / 1000).toBeGreaterThanOrEqual(expires);
    expect(await refused(`/hs?token=${await hs({}, expires)}`)).toMatchObject({
      status: 401,
      body: 'the token has expired',
    });
    await daemon.said(/\/hs closed: 1008 the token has expired/);
  });
});

describe('a page in Chromium', () => {
  withChromium(
    'gives its token as a subprotocol; another one that it offers is chosen',
    async () => {
      const site = await servePage('<!doctype html><title>x</title>');
      const browser = await openChromium();
      try {
        const page = await browser.context.newPage();
        await page.goto(`http://127.0.0.1:${site.port}/`);
        const outcome = (protocols: string[]): Promise<string> =>
          page.evaluate(
            `new Promise((done) => {
            const socket = new WebSocket('ws://127.0.0.1:${daemon.port}/who', ${JSON.stringify(protocols)});
            socket.onopen = () => done('open ' + socket.protocol);
            socket.onclose = ({ code }) => done('closed ' + code);
          })`,
          );
        expect(await outcome(['chat', `websock.token.${TOKEN}`])).toBe('open chat');
        expect(await outcome([`websock.token.${TOKEN}`])).toBe(`open websock.token.${TOKEN}`);
        expect(await outcome([`websock.token.${WRONG}`])).toBe('closed 1006');
      } finally {
        await browser.close();
        await site.close();
      }
    },
    60_000,
  );
});

describe('what is said of it', () => {
  test('no token stands in any line of the log, right or wrong, at any level', async () => {
    const jwt = await hs({ sub: 'zoe' }, 1);
    const shown = [TOKEN, WRONG, jwt, KEY];
    const say = async (request: string): Promise<void> => {
      const peer = await RawPeer.open({ port: daemon.port });
      peer.end(request);
      await peer.gone();
      peer.destroy();
    };
    for (const secret of shown) {
      const bearer = { ...elsewhere(), Authorization: `Bearer ${secret}` };
      await say(upgradeRequest(`/nothing?token=${secret}`, { 'Client-Type': 'php', ...bearer }));
      await say(upgradeRequest(`/hs?token=${secret}x`, bearer));
      await say(upgradeRequest('/rs', { ...elsewhere(), 'Sec-WebSocket-Protocol': `websock.token.${secret}` }));
      await say(`GET /strict?token=${secret}x Bearer ${secret}x\n`);
      await say(`GET /who?token=${secret} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${secret}\r\n\r\n`);
      await say(`BREW /who?token=${secret} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${secret}\r\n\r\n`);
      await say(`${secret} /who?token=${secret}\r\n\r\n`);
    }
    await refused(`/rs?token=${jwt}`); // of another algorithm
    for (const secret of [...shown, SECRET]) expect(daemon.out).not.toContain(secret);
    expect(daemon.out).toMatch(/DEBUG .*accepted/);
    expect(daemon.out).toMatch(/ \/rs: jwt: no key is for such a token\n/);
    expect(JSON.stringify(daemon.logged())).not.toContain(TOKEN);
  });

  test('a section for a path where there is no resource: a warning; --check says what is asked where', async () => {
    expect(daemon.out).toMatch(
      /WARN .*line \d+, \[auth\.open\] path: there is no resource at \/nothere, so nothing is asked there/,
    );
    const { code, stdout } = await run(process.execPath, [join(ROOT, 'dist/run.js'), '--check'], '', {
      cwd: daemon.dir,
      env: {},
    });
    expect(code).toBe(0);
    expect(stdout).toMatch(/^warning: .*\[auth\.open\] path: there is no resource at \/nothere/m);
    expect(stdout).toMatch(/^resource: \/hs for .*, auth jwt$/m);
    expect(stdout).toMatch(/^resource: \/web for .*, auth token$/m);
    expect(stdout).toMatch(/^resource: \/open for ws, wss, tcp, ssl, app \/open$/m);
  });
});
