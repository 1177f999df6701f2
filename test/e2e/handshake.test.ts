import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { fixture, type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { clientFrame, RawPeer, upgradeRequest } from '../support/rawpeer.ts';
import { WebPeer } from '../support/webpeer.ts';

let daemon: RunningDaemon;

beforeAll(async () => {
  const guarded = `import { Resource } from 'websock';
    export default class Guarded extends Resource {
      onHandshake({ query }) {
        if (query.has('no')) return { status: 403, body: 'not you,\\nnor anybody' };
        if (query.has('throw')) throw new Error('cannot say');
        if (query.has('never')) return new Promise(() => {});
        return Promise.resolve({ protocol: 'second', ident: 'named', headers: { 'X-Own': 'yes' }, data: 7 });
      }
      onData(client) { client.send(client.ident + client.data); }
    }`;
  daemon = await startDaemon({
    ini: '[limits]\nheadTimeout=0.6\nhandlerTimeout=0.3\nmaxHeaders=20\nmaxHead=2KiB\n[security]\nhosts=*',
    extra: { 'lab.js': fixture('resources/lab.js'), 'guarded.mjs': guarded },
  });
});

afterAll(() => daemon.dispose());

/** What a request is answered with: a whole HTTP response, and after it nothing but the end. */
async function refused(request: string): Promise<{ status: number; head: string; body: string }> {
  const peer = await RawPeer.open({ port: daemon.port });
  peer.write(request);
  const response = await peer.response();
  expect(await peer.rest()).toBe('');
  peer.destroy();
  expect(response.head).toMatch(/^HTTP\/1\.1 \d{3} [A-Z][A-Za-z- ]+\r\n/);
  expect(response.head).toMatch(/^connection: close\r$/im);
  expect(response.head).toMatch(/^content-type: text\/plain; charset=utf-8\r$/im);
  expect(response.body).toMatch(/^[^\r\n]+\n$/);
  return response;
}

// What RFC 6455 demands of a handshake, and of its answer: test/rfc6455/handshake.test.ts.
describe('a handshake that is refused is answered with a complete response, whose text says what is wrong', () => {
  test.each([
    [
      'more headers than maxHeaders',
      `${upgradeRequest('/').slice(0, -2)}${'A: b\r\n'.repeat(20)}\r\n`,
      431,
      'than 20 header',
    ],
    ['a head of more than maxHead', upgradeRequest('/', { Cookie: 'c'.repeat(2048) }), 431, '2048 bytes'],
    ['a first line of more than maxHead', `GET /${'p'.repeat(2048)}`, 414, '2048 bytes'],
  ])('%s', async (_, request, status, text) => {
    const from = daemon.out.length;
    const response = await refused(request);
    expect([response.status, response.body]).toEqual([status, expect.stringContaining(text)]);
    await daemon.said(new RegExp(`#\\d+ 127\\.0\\.0\\.1 .*refused: ${status} `), from);
  });

  test('a head of more than maxHead is refused before its end', async () => {
    const { status } = await refused(`GET / HTTP/1.1\r\nCookie: ${'c'.repeat(2100)}`);
    expect(status).toBe(431);
  });

  test.each(['GET /web HTTP/1.1\r\nHost: lo', 'GET /ph', 'POST'])('%j, and then nothing: 408', async (beginning) => {
    const { status, body } = await refused(beginning);
    expect([status, body]).toEqual([408, 'no complete request within 0.6 s\n']);
  });

  test('drop by drop: the time is that of the whole head', async () => {
    const peer = await RawPeer.open({ port: daemon.port });
    const drip = setInterval(() => peer.write('A'), 50);
    peer.write('GET / HTTP/1.1\r\nX: ');
    const response = await peer.response().finally(() => clearInterval(drip));
    expect(response.status).toBe(408);
    peer.destroy();
  });
});

describe('a handshake that is taken', () => {
  test('cut at every tenth byte, by turns with other clients: each gets its own answer, and its own first message', async () => {
    const paths = ['/lab?a=1', '/', '/lab?b=2', '/web'];
    const peers = await Promise.all(paths.map(() => RawPeer.open({ port: daemon.port })));
    const requests = paths.map((path, i) =>
      Buffer.concat([
        Buffer.from(upgradeRequest(path, { Origin: 'http://localhost', 'X-Mine': `${i}`.repeat(20 * i) })),
        clientFrame(`{"opcode":"echo","from":${i}}`),
      ]),
    );
    for (let at = 0; at < Math.max(...requests.map(({ length }) => length)); at += 10) {
      for (const [i, peer] of peers.entries()) {
        const piece = requests[i].subarray(at, at + 10);
        // When it is out, the next one's: one segment for each piece.
        // oxlint-disable-next-line no-await-in-loop
        if (piece.length > 0) await new Promise((done) => peer.socket.write(piece, done));
      }
    }
    for (const [i, peer] of peers.entries()) {
      // oxlint-disable-next-line no-await-in-loop
      expect(await peer.head()).toMatch(/^HTTP\/1\.1 101 /);
      // oxlint-disable-next-line no-await-in-loop
      expect(await peer.packet()).toMatchObject({ opcode: 'ready' });
      // oxlint-disable-next-line no-await-in-loop
      expect(await peer.packet()).toEqual({ opcode: 'echo', from: i });
      peer.destroy();
    }
  });
});

describe('the origin of a page', () => {
  const handshake = async (origin: string, path = '/web', host = 'chat.example.org:8096'): Promise<string> => {
    const peer = await RawPeer.open({ port: daemon.port });
    peer.write(upgradeRequest(path, { Origin: origin, Host: host }));
    const head = await peer.head();
    peer.destroy();
    return head.slice(9, 12);
  };

  test.each([
    'http://localhost',
    'http://localhost:3000',
    'https://LOCALHOST',
    'http://127.0.0.1:8080',
    'http://[::1]:9',
    'http://app.localhost',
    'http://chat.example.org',
    'https://Chat.Example.Org:4433',
  ])('%s: loopback, or the host that the page itself asks for, is let in', async (origin) => {
    expect(await handshake(origin)).toBe('101');
  });

  test.each([
    'null',
    'https://evil.example',
    'https://example.org',
    'https://chat.example.org.evil.example',
    'http://localhost.evil.example',
    'file://',
    'rubbish',
  ])('%s: 403', async (origin) => {
    expect(await handshake(origin)).toBe('403');
    const { status, body } = await refused(upgradeRequest('/web', { Origin: origin, Host: 'chat.example.org' }));
    expect([status, body]).toEqual([403, expect.stringContaining(`pages of ${origin} are not allowed`)]);
  });

  test('a page at a resource for scripts: 403', async () => {
    const { status, body } = await refused(upgradeRequest('/php', { Origin: 'http://localhost' }));
    expect([status, body]).toEqual([403, '/php is not for browsers\n']);
  });
});

describe('a resource that looks at handshakes', () => {
  test('lets in, with a subprotocol, headers, an ident and data of its own', async () => {
    const web = await WebPeer.open(`ws://127.0.0.1:${daemon.port}/guarded`, { protocols: ['first', 'second'] });
    expect(web.socket.protocol).toBe('second');
    web.send('who am I?');
    expect(await web.text()).toBe('named7');
    await web.close();
    const peer = await RawPeer.open({ port: daemon.port });
    peer.write(upgradeRequest('/guarded'));
    const head = await peer.head();
    expect(head).toContain('\r\nX-Own: yes\r\n');
    expect(head).not.toContain('Sec-WebSocket-Protocol');
    peer.destroy();
  });

  test('refuses, with its own status, in one line', async () => {
    const { status, body } = await refused(upgradeRequest('/guarded?no'));
    expect([status, body]).toEqual([403, 'not you,\\x0anor anybody\n']);
  });

  test('throws: 500, and the log says where', async () => {
    const from = daemon.out.length;
    const { status } = await refused(upgradeRequest('/guarded?throw'));
    expect(status).toBe(500);
    await daemon.said(/ERROR #\d+ .*\/guarded: onHandshake failed: cannot say .*guarded\.mjs:5/, from);
  });

  test('does not answer: 503 after handlerTimeout', async () => {
    const { status, body } = await refused(upgradeRequest('/guarded?never'));
    expect([status, body]).toEqual([503, 'the resource took longer than 0.3 s\n']);
  });

  test('refuses a line client with a close packet', async () => {
    const peer = await RawPeer.open({ port: daemon.port });
    peer.write('GET /guarded?no\n');
    expect(await peer.linePacket()).toMatchObject({ opcode: 'close', error: expect.stringContaining('not you') });
    expect(await peer.rest()).toBe('');
    peer.destroy();
  });
});
