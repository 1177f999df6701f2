import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { Client } from '../../src/connection/client.ts';
import { settle } from '../support/fakes.ts';
import { clientClose, frame, hex } from '../support/frames.ts';
import { defer, NEXT, openBed } from './bed.ts';

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['queueMicrotask', 'nextTick'] });
});
afterEach(() => {
  jest.useRealTimers();
});

const echo = (client: Client, message: string | Buffer): undefined => void client.send(message);

describe('messages', () => {
  test('each is handed over and gets its next after what it caused; a chunk is answered in one write', () => {
    const bed = openBed({ callbacks: { onData: echo } });
    bed.socket.say(Buffer.concat(['one', 'zwölf', '🙂'].map((payload) => frame({ payload }))));
    expect(bed.socket.writes).toHaveLength(1);
    expect(bed.heard()).toEqual(['one', NEXT, 'zwölf', NEXT, '🙂', NEXT]);
    expect(bed.resource.calls).toEqual([
      ['onOpen', 1],
      ['onData', 'one', false, false],
      ['onData', 'zwölf', false, false],
      ['onData', '🙂', false, false],
    ]);
  });

  test('onOpen goes before a message that came with the handshake, its sending before the first next', () => {
    const bed = openBed({
      callbacks: { onOpen: (client) => client.send('hello'), onData: echo },
      rest: frame({ payload: 'early' }),
    });
    expect(bed.resource.names).toEqual(['onOpen', 'early']);
    expect(bed.socket.writes).toHaveLength(1);
    expect(bed.heard()).toEqual(['hello', 'early', NEXT]);
  });

  test('what onData returns is added to the next', () => {
    const answers: unknown[] = [{ delivered: 2 }, { opcode: 'close', error: 'x' }, undefined, null, 5, 'text', true];
    const bed = openBed({ callbacks: { onData: () => answers.shift() as never } });
    bed.say('1', '2', '3', '4', '5', '6', '7');
    expect(bed.heard()).toEqual([
      '{"opcode":"next","fyi":"","delivered":2}',
      '{"opcode":"next","fyi":"","error":"x"}',
      ...Array.from({ length: 5 }, () => NEXT),
    ]);
  });

  test('an empty message is acknowledged and goes no further', () => {
    const bed = openBed({ callbacks: { onData: echo } });
    bed.say('');
    bed.socket.say(frame({ op: 2 }));
    expect(bed.heard()).toEqual([NEXT, NEXT]);
    expect(bed.resource.names).toEqual(['onOpen']);
  });

  test('binary messages come as Buffers of their own, text as the route says', () => {
    const kept: Buffer[] = [];
    const callbacks = { onData: (_: Client, message: string | Buffer) => void kept.push(message as Buffer) };
    const chunk = frame({ op: 2, payload: 'bytes' });
    const bed = openBed({ callbacks });
    bed.socket.reader.onBytes(chunk);
    chunk.fill(0xff);
    expect([kept[0].toString(), bed.resource.calls[1].slice(2)]).toEqual(['bytes', [true, false]]);
    const asBuffer = openBed({ callbacks, route: { textAsBuffer: true } });
    const text = frame({ payload: 'Größe' });
    asBuffer.socket.reader.onBytes(text);
    text.fill(0xff);
    expect([kept[1].toString(), asBuffer.resource.calls[1].slice(2)]).toEqual(['Größe', [false, false]]);
    const borrowed = openBed({ callbacks, route: { borrowed: true } });
    const lent = frame({ op: 2, payload: 'lent' });
    borrowed.socket.reader.onBytes(lent);
    lent.fill(0xff);
    expect(kept[2]).toEqual(Buffer.alloc(4, 0xff));
  });

  test('without the dialog there is no next, no bufferON, and empty messages are messages', () => {
    const bed = openBed({ callbacks: { onData: echo }, route: { dialog: false } });
    bed.say('bufferON x', '', 'bufferOFF');
    expect(bed.heard()).toEqual(['bufferON x', '', 'bufferOFF']);
  });

  test('4,000 in one chunk come back in order', () => {
    const bed = openBed({ callbacks: { onData: echo } });
    const texts = Array.from({ length: 4_000 }, (_, i) => `message ${i}`);
    bed.socket.say(Buffer.concat(texts.map((payload) => frame({ payload }))));
    expect(bed.heard()).toEqual(texts.flatMap((text) => [text, NEXT]));
  });
});

describe('an onData that returns a promise', () => {
  test('holds the next message and pauses the reading, until it has settled', async () => {
    const calls = [defer<undefined>(), defer<undefined>()];
    const seen: unknown[] = [];
    const bed = openBed({
      callbacks: {
        onData: (_, message) => {
          seen.push(message);
          return calls[seen.length - 1]?.promise;
        },
      },
    });
    bed.socket.say(Buffer.concat(['a', 'b', 'c'].map((payload) => frame({ payload }))));
    expect([seen, bed.socket.paused, bed.heard()]).toEqual([['a'], true, []]);
    // What the kernel had already handed over waits as well.
    bed.say('d');
    expect(seen).toEqual(['a']);
    calls[0].resolve(undefined);
    await settle();
    expect([seen, bed.socket.paused, bed.heard()]).toEqual([['a', 'b'], true, [NEXT]]);
    calls[1].resolve(undefined);
    await settle();
    expect([seen, bed.socket.paused, bed.heard()]).toEqual([['a', 'b', 'c', 'd'], false, [NEXT, NEXT, NEXT]]);
    expect(bed.context.deadlines.size).toBe(0);
  });

  test('what it resolves to is added to the next; what it sends meanwhile goes at once', async () => {
    const call = defer<{ delivered: number }>();
    let client: Client | undefined;
    const bed = openBed({
      callbacks: {
        onData: (self) => {
          client = self;
          return call.promise;
        },
      },
    });
    bed.say('a');
    client?.send('progress');
    expect(bed.heard()).toEqual(['progress']);
    call.resolve({ delivered: 0 });
    await settle();
    expect(bed.heard()).toEqual(['{"opcode":"next","fyi":"","delivered":0}']);
  });

  test('handlerTimeout closes its client with 1011; what comes of it later changes nothing', async () => {
    for (const late of ['resolve', 'reject'] as const) {
      const call = defer<undefined>();
      const bed = openBed({ callbacks: { onData: () => call.promise }, values: { handlerTimeout: 7 } });
      bed.say('a', 'b');
      jest.advanceTimersByTime(6_900);
      expect(bed.heard()).toEqual([]);
      jest.advanceTimersByTime(300);
      const text = 'the resource took longer than 7 s';
      expect(bed.heard()).toEqual([`{"opcode":"close","error":"${text}"}`, `close 1011 ${text}`]);
      expect([bed.socket.ended, bed.socket.paused]).toEqual([true, false]);
      expect(bed.context.limits.counters.handlerTimeout).toBe(1);
      if (late === 'resolve') call.resolve(undefined);
      else call.reject(new Error('too late'));
      // oxlint-disable-next-line no-await-in-loop
      await settle();
      expect(bed.heard()).toEqual([]);
      expect(bed.resource.names).toEqual(['onOpen', 'a', 'onClose']);
      expect(bed.context.log.at('error').filter((line) => line.includes('too late'))).toHaveLength(
        late === 'reject' ? 1 : 0,
      );
    }
  });

  test('a client that leaves meanwhile hears of nothing; a late rejection is logged', async () => {
    const call = defer<undefined>();
    const bed = openBed({ callbacks: { onData: () => call.promise } });
    bed.say('a');
    bed.socket.reader.onClose(null);
    call.reject(new Error('nobody is there'));
    await settle();
    expect(bed.resource.names).toEqual(['onOpen', 'a', 'onClose']);
    expect(bed.context.log.at('error')).toHaveLength(1);
    expect(bed.context.log.at('error')[0]).toContain('onData failed, its client was closed already: nobody is there');
    expect(bed.context.deadlines.size).toBe(0);
  });
});

describe('an onOpen that returns a promise', () => {
  test('holds the messages that came with the handshake', async () => {
    const call = defer();
    const bed = openBed({ callbacks: { onOpen: () => call.promise, onData: echo }, rest: frame({ payload: 'early' }) });
    bed.say('later');
    expect([bed.resource.names, bed.socket.paused]).toEqual([['onOpen'], true]);
    call.resolve();
    await settle();
    expect(bed.heard()).toEqual(['early', NEXT, 'later', NEXT]);
    expect(bed.socket.paused).toBe(false);
  });

  test('a rejection closes the client with 1011, nothing of it is handled', async () => {
    const bed = openBed({
      callbacks: { onOpen: () => Promise.reject(new Error('no')) },
      rest: frame({ payload: 'x' }),
    });
    await settle();
    expect(bed.resource.names).toEqual(['onOpen', 'onError', 'onClose']);
    expect(bed.heard()).toEqual(['{"opcode":"close","error":"the resource failed"}', 'close 1011 the resource failed']);
  });
});

describe('ping, pong and other notices', () => {
  test('a ping is answered with its payload, and told; a pong is told', () => {
    const bed = openBed();
    bed.socket.say(frame({ op: 9, payload: 'p1' }), frame({ op: 10, payload: 'p2' }));
    expect(bed.heard()).toEqual(['pong p1']);
    expect(bed.resource.calls.slice(1)).toEqual([
      ['ping', 'p1'],
      ['pong', 'p2'],
    ]);
  });

  test('client.ping sends one', () => {
    const bed = openBed();
    expect(bed.connection.client.ping('hi')).toBe(true);
    expect(bed.heard()).toEqual(['ping hi']);
    expect(() => bed.connection.client.ping('x'.repeat(126))).toThrow(RangeError);
    const line = openBed({ way: 'line' });
    expect(line.connection.client.ping('hi')).toBe(false);
    expect(line.socket.writes).toEqual([]);
  });

  test('drain is told when everything has been taken', () => {
    const bed = openBed();
    bed.socket.blocked = true;
    bed.connection.client.send('x'.repeat(1000));
    expect(bed.connection.client.bufferedAmount).toBe(1004);
    bed.socket.read(1004);
    expect(bed.resource.names).toEqual(['onOpen', 'drain']);
    expect(bed.connection.client.bufferedAmount).toBe(0);
  });
});

describe('a client that does not read', () => {
  test('is read no more while over half of its queue waits, and goes on where it was', () => {
    const bed = openBed({ callbacks: { onData: echo }, values: { sendQueue: 2000 } });
    bed.socket.blocked = true;
    const big = 'x'.repeat(1500);
    bed.socket.say(frame({ payload: big }));
    expect([bed.resource.names.length, bed.socket.paused]).toEqual([2, true]);
    bed.socket.say(Buffer.concat([frame({ payload: 'b' }), frame({ payload: 'c' })]));
    bed.socket.blocked = false;
    bed.socket.read(10_000);
    expect(bed.socket.paused).toBe(false);
    expect(bed.heard()).toEqual([big, NEXT, 'b', NEXT, 'c', NEXT]);
  });

  test('is closed with 1013 when more than sendQueue was waiting before a message', () => {
    const bed = openBed({ values: { sendQueue: 1000 } });
    bed.socket.blocked = true;
    const { client } = bed.connection;
    expect(client.send('x'.repeat(3000))).toBe(true);
    expect(client.send('y')).toBe(false);
    expect(client.send('z')).toBe(false);
    expect(bed.heard().slice(1)).toEqual([
      '{"opcode":"close","error":"too slow to read: more than 1000 bytes were waiting"}',
      'close 1013 too slow to read: more than 1000 bytes were waiting',
    ]);
    expect(bed.resource.calls.at(-1)).toEqual(['onClose', 1013, 'too slow to read: more than 1000 bytes were waiting']);
    expect(bed.context.limits.counters.sendQueue).toBe(1);
    expect(bed.context.log.at('warn')).toHaveLength(1);
  });

  test('is closed with 1013 when it has taken nothing for writeTimeout, and destroyed after closeTimeout', () => {
    const bed = openBed({ values: { writeTimeout: 3, closeTimeout: 2 } });
    bed.socket.blocked = true;
    bed.connection.client.send('x'.repeat(100));
    jest.advanceTimersByTime(3_200);
    expect(bed.resource.calls.at(-1)?.slice(0, 2)).toEqual(['onClose', 1013]);
    expect([bed.socket.ended, bed.socket.destroyed]).toEqual([true, false]);
    jest.advanceTimersByTime(2_200);
    expect(bed.socket.destroyed).toBe(true);
  });
});

describe('faults of the client', () => {
  test.each([
    ['an unmasked frame', hex('81 01 41'), 1002, 'a frame from a client is not masked'],
    ['text that is not UTF-8', frame({ payload: hex('ff') }), 1007, 'a text message is not UTF-8'],
    [
      'a message too large',
      frame({ payload: 'x'.repeat(100_001) }).subarray(0, 20),
      1009,
      'a message of more than 100000 bytes',
    ],
  ])('%s', (_, bytes, code, text) => {
    const bed = openBed();
    bed.socket.say(frame({ payload: 'good' }), bytes, frame({ payload: 'later' }));
    const [next, packet, close, ...rest] = bed.heard();
    expect([next, JSON.parse(packet).opcode, rest]).toEqual([NEXT, 'close', []]);
    expect(JSON.parse(packet).error).toContain(text);
    expect(close).toContain(`close ${code} ${text}`);
    expect(bed.resource.names).toEqual(['onOpen', 'good', 'onClose']);
    expect(bed.socket.ended).toBe(true);
  });

  test('the peer leaves in the middle of a Close frame', () => {
    const bed = openBed();
    bed.socket.say(clientClose(1000).subarray(0, 3));
    bed.socket.reader.onEnd();
    expect(bed.heard()).toEqual(['close 1000 the client ended without a Close frame']);
    expect(bed.resource.calls.at(-1)).toEqual(['onClose', 1006, 'the client ended without a Close frame']);
  });
});
