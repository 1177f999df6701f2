import { describe, expect, test } from '@jest/globals';
import { closeFrame, controlFrame, dataHeader, OP } from '../../src/wire/frame.ts';
import { hex } from '../support/frames.ts';

const bytesOf = (latin1: string): Buffer => Buffer.from(latin1, 'latin1');
// oxlint-disable-next-line no-control-regex
const isLatin1 = (text: string): boolean => /^[\u0000-\u00ff]*$/.test(text);

describe('data headers, as hex', () => {
  test.each([
    [0, false, '81 00'],
    [5, false, '81 05'],
    [5, true, '82 05'],
    [125, false, '81 7d'],
    [126, false, '81 7e 007e'],
    [126, true, '82 7e 007e'],
    [256, true, '82 7e 0100'],
    [65535, false, '81 7e ffff'],
    [65536, false, '81 7f 0000000000010000'],
    [65536, true, '82 7f 0000000000010000'],
    [0xffffffff, true, '82 7f 00000000ffffffff'],
    [0x1_0000_0000, true, '82 7f 0000000100000000'],
    [0x1234_5678_9abc, true, '82 7f 0000123456789abc'],
  ])('%d bytes, binary: %s', (length, binary, expected) => {
    const header = dataHeader(length, binary);
    expect(isLatin1(header)).toBe(true);
    expect(bytesOf(header).toString('hex')).toBe(hex(expected).toString('hex'));
  });

  test('the examples of RFC 6455 §5.7', () => {
    expect(bytesOf(`${dataHeader(5, false)}Hello`)).toEqual(hex('81 05 48656c6c6f'));
    expect(bytesOf(controlFrame(OP.PING, Buffer.from('Hello')))).toEqual(hex('89 05 48656c6c6f'));
  });
});

describe('control frames', () => {
  test('carry any bytes, as latin1', () => {
    const payload = Buffer.from(Array.from({ length: 125 }, (_, i) => 255 - i));
    expect(bytesOf(controlFrame(OP.PONG, payload))).toEqual(Buffer.concat([hex('8a 7d'), payload]));
    expect(bytesOf(controlFrame(OP.PONG, Buffer.alloc(0)))).toEqual(hex('8a 00'));
  });

  test('never carry more than 125 bytes', () => {
    expect(bytesOf(controlFrame(OP.PING, Buffer.alloc(126, 'x')))).toEqual(bytesOf(`\x89\x7d${'x'.repeat(125)}`));
  });
});

describe('Close frames', () => {
  test('with a code, a reason, and neither', () => {
    expect(bytesOf(closeFrame(1005, 'ignored'))).toEqual(hex('88 00'));
    expect(bytesOf(closeFrame(1000, ''))).toEqual(hex('88 02 03e8'));
    expect(bytesOf(closeFrame(4404, 'ä'))).toEqual(hex('88 04 1134 c3a4'));
  });

  test.each([
    ['123 bytes fit', 'x'.repeat(123), 'x'.repeat(123)],
    ['124 do not', 'x'.repeat(124), 'x'.repeat(123)],
    ['a character of two bytes across the border', `${'x'.repeat(122)}ä`, 'x'.repeat(122)],
    ['one that ends at the border', `${'x'.repeat(121)}ä!`, `${'x'.repeat(121)}ä`],
    ['three bytes', `${'x'.repeat(121)}€€`, 'x'.repeat(121)],
    ['four bytes, one of them inside', `${'x'.repeat(122)}🙂`, 'x'.repeat(122)],
    ['four bytes, three of them inside', `${'x'.repeat(120)}🙂`, 'x'.repeat(120)],
    ['only long characters', '🙂'.repeat(40), '🙂'.repeat(30)],
  ])('the reason is cut at a character: %s', (_, reason, cut) => {
    const frame = bytesOf(closeFrame(1011, reason));
    expect(frame[1]).toBe(frame.length - 2);
    expect(frame[1]).toBeLessThanOrEqual(125);
    expect(frame.subarray(4).toString()).toBe(cut);
  });
});
