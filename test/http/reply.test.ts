import { describe, expect, test } from '@jest/globals';
import type { ReplyOptions } from '../../src/connection/httprequest.ts';
import { type Reply, Responder } from '../../src/http/reply.ts';

/** What is passed on of an answer. */
function sent(body: unknown, options?: unknown): Reply {
  const replies: Reply[] = [];
  new Responder((reply) => replies.push(reply)).send(body as string, options as ReplyOptions);
  expect(replies).toHaveLength(1);
  return replies[0];
}

const nosniff = { 'x-content-type-options': 'nosniff' };

describe('send', () => {
  test.each<[unknown, unknown, Reply]>([
    ['<p>', undefined, { status: 200, type: 'text/html; charset=utf-8', headers: nosniff, body: '<p>' }],
    [undefined, { status: 404 }, { status: 404, type: 'text/html; charset=utf-8', headers: nosniff, body: '' }],
    [
      Buffer.from('ab'),
      {},
      { status: 200, type: 'application/octet-stream', headers: nosniff, body: Buffer.from('ab') },
    ],
    [
      '{}',
      { status: 201, type: 'application/json', headers: { 'X-A': 'b', 'Set-Cookie': ['a=1', 'b=2'] } },
      {
        status: 201,
        type: 'application/json',
        headers: { ...nosniff, 'x-a': 'b', 'set-cookie': ['a=1', 'b=2'] },
        body: '{}',
      },
    ],
    ['', { status: 204 }, { status: 204, type: null, headers: nosniff, body: '' }],
    [
      undefined,
      { status: 304, headers: { ETag: '"x"' } },
      { status: 304, type: null, headers: { ...nosniff, etag: '"x"' }, body: '' },
    ],
    [
      'a',
      { headers: { 'x-content-type-options': 'sniff' } },
      { status: 200, type: 'text/html; charset=utf-8', headers: nosniff, body: 'a' },
    ],
  ])('of %j with %j', (body, options, reply) => {
    const { headers, ...rest } = sent(body, options);
    expect({ ...rest, headers: { ...headers } }).toEqual(reply);
  });

  test.each<[unknown, unknown, string]>([
    [{ a: 1 }, {}, 'send takes a string or a Buffer; for JSON: JSON.stringify, and type application/json'],
    [null, {}, 'send takes a string or a Buffer; for JSON: JSON.stringify, and type application/json'],
    ['', { status: 199 }, 'status 199 may not be sent: use 200 to 599'],
    ['', { status: 600 }, 'status 600 may not be sent: use 200 to 599'],
    ['', { status: '200' }, 'status 200 may not be sent: use 200 to 599'],
    ['a', { status: 204 }, 'status 204 has no body'],
    ['a', { type: 'text/plain\r\nX: y' }, 'Invalid character in header content ["content-type"]'],
    ['a', { headers: { 'X-A': 'b\r\nX: y' } }, 'Invalid character in header content ["X-A"]'],
    ['a', { headers: { 'X-A': ['b', 'c\n'] } }, 'Invalid character in header content ["X-A"]'],
    ['a', { headers: { 'X A': 'b' } }, 'Header name must be a valid HTTP token ["X A"]'],
    ['a', { headers: { 'X-A': 1 } }, 'the header X-A is number: give a string, or a list of them'],
    ['a', { headers: { 'Content-Length': '7' } }, "the header Content-Length is the daemon's to send"],
    ['a', { headers: { connection: 'close' } }, "the header connection is the daemon's to send"],
    [
      'a',
      { headers: { 'Content-Type': 'text/css' } },
      "the header Content-Type is the daemon's to send: give it as type",
    ],
  ])('cannot be of %j with %j, and nothing is sent', (body, options, message) => {
    const response = new Responder(() => expect('this').toBe('not passed on'));
    expect(() => response.send(body as string, options as ReplyOptions)).toThrow(message);
    expect(response.sent).toBe(false);
  });

  test('comes once', () => {
    const replies: Reply[] = [];
    const response = new Responder((reply) => replies.push(reply));
    expect(response.sent).toBe(false);
    response.send('a');
    expect(response.sent).toBe(true);
    expect(() => response.send('b')).toThrow('the request was answered already');
    expect(replies.map(({ body }) => body)).toEqual(['a']);
  });
});

describe('what onRequest returns', () => {
  const finish = (returned: unknown): unknown[] => {
    const bodies: unknown[] = [];
    return [new Responder(({ body }) => bodies.push(body)).finish(returned), ...bodies];
  };

  test('a text or bytes are sent, and nothing leaves the request unanswered', () => {
    expect(['a', '', Buffer.from('b'), undefined, null].map(finish)).toEqual([
      [true, 'a'],
      [true, ''],
      [true, Buffer.from('b')],
      [false],
      [false],
    ]);
  });

  test.each([{ status: 200 }, true, 7, ['a']])('%j is no answer', (returned) => {
    expect(() => finish(returned)).toThrow(
      `onRequest returned ${typeof returned}: return a string, a Buffer or nothing, or call response.send`,
    );
  });

  test('nothing, after send: it is answered', () => {
    const response = new Responder(() => undefined);
    response.send('a');
    expect(response.finish(undefined)).toBe(true);
    expect(() => response.finish('b')).toThrow('answered already');
  });
});
