import { describe, expect, jest, test } from '@jest/globals';
import { KeptMessages, KeptNexts } from '../../src/connection/kept.ts';
import { Outgoing } from '../../src/connection/encode.ts';
import { FakeSocket } from '../support/fakes.ts';
import { sessionBed } from './sessionbed.ts';

const EACH = 64;

describe('what is kept of messages', () => {
  const kept = (bounds: {
    keepPackets?: number;
    keepBytes?: number;
    maxKept?: number;
  }): [KeptMessages, string[], { bytes: number }] => {
    const dropped: string[] = [];
    const pool = { bytes: 0, relieve: () => void dropped.push('relieve') };
    const all = { keepPackets: 100, keepBytes: 100_000, maxKept: 1_000_000, maxNexts: 10, ...bounds };
    return [new KeptMessages(all, pool, (limit) => dropped.push(limit)), dropped, pool];
  };
  const texts = (messages: KeptMessages): unknown[] => messages.all.map(({ data }) => data);

  test('is forgotten as it is acknowledged', () => {
    const [messages, dropped, pool] = kept({});
    for (const text of ['a', 'b', 'c']) messages.add(text, false);
    messages.forget(1);
    messages.forget(0);
    expect([texts(messages), messages.sent, messages.acked]).toEqual([['b', 'c'], 3, 1]);
    expect([messages.bytes, pool.bytes]).toEqual([2 * (EACH + 1), 2 * (EACH + 1)]);
    expect(messages.resume(3)).toBe(0);
    expect([texts(messages), pool.bytes, dropped]).toEqual([[], 0, []]);
  });

  test('is bounded in number, and the lost are counted exactly', () => {
    const [messages, dropped] = kept({ keepPackets: 2 });
    for (const text of ['a', 'b', 'c', 'd', 'e']) messages.add(text, false);
    expect([texts(messages), dropped]).toEqual([
      ['d', 'e'],
      ['keepPackets', 'keepPackets', 'keepPackets'],
    ]);
    // It has received a and b: c alone is lost.
    expect(messages.resume(2)).toBe(1);
    // Asked again, for the answer did not arrive.
    expect(messages.resume(2)).toBe(1);
    // It has counted c, and received d.
    expect(messages.resume(4)).toBe(0);
    expect(texts(messages)).toEqual(['e']);
  });

  test('is bounded in bytes', () => {
    const [messages, dropped] = kept({ keepBytes: 3 * (EACH + 10) });
    for (let i = 0; i < 5; i++) messages.add(`${i}`.repeat(10), false);
    expect(texts(messages)).toEqual(['2222222222', '3333333333', '4444444444']);
    expect(dropped).toEqual(['keepBytes', 'keepBytes']);
    const [others, asked, pool] = kept({ maxKept: 2 * (EACH + 1) });
    pool.bytes = EACH + 1;
    others.add('a', false);
    expect(asked).toEqual([]);
    others.add('b', false);
    expect(asked).toEqual(['relieve']);
    others.clear();
    expect(pool.bytes).toBe(EACH + 1);
  });

  test('leaves out what is too long for all of it, and nothing else for that', () => {
    const [messages, dropped] = kept({ keepBytes: 1000 });
    messages.add('a', false);
    messages.add('x'.repeat(1000), false);
    messages.add('b', false);
    expect([texts(messages), dropped]).toEqual([['a', null, 'b'], ['keepBytes']]);
    expect(messages.resume(0)).toBe(1);
    expect(texts(messages)).toEqual(['a', 'b']);
    expect(messages.resume(2)).toBe(0);
    expect(texts(messages)).toEqual(['b']);
  });

  test('of next packets: the last of them, within as many bytes', () => {
    const pool = { bytes: 0, relieve: () => {} };
    const nexts = new KeptNexts({ keepPackets: 1, keepBytes: 2 * (EACH + 4), maxKept: 1000, maxNexts: 3 }, pool);
    nexts.add(1, 'long');
    nexts.add(2, null);
    nexts.add(3, 'long');
    expect([1, 2, 3].map((id) => nexts.get(id))).toEqual(['long', undefined, 'long']);
    nexts.add(4, null);
    expect(nexts.get(1)).toBeUndefined();
    nexts.add(5, 'long');
    nexts.add(6, 'long');
    expect([3, 5, 6].map((id) => nexts.get(id))).toEqual([undefined, 'long', 'long']);
    expect(pool.bytes).toBe(2 * (EACH + 4));
    nexts.clear();
    expect(pool.bytes).toBe(0);
  });
});

describe('a session whose bounds are too small', () => {
  test('tells how many it has lost, its client and its resource; the log says it once', () => {
    const bed = sessionBed({ values: { keepPackets: 2 } });
    const one = bed.connect();
    const [client] = bed.context.registry.clients.values();
    client.send('1');
    one.cut();
    for (let i = 2; i <= 6; i++) expect(client.send(`${i}`)).toBe(true);
    expect(bed.context.limits.counters.keepPackets).toBe(4);
    expect(bed.context.log.at('warn')).toEqual([
      expect.stringContaining('over [dialog] keepPackets: more than 2 messages were kept for one session'),
    ]);
    const two = bed.resume(one.session, 1);
    expect([two.first?.lost, two.heard()]).toEqual([3, ['5', '6']]);
    expect(bed.resource.calls.at(-1)).toEqual(['resumed', '3', 'false']);
    two.ack(6);
    client.send('7');
    two.cut();
    const three = bed.resume(one.session, 6);
    expect([three.first?.lost, three.heard()]).toEqual([0, ['7']]);
  });

  test('that are for all together takes from those that keep most', () => {
    const text = (length: number): string => 'x'.repeat(length - EACH);
    const bed = sessionBed({ values: { maxKept: 8000, keepBytes: 50_000 }, callbacks: { onData: (_, t) => ({ t }) } });
    const [modest, greedy, talker] = [bed.connect(), bed.connect(), bed.connect()];
    const [a, b] = bed.context.registry.clients.values();
    for (let i = 0; i < 2; i++) a.send(text(400));
    talker.say(1, 'y'.repeat(2000));
    talker.say(2, 'z'.repeat(100));
    // 8 more, and it is too much for all: 7000 bytes are left, of which 800 are a's.
    for (let i = 0; i < 15; i++) b.send(text(400));
    expect(bed.context.sessions.bytes).toBeLessThanOrEqual(8000);
    expect(bed.context.limits.counters.maxKept).toBeGreaterThan(0);
    expect(bed.context.log.at('warn')[0]).toMatch(/over \[dialog\] maxKept: 8\d\d\d bytes are kept for 3 sessions/);
    for (const peer of [modest, greedy, talker]) peer.cut();
    expect(bed.resume(modest.session, 0).first).toMatchObject({ lost: 0 });
    const back = bed.resume(greedy.session, 0);
    expect(Number(back.first?.lost) + back.heard().length).toBe(15);
    expect(back.first?.lost).toBe(bed.context.limits.counters.maxKept);
    const again = bed.resume(talker.session, 0);
    again.say(1, 'y');
    expect(again.heard()).toHaveLength(1);
  });

  test('gives a bare next for what it has forgotten of', () => {
    const bed = sessionBed({ values: { maxNexts: 2 }, callbacks: { onData: (_, text) => ({ text }) } });
    const one = bed.connect();
    for (let id = 1; id <= 3; id++) one.say(id, `m${id}`);
    one.cut();
    const two = bed.resume(one.session, 0);
    for (let id = 1; id <= 3; id++) two.say(id, `m${id}`);
    expect(two.heard()).toEqual([
      '\n{"opcode":"next","fyi":"","id":1}',
      '\n{"opcode":"next","fyi":"","text":"m2","id":2}',
      '\n{"opcode":"next","fyi":"","text":"m3","id":3}',
    ]);
    expect(bed.resource.names.filter((name) => String(name).startsWith('m'))).toEqual(['m1', 'm2', 'm3']);
  });

  test('keeps nothing that may be dropped while nobody is there, and counts it', () => {
    const bed = sessionBed();
    const one = bed.connect();
    const [client] = bed.context.registry.clients.values();
    const [member] = bed.context.registry.webClients('/');
    expect(client.send('1', { droppable: true })).toBe(true);
    one.cut();
    expect(client.send('2', { droppable: true })).toBe(false);
    expect(member.deliver(new Outgoing('3', false, undefined, true))).toBe(false);
    expect(member.deliver(new Outgoing('4', false))).toBe(true);
    expect([client.dropped, bed.context.debts.dropped]).toEqual([2, 2]);
    expect(client.bufferedAmount).toBeGreaterThan(0);
    const two = bed.resume(one.session, 0);
    expect([two.first?.lost, two.heard()]).toEqual([0, ['1', '4']]);
    expect(client.dropped).toBe(2);
  });

  test('a Buffer that its sender uses again is kept as it was, for one and for many', () => {
    const bed = sessionBed();
    const one = bed.connect();
    const [client] = bed.context.registry.clients.values();
    const [member] = bed.context.registry.webClients('/');
    const bytes = Buffer.from('abc');
    client.send(bytes);
    member.deliver(new Outgoing(bytes, true));
    bytes.fill(0);
    one.cut();
    expect(bed.resume(one.session, 0).heard()).toEqual(['binary abc', 'binary abc']);
  });

  test('a slow reader is closed with 1013, and comes back', () => {
    const bed = sessionBed({ values: { sendQueue: 1000, keepBytes: 1000 } });
    const one = bed.connect();
    const [client] = bed.context.registry.clients.values();
    one.socket.blocked = true;
    for (let i = 0; i < 10; i++) expect(client.send(`${i}`.repeat(200))).toBe(true);
    expect(bed.resource.names).toEqual(['onOpen', 'detached']);
    one.cut();
    const two = bed.resume(one.session, 0);
    // Of what was sent so many fit into keepBytes, each with 64 bytes more.
    expect([two.first?.lost, two.heard().map((text) => text.slice(0, 1))]).toEqual([7, ['7', '8', '9']]);
    expect(bed.resource.names).toEqual(['onOpen', 'detached', 'resumed']);
  });
});

test('what others bring about while kept messages are sent again comes behind them, once', () => {
  const bed = sessionBed();
  const peer = bed.connect();
  const client = [...bed.context.registry.clients.values()].at(-1);
  peer.cut();
  // Long ones leave one by one.
  const kept = ['a', 'b'].map((letter) => letter.repeat(17_000));
  for (const text of kept) client?.send(text);
  // oxlint-disable-next-line typescript/unbound-method -- it is called with its socket
  const { writeAll } = FakeSocket.prototype;
  let told = false;
  // For lack of memory a write may close another client, whose resource tells this one.
  const spy = jest.spyOn(FakeSocket.prototype, 'writeAll').mockImplementation(function (this: FakeSocket, pieces) {
    writeAll.call(this, pieces);
    if (told || pieces.every(({ length }) => length < 17_000)) return;
    told = true;
    client?.send('left');
  });
  const back = bed.resume(peer.session, 0);
  spy.mockRestore();
  expect(told).toBe(true);
  expect(back.heard().filter((word) => !word.startsWith('\n'))).toEqual([...kept, 'left']);
});
