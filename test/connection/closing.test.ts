import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { WebsockError } from '../../src/errors.ts';
import { settle } from '../support/fakes.ts';
import { clientClose, frame } from '../support/frames.ts';
import { type Bed, defer, NEXT, openBed } from './bed.ts';

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['queueMicrotask', 'nextTick'] });
});
afterEach(() => {
  jest.useRealTimers();
});

/** Nothing is left of a connection whose socket has gone. */
function expectNothingLeft({ connection, socket, context }: Bed): void {
  socket.reader.onClose(null);
  expect([context.deadlines.size, context.live.size, context.registry.clients.size]).toEqual([0, 0, 0]);
  expect(context.admission.count).toBe(0);
  expect(context.registry.withUuid(connection.uuid)).toBeUndefined();
}

const packet = (error: string): string => JSON.stringify({ opcode: 'close', error });
const closes = (bed: Bed): unknown[][] => bed.resource.calls.filter(([name]) => name === 'onClose');

describe('client.close()', () => {
  test('with 1000: a Close frame, no packet, the FIN, and onClose', () => {
    const bed = openBed();
    bed.connection.client.close();
    expect(bed.heard()).toEqual(['close 1000']);
    expect([bed.socket.ended, closes(bed)]).toEqual([true, [['onClose', 1000, '']]]);
    expectNothingLeft(bed);
    expect(closes(bed)).toHaveLength(1);
  });

  test('with another code: the packet with the reason, or what the code means, first', () => {
    const named = openBed();
    named.connection.client.close(1008, 'not you');
    expect(named.heard()).toEqual([packet('not you'), 'close 1008 not you']);
    const bare = openBed();
    bare.connection.client.close(1001);
    expect(bare.heard()).toEqual([packet('daemon stopping'), 'close 1001']);
    const own = openBed();
    own.connection.client.close(4000);
    expect(own.heard()).toEqual([packet('code 4000'), 'close 4000']);
    const plain = openBed({ route: { dialog: false } });
    plain.connection.client.close(1008, 'not you');
    expect(plain.heard()).toEqual(['close 1008 not you']);
  });

  test('a line client gets the packet and the FIN', () => {
    const bed = openBed({ way: 'line' });
    bed.connection.client.close(1008, 'not\nyou');
    expect(bed.heard()).toEqual([packet('not\nyou')]);
    expect(bed.socket.ended).toBe(true);
  });

  test.each([0, 999, 1004, 1005, 1006, 1014, 1015, 2999, 5000, 1000.5, Number.NaN])(
    'code %d cannot be sent',
    (code) => {
      const bed = openBed();
      expect(() => bed.connection.client.close(code)).toThrow(RangeError);
      expect([bed.heard(), bed.socket.ended]).toEqual([[], false]);
    },
  );

  test('inside onData: the next goes first, and nothing more is handled', () => {
    const bed = openBed({
      callbacks: {
        onData: (client) => {
          client.close(1000, 'done');
          client.send('last words');
        },
      },
    });
    bed.socket.say(Buffer.concat(['a', 'b'].map((payload) => frame({ payload }))));
    expect(bed.heard()).toEqual(['last words', NEXT, 'close 1000 done']);
    expect(bed.resource.names).toEqual(['onOpen', 'a', 'onClose']);
    expect(bed.connection.client.send('late')).toBe(false);
  });

  test('inside an async onData: the promise ends first, then next, then the Close frame', async () => {
    const call = defer<undefined>();
    const bed = openBed({
      callbacks: {
        onData: async (client) => {
          client.close(1000);
          await call.promise;
          client.send('last words');
        },
      },
    });
    bed.say('a');
    bed.socket.say(frame({ payload: 'b' }));
    expect([bed.heard(), closes(bed)]).toEqual([[], []]);
    call.resolve(undefined);
    await settle();
    expect(bed.heard()).toEqual(['last words', NEXT, 'close 1000']);
    expect(bed.resource.names).toEqual(['onOpen', 'a', 'onClose']);
    expectNothingLeft(bed);
  });

  test('from outside, while a handler is in flight: it ends first', async () => {
    const call = defer<undefined>();
    const bed = openBed({ callbacks: { onData: () => call.promise } });
    bed.say('a');
    bed.connection.stop(1001, 'daemon stopping');
    bed.connection.stop(1012, 'only the first counts');
    expect(bed.heard()).toEqual([]);
    call.resolve(undefined);
    await settle();
    expect(bed.heard()).toEqual([NEXT, packet('daemon stopping'), 'close 1001 daemon stopping']);
  });

  test('a handler that does not end is not waited for longer than handlerTimeout', () => {
    const bed = openBed({
      callbacks: { onData: () => new Promise<undefined>(() => {}) },
      values: { handlerTimeout: 2 },
    });
    bed.say('a');
    bed.connection.client.close(1000);
    jest.advanceTimersByTime(2_200);
    expect(bed.heard().at(-1)).toBe('close 1011 the resource took longer than 2 s');
    expectNothingLeft(bed);
  });

  test('inside onOpen: nothing of the client is handled', () => {
    const bed = openBed({ callbacks: { onOpen: (client) => client.close(1000) }, rest: frame({ payload: 'early' }) });
    expect(bed.heard()).toEqual(['close 1000']);
    expect(bed.resource.names).toEqual(['onOpen', 'onClose']);
  });

  test('inside onOther and onClose it does no harm', () => {
    const bed = openBed({
      callbacks: { onOther: (client) => client.close(1000), onClose: (client) => client.close(1000) },
    });
    bed.socket.say(frame({ op: 9 }));
    expect(bed.heard()).toEqual(['pong ', 'close 1000']);
    expect(closes(bed)).toHaveLength(1);
  });

  test('a peer that does not leave in closeTimeout is destroyed; what it says meanwhile is thrown away', () => {
    const bed = openBed({ values: { closeTimeout: 3 } });
    bed.connection.client.close();
    bed.say('ignored');
    jest.advanceTimersByTime(2_900);
    expect(bed.socket.destroyed).toBe(false);
    jest.advanceTimersByTime(300);
    expect(bed.socket.destroyed).toBe(true);
    expect(bed.resource.names).toEqual(['onOpen', 'onClose']);
    expectNothingLeft(bed);
  });

  test('an async handler of a client that was closed for not reading does not give it more time to leave', () => {
    const bed = openBed({
      callbacks: {
        onData: async (client) => {
          client.send('x'.repeat(5000));
          client.send('y');
          await new Promise<never>(() => {});
        },
      },
      values: { sendQueue: 1000, closeTimeout: 3, handlerTimeout: 60 },
    });
    bed.socket.blocked = true;
    bed.say('a');
    expect(closes(bed)).toHaveLength(1);
    jest.advanceTimersByTime(3_200);
    expect(bed.socket.destroyed).toBe(true);
  });
});

describe('what a callback throws', () => {
  const boom = (): never => {
    throw new Error('boom');
  };
  const failed = [packet('the resource failed'), 'close 1011 the resource failed'];

  test('in onData: onError, then the packet and Close 1011 without a next, then onClose', () => {
    const bed = openBed({ callbacks: { onData: boom } });
    bed.socket.say(Buffer.concat(['a', 'b'].map((payload) => frame({ payload }))));
    expect(bed.heard()).toEqual(failed);
    expect(bed.resource.calls.slice(1)).toEqual([
      ['onData', 'a', false, false],
      ['onError', 'boom'],
      ['onClose', 1011, 'the resource failed'],
    ]);
    expect(bed.context.log.at('error')[0]).toMatch(
      /#1 192\.0\.2\.7 \/: the resource failed: boom \(at .*closing\.test/,
    );
    expectNothingLeft(bed);
  });

  test('in onData, as a rejection', async () => {
    const bed = openBed({ callbacks: { onData: () => Promise.reject(new Error('boom')) } });
    bed.say('a');
    await settle();
    expect(bed.heard()).toEqual(failed);
    expect(bed.resource.names).toEqual(['onOpen', 'a', 'onError', 'onClose']);
  });

  test('in onOpen and in onOther, at once and later', async () => {
    const rejects = (): Promise<never> => Promise.reject(new Error('boom'));
    for (const callbacks of [{ onOpen: boom }, { onOpen: rejects }, { onOther: boom }, { onOther: rejects }]) {
      const bed = openBed({ callbacks });
      bed.socket.say(frame({ op: 10 }));
      // oxlint-disable-next-line no-await-in-loop
      await settle();
      expect(bed.heard()).toEqual(failed);
      expect(bed.resource.names.slice(-2)).toEqual(['onError', 'onClose']);
    }
  });

  test('in onError and onClose: logged, and the client is closed all the same', async () => {
    const rejects = (): Promise<never> => Promise.reject(new Error('later'));
    for (const [callbacks, text] of [
      [{ onData: boom, onError: boom, onClose: boom }, 'boom'],
      [{ onData: boom, onError: rejects, onClose: rejects }, 'later'],
    ] as const) {
      const bed = openBed({ callbacks });
      bed.say('a');
      // oxlint-disable-next-line no-await-in-loop
      await settle();
      expect(bed.heard()).toEqual(failed);
      const lines = bed.context.log.at('error').slice(1);
      expect(lines).toHaveLength(2);
      expect(lines[0]).toContain(`onError failed, its client was closed already: ${text}`);
      expect(lines[1]).toContain(`onClose failed, its client was closed already: ${text}`);
    }
  });

  test('an error with a close code of ours: that code, its own words, no onError and no next', () => {
    const bed = openBed({
      callbacks: {
        onData: () => {
          throw new WebsockError('WEBSOCK_PACKET', 'not a valid packet: it is not JSON', { closeCode: 1007 });
        },
      },
    });
    bed.say('garbage');
    const text = 'not a valid packet: it is not JSON';
    expect(bed.heard()).toEqual([packet(text), `close 1007 ${text}`]);
    expect(bed.resource.names).toEqual(['onOpen', 'garbage', 'onClose']);
    expect(bed.context.log.at('error')).toEqual([]);
  });

  test.each([1005, 1006, 1015, 999, 70_000, '1007', null])(
    'closeCode %p is none that may be sent: 1011',
    (closeCode) => {
      const bed = openBed({
        callbacks: {
          onData: () => {
            throw Object.assign(new Error('boom'), { closeCode });
          },
        },
      });
      bed.say('a');
      expect(bed.heard()).toEqual(failed);
    },
  );

  test.each([undefined, null, 'a string', 42, Object.create(null)])('whatever it is: %p', (thing) => {
    const bed = openBed({
      callbacks: {
        onData: () => {
          throw thing; // oxlint-disable-line no-throw-literal, typescript/only-throw-error
        },
      },
    });
    bed.say('a');
    expect(bed.heard()).toEqual(failed);
  });

  test('an answer that is no JSON closes its client alone, and what others are owed goes out', async () => {
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    for (const answer of [circle, { big: 1n }]) {
      for (const callbacks of [{ onData: () => answer }, { onData: async () => answer }]) {
        const bed = openBed({ callbacks });
        bed.say('a');
        // oxlint-disable-next-line no-await-in-loop
        await settle();
        expect(bed.heard()).toEqual(failed);
        expect(bed.context.cork.active).toBe(false);
      }
    }
  });
});

describe("the peer's Close frame", () => {
  test.each([
    [clientClose(1000, 'bye'), 'close 1000 bye', [1000, 'bye']],
    [clientClose(4321), 'close 4321', [4321, '']],
    [clientClose(), 'close', [1005, '']],
  ])('is echoed, without a packet, and told (%#)', (bytes, echoed, told) => {
    const bed = openBed();
    bed.socket.say(bytes, frame({ payload: 'later' }));
    expect(bed.heard()).toEqual([echoed]);
    expect(bed.resource.calls.slice(1)).toEqual([
      ['close', ...told.map(String)],
      ['onClose', ...told],
    ]);
    expect(bed.socket.ended).toBe(true);
    expectNothingLeft(bed);
  });

  test('behind messages: they are handled first', () => {
    const bed = openBed();
    bed.socket.say(Buffer.concat([frame({ payload: 'a' }), clientClose(1000), frame({ payload: 'b' })]));
    expect(bed.heard()).toEqual([NEXT, 'close 1000']);
    expect(bed.resource.names).toEqual(['onOpen', 'a', 'close', 'onClose']);
  });

  test('while a handler is in flight: the handler ends, its next goes, then the echo', async () => {
    const call = defer<undefined>();
    const bed = openBed({ callbacks: { onData: () => call.promise } });
    bed.socket.say(Buffer.concat([frame({ payload: 'a' }), clientClose(1000)]));
    bed.socket.reader.onEnd();
    expect(bed.heard()).toEqual([]);
    call.resolve(undefined);
    await settle();
    expect(bed.heard()).toEqual([NEXT, 'close 1000']);
  });

  test('our Close frame answered: nothing more is written, onClose came once', () => {
    const bed = openBed();
    bed.connection.client.close(1000);
    bed.heard();
    bed.socket.say(clientClose(1000));
    bed.socket.reader.onEnd();
    expect([bed.heard(), closes(bed).length]).toEqual([[], 1]);
    expectNothingLeft(bed);
    expect(closes(bed)).toHaveLength(1);
  });
});

describe("the peer's FIN and the end of the socket", () => {
  test('a WebSocket client without a Close frame: 1006, and it gets one all the same', () => {
    const bed = openBed();
    bed.socket.reader.onEnd();
    expect(bed.heard()).toEqual(['close 1000 the client ended without a Close frame']);
    expect(closes(bed)).toEqual([['onClose', 1006, 'the client ended without a Close frame']]);
  });

  test('a line client: everything received is handled, the last line too, then the FIN', () => {
    const bed = openBed({ way: 'line', callbacks: { onData: (client, message) => void client.send(message) } });
    bed.socket.say('one\ntwo\nlast');
    bed.socket.reader.onEnd();
    expect(bed.heard()).toEqual(['one', NEXT, 'two', NEXT, 'last', NEXT]);
    expect([bed.socket.ended, closes(bed)]).toEqual([true, [['onClose', 1000, 'the client has ended']]]);
    expectNothingLeft(bed);
  });

  test('a line client whose handlers are in flight when its FIN comes: all of it, in order, then the FIN', async () => {
    const calls = ['one', 'two', 'last'].map(() => defer<undefined>());
    let count = 0;
    const bed = openBed({ way: 'line', callbacks: { onData: () => calls[count++].promise } });
    bed.socket.say('one\ntwo\nlast');
    bed.socket.reader.onEnd();
    for (let i = 0; i < 3; i++) {
      expect([count, bed.socket.ended]).toEqual([i + 1, false]);
      calls[i].resolve(undefined);
      // oxlint-disable-next-line no-await-in-loop
      await settle();
      expect(bed.heard()).toEqual([NEXT]);
    }
    expect([bed.resource.names, bed.socket.ended]).toEqual([['onOpen', 'one', 'two', 'last', 'onClose'], true]);
    expectNothingLeft(bed);
  });

  test('the FIN had come with the opening', () => {
    const bed = openBed({ way: 'line', rest: Buffer.from('only'), ended: true });
    expect(bed.resource.names).toEqual(['onOpen', 'only', 'onClose']);
    expect([bed.heard(), bed.socket.ended]).toEqual([[NEXT], true]);
  });

  test('a line that is too long or not UTF-8 at the end is told of', () => {
    const bed = openBed({ way: 'line' });
    bed.socket.say(Buffer.from([0x61, 0xc3]));
    bed.socket.reader.onEnd();
    expect(bed.heard()).toEqual([packet('a line is not UTF-8')]);
    expect(closes(bed)[0][1]).toBe(1007);
  });

  test('the socket breaks: onClose with 1006 and why, once; sending is over', () => {
    const bed = openBed();
    bed.socket.reader.onClose(new Error('read ECONNRESET'));
    expect(closes(bed)).toEqual([['onClose', 1006, 'read ECONNRESET']]);
    expect(bed.connection.client.send('x')).toBe(false);
    expect(bed.connection.client.ping()).toBe(false);
    bed.connection.client.close();
    expect([bed.socket.writes, closes(bed).length]).toEqual([[], 1]);
    expect([bed.context.live.size, bed.context.registry.clients.size, bed.context.admission.count]).toEqual([0, 0, 0]);
  });
});
