import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { MOST } from '../../resources/examples/lib/chatreading.ts';
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

afterEach(() => void jest.useRealTimers());

describe('nicknames', () => {
  test('two are not the same, whatever their capitals; and a name is free again when its owner has gone', async () => {
    const bench = newBench();
    const [ada, other] = [await guest(bench, 'Ada'), await bench.connect()];
    expect(await enter(other, 'ADA', 'lobby', keyOf('other'))).toEqual(
      refused('Ada is here already: take another name'),
    );
    expect(await other.say({ opcode: 'say', text: 'hello' })).toEqual({ ...NEXT, error: 'enter first', enter: true });
    ada.leave();
    expect(await enter(other, 'ADA', 'lobby', keyOf('other'))).toEqual(NEXT);
  });

  test.each([
    ['', 'a name is missing'],
    ['   ', 'a name is missing'],
    [7, 'a name is missing'],
    ['x'.repeat(25), 'a name has at most 24 characters, not 25'],
    ['{Ada}', 'a name has no braces: {name} is how it is mentioned'],
    ['A\u202Eda', 'a name has only characters that can be seen'],
    ['A\u200Bda', 'a name has only characters that can be seen'],
    ['A\u0000da', 'a name has only characters that can be seen'],
    [`A${'\u0316'.repeat(9)}da`, 'a name has only characters that can be seen'],
  ])('%j is none', async (name, error) => {
    const client = await newBench().connect();
    expect(await client.say({ opcode: 'enter', name, room: 'lobby', key: keyOf('Ada') })).toEqual(refused(error));
  });

  test('to be called otherwise', async () => {
    const bench = newBench();
    const [ada, bob] = [await guest(bench, 'Ada'), await guest(bench, 'Bob')];
    expect(await ada.say({ opcode: 'rename', name: 'bob' })).toEqual(refused('Bob is here already: take another name'));
    expect(await ada.say({ opcode: 'rename', name: 'Zoë' })).toEqual(NEXT);
    expect(heard(bob)).toMatchObject([{ opcode: 'person', person: { name: 'Zoë' } }]);
    await say(ada, 'it is me');
    expect(said(bob)).toMatchObject([{ name: 'Zoë', text: 'it is me' }]);
  });

  test('who comes with the same key is the same person: the older page is told, and nobody sees him leave', async () => {
    const bench = newBench();
    const [ada, bob] = [await guest(bench, 'Ada'), await guest(bench, 'Bob')];
    const id = await say(ada, 'before');
    heard(bob);
    const again = await guest(bench, 'Ada');
    expect(ada.closed).toEqual({ code: 1000, reason: 'you have come in from another page' });
    expect(heard(bob).map(({ opcode }) => opcode)).toEqual(['left', 'person']);
    expect(await again.say({ opcode: 'edit', id, text: 'after' })).toEqual(NEXT);
    expect((await roomFor(bench, 'Cy')).people).toMatchObject([{ name: 'Bob' }, { name: 'Ada' }, { name: 'Cy' }]);
  });

  test('a key is long, and stays', async () => {
    const bench = newBench();
    const client = await bench.connect();
    expect(await enter(client, 'Ada', 'lobby', 'short')).toMatchObject({ error: expect.stringContaining('16 to 64') });
    await enter(client, 'Ada');
    expect(await enter(client, 'Ada', 'lobby', keyOf('Eve'))).toEqual(refused('you are in already, with another key'));
    expect(JSON.stringify(heard(client))).not.toContain(keyOf('Ada'));
  });
});

describe('rooms', () => {
  test('what is said is heard in one room, and by who says it; to join another is to leave the first', async () => {
    const bench = newBench();
    const [ada, bob, cy] = [await guest(bench, 'Ada'), await guest(bench, 'Bob'), await guest(bench, 'Cy', 'kitchen')];
    for (const one of [ada, bob, cy]) heard(one);
    await say(ada, 'hello');
    expect([said(ada), said(bob), said(cy)].map((all) => all.length)).toEqual([1, 1, 0]);
    expect(await ada.say({ opcode: 'join', room: 'Kitchen' })).toEqual(NEXT);
    expect(heard(bob)).toMatchObject([{ opcode: 'left' }]);
    expect(heard(cy)).toMatchObject([{ opcode: 'person', person: { name: 'Ada' } }]);
    expect(heard(ada)).toMatchObject([{ opcode: 'room', room: 'kitchen', people: [{ name: 'Cy' }, { name: 'Ada' }] }]);
    await say(ada, 'in here');
    expect([said(bob).length, said(cy).length]).toEqual([0, 1]);
  });

  test('the list of rooms, and how many are in each; changes are told together', async () => {
    jest.useFakeTimers();
    const bench = newBench();
    const [ada, cy] = [await guest(bench, 'Ada'), await guest(bench, 'Cy', 'kitchen')];
    await ada.say({ opcode: 'rooms' });
    expect(ada.packets.at(-1)).toEqual({
      opcode: 'rooms',
      rooms: [
        { name: 'lobby', people: 1 },
        { name: 'kitchen', people: 1 },
      ],
    });
    const counts = () => cy.packets.flatMap(({ opcode, room, people }) => (opcode === 'count' ? [[room, people]] : []));
    jest.advanceTimersByTime(1000);
    cy.received.length = 0;
    for (const room of ['attic', 'cellar', 'attic', 'cellar']) await ada.say({ opcode: 'join', room });
    expect(counts()).toEqual([]);
    jest.advanceTimersByTime(1000);
    expect(counts()).toEqual([
      ['lobby', 0],
      ['attic', 0],
      ['cellar', 1],
    ]);
    ada.leave();
    jest.advanceTimersByTime(1000);
    expect(counts().at(-1)).toEqual(['cellar', 0]);
    jest.advanceTimersByTime(10_000);
    expect(counts()).toHaveLength(4);
  });

  test('of the last messages who joins gets 50, oldest first', async () => {
    const bench = newBench();
    const talkers = await Promise.all(['Ada', 'Bob'].map((name) => guest(bench, name)));
    for (let n = 0; n < 60; n++) await say(talkers[n % 2], `message ${n}`);
    const { messages } = await roomFor(bench, 'Cy');
    const texts = (messages as Fields[]).map(({ text }) => text);
    expect(texts).toEqual(Array.from({ length: 50 }, (_, n) => `message ${n + 10}`));
    const ids = (messages as { id: number }[]).map(({ id }) => id);
    expect(ids).toEqual([...new Set(ids)].toSorted((a, b) => a - b));
  });

  test('one room too many: the longest forgotten that is empty goes, but no other, and not the lobby', async () => {
    jest.useFakeTimers();
    const bench = newBench();
    const watcher = await guest(bench, 'Watcher', 'first');
    for (let n = 2; n <= MOST.rooms; n++) {
      const client = await bench.connect({ ip: `192.0.2.${n}` });
      await enter(client, `Guest ${n}`, `room ${n}`);
      if (n <= 3) client.leave();
    }
    const client = await bench.connect();
    expect(await enter(client, 'Ada', 'new one')).toEqual(NEXT);
    jest.advanceTimersByTime(1000);
    const gone = watcher.packets.filter(({ people }) => people === null);
    expect(gone).toEqual([{ opcode: 'count', room: 'room 2', people: null }]);
    expect(await client.say({ opcode: 'join', room: 'room 4' })).toEqual(NEXT);
    const more = await bench.connect();
    expect(await enter(more, 'Bob', 'one more')).toEqual(NEXT);
    expect(await enter(await bench.connect(), 'Cy', 'and more')).toEqual(NEXT);
    expect(await enter(await bench.connect(), 'Dan', 'too many')).toEqual(
      refused('there are 100 rooms with people in them: enter one of those'),
    );
  });

  test('a full room', async () => {
    const bench = newBench();
    for (let n = 0; n < MOST.inRoom; n++) await enter(await bench.connect({ ip: `192.0.2.${n}` }), `Guest ${n}`);
    const client = await bench.connect();
    expect(await enter(client, 'Ada')).toEqual(refused('lobby is full: 200 people'));
    expect(await enter(client, 'Ada', 'kitchen')).toEqual(NEXT);
    expect(await client.say({ opcode: 'join', room: 'lobby' })).toEqual(refused('lobby is full: 200 people'));
    await say(client, 'still in the kitchen');
    // One line a minute says it.
    expect(bench.log).toEqual(['/chat: somebody is not let in: lobby is full: 200 people']);
  });
});

describe('who is here', () => {
  test('one’s status and note', async () => {
    const bench = newBench();
    const [ada, bob] = [await guest(bench, 'Ada'), await guest(bench, 'Bob')];
    expect(await ada.say({ opcode: 'status', status: 'busy', note: 'until five' })).toEqual(NEXT);
    expect(heard(bob)).toMatchObject([
      { opcode: 'person', person: { name: 'Ada', status: 'busy', note: 'until five' } },
    ]);
    expect(await ada.say({ opcode: 'status', status: 'asleep' })).toEqual(
      refused('a status is one of: here, away, busy'),
    );
    expect(await ada.say({ opcode: 'status', status: 'away', note: 'x'.repeat(61) })).toEqual(
      refused('a note has at most 60 characters, not 61'),
    );
    expect((await roomFor(bench, 'Cy')).people).toMatchObject([{ status: 'busy' }, { status: 'here' }, {}]);
  });

  test('whose connection is lost is shown so, until he is back or has gone', async () => {
    const bench = newBench();
    const [ada, bob] = [await guest(bench, 'Ada'), await guest(bench, 'Bob')];
    heard(ada);
    await bob.notify({ type: 'detached' });
    await bob.notify({ type: 'resumed', lost: 0, restarted: false });
    await bob.notify({ type: 'detached' });
    bob.leave();
    expect(heard(ada)).toMatchObject([
      { opcode: 'person', person: { name: 'Bob', connected: false } },
      { opcode: 'person', person: { name: 'Bob', connected: true } },
      { opcode: 'person', person: { name: 'Bob', connected: false } },
      { opcode: 'left' },
    ]);
  });

  test('who types', async () => {
    const bench = newBench();
    const [ada, bob, cy] = [await guest(bench, 'Ada'), await guest(bench, 'Bob'), await guest(bench, 'Cy', 'kitchen')];
    heard(ada);
    bob.behind = true;
    await ada.say({ opcode: 'typing' });
    bob.behind = false;
    await ada.say({ opcode: 'typing' });
    expect([heard(ada), heard(cy)]).toEqual([[], []]);
    expect(heard(bob)).toEqual([{ opcode: 'typing', author: expect.any(String) }]);
  });
});

describe('what is said', () => {
  test('to one person alone, in whatever room, and in no room’s last messages', async () => {
    const bench = newBench();
    const [ada, bob, cy] = [await guest(bench, 'Ada'), await guest(bench, 'Bob', 'kitchen'), await guest(bench, 'Cy')];
    heard(ada);
    expect(await ada.say({ opcode: 'tell', to: 'bob', text: 'a secret' })).toEqual(NEXT);
    const packet = {
      opcode: 'private',
      at: expect.any(Number),
      author: expect.any(String),
      name: 'Ada',
      to: 'Bob',
      text: 'a secret',
    };
    expect([heard(ada), heard(bob), heard(cy)]).toEqual([[packet], [packet], []]);
    expect(await ada.say({ opcode: 'tell', to: 'Nobody', text: 'x' })).toEqual(refused('Nobody is not here'));
    expect(await ada.say({ opcode: 'tell', to: 'Ada', text: 'x' })).toEqual(refused('that is you'));
    expect(JSON.stringify(await roomFor(bench, 'Dan'))).not.toContain('secret');
  });

  test('a mention is told to who is in another room, and marks the message for who is in this one', async () => {
    const bench = newBench();
    const [ada, bob, cy] = [
      await guest(bench, 'Ada'),
      await guest(bench, 'Bob B.'),
      await guest(bench, 'Cy', 'kitchen'),
    ];
    for (const one of [bob, cy]) heard(one);
    const id = await say(ada, 'look, {bob b.} and { Cy }: {nobody} {Cy} {');
    expect(said(bob)).toMatchObject([{ id, mentions: ['Bob B.', 'Cy'] }]);
    const text = 'look, {bob b.} and { Cy }: {nobody} {Cy} {';
    expect(heard(cy)).toEqual([{ opcode: 'mention', id, room: 'lobby', name: 'Ada', text }]);
    await ada.say({ opcode: 'edit', id, text: 'only {Cy}' });
    expect(heard(cy)).toEqual([]);
    const other = await say(ada, 'nobody');
    await ada.say({ opcode: 'edit', id: other, text: 'but {Cy}' });
    expect(heard(cy)).toMatchObject([{ opcode: 'mention', id: other, text: 'but {Cy}' }]);
  });

  test('no more than ten are notified by one message', async () => {
    const bench = newBench();
    const ada = await guest(bench, 'Ada');
    const names = Array.from({ length: 12 }, (_, n) => `Guest ${n}`);
    for (const name of names) await guest(bench, name);
    heard(ada);
    await say(ada, names.map((name) => `{${name}}`).join(' '));
    expect(said(ada)[0].mentions).toEqual(names.slice(0, 10));
  });

  test('one’s own messages are edited and deleted, those of others are not', async () => {
    const bench = newBench();
    const [ada, bob] = [await guest(bench, 'Ada'), await guest(bench, 'Bob')];
    const id = await say(ada, 'helo');
    heard(bob);
    expect(await bob.say({ opcode: 'edit', id, text: 'mine' })).toEqual(
      refused('only who wrote a message can change it'),
    );
    expect(await bob.say({ opcode: 'delete', id })).toEqual(refused('only who wrote a message can change it'));
    expect(heard(bob)).toEqual([]);
    expect(await ada.say({ opcode: 'edit', id, text: 'hello' })).toEqual(NEXT);
    expect(heard(bob)).toMatchObject([
      { opcode: 'edited', message: { id, text: 'hello', edited: expect.any(Number) } },
    ]);
    expect((await roomFor(bench, 'Cy')).messages).toMatchObject([{ id, text: 'hello' }]);
    heard(bob);
    expect(await ada.say({ opcode: 'delete', id })).toEqual(NEXT);
    expect(heard(bob)).toEqual([{ opcode: 'deleted', room: 'lobby', id }]);
    expect((await roomFor(bench, 'Dan')).messages).toEqual([]);
    expect(await ada.say({ opcode: 'edit', id, text: 'x' })).toEqual(
      refused('it is not among the last messages of lobby any more'),
    );
  });

  test('a quote has the name and the beginning; it follows what is edited, and forgets what is deleted', async () => {
    const bench = newBench();
    const [ada, bob] = [await guest(bench, 'Ada'), await guest(bench, 'Bob')];
    const id = await say(ada, `a long story\n${'x'.repeat(500)}`);
    heard(bob);
    await say(bob, 'really?', id);
    expect(said(bob)).toMatchObject([{ quote: { id, name: 'Ada', text: `a long story ${'x'.repeat(106)}…` } }]);
    await ada.say({ opcode: 'edit', id, text: 'a short one' });
    expect((await roomFor(bench, 'Cy')).messages).toMatchObject([{}, { quote: { text: 'a short one' } }]);
    await ada.say({ opcode: 'delete', id });
    expect((await roomFor(bench, 'Dan')).messages).toMatchObject([
      { text: 'really?', quote: { name: 'Ada', text: '' } },
    ]);
    expect(await bob.say({ opcode: 'say', text: 'x', quote: id })).toEqual(
      refused('it is not among the last messages of lobby any more'),
    );
  });
});
