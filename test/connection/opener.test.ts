import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { Route } from '../../src/connection/route.ts';
import { frame } from '../support/frames.ts';
import { inWords } from './bed.ts';
import { answer, gone, head, openerBed, READY, SCRIPT, type OpenerBed } from './openerbed.ts';

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['queueMicrotask', 'nextTick'] });
});
afterEach(() => {
  jest.useRealTimers();
});

describe('the three ways in', () => {
  test('a web client: 101 and ready in one write, whatever the chunks', () => {
    for (const size of [1, 7, 10_000]) {
      const bed = openerBed();
      const bytes = Buffer.concat([Buffer.from(head()), frame({ payload: 'early' })]);
      for (let at = 0; at < bytes.length; at += size) bed.socket.say(bytes.subarray(at, at + size));
      expect(bed.socket.writes).toHaveLength(2);
      const { head: text, words } = answer(bed.socket);
      expect(text).toContain('Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n');
      expect(words).toEqual([expect.stringMatching(READY), '{"opcode":"next","fyi":""}']);
      expect(bed.resource.names).toEqual(['onOpen', 'early']);
      gone(bed);
    }
  });

  test('a script client: 101 and ready of 1024 bytes each in one write; over TLS two writes without padding', () => {
    const plain = openerBed();
    plain.socket.say(head(SCRIPT));
    expect(plain.socket.writes.map(({ length }) => length)).toEqual([2048]);
    const bytes = plain.socket.writes[0];
    expect(bytes.toString('latin1', 1020, 1024)).toMatch(/-?\r\n\r\n$/);
    expect(inWords(bytes.subarray(1024))).toEqual([expect.stringMatching(READY)]);
    const tls = openerBed({ socket: { secure: true } });
    tls.socket.say(head(SCRIPT));
    expect(tls.socket.writes).toHaveLength(2);
    expect(tls.socket.writes[0].toString()).not.toContain('X-Pad');
    expect(inWords(tls.socket.writes[1])).toEqual([expect.stringMatching(READY)]);
    for (const bed of [plain, tls]) gone(bed);
  });

  test('a line client: ready in a line, its first messages along with the opening', () => {
    const bed = openerBed();
    bed.socket.say('GET /?ident=me\r\nfirst\nsec');
    bed.socket.say('ond\n');
    const lines = bed.socket.drop().toString().split('\n');
    expect(lines[0]).toMatch(READY);
    expect(lines.slice(1)).toEqual(['{"opcode":"next","fyi":""}', '{"opcode":"next","fyi":""}', '']);
    expect(bed.resource.names).toEqual(['onOpen', 'first', 'second']);
    const [client] = bed.context.registry.clients.values();
    expect([client.kind, client.scheme, client.ident, client.path, client.query.get('ident')]).toEqual([
      'tcp',
      'tcp',
      'me',
      '/',
      'me',
    ]);
    gone(bed);
  });

  test('without the dialog nothing is said first', () => {
    const route = { dialog: false };
    const web = openerBed({ route });
    web.socket.say(head());
    expect(answer(web.socket).words).toEqual([]);
    const line = openerBed({ route });
    line.socket.say('GET /\n');
    expect(line.socket.writes).toEqual([]);
    expect(line.resource.names).toEqual(['onOpen']);
    const script = openerBed({ route });
    script.socket.say(head(SCRIPT));
    expect(script.socket.writes.map(({ length }) => length)).toEqual([1024]);
  });

  test.each([
    [{}, { accepts: ['ws', 'wss', 'tcp', 'ssl'] }, 'ws'],
    [{ 'Client-Type': 'TCP' }, { accepts: ['ws', 'wss', 'tcp', 'ssl'] }, 'tcp'],
    [{ 'Client-Type': 'browser' }, { accepts: ['ws', 'wss', 'tcp', 'ssl'] }, 'ws'],
    [{}, { accepts: ['tcp', 'ssl'] }, 'tcp'],
    [{ 'Client-Type': 'browser' }, { accepts: ['tcp', 'ssl'] }, undefined],
    [{ Origin: '' }, { accepts: ['tcp', 'ssl'] }, 'tcp'],
    [{ ...SCRIPT, Origin: 'https://evil.example' }, { accepts: ['tcp', 'ssl'] }, 'tcp'],
  ])('a handshake with %j at %j is a client of scheme %s', (fields, { accepts }, scheme) => {
    const bed = openerBed({ route: { accepts: new Set(accepts) as Route['accepts'] } });
    bed.socket.say(head(fields));
    expect([...bed.context.registry.clients.values()].map((client) => client.scheme)).toEqual(
      scheme === undefined ? [] : [scheme],
    );
  });

  test('Ident names clients of kind tcp; web clients only with webIdent', () => {
    const ident = (fields: Record<string, string>, target: string, webIdent: boolean): string | undefined => {
      const bed = openerBed({ webIdent });
      bed.socket.say(head(fields, target));
      return [...bed.context.registry.clients.values()][0]?.ident;
    };
    expect(ident({ Ident: 'a' }, '/', false)).toBe('');
    expect(ident({ Ident: 'a' }, '/', true)).toBe('a');
    expect(ident({ ...SCRIPT, Ident: 'a' }, '/?ident=b', false)).toBe('a');
    expect(ident(SCRIPT, '/?ident=b', false)).toBe('b');
  });

  test('the subprotocol: the first offered, but websock.2 before all others', () => {
    const chosen = (offered: string): string | undefined => {
      const bed = openerBed();
      bed.socket.say(head({ 'Sec-WebSocket-Protocol': offered }));
      return /Sec-WebSocket-Protocol: (.*)\r\n/.exec(answer(bed.socket).head)?.[1];
    };
    expect([chosen('a, b'), chosen('b, websock.2'), chosen('websock.2')]).toEqual(['a', 'websock.2', 'websock.2']);
  });

  test('any other HTTP goes to the HTTP side with every byte that was read, and is counted until it ends', () => {
    const bed = openerBed();
    const request = 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbo';
    bed.socket.say(request.slice(0, 20), request.slice(20));
    expect(bed.socket.detached?.toString()).toBe(request);
    expect(bed.context.handed.map(({ peer }) => peer)).toMatchObject([{ id: 1, ip: '127.0.0.1', secure: false }]);
    expect([bed.context.live.size, bed.context.deadlines.size, bed.context.admission.count]).toEqual([0, 0, 1]);
    gone(bed);
  });
});

describe('refusals', () => {
  test.each([
    ['a wrong version', head({ 'Sec-WebSocket-Version': '8' }), 426, 'Sec-WebSocket-Version: 13\r\n'],
    ['no key', head({ 'Sec-WebSocket-Key': '' }), 400, 'must be 16 bytes'],
    ['a POST that upgrades', head().replace('GET', 'POST'), 405, 'Allow: GET\r\n'],
    ['a bad header', 'GET / HTTP/1.1\r\nbad\r\n\r\n', 400, 'header line 1'],
    ['a head too long', `GET / HTTP/1.1\r\nA: ${'x'.repeat(9000)}`, 431, 'longer than 8192 bytes'],
    ['a line too long', `GET /${'x'.repeat(9000)}`, 414, 'longer than 8192 bytes'],
    ['an origin not allowed', head({ Origin: 'https://evil.example' }), 403, 'pages of https://evil.example are not'],
  ])('%s', (_, request, status, text) => {
    const bed = openerBed();
    bed.socket.say(request);
    const response = bed.socket.drop().toString();
    expect(response).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(response).toContain(text);
    expect(response).toContain('Connection: close\r\n');
    expect(bed.socket.ended).toBe(true);
    // Whatever it still says is not heard; it has closeTimeout to go.
    bed.socket.say(head());
    expect([bed.socket.writes, bed.resource.calls]).toEqual([[], []]);
    jest.advanceTimersByTime(5_200);
    expect(bed.socket.destroyed).toBe(true);
    gone(bed);
  });

  test('what is neither HTTP nor a line client gets a close packet in a line', () => {
    const bed = openerBed();
    bed.socket.say('EHLO mail\r\n');
    expect(JSON.parse(bed.socket.drop().toString())).toMatchObject({ opcode: 'close' });
    expect(bed.socket.ended).toBe(true);
  });

  test('TLS on a listener for plain text is cut off, and the log says what to do', () => {
    const bed = openerBed();
    bed.socket.say(Buffer.from([0x16, 3, 1]));
    expect([bed.socket.destroyed, bed.socket.writes]).toEqual([true, []]);
    expect(bed.context.log.at('info')[0]).toContain('use wss://');
  });

  test('a browser at a resource for backends: 403, even with an allowed origin', () => {
    const bed = openerBed({ route: { accepts: new Set(['tcp', 'ssl']) } });
    bed.socket.say(head({ Origin: 'http://example.org' }));
    expect(bed.socket.drop().toString()).toMatch(/^HTTP\/1.1 403 [^]*\/ is not for browsers\n$/);
  });

  test('a backend from a strange address: 403, or 401 where there is a key', () => {
    for (const [key, start] of [
      ['', 'HTTP/1.1 403 '],
      ['secret', 'HTTP/1.1 401 '],
    ]) {
      const bed = openerBed({ socket: { ip: '192.0.2.9' }, access: { key } });
      bed.socket.say(head(SCRIPT));
      expect(bed.socket.drop().toString().startsWith(start)).toBe(true);
    }
    const line = openerBed({ socket: { ip: '192.0.2.9' }, access: { key: 'secret' } });
    line.socket.say('GET / Bearer wrong\n');
    expect(JSON.parse(line.socket.drop().toString())).toEqual({ opcode: 'close', error: 'the backend key is wrong' });
    const right = openerBed({ socket: { ip: '192.0.2.9' }, access: { key: 'secret' } });
    right.socket.say('GET / Bearer secret\n');
    expect(right.resource.names).toEqual(['onOpen']);
  });

  const missing = JSON.stringify({ opcode: 'close', error: 'no such resource: /none' });

  test('an unknown path: the opening is completed, the close packet stands for ready, Close 4404 and FIN follow', () => {
    const web = openerBed();
    web.socket.say(head({}, '/none'));
    expect(answer(web.socket).words).toEqual([missing, 'close 4404 no such resource: /none']);
    expect(web.socket.ended).toBe(true);
    const line = openerBed();
    line.socket.say('GET /none\n');
    expect(line.socket.drop().toString()).toBe(`${missing}\n`);
    expect(line.socket.ended).toBe(true);
    const script = openerBed();
    script.socket.say(head(SCRIPT, '/none'));
    expect(script.socket.writes.map(({ length }) => length)).toEqual([2048]);
    expect(inWords(script.socket.drop().subarray(1024))).toEqual([missing.padEnd(1020)]);
    expect(script.socket.ended).toBe(false);
    jest.advanceTimersByTime(100);
    expect(inWords(script.socket.drop())).toEqual(['close 4404 no such resource: /none']);
    expect(script.socket.ended).toBe(true);
    for (const bed of [web, line, script]) gone(bed);
  });

  test('a kind that the resource does not take is refused like an unknown path', () => {
    const bed = openerBed({ route: { accepts: new Set(['wss']) } });
    bed.socket.say(head());
    expect(answer(bed.socket).words[1]).toBe('close 4404 no such resource: /');
  });

  test('a long unknown path is cut: the padded first frame of a script client stays 1024 bytes', () => {
    const bed = openerBed();
    bed.socket.say(head(SCRIPT, `/${'"'.repeat(3000)}`));
    expect(bed.socket.writes.map(({ length }) => length)).toEqual([2048]);
    // And so it does with characters of two bytes.
    const umlauts = openerBed();
    umlauts.socket.say(head(SCRIPT, `/${'ä'.repeat(300)}`));
    expect(umlauts.socket.writes.map(({ length }) => length)).toEqual([2048]);
  });

  test('too many: in all 1013, from one address 4429', () => {
    const full = openerBed({ values: { maxClients: 0 } });
    full.socket.say(head());
    expect(answer(full.socket).words).toEqual([
      '{"opcode":"close","error":"Too many connections"}',
      'close 1013 Too many connections',
    ]);
    expect(full.context.limits.counters.maxClients).toBe(1);
    const first = openerBed({ values: { maxPerIP: 1 } });
    first.socket.say(head());
    const second = openerBed({ context: first.context });
    second.socket.say(head());
    expect(answer(second.socket).words[1]).toBe('close 4429 Too many connections from: 127.0.0.1');
    // When the first has gone, there is room.
    first.socket.reader.onClose(null);
    second.socket.reader.onClose(null);
    const third = openerBed({ context: first.context });
    third.socket.say(head());
    expect(answer(third.socket).words[0]).toMatch(READY);
  });

  test('behind a trusted proxy the client is counted and shown, not the proxy', () => {
    const bed = openerBed({
      socket: { ip: '10.0.0.1' },
      access: { trustedProxies: ['10.0.0.1'] },
      values: { maxPerIP: 1 },
    });
    bed.socket.say(head({ 'X-Forwarded-For': '192.0.2.9' }));
    expect([...bed.context.registry.clients.values()][0].ip).toBe('192.0.2.9');
    expect(bed.context.admission.refusal('10.0.0.1')).toBeNull();
    const other = openerBed({ context: bed.context, socket: { ip: '10.0.0.1' } });
    other.socket.say(head({ 'X-Forwarded-For': '192.0.2.9' }));
    expect(answer(other.socket).words[1]).toContain('close 4429');
    other.socket.reader.onClose(null);
    gone(bed);
  });

  test('who comes too fast is told so, whatever it asks for, and the log says it once', () => {
    const values = { connectRate: 1 };
    const ip = '192.0.2.9';
    const first = openerBed({ values, socket: { ip } });
    const { context } = first;
    for (let i = 0; i < 10; i++) expect(context.admission.arrive(ip)).toBeNull();
    const late = (): OpenerBed => openerBed({ context, socket: { ip }, over: context.admission.arrive(ip) });
    const text = 'more than 1 connections a second from one address';
    for (const request of [head(), 'POST / HTTP/1.1\r\nHost: x\r\n\r\n', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n']) {
      const { socket } = late();
      socket.say(request);
      const response = socket.drop().toString();
      expect(response).toMatch(/^HTTP\/1\.1 429 Too Many Requests\r\n[^]*Retry-After: 1\r\n/);
      expect(response.endsWith(`\r\n\r\n${text}\n`)).toBe(true);
      expect([socket.ended, context.handed]).toEqual([true, []]);
    }
    const line = late();
    line.socket.say('/\n');
    expect(line.socket.drop().toString()).toBe(`{"opcode":"close","error":"${text}"}\n`);
    expect(context.log.at('warn', 'info')).toEqual([`warn ${ip} refused: over [limits] connectRate: ${text}`]);
    expect(context.limits.counters.connectRate).toBe(4);
    expect(context.log.at('debug')).toContain(`debug #2 ${ip} / refused: 429 ${text}`);
  });

  test('in all too fast: 503', () => {
    const bed = openerBed({ over: 'connectRateAll' });
    bed.socket.say(head());
    expect(bed.socket.drop().toString()).toMatch(/^HTTP\/1\.1 503 Service Unavailable\r\n[^]*Retry-After: 1\r\n/);
  });

  test('behind a trusted proxy the client is slowed down, not the proxy', () => {
    const proxy = { ip: '10.0.0.1' };
    const first = openerBed({ socket: proxy, access: { trustedProxies: ['10.0.0.1'] }, values: { connectRate: 1 } });
    const { context } = first;
    const statusOf = (bed: OpenerBed, client: string): string => {
      bed.socket.say(head({ 'X-Forwarded-For': client }));
      return bed.socket.drop().toString().slice(9, 12);
    };
    const come = (client: string): string => {
      expect(context.admission.arrive(proxy.ip)).toBeNull();
      return statusOf(openerBed({ context, socket: proxy }), client);
    };
    expect(statusOf(first, '192.0.2.9')).toBe('101');
    for (let i = 1; i < 10; i++) expect(come('192.0.2.9')).toBe('101');
    expect(come('192.0.2.9')).toBe('429');
    expect(come('192.0.2.10')).toBe('101');
  });

  test('too many in a row from one address: the log says it once', () => {
    const { context } = openerBed({ values: { maxPerIP: 1 } });
    for (let i = 0; i < 3; i++) openerBed({ context }).socket.say(head());
    expect(context.log.at('warn')).toEqual(['warn #2 127.0.0.1 / refused: 4429 Too many connections from: 127.0.0.1']);
    expect(context.limits.counters.maxPerIP).toBe(3);
  });

  test('while the daemon stops: 503 for who comes, and for who is in the middle of its head', () => {
    const late = openerBed();
    late.context.draining = true;
    late.socket.say(head());
    expect(late.socket.drop().toString()).toMatch(/^HTTP\/1.1 503 [^]*Retry-After: 5\r\n/);
    const half = openerBed();
    half.socket.say('GET / HT');
    for (const each of half.context.waiting) each.stop(1001, 'x');
    expect(half.socket.drop().toString()).toMatch(/^HTTP\/1.1 503 /);
    const silent = openerBed();
    for (const each of silent.context.waiting) each.stop(1001, 'x');
    expect([silent.socket.destroyed, silent.socket.writes]).toEqual([true, []]);
  });
});

describe('who is too slow, or leaves', () => {
  test('headTimeout: 408', () => {
    const bed = openerBed({ values: { headTimeout: 2 } });
    bed.socket.say('GET / HTTP/1.1\r\n');
    jest.advanceTimersByTime(1_900);
    expect(bed.socket.writes).toEqual([]);
    jest.advanceTimersByTime(300);
    expect(bed.socket.drop().toString()).toMatch(/^HTTP\/1.1 408 [^]*no complete request within 2 s\n$/);
    expect(bed.context.limits.counters.headTimeout).toBe(1);
    gone(bed);
  });

  test('a FIN before the head is complete: FIN', () => {
    const bed = openerBed();
    bed.socket.say('GET / HTTP/1.1\r\n');
    bed.socket.reader.onEnd();
    expect([bed.socket.ended, bed.socket.writes]).toEqual([true, []]);
    gone(bed);
  });

  test('a line client that says everything and ends at once', () => {
    const bed = openerBed();
    bed.socket.say('GET /\nall');
    bed.socket.reader.onEnd();
    expect(bed.resource.names).toEqual(['onOpen', 'all', 'onClose']);
    gone(bed);
  });
});

test('socket IDs are counted up and never used again', () => {
  const first = openerBed();
  first.socket.say(head());
  first.socket.reader.onClose(null);
  const second = openerBed({ context: first.context });
  second.socket.say('GET /\n');
  expect([...first.context.registry.clients.keys()]).toEqual([2]);
});
