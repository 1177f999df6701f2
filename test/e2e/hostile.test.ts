import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { clientFrame, RawPeer } from '../support/rawpeer.ts';
import { WebPeer } from '../support/webpeer.ts';

// What an attacker, or a careless plugin, once broke.
const ODD = `
import { Resource } from 'websock';
const open = new Set();
export default class Odd extends Resource {
  onHandshake({ query }) {
    const answers = {
      number: { ident: 5 }, header: { headers: { 'X-Count': 5 } }, body: { status: 403, body: {} },
      ok: { status: 200 }, switching: { status: 101 }, half: { status: 403.5 },
    };
    return answers[query.get('answer')];
  }
  onOpen(client) { open.add(client); }
  onData(client, message) {
    const what = String(message);
    if (what === 'bigint') return { n: 10n };
    if (what === 'circular') { const o = {}; o.o = o; return o; }
    if (what === 'getter') return { get then() { throw new Error('no then'); } };
    if (what === 'thenable') return { then(done) { done({ ok: 1 }); done(); throw new Error('late'); } };
    if (what === 'evil') throw { get message() { throw 1; }, get stack() { throw 2; }, get closeCode() { throw 3; } };
    if (what === '1006') throw { closeCode: 1006, message: 'abnormal' };
    if (what === 'reason') return void client.close(4000, null);
    if (what === 'everybody') for (const other of this.server.clients.values()) other.close(4001, 'all');
    if (what === 'size') return { size: this.server.clients.size };
    if (what === 'big') return void client.send('x'.repeat(8 << 20));
    if (what === 'later') return new Promise((done) => setTimeout(() => done({ late: 1 }), 100));
    return undefined;
  }
  onClose(client) {
    open.delete(client);
    for (const other of open) if (other.path === '/odd' && other.query.has('chain')) other.close(4002, 'chain');
  }
}`;
const WHOLE = `
import { Resource } from 'websock';
export default class Whole extends Resource { onData(client, message) { client.send(message); } }`;

describe('what once broke', () => {
  let daemon: RunningDaemon;
  let url: string;
  let where: { port: number };
  beforeAll(async () => {
    daemon = await startDaemon({ ini: '[limits]\ncloseTimeout=1', resources: { 'odd.js': ODD, 'whole.js': WHOLE } });
    where = { port: daemon.port };
    url = `ws://127.0.0.1:${daemon.port}`;
  });
  afterAll(() => daemon.dispose());

  /** Says `message`, and something harmless behind it in the same write. */
  async function fate(message: string): Promise<unknown> {
    const peer = await RawPeer.script(where, '/odd', { 'Client-Type': 'x' });
    peer.write(Buffer.concat([clientFrame(message), clientFrame('harmless')]));
    const packets: string[] = [];
    for (;;) {
      const { opcode, payload } = await peer.frame();
      if (opcode === 8) {
        packets.push(`${payload.readUInt16BE()} ${payload.toString('utf8', 2)}`);
        peer.destroy();
        return packets;
      }
      packets.push(payload.toString());
      if (packets.length === 2 && packets[0].startsWith('{"opcode":"next"')) {
        peer.destroy();
        return packets;
      }
    }
  }

  const FAILED = ['{"opcode":"close","error":"the resource failed"}', '1011 the resource failed'];
  const NEXT = '{"opcode":"next","fyi":""}';

  test.each([
    ['bigint', FAILED],
    ['circular', FAILED],
    ['getter', FAILED],
    ['evil', FAILED],
    ['1006', FAILED],
    ['thenable', ['{"opcode":"next","fyi":"","ok":1}', NEXT]],
    ['reason', [NEXT, '{"opcode":"close","error":"code 4000"}', '4000 ']],
  ])('a resource that answers or throws %s', async (message, seen) => {
    const bystander = await WebPeer.open(`${url}/whole`);
    expect((await fate(message)) as string[]).toEqual(seen.slice(0, message === 'reason' ? 2 : seen.length));
    bystander.socket.send('still here');
    expect(await bystander.text()).toBe('still here');
    expect(await bystander.text()).toBe(NEXT);
    bystander.socket.close();
  });

  test.each(['number', 'header', 'body', 'ok', 'switching', 'half'])('onHandshake answers %s', async (answer) => {
    const peer = WebPeer.start(`${url}/odd?answer=${answer}`);
    const status = await new Promise((done) => {
      peer.socket.on('unexpected-response', (_request, response) => done(response.statusCode));
      peer.socket.on('open', () => done(101));
    });
    // A header that HTTP does not allow is left out; nothing else is taken that is not what it should be.
    expect(status).toBe(answer === 'header' ? 101 : 500);
    peer.socket.terminate();
    const post = await fetch(`http://127.0.0.1:${daemon.port}/odd?answer=${answer}`, { method: 'POST', body: 'x' });
    expect(post.status).toBe(answer === 'header' ? 200 : 500);
    await post.text();
  });

  test('a message in pieces that is larger than the send queue comes back whole, behind its next', async () => {
    const peer = await WebPeer.open(`${url}/whole`);
    const text = 'ü'.repeat(1_000_000);
    peer.socket.send('bufferON');
    for (let at = 0; at < text.length; at += 250_000) peer.socket.send(text.slice(at, at + 250_000));
    peer.socket.send('bufferOFF');
    for (let i = 0; i < 6; i++) expect(await peer.text()).toBe(NEXT);
    expect((await peer.text()) === text).toBe(true);
    peer.socket.close();
    expect((await peer.closed).code).toBe(1005);
  });

  test('a client that was sent more than its send queue at once gets its next, and may go on', async () => {
    const peer = await WebPeer.open(`${url}/odd`);
    for (let i = 0; i < 3; i++) {
      peer.socket.send('big');
      expect((await peer.text()).length).toBe(8 << 20);
      expect(await peer.text()).toBe(NEXT);
    }
    peer.socket.close();
  });

  test('a script client that sends 300 messages ahead gets each next, and its Close frame, however long that takes', async () => {
    const peer = await RawPeer.script(where, '/odd');
    peer.write(Buffer.concat([...Array.from({ length: 300 }, () => clientFrame('x')), clientFrame('', 8)]));
    for (let i = 0; i < 300; i++) expect(await peer.text()).toBe(NEXT);
    expect((await peer.frame()).opcode).toBe(8);
    await peer.gone();
    peer.destroy();
  });

  test('onClose that closes the next, a thousand deep', async () => {
    const peers = await Promise.all(Array.from({ length: 1000 }, () => WebPeer.open(`${url}/odd?chain`)));
    peers[0].socket.close();
    const ends = await Promise.all(peers.map((peer) => peer.closed));
    expect(ends.slice(1).every(({ code }) => code === 4002)).toBe(true);
    const observer = await WebPeer.open(`${url}/odd`);
    observer.socket.send('size');
    expect(await observer.packet()).toEqual({ opcode: 'next', fyi: '', size: 1 });
    observer.socket.close();
    expect(daemon.out).not.toContain('call stack');
  });

  test('a POST whose client has sent its FIN gets its answer, from an async handler too', async () => {
    const peer = await RawPeer.open(where);
    peer.end('POST /odd HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nlater');
    expect((await peer.response()).body).toBe('{"opcode":"next","fyi":"","late":1,"packets":[]}\n');
    expect(await peer.rest()).toBe('');
    peer.destroy();
  });

  test('posts sent ahead are answered in order', async () => {
    const peer = await RawPeer.open(where);
    const post = (body: string): string =>
      `POST /odd HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    peer.write(post('size') + post('later') + post('size'));
    const bodies = [await peer.response(), await peer.response(), await peer.response()].map(({ body }) =>
      JSON.parse(body),
    );
    expect(bodies.map((body) => Object.keys(body)[2])).toEqual(['size', 'late', 'size']);
    peer.destroy();
  });

  test('a form of 100,000 fields is taken', async () => {
    const body = Array.from({ length: 100_000 }, (_, i) => `f${i}=`).join('&');
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
    const answer = await fetch(`http://127.0.0.1:${daemon.port}/odd`, { method: 'POST', headers, body });
    expect(await answer.json()).toEqual({ opcode: 'next', fyi: '', packets: [] });
  });

  test.each([
    ['CONNECT x:1 HTTP/1.1\r\nHost: localhost\r\n\r\n', 405, 'the method is not served\n'],
    ['BREW /odd HTTP/1.1\r\nHost: localhost\r\n\r\n', 405, 'the method is not served\n'],
    ['PUT /odd HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n', 405, 'PUT is not served\n'],
    ['POST /odd HTTP/1.1\r\nContent-Length: 0\r\n\r\n', 400, 'one Host header is required\n'],
    [
      'POST /odd HTTP/1.1\r\nHost: localhost\r\nExpect: cake\r\nContent-Length: 1\r\n\r\n',
      417,
      'the only expectation known is 100-continue\n',
    ],
  ])('%j', async (request, status, text) => {
    const peer = await RawPeer.open(where);
    peer.write(request);
    const { head, body, ...seen } = await peer.response();
    expect([seen.status, body]).toEqual([status, text]);
    expect(head).toMatch(/^connection: close\r$/im);
    if (status === 405) expect(head).toMatch(/^allow: GET, HEAD, POST, OPTIONS\r$/im);
    peer.destroy();
  });

  test('a CONNECT whose client resets is a line of the log, and no error that nobody caught', async () => {
    const from = daemon.out.length;
    const peer = await RawPeer.open(where);
    peer.write('CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n');
    await peer.response();
    peer.socket.resetAndDestroy();
    await daemon.said(/(?:HTTP error: read ECONNRESET|nobody caught this error.*)\n/, from);
    expect(daemon.out.slice(from)).not.toContain('ERROR');
  });

  test('a body that is too long is refused before a 100 Continue, and the answer arrives though the client sends on', async () => {
    const peer = await RawPeer.open(where);
    const length = 20 << 20;
    peer.write(`POST /odd HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: ${length}\r\n\r\n`);
    expect((await peer.response()).status).toBe(413);
    peer.write(Buffer.alloc(length));
    expect(await peer.rest()).toBe('');
    expect(peer.failure).toBeNull();
    peer.destroy();
  });

  test.each([
    ['umlauts', '/müsli'],
    ['a long name', `/${'x'.repeat(2000)}`],
  ])('a script client learns in 1024 bytes that there is no path with %s', async (_, path) => {
    const peer = await RawPeer.open(where);
    peer.write(
      Buffer.from(
        `GET ${path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nClient-Type: php\r\n\r\n`,
      ),
    );
    expect((await peer.head()).length).toBe(1024);
    const first = await peer.frame();
    expect(first.size).toBe(1024);
    const { error } = JSON.parse(first.payload.toString());
    expect(error).toBe(`no such resource: ${path.slice(0, 200)}${path.length > 200 ? '…' : ''}`);
    expect((await peer.closeFrame()).code).toBe(4404);
    peer.destroy();
  });
});
