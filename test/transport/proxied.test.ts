import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { connect } from 'node:tls';
import { Deadlines } from '../../src/transport/deadlines.ts';
import { takeDirect } from '../../src/transport/direct.ts';
import { ProxyGate } from '../../src/transport/proxied.ts';
import { NetTransport } from '../../src/transport/tcp.ts';
import type { Listener } from '../../src/transport/transport.ts';
import { proxyV2, proxyV2From, tcp6 } from '../support/proxyheader.ts';
import { Site } from './contract.ts';
import { type Accepted, dial, dialTls, FakeLobby, portOf, readAll, readBytes } from './peers.ts';

const V1 = 'PROXY TCP4 192.0.2.9 10.0.0.1 56324 443\r\n';

let site: Site;
let gate: ProxyGate;
let trusted: boolean;
let lates: number;

beforeEach(() => {
  // Where plain sockets are taken past net.Socket, these are not.
  site = new Site((options, log) => new NetTransport(options, log, takeDirect));
  trusted = true;
  lates = 0;
});
afterEach(() => site.close());

async function listen(scheme: 'ws' | 'wss' | 'ws+wss', timeout = 5, lobby?: FakeLobby): Promise<Listener> {
  const late = (): string => `late ${++lates}`;
  const trusts = (ip: string): boolean => trusted && ip === '127.0.0.1';
  gate = new ProxyGate({ trusts, deadlines: new Deadlines(), timeout, late }, site.log);
  return site.listen(`${scheme}://127.0.0.1:0?proxyProtocol=true`, { gate, lobby });
}

describe('who waits behind a proxy', () => {
  test.each(['ws', 'wss'] as const)(
    '%s: is counted as the proxy first, then as the client, and once',
    async (scheme) => {
      const lobby = new FakeLobby();
      const listener = await listen(scheme, 5, lobby);
      const peer = await peerOf(listener);
      peer.write(V1);
      const secure = scheme === 'wss' ? connect({ socket: peer, rejectUnauthorized: false }) : null;
      const accepted = await site.door.take();
      expect([accepted.counted, lobby.told]).toEqual([true, ['enter', 'move 127.0.0.1 192.0.2.9']]);
      secure?.destroy();
      const leaver = await peerOf(listener);
      leaver.write(V1);
      if (scheme === 'ws') await site.door.take();
      leaver.destroy();
      const silent = await peerOf(listener);
      await lobby.until(() => lobby.told.filter((what) => what === 'enter').length === 3);
      silent.destroy();
      const gone = scheme === 'ws' ? 1 : 2;
      await lobby.until(() => lobby.told.filter((what) => what === 'leave').length === gone);
    },
  );

  test('is gone at once where the client may not come', async () => {
    const lobby = new FakeLobby();
    const listener = await listen('ws', 5, lobby);
    const peer = await peerOf(listener);
    await lobby.until(() => lobby.told.length === 1);
    lobby.shut = true;
    peer.write(V1);
    await over(peer);
    await lobby.until(() => lobby.told.length === 3);
    expect([lobby.told, site.door.accepted]).toEqual([['enter', 'move 127.0.0.1 192.0.2.9', 'leave'], []]);
  });
});

async function peerOf(listener: Listener): Promise<Socket> {
  const peer = site.track(await dial({ port: portOf(listener) }));
  peer.setNoDelay(true);
  return peer;
}

/** Writes each byte by itself. */
function trickle(peer: Socket, bytes: string | Buffer): void {
  for (const byte of Buffer.from(bytes as string, 'latin1')) peer.write(Buffer.from([byte]));
}

/** Resolves when the server has ended the connection, one way or the other. */
function over(peer: Socket): Promise<void> {
  return new Promise((done) => {
    peer.once('end', () => {
      peer.destroy();
      done();
    });
    peer.once('close', () => done());
    if (peer.closed || peer.readableEnded) done();
    peer.resume();
  });
}

const who = ({ socket }: Accepted): unknown => [socket.ip, socket.port, socket.proxied, socket.secure];

describe('a plain listener with proxyProtocol=true', () => {
  test.each([
    ['version 1', Buffer.from(V1), ['192.0.2.9', 56324, true, false]],
    ['version 2', proxyV2From('192.0.2.9', 77), ['192.0.2.9', 77, true, false]],
    ['IPv6', proxyV2(0x21, 0x21, tcp6('20010db8000000000000000000000009', 9)), ['2001:db8::9', 9, true, false]],
    ['its own host', proxyV2From('127.0.0.1', 9), ['127.0.0.1', 9, true, false]],
    ['UNKNOWN', Buffer.from('PROXY UNKNOWN\r\n'), ['unknown', 0, true, false]],
    ['LOCAL', proxyV2(0x20, 0, Buffer.alloc(0)), ['unknown', 0, true, false]],
    ['a Unix socket', proxyV2(0x21, 0x31, Buffer.alloc(216, '/')), ['unknown', 0, true, false]],
  ])('%s: the socket has the address of the header, and what follows it', async (_, header, expected) => {
    const listener = await listen('ws');
    const together = await peerOf(listener);
    together.write(Buffer.concat([header, Buffer.from('hello')]));
    const first = await site.door.take();
    await first.until(({ text }) => text === 'hello');
    const apart = await peerOf(listener);
    trickle(apart, header);
    const second = await site.door.take();
    trickle(apart, 'hello');
    await second.until(({ text }) => text === 'hello');
    expect([who(first), who(second)]).toEqual([expected, expected]);
    second.socket.write('back');
    expect(String(await readBytes(apart, 4))).toBe('back');
    apart.end();
    await second.until(({ ended }) => ended);
    second.socket.end();
    expect((await second.until(({ closed }) => closed !== undefined)).closed).toBeNull();
    expect(gate.refused).toEqual({ untrusted: 0, malformed: 0 });
  });

  test('a client that sends a header of its own through the proxy: it is what the client says', async () => {
    const peer = await peerOf(await listen('ws'));
    peer.write(V1 + 'PROXY TCP4 127.0.0.1 10.0.0.1 1 2\r\n');
    const server = await site.door.take();
    await server.until(({ text }) => text === 'PROXY TCP4 127.0.0.1 10.0.0.1 1 2\r\n');
    expect(who(server)).toEqual(['192.0.2.9', 56324, true, false]);
  });

  test('16 MiB behind the header come through, and are paused', async () => {
    const peer = await peerOf(await listen('ws'));
    const many = Buffer.alloc(16 << 20, 'abcdefghijklmnopqrstuvwxyz');
    peer.write(V1);
    peer.write(many);
    const server = await site.door.take();
    server.onChunk = () => {
      server.socket.pause();
      setImmediate(() => server.socket.resume());
    };
    await server.until(({ chunks }) => chunks.reduce((sum, { length }) => sum + length, 0) === many.length);
    expect(server.bytes.equals(many)).toBe(true);
  });

  test('a peer that is no trusted proxy is closed, whatever it sends, with a line and a count', async () => {
    const listener = await listen('ws');
    trusted = false;
    const silent = await peerOf(listener);
    const speaking = await peerOf(listener);
    speaking.on('error', () => {}); // it may be reset
    speaking.write(V1);
    await Promise.all([silent, speaking].map((peer) => over(peer)));
    expect(gate.refused).toEqual({ untrusted: 2, malformed: 0 });
    expect(site.log.at('warn')).toEqual(
      Array(2).fill(
        'warn 127.0.0.1 is no trusted proxy and connects to ws://127.0.0.1:0?proxyProtocol=true: see [security] trustedProxies: closed',
      ),
    );
    expect(site.door.accepted).toEqual([]);
  });

  test.each([
    ['none', 'GET / HTTP/1.1\r\n\r\n', 'there is none'],
    ['a TLS hello', '\x16\x03\x01', 'there is none'],
    ['one of no version', proxyV2(0x31, 0x11, Buffer.alloc(12)).toString('latin1'), 'its version and command are 0x31'],
    ['one without an end', `PROXY UNKNOWN ${'x'.repeat(200)}`, 'its line is longer than 107 bytes'],
  ])('a trusted proxy that sends %s is closed, with a line and a count', async (_, bytes, why) => {
    const peer = await peerOf(await listen('ws'));
    peer.write(bytes, 'latin1');
    await over(peer);
    expect(gate.refused).toEqual({ untrusted: 0, malformed: 1 });
    expect(site.log.lines).toEqual([
      `warn 127.0.0.1 sends no PROXY header that can be read on ws://127.0.0.1:0?proxyProtocol=true: ${why}: closed`,
    ]);
    expect(site.door.accepted).toEqual([]);
  });

  test('one that sends nothing, or half of it, is closed after the timeout, and counted', async () => {
    const listener = await listen('ws', 0.2);
    const silent = await peerOf(listener);
    const half = await peerOf(listener);
    half.write(V1.slice(0, 20));
    const two = await peerOf(listener);
    two.write(proxyV2From('192.0.2.9').subarray(0, 20));
    await Promise.all([silent, half, two].map((peer) => over(peer)));
    expect(lates).toBe(3);
    expect(site.log.at('warn').toSorted()).toEqual(
      [1, 2, 3].map((n) => `warn 127.0.0.1 on ws://127.0.0.1:0?proxyProtocol=true: late ${n}: closed`),
    );
    expect(site.door.accepted).toEqual([]);
  });

  test('one that only looks whether we are there is no fault; one that leaves in the middle is', async () => {
    const listener = await listen('ws');
    const looking = await peerOf(listener);
    looking.end();
    await over(looking);
    expect([gate.refused.malformed, site.log.at('warn', 'info')]).toEqual([0, []]);
    const half = await peerOf(listener);
    half.end(V1.slice(0, 20));
    await over(half);
    expect(gate.refused.malformed).toBe(1);
    expect(site.log.at('warn')).toEqual([expect.stringContaining('it ends in the middle')]);
  });

  test('close() of the listener does not wait for headers', async () => {
    const listener = await listen('ws');
    const peer = await peerOf(listener);
    peer.write('PROXY ');
    const other = await peerOf(listener);
    other.write(V1);
    const server = await site.door.take();
    server.socket.destroy();
    await Promise.all([over(peer), over(other), listener.close()]);
  });
});

describe('TLS behind the header', () => {
  test.each(['wss', 'ws+wss'] as const)('%s: passed through, in one piece or byte by byte', async (scheme) => {
    const listener = await listen(scheme);
    const first = await peerOf(listener);
    first.write(V1);
    const whole = site.track(await dialTls(0, { socket: first }));
    whole.write('hello');
    const server = await site.door.take();
    await server.until(({ text }) => text === 'hello');
    expect(who(server)).toEqual(['192.0.2.9', 56324, true, true]);
    const second = await peerOf(listener);
    let header: Buffer = proxyV2From('198.51.100.7', 8);
    const slow = new Duplex({
      read() {},
      write(chunk: Buffer, _, done) {
        trickle(second, Buffer.concat([header, chunk]));
        header = Buffer.alloc(0);
        done();
      },
    });
    second.on('data', (chunk: Buffer) => slow.push(chunk));
    const secure = connect({ socket: slow, rejectUnauthorized: false });
    await once(secure, 'secureConnect');
    secure.write('slow');
    const other = await site.door.take();
    await other.until(({ text }) => text === 'slow');
    expect(who(other)).toEqual(['198.51.100.7', 8, true, true]);
    secure.destroy();
  });

  test('the header and the hello in one write', async () => {
    const peer = await peerOf(await listen('wss'));
    let header: Buffer = proxyV2From('192.0.2.9', 56324);
    const joined = new Duplex({
      read() {},
      write(chunk: Buffer, _, done) {
        peer.write(Buffer.concat([header, chunk]), done);
        header = Buffer.alloc(0);
      },
    });
    peer.on('data', (chunk: Buffer) => joined.push(chunk));
    const secure = connect({ socket: joined, rejectUnauthorized: false });
    await once(secure, 'secureConnect');
    expect(who(await site.door.take())).toEqual(['192.0.2.9', 56324, true, true]);
    secure.destroy();
  });

  test('ws+wss: plain text behind it', async () => {
    const peer = await peerOf(await listen('ws+wss'));
    peer.write(`${V1}GET /`);
    const server = await site.door.take();
    await server.until(({ text }) => text === 'GET /');
    expect(who(server)).toEqual(['192.0.2.9', 56324, true, false]);
  });

  test('what goes wrong is told of the client: plain text, a bad hello, silence', async () => {
    const listener = await listen('wss');
    const plain = await peerOf(listener);
    plain.write(`${V1}GET / HTTP/1.1\r\n\r\n`);
    expect(String(await readAll(plain))).toContain('this port speaks TLS');
    plain.end();
    const bad = await peerOf(listener);
    bad.write(Buffer.concat([Buffer.from(V1), Buffer.from([0x16]), Buffer.alloc(500, 'x')]));
    await over(bad);
    expect(site.log.at('info')).toEqual([
      'info 192.0.2.9 spoke plain text on wss://127.0.0.1:0?proxyProtocol=true: refused',
      expect.stringMatching(/^info TLS handshake with 192\.0\.2\.9 failed: /),
    ]);
  });
});
