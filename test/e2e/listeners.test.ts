import { existsSync, readFileSync, statSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { makeCertificate } from '../support/certificate.ts';
import { curl, run } from '../support/commands.ts';
import { fixture, type RunningDaemon, spawnDaemon, startDaemon, temporaryFolder } from '../support/daemon.ts';
import { withProgram } from '../support/program.ts';
import { RawPeer, upgradeRequest } from '../support/rawpeer.ts';
import { WebPeer } from '../support/webpeer.ts';

const withCurl = withProgram('curl', 'curl');
const withNc = withProgram('nc', 'netcat-openbsd');
const hasIPv6 = Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === '::1'));
const withIPv6 = hasIPv6 ? test : test.skip;
const ECHO = ['-d', '{"opcode":"echo"}'];
const ME = '{"opcode":"me"}';

let daemon: RunningDaemon;
let dir: string;
let socket: string;
let ca: string;
let caFile: string;
let plain: number;
let secure: number;
let both: number;
let six: number;

beforeAll(async () => {
  dir = temporaryFolder();
  socket = join(dir, 'web.sock');
  const main = makeCertificate(dir, { name: 'localhost', hosts: ['localhost', '127.0.0.1'] });
  const other = makeCertificate(dir, { name: 'other', hosts: ['other.example'] });
  const adress = ['ws://127.0.0.1:0', 'wss://127.0.0.1:0', 'ws+wss://127.0.0.1:0', `unix:${socket}?mode=0660`];
  if (hasIPv6) adress.push('ws://[::1]:0');
  daemon = await startDaemon({
    dir,
    ini: [
      `adress='${adress.join(', ')}'`,
      `certFile='${main.certFile}'\npkFile='${main.pkFile}'`,
      '[limits]\ntlsTimeout=0.5',
      `[tls.other]\nhost='other.example'\ncertFile='${other.certFile}'\npkFile='${other.pkFile}'`,
    ].join('\n'),
    extra: { 'lab.js': fixture('resources/lab.js') },
  });
  caFile = main.certFile;
  ca = readFileSync(caFile, 'utf8');
  [plain, secure, both, six] = daemon.ports;
});

afterAll(() => daemon.dispose());

test('each address is announced, the TLS ones as such', () => {
  expect(daemon.endpoints).toHaveLength(hasIPv6 ? 5 : 4);
  expect(daemon.out).toContain(`; Server initialized on Linux 127.0.0.1:${plain}\n`);
  expect(daemon.out).toContain(`; Server initialized on Linux 127.0.0.1:${secure} ssl://\n`);
  expect(daemon.out).toContain(`; Server initialized on Linux 127.0.0.1:${both} ssl://\n`);
  expect(daemon.out).toContain(`; Server initialized on Linux ${socket}\n`);
});

test('clients of all listeners are one crowd', async () => {
  const peers = await Promise.all([
    WebPeer.open(`ws://127.0.0.1:${plain}/`),
    WebPeer.open(`wss://localhost:${secure}/`, { ca }),
    WebPeer.open(`ws://127.0.0.1:${both}/`),
    WebPeer.open(`wss://localhost:${both}/`, { ca }),
    WebPeer.open(`ws+unix:${socket}:/`),
  ]);
  const line = await RawPeer.line({ port: both, ca }, '/php');
  line.write('{"opcode":"broadcast","n":1}\n');
  expect(await line.linePacket()).toMatchObject({ opcode: 'next', delivered: 5 });
  for (const peer of peers) {
    expect(await peer.text()).toBe('{"opcode":"broadcast","n":1}');
  }
  await Promise.all(peers.map((peer) => peer.close()));
  line.destroy();
});

describe('ws+wss: both on one port', () => {
  test.each([
    ['plain', 'tcp'],
    ['TLS', 'ssl'],
  ])('%s: WebSocket, lines and HTTP, each under its scheme', async (security, scheme) => {
    const where = security === 'TLS' ? { port: both, ca } : { port: both };
    const line = await RawPeer.line(where, '/lab');
    line.write(`${ME}\n`);
    expect(await line.linePacket()).toMatchObject({ scheme });
    line.destroy();
    const web = await RawPeer.open(where);
    web.write(upgradeRequest('/lab'));
    expect(await web.head()).toMatch(/^HTTP\/1\.1 101/);
    web.destroy();
    const post = await RawPeer.open(where);
    post.write(`POST /lab HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${ME.length}\r\n\r\n${ME}`);
    expect((await post.response()).body).toContain(`"scheme":"${scheme}"`);
    post.destroy();
  });
});

describe('a Unix socket', () => {
  test('has the permissions that it was given', () => {
    expect((statSync(socket).mode & 0o777).toString(8)).toBe('660');
  });

  withCurl('curl --unix-socket: a backend, by the name of unix', async () => {
    const response = await curl('--unix-socket', socket, '-d', ME, 'http://localhost/lab');
    expect(response.json().packets).toMatchObject([{ ip: 'unix', scheme: 'tcp', kind: 'tcp' }]);
  });

  withNc('nc -U', async () => {
    const { code, stdout } = await run('nc', ['-N', '-U', socket], '/php\n{"opcode":"echo","n":1}\n');
    expect(code).toBe(0);
    expect(stdout.split('\n').slice(1)).toEqual(['{"opcode":"echo","n":1}', '{"opcode":"next","fyi":""}', '']);
  });

  test('one that a dead daemon left behind is replaced, one in use is not, and a stop removes it', async () => {
    const path = join(dir, 'own.sock');
    const ini = `adress='unix:${path}'`;
    const dead = await startDaemon({ ini });
    await dead.stop('SIGKILL');
    expect(existsSync(path)).toBe(true);
    const alive = await startDaemon({ ini });
    const second = spawnDaemon({ ini });
    expect(await second.ended()).toBe(1);
    expect(second.out).toContain(`${path} is taken by another program`);
    const line = await RawPeer.line({ path }, '/php');
    line.destroy();
    expect(await alive.stop()).toBe(0);
    expect(existsSync(path)).toBe(false);
    await Promise.all([dead, alive, second].map((one) => one.dispose()));
  });
});

withIPv6('IPv6: the address in brackets, and the client under its own', async () => {
  expect(daemon.out).toContain(`; Server initialized on Linux [::1]:${six}\n`);
  const web = await WebPeer.open(`ws://[::1]:${six}/lab`, { headers: { Origin: 'http://[::1]:3000' } });
  expect(await web.ask(ME)).toMatchObject({ ip: '::1' });
  await web.close();
  // Loopback is trusted here, too.
  const line = await RawPeer.line({ host: '::1', port: six }, '/php');
  line.destroy();
});

withIPv6('an IPv4 client of an IPv6 listener is seen under its IPv4 address, and trusted by it', async () => {
  const dual = await startDaemon({ ini: "adress='ws://*:0'", extra: { 'lab.js': fixture('resources/lab.js') } });
  const line = await RawPeer.line({ port: dual.port }, '/lab');
  line.write(`${ME}\n`);
  expect(await line.linePacket()).toMatchObject({ ip: '127.0.0.1' });
  line.destroy();
  await dual.dispose();
});

test('localhost: every address that the name stands for, on one port', async () => {
  const local = await startDaemon({ ini: "adress='ws://localhost:0'" });
  expect(local.endpoints).toContain(`127.0.0.1:${local.port}`);
  expect(new Set(local.ports).size).toBe(1);
  await Promise.all(local.endpoints.map(async (endpoint) => (await WebPeer.open(`ws://${endpoint}/`)).close()));
  await local.dispose();
});

describe('at the wrong door', () => {
  test('a plain client on a TLS port is told which one it is', async () => {
    for (const opening of [upgradeRequest('/web'), 'GET /php\n', 'POST /php HTTP/1.1\r\n\r\n']) {
      const from = daemon.out.length;
      const peer = await RawPeer.open({ port: secure });
      peer.write(opening);
      const { status, head, body } = await peer.response();
      expect([status, body]).toEqual([400, 'this port speaks TLS: use wss:// or https://\n']);
      expect(head).toContain('Connection: close');
      await peer.gone();
      await daemon.said(/127\.0\.0\.1 spoke plain text on wss:\/\/127\.0\.0\.1:0: refused\n/, from);
      peer.destroy();
    }
  });

  test('a TLS client on a plain port: the log says what to do', async () => {
    const from = daemon.out.length;
    await expect(RawPeer.open({ port: plain, ca })).rejects.toThrow();
    await daemon.said(/#\d+ 127\.0\.0\.1 a TLS client on a listener for plain text: use wss:\/\/ in adress\n/, from);
  });

  test.each([
    ['says nothing', ''],
    ['stops in the middle of its hello', '\x16\x03\x01\x02'],
  ])('a client of a TLS port that %s is cut off after tlsTimeout', async (_, bytes) => {
    const peer = await RawPeer.open({ port: secure });
    if (bytes !== '') peer.write(Buffer.from(bytes, 'latin1'));
    await peer.gone();
    peer.destroy();
    const line = await RawPeer.line({ port: secure, ca }, '/php');
    line.destroy();
  });
});

describe('TLS', () => {
  const handshake = async (options: object): Promise<TLSSocket> => {
    const peer = connectTls({ host: '127.0.0.1', port: secure, rejectUnauthorized: false, ...options });
    await new Promise<void>((done, fail) => peer.once('error', fail).once('secureConnect', () => done()));
    return peer;
  };

  test('the certificate of the host name that is asked for, the main one for any other', async () => {
    for (const [servername, name] of [
      ['other.example', 'other'],
      ['localhost', 'localhost'],
      ['unknown.example', 'localhost'],
    ]) {
      const peer = await handshake({ servername });
      expect([servername, peer.getPeerCertificate().subject.CN]).toEqual([servername, name]);
      peer.destroy();
    }
  });

  test('1.2 and 1.3 are spoken, 1.1 is not', async () => {
    for (const version of ['TLSv1.2', 'TLSv1.3']) {
      const peer = await handshake({ minVersion: version, maxVersion: version });
      expect(peer.getProtocol()).toBe(version);
      peer.destroy();
    }
    const from = daemon.out.length;
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' };
    await expect(handshake(old)).rejects.toThrow();
    await daemon.said(/TLS handshake with 127\.0\.0\.1 failed: /, from);
  });

  withCurl('https by curl', async () => {
    const response = await curl('--cacert', caFile, ...ECHO, `https://localhost:${secure}/php`);
    expect(response.json()).toMatchObject({ opcode: 'next', packets: [{ opcode: 'echo' }] });
  });
});
