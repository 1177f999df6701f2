import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { readOpening } from '../../src/connection/opening.ts';

const MAX = 200;
const read = (text: string | Buffer): ReturnType<typeof readOpening> =>
  readOpening(typeof text === 'string' ? Buffer.from(text, 'latin1') : text, MAX);

const HEAD = 'GET /chat HTTP/1.1\r\nHost: x\r\n\r\n';

describe('readOpening', () => {
  test.each([
    ['GET /php\n', '/php', undefined],
    ['GET /php\r\n', '/php', undefined],
    ['/php\n', '/php', undefined],
    ['get /php?ident=x\n', '/php?ident=x', undefined],
    ['GET / Bearer s3cret\n', '/', 's3cret'],
    ['/php bearer s3cret\r\n', '/php', 's3cret'],
    ['GET /\n', '/', undefined],
  ])('%j is a line client', (line, target, key) => {
    const opening = { type: 'line', target, key, length: line.length };
    expect(read(line)).toEqual(opening);
    expect(read(`${line}{"opcode":"quit"}\n`)).toEqual(opening);
  });

  test('a path in UTF-8', () => {
    const bytes = Buffer.from('GET /größe\n');
    expect(read(bytes)).toEqual({ type: 'line', target: '/größe', key: undefined, length: bytes.length });
  });

  test.each([HEAD, 'GET / HTTP/1.1\nHost: x\n\n', 'POST /x HTTP/1.0\r\n\r\n', 'WHAT IS HTTP/9.9\n\n'])(
    '%j is a request head',
    (text) => {
      const opening = { type: 'head', text, length: text.length };
      expect(read(text)).toEqual(opening);
      expect(read(`${text}\x81\x80more\r\n\r\n`)).toEqual(opening);
    },
  );

  test.each([HEAD, 'GET / HTTP/1.1\nHost: x\n\n', 'GET /php\r\n', '/php Bearer key\n', 'WHAT\n', '\n'])(
    'no proper prefix of %j decides anything',
    (text) => {
      for (let end = 0; end < text.length; end++)
        expect([end, read(text.slice(0, end))]).toEqual([end, { type: 'more' }]);
      expect(read(text).type).not.toBe('more');
    },
  );

  test('a TLS hello is known by its first byte', () => {
    expect(read(Buffer.from([0x16]))).toEqual({ type: 'tls' });
    expect(read(Buffer.from([0x16, 3, 1, 2, 0, 10]))).toEqual({ type: 'tls' });
  });

  test.each([
    '\n',
    '\r\n',
    'hello\n',
    'GET php\n',
    'GET /a b\n',
    ' /php\n',
    'POST /php\n',
    'GET /x Bearer\n',
    '\0\n',
    '{}\n',
  ])('%j is nothing that is served: a line is owed', (text) => {
    expect(read(text)).toEqual({
      type: 'refused',
      http: false,
      refusal: { status: 400, text: 'the first line is neither GET /path nor an HTTP request' },
    });
  });

  test('a first line of exactly maxHead bytes is read, a longer one refused with 414, complete or not', () => {
    const line = `GET /${'x'.repeat(MAX - 5)}`;
    expect(read(line).type).toBe('more');
    expect(read(`${line}\n`).type).toBe('line');
    const refused = {
      type: 'refused',
      http: true,
      refusal: { status: 414, text: 'the first line is longer than 200 bytes' },
    };
    expect(read(`${line}x`)).toEqual(refused);
    expect(read(`${line}x\n`)).toEqual(refused);
  });

  test('a head of exactly maxHead bytes is read, a longer one refused with 431, complete or not', () => {
    const rest = MAX - 'GET / HTTP/1.1\r\nA: \r\n\r\n'.length;
    const head = `GET / HTTP/1.1\r\nA: ${'x'.repeat(rest)}\r\n\r\n`;
    expect(read(head).type).toBe('head');
    expect(read(`${head}${'body'.repeat(100)}`).type).toBe('head');
    const refused = {
      type: 'refused',
      http: true,
      refusal: { status: 431, text: 'the request head is longer than 200 bytes' },
    };
    expect(read(head.replace('A: ', 'A: x'))).toEqual(refused);
    expect(read(`GET / HTTP/1.1\r\nA: ${'x'.repeat(MAX)}`)).toEqual(refused);
  });

  test('PROPERTY: any bytes are judged, and never more are asked for than maxHead', () => {
    const byte = fc.constantFrom(...Buffer.from('GET / HTTP/1.1\r\n\r\n\nabc: \x16\x00\xff', 'latin1'));
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 2 * MAX }), (bytes) => {
        const opening = read(Buffer.from(bytes));
        if (bytes.length > MAX) expect(opening.type).not.toBe('more');
        if (opening.type === 'line' || opening.type === 'head') expect(opening.length).toBeLessThanOrEqual(MAX + 1);
      }),
      { numRuns: 500 },
    );
  });
});
