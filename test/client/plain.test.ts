import { describe, expect, test } from '@jest/globals';
import { dial, FakeSocket, outcome, pass, type Watched, useFakes } from './bed.ts';

useFakes();

function enter(options: Parameters<typeof dial>[0] = {}): Watched & { readonly socket: FakeSocket } {
  const watched = dial(options);
  return { ...watched, socket: FakeSocket.last.plain() };
}

const NEXT = { opcode: 'next', fyi: '' };

describe('a daemon without sessions', () => {
  test('next comes in the order of the messages', async () => {
    const { connection, socket } = enter({ pipeline: 2 });
    const sent = ['a', 'b', 'c'].map((text) => connection.send(text));
    expect(socket.sent).toEqual(['a', 'b']);
    socket.packet({ ...NEXT, delivered: 1 });
    expect(socket.sent).toEqual(['a', 'b', 'c']);
    socket.packet({ ...NEXT, delivered: 2 });
    expect(await outcome(sent[0])).toEqual({ ...NEXT, delivered: 1 });
    expect(await outcome(sent[1])).toEqual({ ...NEXT, delivered: 2 });
    expect(await outcome(sent[2])).toBe('pending');
  });

  test('packets and other texts come, and nothing is acknowledged', () => {
    const { connection, socket } = enter();
    const seen: unknown[] = [];
    connection.on('*', (packet) => seen.push(packet));
    // oxlint-disable-next-line unicorn/prefer-add-event-listener -- it has no other
    connection.onmessage = (data) => seen.push(data);
    socket.packet({ opcode: 'ready', uuid: 'of somebody else' });
    socket.text('\nx');
    expect(seen).toEqual([{ opcode: 'ready', uuid: 'of somebody else' }, '\nx']);
    expect(connection.uuid).toBe('u1');
    pass(5000);
    expect(socket.sent).toEqual([]);
  });

  test('a long message goes between bufferON and bufferOFF; each has a next, the last is its own', async () => {
    const { connection, socket } = enter({ queue: { bytes: 4 << 20 } });
    const text = 'ü'.repeat(1_000_000);
    const [long, short] = [connection.send(text), connection.send('short')];
    expect([socket.sent[0], ...socket.sent.slice(-2)]).toEqual(['bufferON', 'bufferOFF', 'short']);
    const pieces = socket.sent.slice(1, -2);
    expect(pieces.join('') === text).toBe(true);
    expect(pieces.every((piece) => Buffer.byteLength(piece as string) <= 1 << 20)).toBe(true);
    for (let n = 0; n < pieces.length + 1; n++) socket.packet(NEXT);
    expect(await outcome(long)).toBe('pending');
    socket.packet({ ...NEXT, delivered: 5 });
    expect(await outcome(long)).toEqual({ ...NEXT, delivered: 5 });
    socket.packet(NEXT);
    expect(await outcome(short)).toEqual(NEXT);
  });

  test('a text that would begin a message in pieces is one', () => {
    const { connection, socket } = enter();
    void connection.send('bufferON the shelf');
    expect(socket.sent).toEqual(['bufferON', 'bufferON the shelf', 'bufferOFF']);
  });

  test('no piece of a long text is taken for its end', () => {
    const { connection, socket } = enter({ queue: { bytes: 4 << 20 } });
    for (let more = 0; more < 600; more += 60) {
      void connection.send(`${'x'.repeat((1 << 20) - 300 + more)}bufferOFF`);
      socket.packet(NEXT);
      while (socket.sent.length > 0) {
        socket.packet(NEXT);
        const [sent] = socket.sent.splice(0, 1);
        if (sent === 'bufferOFF') expect(socket.sent).toEqual([]);
      }
    }
  });
});

describe('a lost connection', () => {
  test('what may have been handled is rejected at once; what waited goes out later', async () => {
    const { connection, socket } = enter({ pipeline: 1 });
    const [lost, waits] = [connection.send('a'), connection.send('b')];
    socket.end(1006);
    expect(await outcome(lost)).toBe('LostError');
    await expect(lost).rejects.toThrow('the connection was lost: it may or may not have been handled');
    pass(250);
    FakeSocket.last.plain('u2');
    expect(FakeSocket.last.sent).toEqual(['b']);
    FakeSocket.last.packet(NEXT);
    expect(await outcome(waits)).toEqual(NEXT);
  });

  test('or goes again, where that is asked for', async () => {
    const { connection, socket } = enter({ again: true });
    const [repeated, single] = [connection.send('a'), connection.send('b', { again: false })];
    socket.end(1006);
    expect(await outcome(single)).toBe('LostError');
    pass(250);
    FakeSocket.last.plain('u2');
    expect(FakeSocket.last.sent).toEqual(['a']);
    FakeSocket.last.packet(NEXT);
    expect(await outcome(repeated)).toEqual(NEXT);
  });

  test('that is still closing is given nothing: it goes out later, and is not in doubt', async () => {
    const { connection, socket } = enter();
    socket.readyState = 2;
    const sent = connection.send('a', { again: false });
    expect(socket.sent).toEqual([]);
    socket.end(1012);
    pass(3000);
    FakeSocket.last.plain('u2');
    expect(FakeSocket.last.sent).toEqual(['a']);
    FakeSocket.last.packet(NEXT);
    expect(await outcome(sent)).toEqual(NEXT);
  });

  test('that does not end its closing is given up, and is not asked', () => {
    const { socket, states } = enter();
    socket.readyState = 2;
    pass(35_000);
    expect([socket.sent, states]).toEqual([[], ['open', 'waiting 4408']]);
  });

  test('a return is told, with the new uuid', () => {
    const { connection, socket } = enter();
    const returns: unknown[] = [];
    connection.onresumed = (how) => returns.push([how, connection.uuid]);
    socket.end(1012);
    pass(3000);
    FakeSocket.last.plain('u2');
    expect(returns).toEqual([[{ resumed: false, lost: null }, 'u2']]);
    expect(FakeSocket.last.offered).toEqual(['websock.2', 'websock']);
  });
});

describe('a dead link', () => {
  test('is asked with an empty message, whose next is nobody else’s', async () => {
    const { connection, socket, states } = enter();
    pass(25_000);
    expect(socket.sent).toEqual(['']);
    const sent = connection.send('a');
    socket.packet(NEXT);
    expect(await outcome(sent)).toBe('pending');
    socket.packet({ ...NEXT, delivered: 1 });
    expect(await outcome(sent)).toEqual({ ...NEXT, delivered: 1 });
    pass(25_000);
    pass(10_000);
    expect(states).toEqual(['open', 'waiting 4408']);
  });

  test('a message that is being handled has a minute more: to give up would lose it', () => {
    const { connection, socket, states } = enter();
    connection.send('a').catch(() => undefined);
    pass(25_000);
    expect(socket.sent).toEqual(['a', '']);
    pass(69_000);
    expect(states).toEqual(['open']);
    pass(1000);
    expect(states).toEqual(['open', 'waiting 4408']);
  });
});
