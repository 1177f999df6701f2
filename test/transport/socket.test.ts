import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createServer } from 'node:tls';
import { afterAll, describe, expect, test } from '@jest/globals';
import { NOBODY, peerAddress, StreamSocket } from '../../src/transport/socket.ts';
import { makeCertificate } from '../support/certificate.ts';

const dir = mkdtempSync(join(tmpdir(), 'websock-socket-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe('peerAddress', () => {
  test.each([
    ['127.0.0.1', '127.0.0.1'],
    ['::1', '::1'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['::ffff:c000:207', '::ffff:c000:207'],
    ['fe80::1%eth0', 'fe80::1%eth0'],
  ])('%s is %s', (remote, ip) => {
    expect(peerAddress(remote, false)).toBe(ip);
  });

  test('a peer that has gone has none: it is not taken for one on a Unix socket, which is trusted', () => {
    expect([peerAddress(undefined, false), peerAddress('', false)]).toEqual([null, null]);
    expect([peerAddress(undefined, true), peerAddress('', true)]).toEqual(['unix', 'unix']);
  });
});

describe('StreamSocket', () => {
  // One read of the kernel's bytes may hold more records than a stream takes: then Node stops its handle as well.
  test('who is paused in the middle of a read that fills the stream reads on', async () => {
    const { certFile, pkFile } = makeCertificate(dir, { name: 'a', hosts: ['localhost'] });
    const piece = Buffer.alloc(8000, 'x');
    const total = 1000 * piece.length;
    let bytes = 0;
    const server = createServer({ cert: readFileSync(certFile), key: readFileSync(pkFile) });
    const done = new Promise<string>((resolve) => {
      server.on('secureConnection', (stream) => {
        const socket = new StreamSocket(stream, '127.0.0.1', true, { name: '', loopback: true });
        socket.reader = {
          ...NOBODY,
          onBytes(chunk) {
            bytes += chunk.length;
            if (bytes === total) resolve('all of it');
            socket.pause();
            setImmediate(() => socket.resume());
          },
          onClose: (error) => resolve(`closed after ${bytes} bytes: ${error?.message}`),
        };
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const peer = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
    peer.on('error', () => {}); // that it is cut off is seen above
    await once(peer, 'secureConnect');
    // Of one large write each read would get a single record.
    for (let i = 0; i < 1000; i++) peer.write(piece);
    const how = await done;
    peer.destroy();
    server.close();
    expect(how).toBe('all of it');
  });
});
