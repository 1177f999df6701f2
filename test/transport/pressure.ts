import { createCipheriv } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type CreateTransport, Site } from './contract.ts';
import { pausing } from './pausing.ts';
import { type Accepted, dial, dialTls, portOf, readAll, readBytes } from './peers.ts';

const MIB = 1 << 20;
/** What a reset may be called by, if something was written. */
const CODES = /^(?:ECONNRESET|EPIPE)$/;

/** Bytes that are nowhere the same as somewhere else; `seed` makes others. */
function pattern(length: number, seed = 1): Buffer {
  return createCipheriv('aes-128-ctr', Buffer.alloc(16, seed), Buffer.alloc(16)).update(Buffer.alloc(length));
}

/** `bytes` in pieces of all sizes, every other one as a latin1 string. */
function pieces(bytes: Buffer, largest: number): (Buffer | string)[] {
  const found: (Buffer | string)[] = [];
  for (let at = 0, i = 1; at < bytes.length; i++) {
    const piece = bytes.subarray(at, at + ((i * 7919) % largest) + 1);
    found.push(i % 2 === 0 ? piece : piece.toString('latin1'));
    at += piece.length;
  }
  return found;
}

/** Reads to the end, a little at a time. */
async function readSlowly(peer: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  peer.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    peer.pause();
    setImmediate(() => peer.resume());
  });
  await once(peer, 'end');
  return Buffer.concat(chunks);
}

/** What every implementation of Transport must do when one side is slow, or gone, or the reader acts while it is called. */
export function pressureContract(name: string, create: CreateTransport): void {
  describe.each([
    ['plain', 'ws://127.0.0.1:0', false],
    ['TLS', 'wss://127.0.0.1:0', true],
  ])(`${name}: under pressure, %s`, (_, adress, secure) => {
    let site: Site;
    beforeEach(() => {
      site = new Site(create);
    });
    afterEach(() => site.close());
    const open = async (): Promise<{ peer: Socket; server: Accepted }> =>
      site.connect(await site.listen(adress), secure);
    /** The peer, the plain socket below it, and the server's side. */
    const openRaw = async (): Promise<{ peer: Socket; raw: Socket; server: Accepted }> => {
      const raw = site.track(await dial({ port: portOf(await site.listen(adress)) }));
      const peer = secure ? site.track(await dialTls(0, { socket: raw })) : raw;
      return { peer, raw, server: await site.door.take() };
    };

    describe('what is written', () => {
      test('arrives whole and in order at a peer that reads slowly, however it was written', async () => {
        const { peer, server } = await open();
        const { socket } = server;
        const bytes = pattern(6 * MIB);
        const all = pieces(bytes, 60_000);
        // One by one, then many at a time, then one large one.
        const third = Math.floor(all.length / 3);
        socket.write(all[0]);
        expect(socket.behind).toBe(false); // the kernel has it, whatever is still pending
        for (const piece of all.slice(1, third)) socket.write(piece);
        for (let at = third; at < 2 * third; at += 10) socket.writeAll(all.slice(at, Math.min(at + 10, 2 * third)));
        const rest = all.slice(2 * third).map((piece) => Buffer.from(piece as string, 'latin1'));
        socket.write(Buffer.concat(rest));
        expect(socket.pending).toBeGreaterThan(MIB);
        const got = readSlowly(peer);
        await server.until(({ drains }) => drains === 1);
        expect([socket.pending, socket.willDrain]).toEqual([0, false]);
        socket.end();
        expect((await got).equals(bytes)).toBe(true);
        expect([server.drains, server.finished]).toEqual([1, true]);
      });

      test('in thousands of small pieces behind a full kernel', async () => {
        const { peer, server } = await open();
        const { socket } = server;
        const head = pattern(8 * MIB, 2);
        const tail = pattern(MIB / 2, 3);
        peer.write('a round trip'); // or TLS is still writing of its handshake, and the kernel knows nothing of ours
        await server.until(({ text }) => text === 'a round trip');
        socket.write(head);
        const owed = socket.pending;
        expect([owed > 0, socket.behind]).toEqual([true, true]);
        for (const piece of pieces(tail, 100)) socket.write(piece);
        expect(socket.pending).toBe(owed + tail.length);
        socket.end();
        expect((await readSlowly(peer)).equals(Buffer.concat([head, tail]))).toBe(true);
        await server.until(({ finished }) => finished);
        expect([socket.pending, socket.behind, server.drains]).toEqual([0, false, 0]);
      });

      test('nothing at all is harmless, between full and empty buffers', async () => {
        const { peer, server } = await open();
        const { socket } = server;
        const nothing = (): void => {
          socket.write('');
          socket.write(Buffer.alloc(0));
          socket.writeAll([]);
          socket.writeAll(['', Buffer.alloc(0)]);
        };
        nothing();
        socket.write('a');
        nothing();
        await readBytes(peer, 1);
        const large = pattern(8 * MIB);
        socket.write(large);
        nothing();
        socket.end();
        expect((await readAll(peer)).equals(large)).toBe(true);
      });

      test('a string of any length leaves as its latin1 bytes', async () => {
        const { peer, server } = await open();
        const sizes = [1, 16_383, 16_384, 16_385, 70_000, 3 * MIB];
        const bytes = sizes.map((size) => pattern(size, size));
        for (const part of bytes) server.socket.write(part.toString('latin1'));
        server.socket.end();
        expect((await readAll(peer)).equals(Buffer.concat(bytes))).toBe(true);
      });

      test('onDrain may write again, each time until the kernel is full', async () => {
        const { peer, server } = await open();
        const { socket } = server;
        const block = pattern(MIB);
        const blocks = 40;
        let written = 0;
        const fill = (): void => {
          while (written < blocks && socket.pending === 0) {
            socket.write(block);
            written++;
          }
          if (written === blocks) socket.end();
        };
        server.socket.reader = Object.assign(Object.create(server) as Accepted, { onDrain: fill });
        fill();
        expect(written).toBeLessThan(blocks);
        const got = await readAll(peer);
        expect(got.length).toBe(blocks * MIB);
        for (let i = 0; i < blocks; i++) expect(got.subarray(i * MIB, (i + 1) * MIB).equals(block)).toBe(true);
      });
    });

    describe('a peer that resets', () => {
      test('while much is owed to it', async () => {
        const { raw, server } = await openRaw();
        for (let i = 0; i < 8; i++) server.socket.write(pattern(MIB));
        server.socket.write('queued');
        expect(server.socket.pending).toBeGreaterThan(0);
        raw.resetAndDestroy();
        await server.until(({ closed }) => closed !== undefined);
        expect(server.closed).toMatchObject({ code: expect.stringMatching(CODES) });
        expect([server.drains, server.finished, server.ended]).toEqual([0, false, false]);
        server.socket.write('late');
        expect([server.socket.pending, server.socket.willDrain]).toEqual([0, false]);
      });

      test('while it is idle, after it had been served: `read ECONNRESET`', async () => {
        const { peer, raw, server } = await openRaw();
        server.socket.write('served');
        await readBytes(peer, 6);
        raw.resetAndDestroy();
        await server.until(({ closed }) => closed !== undefined);
        expect(server.closed).toMatchObject({ message: 'read ECONNRESET', code: 'ECONNRESET', syscall: 'read' });
        expect((server.closed as NodeJS.ErrnoException).errno).toBeLessThan(0);
      });

      test('while nothing is read from it: at the latest when reading goes on', async () => {
        const { peer, raw, server } = await openRaw();
        server.socket.pause();
        server.socket.write('paused');
        await readBytes(peer, 6);
        raw.resetAndDestroy();
        await once(raw, 'close');
        server.socket.resume();
        await server.until(({ closed }) => closed !== undefined);
        expect(server.closed).toMatchObject({ code: 'ECONNRESET' });
        expect(server.chunks).toEqual([]);
      });

      test('after our FIN', async () => {
        const { peer, raw, server } = await openRaw();
        server.socket.end();
        await readAll(peer);
        raw.resetAndDestroy();
        await server.until(({ closed }) => closed !== undefined);
        expect([server.finished, server.ended]).toEqual([true, false]);
      });
    });

    describe('a reader that acts while it is called', () => {
      test('destroys: no more bytes, and onClose when it has returned', async () => {
        const { peer, server } = await open();
        let during: unknown;
        server.onChunk = () => {
          server.socket.destroy();
          during = server.closed;
          server.socket.destroy();
        };
        peer.write(pattern(MIB));
        await server.until(({ closed }) => closed !== undefined);
        expect([during, server.closed, server.chunks.length, server.ended]).toEqual([undefined, null, 1, false]);
      });

      test('destroys in onEnd, onDrain and onFinish', async () => {
        const listener = await site.listen(adress);
        for (const callback of ['onEnd', 'onDrain', 'onFinish'] as const) {
          // oxlint-disable-next-line no-await-in-loop
          const { peer, server } = await site.connect(listener, secure);
          const { socket } = server;
          let calls = 0;
          const acting = {
            [callback]: () => {
              calls++;
              socket.destroy();
            },
          };
          socket.reader = Object.assign(Object.create(server) as Accepted, acting);
          peer.resume();
          if (callback === 'onEnd') peer.end();
          else for (let i = 0; i < 8; i++) socket.write(pattern(MIB));
          if (callback === 'onFinish') socket.end();
          // The reader inherits from `server`: what it is told is written to itself.
          // oxlint-disable-next-line no-await-in-loop
          await (socket.reader as Accepted).until(({ closed }) => closed !== undefined);
          expect([callback, calls, (socket.reader as Accepted).closed]).toEqual([callback, 1, null]);
        }
      });

      test('pauses: nothing more until it resumes, however much the peer sends', async () => {
        const { peer, server } = await open();
        const bytes = pattern(8 * MIB);
        let lengths = 0;
        server.onChunk = (chunk) => {
          lengths += chunk.length;
          server.socket.pause();
        };
        peer.write(bytes);
        await server.until(({ chunks }) => chunks.length === 1);
        // A round trip: who reads on does it before this.
        server.socket.write('paused');
        await readBytes(peer, 6);
        expect([server.chunks.length, lengths < MIB]).toEqual([1, true]);
        server.onChunk = () => {};
        server.socket.resume();
        await server.until((self) => self.bytes.length === bytes.length);
        expect(server.bytes.equals(bytes)).toBe(true);
      });

      test('pauses and resumes at once: it goes on', async () => {
        const { peer, server } = await open();
        server.onChunk = () => {
          server.socket.pause();
          server.socket.resume();
          server.socket.resume();
        };
        const bytes = pattern(2 * MIB);
        peer.end(bytes);
        await server.until(({ ended }) => ended);
        expect(server.bytes.equals(bytes)).toBe(true);
      });

      test('ends: the rest is read all the same', async () => {
        const { peer, server } = await open();
        server.onChunk = () => server.socket.end();
        peer.write('first');
        await readAll(peer);
        peer.end('last');
        await server.until(({ closed }) => closed !== undefined);
        expect([server.text, server.closed]).toEqual(['firstlast', null]);
      });
    });

    describe('paused', () => pausing(secure, open, (stream) => site.track(stream)));

    test('two who send at the same time do not get into each other’s bytes', async () => {
      const listener = await site.listen(adress);
      const both = [await site.connect(listener, secure), await site.connect(listener, secure)];
      const sent = both.map((__, i) => pattern(2 * MIB, i + 10));
      for (let at = 0; at < 2 * MIB; at += 10_000) {
        for (const [i, { peer }] of both.entries()) peer.write(sent[i].subarray(at, at + 10_000));
      }
      await Promise.all(both.map(({ server }) => server.until((self) => self.bytes.length === 2 * MIB)));
      expect(both.map(({ server }, i) => server.bytes.equals(sent[i]))).toEqual([true, true]);
    });

    describe('a stream given away', () => {
      test('by onBytes, with the chunk itself as its head', async () => {
        const { peer, server } = await open();
        let stream: Socket | undefined;
        server.onChunk = (chunk) => {
          stream = site.track(server.socket.detach(chunk));
        };
        peer.write('GET / ');
        await server.until(() => stream !== undefined);
        peer.end('HTTP/1.1');
        stream?.resume();
        expect((await readAll(stream as Socket)).toString()).toBe('GET / HTTP/1.1');
        stream?.end('answer');
        expect((await readAll(peer)).toString()).toBe('answer');
        await server.until(({ closed }) => closed !== undefined);
        expect([server.closed, server.chunks.length, server.ended]).toEqual([null, 1, false]);
      });

      test('comes behind what was written before, and may be slow itself', async () => {
        const { peer, server } = await open();
        const { socket } = server;
        const before = pattern(8 * MIB, 5);
        for (const piece of pieces(before, 300_000)) socket.write(piece);
        const stream = site.track(socket.detach(Buffer.from('head')));
        const after = pattern(MIB, 6);
        stream.end(after);
        socket.write('ignored by now, or an answer would be spoilt');
        socket.end();
        expect((await readSlowly(peer)).equals(Buffer.concat([before, after]))).toBe(true);
        peer.end(after);
        stream.resume();
        expect((await readSlowly(stream)).equals(Buffer.concat([Buffer.from('head'), after]))).toBe(true);
      });

      test('can be paused while MiBs come: they wait in the kernel', async () => {
        const { peer, server } = await open();
        const stream = site.track(server.socket.detach(Buffer.alloc(0)));
        const bytes = pattern(16 * MIB, 7);
        let written = false;
        peer.end(bytes, () => {
          written = true;
        });
        stream.write('paused');
        await readBytes(peer, 6);
        expect([written, stream.readableLength < MIB]).toEqual([false, true]);
        stream.resume();
        expect((await readSlowly(stream)).equals(bytes)).toBe(true);
      });

      test('is waited for by close() of the listener, until it is gone', async () => {
        const listener = await site.listen(adress);
        const { peer, server } = await site.connect(listener, secure);
        const stream = site.track(server.socket.detach(Buffer.alloc(0)));
        let closed = false;
        const closing = listener.close().then(() => {
          closed = true;
        });
        stream.resume();
        stream.write('still here');
        await readBytes(peer, 10);
        expect(closed).toBe(false);
        stream.destroy();
        await closing;
        await server.until(({ closed: gone }) => gone === null);
      });
    });
  });

  describe(`${name}: under pressure, plain alone`, () => {
    let site: Site;
    beforeEach(() => {
      site = new Site(create);
    });
    afterEach(() => site.close());

    test('a peer that resets while it is only written to: an error, and no more of it', async () => {
      const listener = await site.listen('ws://127.0.0.1:0');
      const { peer, server } = await site.connect(listener, false);
      server.socket.pause();
      peer.resetAndDestroy();
      await once(peer, 'close');
      // What is on the way may still be taken by the kernel.
      const writing = setInterval(() => server.socket.write('more'), 1);
      await server.until(({ closed }) => closed !== undefined);
      clearInterval(writing);
      expect(server.closed).toMatchObject({ code: expect.stringMatching(CODES) });
      const next = await site.connect(listener, false);
      next.server.socket.write('others are served');
      expect((await readBytes(next.peer, 17)).toString()).toBe('others are served');
    });
  });
}
