import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { readForwarded, readXForwardedFor, rightMost } from '../../src/wire/forwarded.ts';

describe('readXForwardedFor', () => {
  test.each([
    ['192.0.2.9', '192.0.2.9'],
    [' \t192.0.2.9 ', '192.0.2.9'],
    ['192.0.2.9:5555', '192.0.2.9'],
    ['2001:DB8:0:0::9', '2001:db8::9'],
    ['[2001:db8::9]', '2001:db8::9'],
    ['[2001:db8::9]:5555', '2001:db8::9'],
    ['::ffff:192.0.2.9', '192.0.2.9'],
  ])('%j is %s', (element, ip) => {
    expect(readXForwardedFor(element)).toBe(ip);
  });

  test.each([
    '',
    ' ',
    'unknown',
    '_hidden',
    'localhost',
    '127.1',
    '2130706433',
    '0x7f000001',
    '0177.0.0.1',
    '192.0.2.256',
    '192.0.2.9:65536',
    '192.0.2.9:',
    '192.0.2.9 127.0.0.1',
    '"192.0.2.9"',
    '[192.0.2.9]',
    '[2001:db8::9',
    '2001:db8::9]:1',
    '[2001:db8::9]x',
    'fe80::1%eth0',
    'for=192.0.2.9',
  ])('%j names nobody', (element) => {
    expect(readXForwardedFor(element)).toBeNull();
  });
});

describe('readForwarded (RFC 7239)', () => {
  test.each([
    // §4 and §6, the examples
    ['for=192.0.2.60;proto=http;by=203.0.113.43', '192.0.2.60'],
    ['For="[2001:db8:cafe::17]:4711"', '2001:db8:cafe::17'],
    ['FOR="[2001:db8:cafe::17]"', '2001:db8:cafe::17'],
    [' for=192.0.2.43 ', '192.0.2.43'],
    ['for="192.0.2.43:47011"', '192.0.2.43'],
    ['for="192.0.2.43:_port"', '192.0.2.43'],
    ['proto=https ; host="example.org:443" ; for=192.0.2.43', '192.0.2.43'],
    ['for=192.0.2.43;', '192.0.2.43'],
    [';for=192.0.2.43;;proto=http', '192.0.2.43'],
    ['for="[::ffff:192.0.2.9]"', '192.0.2.9'],
  ])('%s is %s', (element, ip) => {
    expect(readForwarded(element)).toBe(ip);
  });

  test.each([
    '',
    'for=',
    'for=unknown',
    'for="unknown"',
    'for=_hidden',
    'for="_SEVKISEK:123"',
    'proto=http;by=203.0.113.43',
    '192.0.2.9',
    'for 192.0.2.9',
    'for = 192.0.2.9',
    // a colon, or brackets, stand in quotes
    'for=192.0.2.9:80',
    'for=[2001:db8::9]',
    'for="2001:db8::9"',
    'for="[192.0.2.9]"',
    'for="[fe80::1%eth0]"',
    'for="192.0.2.9',
    'for=192.0.2.9"',
    'for="192.0.2.9"x',
    'for="\\192.0.2.9"',
    'for="192.0.2.9:99999"',
    'for=127.1',
    'for=192.0.2.9;for=192.0.2.9',
    'for=192.0.2.9;FOR=127.0.0.1',
    'for=192.0.2.9;proto=http;proto=https',
    'for=192.0.2.9;host=a b',
    'for=192.0.2.9;host="a',
    'for="a;for=192.0.2.9;b="',
  ])('%j names nobody', (element) => {
    expect(readForwarded(element)).toBeNull();
  });
});

describe('rightMost', () => {
  const isProxy = (ip: string): boolean => ip.startsWith('10.');
  const xff = (value: string): string | null => rightMost(value, readXForwardedFor, isProxy);
  const forwarded = (value: string): string | null => rightMost(value, readForwarded, isProxy);

  test.each([
    ['192.0.2.9', '192.0.2.9'],
    ['127.0.0.1,192.0.2.9', '192.0.2.9'],
    ['garbage, 192.0.2.9, 10.0.0.2', '192.0.2.9'],
    ['10.0.0.3, 10.0.0.2', '10.0.0.3'],
    ['192.0.2.9, garbage, 10.0.0.2', null],
    ['192.0.2.9, , 10.0.0.2', null],
    ['192.0.2.9,', null],
    [',192.0.2.9', '192.0.2.9'],
    [',10.0.0.2', null],
    ['', null],
    [',', null],
  ])('of %j it is %s', (value, ip) => {
    expect(xff(value)).toBe(ip);
  });

  test('an open quote, sent along by the client, does not swallow what the proxy appends', () => {
    for (const sent of ['for=127.0.0.1;x="', 'for="', '"', 'for=127.0.0.1;x="\\']) {
      expect(forwarded(`${sent}, for=192.0.2.9`)).toBe('192.0.2.9');
      expect(forwarded(`${sent}, for="[2001:db8::9]:5";by="_x"`)).toBe('2001:db8::9');
    }
    // What it would look like to those who let quotes hold a comma.
    expect(forwarded('for=192.0.2.9;host=", for=127.0.0.1;x="')).toBeNull();
  });

  test('8 KiB, or a megabyte, of commas', () => {
    for (const length of [8192, 1 << 20]) {
      expect(xff(','.repeat(length))).toBeNull();
      expect(forwarded(`for=127.0.0.1${','.repeat(length)}`)).toBeNull();
      expect(xff(`${','.repeat(length)}192.0.2.9`)).toBe('192.0.2.9');
    }
    expect(xff('10.0.0.1,'.repeat(900).slice(0, -1))).toBe('10.0.0.1');
  });

  test('what stands left of a client that a proxy has named never counts; nothing throws', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary-ascii' }), (sent) => {
        expect(xff(`${sent}, 192.0.2.9, 10.0.0.2`)).toBe('192.0.2.9');
        expect(forwarded(`${sent}, for=192.0.2.9;proto=https, for="10.0.0.2:5"`)).toBe('192.0.2.9');
        for (const found of [xff(sent), forwarded(sent)]) expect(found).not.toBe('');
      }),
    );
  });
});
