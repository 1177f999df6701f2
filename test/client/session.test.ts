import { describe, expect, test } from '@jest/globals';
import type { Next } from '../../src/client/index.ts';
import { dial, FakeSocket, outcome, pass, reconnect, type Watched, useFakes } from './bed.ts';

useFakes();

/** Opens a session. */
function enter(options: Parameters<typeof dial>[0] = {}): Watched & { readonly socket: FakeSocket } {
  const watched = dial(options);
  return { ...watched, socket: FakeSocket.last.ready() };
}

describe('what is sent', () => {
  test('has a header with an id; next names it', async () => {
    const { connection, socket } = enter();
    const sent = [
      connection.send({ opcode: 'x', text: 'ü\n' }),
      connection.send('a text\nof two lines'),
      connection.send(new Uint8Array([0, 10, 255])),
      connection.send(new Uint8Array([1, 2]).buffer),
    ];
    expect(socket.frames).toEqual([
      { header: { id: 1 }, payload: '{"opcode":"x","text":"ü\\n"}' },
      { header: { id: 2 }, payload: 'a text\nof two lines' },
      { header: { id: 3 }, payload: '\x00\n\xff' },
      { header: { id: 4 }, payload: '\x01\x02' },
    ]);
    expect(socket.sent.map((data) => typeof data)).toEqual(['string', 'string', 'object', 'object']);
    socket.dialog({ opcode: 'next', fyi: '', id: 2, delivered: 3 });
    expect(await outcome(sent[0])).toBe('pending');
    expect(await outcome(sent[1])).toEqual({ opcode: 'next', fyi: '', id: 2, delivered: 3 });
    socket.dialog({ opcode: 'next', fyi: '', id: 1 });
    socket.dialog({ opcode: 'next', fyi: '', id: 77 });
    expect(await outcome(sent[0])).toMatchObject({ id: 1 });
  });

  test('is what it was when it was given', () => {
    const { connection } = dial();
    const [packet, bytes] = [{ opcode: 'x', n: 1 }, Buffer.from('abc')];
    void connection.send(packet);
    void connection.send(bytes);
    packet.n = 2;
    bytes.fill(0);
    expect(FakeSocket.last.ready().frames.map(({ payload }) => payload)).toEqual(['{"opcode":"x","n":1}', 'abc']);
  });

  test('waits in the queue until it is open, and then for the window', () => {
    const { connection } = dial({ pipeline: 2 });
    for (let n = 0; n < 5; n++) void connection.send(`m${n}`);
    const socket = FakeSocket.last;
    expect(socket.sent).toEqual([]);
    socket.ready();
    expect(socket.headers).toEqual([{ id: 1 }, { id: 2 }]);
    socket.dialog({ opcode: 'next', id: 1 });
    expect(socket.headers).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }]);
    socket.dialog({ opcode: 'next', id: 2 });
    socket.dialog({ opcode: 'next', id: 3 });
    expect(socket.frames.map(({ payload }) => payload)).toEqual(['m0', 'm1', 'm2', 'm3', 'm4']);
  });

  test('16 at a time, if nothing else is said', () => {
    const { connection, socket } = enter();
    for (let n = 0; n < 40; n++) void connection.send(`m${n}`);
    expect(socket.sent).toHaveLength(16);
  });

  test('longer than maxPayload goes in pieces that fit, and are whole characters', () => {
    const { connection, socket } = enter();
    const text = 'aü😀'.repeat(250); // 7 bytes each
    void connection.send(text);
    const bytes = Uint8Array.from({ length: 2000 }, (_, n) => n % 251);
    void connection.send(bytes);
    expect(socket.sent.every((data) => Buffer.byteLength(data as string) <= 1000)).toBe(true);
    const [first, second] = [1, 2].map((id) => socket.frames.filter(({ header }) => header?.id === id));
    expect(first.map(({ payload }) => payload).join('')).toBe(text);
    expect(Buffer.from(second.map(({ payload }) => payload).join(''), 'latin1')).toEqual(Buffer.from(bytes));
    for (const pieces of [first, second]) {
      expect(pieces.length).toBeGreaterThan(1);
      expect(pieces.map(({ header }) => header?.more)).toEqual(
        pieces.map((_, n) => (n < pieces.length - 1 ? true : undefined)),
      );
    }
  });

  test('longer than maxBuffer is refused, and takes no id; so are more pieces than maxChunks', async () => {
    const { connection } = dial({ queue: { bytes: 10_000 } });
    const [long, short] = [connection.send('x'.repeat(4001)), connection.send('y')];
    const socket = FakeSocket.last.ready();
    await expect(long).rejects.toThrow('a message of 4001 bytes: the daemon takes 4000');
    expect(socket.headers).toEqual([{ id: 1 }]);
    socket.dialog({ opcode: 'next', id: 1 });
    expect(await outcome(short)).toMatchObject({ id: 1 });
    reconnect(1011).ready({ maxBuffer: 1_000_000, maxChunks: 3 });
    expect(await outcome(connection.send('z'.repeat(3000)))).toBe('TooLongError');
  });
});

describe('what comes', () => {
  test('packets, other texts, bytes; a line feed in front is taken off', () => {
    const { connection, socket } = enter();
    const seen: unknown[] = [];
    connection.on('*', (packet) => seen.push(packet));
    // oxlint-disable-next-line unicorn/prefer-add-event-listener -- it has no other
    connection.onmessage = (data) => seen.push(data);
    socket.packet({ opcode: 'next', from: 'a resource' });
    socket.text('plain');
    socket.text('\n\n{"opcode":"close"}');
    socket.text('\n\nx');
    const bytes = new ArrayBuffer(3);
    socket.text(bytes);
    expect(seen).toEqual([{ opcode: 'next', from: 'a resource' }, 'plain', { opcode: 'close' }, '\nx', bytes]);
  });

  test('is acknowledged after a second', () => {
    const { socket } = enter();
    socket.text('1');
    pass(500);
    socket.text(new ArrayBuffer(1));
    pass(499);
    expect(socket.sent).toEqual([]);
    pass(1);
    expect(socket.sent).toEqual(['\n{"opcode":"ack","received":2}']);
    pass(5000);
    expect(socket.sent).toHaveLength(1);
  });

  test('after 32 messages, at once', () => {
    const { socket } = enter();
    for (let n = 0; n < 70; n++) socket.text('m');
    expect(socket.sent).toEqual(['\n{"opcode":"ack","received":32}', '\n{"opcode":"ack","received":64}']);
  });

  test('along with what is sent anyway', () => {
    const { connection, socket } = enter();
    socket.text('1');
    socket.text('2');
    void connection.send('m');
    void connection.send('n');
    expect(socket.headers).toEqual([{ id: 1, ack: 2 }, { id: 2 }]);
    pass(2000);
    expect(socket.sent).toHaveLength(2);
  });

  test('packets of the dialog are not counted', () => {
    const { socket } = enter();
    socket.dialog({ opcode: 'pong' });
    socket.dialog({ opcode: 'next', id: 9 });
    pass(2000);
    expect(socket.sent).toEqual([]);
  });
});

describe('a return', () => {
  test('asks for the session, and says what was received', () => {
    const { socket } = enter();
    socket.text('1');
    socket.text('2');
    const next = reconnect();
    expect(next.offered.slice(0, 2)).toEqual(['websock.2', 'websock.resume.SECRET.2']);
    expect(next.sent).toEqual([]);
  });

  test('resumed: the same uuid; what was not acknowledged goes again, as it was and in order', async () => {
    const { connection, socket, states } = enter();
    const returns: unknown[] = [];
    connection.onresumed = (how) => returns.push(how);
    const sent = [1, 2, 3].map((n) => connection.send(`m${n}`));
    socket.dialog({ opcode: 'next', id: 1 });
    const next = reconnect();
    sent.push(connection.send('m4'));
    expect(next.sent).toEqual([]);
    next.resumed({ handled: 2 });
    expect([connection.uuid, returns]).toEqual(['u1', [{ resumed: true, lost: 0 }]]);
    expect(next.frames).toEqual([
      { header: { id: 2 }, payload: 'm2' },
      { header: { id: 3 }, payload: 'm3' },
      { header: { id: 4 }, payload: 'm4' },
    ]);
    for (const id of [2, 3, 4]) next.dialog({ opcode: 'next', id });
    expect(await Promise.all(sent.map((one) => one.then(({ id }: Next) => id)))).toEqual([1, 2, 3, 4]);
    expect(states).toEqual(['open', 'waiting 1006', 'connecting', 'open']);
  });

  test('a socket that is closing is given neither messages nor receipts; the next one is', () => {
    const { connection, socket } = enter();
    socket.text('1');
    socket.readyState = 2;
    void connection.send('m1');
    pass(1000);
    expect(socket.sent).toEqual([]);
    const next = reconnect(1012);
    expect(next.offered).toContain('websock.resume.SECRET.1');
    next.resumed();
    expect(next.frames).toEqual([{ header: { id: 1 }, payload: 'm1' }]);
  });

  test('with something lost: how many; they count as received', () => {
    const { connection, socket } = enter();
    const lost: number[] = [];
    connection.onlost = (count) => lost.push(count);
    socket.text('1');
    const next = reconnect();
    next.resumed({ lost: 5 });
    expect(lost).toEqual([5]);
    next.text('7');
    expect(reconnect().offered).toContain('websock.resume.SECRET.7');
    FakeSocket.last.resumed({ lost: 0 });
    expect(lost).toEqual([5]);
  });

  test('what was said by it is not said again', () => {
    const { connection, socket } = enter();
    socket.text('1');
    const next = reconnect();
    next.resumed({ lost: 2 });
    void connection.send('m');
    expect(next.headers).toEqual([{ id: 1 }]);
    pass(2000);
    expect(next.sent).toHaveLength(1);
  });

  test('as a new one: another uuid; ids from 1 again, and what may have been handled says so', async () => {
    const { connection, socket } = enter();
    const returns: unknown[] = [];
    connection.onresumed = (how) => returns.push(how);
    void connection.send('m1');
    void connection.send('m2');
    socket.dialog({ opcode: 'next', id: 1 });
    socket.text('1');
    const strict = connection.send('m3', { again: false });
    const next = reconnect();
    void connection.send('m4');
    next.ready({ uuid: 'u2', session: 'OTHER', resumed: false });
    expect([connection.uuid, returns]).toEqual(['u2', [{ resumed: false, lost: null }]]);
    expect(await outcome(strict)).toBe('LostError');
    expect(next.frames).toEqual([
      { header: { id: 1, again: true }, payload: 'm2' },
      { header: { id: 2 }, payload: 'm4' },
    ]);
    expect(await connection.ready).toEqual({ uuid: 'u1' });
    expect(reconnect().offered).toContain('websock.resume.OTHER.0');
  });

  test('marks stay on what goes again for a second time', () => {
    const { connection } = enter();
    void connection.send('m1');
    reconnect().ready({ uuid: 'u2', resumed: false });
    const next = reconnect();
    next.resumed();
    expect(next.headers).toEqual([{ id: 1, again: true }]);
  });

  test('without sessions now: what may have been handled is lost', async () => {
    const { connection } = enter();
    const [lost, repeated] = [connection.send('m1'), connection.send('m2', { again: true })];
    const next = reconnect();
    const waited = connection.send('m3');
    next.plain('u2');
    expect(await outcome(lost)).toBe('LostError');
    expect(next.sent).toEqual(['m2', 'm3']);
    next.packet({ opcode: 'next', fyi: '' });
    next.packet({ opcode: 'next', fyi: '' });
    expect(await outcome(repeated)).toEqual({ opcode: 'next', fyi: '' });
    expect(await outcome(waited)).toEqual({ opcode: 'next', fyi: '' });
  });

  test('all pieces of a message go again', () => {
    const { connection, socket } = enter();
    void connection.send('x'.repeat(2000));
    const { frames } = socket;
    const next = reconnect();
    next.resumed();
    expect(next.frames).toEqual(frames);
  });

  test('a message whose handler fails goes again once, marked, in a new session; not for ever', async () => {
    const { connection } = enter();
    const [bad, good] = [connection.send('bad'), connection.send('good')];
    const second = reconnect(1011);
    expect(second.offered).toEqual(['websock.2', 'websock']);
    second.ready({ uuid: 'u2' });
    expect(second.headers).toEqual([
      { id: 1, again: true },
      { id: 2, again: true },
    ]);
    const third = reconnect(1011).ready({ uuid: 'u3' });
    expect(await outcome(bad)).toBe('LostError');
    expect(third.frames).toEqual([{ header: { id: 1, again: true }, payload: 'good' }]);
    third.dialog({ opcode: 'next', id: 1 });
    expect(await outcome(good)).toMatchObject({ id: 1 });
  });

  test('nothing of an old socket counts any more', async () => {
    const { connection, socket, states } = enter();
    const sent = connection.send('m');
    reconnect().resumed();
    socket.dialog({ opcode: 'next', id: 1 });
    socket.end(1000);
    expect(await outcome(sent)).toBe('pending');
    expect(states).toEqual(['open', 'waiting 1006', 'connecting', 'open']);
  });
});
