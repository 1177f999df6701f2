import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { headEnd, parseHead, parseTarget, type RequestHead } from '../../src/wire/head.ts';
import {
  acceptKey,
  checkUpgrade,
  hasToken,
  offeredProtocols,
  refusalResponse,
  switchingProtocols,
  wantsUpgrade,
} from '../../src/wire/handshake.ts';

const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='; // RFC 6455 §1.3
const FIELDS: Readonly<Record<string, string>> = {
  Host: 'server.example.com',
  Upgrade: 'websocket',
  Connection: 'Upgrade',
  'Sec-WebSocket-Key': KEY,
  'Sec-WebSocket-Version': '13',
};

/** A request head; fields that are undefined are left out. */
function request(
  fields: Record<string, string | undefined> = {},
  line = 'GET /chat?a=1 HTTP/1.1',
  eol = '\r\n',
): string {
  const lines = Object.entries({ ...FIELDS, ...fields }).filter(([, value]) => value !== undefined);
  return [line, ...lines.map(([name, value]) => `${name}: ${value}`), '', ''].join(eol);
}

function parsed(text: string, maxHeaders = 100): RequestHead {
  const head = parseHead(text, maxHeaders);
  if ('status' in head) throw new Error(`${head.status} ${head.text}`);
  return head;
}

describe('headEnd', () => {
  test.each([
    ['GET / HTTP/1.1\r\nA: b\r\n\r\nrest', 24],
    ['GET / HTTP/1.1\nA: b\n\nrest', 21],
    ['GET / HTTP/1.1\r\nA: b\n\r\nrest', 23],
    ['GET / HTTP/1.1\r\n\r\n', 18],
    ['GET / HTTP/1.1\r\nA: b\r\n', -1],
    ['GET / HTTP/1.1\r\nA: b\r\n\r', -1],
    ['GET / HTTP/1.1\n\r', -1],
    ['', -1],
  ])('%j: %d', (text, end) => {
    expect(headEnd(text)).toBe(end);
  });
});

describe('parseHead', () => {
  test('request line and fields, names in lower case', () => {
    const text = request({ 'X-Mixed-CASE': '  two  words\t' });
    expect(parsed(text)).toEqual({
      text,
      method: 'GET',
      authority: '',
      path: '/chat',
      query: 'a=1',
      version: '1.1',
      headers: Object.assign(Object.create(null), {
        host: 'server.example.com',
        upgrade: 'websocket',
        connection: 'Upgrade',
        'sec-websocket-key': KEY,
        'sec-websocket-version': '13',
        'x-mixed-case': 'two  words',
      }),
    });
  });

  test('LF alone ends lines too', () => {
    const text = request({}, undefined, '\n');
    expect(parsed(text)).toEqual({ ...parsed(request()), text });
  });

  test('repeated fields are joined', () => {
    expect(parsed('GET / HTTP/1.1\r\nA: 1\r\na: 2\r\nA: 3\r\n\r\n').headers.a).toBe('1, 2, 3');
  });

  test('names that objects inherit are names like any other', () => {
    const { headers } = parsed('GET / HTTP/1.1\r\n__proto__: a\r\nconstructor: b\r\n\r\n');
    expect(Object.entries(headers)).toEqual([
      ['__proto__', 'a'],
      ['constructor', 'b'],
    ]);
  });

  test('what follows the empty line is not looked at', () => {
    expect(parsed('GET / HTTP/1.1\r\nA: 1\r\n\r\nB: 2\r\n\r\n').headers.b).toBeUndefined();
  });

  test('values may hold bytes above 127; a target with such is UTF-8', () => {
    expect(parsed('GET /\xc3\xa4 HTTP/1.1\r\nA: \xff\r\n\r\n')).toMatchObject({ path: '/ä', headers: { a: '\xff' } });
  });

  test.each([
    ['no version', 'GET /\r\n\r\n', 'the request line'],
    ['two targets', 'GET / / HTTP/1.1\r\n\r\n', 'the request line'],
    ['a method in lower case', 'get / HTTP/1.1\r\n\r\n', 'the request line'],
    ['no colon', 'GET / HTTP/1.1\r\nA: 1\r\nnothing\r\n\r\n', 'header line 2 is not NAME: VALUE'],
    ['no name', 'GET / HTTP/1.1\r\n: 1\r\n\r\n', 'header line 1 is not'],
    ['a space before the colon', 'GET / HTTP/1.1\r\nA : 1\r\n\r\n', 'header line 1 is not'],
    ['a folded line', 'GET / HTTP/1.1\r\nA: 1\r\n more\r\n\r\n', 'header line 2 is not'],
    ['a NUL in a value', 'GET / HTTP/1.1\r\nA: 1\0 2\r\n\r\n', 'header line 1 holds a control character'],
    ['a target that is not UTF-8', 'GET /\xe4 HTTP/1.1\r\n\r\n', 'the request target is not UTF-8'],
    ['a bare CR in a value', 'GET / HTTP/1.1\r\nA: 1\rB: 2\r\n\r\n', 'header line 1 holds a control character'],
  ])('%s: 400', (_, text, why) => {
    expect(parseHead(text, 100)).toEqual({ status: 400, text: expect.stringContaining(why) });
  });

  test('as many fields as maxHeaders, and not one more', () => {
    const fields = (count: number): string => `GET / HTTP/1.1\r\n${'A: 1\r\n'.repeat(count)}\r\n`;
    expect(parsed(fields(3), 3).headers.a).toBe('1, 1, 1');
    expect(parseHead(fields(4), 3)).toEqual({ status: 431, text: 'more than 3 header fields' });
  });

  test('PROPERTY: any text is a head or a refusal, never a crash', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('G', 'A', ' ', ':', '\r', '\n', '/', '\0', '\xff', '1') }),
        (text) => {
          const head = parseHead(`GET / HTTP/1.1\r\n${text}\r\n\r\n`, 5);
          if ('status' in head) expect([400, 431]).toContain(head.status);
          else for (const value of Object.values(head.headers)) expect(value).not.toMatch(/[\r\n\0]/);
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('parseTarget', () => {
  test.each([
    ['/', '/', '', ''],
    ['/chat?a=1&b=?', '/chat', 'a=1&b=?', ''],
    ['/chat?', '/chat', '', ''],
    ['http://example.org/chat?x', '/chat', 'x', 'example.org'],
    ['WS://example.org:80/chat', '/chat', '', 'example.org:80'],
    ['https://example.org', '/', '', 'example.org'],
    ['wss://example.org?x=1', '/', 'x=1', 'example.org'],
    ['//not/a/host', '//not/a/host', '', ''],
    ['ftp://example.org/', 'ftp://example.org/', '', ''],
    ['?x', '/', 'x', ''],
  ])('%s', (target, path, query, authority) => {
    expect(parseTarget(target)).toEqual({ authority, path, query });
  });
});

describe('wantsUpgrade and checkUpgrade', () => {
  test.each([
    [{}, true],
    [{ Upgrade: undefined }, true],
    [{ 'Sec-WebSocket-Key': undefined }, true],
    [{ Upgrade: 'h2c, WebSocket', 'Sec-WebSocket-Key': undefined }, true],
    [{ Upgrade: undefined, 'Sec-WebSocket-Key': undefined }, false],
    [{ Upgrade: 'h2c', 'Sec-WebSocket-Key': undefined }, false],
    [{ Upgrade: 'websockets', 'Sec-WebSocket-Key': undefined }, false],
  ])('%j asks for WebSocket: %s', (fields, wanted) => {
    expect(wantsUpgrade(parsed(request(fields)))).toBe(wanted);
  });

  test.each([
    [{}],
    [{ Upgrade: 'WebSocket' }],
    [{ Connection: 'keep-alive, UPGRADE' }],
    [{ Connection: 'keep-alive,Upgrade ,x' }],
    [{ Origin: 'https://example.org' }],
    [{ 'Sec-WebSocket-Extensions': 'permessage-deflate' }],
  ])('%j is a handshake', (fields) => {
    expect(checkUpgrade(parsed(request(fields)))).toBeNull();
  });

  test.each([
    [{ Host: undefined }, 'one Host header is required'],
    [{ Host: '' }, 'one Host header is required'],
    [{ Host: 'a, b' }, 'one Host header is required'],
    [{ Upgrade: undefined }, '"Upgrade: websocket" is required'],
    [{ Upgrade: 'h2c' }, '"Upgrade: websocket" is required'],
    [{ Connection: undefined }, '"Connection: Upgrade" is required'],
    [{ Connection: 'close' }, '"Connection: Upgrade" is required'],
    [{ Connection: 'upgrades' }, '"Connection: Upgrade" is required'],
    [{ 'Sec-WebSocket-Key': undefined }, 'Sec-WebSocket-Key must be 16 bytes in base64'],
    [{ 'Sec-WebSocket-Key': '' }, 'Sec-WebSocket-Key must be 16 bytes in base64'],
    [{ 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25j' }, 'Sec-WebSocket-Key must be 16 bytes in base64'],
    [{ 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZSBsb25n' }, 'Sec-WebSocket-Key must be 16 bytes in base64'],
    [
      { 'Sec-WebSocket-Extensions': 'a; b="c d"' },
      'Sec-WebSocket-Extensions is not a list of extensions as in RFC 6455 section 9.1',
    ],
    [{ 'Sec-WebSocket-Protocol': 'chat, super chat' }, 'Sec-WebSocket-Protocol must be a list of tokens'],
    [{ 'Sec-WebSocket-Key': `${KEY}, ${KEY}` }, 'Sec-WebSocket-Key must be 16 bytes in base64'],
    // RFC 6455 §9.1: "MUST immediately _Fail the WebSocket Connection_".
    [
      { 'Sec-WebSocket-Extensions': '' },
      'Sec-WebSocket-Extensions is not a list of extensions as in RFC 6455 section 9.1',
    ],
    [
      { 'Sec-WebSocket-Extensions': 'foo; bar=' },
      'Sec-WebSocket-Extensions is not a list of extensions as in RFC 6455 section 9.1',
    ],
  ])('%j is refused with 400 and says what is missing', (fields, why) => {
    expect(checkUpgrade(parsed(request(fields)))).toEqual({ status: 400, text: `not a WebSocket handshake: ${why}` });
  });

  test.each(['1.0', '2.0'])('HTTP/%s is refused with 400', (version) => {
    const refusal = checkUpgrade(parsed(request({}, `GET / HTTP/${version}`)));
    expect(refusal).toEqual({
      status: 400,
      text: `not a WebSocket handshake: HTTP/1.1 is required, not HTTP/${version}`,
    });
  });

  test.each(['POST', 'HEAD', 'PUT', 'CONNECT'])('%s is refused with 405', (method) => {
    expect(checkUpgrade(parsed(request({}, `${method} / HTTP/1.1`)))).toMatchObject({
      status: 405,
      headers: { Allow: 'GET' },
    });
  });

  test.each([undefined, '8', '12', '14', '013', '13, 8'])(
    'version %s is refused with 426, and told the right one',
    (version) => {
      expect(checkUpgrade(parsed(request({ 'Sec-WebSocket-Version': version })))).toMatchObject({
        status: 426,
        headers: { 'Sec-WebSocket-Version': '13' },
      });
    },
  );
});

test('hasToken compares whole tokens in any case', () => {
  expect(hasToken('a, Upgrade ,b', 'upgrade')).toBe(true);
  expect(hasToken('upgraded', 'upgrade')).toBe(false);
  expect(hasToken(undefined, 'upgrade')).toBe(false);
});

test('offeredProtocols keeps the order', () => {
  expect(offeredProtocols({ 'sec-websocket-protocol': 'chat, super.chat ,,x' })).toEqual(['chat', 'super.chat', 'x']);
  expect(offeredProtocols({})).toEqual([]);
});

describe('the 101', () => {
  test('acceptKey of RFC 6455 §1.3', () => {
    expect(acceptKey(KEY)).toBe('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
  });

  test('is these bytes', () => {
    expect(switchingProtocols(KEY, 'chat', { 'Set-Cookie': 'a=b' }, false)).toEqual({
      text:
        'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
        'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\nSet-Cookie: a=b\r\n\r\n',
      omitted: [],
    });
  });

  test('without a protocol there is no such header', () => {
    expect(switchingProtocols(KEY, undefined, {}, false).text).not.toContain('Protocol:');
  });

  test.each(['a\r\nEvil: 1', 'a\nb', 'a\rb', 'a\0b', 'a\x7fb', 'ä€'])('the value %j is left out', (value) => {
    for (const pad of [false, true]) {
      const { text, omitted } = switchingProtocols(KEY, undefined, { Bad: value, Good: 'g' }, pad);
      expect(omitted).toEqual(['Bad']);
      expect(text).not.toContain('Bad');
      expect(text).toContain('Good: g\r\n');
    }
  });

  test.each(['', 'A B', 'A:', 'A\r\nB', 'Ä'])('the name %j is left out', (name) => {
    expect(switchingProtocols(KEY, undefined, { [name]: 'x' }, false).omitted).toEqual([name]);
  });

  test('a value that is no string is left out: plugins in plain JavaScript give anything', () => {
    const headers = { N: 5, U: undefined, O: {}, Good: 'g' } as unknown as Record<string, string>;
    expect(switchingProtocols(KEY, undefined, headers, true).omitted).toEqual(['N', 'U', 'O']);
  });

  test("what is the handshake's own to say is left out", () => {
    const headers = {
      Upgrade: 'h2c',
      'sec-websocket-accept': 'x',
      'Sec-WebSocket-Protocol': 'x',
      'Content-Length': '1',
    };
    const { text, omitted } = switchingProtocols(KEY, undefined, headers, false);
    expect([text, omitted]).toEqual([switchingProtocols(KEY, undefined, {}, false).text, Object.keys(headers)]);
    expect(switchingProtocols(KEY, 'chat', headers, false).text).toBe(switchingProtocols(KEY, 'chat', {}, false).text);
  });

  test('PROPERTY: padded it is exactly 1024 bytes, whatever the headers; unpadded it never splits', () => {
    const name = fc.oneof(fc.stringMatching(/^[A-Za-z-]{1,20}$/), fc.string({ maxLength: 5 }));
    const value = fc.oneof(fc.string({ maxLength: 400 }), fc.constantFrom('\r\n', 'x'.repeat(785), 'x'.repeat(786)));
    const protocol = fc.option(fc.stringMatching(/^[a-z.0-9]{1,300}$/), { nil: undefined });
    const seen = { kept: 0, omitted: 0 };
    fc.assert(
      fc.property(protocol, fc.dictionary(name, value, { maxKeys: 8 }), fc.boolean(), (chosen, headers, pad) => {
        const { text, omitted } = switchingProtocols(KEY, chosen, headers, pad);
        if (pad) expect(Buffer.byteLength(text, 'latin1')).toBe(1024);
        const lines = text.split('\r\n');
        expect(lines.splice(-2)).toEqual(['', '']);
        const kept = Object.entries(headers).filter(([key]) => !omitted.includes(key));
        const own = 4 + (chosen === undefined ? 0 : 1) + (pad ? 1 : 0);
        expect(lines).toHaveLength(own + kept.length);
        for (const [key, content] of kept) expect(lines).toContain(`${key}: ${content}`);
        for (const each of lines) expect(each).not.toMatch(/[\r\n]/);
        seen.kept += kept.length;
        seen.omitted += omitted.length;
      }),
      { numRuns: 500 },
    );
    expect(Math.min(seen.kept, seen.omitted)).toBeGreaterThan(50);
  });

  test('headers that would take a padded 101 over 1000 bytes are left out, those that fit are kept', () => {
    const bare = switchingProtocols(KEY, undefined, {}, false).text.length;
    const room = 1000 - bare - 'A: \r\n'.length;
    const fits = switchingProtocols(KEY, undefined, { A: 'x'.repeat(room) }, true);
    expect([fits.omitted, fits.text.length]).toEqual([[], 1024]);
    const over = switchingProtocols(KEY, undefined, { A: 'x'.repeat(room + 1), B: 'small' }, true);
    expect([over.omitted, over.text.length]).toEqual([['A'], 1024]);
    expect(over.text).toContain('B: small\r\n');
    expect(switchingProtocols(KEY, undefined, { A: 'x'.repeat(2000) }, false).omitted).toEqual([]);
  });
});

describe('refusalResponse', () => {
  test('is a complete response, its Content-Length in bytes', () => {
    const text = refusalResponse({ status: 403, text: 'nicht für „dich" 🙂', headers: { Allow: 'GET' } });
    const [head, body] = text.split('\r\n\r\n');
    expect(head.split('\r\n')).toEqual([
      'HTTP/1.1 403 Forbidden',
      'Allow: GET',
      'Content-Type: text/plain; charset=utf-8',
      `Content-Length: ${Buffer.byteLength('nicht für „dich" 🙂\n')}`,
      'Connection: close',
    ]);
    expect(Buffer.from(body, 'latin1').toString()).toBe('nicht für „dich" 🙂\n');
  });

  test.each([
    [400, 'Bad Request'],
    [401, 'Unauthorized'],
    [405, 'Method Not Allowed'],
    [408, 'Request Timeout'],
    [413, 'Content Too Large'],
    [414, 'URI Too Long'],
    [426, 'Upgrade Required'],
    [431, 'Request Header Fields Too Large'],
    [503, 'Service Unavailable'],
    [418, 'Refused'],
  ])('%d %s', (status, reason) => {
    expect(refusalResponse({ status, text: 'x' }).split('\r\n')[0]).toBe(`HTTP/1.1 ${status} ${reason}`);
  });
});
