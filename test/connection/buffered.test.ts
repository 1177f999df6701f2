import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { Client } from '../../src/connection/client.ts';
import { settle } from '../support/fakes.ts';
import { frame } from '../support/frames.ts';
import { defer, NEXT, openBed } from './bed.ts';

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['queueMicrotask', 'nextTick'] });
});
afterEach(() => {
  jest.useRealTimers();
});

const echo = (client: Client, message: string | Buffer): undefined => void client.send(message);

describe('messages in pieces (PROTOCOL.md §4)', () => {
  test('every one of them gets a next; what the whole causes follows the next of bufferOFF', () => {
    const bed = openBed({ callbacks: { onData: echo } });
    for (const [text, heard] of [
      ['bufferONone ', [NEXT]],
      ['two ', [NEXT]],
      ['', [NEXT]],
      ['bufferON', [NEXT]],
      ['bufferOFF', [NEXT, 'one two bufferON']],
      ['after', ['after', NEXT]],
    ] as const) {
      bed.say(text);
      expect(bed.heard()).toEqual(heard);
    }
    expect(bed.resource.calls.slice(1)).toEqual([
      ['bufferON'],
      ['bufferOFF'],
      ['onData', 'one two bufferON', false, true],
      ['onData', 'after', false, false],
    ]);
  });

  test('all in one chunk', () => {
    const bed = openBed({ callbacks: { onData: echo } });
    const texts = ['before', 'bufferON', 'a', 'b', 'bufferOFF', 'after'];
    bed.socket.say(Buffer.concat(texts.map((payload) => frame({ payload }))));
    expect(bed.heard()).toEqual(['before', NEXT, NEXT, NEXT, NEXT, NEXT, 'ab', 'after', NEXT]);
  });

  test.each(['web', 'line'] as const)('cut inside characters, for a %s client', (way) => {
    const bed = openBed({ way, callbacks: { onData: echo } });
    const whole = Buffer.from('Größe 🙂 €');
    for (let at = 0; at <= whole.length; at++) {
      const parts = [
        Buffer.concat([Buffer.from('bufferON'), whole.subarray(0, at)]),
        whole.subarray(at),
        Buffer.from('bufferOFF'),
      ];
      for (const payload of parts) {
        bed.socket.say(way === 'line' ? Buffer.concat([payload, Buffer.from('\n')]) : frame({ payload }));
      }
      expect(bed.heard()).toEqual([NEXT, NEXT, NEXT, 'Größe 🙂 €']);
    }
  });

  test('the next of an async handler goes before what it sent, and what others sent meanwhile', async () => {
    const call = defer<{ delivered: number }>();
    const bed = openBed({
      callbacks: {
        onData: (client) => {
          client.send('first');
          return call.promise;
        },
      },
    });
    bed.say('bufferONx', 'bufferOFF');
    bed.heard();
    bed.connection.client.send('second');
    bed.socket.say(frame({ payload: 'waits' }));
    expect(bed.heard()).toEqual([]);
    call.resolve({ delivered: 1 });
    await settle();
    expect(bed.heard().slice(0, 3)).toEqual(['{"opcode":"next","fyi":"","delivered":1}', 'first', 'second']);
  });

  test('binary by its first piece, a text by its first piece', () => {
    const bed = openBed();
    bed.socket.say(
      frame({ op: 2, payload: 'bufferON\xff' }),
      frame({ op: 1, payload: 'a' }),
      frame({ payload: 'bufferOFF' }),
    );
    bed.socket.say(
      frame({ payload: 'bufferONx' }),
      frame({ op: 2, payload: 'b' }),
      frame({ op: 2, payload: 'bufferOFF' }),
    );
    const messages = bed.resource.calls.filter(([name]) => name === 'onData');
    expect(messages).toEqual([
      ['onData', Buffer.from('\xffa'), true, true],
      ['onData', 'xb', false, true],
    ]);
  });

  test('an empty whole is acknowledged and goes no further', () => {
    const bed = openBed();
    bed.say('bufferON', 'bufferOFF', 'x');
    expect(bed.heard()).toEqual([NEXT, NEXT, NEXT]);
    expect(bed.resource.names).toEqual(['onOpen', 'bufferON', 'bufferOFF', 'x']);
  });

  test('bufferOFF without bufferON is a message like any other, and so is bufferon', () => {
    const bed = openBed();
    bed.say('bufferOFF', 'bufferon');
    expect(bed.resource.names).toEqual(['onOpen', 'bufferOFF', 'bufferon']);
  });

  test('a whole that is not UTF-8: 1007; a text after it would have been checked again', () => {
    const bed = openBed();
    bed.socket.say(frame({ payload: Buffer.from('bufferON\xff', 'latin1') }), frame({ payload: 'bufferOFF' }));
    const text = 'the joined pieces of a text message are not UTF-8';
    expect(bed.heard()).toEqual([NEXT, `{"opcode":"close","error":"${text}"}`, `close 1007 ${text}`]);
    expect(bed.resource.names).toEqual(['onOpen', 'bufferON', 'onClose']);
    const other = openBed();
    other.say('bufferONx', 'bufferOFF');
    other.heard();
    other.socket.say(frame({ payload: Buffer.from('ff', 'hex') }));
    expect(other.heard().at(-1)).toBe('close 1007 a text message is not UTF-8');
  });

  test.each([
    ['maxBuffer', { maxBuffer: 10 }, ['bufferON12345', '67890', 'x'], 'a message in pieces of more than 10 bytes'],
    ['maxChunks', { maxChunks: 2 }, ['bufferONa', 'b', 'c'], 'a message of more than 2 pieces'],
    ['maxBuffer', { maxBuffer: 3 }, ['bufferON1234'], 'a message in pieces of more than 3 bytes'],
  ] as const)('over %s: 1009, without a next for the piece that was too much (%#)', (limit, values, texts, text) => {
    const bed = openBed({ values });
    bed.say(...texts);
    expect(bed.heard()).toEqual([
      ...texts.slice(1).map(() => NEXT),
      `{"opcode":"close","error":"${text}"}`,
      `close 1009 ${text}`,
    ]);
    expect(bed.context.limits.counters[limit]).toBe(1);
    expect(bed.resource.names).toEqual(['onOpen', 'bufferON', 'onClose']);
  });

  test('a close, and an error, in onOther(bufferON) ends it: no next', () => {
    const bed = openBed({ callbacks: { onOther: (client) => client.close(1000) } });
    bed.socket.say(Buffer.concat([frame({ payload: 'bufferONx' }), frame({ payload: 'y' })]));
    expect(bed.heard()).toEqual(['close 1000']);
    expect(bed.resource.names).toEqual(['onOpen', 'bufferON', 'onClose']);
  });
});

describe('script clients', () => {
  test('nothing goes between their message and its next: not what onData sends, not a pong, not a broadcast', async () => {
    const call = defer<undefined>();
    const bed = openBed({
      way: 'script',
      callbacks: {
        onData: (client) => {
          client.send('answer');
          return call.promise;
        },
      },
    });
    bed.say('a');
    bed.connection.client.send('news');
    jest.advanceTimersByTime(1000);
    expect(bed.heard()).toEqual([]);
    call.resolve(undefined);
    await settle();
    jest.advanceTimersByTime(1000);
    expect(bed.socket.writes).toHaveLength(3);
    expect(bed.heard()).toEqual([NEXT, 'answer', 'news']);
  });

  test('they are not pinged, and not reached by their uuid', () => {
    const bed = openBed({ way: 'script' });
    expect(bed.connection.client.ping()).toBe(false);
    expect(bed.context.registry.withUuid(bed.connection.uuid)).toBeUndefined();
    expect(bed.context.registry.clients.get(1)).toBe(bed.connection.client);
    expect(bed.context.registry.webClients('/').size).toBe(0);
  });

  test('a handler that fails: the close packet comes in place of the next', () => {
    const bed = openBed({
      way: 'script',
      callbacks: {
        onData: (client) => {
          client.send('never seen');
          throw new Error('boom');
        },
      },
    });
    bed.say('a');
    jest.advanceTimersByTime(1000);
    expect(bed.heard()).toEqual(['{"opcode":"close","error":"the resource failed"}', 'close 1011 the resource failed']);
    expect(bed.socket.ended).toBe(true);
  });

  test('quit in one: next, then Close', () => {
    const bed = openBed({ way: 'script', callbacks: { onData: (client) => client.close(1000) } });
    bed.say('a');
    jest.advanceTimersByTime(1000);
    expect(bed.heard()).toEqual([NEXT, 'close 1000']);
  });

  test('pieces are acknowledged one by one', () => {
    const bed = openBed({ way: 'script', callbacks: { onData: echo } });
    bed.socket.say(Buffer.concat(['bufferONa', 'b', 'bufferOFF'].map((payload) => frame({ payload }))));
    jest.advanceTimersByTime(1000);
    expect(bed.heard()).toEqual([NEXT, NEXT, NEXT, 'ab']);
  });

  test('the socket goes while frames wait: no timer is left', () => {
    const bed = openBed({ way: 'script' });
    for (const text of ['1', '2', '3']) bed.connection.client.send(text);
    bed.socket.reader.onClose(null);
    expect(jest.getTimerCount()).toBe(0);
  });
});
