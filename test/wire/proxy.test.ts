import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { readProxyHeader, type ProxyHeader, V2_MOST } from '../../src/wire/proxy.ts';
import { proxyV2, tcp4, tcp6 } from '../support/proxyheader.ts';

const read = (text: string | Buffer): ProxyHeader =>
  readProxyHeader(typeof text === 'string' ? Buffer.from(text, 'latin1') : text);

const LOOPBACK6 = '00000000000000000000000000000001';
const MAPPED = '00000000000000000000ffffc0000209';
const REST = Buffer.from('GET / HTTP/1.1\r\n\r\n');

/** Header, and whom it names. */
const GOOD: [string, Buffer, { ip: string; port: number } | null][] = [
  ['TCP4', Buffer.from('PROXY TCP4 192.0.2.9 10.0.0.1 56324 443\r\n'), { ip: '192.0.2.9', port: 56324 }],
  [
    'the longest TCP4',
    Buffer.from('PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n'),
    { ip: '255.255.255.255', port: 65535 },
  ],
  ['TCP6', Buffer.from('PROXY TCP6 2001:DB8:0:0::9 ::1 0 443\r\n'), { ip: '2001:db8::9', port: 0 }],
  ['TCP6 in IPv4', Buffer.from('PROXY TCP6 ::ffff:192.0.2.9 ::1 1 2\r\n'), { ip: '192.0.2.9', port: 1 }],
  ['UNKNOWN', Buffer.from('PROXY UNKNOWN\r\n'), null],
  ['UNKNOWN with words', Buffer.from(`PROXY UNKNOWN ${'f'.repeat(91)}\r\n`), null],
  ['v2 TCP4', proxyV2(0x21, 0x11, tcp4('192.0.2.9', 5)), { ip: '192.0.2.9', port: 5 }],
  ['v2 TCP6', proxyV2(0x21, 0x21, tcp6(LOOPBACK6, 65535)), { ip: '::1', port: 65535 }],
  ['v2 TCP6 in IPv4', proxyV2(0x21, 0x21, tcp6(MAPPED, 9)), { ip: '192.0.2.9', port: 9 }],
  [
    'v2 with TLVs',
    proxyV2(0x21, 0x11, Buffer.concat([tcp4('192.0.2.9', 5), Buffer.alloc(300, 0x41)])),
    { ip: '192.0.2.9', port: 5 },
  ],
  [
    'v2 as long as it may be',
    proxyV2(0x21, 0x11, Buffer.concat([tcp4('192.0.2.9', 5), Buffer.alloc(V2_MOST - 16 - 12)])),
    { ip: '192.0.2.9', port: 5 },
  ],
  ['v2 UNIX', proxyV2(0x21, 0x31, Buffer.alloc(216, '/run/x')), null],
  ['v2 UDP', proxyV2(0x21, 0x12, tcp4('192.0.2.9', 5)), null],
  ['v2 UNSPEC', proxyV2(0x21, 0x00, Buffer.alloc(0)), null],
  ['v2 UNSPEC with more', proxyV2(0x21, 0x00, Buffer.alloc(20)), null],
  ['v2 LOCAL', proxyV2(0x20, 0x00, Buffer.alloc(0)), null],
  ['v2 LOCAL, of a family', proxyV2(0x20, 0x11, tcp4('127.0.0.1', 5)), null],
  ['v2 LOCAL, of a family that nobody knows', proxyV2(0x20, 0xff, Buffer.alloc(3)), null],
];

const V1_FORM = 'its line is not PROXY TCP4|TCP6 ADDRESS ADDRESS PORT PORT';
const BAD: [string | Buffer, string][] = [
  ['GET / HTTP/1.1\r\n', 'there is none'],
  ['\x16\x03\x01\x02\x00', 'there is none'],
  ['proxy TCP4 192.0.2.9 10.0.0.1 1 2\r\n', 'there is none'],
  ['PROXYTCP4', 'there is none'],
  ['\r\n\r\n\0\r\nQUITE', 'there is none'],
  ['PROXY TCP4 192.0.2.9 10.0.0.1 1 2\n', 'its line does not end with CR LF'],
  [`PROXY UNKNOWN ${'f'.repeat(92)}\r\n`, 'its line is longer than 107 bytes'],
  ['PROXY UNKNOWNS\r\n', V1_FORM],
  ['PROXY \r\n', V1_FORM],
  ['PROXY TCP4\r\n', V1_FORM],
  ['PROXY  TCP4 192.0.2.9 10.0.0.1 1 2\r\n', V1_FORM],
  ['PROXY TCP4 192.0.2.9 10.0.0.1 1 2 \r\n', V1_FORM],
  ['PROXY TCP4 192.0.2.9 10.0.0.1 01 2\r\n', V1_FORM],
  ['PROXY TCP4 192.0.2.9 10.0.0.1 -1 2\r\n', V1_FORM],
  ['PROXY TCP4 192.0.2.9 10.0.0.1 1\r\n', V1_FORM],
  ['PROXY UDP4 192.0.2.9 10.0.0.1 1 2\r\n', V1_FORM],
  ['PROXY TCP4 192.0.2.9 10.0.0.1 65536 2\r\n', 'its line holds a port above 65535'],
  ['PROXY TCP4 192.0.2.9 10.0.0.1 1 99999\r\n', 'its line holds a port above 65535'],
  ...['::1', '127.1', '0177.0.0.1', '0x7f.0.0.1', '2130706433', '192.0.2.256', 'localhost', '192.0.2.9,127.0.0.1'].map(
    (ip): [string, string] => [`PROXY TCP4 ${ip} 10.0.0.1 1 2\r\n`, 'its line holds what is no address of TCP4'],
  ),
  ...['192.0.2.9', 'fe80::1%eth0', '1::2::3', '[::1]', ':'].map((ip): [string, string] => [
    `PROXY TCP6 ${ip} ::1 1 2\r\n`,
    'its line holds what is no address of TCP6',
  ]),
  ['PROXY TCP4 192.0.2.9 nowhere 1 2\r\n', 'its line holds what is no address of TCP4'],
  [proxyV2(0x11, 0x11, tcp4('192.0.2.9', 5)), 'its version and command are 0x11'],
  [proxyV2(0x22, 0x11, tcp4('192.0.2.9', 5)), 'its version and command are 0x22'],
  [proxyV2(0x21, 0x10, tcp4('192.0.2.9', 5)), 'its address family and protocol are 0x10'],
  [proxyV2(0x21, 0x41, tcp4('192.0.2.9', 5)), 'its address family and protocol are 0x41'],
  [proxyV2(0x21, 0x11, Buffer.alloc(11)), 'it is too short for its addresses'],
  [proxyV2(0x21, 0x21, tcp4('192.0.2.9', 5)), 'it is too short for its addresses'],
  [proxyV2(0x21, 0x31, Buffer.alloc(215)), 'it is too short for its addresses'],
  [proxyV2(0x21, 0x11, Buffer.alloc(V2_MOST - 15)), `it is longer than ${V2_MOST} bytes`],
  [proxyV2(0x20, 0x00, Buffer.alloc(65_535)), `it is longer than ${V2_MOST} bytes`],
];

describe('readProxyHeader', () => {
  test.each(GOOD)('%s', (_, header, client) => {
    const expected = { type: 'read', length: header.length, client };
    expect(read(header)).toEqual(expected);
    expect(read(Buffer.concat([header, REST]))).toEqual(expected);
    for (let length = 0; length < header.length; length++) {
      expect(read(header.subarray(0, length))).toEqual({ type: 'more' });
    }
  });

  test.each(BAD)('%j: %s', (header, why) => {
    expect(read(header)).toEqual({ type: 'malformed', why });
    expect(read(Buffer.concat([Buffer.from(header as string, 'latin1'), REST]))).toEqual({ type: 'malformed', why });
  });
});

describe('whatever comes', () => {
  const good = fc.constantFrom(...GOOD.map(([, header]) => Buffer.concat([header, REST])));
  const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 });
  const mutated = fc.tuple(good, changes).map(([bytes, list]) => {
    const copy = Buffer.from(bytes);
    for (const [at, byte] of list) copy[at % copy.length] = byte;
    return copy;
  });
  const any = fc.oneof(
    mutated,
    mutated,
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  );

  test('it is the same in whatever pieces; an error never, nor a wait beyond the longest header', () => {
    fc.assert(
      fc.property(any, fc.nat(), (bytes, cut) => {
        const whole = readProxyHeader(bytes);
        const part = readProxyHeader(bytes.subarray(0, cut % (bytes.length + 1)));
        if (part.type !== 'more') expect(part).toEqual(whole);
        if (whole.type === 'read') expect(whole.length).toBeLessThanOrEqual(Math.min(bytes.length, V2_MOST));
        if (whole.type === 'more') expect(bytes.length).toBeLessThan(V2_MOST);
        // Who is waited for has kept to one of the two so far.
        if (whole.type === 'more' && bytes.length > 107) expect(bytes[0]).toBe(13);
      }),
      { numRuns: 3000 },
    );
  });

  test('a client that is named has an address that others would name the same way', () => {
    fc.assert(
      fc.property(any, (bytes) => {
        const header = readProxyHeader(bytes);
        if (header.type !== 'read' || header.client === null) return;
        const { ip, port } = header.client;
        const family = ip.includes(':') ? 'TCP6' : 'TCP4';
        const again = read(`PROXY ${family} ${ip} ${ip} ${port} 1\r\n`);
        expect(again).toMatchObject({ type: 'read', client: { ip, port } });
      }),
      { numRuns: 1000 },
    );
  });
});
