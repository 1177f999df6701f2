import { isDeepStrictEqual } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import type { TestBench, TestClient } from 'websock/testing';
import { MOST } from '../../resources/examples/lib/chatreading.ts';
import { Pace } from '../../resources/examples/lib/pace.ts';
import {
  enter,
  guest,
  heard,
  keyOf,
  newBench,
  NEXT,
  refused,
  roomFor,
  said,
  say,
  type Fields,
} from '../support/chatguests.ts';

describe('what is not taken', () => {
  test.each([
    [{ opcode: 'say' }, 'a message needs a text'],
    [{ opcode: 'say', text: ' \n ' }, 'the message is empty'],
    [{ opcode: 'say', text: 'x'.repeat(2001) }, 'a message has at most 2000 characters, this one has 2001'],
    [{ opcode: 'say', text: 'x', quote: 'y' }, 'which message? It is named by its id, a number'],
    [{ opcode: 'edit', text: 'x' }, 'which message? It is named by its id, a number'],
    [{ opcode: 'join', room: 'x'.repeat(33) }, 'the name of a room has at most 32 characters, not 33'],
    [{ opcode: 'join' }, 'the name of a room is missing'],
    [{ opcode: 'file', id: 7 }, 'it is not among the last messages of lobby any more'],
    [{ opcode: 'constructor' }, 'the chat does not know this opcode'],
    [{ opcode: '__proto__' }, 'the chat does not know this opcode'],
  ])('%j is refused', async (packet, error) => {
    const bench = newBench();
    const [ada, bob] = [await guest(bench, 'Ada'), await guest(bench, 'Bob')];
    expect(await ada.say(packet)).toEqual(refused(error));
    expect([heard(bob), ada.closed]).toEqual([[], null]);
  });

  test('markup is text, and control characters are left out', async () => {
    const bench = newBench();
    const ada = await guest(bench, 'Ada');
    await say(ada, '<img src=x onerror=alert(1)>\n\u0000\u0007\u001b[31m\tred');
    expect(said(ada)[0].text).toBe('<img src=x onerror=alert(1)>\n[31m\tred');
  });

  test('whatever a packet holds: it is done or refused, and nobody is closed for it', async () => {
    const value = fc.oneof(fc.string(), fc.constantFrom('Ada', 'Bob', 'lobby', 'x'.repeat(3000)), fc.jsonValue());
    const fields = ['name', 'room', 'key', 'text', 'quote', 'id', 'to', 'status', 'note'];
    const opcodes = ['enter', 'join', 'rename', 'status', 'say', 'edit', 'delete', 'tell', 'typing', 'file', 'rooms'];
    const packet = fc.record({
      opcode: fc.constantFrom(...opcodes),
      ...Object.fromEntries(fields.map((one) => [one, value])),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(packet, { maxLength: 20 }), fc.uint8Array(), async (packets, bytes) => {
        const bench = newBench();
        const [ada, bob] = [await guest(bench, 'Ada'), await guest(bench, 'Bob')];
        for (const one of packets) expect(await ada.say(one)).toMatchObject(NEXT);
        expect(await ada.say(Buffer.from(bytes))).toMatchObject(NEXT);
        expect([ada.closed, bob.closed]).toEqual([null, null]);
        await say(bob, 'still here');
      }),
      { numRuns: 100 },
    );
  });

  test('who says too much at once is told so, and nobody else is', async () => {
    const bench = newBench();
    const [ada, bob] = [await guest(bench, 'Ada'), await guest(bench, 'Bob')];
    const nexts = [];
    for (let n = 0; n < MOST.burst + 5; n++) nexts.push(await ada.say({ opcode: 'say', text: String(n) }));
    expect(nexts.at(-1)).toEqual(refused('too fast: 5 messages a second, please'));
    expect(said(bob)).toHaveLength(nexts.filter((next) => next?.error === undefined).length);
    await say(bob, 'not me');
    expect(bench.log).toEqual([
      expect.stringMatching(/^\/chat: #\d+ 127\.0\.0\.1 sends more than 5 messages a second$/),
    ]);
  });

  test('the pace: a burst, and so many a second after that', () => {
    const pace = new Pace(2, 4);
    expect([pace.take(1, 0), pace.take(1, 0), pace.take(1, 0), pace.take(2, 0)]).toEqual([true, true, false, true]);
    expect([pace.take(1, 250), pace.take(1, 250), pace.take(1, 9000), pace.take(1, 9000), pace.take(1, 9000)]).toEqual([
      true,
      false,
      true,
      true,
      false,
    ]);
    for (let ms = 9050; ms < 9250; ms += 50) expect(pace.take(1, ms)).toBe(false);
    expect(pace.take(1, 9250)).toBe(true);
    pace.forget(2);
    expect(pace.take(2, 0)).toBe(true);
  });
});

describe('files', () => {
  const pack = (bytes: Buffer, head: object = { name: 'cat.png', type: 'image/png' }): Buffer =>
    Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), bytes]);

  test('are announced to the room, and given to who asks', async () => {
    const bench = newBench();
    const [ada, bob] = [await guest(bench, 'Ada'), await guest(bench, 'Bob')];
    const bytes = Buffer.from([0, 1, 10, 255]);
    const next = await ada.say(pack(bytes));
    expect(said(bob)).toMatchObject([
      { id: next?.id, name: 'Ada', text: '', file: { name: 'cat.png', type: 'image/png', size: 4 } },
    ]);
    expect(await bob.say({ opcode: 'file', id: next?.id })).toEqual(NEXT);
    const [answer] = bob.received as Buffer[];
    const end = answer.indexOf(10);
    expect(JSON.parse(answer.toString('utf8', 0, end))).toEqual({
      id: next?.id,
      name: 'cat.png',
      type: 'image/png',
      size: 4,
    });
    expect(answer.subarray(end + 1).equals(bytes)).toBe(true);
    expect(await ada.say({ opcode: 'edit', id: next?.id, text: 'x' })).toMatchObject({ error: /cannot be edited/ });
    await ada.say({ opcode: 'delete', id: next?.id });
    expect(await bob.say({ opcode: 'file', id: next?.id })).toMatchObject({ error: expect.any(String) });
  });

  test('a type that is none is octets; a name is needed, and bytes, and not too many', async () => {
    const bench = newBench();
    const ada = await guest(bench, 'Ada');
    await ada.say(pack(Buffer.from('x'), { name: 'a', type: 'text/html; charset="' }));
    expect(said(ada)).toMatchObject([{ file: { type: 'application/octet-stream' } }]);
    const errors = [
      pack(Buffer.from('x'), {}),
      pack(Buffer.alloc(0)),
      pack(Buffer.alloc(MOST.file + 1)),
      Buffer.from('no head'),
      Buffer.from('no JSON\nx'),
      Buffer.from('null\nx'),
    ].map(async (message) => (await ada.say(message))?.error);
    expect(await Promise.all(errors)).toEqual([
      'the name of a file is missing',
      'the file is empty',
      'a file has at most 128 KiB, this one has 129',
      'a file begins with one line of JSON: {"name":…,"type":…}',
      'the first line of a file is not JSON',
      'the name of a file is missing',
    ]);
  });

  test('the oldest go when there are too many bytes in all', async () => {
    const bench = newBench();
    const talkers = await Promise.all(['Ada', 'Bob', 'Cy'].map((name) => guest(bench, name)));
    for (let n = 0; n <= MOST.files / MOST.file; n++) {
      // A room keeps 50 messages, which are less than all files may have.
      if (n === 40) for (const one of talkers) await one.say({ opcode: 'join', room: 'kitchen' });
      await talkers[n % 3].say(pack(Buffer.alloc(MOST.file), { name: `file ${n}`, type: '' }));
    }
    const { messages } = await roomFor(bench, 'Dan');
    const ids = (messages as { id: number }[]).map(({ id }) => id);
    const [reader] = talkers;
    await reader.say({ opcode: 'join', room: 'lobby' });
    expect(await reader.say({ opcode: 'file', id: ids[0] })).toEqual(
      refused('file 0 is not kept any more: ask for it to be sent again'),
    );
    expect(await reader.say({ opcode: 'file', id: ids[1] })).toEqual(NEXT);
  });
});

describe('a restart of the daemon', () => {
  /** The chat of the next daemon, with those clients whose session it has found. */
  async function restarted(clients: readonly TestClient[]): Promise<{ bench: TestBench; clients: TestClient[] }> {
    const bench = newBench();
    const found: TestClient[] = [];
    for (const { client, uuid } of clients) {
      const data: unknown = JSON.parse(JSON.stringify(client.data));
      // The daemon keeps nothing but what JSON holds unchanged.
      expect(isDeepStrictEqual(data, client.data)).toBe(true);
      const back = await bench.connect({ uuid });
      back.client.data = data;
      back.detached = true;
      for (const room of client.rooms) back.client.join(room);
      found.push(back);
    }
    return { bench, clients: found };
  }

  const RESUMED = { type: 'resumed', lost: 0, restarted: true } as const;

  test('names, rooms, statuses and what was said are there; who has not come back yet is shown so', async () => {
    const before = newBench();
    const [ada, bob, cy] = [
      await guest(before, 'Ada'),
      await guest(before, 'Bob', 'kitchen'),
      await guest(before, 'Cy'),
    ];
    const first = await say(ada, 'first {Cy}');
    await say(cy, 'second', first);
    await ada.say({ opcode: 'edit', id: first, text: 'first, edited {Cy}' });
    await bob.say({ opcode: 'status', status: 'away', note: 'in the kitchen' });
    await say(bob, 'smells good');
    const { bench, clients } = await restarted([cy, ada, bob]);
    const [cy2, ada2, bob2] = clients;
    await ada2.notify(RESUMED);
    expect(heard(ada2)).toMatchObject([
      { opcode: 'person', person: { name: 'Ada', connected: true } },
      {
        opcode: 'people',
        people: [
          { name: 'Cy', connected: false },
          { name: 'Ada', connected: true },
        ],
      },
    ]);
    await cy2.notify(RESUMED);
    await bob2.notify(RESUMED);
    for (const one of clients) heard(one);
    const third = await say(ada2, 'third');
    expect(third).toBeGreaterThan(first);
    expect([said(cy2).length, said(bob2).length]).toEqual([1, 0]);
    expect(await ada2.say({ opcode: 'edit', id: first, text: 'mine still' })).toEqual(NEXT);
    expect(await enter(await bench.connect(), 'ada', 'lobby', keyOf('Eve'))).toMatchObject({
      error: expect.any(String),
    });
    const lobby = await roomFor(bench, 'Dan');
    expect(lobby.messages).toMatchObject([
      { text: 'mine still', name: 'Ada' },
      { text: 'second', quote: { id: first, text: 'mine still' } },
      { text: 'third' },
    ]);
    const kitchen = await roomFor(bench, 'Eve', 'kitchen');
    expect(kitchen).toMatchObject({
      people: [{ name: 'Bob', status: 'away', note: 'in the kitchen' }, { name: 'Eve' }],
      messages: [{ text: 'smells good' }],
    });
  });

  test('whoever carries what was said may leave before, and there may be several restarts', async () => {
    const bench = newBench();
    const [ada, bob, cy] = [await guest(bench, 'Ada'), await guest(bench, 'Bob'), await guest(bench, 'Cy')];
    await say(ada, 'one');
    ada.leave();
    await say(bob, 'two');
    const second = await restarted([cy, bob]);
    await second.clients[0].notify(RESUMED);
    await say(second.clients[0], 'three');
    second.clients[0].leave();
    const third = await restarted([second.clients[1]]);
    // Nobody has come back, and his time is up.
    third.clients[0].leave();
    const { messages, people } = await roomFor(third.bench, 'Dan');
    expect((messages as Fields[]).map(({ text }) => text)).toEqual(['one', 'two', 'three']);
    expect(people).toMatchObject([{ name: 'Dan' }]);
  });

  test('it is carried once', async () => {
    const bench = newBench();
    const all = [await guest(bench, 'Ada'), await guest(bench, 'Bob'), await guest(bench, 'Cy')];
    await say(all[0], 'here I am');
    const carriers = (clients: readonly TestClient[]): number =>
      clients.filter(({ client }) => JSON.stringify(client.data).includes('here I am')).length;
    expect(carriers(all)).toBe(1);
    const { clients } = await restarted(all.toReversed());
    await clients[0].notify(RESUMED);
    expect(carriers(clients)).toBe(1);
  });
});
