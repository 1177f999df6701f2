import { readFileSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { makeCertificate } from '../support/certificate.ts';
import { type RunningDaemon, temporaryFolder } from '../support/daemon.ts';
import { hex } from '../support/frames.ts';
import { RawPeer } from '../support/rawpeer.ts';
import { startEcho } from './peers.ts';

/** A resource whose handshake adds what the query says. */
const ADDS = `import { Resource } from 'websock';
  export default class Adds extends Resource {
    static dialog = false;
    onHandshake({ query }) {
      const [name, value] = (query.get('header') ?? 'X-Own=yes').split('=');
      return { protocol: query.get('protocol') ?? undefined, headers: { [name]: value } };
    }
    onData(client, message) { client.send(message); }
  }`;

/** The handshakes are those of the RFC. */
const HOSTS = "[security]\nhosts='*'";
let daemon: RunningDaemon;

beforeAll(async () => {
  daemon = await startEcho(HOSTS, { 'adds.js': ADDS });
});

afterAll(() => daemon.dispose());

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
/** The handshake of RFC 6455 §1.2, for an echo that is here: its first line is its method and what follows. */
const FIELDS: Readonly<Record<string, string>> = {
  GET: '/plain HTTP/1.1',
  Host: 'server.example.com',
  Upgrade: 'websocket',
  Connection: 'Upgrade',
  'Sec-WebSocket-Key': KEY,
  'Sec-WebSocket-Version': '13',
};

/** A request head of these fields, and what `changes` says; null leaves one out. */
function request(changes: Readonly<Record<string, string | null>> = {}): string {
  const lines = Object.entries({ ...FIELDS, ...changes }).map(([name, value]) => {
    if (value === null) return '';
    return name === 'GET' ? `GET ${value}\r\n` : `${name}: ${value}\r\n`;
  });
  return `${lines.join('')}\r\n`;
}

function accepted(...more: string[]): string {
  return [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=',
    ...more,
    '\r\n',
  ].join('\r\n');
}

/** A refusal in bytes: a whole HTTP response. */
function refused(status: string, text: string, ...fields: string[]): string {
  const head = [`HTTP/1.1 ${status}`, ...fields, 'Content-Type: text/plain; charset=utf-8'];
  return [...head, `Content-Length: ${text.length + 1}`, 'Connection: close', '', `${text}\n`].join('\r\n');
}

/** Everything that bytes are answered with, up to the FIN; nobody is asked to leave (§7.2.2). */
async function answer(bytes: string | Buffer): Promise<string> {
  const peer = await RawPeer.open({ port: daemon.port });
  peer.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  const text = (await peer.restBytes()).toString('latin1');
  expect(peer.failure).toBeNull();
  peer.destroy();
  return text;
}

/** A handshake is taken, and so is the frame behind it. */
async function expectTaken(handshake: string, ...more: string[]): Promise<void> {
  const frames = hex('81 85 37fa213d 7f9f4d5158  88 80 00000000').toString('latin1');
  expect(await answer(handshake + frames)).toBe(`${accepted(...more)}\x81\x05Hello\x88\x00`);
}

const bad = (text: string): string => refused('400 Bad Request', text);
const no = (what: string): string => bad(`not a WebSocket handshake: ${what}`);
const NO_GET = refused('405 Method Not Allowed', 'a WebSocket handshake is a GET', 'Allow: GET');
const NO_HOST = no('one Host header is required');
const NO_UPGRADE = no('"Upgrade: websocket" is required');
const NO_CONNECTION = no('"Connection: Upgrade" is required');
const NO_KEY = no('Sec-WebSocket-Key must be 16 bytes in base64');
const NO_LIST = no('Sec-WebSocket-Protocol must be a list of tokens');
const NO_EXTENSIONS = no('Sec-WebSocket-Extensions is not a list of extensions as in RFC 6455 section 9.1');
const NO_VERSION = refused('426 Upgrade Required', 'only WebSocket version 13 is spoken', 'Sec-WebSocket-Version: 13');

const LINE = bad('the request line is not METHOD TARGET HTTP/1.1');

/** What is refused: by clause, the answer, the field, and what it holds that it should not; null: it is not there. */
const REFUSED: readonly (readonly [clause: string, answer: string, field: string, ...values: (string | null)[]])[] = [
  ['§4.2.1/1', no('HTTP/1.1 is required, not HTTP/1.0'), 'GET', '/plain HTTP/1.0'],
  ['§4.2.1/1', LINE, 'GET', '/plain /plain HTTP/1.1', '/pl\0ain HTTP/1.1'],
  ['§4.2.1/2', NO_HOST, 'Host', null, '', 'a\r\nHost: b'],
  ['§4.2.1/3', NO_UPGRADE, 'Upgrade', null, '', 'h2c', 'websockets', 'web socket'],
  ['§4.2.1/4', NO_CONNECTION, 'Connection', null, '', 'keep-alive', 'no-Upgrade', 'Upgrade1'],
  ['§4.2.1/5', NO_KEY, 'Sec-WebSocket-Key', null, '', 'dGhlIHNhbXBsZSBub25j', 'dGhlIHNhbXBsZSBub25jZSE='],
  [
    '§4.2.1/5',
    NO_KEY,
    'Sec-WebSocket-Key',
    'dGhlIHNhbXBsZSBub25jZQ',
    '_-hlIHNhbXBsZSBub25jZQ==',
    '!GhlIHNhbXBsZSBub25jZQ==',
  ],
  ['§11.3.1', NO_KEY, 'Sec-WebSocket-Key', `${KEY}\r\nSec-WebSocket-Key: ${KEY}`, `${KEY}, ${KEY}`],
  ['§4.2.1/6', NO_VERSION, 'Sec-WebSocket-Version', null, '', '013', '13.0'],
  ['§4.2.2 version', NO_VERSION, 'Sec-WebSocket-Version', '0', '7', '8', '12', '14', '255'],
  ['§4.4', NO_VERSION, 'Sec-WebSocket-Version', '25', '13, 8'],
  ['§11.3.5', NO_VERSION, 'Sec-WebSocket-Version', '13\r\nSec-WebSocket-Version: 13'],
  ['§4.2.1/8', NO_LIST, 'Sec-WebSocket-Protocol', '', ',', 'super chat', 'chat, a/b', '"chat"', 'ch\xe4t'],
  ['§4.2.1/9', NO_EXTENSIONS, 'Sec-WebSocket-Extensions', '', ' , ', 'a b', 'a; b c', 'a;', '; a', 'a; =1', 'a; b='],
  [
    '§9.1',
    NO_EXTENSIONS,
    'Sec-WebSocket-Extensions',
    'x-y; z="',
    'x-y; z="a b"',
    'x-y; z=""',
    'x-y; z="a"b',
    'x/y',
    'a, b; c=/',
  ],
  ['§4.2.1', bad('header line 2 is not NAME: VALUE'), 'Host', 'a\r\n folded', 'a\r\nX', 'a\r\nX : y', 'a\r\n: y'],
  ['§4.2.1', bad('header line 1 holds a control character'), 'Host', 'a\0b', 'a\rb'],
  [
    '§8.1',
    bad('the request target is not UTF-8'),
    'GET',
    '/pl\xe4in HTTP/1.1',
    '/plain?\xc0\xaf HTTP/1.1',
    '/plain?\xed\xa0\x80 HTTP/1.1',
  ],
];

describe('what is no handshake', () => {
  const rows = REFUSED.flatMap(([clause, expected, field, ...values]) =>
    values.map((value) => [clause, field, value, expected] as const),
  );

  test.each(rows)('%s: %s: %j', async (_, field, value, expected) => {
    // What is sent behind it is not looked at, be it a handshake.
    expect(await answer(request({ [field]: value }) + request())).toBe(expected);
  });

  test.each(['POST', 'HEAD', 'OPTIONS'])('§4.2.1/1: a %s', async (method) => {
    expect(await answer(request().replace('GET', method))).toBe(NO_GET);
  });

  test('§7.2.2: its client gets the answer and the FIN, and what it sends then is not looked at', async () => {
    const peer = await RawPeer.open({ port: daemon.port });
    peer.write(request({ Host: null }));
    expect((await peer.restBytes()).toString()).toBe(NO_HOST);
    peer.write(request());
    await expectTaken(request());
    expect([await peer.restBytes(), peer.failure]).toEqual([Buffer.alloc(0), null]);
    peer.destroy();
  });
});

describe('what is one', () => {
  test('§4.2.1, §4.2.2/5: the handshake of §1.2 gets the answer of §1.3', async () => {
    await expectTaken(request());
  });

  test('§4.2.1: names in any case, fields in any order, line ends of LF alone, and cut into single bytes', async () => {
    const [first, ...lines] = request().trimEnd().split('\r\n');
    const shouted = lines.map((line) => line.replace(/^[^:]*/, (name) => name.toUpperCase()));
    await expectTaken(`${[first, ...shouted.toReversed()].join('\r\n')}\r\n\r\n`);
    await expectTaken(request().replaceAll('\r\n', '\n'));
    const peer = await RawPeer.open({ port: daemon.port });
    for (const byte of Buffer.from(request())) peer.write(Buffer.from([byte]));
    expect(await peer.head()).toBe(accepted());
    peer.destroy();
  });

  test.each([
    ['§4.2.1/1', { GET: '/plain?a=1&b HTTP/1.1' }],
    ['§4.2.1/1', { GET: 'http://server.example.com/plain HTTP/1.1' }],
    ['§4.2.1/1', { GET: 'wss://server.example.com:443/plain?a HTTP/1.1' }],
    ['§4.2.1/2', { Host: '[::1]:8096' }],
    ['§4.2.1/3', { Upgrade: 'WebSocket' }],
    ['§4.2.1/3', { Upgrade: 'h2c, WEBSOCKET' }],
    ['§4.2.1/4', { Connection: 'keep-alive, UPGRADE' }],
    ['§4.2.1/4', { Connection: 'keep-alive\r\nConnection: upgrade' }],
    ['§4.2.1/5', { 'Sec-WebSocket-Key': `\t ${KEY} ` }],
    ['§4.2.1/7', { Origin: 'http://server.example.com' }],
    ['§4.2.1/7', { Origin: '' }],
    ['§4.2.1/9', { 'Sec-WebSocket-Extensions': 'x-one; a; b=1; c="2", x-two ,, x-one;a=3' }],
    ['§4.2.1/9', { 'Sec-WebSocket-Extensions': 'x-one\r\nSec-WebSocket-Extensions: x-two; y="\\z"' }],
    ['§4.2.1/10', { Cookie: 'a=b', Authorization: 'Basic Og==', 'X-Unknown': '\xff', 'Accept-Language': 'de' }],
    ['§8.1', { GET: '/plain?\xc3\xa4 HTTP/1.1' }],
  ])('%s: %j', async (_, fields) => {
    await expectTaken(request(fields));
  });
});

describe('what the server makes of it', () => {
  test.each(['https://evil.example', 'null', 'http://server.example.com.evil.example'])(
    '§4.2.2 origin: pages of %s are not welcome: 403',
    async (origin) => {
      const text = `pages of ${origin} are not allowed: see [security] allowedOrigins`;
      expect(await answer(request({ Origin: origin }))).toBe(refused('403 Forbidden', text));
    },
  );

  // §4.2.2 wants an HTTP error in place of the handshake. The clients that websock serves can read a packet, not a status:
  // so PROTOCOL.md §2 completes the handshake, and closes with 4404.
  test('§4.2.2 resource name: what is not served is told so, in a packet, and closed', async () => {
    const error = 'no such resource: /plane';
    const packet = JSON.stringify({ opcode: 'close', error });
    const frames = `\x81${String.fromCharCode(packet.length)}${packet}\x88${String.fromCharCode(error.length + 2)}\x11\x34${error}`;
    expect(await answer(request({ GET: '/plane HTTP/1.1' }))).toBe(accepted() + frames);
  });

  test.each([
    ['chat', 'chat'],
    ['chat, superchat', 'chat'],
    ['superchat\r\nSec-WebSocket-Protocol: chat', 'superchat'],
    [' ,, x , y', 'x'],
    ['websock.2, v1', 'v1'],
  ])('§4.2.2 subprotocol, §4.2.1/8: of %j it is %j', async (offered, chosen) => {
    await expectTaken(request({ 'Sec-WebSocket-Protocol': offered }), `Sec-WebSocket-Protocol: ${chosen}`);
  });

  test('§4.2.2 subprotocol: none is named where none was offered, or none is spoken', async () => {
    await expectTaken(request());
    await expectTaken(request({ 'Sec-WebSocket-Protocol': 'websock.2' }));
    await expectTaken(request({ GET: '/adds?protocol=chat HTTP/1.1' }), 'X-Own: yes');
  });

  test('§4.2.2 subprotocol: a resource chooses from what was offered', async () => {
    const adds = { GET: '/adds?protocol=chat HTTP/1.1' };
    const chat = 'Sec-WebSocket-Protocol: chat';
    await expectTaken(request({ ...adds, 'Sec-WebSocket-Protocol': 'v1, chat' }), chat, 'X-Own: yes');
    await expectTaken(
      request({ ...adds, 'Sec-WebSocket-Protocol': 'v1, v2' }),
      'Sec-WebSocket-Protocol: v1',
      'X-Own: yes',
    );
  });

  test.each(['x-unknown', 'x-webkit-deflate-frame, bbf-usp-protocol', 'permessage-bzip2; x=1'])(
    '§4.2.2 extensions, §9: %s is not agreed to',
    async (offered) => {
      await expectTaken(request({ 'Sec-WebSocket-Extensions': offered }));
    },
  );

  test.each([
    ['§4.2.2 subprotocol', 'Sec-WebSocket-Protocol=chat'],
    ['§4.2.2 extensions', 'Sec-WebSocket-Extensions=permessage-deflate'],
    ['§11.3.2', 'sec-websocket-extensions=x'],
    ['§11.3.3', 'sec-websocket-accept=x'],
    ['§11.3.4', 'SEC-WEBSOCKET-PROTOCOL=chat'],
    ['§4.2.2/5', 'upgrade=h2c'],
    ['§4.2.2/5', 'Connection=close'],
    ['§4.2.2/5', 'Content-Length=5'],
  ])('%s: a resource that adds %s does not', async (_, header) => {
    const from = daemon.out.length;
    await expectTaken(request({ GET: `/adds?header=${header} HTTP/1.1` }));
    await daemon.said(new RegExp(`headers left out of the 101, .*: ${header.split('=')[0]}\n`), from);
    const offered = { 'Sec-WebSocket-Protocol': 'v1' };
    await expectTaken(request({ GET: `/adds?header=${header} HTTP/1.1`, ...offered }), 'Sec-WebSocket-Protocol: v1');
  });
});

test('§4.2.2/1, §10.6: on a wss:// address the handshake, and all behind it, goes through TLS', async () => {
  const dir = temporaryFolder();
  const { certFile, pkFile } = makeCertificate(dir, { name: 'localhost', hosts: ['localhost'] });
  const secure = await startEcho(`adress='wss://127.0.0.1:0'\ncertFile='${certFile}'\npkFile='${pkFile}'\n${HOSTS}`);
  try {
    const peer = await RawPeer.open({ port: secure.port, ca: readFileSync(certFile, 'utf8') });
    peer.write(request());
    expect(await peer.head()).toBe(accepted());
    peer.write(hex('81 85 37fa213d 7f9f4d5158  81 00'));
    expect(await peer.text()).toBe('Hello');
    expect(await peer.closeFrame()).toEqual({ code: 1002, reason: 'a frame from a client is not masked' });
    peer.destroy();
    const plain = await RawPeer.open({ port: secure.port });
    plain.write(request());
    expect(await plain.rest()).toMatch(/^HTTP\/1\.1 400 [^]*this port speaks TLS/);
    plain.destroy();
  } finally {
    await secure.dispose();
    rmSync(dir, { recursive: true });
  }
});
