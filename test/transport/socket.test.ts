import type { Socket } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import { peerAddress } from '../../src/transport/socket.ts';

const from = (remoteAddress: string | undefined): Socket => ({ remoteAddress }) as Socket;

describe('peerAddress', () => {
  test.each([
    ['127.0.0.1', '127.0.0.1'],
    ['::1', '::1'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['::ffff:c000:207', '::ffff:c000:207'],
    ['fe80::1%eth0', 'fe80::1%eth0'],
  ])('%s is %s', (remote, ip) => {
    expect(peerAddress(from(remote), false)).toBe(ip);
  });

  test('a peer that has gone has none: it is not taken for one on a Unix socket, which is trusted', () => {
    expect([peerAddress(from(undefined), false), peerAddress(from(''), false)]).toEqual([null, null]);
    expect([peerAddress(from(undefined), true), peerAddress(from(''), true)]).toEqual(['unix', 'unix']);
  });
});
