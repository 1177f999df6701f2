import type { Socket } from 'node:net';
import { expect, test } from '@jest/globals';
import { type Accepted, readAll, readBytes } from './peers.ts';

/** Both ends of a connection. */
interface Pair {
  peer: Socket;
  server: Accepted;
}

/**
 * What every implementation of Transport must do while its reader has paused it: the kernel keeps what comes. Kept here, each read costs many times its bytes.
 * @param open makes a connection. @param track takes a stream that is cut off when the test has ended.
 */
export function pausing(secure: boolean, open: () => Promise<Pair>, track: (stream: Socket) => Socket): void {
  /** A hundred bytes have come to it, one by one. */
  const pausedAndSentTo = async (): Promise<Pair> => {
    const { peer, server } = await open();
    peer.write('first');
    await server.until(({ text }) => text === 'first');
    server.socket.pause();
    for (let i = 0; i < 100; i++) {
      peer.write('x');
      // A round trip: who reads on does it before this.
      server.socket.write('y');
      // oxlint-disable-next-line no-await-in-loop -- one byte after the other
      await readBytes(peer, 1);
    }
    expect(server.text).toBe('first');
    return { peer, server };
  };

  test('it reads on with what came byte by byte', async () => {
    const { peer, server } = await pausedAndSentTo();
    server.socket.resume();
    await server.until(({ bytes }) => bytes.length === 105);
    // OpenSSL gives each record by itself.
    if (!secure) expect(server.chunks.map(({ length }) => length)).toEqual([5, 100]);
    peer.end('last');
    await server.until(({ ended }) => ended);
    expect(server.text).toBe(`first${'x'.repeat(100)}last`);
  });

  test('its stream is given away, and reads on', async () => {
    const { peer, server } = await pausedAndSentTo();
    const stream = track(server.socket.detach(Buffer.from('head')));
    expect(stream.readableLength).toBe(4);
    peer.end('last');
    stream.resume();
    expect((await readAll(stream)).toString()).toBe(`head${'x'.repeat(100)}last`);
  });

  test('the FIN waits, too', async () => {
    const { peer, server } = await open();
    server.socket.pause();
    peer.end('last');
    server.socket.write('paused');
    await readBytes(peer, 6);
    expect([server.text, server.ended]).toEqual(['', false]);
    server.socket.resume();
    await server.until(({ ended }) => ended);
    expect(server.text).toBe('last');
    server.socket.resume();
    server.socket.end();
    await server.until(({ closed }) => closed !== undefined);
    expect(server.closed).toBeNull();
  });
}
