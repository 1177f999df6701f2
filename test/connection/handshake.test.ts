import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { HandshakeAnswer, HandshakeRequest } from '../../src/connection/route.ts';
import { settle } from '../support/fakes.ts';
import { defer } from './bed.ts';
import { answer, gone, head, type OpenerBed, openerBed, type OpenerBedOptions } from './openerbed.ts';

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['queueMicrotask', 'nextTick'] });
});
afterEach(() => {
  jest.useRealTimers();
});

describe('onHandshake', () => {
  const ask = (reply: () => HandshakeAnswer | Promise<HandshakeAnswer>, options: OpenerBedOptions = {}): OpenerBed =>
    openerBed({ ...options, callbacks: { ...options.callbacks, onHandshake: reply } });

  test('learns who asks', () => {
    const requests: HandshakeRequest[] = [];
    const bed = openerBed({ callbacks: { onHandshake: (request) => void requests.push(request) } });
    bed.socket.say(head({ 'Sec-WebSocket-Protocol': 'a, b', Cookie: 'c=1' }, '/?x=1'));
    expect(requests).toHaveLength(1);
    const [{ path, ip, kind, scheme, protocols, headers, query }] = requests;
    expect([path, ip, kind, scheme, protocols, headers.cookie, query.get('x')]).toEqual([
      '/',
      '127.0.0.1',
      'websocket',
      'ws',
      ['a', 'b'],
      'c=1',
      '1',
    ]);
  });

  test('may add headers, a protocol, an ident and data', () => {
    const bed = ask(() => ({ headers: { 'X-A': 'b', 'X-Bad': 'c\r\nd' }, protocol: 'b', ident: 'me', data: { n: 1 } }));
    bed.socket.say(head({ 'Sec-WebSocket-Protocol': 'a, b' }));
    const { head: text } = answer(bed.socket);
    expect(text).toContain('Sec-WebSocket-Protocol: b\r\nX-A: b\r\n');
    expect(text).not.toContain('X-Bad');
    expect(bed.context.log.at('warn')[0]).toContain('X-Bad');
    const [client] = bed.context.registry.clients.values();
    expect([client.ident, client.data]).toEqual(['me', { n: 1 }]);
  });

  test('what comes while it is asked waits, a FIN too', async () => {
    const reply = defer<undefined>();
    const bed = ask(() => reply.promise);
    bed.socket.say('GET /\none\n');
    bed.socket.say('two\nlast');
    bed.socket.reader.onEnd();
    expect([bed.socket.paused, bed.socket.writes, bed.resource.names]).toEqual([true, [], []]);
    reply.resolve(undefined);
    await settle();
    expect(bed.resource.names).toEqual(['onOpen', 'one', 'two', 'last', 'onClose']);
    gone(bed);
  });

  test.each([
    [{ status: 403, body: ' not\r\nyou ' }, 403, 'not\\x0d\\x0ayou\n'],
    [{ status: 401 }, 401, 'refused by the resource\n'],
    [{ status: 599, body: '' }, 599, '\n'],
  ])('may refuse: %j', async (reply, status, body) => {
    for (const each of [() => reply, () => Promise.resolve(reply)]) {
      const bed = ask(each);
      bed.socket.say(head());
      // oxlint-disable-next-line no-await-in-loop
      await settle();
      const response = bed.socket.drop().toString();
      expect(response).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
      expect(response.split('\r\n\r\n')[1]).toBe(body);
      expect(bed.resource.calls).toEqual([]);
      gone(bed);
    }
  });

  test.each([
    [
      'throws',
      () => {
        throw new Error('boom');
      },
    ],
    ['rejects', () => Promise.reject(new Error('boom'))],
    ['answers status 200', () => ({ status: 200 })],
    ['answers a status that is no number', () => ({ status: '403' })],
    ['answers a body that is no string', () => ({ status: 403, body: { why: 1 } })],
    ['answers such a body later', () => Promise.resolve({ status: 403, body: 5 })],
    ['answers an ident that is no string', () => ({ ident: 5 })],
  ])('%s: 500, and the log says why', async (_, reply) => {
    const bed = ask(reply as () => HandshakeAnswer);
    bed.socket.say(head());
    await settle();
    expect(bed.socket.drop().toString()).toMatch(/^HTTP\/1.1 500 [^]*the resource failed\n$/);
    expect(bed.context.log.at('error')[0]).toMatch(/onHandshake (?:failed: boom|.*answered)/);
    gone(bed);
  });

  test('takes longer than handlerTimeout: 503; its late answer lets nobody in', async () => {
    const reply = defer<undefined>();
    const bed = ask(() => reply.promise, { values: { handlerTimeout: 2 } });
    bed.socket.say(head());
    jest.advanceTimersByTime(2_200);
    expect(bed.socket.drop().toString()).toMatch(/^HTTP\/1.1 503 /);
    reply.resolve(undefined);
    await settle();
    expect([bed.socket.writes, bed.resource.calls]).toEqual([[], []]);
    gone(bed);
  });

  test('answers when the client has gone: nobody is let in, nothing is left', async () => {
    for (const end of ['resolve', 'reject'] as const) {
      const reply = defer<undefined>();
      const bed = ask(() => reply.promise);
      bed.socket.say(head());
      gone(bed);
      if (end === 'resolve') reply.resolve(undefined);
      else reply.reject(new Error('late'));
      // oxlint-disable-next-line no-await-in-loop
      await settle();
      expect([bed.socket.writes, bed.resource.calls]).toEqual([[], []]);
      expect([bed.context.live.size, bed.context.registry.clients.size]).toEqual([0, 0]);
    }
  });
});
