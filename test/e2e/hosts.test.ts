import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { makeCertificate } from '../support/certificate.ts';
import { type RunningDaemon, startDaemon, temporaryFolder } from '../support/daemon.ts';
import { RawPeer, upgradeRequest, type Where } from '../support/rawpeer.ts';

const ECHO = '{"opcode":"echo"}';
const BY_DEFAULT =
  "the host 'evil.example:8096' is not served on a loopback address: name it in [security] hosts; or if a proxy passes it on, " +
  'the proxy in [security] trustedProxies, and let it send X-Forwarded-For';

/** Nothing is said of hosts. */
let daemon: RunningDaemon;
/** The same, and 127.0.0.1 is a trusted proxy. */
let proxied: RunningDaemon;
/** Only chat.example is served, everywhere. */
let named: RunningDaemon;
let plain: Where;
let tls: Where;
let everywhere: Where;
let unix: Where;

beforeAll(async () => {
  const dir = temporaryFolder();
  const { certFile, pkFile } = makeCertificate(dir);
  const adress = `ws://127.0.0.1:0, ws+wss://localhost:0, ws://0.0.0.0:0, unix:${join(dir, 'web.sock')}`;
  [daemon, proxied, named] = await Promise.all([
    startDaemon({ dir, ini: `adress='${adress}'\ncertFile='${certFile}'\npkFile='${pkFile}'` }),
    startDaemon({
      ini: "adress='ws://127.0.0.1:0, ws://127.0.0.1:0?proxyProtocol=true'\n[security]\ntrustedProxies='127.0.0.1'\n[backend]\ntrustLoopback=false",
    }),
    startDaemon({
      ini: "adress='ws://127.0.0.1:0, ws://0.0.0.0:0'\n[security]\nhosts='Chat.example, other.example:81'",
    }),
  ]);
  const secure = daemon.endpoints.findIndex((endpoint) => daemon.out.includes(`${endpoint} ssl://`));
  plain = { port: daemon.port };
  tls = { port: daemon.ports[secure], ca: readFileSync(certFile, 'utf8') };
  everywhere = { port: Number(daemon.endpoints.find((e) => e.startsWith('0.0.0.0'))?.split(':')[1]) };
  unix = { path: join(dir, 'web.sock') };
});

afterAll(() => Promise.all([daemon.dispose(), proxied.dispose(), named.dispose()]));

type Kind = (host: string, target?: string) => string;
const withHost = (line: string, host: string, more = ''): string =>
  `${line}${host === '' ? '' : `Host: ${host}\r\n`}Connection: close\r\n${more}\r\n`;

/** Each kind of request, and the status that it has where its host is served. */
const KINDS: Record<string, [kind: Kind, status: number]> = {
  'a web client': [(host, target = '/web') => upgradeRequest(target, { Host: host }), 101],
  'a web client of a page of that host': [
    (host, target = '/web') => upgradeRequest(target, { Host: host, Origin: `http://${host}` }),
    101,
  ],
  'a script client': [(host, target = '/php') => upgradeRequest(target, { Host: host, 'Client-Type': 'php' }), 101],
  GET: [(host, target = '/web') => withHost(`GET ${target} HTTP/1.1\r\n`, host), 426],
  HEAD: [(host, target = '/web') => withHost(`HEAD ${target} HTTP/1.1\r\n`, host), 426],
  POST: [
    (host, target = '/php') => withHost(`POST ${target} HTTP/1.1\r\nContent-Length: ${ECHO.length}\r\n`, host) + ECHO,
    200,
  ],
  OPTIONS: [(host, target = '/php') => withHost(`OPTIONS ${target} HTTP/1.1\r\n`, host), 204],
};

/** Status and body that a request is answered with. */
async function ask(where: Where, request: string): Promise<{ status: number; body: string }> {
  const peer = await RawPeer.open(where);
  peer.write(request);
  const head = await peer.head();
  const length = request.startsWith('HEAD') ? 0 : Number(/^content-length: (\d+)\r$/im.exec(head)?.[1] ?? 0);
  const body = (await peer.take(length)).toString();
  peer.destroy();
  return { status: Number(head.slice(9, 12)), body };
}

describe.each(Object.entries(KINDS))('%s', (name, [kind, status]) => {
  test('at a loopback address: names and addresses of loopback, with a port and without', async () => {
    for (const host of [
      'localhost',
      'LocalHost:8096',
      'app.localhost:1',
      '127.0.0.1',
      '127.1.2.3:8096',
      '[::1]:8096',
    ]) {
      expect([host, (await ask(plain, kind(host))).status]).toEqual([host, status]);
    }
    expect((await ask(tls, kind('localhost:8443'))).status).toBe(status);
  });

  test('any other is answered with 421 and what to do, by TLS too; nobody is asked', async () => {
    for (const where of [plain, tls]) {
      const from = daemon.out.length;
      const answer = await ask(where, kind('evil.example:8096'));
      expect(answer).toEqual({ status: 421, body: name === 'HEAD' ? '' : `${BY_DEFAULT}\n` });
      await daemon.said(/WARN #\d+ 127\.0\.0\.1 .*refused: 421 the host 'evil\.example:8096' is not served/, from);
    }
    for (const host of ['localhost.evil.example', '127.0.0.1.nip.io', '0.0.0.0:8096', 'evil.example@localhost']) {
      expect([host, (await ask(plain, kind(host))).status]).toEqual([host, 421]);
    }
  });

  test('an absolute target must name a host that is served as well', async () => {
    const path = name.startsWith('a web') || /GET|HEAD/.test(name) ? '/web' : '/php';
    expect((await ask(plain, kind('localhost', `http://localhost:8096${path}`))).status).toBe(status);
    expect((await ask(plain, kind('localhost', `http://evil.example${path}`))).status).toBe(421);
    expect((await ask(plain, kind('evil.example', `http://localhost${path}`))).status).toBe(421);
    expect((await ask(plain, kind('localhost', `http://localhost@evil.example${path}`))).status).toBe(421);
  });

  test('at an address of the network, and at a Unix socket, every host is served', async () => {
    for (const where of [everywhere, unix]) {
      for (const host of ['chat.example:8096', '192.0.2.7', 'localhost']) {
        expect([host, (await ask(where, kind(host))).status]).toEqual([host, status]);
      }
    }
  });

  test('with hosts: those alone, wherever it comes in', async () => {
    for (const port of named.ports) {
      for (const [host, served] of [
        ['chat.example', true],
        ['CHAT.example:8096', true],
        ['chat.example.', true],
        ['other.example:81', true],
        ['other.example:82', false],
        ['localhost', false],
        [`127.0.0.1:${port}`, false],
        ['evil.example', false],
      ] as const) {
        const answer = await ask({ port }, kind(host));
        expect([host, answer.status]).toEqual([host, served ? status : 421]);
        if (served || name === 'HEAD') continue;
        expect(answer.body).toBe(`the host '${host}' is not served: see [security] hosts\n`);
      }
    }
  });
});

test('what a trusted proxy passes on has the host that its client named; what does not say so has not come by the proxy', async () => {
  const where = { port: proxied.port };
  const page = { Host: 'chat.example', Origin: 'https://chat.example' };
  const passedOn = { ...page, 'X-Forwarded-For': '192.0.2.9', 'X-Forwarded-Proto': 'https' };
  expect((await ask(where, upgradeRequest('/web', passedOn))).status).toBe(101);
  expect((await ask(where, upgradeRequest('/web', page))).status).toBe(421);
  const get = 'GET /web HTTP/1.1\r\nHost: chat.example\r\n';
  expect((await ask(where, `${get}X-Forwarded-For: 192.0.2.9\r\n\r\n`)).status).toBe(426);
  expect((await ask(where, `${get}\r\n`)).status).toBe(421);
  // One that sends a PROXY header knows nothing of the head behind it; and no page can send one.
  const behind = { port: proxied.ports[1] };
  const proxy = 'PROXY TCP4 192.0.2.9 192.0.2.1 50000 443\r\n';
  expect((await ask(behind, proxy + upgradeRequest('/web', page))).status).toBe(101);
  expect((await ask(behind, `${proxy}${get}\r\n`)).status).toBe(426);
  // A proxy of which nobody knows: it is told what to set.
  const unknown = await ask(plain, upgradeRequest('/web', passedOn));
  expect([unknown.status, unknown.body]).toEqual([421, expect.stringContaining('[security] trustedProxies')]);
});

test('who names no host is no browser: line clients, HTTP/1.0; HTTP/1.1 needs exactly one', async () => {
  for (const { port } of [daemon, named]) {
    const line = await RawPeer.line({ port }, 'GET /php');
    line.destroy();
    expect((await ask({ port }, 'GET /web HTTP/1.0\r\n\r\n')).status).toBe(426);
    for (const hosts of [
      '',
      'Host: chat.example\r\nHost: localhost\r\n',
      'Host: localhost\r\nhost: evil.example\r\n',
    ]) {
      const post = await ask({ port }, `POST /php HTTP/1.1\r\n${hosts}Content-Length: 2\r\n\r\n{}`);
      expect(post).toEqual({ status: 400, body: 'one Host header is required\n' });
      const web = await ask({ port }, upgradeRequest('/web', { Host: '' }).replace('\r\n\r\n', `\r\n${hosts}\r\n`));
      expect(web.status).toBe(400);
    }
  }
});

test('each request of a connection is judged', async () => {
  const peer = await RawPeer.open(plain);
  peer.write('GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n');
  expect((await peer.response()).status).toBe(404);
  peer.destroy();
  const kept = await RawPeer.open(plain);
  const post = (host: string): string =>
    `POST /php HTTP/1.1\r\nHost: ${host}\r\nContent-Length: ${ECHO.length}\r\n\r\n${ECHO}`;
  kept.write(post('localhost'));
  expect((await kept.response()).status).toBe(200);
  kept.write(post('evil.example'));
  expect((await kept.response()).status).toBe(421);
  kept.destroy();
});

test('a host that no browser could send is refused at the start, by name', async () => {
  await expect(startDaemon({ ini: "[security]\nhosts='example.org, http://x'" })).rejects.toThrow(
    /websock\.ini.*hosts.*'http:\/\/x' is no host: give example\.org/,
  );
});
