import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { type PhpValue, readSession, SerializationError } from '../../src/auth/unserialize.ts';

/** What PHP's serialize() makes of a value, in bytes as latin1. */
function serialize(value: PhpValue): string {
  if (value === null) return 'N;';
  if (typeof value === 'boolean') return `b:${Number(value)};`;
  if (typeof value === 'number') return Number.isSafeInteger(value) ? `i:${value};` : `d:${floatText(value)};`;
  if (typeof value === 'string') return `${text(value)};`;
  const isList = Array.isArray(value);
  const entries = Object.entries(value).map(([key, one]) => `${isList ? `i:${key}` : text(key)};${serialize(one)}`);
  return `a:${entries.length}:{${entries.join('')}}`;
}

function text(value: string): string {
  const bytes = Buffer.from(value);
  return `s:${bytes.length}:"${bytes.toString('latin1')}"`;
}

function floatText(value: number): string {
  return String(value).replace('Infinity', 'INF').replace('NaN', 'NAN').toUpperCase();
}

/** A value as the reader gives it: objects without a prototype, and with what is an array in PHP where it is empty. */
function asRead(value: PhpValue): PhpValue {
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(asRead);
  const entries = Object.entries(value);
  if (entries.length === 0) return [];
  const read: Record<string, PhpValue> = Object.create(null);
  for (const [key, one] of entries) read[key] = asRead(one);
  return read;
}

const bytes = (latin1: string): Buffer => Buffer.from(latin1, 'latin1');
const one = (value: string): PhpValue => readSession(bytes(`x|${value}`), 'php').x;

// Keys that are no numbers: PHP would make integers of them. And no zero that is negative, which is no integer of PHP.
const key = fc.string({ unit: 'binary', maxLength: 8 }).filter((name) => !/^-?\d+$/.test(name));
const { value: php } = fc.letrec<{ value: PhpValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    fc.string({ unit: 'binary', maxLength: 20 }),
    fc.maxSafeInteger().map((n) => n + 0),
    fc.double().filter((n) => !Number.isInteger(n)),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(key, tie('value'), { maxKeys: 4, noNullPrototype: true }),
    fc.dictionary(fc.constantFrom('__proto__', 'constructor', 'toString'), tie('value'), { maxKeys: 2 }),
  ),
}));

describe('a session', () => {
  test('says what was written, in both ways of PHP', () => {
    fc.assert(
      fc.property(fc.dictionary(key, php, { maxKeys: 4 }), (session) => {
        const names = Object.entries(session).filter(([name]) => !name.includes('|'));
        const separate = names
          .map(([name, value]) => `${Buffer.from(name).toString('latin1')}|${serialize(value)}`)
          .join('');
        const read: Record<string, PhpValue> = Object.create(null);
        for (const [name, value] of names) read[name] = asRead(value);
        expect(readSession(bytes(separate), 'php')).toEqual(read);
        const whole: Record<string, PhpValue> = Object.create(null);
        for (const [name, value] of Object.entries(session)) whole[name] = asRead(value);
        expect(readSession(bytes(serialize(session)), 'php_serialize')).toEqual(whole);
      }),
    );
  });

  test('of no bytes has nothing in it', () => {
    expect(Object.keys(readSession(bytes(''), 'php'))).toEqual([]);
    expect(Object.keys(readSession(bytes(''), 'php_serialize'))).toEqual([]);
    expect(Object.keys(readSession(bytes('a:0:{}'), 'php_serialize'))).toEqual([]);
  });

  test('of the other serializer is refused: what one writes as text must not become a key', () => {
    const forged = 'a:1:{s:4:"name";s:22:"x|b:1;user|s:1:"1";}xx";}';
    expect(readSession(bytes(forged), 'php_serialize')).toEqual({ name: 'x|b:1;user|s:1:"1";}xx' });
    expect(() => readSession(bytes(forged), 'php')).toThrow(SerializationError);
    expect(() => readSession(bytes('user|b:1;'), 'php_serialize')).toThrow(SerializationError);
    expect(() => readSession(bytes('s:4:"user";'), 'php_serialize')).toThrow('it is no array');
    expect(() => readSession(bytes('a:0:{}user|b:1;'), 'php_serialize')).toThrow('there is more behind the value');
  });
});

describe('a value', () => {
  test.each<[string, PhpValue]>([
    ['i:9223372036854775807;', '9223372036854775807'],
    ['i:-7;', -7],
    ['d:1.0E+25;', 1e25],
    ['d:.5;', 0.5],
    ['d:-INF;', -Infinity],
    ['s:2:"ü";', 'ü'],
    ['E:11:"Suit:Hearts";', 'Suit:Hearts'],
    ['a:2:{i:1;s:1:"a";i:0;s:1:"b";}', { 0: 'b', 1: 'a' }],
    ['a:2:{i:0;i:5;i:1;R:2;}', [5, 5]],
    ['a:2:{i:0;i:5;i:1;r:9;}', [5, null]],
    ['O:1:"A":2:{s:4:"\0A\0x";i:1;s:4:"\0*\0y";i:2;}', { x: 1, y: 2 }],
    ['O:1:"A":1:{s:4:"self";r:1;}', { self: null }],
    ['C:11:"ArrayObject":3:{}";}', {}],
    ['a:3:{i:0;C:1:"A":0:{}i:1;i:7;i:2;R:3;}', [{}, 7, null]],
  ])('%s', (written, value) => {
    expect(one(Buffer.from(written).toString('latin1'))).toEqual(value);
  });

  test.each([
    'i:1',
    'i:1.5;',
    'i: 1;',
    'd:1,5;',
    'd:Infinity;',
    'b:2;',
    's:3:"ab";',
    's:1:"ab";',
    's:-1:"";',
    's:99999999999999999999999999999999999:"";',
    's:1e1:"0123456789";',
    'a:1:{}',
    'a:0:{i:0;N;}',
    'a:-1:{}',
    'a:1:{N;N;}',
    'a:1:{b:1;N;}',
    'a:1000000000:{i:0;N;}',
    'R:x;',
    'S:1:"a";',
    'x:1;',
    'O:1:"A":1:{i:0;N;',
    'C:1:"A":9:{}',
    '',
  ])('%s is none', (written) => {
    expect(() => one(written)).toThrow(SerializationError);
  });

  test('that is no UTF-8 is taken byte by byte', () => {
    expect(one('s:2:"\u00ff\u0000";')).toBe('ÿ\0');
  });

  test('is nested 64 deep at most', () => {
    const nested = (depth: number): string => `${'a:1:{i:0;'.repeat(depth)}N;${'}'.repeat(depth)}`;
    expect(JSON.stringify(one(nested(64)))).toBe(`${'['.repeat(64)}null${']'.repeat(64)}`);
    expect(() => one(nested(65))).toThrow('more than 64 arrays or objects');
    expect(() => one('a:1:{i:0;'.repeat(20_000))).toThrow(SerializationError);
    expect(() => one('O:1:"A":1:{i:0;'.repeat(20_000))).toThrow(SerializationError);
  });

  test('of the key __proto__ is a value as any other', () => {
    const array = one('a:1:{s:9:"__proto__";a:1:{s:5:"admin";b:1;}}') as Record<string, PhpValue>;
    expect(Object.keys(array)).toEqual(['__proto__']);
    expect(array.admin).toBeUndefined();
    const session = readSession(bytes('__proto__|a:1:{s:5:"admin";b:1;}'), 'php');
    expect([Object.keys(session), session.admin, ({} as { admin?: unknown }).admin]).toEqual([
      ['__proto__'],
      undefined,
      undefined,
    ]);
  });
});

describe('whatever the bytes are', () => {
  const piece = fc.constantFrom(
    ...Array.from('abiNsOCERr:;"{}|01239-.'),
    'a:2:{',
    's:1:"x";',
    'i:0;',
    'O:1:"A":1:{',
    'R:1;',
    'x|',
  );
  const some = fc.oneof(
    fc.uint8Array({ maxLength: 60 }).map((a) => Buffer.from(a)),
    fc.array(piece).map((a) => bytes(a.join(''))),
  );

  test('they are read to their end, or refused with words', () => {
    fc.assert(
      fc.property(some, fc.constantFrom('php', 'php_serialize'), (given, serializer) => {
        let read: unknown;
        try {
          read = readSession(given, serializer);
        } catch (error) {
          expect(error).toBeInstanceOf(SerializationError);
          return;
        }
        expect(Object.getPrototypeOf(read)).toBeNull();
        JSON.stringify(read); // nothing in it holds itself
      }),
      { numRuns: 2000 },
    );
  });

  test('a change of one byte in a session is read or refused, and never takes long', () => {
    const whole = bytes(`user|${serialize({ id: 5, list: [1, 2, { a: 'b' }], text: 'ü' })}o|O:1:"A":1:{s:1:"x";R:1;}`);
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), (at, byte) => {
        const changed = Buffer.from(whole);
        changed[at] = byte;
        try {
          readSession(changed, 'php');
        } catch (error) {
          expect(error).toBeInstanceOf(SerializationError);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
