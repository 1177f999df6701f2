import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { nearest } from '../../src/config/nearest.ts';
import { BY_NAME } from '../../src/config/options.ts';
import type { Option } from '../../src/config/shapes.ts';
import { allowedText, formatSize, formatValue, parseValue } from '../../src/config/values.ts';

function row(name: string): Option {
  const option = BY_NAME.get(name);
  if (option === undefined) throw new Error(`no such row: ${name}`);
  return option;
}

describe('sizes', () => {
  test.each([
    ['1024', 1024],
    ['1KiB', 1024],
    ['64KiB', 65_536],
    ['64 KiB', 65_536],
    ['1MiB', 1_048_576],
    ['256MiB', 268_435_456],
  ])('%s', (text, value) => {
    expect(parseValue(row('limits.maxPayload'), text)).toEqual({ value });
  });

  test.each([
    '',
    '1023',
    '257MiB',
    '0',
    '1MB',
    '1M',
    '1mib',
    '1.5MiB',
    '-1KiB',
    '1e6',
    '0x400',
    ' 1KiB',
    '1KiB ',
    'NaN',
    '9'.repeat(20),
  ])('not %j', (text) => {
    expect(parseValue(row('limits.maxPayload'), text)).toEqual({ bad: text });
  });

  test('0 where it has a meaning', () => {
    expect(parseValue(row('log.maxSize'), '0')).toEqual({ value: 0 });
    expect(parseValue(row('log.maxSize'), '1023')).toEqual({ bad: '1023' });
  });

  test.each([
    [0, '0'],
    [1, '1'],
    [1025, '1025'],
    [1536, '1536'],
    [10_240, '10KiB'],
    [1_048_576, '1MiB'],
    [107_374_182_400, '100GiB'],
  ])('%d is written %s', (bytes, text) => {
    expect(formatSize(bytes)).toBe(text);
  });

  test('what is written is read as the same', () => {
    const any = {
      ...row('limits.maxPayload'),
      type: 'size',
      default: 0,
      min: 0,
      max: Number.MAX_SAFE_INTEGER,
    } as const;
    const bytes = fc.oneof(
      fc.nat(),
      fc.tuple(fc.nat(1023), fc.nat(3)).map(([n, power]) => n * 1024 ** power),
    );
    fc.assert(fc.property(bytes, (value) => expect(parseValue(any, formatValue(any, value))).toEqual({ value })));
  });
});

describe('numbers', () => {
  test.each([
    ['limits.headTimeout', '0.01', 0.01],
    ['limits.headTimeout', '2.5', 2.5],
    ['limits.headTimeout', '86400', 86_400],
    ['stop.timeout', '0', 0],
    ['limits.maxHeaders', '10', 10],
    ['limits.maxHeaders', '10000', 10_000],
    ['limits.maxFragments', '0', 0],
    ['limits.maxFragments', '1000000', 1_000_000],
    ['tcp.backlog', '65535', 65_535],
    ['stop.code', '1012', 1012],
  ])('%s %s', (name, text, value) => {
    expect(parseValue(row(name), text)).toEqual({ value });
  });

  test.each([
    ['limits.headTimeout', '0'],
    ['limits.headTimeout', '0.009'],
    ['limits.headTimeout', '86400.1'],
    ['limits.headTimeout', '5s'],
    ['limits.headTimeout', '1.'],
    ['limits.headTimeout', '.5'],
    ['limits.headTimeout', 'Infinity'],
    ['limits.maxHeaders', '9'],
    ['limits.maxHeaders', '10001'],
    ['limits.maxHeaders', '10.0'],
    ['limits.maxHeaders', ''],
    ['limits.maxChunks', '0'],
    ['log.keep', '0'],
    ['stop.code', '1000'],
    ['stop.code', '1001.0'],
  ])('not %s %j', (name, text) => {
    expect(parseValue(row(name), text)).toEqual({ bad: text });
  });
});

describe('words, lists and text', () => {
  test.each([
    ['console', 'true', true],
    ['console', 'false', false],
    ['logLevel', 'debug', 'debug'],
    ['security.webMay', '', []],
    ['security.webMay', ' quit , echo', ['quit', 'echo']],
    ['security.allowedOrigins', 'null,https://a.example:8443', ['null', 'https://a.example:8443']],
    ['backend.allowed', '10.0.0.0/8, ::1,fd00::/8,192.0.2.7', ['10.0.0.0/8', '::1', 'fd00::/8', '192.0.2.7']],
    ['logfile', '', ''],
    ['certFile', 'ä b;c', 'ä b;c'],
  ])('%s %j', (name, text, value) => {
    expect(parseValue(row(name), text)).toEqual({ value });
  });

  test.each([
    ['console', 'yes', 'yes'],
    ['console', '', ''],
    ['console', 'True', 'True'],
    ['logLevel', 'Info', 'Info'],
    ['logLevel', '', ''],
    ['security.webMay', 'echo,shout', 'shout'],
    ['security.webMay', 'echo,', ''],
    ['security.allowedOrigins', 'same,,loopback', ''],
    ['security.allowedOrigins', 'same,a\nb', 'a\nb'],
    ['backend.allowed', '10.0.0.0/33', '10.0.0.0/33'],
    ['backend.allowed', '10.0.0', '10.0.0'],
    ['backend.allowed', '10/8', '10/8'],
    ['backend.allowed', '10.0.0.256', '10.0.0.256'],
    ['backend.allowed', 'localhost', 'localhost'],
    ['backend.allowed', '::1/129', '::1/129'],
    ['backend.allowed', 'fe80::1%eth0', 'fe80::1%eth0'],
    ['backend.allowed', '1.2.3.4/8/8', '1.2.3.4/8/8'],
    ['backend.allowed', '1.2.3.4/', '1.2.3.4/'],
    ['adress', '', ''],
    ['adress', '  ', '  '],
    ['resources', '', ''],
    ['logfile', 'a\0b', 'a\0b'],
  ])('not %s %j', (name, text, bad) => {
    expect(parseValue(row(name), text)).toEqual({ bad });
  });
});

test.each([
  ['console', 'true or false'],
  ['logLevel', 'error, warn, info or debug'],
  ['stop.code', '1001 or 1012'],
  ['log.keep', '1 to 10000 files'],
  ['log.maxSize', '0 (no limit), or 1KiB to 100GiB'],
  ['limits.maxFragments', '0 (no limit), or 1 to 1000000 frames'],
  ['stop.timeout', '0 to 86400 seconds'],
  ['security.webMay', 'any of echo, broadcast, feedback, feedback-ident, ticket, quit, separated by commas'],
  ['security.allowedOrigins', 'a list separated by commas'],
  ['backend.allowed', 'addresses and ranges as in 10.0.0.0/8, separated by commas'],
  ['adress', 'text'],
  ['backend.key', 'text, or empty'],
  ['resources', 'a path'],
  ['certFile', 'a path, or empty'],
])('what %s takes, in words', (name, text) => {
  expect(allowedText(row(name))).toBe(text);
});

test.each([
  ['maxPaylaod', 'maxPayload'],
  ['MAXPAYLOAD', 'maxPayload'],
  ['axPayload', 'maxPayload'],
  ['headTime', 'headTimeout'],
  ['h', 'headTimeout'],
  ['code', 'code'],
  ['x'.repeat(1_000_000), 'maxPayload'],
])('the nearest to %.20s is %s', (name, known) => {
  expect(nearest(name, new Map(['maxPayload', 'headTimeout', 'code'].map((one) => [one, one])))).toBe(known);
});
