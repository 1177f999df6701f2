import { expect, test } from '@jest/globals';
import { networkOf } from '../../src/wire/ip.ts';

test.each([
  ['192.0.2.7', '192.0.2.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['::1', '::1'],
  ['fe80::1', 'fe80::1'],
  ['fe80::1%eth0', 'fe80::1%eth0'],
  ['unix', 'unix'],
  ['unknown', 'unknown'],
  ['no:address', 'no:address'],
])('the network of %s is %s', (ip, network) => {
  expect(networkOf(ip)).toBe(network);
});
