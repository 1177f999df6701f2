import { describe, expect, test } from '@jest/globals';
import type { TestBench, TestClient } from 'websock/testing';
import { MOST } from '../../resources/examples/lib/chatreading.ts';
import { enter, guest, keyOf, NEXT, newBench, refused, roomFor, say } from '../support/chatguests.ts';

/** How many times somebody's name or room is looked at from now on. */
function watched({ client }: TestClient): { looks: number } {
  const counter = { looks: 0 };
  for (const key of ['name', 'room']) {
    const data = client.data as Record<string, unknown>;
    let value = data[key];
    Object.defineProperty(data, key, {
      get() {
        counter.looks++;
        return value;
      },
      set(next: unknown) {
        value = next;
      },
      enumerable: true,
    });
  }
  return counter;
}

async function messagesIn(bench: TestBench, room: string): Promise<{ text: string }[]> {
  return (await roomFor(bench, `Reader of ${room}`, room)).messages as { text: string }[];
}

describe('what somebody does costs the same, however many others there are', () => {
  test.each([
    { opcode: 'say', text: 'hello {Bob} {nobody}' },
    { opcode: 'tell', to: 'Bob', text: 'hello' },
    { opcode: 'rename', name: 'Eve' },
    { opcode: 'join', room: 'attic' },
    { opcode: 'rooms' },
  ])('%j', async (packet) => {
    const bench = newBench();
    const [ada] = [await guest(bench, 'Ada'), await guest(bench, 'Bob')];
    const other = watched(await guest(bench, 'Cy', 'kitchen'));
    expect(await ada.say(packet)).toMatchObject(NEXT);
    expect(other.looks).toBe(0);
  });
});

describe('what costs more is done less often', () => {
  test.each([
    (n: number) => ({ opcode: 'join', room: `room ${n % 2}` }),
    (n: number) => ({ opcode: 'enter', name: 'Ada', room: `room ${n % 2}`, key: keyOf('Ada') }),
    () => ({ opcode: 'rooms' }),
  ])('%s', async (packetOf) => {
    const bench = newBench();
    const ada = await guest(bench, 'Ada');
    const nexts = [];
    for (let n = 0; n < MOST.moves + 5; n++) nexts.push(await ada.say(packetOf(n)));
    expect(nexts[MOST.moves - 2]).toEqual(NEXT);
    expect(nexts.at(-1)).toEqual(refused('too fast: 1 of these a second, please'));
    await say(ada, 'still there');
  });
});

describe('people of one address', () => {
  test('there is room for some, and for others still', async () => {
    const bench = newBench();
    const clients: TestClient[] = [];
    for (let n = 0; n <= MOST.perAddress; n++) {
      const client = await bench.connect({ ip: '192.0.2.7' });
      clients.push(client);
      const full = refused(`there are ${MOST.perAddress} people from 192.0.2.7 already`);
      expect(await enter(client, `Guest ${n}`)).toEqual(n < MOST.perAddress ? NEXT : full);
    }
    expect(bench.log).toEqual([
      `/chat: somebody is not let in: there are ${MOST.perAddress} people from 192.0.2.7 already`,
    ]);
    expect(await enter(await bench.connect({ ip: '192.0.2.8' }), 'Ada')).toEqual(NEXT);
    // A page that is loaded again is nobody more; who leaves makes room.
    const again = await bench.connect({ ip: '192.0.2.7' });
    expect(await enter(again, 'Guest 3')).toEqual(NEXT);
    clients[5].leave();
    expect(await enter(clients[MOST.perAddress], 'Bob')).toEqual(NEXT);
  });
});

describe('bytes of all that was said', () => {
  test('the oldest of the fullest rooms go, and no others', async () => {
    const bench = newBench();
    const quiet = await guest(bench, 'Quiet', 'quiet');
    await say(quiet, 'the oldest of all');
    const text = (n: number): string => `${n} `.padEnd(MOST.text, '漢');
    for (let room = 0; room < 8; room++) {
      const talker = await guest(bench, `Talker ${room}`, `room ${room}`);
      for (let n = 0; n < MOST.history; n++) await say(talker, text(n));
      talker.received.length = 0;
    }
    expect(await messagesIn(bench, 'quiet')).toMatchObject([{ text: 'the oldest of all' }]);
    let bytes = 0;
    for (let room = 0; room < 8; room++) {
      const messages = await messagesIn(bench, `room ${room}`);
      bytes += Buffer.byteLength(JSON.stringify(messages));
      expect(messages.at(-1)?.text).toBe(text(MOST.history - 1));
      expect(messages.length).toBeGreaterThan(MOST.history / 2);
    }
    expect(bytes).toBeLessThan(MOST.said);
    expect(bytes).toBeGreaterThan(0.9 * MOST.said);
  });

  test('to edit, to delete and to leave a room count as well', async () => {
    const bench = newBench();
    const talkers: TestClient[] = [];
    for (let room = 0; room < 8; room++) talkers.push(await guest(bench, `Talker ${room}`, `room ${room}`));
    for (const talker of talkers) {
      const ids: number[] = [];
      for (let n = 0; n < MOST.history; n++) ids.push(await say(talker, String(n)));
      // By another page of the same person: the pace of this one is used up.
      const again = await bench.connect();
      const { name } = talker.client.data as { name: string };
      await enter(again, name, `room ${talkers.indexOf(talker)}`);
      for (const id of ids) await again.say({ opcode: 'edit', id, text: '漢'.repeat(MOST.text) });
      again.received.length = 0;
    }
    let bytes = 0;
    for (let room = 0; room < 8; room++) {
      bytes += Buffer.byteLength(JSON.stringify(await messagesIn(bench, `room ${room}`)));
    }
    expect(bytes).toBeLessThan(MOST.said);
    expect(bytes).toBeGreaterThan(0.9 * MOST.said);
  });
});
