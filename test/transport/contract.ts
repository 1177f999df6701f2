import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { parseAddresses } from '../../src/transport/address.ts';
import { Deadlines } from '../../src/transport/deadlines.ts';
import type { NetOptions } from '../../src/transport/tcp.ts';
import type { Listener, Transport } from '../../src/transport/transport.ts';
import { SOON_MOST } from '../../src/transport/turn.ts';
import { certificates, makeCertificate } from '../support/certificate.ts';
import { FakeLog } from '../support/fakes.ts';
import { type Accepted, dial, dialTls, Door, portOf, readAll, readBytes } from './peers.ts';

export type CreateTransport = (options: NetOptions, log: FakeLog) => Transport;

const MIB4 = Buffer.alloc(4 << 20, 'abcdefghijklmnopqrstuvwxyz');

/** One for all tests of a file: openssl takes longer than most of them. */
const folder = mkdtempSync(join(tmpdir(), 'websock-certificate-'));
const certificate = makeCertificate(folder);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Everything that one test opens, and closes again. */
export class Site {
  readonly dir = mkdtempSync(join(tmpdir(), 'websock-transport-'));
  readonly log = new FakeLog();
  readonly door = new Door();
  readonly certificate = certificate;
  private readonly create: CreateTransport;
  private readonly listeners: Listener[] = [];
  private readonly clients: Socket[] = [];

  constructor(create: CreateTransport) {
    this.create = create;
  }

  async listen(adress: string, options: Partial<NetOptions> & { timeout?: number } = {}): Promise<Listener> {
    const tls = { certificates: certificates(this.certificate), timeout: options.timeout ?? 5 };
    const transport = this.create(
      { keepAlive: 60, backlog: 511, tls, deadlines: new Deadlines(), ...options },
      this.log,
    );
    const listener = await transport.listen(parseAddresses(adress)[0], this.door.accept);
    this.listeners.push(listener);
    return listener;
  }

  /** A client that is cut off when the test has ended. */
  track<Kind extends Socket>(client: Kind): Kind {
    client.on('error', () => {});
    this.clients.push(client);
    return client;
  }

  /** Both ends of a new connection. */
  async connect(listener: Listener, secure: boolean): Promise<{ peer: Socket; server: Accepted }> {
    const port = portOf(listener);
    const peer = this.track(secure ? await dialTls(port, { allowHalfOpen: true } as object) : await dial({ port }));
    // On a port that serves both, the first byte decides.
    if (!secure && listener.address.security === 'both') peer.write('!');
    return { peer, server: await this.door.take() };
  }

  async close(): Promise<void> {
    for (const client of this.clients.splice(0)) client.destroy();
    for (const { socket } of this.door.accepted.splice(0)) socket.destroy();
    await Promise.all(this.listeners.splice(0).map((listener) => listener.close()));
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** What every implementation of Transport must do with a stream of bytes. */
export function transportContract(name: string, create: CreateTransport): void {
  describe.each([
    ['plain', 'ws://127.0.0.1:0', false],
    ['TLS', 'wss://127.0.0.1:0', true],
  ])(`${name}: the contract of a TransportSocket, %s`, (_, adress, secure) => {
    let site: Site;
    beforeEach(() => {
      site = new Site(create);
    });
    afterEach(() => site.close());
    const open = async (): Promise<{ peer: Socket; server: Accepted }> =>
      site.connect(await site.listen(adress), secure);

    test('who it is, and bytes both ways', async () => {
      const { peer, server } = await open();
      expect([server.socket.ip, server.socket.port, server.socket.secure]).toEqual([
        '127.0.0.1',
        peer.localPort,
        secure,
      ]);
      peer.write('hello');
      await server.until(({ text }) => text === 'hello');
      const bytes = Buffer.from(Array.from({ length: 256 }, (__, i) => i));
      server.socket.write(bytes);
      server.socket.write(bytes.toString('latin1'));
      server.socket.writeAll([bytes, 'ä', Buffer.from('z'), '']);
      expect(await readBytes(peer, 3 * 256 + 2)).toEqual(
        Buffer.concat([bytes, bytes, bytes, Buffer.from([0xe4, 0x7a])]),
      );
    });

    test('end() sends everything, then the FIN', async () => {
      const { peer, server } = await open();
      server.socket.write(MIB4);
      server.socket.write('the end');
      server.socket.end();
      server.socket.write('nobody gets this, and it spoils nothing');
      expect(server.finished).toBe(false);
      const got = await readAll(peer);
      expect([got.length, got.toString('latin1', MIB4.length)]).toEqual([MIB4.length + 7, 'the end']);
      await server.until(({ finished }) => finished);
      expect([server.socket.pending, server.closed]).toEqual([0, undefined]);
      peer.end();
      expect((await server.until(({ closed }) => closed !== undefined)).closed).toBeNull();
    });

    test('onFinish comes when the last of it is out, not before', async () => {
      const { peer, server } = await open();
      for (let i = 0; i < 4; i++) server.socket.write(MIB4);
      server.socket.end();
      peer.write('a round trip');
      await server.until(({ text }) => text.length === 12);
      expect(server.finished).toBe(false);
      const got = readAll(peer);
      await server.until(({ finished }) => finished);
      expect((await got).length).toBe(4 * MIB4.length);
    });

    test('half-close: a peer that has sent its FIN still gets 4 MiB, written after it', async () => {
      const { peer, server } = await open();
      peer.end('last');
      await server.until(({ ended }) => ended);
      expect([server.text, server.closed]).toEqual(['last', undefined]);
      // Whoever answers a FIN by itself does it before this.
      await new Promise((done) => setImmediate(done));
      server.socket.write(MIB4);
      server.socket.end();
      expect((await readAll(peer)).equals(MIB4)).toBe(true);
      expect((await server.until(({ closed }) => closed !== undefined)).closed).toBeNull();
    });

    test('half-close: after our FIN the peer’s bytes are still read', async () => {
      const { peer, server } = await open();
      server.socket.end();
      await readAll(peer);
      peer.end(MIB4);
      await server.until(({ closed }) => closed !== undefined);
      expect([server.bytes.equals(MIB4), server.ended, server.closed]).toEqual([true, true, null]);
    });

    test('a peer that resets: onClose with the error, no onEnd, and writing is harmless', async () => {
      const listener = await site.listen(adress);
      const raw = site.track(await dial({ port: portOf(listener) }));
      const peer = secure ? site.track(await dialTls(0, { socket: raw })) : raw;
      const server = await site.door.take();
      peer.write('x');
      await server.until(({ text }) => text === 'x');
      raw.resetAndDestroy();
      await server.until(({ closed }) => closed !== undefined);
      expect(server.closed).toMatchObject({ code: 'ECONNRESET' });
      expect(server.ended).toBe(false);
      server.socket.write('late');
      server.socket.writeAll(['late', Buffer.from('later')]);
      server.socket.end();
      server.socket.destroy();
    });

    test('destroy() ends it at once, for both', async () => {
      const { peer, server } = await open();
      server.socket.destroy();
      expect((await server.until(({ closed }) => closed !== undefined)).closed).toBeNull();
      await new Promise<void>((done) => {
        peer.once('close', () => done());
        peer.resume();
        peer.end();
      });
    });

    test('pause() holds what the peer sends, resume() hands it over, all of it and in order', async () => {
      const { peer, server } = await open();
      server.socket.pause();
      let written = false;
      const bytes = Buffer.concat([MIB4, MIB4, MIB4, MIB4]);
      peer.write(bytes, () => {
        written = true;
      });
      server.socket.write('go on');
      await readBytes(peer, 5);
      // It is more than the kernels hold between two who do not read.
      expect([server.chunks.length, written]).toEqual([0, false]);
      server.onChunk = () => {
        server.socket.pause();
        setImmediate(() => server.socket.resume());
      };
      server.socket.resume();
      await server.until(({ chunks }) => chunks.reduce((sum, { length }) => sum + length, 0) === bytes.length);
      expect(server.bytes.equals(bytes)).toBe(true);
    });

    test('pending, willDrain and taken tell of a peer that does not read; onDrain comes when all is out', async () => {
      const { peer, server } = await open();
      const { socket } = server;
      expect([socket.pending, socket.willDrain]).toEqual([0, false]);
      for (let i = 0; i < 4; i++) socket.write(MIB4);
      expect(socket.pending).toBeGreaterThan(MIB4.length);
      expect(socket.willDrain).toBe(true);
      const stuck = socket.taken;
      // A write that the kernel cannot take is no progress.
      socket.write('more');
      expect(socket.taken).toBe(stuck);
      expect(server.drains).toBe(0);
      const all = 4 * MIB4.length + 4;
      const got = readBytes(peer, all);
      await server.until(({ drains }) => drains > 0);
      expect([socket.pending, socket.willDrain]).toEqual([0, false]);
      expect(socket.taken).toBeGreaterThan(stuck);
      expect((await got).length).toBe(all);
    });

    test('writeSoon: at the end of the turn, before what is written after it, and with the FIN', async () => {
      const { peer, server } = await open();
      const { socket } = server;
      const before = socket.taken;
      socket.writeSoon('a');
      socket.writeSoon('ä');
      expect([socket.taken, socket.pending]).toEqual([before, 0]);
      expect(await readBytes(peer, 2)).toEqual(Buffer.from([0x61, 0xe4]));
      socket.writeSoon('b');
      socket.write('c');
      socket.writeSoon('d');
      socket.writeAll(['e', Buffer.from('f')]);
      const long = 'g'.repeat(SOON_MOST);
      socket.writeSoon('h');
      socket.writeSoon(long);
      socket.writeSoon('i');
      socket.end();
      socket.writeSoon('nobody gets this, and it spoils nothing');
      expect((await readAll(peer)).toString()).toBe(`bcdefh${long}i`);
    });

    test('onBehind tells that what writeSoon had put off is pending; onDrain that it is out', async () => {
      const { peer, server } = await open();
      const { socket } = server;
      const text = MIB4.toString('latin1', 0, SOON_MOST);
      let sent = 0;
      while (!socket.willDrain) {
        socket.writeSoon(text);
        sent += text.length;
        await new Promise((done) => setImmediate(done));
      }
      expect(server.behind).toBeGreaterThan(0);
      expect(socket.pending).toBeGreaterThan(0);
      expect((await readBytes(peer, sent)).length).toBe(sent);
      await server.until(({ drains }) => drains > 0);
      expect(socket.pending).toBe(0);
    });

    test('taken grows while one large write goes out', async () => {
      const { peer, server } = await open();
      const size = 64 << 20;
      server.socket.write(Buffer.alloc(size));
      const seen = new Set<number>();
      let got = 0;
      await new Promise<void>((done) => {
        peer.on('data', (chunk: Buffer) => {
          got += chunk.length;
          if (server.socket.pending > 0) seen.add(server.socket.taken);
          if (got === size) done();
        });
      });
      expect(seen.size).toBeGreaterThan(2);
      const values = [...seen];
      expect(values).toEqual(values.toSorted((a, b) => a - b));
    });

    test('detach() gives the stream to node:http, with the bytes put back in front', async () => {
      const http = createServer((request, response) => {
        const chunks: Buffer[] = [];
        request.on('data', (chunk: Buffer) => chunks.push(chunk));
        request.on('end', () => response.end(`${request.method} ${request.url} ${Buffer.concat(chunks).toString()}`));
      });
      const { peer, server } = await open();
      peer.write('POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345');
      await server.until(({ text }) => text.endsWith('12345'));
      const before = server.chunks.length;
      const stream = site.track(server.socket.detach(server.bytes));
      http.emit('connection', stream);
      stream.resume();
      peer.write('67890');
      const first = await readBytes(peer, 1);
      expect(first.toString()).toMatch(/^HTTP\/1.1 200 OK/);
      // Kept alive: the next request comes the same way, and the reader hears nothing of it.
      peer.write('GET /b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
      const rest = (await readAll(peer)).toString();
      expect(first.toString() + rest).toContain('POST /a 1234567890');
      expect(rest).toContain('GET /b ');
      peer.end();
      await server.until(({ closed }) => closed !== undefined);
      expect([server.chunks.length, server.ended]).toEqual([before, false]);
      http.close();
    });

    test('detach() without bytes', async () => {
      const { peer, server } = await open();
      const stream = site.track(server.socket.detach(Buffer.alloc(0)));
      const got = once(stream, 'data');
      stream.resume();
      peer.write('fresh');
      expect(String((await got)[0])).toBe('fresh');
    });

    test('close() of the listener: nobody new, and those it accepted live on until they go', async () => {
      const listener = await site.listen(adress);
      const { peer, server } = await site.connect(listener, secure);
      let closed = false;
      const closing = listener.close().then(() => {
        closed = true;
      });
      await expect(dial({ port: portOf(listener) })).rejects.toMatchObject({ code: 'ECONNREFUSED' });
      peer.write('still here');
      await server.until(({ text }) => text === 'still here');
      server.socket.write('yes');
      expect((await readBytes(peer, 3)).toString()).toBe('yes');
      expect(closed).toBe(false);
      peer.end();
      await server.until(({ ended }) => ended);
      server.socket.end();
      await closing;
    });
  });
}
