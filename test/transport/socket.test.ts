import { describe, expect, test } from '@jest/globals';
import { peerAddress } from '../../src/transport/socket.ts';

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
