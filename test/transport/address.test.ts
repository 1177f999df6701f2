import { describe, expect, test } from '@jest/globals';
import { formatEndpoint, parseAddresses } from '../../src/transport/address.ts';

const FORMS = 'give ws://HOST:PORT, wss://, tcp://, ssl://, ws+wss:// or unix:/PATH, several with commas between';

describe('parseAddresses', () => {
  test.each([
    ['ws://localhost:8096', 'plain', 'localhost', 8096],
    ['tcp://127.0.0.1:1', 'plain', '127.0.0.1', 1],
    ['wss://example.org:8443', 'tls', 'example.org', 8443],
    ['ssl://example.org:0', 'tls', 'example.org', 0],
    ['ws+wss://example.org:65535', 'both', 'example.org', 65535],
    ['WS://Example.org:80/', 'plain', 'Example.org', 80],
    ['ws://*:8096', 'plain', '*', 8096],
    ['ws://[::]:8096', 'plain', '::', 8096],
    ['wss://[fd00::2]', 'tls', 'fd00::2', 443],
    ['ws://[fe80::1%eth0]:8096', 'plain', 'fe80::1%eth0', 8096],
    ['ws://example.org', 'plain', 'example.org', 80],
    ['tcp://example.org', 'plain', 'example.org', 80],
    ['ssl://example.org', 'tls', 'example.org', 443],
    ['ws+wss://example.org', 'both', 'example.org', 443],
    ['ws://example.org?', 'plain', 'example.org', 80],
  ])('%s', (url, security, host, port) => {
    expect(parseAddresses(url)).toEqual([
      { url, security, host, port, path: undefined, mode: undefined, proxyProtocol: false },
    ]);
  });

  test.each([
    ['unix:/run/websock.sock', '/run/websock.sock', undefined],
    ['unix:/run/websock.sock?mode=0660', '/run/websock.sock', 0o660],
    ['unix:/run/websock.sock?mode=777', '/run/websock.sock', 0o777],
    ['unix:/a b', '/a b', undefined],
  ])('%s', (url, path, mode) => {
    expect(parseAddresses(url)).toEqual([
      { url, security: 'plain', host: undefined, port: 0, path, mode, proxyProtocol: false },
    ]);
  });

  test.each([
    ['ws://a:1?proxyProtocol=true', 'plain', true],
    ['wss://[::1]:1?proxyProtocol=true', 'tls', true],
    ['ws+wss://a:1?proxyProtocol=true', 'both', true],
    ['ws://a:1?proxyProtocol=false', 'plain', false],
  ])('%s', (url, security, proxyProtocol) => {
    expect(parseAddresses(url)).toMatchObject([{ url, security, port: 1, proxyProtocol }]);
  });

  test('several, with commas, spaces and nothing between', () => {
    const found = parseAddresses(' ws://a:1,wss://b:2 , ,unix:/c?mode=0600,');
    expect(found.map(({ url }) => url)).toEqual(['ws://a:1', 'wss://b:2', 'unix:/c?mode=0600']);
  });

  test.each([
    ['', `it is empty: ${FORMS}`],
    [' , ', `it is empty: ${FORMS}`],
    ...[
      'localhost:8096',
      'http://localhost',
      'ws:/localhost',
      'ws://',
      'ws://:8096',
      'ws://a:b',
      'ws://a:-1',
      'ws://a:1/path',
      'ws://a#x',
      'ws://::1:80',
      'ws://[::1',
      'ws://[]:80',
      'unix:relative',
      'unix:',
      'ws://a:1 ws://b:2?x',
      'constructor://a',
    ].map((url) => [url, `'${url}' is no address: ${FORMS}`]),
    ['ws://a:65536', "'ws://a:65536' has a port above 65535"],
    ['ws://a:99999999999', "'ws://a:99999999999' has a port above 65535"],
    ...['backlog=5', 'proxyProtocol=yes', 'proxyProtocol=', 'proxyprotocol=true', 'mode=0660'].map((option) => [
      `ws://a:1?${option}`,
      `'ws://a:1?${option}' has an option that is not known: ${option}; a TCP listener takes proxyProtocol=true`,
    ]),
    ...['mode=0999', 'mode=66', 'mode=00660', 'mode=', 'owner=x', 'proxyProtocol=true'].map((option) => [
      `unix:/a?${option}`,
      `'unix:/a?${option}' has an option that is not known: ${option}; a Unix socket takes mode=0660`,
    ]),
  ])('%j: %s', (value, text) => {
    expect(() => parseAddresses(value)).toThrow(new Error(text));
    // One bad part spoils the list, and is named.
    if (value.trim().length > 1) expect(() => parseAddresses(`ws://good:1,${value}`)).toThrow(new Error(text));
  });
});

test('formatEndpoint', () => {
  expect(formatEndpoint('127.0.0.1', 80)).toBe('127.0.0.1:80');
  expect(formatEndpoint('::1', 80)).toBe('[::1]:80');
  expect(formatEndpoint('localhost', 0)).toBe('localhost:0');
});
