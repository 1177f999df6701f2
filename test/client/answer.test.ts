import { describe, expect, test } from '@jest/globals';
import { dial, FakeSocket, pass, reconnect, settled, useFakes, type Watched } from './bed.ts';

useFakes();

type Opened = Watched & { readonly socket: FakeSocket };

/** Opens a session, or the plain dialog, and answers `add`. */
function enter(how: 'session' | 'plain', options: Parameters<typeof dial>[0] = {}): Opened {
  const watched = dial(options);
  const socket = how === 'session' ? FakeSocket.last.ready() : FakeSocket.last.plain();
  watched.connection.answer('add', ({ a, b }) => ({ sum: Number(a) + Number(b) }));
  return { ...watched, socket };
}

/** The packets that were sent, whatever stands around them. */
const packets = (socket: FakeSocket): unknown[] =>
  socket.sent
    .map((data) => String(data).replace(/^\{"id".*\n/, ''))
    .filter((text) => text.startsWith('{'))
    .map((text) => JSON.parse(text) as unknown);

describe.each(['session', 'plain'] as const)('a request to a client with the dialog "%s"', (how) => {
  test('is answered by what the handler returns, or its promise, or nothing', async () => {
    const { connection, socket } = enter(how);
    connection.answer('later', async ({ n }) => Promise.resolve({ opcode: 'mine', request: 0, n }));
    connection.answer('nothing', () => undefined);
    socket.packet({ opcode: 'add', request: 7, a: 1, b: 2 });
    socket.packet({ opcode: 'later', request: 8, n: 5 });
    socket.packet({ opcode: 'nothing', request: 9 });
    await settled();
    expect(packets(socket)).toEqual([
      { opcode: 'answer', request: 7, sum: 3 },
      { opcode: 'answer', request: 9 },
      { opcode: 'answer', request: 8, n: 5 },
    ]);
  });

  test('is refused where the handler throws, its promise rejects, or what it gives is no JSON or too long', async () => {
    const { connection, socket } = enter(how, {});
    connection.answer('throws', () => {
      throw new Error('not now');
    });
    connection.answer('rejects', () => Promise.reject(new Error('never')));
    connection.answer('words', () => Promise.reject('words'));
    connection.answer('big', () => ({ n: 1n }));
    connection.answer('long', () => ({ text: 'x'.repeat(20_000_000) }));
    for (const opcode of ['throws', 'rejects', 'words', 'big', 'long']) socket.packet({ opcode, request: 1 });
    await settled();
    expect(packets(socket)).toEqual(
      expect.arrayContaining([
        { opcode: 'answer', request: 1, error: 'not now' },
        { opcode: 'answer', request: 1, error: 'never' },
        { opcode: 'answer', request: 1, error: 'words' },
        { opcode: 'answer', request: 1, error: expect.stringContaining('BigInt') },
        {
          opcode: 'answer',
          request: 1,
          error: expect.stringMatching(/^a message of 200000\d\d bytes: the daemon takes \d+$/),
        },
      ]),
    );
    expect(packets(socket)).toHaveLength(5);
  });

  test('comes to no other handler, unless nobody answers its opcode: then it is refused as well', async () => {
    const { connection, socket } = enter(how);
    const seen: unknown[] = [];
    connection.on('*', (packet) => seen.push(packet));
    socket.packet({ opcode: 'add', request: 7, a: 1, b: 2 });
    socket.packet({ opcode: 'other', request: 8 });
    socket.packet({ opcode: 'add', a: 1, b: 2 });
    socket.packet({ opcode: 'add', request: '9' });
    await settled();
    expect(seen).toEqual([
      { opcode: 'other', request: 8 },
      { opcode: 'add', a: 1, b: 2 },
      { opcode: 'add', request: '9' },
    ]);
    expect(packets(socket)).toEqual([
      { opcode: 'answer', request: 8, error: 'no answer to other' },
      { opcode: 'answer', request: 7, sum: 3 },
    ]);
  });

  test('is a packet as any to who answers nothing, or nothing any more', async () => {
    const { connection } = dial();
    const socket = how === 'session' ? FakeSocket.last.ready() : FakeSocket.last.plain();
    const seen: unknown[] = [];
    connection.on('add', ({ request }) => seen.push(request));
    socket.packet({ opcode: 'add', request: 1 });
    const off = connection.answer('add', () => ({ n: 1 }));
    const other = connection.answer('add', () => ({ n: 2 }));
    off(); // it is another one's by now
    socket.packet({ opcode: 'add', request: 2 });
    await settled();
    other();
    socket.packet({ opcode: 'add', request: 3 });
    await settled();
    expect([seen, packets(socket)]).toEqual([[1, 3], [{ opcode: 'answer', request: 2, n: 2 }]]);
  });

  test('is answered before what waits, for that may be waiting for it; and however much does', async () => {
    const { connection, socket } = enter(how, { pipeline: 2, queue: { messages: 4 } });
    const sent = ['1', '2', '3', '4'].map((n) => connection.send({ opcode: 'm', n }));
    for (let request = 0; request < 3; request++) socket.packet({ opcode: 'add', request, a: request, b: 0 });
    await settled();
    const shown = packets(socket).map((packet) => {
      const { n, request } = packet as { n?: string; request?: number };
      return n ?? request;
    });
    expect(shown).toEqual(['1', '2', 0, 1, 2]);
    // Each next is whose it is: in a session by its id, else by its turn.
    const next = (id: number): void =>
      how === 'session' ? socket.dialog({ opcode: 'next', id, n: id }) : socket.packet({ opcode: 'next', n: id });
    for (let id = 1; id <= 7; id++) next(id);
    expect((await Promise.all(sent)).map(({ n }) => n)).toEqual([1, 2, 6, 7]);
    expect(packets(socket)).toHaveLength(7);
  });

  test('of a client that is a new one by then is not answered', async () => {
    const { connection, socket } = enter(how, { again: true });
    let done: (fields: object) => void = () => undefined;
    connection.answer('slow', () => new Promise<object>((resolve) => (done = resolve)));
    socket.packet({ opcode: 'slow', request: 1 });
    socket.packet({ opcode: 'add', request: 2, a: 1, b: 1 });
    void connection.send({ opcode: 'm' });
    await settled();
    socket.end(1006);
    pass(100_000);
    const next = FakeSocket.last;
    expect(next).not.toBe(socket);
    if (how === 'session') next.ready({ uuid: 'u2', resumed: false });
    else next.plain('u2');
    done({ late: true });
    await settled();
    expect(packets(next)).toEqual([{ opcode: 'm' }]);
  });
});

describe('in a session that goes on', () => {
  test('an answer that has no next yet goes again, with the same id, and one that was given meanwhile follows', async () => {
    const { connection, socket } = enter('session', { pipeline: 1 });
    void connection.send({ opcode: 'm', n: 1 });
    void connection.send({ opcode: 'm', n: 2 });
    socket.packet({ opcode: 'add', request: 1, a: 1, b: 1 });
    let done: (fields: object) => void = () => undefined;
    connection.answer('slow', () => new Promise<object>((resolve) => (done = resolve)));
    socket.packet({ opcode: 'slow', request: 2 });
    await settled();
    expect(socket.headers).toEqual(
      [{ id: 1, ack: expect.any(Number) }, { id: 2 }].map((header) => expect.objectContaining({ id: header.id })),
    );
    const next = reconnect(1006);
    done({ late: true });
    await settled();
    next.resumed({ handled: 1 });
    await settled();
    expect(packets(next)).toEqual([
      { opcode: 'm', n: 1 },
      { opcode: 'answer', request: 1, sum: 2 },
      { opcode: 'answer', request: 2, late: true },
    ]);
    expect(next.headers.map((header) => (header as { id: number }).id)).toEqual([1, 2, 3]);
    next.dialog({ opcode: 'next', id: 1 });
    next.dialog({ opcode: 'next', id: 2 });
    next.dialog({ opcode: 'next', id: 3 });
    expect(next.headers.map((header) => (header as { id: number }).id)).toEqual([1, 2, 3, 4]);
  });

  test('after it is closed for good nothing is answered, and nothing is thrown', async () => {
    const { connection, socket } = enter('session');
    let done: (fields: object) => void = () => undefined;
    connection.answer('slow', () => new Promise<object>((resolve) => (done = resolve)));
    socket.packet({ opcode: 'slow', request: 2 });
    await settled();
    connection.close();
    done({ late: true });
    await settled();
    expect(packets(socket)).toEqual([]);
  });
});
