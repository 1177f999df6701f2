import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, linkSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { connect } from 'node:tls';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { certificates, makeCertificate } from '../support/certificate.ts';
import { withProgram } from '../support/program.ts';
import { type CreateTransport, Site } from './contract.ts';
import { Deadlines } from '../../src/transport/deadlines.ts';
import { dial, dialTls, FakeLobby, portOf, readAll, readBytes } from './peers.ts';

const withPerl = withProgram('perl', 'perl-base');
/** Prints TCP_NODELAY, SO_KEEPALIVE and TCP_KEEPIDLE of the socket that is its stdin. */
const OPTIONS_OF_STDIN = `use Socket qw(:all);
  my @options = ([IPPROTO_TCP, TCP_NODELAY], [SOL_SOCKET, SO_KEEPALIVE], [IPPROTO_TCP, 4]);
  print join(' ', map { unpack('i', getsockopt(STDIN, $_->[0], $_->[1])) } @options);`;

/** What every implementation of Transport must do when it listens, and with the first byte of who comes. */
export function listeningContract(name: string, create: CreateTransport): void {
  let site: Site;
  beforeEach(() => {
    site = new Site(create);
  });
  afterEach(() => site.close());

  describe(`${name}: the contract of listening`, () => {
    test('port 0 is a free one, and the endpoint names it', async () => {
      const listener = await site.listen('ws://127.0.0.1:0');
      expect(listener.endpoints).toEqual([expect.stringMatching(/^127\.0\.0\.1:[1-9]\d+$/)]);
      expect(listener.address.url).toBe('ws://127.0.0.1:0');
    });

    test('IPv6, and both families on *: an IPv4 peer is shown as one', async () => {
      const six = await site.listen('ws://[::1]:0');
      expect(six.endpoints).toEqual([expect.stringMatching(/^\[::1\]:\d+$/)]);
      site.track(await dial({ host: '::1', port: portOf(six) }));
      expect((await site.door.take()).socket.ip).toBe('::1');
      const any = await site.listen('ws://*:0');
      site.track(await dial({ host: '127.0.0.1', port: portOf(any) }));
      expect((await site.door.take()).socket.ip).toBe('127.0.0.1');
    });

    withPerl('each socket has TCP_NODELAY, and asks after its silent peer when [tcp] keepAlive says so', async () => {
      const listener = await site.listen('ws://127.0.0.1:0', { keepAlive: 77 });
      const { server } = await site.connect(listener, false);
      const stream = site.track(server.socket.detach(Buffer.alloc(0)));
      const perl = spawn('perl', ['-e', OPTIONS_OF_STDIN], { stdio: [stream, 'pipe', 'inherit'] });
      const [found] = (await once(perl.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
      expect(found.toString()).toMatch(/^[1-9]\d* [1-9]\d* 77$/);
    });

    test('a name is listened on at every address it has, on one port', async () => {
      const listener = await site.listen('ws://localhost:0');
      expect(listener.endpoints.length).toBeGreaterThan(0);
      expect(new Set(listener.endpoints).size).toBe(listener.endpoints.length);
      expect(new Set(listener.endpoints.map((_, i) => portOf(listener, i))).size).toBe(1);
      for (const endpoint of listener.endpoints) {
        const host = endpoint.replace(/:\d+$/, '').replaceAll(/[[\]]/g, '');
        // oxlint-disable-next-line no-await-in-loop
        site.track(await dial({ host, port: portOf(listener) }));
        // oxlint-disable-next-line no-await-in-loop
        expect((await site.door.take()).socket.ip).toBe(host);
      }
    });

    test('a socket knows what it came in by: a loopback address or not, and the name in adress', async () => {
      for (const [adress, host, entrance] of [
        ['ws://127.0.0.1:0', '127.0.0.1', { loopback: true, name: '127.0.0.1' }],
        ['ws://127.9.9.9:0', '127.9.9.9', { loopback: true, name: '127.9.9.9' }],
        ['ws://LOCALHOST:0', 'localhost', { loopback: true, name: 'localhost' }],
        ['ws://[::1]:0', '::1', { loopback: true, name: '::1' }],
        // By whichever of its addresses: others reach it as well.
        ['ws://0.0.0.0:0', '127.0.0.1', { loopback: false, name: '0.0.0.0' }],
        ['ws://*:0', '127.0.0.1', { loopback: false, name: '*' }],
        [`unix:${join(site.dir, 'entrance.sock')}`, '', { loopback: false, name: '' }],
      ] as const) {
        // oxlint-disable no-await-in-loop
        const listener = await site.listen(adress);
        const where = host === '' ? { path: listener.endpoints[0] } : { host, port: portOf(listener) };
        site.track(await dial(where));
        expect([adress, (await site.door.take()).socket.entrance]).toEqual([adress, entrance]);
        // oxlint-enable no-await-in-loop
      }
    });

    const startError = (text: string): unknown =>
      expect.objectContaining({ code: 'WEBSOCK_START', exitCode: 1, message: expect.stringContaining(text) });

    test('a port that is taken: WEBSOCK_START that says so and what to do', async () => {
      const listener = await site.listen('ws://127.0.0.1:0');
      const adress = `ws://127.0.0.1:${portOf(listener)}`;
      await expect(site.listen(adress)).rejects.toEqual(
        startError(`cannot listen on ${adress}: port ${portOf(listener)} is taken by another program: stop that one`),
      );
    });

    test('a name of which one address is taken: none of them is kept', async () => {
      const blocker = createServer().listen(0, '127.0.0.1');
      await once(blocker, 'listening');
      const { port } = blocker.address() as { port: number };
      await expect(site.listen(`ws://localhost:${port}`)).rejects.toEqual(startError('is taken by another program'));
      blocker.close();
      await once(blocker, 'close');
      const listener = await site.listen(`ws://localhost:${port}`);
      expect(portOf(listener)).toBe(port);
    });

    test('an address that is not of this machine, and a name that nobody knows', async () => {
      await expect(site.listen('ws://192.0.2.77:0')).rejects.toEqual(
        startError("this machine has no address '192.0.2.77': correct 'adress'"),
      );
      await expect(site.listen('ws://no-such-host.invalid:0')).rejects.toEqual(
        startError("the host name 'no-such-host.invalid' is not known"),
      );
    });
  });

  describe(`${name}: Unix sockets`, () => {
    test('its peers are `unix`, its mode is what was asked for, and it is gone after close()', async () => {
      const path = join(site.dir, 'a.sock');
      const listener = await site.listen(`unix:${path}?mode=0640`);
      expect([listener.endpoints, statSync(path).mode & 0o777]).toEqual([[path], 0o640]);
      const peer = site.track(await dial({ path }));
      const server = await site.door.take();
      expect([server.socket.ip, server.socket.port, server.socket.secure]).toEqual(['unix', 0, false]);
      server.socket.write('hello');
      expect((await readBytes(peer, 5)).toString()).toBe('hello');
      peer.destroy();
      server.socket.destroy();
      await listener.close();
      expect(existsSync(path)).toBe(false);
    });

    test('one that a dead daemon has left is taken over', async () => {
      const path = join(site.dir, 'stale.sock');
      const dead = createServer().listen(path);
      await once(dead, 'listening');
      // As a crash leaves it: a name for a socket that nobody listens on.
      const kept = `${path}.kept`;
      linkSync(path, kept);
      dead.close();
      await once(dead, 'close');
      linkSync(kept, path);
      const listener = await site.listen(`unix:${path}`);
      site.track(await dial({ path }));
      expect((await site.door.take()).socket.ip).toBe('unix');
      expect(listener.endpoints).toEqual([path]);
    });

    test('one that somebody answers on is not', async () => {
      const path = join(site.dir, 'live.sock');
      await site.listen(`unix:${path}`);
      await expect(site.listen(`unix:${path}`)).rejects.toMatchObject({
        code: 'WEBSOCK_START',
        message: expect.stringContaining(`${path} is taken by another program`),
      });
      site.track(await dial({ path }));
      expect((await site.door.take()).socket.ip).toBe('unix');
    });

    test('a file that is no socket is never removed', async () => {
      const path = join(site.dir, 'precious.txt');
      writeFileSync(path, 'keep me');
      await expect(site.listen(`unix:${path}`)).rejects.toMatchObject({
        code: 'WEBSOCK_START',
        message: expect.stringContaining('is a file and no socket'),
      });
      expect(readFileSync(path, 'utf8')).toBe('keep me');
    });

    test('a folder that does not exist', async () => {
      const path = join(site.dir, 'none', 'a.sock');
      await expect(site.listen(`unix:${path}`)).rejects.toMatchObject({
        code: 'WEBSOCK_START',
        message: `cannot listen on unix:${path}: ${path} cannot be made: its folder does not exist, or this user may not write to it`,
      });
    });
  });

  describe(`${name}: TLS by the first byte`, () => {
    test('ws+wss: both on one port', async () => {
      const listener = await site.listen('ws+wss://127.0.0.1:0');
      const port = portOf(listener);
      const plain = site.track(await dial({ port }));
      plain.write('GET /');
      const first = await site.door.take();
      await first.until(({ text }) => text === 'GET /');
      expect(first.socket.secure).toBe(false);
      const secure = site.track(await dialTls(port));
      secure.write('GET /');
      const second = await site.door.take();
      await second.until(({ text }) => text === 'GET /');
      expect(second.socket.secure).toBe(true);
      first.socket.write('p');
      second.socket.write('s');
      expect([String(await readBytes(plain, 1)), String(await readBytes(secure, 1))]).toEqual(['p', 's']);
    });

    test('a hello that comes byte by byte', async () => {
      const listener = await site.listen('wss://127.0.0.1:0');
      const raw = site.track(await dial({ port: portOf(listener) }));
      const slow = new Duplex({
        read() {},
        write(chunk: Buffer, _, done) {
          for (const byte of chunk) raw.write(Buffer.from([byte]));
          done();
        },
      });
      raw.setNoDelay(true);
      raw.on('data', (chunk: Buffer) => slow.push(chunk));
      const secure = connect({ socket: slow, rejectUnauthorized: false });
      await once(secure, 'secureConnect');
      secure.write('slow');
      await (await site.door.take()).until(({ text }) => text === 'slow');
      secure.destroy();
    });

    test('plain text on a TLS port is told what to use, and never accepted', async () => {
      const listener = await site.listen('wss://127.0.0.1:0');
      const peer = site.track(await dial({ port: portOf(listener) }));
      peer.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
      const response = (await readAll(peer)).toString();
      peer.end();
      const [head, body] = response.split('\r\n\r\n');
      expect(head).toMatch(/^HTTP\/1.1 400 Bad Request\r\n/);
      expect(head).toContain(`Content-Length: ${body.length}`);
      expect(body).toBe('this port speaks TLS: use wss:// or https://\n');
      expect(site.door.accepted).toEqual([]);
      expect(site.log.at('info')[0]).toContain('spoke plain text');
    });

    test('a FIN before the first byte is answered with a FIN', async () => {
      const listener = await site.listen('ws+wss://127.0.0.1:0');
      const peer = site.track(await dial({ port: portOf(listener) }));
      peer.end();
      expect(await readAll(peer)).toHaveLength(0);
      expect(site.door.accepted).toEqual([]);
    });

    test('a FIN inside the handshake ends it: nothing that still comes could complete it', async () => {
      const listener = await site.listen('wss://127.0.0.1:0', { timeout: 86_400 });
      const peer = site.track(await dial({ port: portOf(listener) }));
      peer.end(Buffer.from([0x16, 3, 1]));
      peer.resume();
      await once(peer, 'close');
      expect(site.log.at('info')).toEqual(['info TLS handshake with a client that left failed: socket hang up']);
    });

    test('who says nothing, and whose handshake does not end, is cut off after the timeout', async () => {
      const listener = await site.listen('wss://127.0.0.1:0', { timeout: 0.2 });
      const silent = site.track(await dial({ port: portOf(listener) }));
      const half = site.track(await dial({ port: portOf(listener) }));
      half.write(Buffer.from([0x16, 3, 1]));
      const ends = [silent, half].map((peer) => {
        peer.resume();
        return once(peer, 'end');
      });
      await Promise.all(ends);
      expect(site.door.accepted).toEqual([]);
      const lines = site.log.at('info');
      expect(lines.filter((line) => line.includes('sent nothing on wss://'))).toHaveLength(1);
      expect(lines.filter((line) => line.includes('TLS handshake with 127.0.0.1 failed'))).toHaveLength(1);
    });

    test('who waits is counted from the beginning, once, and no more when it has gone', async () => {
      const lobby = new FakeLobby();
      const listener = await site.listen('ws+wss://127.0.0.1:0', { lobby, timeout: 0.2 });
      const port = portOf(listener);
      const client = site.track(await dialTls(port));
      const { socket, counted } = await site.door.take();
      expect([socket.secure, counted, lobby.told]).toEqual([true, true, ['enter']]);
      const plain = site.track(await dial({ port }));
      plain.write('GET /');
      expect([(await site.door.take()).counted, lobby.told]).toEqual([true, ['enter', 'enter']]);
      // From here on they are not the transport's to count.
      client.destroy();
      plain.destroy();
      lobby.told = [];
      const silent = site.track(await dial({ port }));
      const half = site.track(await dial({ port }));
      half.write(Buffer.from([0x16, 3, 1]));
      const leaver = site.track(await dial({ port }));
      leaver.destroy();
      const wrong = site.track(await dial({ port }));
      wrong.write(Buffer.concat([Buffer.from([0x16]), Buffer.alloc(500, 'x')]));
      for (const peer of [silent, half, wrong]) peer.resume();
      await lobby.until(() => lobby.told.filter((what) => what === 'leave').length === 4);
      expect(lobby.told.toSorted()).toEqual([
        ...Array(4).fill('enter'),
        ...Array(4).fill('leave'),
        'tlsTimeout 127.0.0.1',
        'tlsTimeout 127.0.0.1',
      ]);
    });

    test('whom the lobby does not let in is gone at once', async () => {
      const lobby = new FakeLobby();
      lobby.shut = true;
      const listener = await site.listen('wss://127.0.0.1:0', { lobby });
      const peer = site.track(await dial({ port: portOf(listener) }));
      peer.resume();
      await once(peer, 'end');
      expect([lobby.told, site.door.accepted]).toEqual([['enter'], []]);
    });

    test('if too many wait, who has waited longest goes, and the newest is served', async () => {
      const lobby = new FakeLobby();
      lobby.most = 2;
      const listener = await site.listen('wss://127.0.0.1:0', { lobby });
      const port = portOf(listener);
      const first = site.track(await dial({ port }));
      const gone = once(first, 'end');
      first.resume();
      await lobby.until(() => lobby.told.length === 1);
      const second = site.track(await dial({ port }));
      await lobby.until(() => lobby.told.length === 2);
      const honest = site.track(await dialTls(port));
      await gone;
      expect((await site.door.take()).socket.secure).toBe(true);
      expect(lobby.told).toEqual(['enter', 'enter', 'enter', 'maxHandshakes 127.0.0.1', 'leave']);
      expect([second.destroyed, honest.destroyed]).toEqual([false, false]);
    });

    test('if there is no room, one goes that has waited for a second, and nobody who has just come', async () => {
      const lobby = new FakeLobby();
      let tick = 0;
      const deadlines = Object.assign(new Deadlines(), { read: () => tick });
      const listener = await site.listen('wss://127.0.0.1:0', { lobby, deadlines });
      const port = portOf(listener);
      const peers = [];
      for (const [now, full] of [
        [0, false],
        [5, true],
        [11, true],
      ] as const) {
        tick = now;
        lobby.full = full;
        const before = lobby.told.length;
        // oxlint-disable-next-line no-await-in-loop
        peers.push(site.track(await dial({ port })));
        // oxlint-disable-next-line no-await-in-loop
        await lobby.until(() => lobby.told.length > before);
      }
      peers[0].resume();
      await once(peers[0], 'end');
      expect(lobby.told).toEqual(['enter', 'enter', 'maxClients 127.0.0.1', 'leave', 'enter']);
      expect(peers.map(({ destroyed }) => destroyed)).toEqual([false, false, false]);
      expect(peers.map(({ readableEnded }) => readableEnded)).toEqual([true, false, false]);
    });

    test('a plain listener has nobody wait: who is accepted is not counted yet', async () => {
      const lobby = new FakeLobby();
      const { server } = await site.connect(await site.listen('ws://127.0.0.1:0', { lobby }), false);
      expect([server.counted, lobby.told]).toEqual([false, []]);
    });

    test('a handshake that fails is logged with its reason; the next one is served', async () => {
      const listener = await site.listen('wss://127.0.0.1:0');
      const port = portOf(listener);
      await expect(
        dialTls(port, { maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'ALL:@SECLEVEL=0' }),
      ).rejects.toThrow();
      const garbage = site.track(await dial({ port }));
      garbage.write(Buffer.concat([Buffer.from([0x16]), Buffer.alloc(500, 'x')]));
      garbage.once('end', () => garbage.end());
      garbage.resume();
      await once(garbage, 'close');
      expect(site.log.at('info').filter((line) => line.includes('TLS handshake with 127.0.0.1 failed: '))).toHaveLength(
        2,
      );
      site.track(await dialTls(port));
      expect((await site.door.take()).socket.secure).toBe(true);
      expect(site.door.accepted).toHaveLength(1);
    });

    test('TLS 1.2 and 1.3; the certificate by the name that the client asks for', async () => {
      const other = makeCertificate(site.dir, { name: 'other', hosts: ['other.example'] });
      const both = certificates(site.certificate, { name: 'other', host: 'other.example', ...other });
      const listener = await site.listen('wss://127.0.0.1:0', { tls: { certificates: both, timeout: 5 } });
      const port = portOf(listener);
      for (const [maxVersion, servername, common] of [
        ['TLSv1.2', 'localhost', 'localhost'],
        ['TLSv1.3', 'other.example', 'other'],
        ['TLSv1.3', 'third.example', 'localhost'],
      ] as const) {
        // oxlint-disable-next-line no-await-in-loop
        const peer = site.track(await dialTls(port, { maxVersion, servername }));
        expect([peer.getProtocol(), peer.getPeerCertificate().subject.CN]).toEqual([maxVersion, common]);
        // oxlint-disable-next-line no-await-in-loop
        expect((await site.door.take()).socket.secure).toBe(true);
      }
    });
  });
}
