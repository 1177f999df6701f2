import { describe, expect, test } from '@jest/globals';
import { Access } from '../../src/connection/access.ts';
import { checkHosts, Hosts, parseHost } from '../../src/connection/hosts.ts';
import { ACCESS } from '../support/fakes.ts';

const LOOPBACK = { loopback: true, name: 'box.example' };
const PUBLIC = { loopback: false, name: 'box.example' };
const LONG = `${'a'.repeat(300)}.example`;

describe('parseHost', () => {
  test.each([
    ['example.org', 'example.org', ''],
    ['Example.ORG:8096', 'example.org', '8096'],
    ['example.org:', 'example.org', ''],
    ['example.org.', 'example.org.', ''],
    ['my_host', 'my_host', ''],
    ['192.0.2.7:80', '192.0.2.7', '80'],
    ['127.1', '127.0.0.1', ''],
    ['0x7f.1:8096', '127.0.0.1', '8096'],
    ['2130706433', '127.0.0.1', ''],
    ['0177.0.0.1', '127.0.0.1', ''],
    ['[::1]:8096', '[::1]', '8096'],
    ['[0:0:0:0:0:0:0:1]', '[::1]', ''],
    ['[::FFFF:127.0.0.1]', '[::ffff:7f00:1]', ''],
    ['%6cocalhost', 'localhost', ''],
    ['xn--bcher-kva.example', 'xn--bcher-kva.example', ''],
  ])('%j', (text, name, port) => {
    expect(parseHost(text)).toEqual({ name, port });
  });

  test.each([
    '',
    ':80',
    '::1',
    '[::1',
    '[localhost]',
    '[::1%25lo]',
    'a b',
    'user@example.org',
    'example.org@evil.example',
    'example.org/evil',
    'example.org?',
    'example.org#',
    'example.org\\evil',
    'example.org:80:80',
    'example.org:8o',
    'example.org:123456',
    'a, b',
    '1.2.3.4.5',
    'foo.0x7f',
    '999.0.0.1',
    'b\u00fccher.example',
  ])('%j is no host', (text) => {
    expect(parseHost(text)).toBeNull();
  });
});

describe('checkHosts', () => {
  test.each(['*', 'example.org', 'EXAMPLE.org:8096', '192.0.2.7', '[2001:db8::7]:81', 'bücher.example', 'box'])(
    '%s is taken',
    (entry) => {
      expect(() => checkHosts([entry])).not.toThrow();
    },
  );

  test.each([
    '',
    'https://example.org',
    'example.org/',
    '*.example.org',
    'example.org:',
    'example.org:65536',
    'a b',
    '::1',
  ])('%j is refused by name', (entry) => {
    expect(() => checkHosts(['example.org', entry])).toThrow(
      `'${entry}' is no host: give example.org, example.org:8096`,
    );
  });
});

describe('by default', () => {
  const hosts = new Hosts([]);

  test.each([
    ['localhost', true],
    ['localhost:8096', true],
    ['LOCALHOST:1', true],
    ['app.localhost', true],
    ['127.0.0.1', true],
    ['127.0.0.1:8096', true],
    ['127.255.255.254', true],
    ['[::1]:8096', true],
    ['[0:0:0:0:0:0:0:1]', true],
    ['[::ffff:127.0.0.1]', true],
    ['2130706433', true],
    ['0x7f.1', true],
    // the name that the operator gave the listener
    ['box.example:8096', true],
    ['BOX.example', true],
    ['evil.example', false],
    ['evil.example:8096', false],
    ['sub.box.example', false],
    ['localhost.evil.example', false],
    ['evil.localhost.example', false],
    ['127.0.0.1.nip.io', false],
    ['127.0.0.1.', true],
    ['localhost.', false],
    ['notlocalhost', false],
    ['10.0.0.1', false],
    ['0.0.0.0:8096', false],
    ['[::]:8096', false],
    ['192.0.2.7', false],
    ['localhost@evil.example', false],
    ['evil.example@localhost', false],
    ['evil.example/localhost', false],
    ['localhost, evil.example', false],
    ['xn--lclhost-9za3q.example', false],
    ['', false],
    [LONG, false],
  ])('at a loopback address %j is served: %s', (host, served) => {
    const why = hosts.objection(host, LOOPBACK, false);
    if (served) expect(why).toBeNull();
    else {
      const name = host === LONG ? `${'a'.repeat(100)}…` : host.replace(/.*@/, '…@');
      expect(why).toBe(
        `the host '${name}' is not served on a loopback address: name it in [security] hosts; or if a proxy passes it on, ` +
          'the proxy in [security] trustedProxies, and let it send X-Forwarded-For',
      );
    }
    // Anywhere else, and from a trusted proxy, every name is.
    expect(hosts.objection(host, PUBLIC, false)).toBeNull();
    expect(hosts.objection(host, LOOPBACK, true)).toBeNull();
  });
});

describe('with hosts', () => {
  const named = new Hosts(['Example.org', 'other.example:8443', '[2001:DB8::7]', 'bücher.example', 'plain.example:80']);

  test.each([
    ['example.org', true],
    ['EXAMPLE.ORG:8096', true],
    ['example.org.', true],
    ['other.example:8443', true],
    ['other.example', false],
    ['other.example:8444', false],
    ['plain.example', true],
    ['plain.example:80', true],
    ['plain.example:81', false],
    ['[2001:db8:0::7]:81', true],
    ['xn--bcher-kva.example', true],
    ['www.example.org', false],
    ['example.org.evil.example', false],
    ['evil.example', false],
    // Named are those alone, wherever they come in.
    ['localhost', false],
    ['127.0.0.1', false],
    ['box.example', false],
    ['', false],
  ])('%j is served: %s', (host, served) => {
    for (const entrance of [LOOPBACK, PUBLIC]) {
      for (const passedOn of [true, false]) {
        const why = named.objection(host, entrance, passedOn);
        expect(why).toBe(served ? null : `the host '${host}' is not served: see [security] hosts`);
      }
    }
  });

  test('* serves all, and names no name', () => {
    expect(new Hosts(['*']).objection('evil.example', LOOPBACK, false)).toBeNull();
    expect(new Hosts(['example.org', '*']).objection('', PUBLIC, false)).toBeNull();
  });

  test('what is repeated cannot steer a terminal', () => {
    expect(named.objection('a\u001b[2J\u202e', PUBLIC, false)).toBe(
      "the host 'a\\x1b[2J\\u202e' is not served: see [security] hosts",
    );
  });
});

describe('judgeHost', () => {
  const access = new Access({ ...ACCESS, trustedProxies: ['127.0.0.1'] });
  const judge = (authority: string, headers: Record<string, string>, ip = '127.0.0.2'): number | undefined =>
    access.judgeHost({ authority, headers }, ip, LOOPBACK)?.status;

  test('Host and the authority of an absolute target must both be served', () => {
    expect(judge('', { host: 'localhost' })).toBeUndefined();
    expect(judge('', { host: 'evil.example' })).toBe(421);
    expect(judge('localhost', { host: 'evil.example' })).toBe(421);
    expect(judge('evil.example', { host: 'localhost' })).toBe(421);
    expect(judge('localhost:8096', { host: 'localhost' })).toBeUndefined();
  });

  test('who names none is no browser', () => {
    expect(judge('', {})).toBeUndefined();
    expect(judge('', { host: '' })).toBeUndefined();
  });

  test('a trusted proxy passes on any name, where it says that it does', () => {
    for (const name of ['x-forwarded-for', 'forwarded', 'x-real-ip', 'via']) {
      expect(judge('', { host: 'chat.example', [name]: '192.0.2.9' }, '127.0.0.1')).toBeUndefined();
      expect(judge('', { host: 'chat.example', [name]: '192.0.2.9' }, '127.0.0.2')).toBe(421);
    }
    expect(judge('', { host: 'chat.example' }, '127.0.0.1')).toBe(421);
  });
});
