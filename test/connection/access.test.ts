import { describe, expect, test } from '@jest/globals';
import { Access, type AccessOptions, bearer, checkOrigins, parseRanges } from '../../src/connection/access.ts';
import { ACCESS } from '../support/fakes.ts';

const access = (options: Partial<AccessOptions> = {}): Access => new Access({ ...ACCESS, ...options });

describe('parseRanges', () => {
  test.each(['192.0.2.7', '10.0.0.0/8', 'fd00::/8', '::1', '0.0.0.0/0', '::ffff:10.0.0.1'])('%s is taken', (entry) => {
    expect(parseRanges([entry])).toHaveLength(1);
  });

  test.each([
    '',
    'localhost',
    '10.0.0.0/33',
    '10.0.0/',
    '10.0.0.0/-1',
    'fd00::/129',
    '1.2.3.4.5',
    '*',
    '::ffff:10.0.0.0/104',
  ])('%j is refused by name', (entry) => {
    expect(() => parseRanges(['10.0.0.1', entry])).toThrow(
      `'${entry}' is no address range: give 192.0.2.7, 10.0.0.0/8 or fd00::/8`,
    );
  });
});

describe('checkOrigins', () => {
  test.each([
    'same',
    'loopback',
    'null',
    '*',
    'https://example.org',
    'HTTP://Example.org:8080',
    'http://[::1]:3000',
    'https://xn--bcher-kva.example',
    'capacitor://localhost',
    'chrome-extension://abcdefghijklmnop',
  ])('%s is taken', (entry) => {
    expect(() => checkOrigins([entry])).not.toThrow();
  });

  test.each([
    ['example.org', 'give https://example.org, or same, loopback, null, *'],
    ['https://example.org/', 'such as https://example.org'],
    ['https://example.org/path', 'such as https://example.org'],
    ['https://example.org:443', 'such as https://example.org'],
    ['Same', 'is no origin'],
    ['', 'is no origin'],
    ['file:///x', 'such as https://example.org'],
    ['capacitor://localhost/', 'such as https://example.org'],
    ['capacitor://user@localhost', 'such as https://example.org'],
  ])('%j is refused', (entry, hint) => {
    expect(() => checkOrigins(['same', entry])).toThrow(`'${entry}' is no origin`);
    expect(() => checkOrigins([entry])).toThrow(hint);
  });
});

describe('originAllowed', () => {
  test.each([
    // `same`: the page's host name is the one it connects to, the ports may differ
    [['same'], 'https://example.org', 'example.org', true],
    [['same'], 'http://example.org:3000', 'example.org:8096', true],
    [['same'], 'HTTPS://EXAMPLE.org', 'Example.ORG:443', true],
    [['same'], 'http://[fd00::2]:80', '[fd00::2]:8096', true],
    [['same'], 'http://[FD00:0:0::2]', '[fd00::2]', true],
    [['same'], 'http://192.0.2.7', '192.0.2.7:8096', true],
    [['same'], 'https://evil.example', 'example.org', false],
    [['same'], 'https://example.org.evil.example', 'example.org', false],
    [['same'], 'https://sub.example.org', 'example.org', false],
    [['same'], 'http://localhost', '127.0.0.1', false],
    [['same'], 'https://example.org', undefined, false],
    [['same'], 'https://example.org', '', false],
    [['same'], 'https://example.org', 'exa mple.org', false],
    [['same'], 'null', 'null', false],
    [['same'], 'garbage', 'garbage', false],
    // the words are the operator's: no page can say them
    [['same'], 'same', 'example.org', false],
    [['loopback'], 'loopback', 'example.org', false],
    [['same', 'loopback'], '*', 'example.org', false],
    // `loopback`: a page of this machine, wherever it connects to
    [['loopback'], 'http://localhost:3000', 'example.org', true],
    [['loopback'], 'http://app.localhost', 'example.org', true],
    [['loopback'], 'http://127.0.0.1', 'example.org', true],
    [['loopback'], 'http://127.8.9.10:5173', 'example.org', true],
    [['loopback'], 'http://[::1]:3000', 'example.org', true],
    [['loopback'], 'http://[::ffff:127.0.0.1]', 'example.org', true],
    [['loopback'], 'http://localhost.evil.example', 'example.org', false],
    [['loopback'], 'http://notlocalhost', 'example.org', false],
    [['loopback'], 'http://10.0.0.1', 'example.org', false],
    [['loopback'], 'https://example.org', 'example.org', false],
    [['loopback'], 'null', 'localhost', false],
    [['same', 'loopback'], '', 'localhost', false],
    // addresses in whatever form are what they are, and what only looks like one is a name
    [['loopback'], 'http://2130706433', 'example.org', true],
    [['loopback'], 'http://0x7f000001:3000', 'example.org', true],
    [['loopback'], 'http://127.1', 'example.org', true],
    [['loopback'], 'http://[0:0:0:0:0:0:0:1]', 'example.org', true],
    [['loopback'], 'http://[::ffff:7f00:1]', 'example.org', true],
    [['loopback'], 'http://0.0.0.0', 'example.org', false],
    [['loopback'], 'http://[::]', 'example.org', false],
    [['loopback'], 'http://[::ffff:10.0.0.1]', 'example.org', false],
    [['loopback'], 'http://2130706434.example', 'example.org', false],
    [['loopback'], 'http://127.0.0.1.nip.io', 'example.org', false],
    [['loopback'], 'http://127.0.0.1.example', 'example.org', false],
    [['same', 'loopback'], 'http://evil.localhost.example', 'localhost', false],
    [['same', 'loopback'], 'http://localhost.evil', 'localhost', false],
    [['loopback'], 'http://evil-localhost', 'localhost', false],
    [['loopback'], 'http://localhost.', 'example.org', false],
    [['loopback'], 'http://.localhost.', 'example.org', false],
    // no page has an origin with a user's name, a path or a second origin
    [['same', 'loopback'], 'http://localhost@evil.example', 'localhost', false],
    [['same', 'loopback'], 'http://evil.example@localhost', 'localhost', false],
    [['same', 'loopback'], 'http://user:localhost@evil.example', 'localhost', false],
    [['same', 'loopback'], 'http://localhost/', 'localhost', false],
    [['same', 'loopback'], 'http://localhost\\@evil.example', 'localhost', false],
    [['same', 'loopback'], 'http://localhost#evil', 'localhost', false],
    [['same', 'loopback'], 'http://localhost/, http://evil.example', 'localhost', false],
    [['same', 'loopback'], 'http://localhost, http://evil.example', 'localhost', false],
    [['same', 'loopback'], 'http://localhost http://evil.example', 'localhost', false],
    [['same', 'loopback'], 'http://', '', false],
    [['same', 'loopback'], 'localhost', 'localhost', false],
    [['same', 'loopback'], '//localhost', 'localhost', false],
    [['same', 'loopback'], `http://${'a'.repeat(7000)}.example`, 'localhost', false],
    [['same', 'loopback'], `http://localhost${'.'.repeat(7000)}`, 'localhost', false],
    // other schemes are no pages: their origins can be named, exactly
    [['same', 'loopback'], 'file://', 'localhost', false],
    [['same', 'loopback'], 'file://localhost', 'localhost', false],
    [['same', 'loopback'], 'capacitor://localhost', 'localhost', false],
    [['same', 'loopback'], 'chrome-extension://localhost', 'localhost', false],
    [['capacitor://localhost'], 'capacitor://localhost', 'example.org', true],
    [['capacitor://localhost'], 'http://localhost', 'example.org', false],
    // `same`, by name alone
    [['same'], 'https://example.org.', 'example.org.:8096', true],
    [['same'], 'https://example.org.', 'example.org', false],
    [['same'], 'https://xn--bcher-kva.example', 'xn--bcher-kva.example:8096', true],
    [['same'], 'https://xn--bcher-kva.example', 'b\xfccher.example', false],
    [['same'], 'http://192.0.2.7:81', '3221225991', true],
    [['same'], 'http://[2001:db8::7]', '2001:db8::7', false],
    [['same'], 'https://example.org', 'example.org, evil.example', false],
    [['same'], 'https://example.org', 'user@example.org', false],
    [['same'], 'https://example.org', 'example.org/evil', false],
    // exact ones
    [['https://a.example'], 'https://a.example', 'b.example', true],
    [['https://A.example'], 'https://a.EXAMPLE', 'b.example', true],
    [['https://a.example'], 'http://a.example', 'a.example', false],
    [['https://a.example'], 'https://a.example:8443', 'a.example', false],
    [['https://a.example'], 'https://a.example.evil', 'a.example', false],
    [['https://a.example'], 'https://a.example:443', 'b.example', false],
    [['https://a.example'], 'https://a.example/', 'b.example', false],
    [['https://a.example'], 'https://a.example.', 'b.example', false],
    [['https://a.example'], 'https://a.example, https://a.example', 'b.example', false],
    [['https://xn--bcher-kva.example'], 'https://xn--bcher-kva.example', 'b.example', true],
    [['http://[2001:db8::7]:81'], 'http://[2001:DB8::7]:81', 'b.example', true],
    // words
    [['null'], 'null', 'a.example', true],
    [['null'], 'https://a.example', 'a.example', false],
    [['*'], 'https://any.example', undefined, true],
    [['*'], 'null', undefined, true],
    [['*'], 'garbage', undefined, true],
    [[], 'http://localhost', 'localhost', false],
  ])('allowedOrigins=%j: a page of %s at the host %s: %s', (allowedOrigins, origin, host, allowed) => {
    expect(access({ allowedOrigins }).originAllowed(origin, host)).toBe(allowed);
  });
});

describe('locate', () => {
  const proxied = access({ trustedProxies: ['10.0.0.0/8', 'fd00::/16'] });

  test('without a forwarding header it is the peer', () => {
    expect(proxied.locate('10.0.0.1', { host: 'x' })).toEqual({ ip: '10.0.0.1', known: true });
    expect(proxied.locate('192.0.2.9', {})).toEqual({ ip: '192.0.2.9', known: true });
  });

  test.each(['x-forwarded-for', 'forwarded', 'x-real-ip', 'via'])(
    '%s from who is no trusted proxy: the address is the peer, and earns no trust',
    (name) => {
      const from = proxied.locate('127.0.0.1', { [name]: '127.0.0.1' });
      expect(from).toEqual({ ip: '127.0.0.1', known: false });
      expect(access().locate('127.0.0.1', { [name]: '127.0.0.1' })).toEqual({ ip: '127.0.0.1', known: false });
      expect(proxied.judgeBackend(from, undefined, true)).toMatchObject({ status: 403 });
    },
  );

  test.each([
    ['192.0.2.9', '192.0.2.9'],
    ['192.0.2.9, 10.0.0.2', '192.0.2.9'],
    ['127.0.0.1, 192.0.2.9', '192.0.2.9'],
    ['127.0.0.1, 192.0.2.9, 10.0.0.2,10.9.9.9', '192.0.2.9'],
    ['10.0.0.3, 10.0.0.2', '10.0.0.3'],
    ['192.0.2.9:5555', '192.0.2.9'],
    ['[2001:db8::9]:5555', '2001:db8::9'],
    ['[2001:db8::9]', '2001:db8::9'],
    ['2001:DB8:0:0::9, fd00::5', '2001:db8::9'],
    ['::ffff:192.0.2.9', '192.0.2.9'],
    ['garbage, 192.0.2.9', '192.0.2.9'],
  ])('X-Forwarded-For: %s from a trusted proxy is %s', (chain, ip) => {
    expect(proxied.locate('10.0.0.1', { 'x-forwarded-for': chain })).toEqual({ ip, known: true });
    expect(proxied.locate('::ffff:10.0.0.1', { 'x-forwarded-for': chain })).toEqual({ ip, known: true });
  });

  test.each(['', 'garbage', 'unknown', '192.0.2.9, garbage', '127.0.0.1, _hidden', '192.0.2.9, ,10.0.0.2'])(
    'X-Forwarded-For: %j says nothing: the peer, without trust',
    (chain) => {
      expect(proxied.locate('10.0.0.1', { 'x-forwarded-for': chain })).toEqual({ ip: '10.0.0.1', known: false });
    },
  );

  test('a trusted proxy that forwards without X-Forwarded-For or Forwarded names nobody', () => {
    for (const name of ['via', 'x-real-ip']) {
      expect(proxied.locate('10.0.0.1', { [name]: '192.0.2.9' })).toEqual({ ip: '10.0.0.1', known: false });
    }
  });

  test.each([
    ['for=192.0.2.9', '192.0.2.9'],
    ['for=127.0.0.1, for="192.0.2.9:5", For="10.0.0.2";by=_x', '192.0.2.9'],
    ['for="[2001:db8::9]:5555";proto=https', '2001:db8::9'],
    ['for=192.0.2.9, for=10.0.0.3, for=10.0.0.2', '192.0.2.9'],
  ])('Forwarded: %s from a trusted proxy is %s', (forwarded, ip) => {
    expect(proxied.locate('10.0.0.1', { forwarded })).toEqual({ ip, known: true });
    expect(proxied.locate('192.0.2.1', { forwarded })).toEqual({ ip: '192.0.2.1', known: false });
  });

  test.each(['', 'for=unknown', 'for=_hidden', 'for=192.0.2.9, for=unknown, for=10.0.0.2', 'proto=https', '192.0.2.9'])(
    'Forwarded: %j says nothing: the peer, without trust',
    (forwarded) => {
      expect(proxied.locate('10.0.0.1', { forwarded })).toEqual({ ip: '10.0.0.1', known: false });
    },
  );

  test.each([
    ['192.0.2.9, 10.0.0.2', 'for=127.0.0.1, for=192.0.2.9', '192.0.2.9'],
    ['2001:DB8::9', 'for="[2001:db8:0::9]:1"', '2001:db8::9'],
    ['192.0.2.9', 'for=192.0.2.8', null],
    ['192.0.2.9', 'for=unknown', null],
    ['unknown', 'for=192.0.2.9', null],
    ['unknown', 'for=unknown', null],
  ])('X-Forwarded-For: %s beside Forwarded: %s is %s', (xff, forwarded, ip) => {
    const found = ip === null ? { ip: '10.0.0.1', known: false } : { ip, known: true };
    expect(proxied.locate('10.0.0.1', { 'x-forwarded-for': xff, forwarded })).toEqual(found);
  });

  test.each(['127.0.0.1', '127.3.2.1', '::1', '::ffff:127.0.0.1', '::ffff:7f00:1'])(
    'loopback that a proxy names is its own host: %s is shown, and earns nothing',
    (named) => {
      const everyone = access({ trustedProxies: ['10.0.0.0/8'], allowed: ['127.0.0.0/8', '::1'] });
      const headers: Record<string, string>[] = [
        { 'x-forwarded-for': named },
        { forwarded: `for="${named.includes(':') ? `[${named}]` : named}"` },
      ];
      for (const found of headers.map((header) => everyone.locate('10.0.0.1', header))) {
        expect(found).toEqual({ ip: expect.stringMatching(/^(?:127\.\d+\.\d+\.\d+|::1)$/), known: false });
        expect(everyone.judgeBackend(found, undefined, true)).toMatchObject({ status: 403 });
      }
      const header = everyone.locate(named, {}, true);
      expect(header.known).toBe(false);
      expect(everyone.judgeBackend(header, undefined, true)).toMatchObject({ status: 403 });
    },
  );

  test('who comes by a PROXY header has the address in it, and what it forwards counts if that is a proxy', () => {
    const ranges = access({ trustedProxies: ['10.0.0.0/8'], allowed: ['192.0.2.0/24'] });
    const xff = { 'x-forwarded-for': '192.0.2.9' };
    expect(ranges.locate('198.51.100.1', {}, true)).toEqual({ ip: '198.51.100.1', known: true });
    expect(ranges.locate('198.51.100.1', xff, true)).toEqual({ ip: '198.51.100.1', known: false });
    expect(ranges.locate('10.0.0.7', xff, true)).toEqual({ ip: '192.0.2.9', known: true });
    const named = ranges.locate('192.0.2.9', {}, true);
    expect(ranges.judgeBackend(named, undefined, true)).toBeNull();
    const unnamed = ranges.locate('unknown', {}, true);
    expect(unnamed).toEqual({ ip: 'unknown', known: false });
    expect(ranges.judgeBackend(unnamed, undefined, true)).toMatchObject({ status: 403 });
    expect(ranges.locate('unknown', xff, true)).toEqual({ ip: 'unknown', known: false });
  });

  test('isProxy', () => {
    expect(['10.1.2.3', '::ffff:10.1.2.3', 'fd00::1', '11.0.0.1', 'unix', ''].map((ip) => proxied.isProxy(ip))).toEqual(
      [true, true, true, false, false, false],
    );
    expect(access().isProxy('127.0.0.1')).toBe(false);
  });
});

describe('judgeBackend', () => {
  const from = (ip: string, known = true): { ip: string; known: boolean } => ({ ip, known });

  test.each([
    ['127.0.0.1', true],
    ['127.3.2.1', true],
    ['::1', true],
    ['::ffff:127.0.0.1', true],
    ['unix', true],
    ['192.0.2.7', false],
    ['::ffff:192.0.2.7', false],
    ['fe80::1%eth0', false],
    ['', false],
    ['garbage', false],
  ])('by default %j may come in: %s', (ip, allowed) => {
    const verdict = access().judgeBackend(from(ip), undefined, true);
    if (allowed) expect(verdict).toBeNull();
    else expect(verdict).toMatchObject({ status: 403 });
  });

  test('trustLoopback=false takes loopback and Unix sockets out, unless `allowed` names them', () => {
    for (const ip of ['127.0.0.1', '::1', 'unix']) {
      expect(access({ trustLoopback: false }).judgeBackend(from(ip), undefined, true)).toMatchObject({ status: 403 });
    }
    const named = access({ trustLoopback: false, allowed: ['127.0.0.1'] });
    expect(named.judgeBackend(from('127.0.0.1'), undefined, true)).toBeNull();
    expect(named.judgeBackend(from('127.0.0.2'), undefined, true)).not.toBeNull();
  });

  test.each(['127.0.0.1', '127.0.0.0/8', '127.0.0.9', '::1', '0.0.0.0/0', '::/0'])(
    'a trusted proxy on this host (%s): loopback is not trusted, unless `allowed` names it; Unix sockets are',
    (proxy) => {
      const proxied = access({ trustedProxies: ['10.0.0.0/8', proxy] });
      for (const ip of ['127.0.0.1', '127.0.0.2', '::1', '::ffff:127.0.0.1']) {
        expect(proxied.judgeBackend(from(ip), undefined, true)).toMatchObject({ status: 403 });
      }
      expect(proxied.judgeBackend(from('unix'), undefined, true)).toBeNull();
      const named = access({ trustedProxies: [proxy], allowed: ['127.0.0.2'] });
      expect(named.judgeBackend(from('127.0.0.2'), undefined, true)).toBeNull();
      expect(named.judgeBackend(from('127.0.0.3'), undefined, true)).toMatchObject({ status: 403 });
      const elsewhere = access({ trustedProxies: ['10.0.0.0/8', '192.0.2.1'] });
      expect(elsewhere.judgeBackend(from('127.0.0.1'), undefined, true)).toBeNull();
    },
  );

  test('`allowed` names ranges of both families', () => {
    const ranges = access({ allowed: ['192.0.2.0/24', 'fe80::/10'] });
    for (const ip of ['192.0.2.7', '::ffff:192.0.2.7', 'fe80::1', 'fe80::1%eth0']) {
      expect(ranges.judgeBackend(from(ip), undefined, true)).toBeNull();
    }
    expect(ranges.judgeBackend(from('192.0.3.7'), undefined, true)).not.toBeNull();
  });

  test('an address of which nobody knows that it is true earns nothing, nor does one behind a page', () => {
    expect(access().judgeBackend(from('127.0.0.1', false), undefined, true)).toEqual({
      status: 403,
      text: 'backend clients are not allowed from 127.0.0.1 (forwarded, so its key alone counts): see [backend] allowed and key',
    });
    expect(access().judgeBackend(from('127.0.0.1'), undefined, false)).toMatchObject({ status: 403 });
  });

  test('the key lets in from anywhere; a wrong one does not, nor any where there is none', () => {
    const keyed = access({ key: 'secret' });
    const far = from('192.0.2.7', false);
    expect(keyed.judgeBackend(far, 'secret', false)).toBeNull();
    for (const wrong of ['Secret', 'secret ', 'secre', '', 'secretsecret']) {
      expect(keyed.judgeBackend(far, wrong, false)).toEqual({
        status: 401,
        text: 'the backend key is wrong',
        headers: { 'WWW-Authenticate': 'Bearer' },
      });
    }
    expect(keyed.judgeBackend(far, undefined, true)).toMatchObject({
      status: 401,
      text: 'show the backend key: Authorization: Bearer KEY',
    });
    for (const guess of ['', 'undefined', 'secret']) {
      expect(access().judgeBackend(far, guess, false)).toMatchObject({ status: 403 });
    }
    // From a trusted address a wrong key does no harm.
    expect(keyed.judgeBackend(from('127.0.0.1'), 'wrong', true)).toBeNull();
  });
});

test('bearer', () => {
  expect(
    ['Bearer abc', 'bearer  abc', 'BEARER a.b~c+/=', 'Basic abc', 'Bearer', 'Bearer a b', '', undefined].map(bearer),
  ).toEqual(['abc', 'abc', 'a.b~c+/=', undefined, undefined, undefined, undefined, undefined]);
});
