import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import type { Client } from '../../src/connection/client.ts';
import { recordOf, restoreSession } from '../../src/connection/sessionrecord.ts';
import { frame } from '../support/frames.ts';
import { answer, settle } from './askingbed.ts';
import { type SessionBed, type SessionBedOptions, sessionBed } from './sessionbed.ts';

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['queueMicrotask', 'nextTick'] });
});
afterEach(() => {
  jest.useRealTimers();
});

/** A bed whose resource asks its client at `ask`, and echoes everything else; what came of it is in `results`. */
function asking(options: SessionBedOptions = {}): SessionBed & { results: string[] } {
  const results: string[] = [];
  const note = async (client: Client): Promise<void> => {
    try {
      results.push(`got ${String((await client.request({ opcode: 'q' })).n)}`);
    } catch (error) {
      results.push(String(error));
    }
  };
  const bed = sessionBed({
    ...options,
    callbacks: {
      onData: async (client, message) => {
        if (String(message) === 'ask') await note(client);
        else client.send(String(message));
      },
      ...options.callbacks,
    },
  });
  return { ...bed, results };
}

const numberIn = (words: string[]): number =>
  (JSON.parse(words.find((word) => word.includes('"request"')) ?? '{}') as { request: number }).request;
const GONE = 'RequestError: the client has gone, or cannot be asked';

test('a handler has the answer of its own client; each next has its id, in order', async () => {
  const bed = asking();
  const peer = bed.connect();
  peer.say(1, 'ask');
  const number = numberIn(peer.heard());
  peer.say(2, 'a');
  peer.say(3, answer(number, { n: 7 }).slice(0, 10), { more: true });
  peer.say(3, answer(number, { n: 7 }).slice(10));
  peer.say(4, answer(number, { n: 8 }));
  peer.say(5, 'b');
  await settle();
  expect(bed.results).toEqual(['got 8']);
  // In pieces it is looked at when it is its turn, and by then another has been told: one of the two is too many.
  expect(peer.short()).toEqual([
    'next 1',
    'a',
    'next 2',
    'next 3',
    '\n{"opcode":"next","fyi":"","error":"no such request","id":4}',
    'b',
    'next 5',
  ]);
});

test('an answer in pieces is one, where no handler is in flight', async () => {
  const bed = asking();
  const peer = bed.connect();
  const [client] = bed.context.registry.clients.values();
  const asked = client.request({ opcode: 'q' });
  const text = answer(numberIn(peer.heard()), { n: 7 });
  peer.say(1, text.slice(0, 10), { more: true });
  peer.say(1, text.slice(10));
  expect(await asked).toMatchObject({ n: 7 });
  expect(peer.short()).toEqual(['next 1']);
});

test('control packets have no turn: pings are answered, and what is acknowledged is forgotten', async () => {
  const bed = asking();
  const peer = bed.connect();
  peer.say(1, 'ask');
  const number = numberIn(peer.heard());
  peer.raw('\n{"opcode":"ping"}');
  peer.ack(1);
  expect(peer.heard()).toEqual(['\n{"opcode":"pong"}']);
  expect([...bed.context.sessions][0].kept.all).toEqual([]);
  peer.say(2, answer(number, { n: 1 }));
  await settle();
  expect([bed.results, peer.short()]).toEqual([['got 1'], ['next 1', 'next 2']]);
});

test('a request goes on without a connection: its packet is kept, and it is answered by another one', async () => {
  const bed = asking();
  const one = bed.connect();
  one.say(1, 'ask');
  one.say(2, 'a');
  one.cut();
  const two = bed.resume(one.session, 0);
  const number = numberIn(two.heard());
  two.say(2, 'a');
  two.say(3, answer(number, { n: 3 }));
  await settle();
  expect([bed.results, two.short()]).toEqual([['got 3'], ['next 1', 'a', 'next 2', 'next 3']]);
});

test('an answer that comes again by another connection, for its next was not there yet, is none that nobody waits for', async () => {
  const bed = asking({
    callbacks: {
      onData: async (client) => {
        bed.results.push(`got ${String((await client.request({ opcode: 'q' })).n)}`);
        await new Promise((done) => setTimeout(done, 1000));
      },
    },
  });
  const one = bed.connect();
  one.say(1, 'ask');
  const number = numberIn(one.heard());
  one.say(2, answer(number, { n: 3 }));
  await settle();
  one.cut();
  const two = bed.resume(one.session, 1);
  two.say(2, answer(number, { n: 3 }));
  await settle();
  expect([bed.results, two.heard()]).toEqual([['got 3'], []]);
  jest.advanceTimersByTime(1000);
  await settle();
  expect(two.short()).toEqual(['next 1', 'next 2']);
});

test('its time runs while the client is away; when that is over, it is rejected', async () => {
  const bed = asking();
  const one = bed.connect();
  one.say(1, 'ask');
  one.cut();
  jest.advanceTimersByTime(10_300);
  await settle();
  expect(bed.results).toEqual(['RequestError: no answer to q within 10 s']);
  const [client] = bed.context.registry.clients.values();
  const asked = client.request({ opcode: 'q' }, { timeout: 60_000 });
  jest.advanceTimersByTime(30_300);
  await expect(asked).rejects.toThrow('the client has gone');
});

test('a Close frame that ends the session ends the waiting, one that may be come back from does not', async () => {
  const bed = asking();
  const close = (code: number): Buffer => frame({ op: 8, payload: Buffer.from([code >> 8, code & 255]) });
  const one = bed.connect();
  one.say(1, 'ask');
  one.say(2, 'a');
  one.socket.say(close(1000));
  await settle();
  expect([bed.results, one.short().slice(1)]).toEqual([[GONE], ['next 1', 'a', 'next 2', 'close 1000']]);
  const two = bed.connect();
  two.say(1, 'ask');
  two.socket.say(close(4000));
  await settle();
  expect(bed.results).toEqual([GONE]);
  two.cut();
  const three = bed.resume(two.session, 0);
  three.say(2, answer(numberIn(three.heard()), { n: 5 }));
  await settle();
  expect(bed.results).toEqual([GONE, 'got 5']);
});

test('a stop rejects; a handler that leaves that alone has not ended, and its message is handled again by the next daemon', async () => {
  const bed = asking({
    callbacks: { onData: async (client) => void (await client.request({ opcode: 'q' })) },
  });
  const peer = bed.connect();
  peer.say(1, 'ask');
  const number = numberIn(peer.heard());
  const [session] = bed.context.sessions;
  Object.assign(bed.context, { draining: true });
  for (const connection of bed.context.live) connection.stop(1001, 'daemon stopping');
  await settle();
  expect(peer.heard()).toEqual(['\n{"opcode":"close","error":"daemon stopping"}', 'close 1001 daemon stopping']);
  expect(bed.context.log.at('error', 'warn')).toEqual([]);
  await expect(session.client.request({ opcode: 'q' })).rejects.toMatchObject({ code: 'closed' });

  // What it was asked by the daemon before is not for the resource.
  const next = asking();
  expect(restoreSession(next.context, recordOf(session, bed.context.log, 1024))).toBeNull();
  const back = next.resume(peer.session, 1);
  back.say(1, 'again?');
  back.say(2, answer(number));
  await settle();
  const shown = back.short();
  expect(shown.slice(-2)).toEqual(['next 1', '\n{"opcode":"next","fyi":"","error":"no such request","id":2}']);
  expect(next.resource.names.map(String).filter((name) => /again|answer/.test(name))).toEqual(['again?']);
});

test('a session that is closed while it is away, in the middle of a handler, waits for no answer', async () => {
  const bed = asking();
  const one = bed.connect();
  one.say(1, 'ask');
  one.cut();
  const [client] = bed.context.registry.clients.values();
  client.close(4001, 'enough');
  await settle();
  expect([bed.results, bed.context.sessions.size]).toEqual([[GONE], 0]);
});
