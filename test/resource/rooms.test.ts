import { describe, expect, test } from '@jest/globals';
import { type Client, type Handled, Resource, type Server } from 'websock';
import { TestBench, type TestClient } from 'websock/testing';

/** Rooms by commands: `+a`, `-a`, `-`, and `a b:text` to the rooms but for the sender. */
class Rooms extends Resource {
  static override path = '/rooms';
  /** What the last `onClose` found. */
  static last: unknown = null;

  override onData(client: Client, message: string | Buffer): Handled {
    const [, word, text] = /^([^:]*):?(.*)$/s.exec(String(message)) as unknown as string[];
    if (word.startsWith('+')) return { joined: client.join(word.slice(1)) };
    if (word.startsWith('-')) client.leave(word.length === 1 ? undefined : word.slice(1));
    else
      return {
        delivered: this.to(...word.split(' '))
          .except(client)
          .send(text),
      };
    return { rooms: [...client.rooms] };
  }

  override onClose(client: Client): void {
    Rooms.last = { rooms: [...client.rooms], reached: this.to('a').size, again: client.join('b') };
  }
}

const connect = async (bench: TestBench, count: number): Promise<TestClient[]> => {
  const clients: TestClient[] = [];
  // oxlint-disable-next-line no-await-in-loop -- one after the other, for their numbers
  for (let i = 0; i < count; i++) clients.push(await bench.connect());
  return clients;
};

describe('rooms, at a bench', () => {
  test('a message reaches those in its rooms once, but not who is excepted, and says how many they are', async () => {
    const [a, b, both, sender] = await connect(new TestBench().mount(Rooms), 4);
    await a.say('+a');
    await b.say('+b');
    await both.say('+a');
    await both.say('+b');
    await sender.say('+a');
    expect(await sender.say('a b:hello')).toMatchObject({ delivered: 3 });
    expect([a, b, both, sender].map(({ received }) => received)).toEqual([['hello'], ['hello'], ['hello'], []]);
    expect(await b.say('c:nobody')).toMatchObject({ delivered: 0 });
  });

  test('a client leaves a room, or all of them; leaving one that it is not in changes nothing', async () => {
    const [one, other] = await connect(new TestBench().mount(Rooms), 2);
    for (const room of ['a', 'b', 'c', 'c']) expect(await one.say(`+${room}`)).toMatchObject({ joined: true });
    expect(await one.say('-b')).toMatchObject({ rooms: ['a', 'c'] });
    expect(await one.say('-nowhere')).toMatchObject({ rooms: ['a', 'c'] });
    expect(await other.say('a:x')).toMatchObject({ delivered: 1 });
    expect(await other.say('b:x')).toMatchObject({ delivered: 0 });
    expect(await one.say('-')).toMatchObject({ rooms: [] });
    expect(await other.say('a b c:x')).toMatchObject({ delivered: 0 });
  });

  test('who has gone is in none; onClose is still told which they were, and joins no other', async () => {
    const [one, other] = await connect(new TestBench().mount(Rooms), 2);
    await one.say('+a');
    await other.say('+a');
    one.leave();
    expect(Rooms.last).toEqual({ rooms: ['a'], reached: 1, again: false });
    expect(one.client.join('a')).toBe(false);
    expect(await other.say('a b:x')).toMatchObject({ delivered: 0 });
  });

  test('a hundred rooms are the most for one client', async () => {
    const [one] = await connect(new TestBench().mount(Rooms), 1);
    for (let i = 0; i < 100; i++) expect(one.client.join(`room ${i}`)).toBe(true);
    expect([one.client.join('one more'), one.client.join('room 7'), one.client.rooms.size]).toEqual([false, true, 100]);
    one.client.leave('room 7');
    expect(one.client.join('one more')).toBe(true);
  });

  test.each([
    ['', 'not one of 0'],
    ['x'.repeat(257), 'not one of 257'],
    [7, 'not 7'],
    [undefined, 'not undefined'],
  ])('%p is no room', async (name, why) => {
    const [one] = await connect(new TestBench().mount(Rooms), 1);
    expect(() => one.client.join(name as string)).toThrow(
      new TypeError(`a room is a text of 1 to 256 characters, ${why}`),
    );
    expect(one.client.rooms.size).toBe(0);
  });

  test('a class that extends nothing has them from its server: of its own app, or of another', async () => {
    class Bare {
      static path = '/bare';
      server!: Server;
      registerServer(server: Server): void {
        this.server = server;
      }
      onData(client: Client): Handled {
        const rooms = this.server.to('a');
        const others = this.server.to('a', 'b', { app: '/rooms' });
        return {
          sizes: [rooms.size, rooms.except(client).size, others.size, others.except(2, 3).size],
          sent: [rooms.send(Buffer.from('x')), others.except(3).sendPacket({ opcode: 'news' }, { droppable: true })],
        };
      }
      onClose(): void {}
      onError(): void {}
      onOther(): void {}
    }
    const bench = new TestBench().mount(Rooms).mount(Bare);
    const bare = await bench.connect({ scheme: 'tcp' }, '/bare');
    const [one, two, three] = await connect(bench, 3);
    expect([one.id, two.id, three.id]).toEqual([2, 3, 4]);
    bare.client.join('a');
    one.client.join('a');
    two.client.join('a');
    three.client.join('b');
    three.behind = true;
    expect(await bare.say('{"opcode":"x"}')).toMatchObject({ sizes: [1, 0, 3, 1], sent: [1, 1] });
    expect([bare, one, two, three].map(({ received }) => received)).toEqual([
      [Buffer.from('x')],
      ['{"opcode":"news"}'],
      [],
      [],
    ]);
    expect(three.dropped).toBe(1);
  });

  test('everybody in a room is asked, but not who asks, nor who is in a room of that name in another app', async () => {
    class Votes extends Resource {
      static override path = '/votes';
      override async onData(client: Client): Promise<Handled> {
        const voters = this.to('hall', 'gallery').except(client).clients;
        const answers = await Promise.all(voters.map((voter) => voter.request({ opcode: 'vote' })));
        return { voters: voters.map(({ id }) => id), votes: answers.map(({ vote }) => vote) };
      }
    }
    const bench = new TestBench().mount(Votes).mount(Rooms);
    const [chair, one, two] = await connect(bench, 3);
    const stranger = await bench.connect({}, '/rooms');
    for (const { client } of [chair, one, two, stranger]) client.join('hall');
    one.client.join('gallery');
    one.answer('vote', () => ({ vote: 'aye' }));
    two.answer('vote', () => ({ vote: 'no' }));
    expect(await chair.say('ask')).toMatchObject({ voters: [one.id, two.id], votes: ['aye', 'no'] });
    expect([chair.received, stranger.received]).toEqual([[], []]);
  });

  test('to no room is an error, not to everybody', async () => {
    class Nowhere extends Resource {
      static override path = '/nowhere';
      override onData(): Handled {
        return { delivered: this.to().send('x') };
      }
      override onError(_client: Client, error: unknown): void {
        Nowhere.error = error;
      }
      static error: unknown;
    }
    const client = await new TestBench().mount(Nowhere).connect();
    expect(await client.say('x')).toBeUndefined();
    expect(Nowhere.error).toEqual(new TypeError('to which room? There is none: to(room), to(room, room)'));
  });
});
