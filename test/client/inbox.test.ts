import { describe, expect, test } from '@jest/globals';
import type { AnyPacket, Connection } from '../../src/client/index.ts';
import { dial, FakeSocket, outcome, pass, reconnect, settled, type Watched, useFakes } from './bed.ts';

useFakes();

function enter(options: Parameters<typeof dial>[0] = {}): Watched & { readonly socket: FakeSocket } {
  const watched = dial(options);
  return { ...watched, socket: FakeSocket.last.ready() };
}

function numbered(socket: FakeSocket, ...numbers: number[]): void {
  for (const n of numbers) socket.packet({ opcode: 'tick', n });
}

/** Iterates until the end, or `most` packets. @returns what came, and how it ended. */
async function all(connection: Connection, most = Infinity): Promise<unknown[]> {
  const seen: unknown[] = [];
  try {
    for await (const { n } of connection) {
      seen.push(n);
      if (seen.length >= most) break;
    }
    seen.push('end');
  } catch (error) {
    seen.push((error as Error).name);
  }
  return seen;
}

describe('handlers', () => {
  test('of an opcode, of all, and taken off again', () => {
    const { connection, socket } = enter();
    const seen: unknown[] = [];
    const off = connection.on('tick', ({ n }) => seen.push(n));
    connection.on('*', ({ opcode }) => seen.push(opcode));
    numbered(socket, 1);
    off();
    numbered(socket, 2);
    socket.packet({ opcode: 'other' });
    expect(seen).toEqual([1, 'tick', 'tick', 'other']);
  });

  test('once: a handler, which may ask again for the next', () => {
    const { connection, socket } = enter();
    const seen: unknown[] = [];
    connection.once('tick', ({ n }) => {
      seen.push(n);
      connection.once('tick', (packet) => seen.push(packet.n));
    });
    const off = connection.once('tick', () => seen.push('never'));
    off();
    numbered(socket, 1, 2, 3);
    expect(seen).toEqual([1, 2]);
  });

  test('once: a promise, which fails when it cannot come any more', async () => {
    const { connection, socket } = enter();
    const [first, never] = [connection.once('tick'), connection.once('never')];
    numbered(socket, 1, 2);
    expect(await first).toEqual({ opcode: 'tick', n: 1 });
    connection.close();
    expect(await outcome(never)).toBe('ClosedError');
    expect(await outcome(connection.once('late'))).toBe('ClosedError');
  });
});

describe('iteration', () => {
  test('has what came before it began, if it begins when ready resolves', async () => {
    const { connection, socket } = enter();
    numbered(socket, 1, 2);
    await connection.ready;
    const seen = all(connection);
    numbered(socket, 3);
    await settled();
    connection.close();
    expect(await seen).toEqual([1, 2, 3, 'end']);
  });

  test('begun later it has what comes from then on: nothing gathers for nobody', async () => {
    const { connection, socket } = enter({ queue: { messages: 1 } });
    pass(0);
    numbered(socket, 1, 2, 3);
    const seen = all(connection);
    await settled();
    numbered(socket, 4);
    await settled();
    socket.end(1000);
    expect([await seen, connection.dropped]).toEqual([[4, 'end'], 0]);
  });

  test('keeps so many, the newest, and says how many it has not', async () => {
    const { connection, socket } = enter({ queue: { messages: 3 } });
    const packets = connection[Symbol.asyncIterator]();
    numbered(socket, 1, 2, 3, 4, 5);
    expect(connection.dropped).toBe(2);
    socket.end(1000);
    const seen: unknown[] = [];
    for (let found = await packets.next(); found.done !== true; found = await packets.next()) seen.push(found.value.n); // oxlint-disable-line no-await-in-loop
    expect(seen).toEqual([3, 4, 5]);
  });

  test('goes on over a lost connection; throws if it is closed for good by an error', async () => {
    const { connection, socket } = enter();
    const seen = all(connection);
    numbered(socket, 1);
    await settled();
    const next = reconnect().resumed();
    numbered(next, 2);
    await settled();
    next.end(1008, 'rate');
    expect(await seen).toEqual([1, 2, 'ClosedError']);
    expect(await all(connection)).toEqual(['ClosedError']);
  });

  test('left by break it keeps nothing any more', async () => {
    const { connection, socket } = enter({ queue: { messages: 2 } });
    const seen = all(connection, 1);
    numbered(socket, 1);
    expect(await seen).toEqual([1, 'end']);
    numbered(socket, 2, 3, 4, 5);
    expect(connection.dropped).toBe(0);
    const again = all(connection, 1);
    await settled();
    numbered(socket, 6);
    expect(await again).toEqual([6, 'end']);
  });
});

describe('the queue', () => {
  test('is bounded in messages: one too many is refused, nothing else suffers', async () => {
    const { connection } = dial({ queue: { messages: 2 } });
    const sent = ['a', 'b', 'c'].map((text) => connection.send(text));
    await expect(sent[2]).rejects.toThrow('the queue is full: 2 messages, 2 bytes wait');
    const socket = FakeSocket.last.ready();
    expect(socket.frames.map(({ payload }) => payload)).toEqual(['a', 'b']);
    expect(await outcome(connection.send('d'))).toBe('QueueFullError'); // sent, but not acknowledged
    socket.dialog({ opcode: 'next', id: 1 });
    expect(await outcome(connection.send('e'))).toBe('pending');
  });

  test('and in bytes; one message alone may be longer', async () => {
    const { connection } = dial({ queue: { bytes: 10 } });
    expect(await outcome(connection.send('ü'.repeat(50)))).toBe('pending');
    expect(await outcome(connection.send('x'))).toBe('QueueFullError');
    FakeSocket.last.ready().dialog({ opcode: 'next', id: 1 });
    expect(await outcome(connection.send('ü'.repeat(5)))).toBe('pending');
    expect(await outcome(connection.send('x'))).toBe('QueueFullError');
  });
});

describe('what it can say', () => {
  test('broadcast, feedback, echo', () => {
    const { connection, socket } = enter();
    void connection.broadcast({ a: 1 });
    void connection.feedback('U', { a: 1 });
    void connection.feedback({ ident: 'cron' }, { a: 1 });
    void connection.echo({ a: 1 });
    expect(socket.frames.map(({ payload }) => JSON.parse(payload) as unknown)).toEqual([
      { opcode: 'broadcast', a: 1 },
      { opcode: 'feedback', uuid: 'U', a: 1 },
      { opcode: 'feedback', ident: 'cron', a: 1 },
      { opcode: 'echo', a: 1 },
    ]);
  });

  test('tickets, one after the other', async () => {
    const { connection, socket } = enter();
    const [first, second] = [connection.ticket(60), connection.ticket(-1)];
    await settled();
    expect(socket.frames.map(({ payload }) => payload)).toEqual(['{"opcode":"ticket","ttl":60}']);
    socket.packet({ opcode: 'ticket', ticket: 'wst1.x', expires: 1_700_000_000 });
    socket.dialog({ opcode: 'next', id: 1 });
    expect(await first).toEqual({ ticket: 'wst1.x', expires: 1_700_000_000 });
    await settled();
    socket.dialog({ opcode: 'next', id: 2, error: 'ttl is wrong' });
    await expect(second).rejects.toThrow('ttl is wrong');
  });

  test('quit: what waits goes first; closed for good when it is done', async () => {
    const { connection, socket, states } = enter({ pipeline: 1 });
    const [last, gone] = [connection.send('last'), connection.quit()];
    socket.dialog({ opcode: 'next', id: 1 });
    expect(socket.frames.map(({ payload }) => payload)).toEqual(['last', '{"opcode":"quit"}']);
    expect(await outcome(gone)).toBe('pending');
    socket.dialog({ opcode: 'next', id: 2 });
    socket.end(1000, 'quit');
    expect(await outcome(gone)).toBeUndefined();
    expect(await outcome(last)).toMatchObject({ id: 1 });
    expect(states).toEqual(['open', 'closed 1000']);
    await connection.quit(); // again: it is closed
  });

  test('close: at once, whatever waits', async () => {
    const { connection, socket, states } = enter();
    const sent = connection.send('x');
    connection.close(4000, 'bye');
    connection.close();
    expect([socket.closed, states, connection.state]).toEqual([[4000, 'bye'], ['open', 'closed 4000'], 'closed']);
    expect(await outcome(sent)).toBe('ClosedError');
    pass(60_000);
    expect(FakeSocket.all).toHaveLength(1);
  });

  test('close before it is open: ready fails, and nobody has to wait for it', async () => {
    const { connection } = dial();
    connection.close();
    expect(await outcome(connection.ready)).toBe('ClosedError');
    expect(FakeSocket.last.closed).toEqual([1000, '']);
  });

  test('close while it waits for the next attempt: there is none', () => {
    const { connection, states } = dial();
    FakeSocket.last.end(1006);
    connection.close();
    pass(60_000);
    expect([states, FakeSocket.all.length]).toEqual([['waiting 1006', 'closed 1000'], 1]);
  });

  test('close in a handler that is told of its state', () => {
    const { connection } = dial();
    const returns: unknown[] = [];
    connection.onresumed = (how) => returns.push(how);
    connection.onstate = (state) => {
      if (state === 'open') connection.close();
    };
    void connection.send('x').catch(() => undefined);
    FakeSocket.last.ready();
    expect([connection.state, FakeSocket.last.sent, returns]).toEqual(['closed', [], []]);
  });
});

test('packets have types', () => {
  type Mine = { tick: { readonly n: number }; note: { readonly text: string } };
  const { connection } = dial() as unknown as { connection: Connection<Mine> };
  connection.on('tick', ({ n }) => n.toFixed());
  connection.on('note', ({ text }) => text.trim());
  // @ts-expect-error -- there is no such field
  connection.on('note', ({ n }) => n);
  // @ts-expect-error -- there is no such opcode
  connection.on('other', () => undefined);
  connection.on('*', (packet: AnyPacket<Mine>) => (packet.opcode === 'tick' ? packet.n : packet.text));
  const untyped: Connection = dial().connection;
  untyped.on('anything', ({ whatever }) => whatever);
  expect(connection.state).toBe('connecting');
});
