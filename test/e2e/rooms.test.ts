import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { WebSocket } from 'ws';
import { connect, type Connection, type Next, type Options } from '../../src/client/index.ts';
import { type RunningDaemon, spawnDaemon, startDaemon } from '../support/daemon.ts';
import { RawPeer } from '../support/rawpeer.ts';

/** Lets its clients join rooms, speak to them, and be asked. */
const CLUB = `import { RequestError, Resource } from 'websock';
  export default class Club extends Resource {
    async ask(client, n, timeout) {
      try {
        return { answer: await client.request({ opcode: 'double', n }, { timeout }) };
      } catch (error) {
        if (!(error instanceof RequestError)) throw error;
        return { code: error.code, error: error.message };
      }
    }
    onData(client, message, info) {
      const { opcode, room, n, timeout, uuid } = this.getPacket(message);
      if (opcode === 'join') return { joined: client.join(room), rooms: [...client.rooms] };
      if (opcode === 'leave') {
        client.leave(room);
        return { rooms: [...client.rooms] };
      }
      if (opcode === 'say') return { size: this.to(room).size, delivered: this.to(room).except(client).send(message) };
      if (opcode === 'ask') return this.ask(client, n, timeout);
      if (opcode === 'ask-other') return this.ask([...this.server.clients.values()].find((one) => one.uuid === uuid), n, timeout);
      if (opcode === 'trust') {
        this.log('asks ' + n + (info.again ? ' again' : ''));
        return client.request({ opcode: 'double', n }).then(({ n }) => ({ n }));
      }
      return { got: opcode };
    }
    onClose(client) { this.log('left ' + [...client.rooms].join(' ')); }
  }`;

/** The sockets of clients, so that they can be cut. */
class Cut extends WebSocket {
  static last: Cut | null = null;
  constructor(url: string, protocols: string[]) {
    super(url, protocols);
    Cut.last = this;
  }
}

let daemon: RunningDaemon;
let open: Connection[] = [];

beforeAll(async () => {
  daemon = await startDaemon({ extra: { 'club.mjs': CLUB } });
});
afterEach(() => {
  for (const connection of open) connection.close();
  open = [];
});
afterAll(() => daemon.dispose());

/** A client that doubles what it is asked. */
async function dial(options: Options = {}): Promise<Connection> {
  const url = `ws://127.0.0.1:${daemon.port}/club`;
  const connection = connect(url, { WebSocket: Cut, backoff: { min: 20, max: 100 }, ...options });
  open.push(connection);
  connection.answer('double', ({ n }) => ({ n: 2 * Number(n) }));
  await connection.ready;
  return connection;
}

async function post(packet: object): Promise<Next> {
  const response = await fetch(`http://127.0.0.1:${daemon.port}/club`, {
    method: 'POST',
    body: JSON.stringify(packet),
  });
  return (await response.json()) as Next;
}

/** Another daemon in the place of the one that has ended, with its ini, port and files. */
async function rise(): Promise<void> {
  const text = readFileSync(join(daemon.dir, 'websock.ini'), 'utf8');
  const ini = text.replace(/^resources=.*\n/, '').replace('127.0.0.1:0', `127.0.0.1:${daemon.port}`);
  daemon = spawnDaemon({ dir: daemon.dir, ini, args: ['--resources', join(daemon.dir, 'resources')] });
  await daemon.said(/Starting server\.\.\.[^]*Registered resource : \S+\n/);
}

describe('rooms', () => {
  test('hold clients of every kind, but no POST, which may speak to them', async () => {
    const [page, plain] = [await dial(), await dial({ resume: false })];
    const line = await RawPeer.line({ port: daemon.port }, '/club');
    expect(await page.send({ opcode: 'join', room: 'a' })).toMatchObject({ joined: true, rooms: ['a'] });
    expect(await plain.send({ opcode: 'join', room: 'a' })).toMatchObject({ joined: true });
    line.write('{"opcode":"join","room":"a"}\n');
    expect(JSON.parse(await line.line())).toMatchObject({ joined: true });
    expect(await post({ opcode: 'join', room: 'a' })).toMatchObject({ joined: false, rooms: [] });
    const heard = [page.once('say'), plain.once('say'), line.line()];
    expect(await post({ opcode: 'say', room: 'a', text: 'hello' })).toMatchObject({ size: 3, delivered: 3 });
    const said = { opcode: 'say', room: 'a', text: 'hello' };
    expect(
      (await Promise.all(heard)).map((one) => (typeof one === 'string' ? (JSON.parse(one) as object) : one)),
    ).toEqual([said, said, said]);
    expect(await page.send({ opcode: 'leave', room: 'a' })).toMatchObject({ rooms: [] });
    expect(await plain.send({ opcode: 'say', room: 'a' })).toMatchObject({ size: 2, delivered: 1 });
    line.socket.destroy();
    plain.close();
    await daemon.said(/left a\n[^]*left a\n/);
    expect(await page.send({ opcode: 'say', room: 'a' })).toMatchObject({ size: 0, delivered: 0 });
  });

  test('what is no room fails; more than maxRooms are refused, and the log says so once', async () => {
    const page = await dial();
    for (let n = 0; n < 100; n++) void page.send({ opcode: 'join', room: `room ${n}` });
    expect(await page.send({ opcode: 'join', room: 'one more' })).toMatchObject({ joined: false });
    expect(await page.send({ opcode: 'join', room: 'another' })).toMatchObject({ joined: false });
    await expect(page.send({ opcode: 'join', room: '' })).rejects.toThrow('it may or may not have been handled');
    await daemon.said(/the resource failed: a room is a text of 1 to 256 characters, not one of 0/);
    expect(daemon.out.match(/[^;\n]*maxRooms[^\n]*/g)?.map((line) => line.replace(/#\d+ /, ''))).toEqual([
      ' WARN 127.0.0.1 /club: over [limits] maxRooms: in more than 100 rooms: refused',
    ]);
  });
});

describe('client.request', () => {
  test.each([
    ['with a session', {}],
    ['without one', { resume: false }],
  ])('in the handler of that client, %s, while it sends more than its pipeline', async (_, options: Options) => {
    const page = await dial({ pipeline: 2, ...options });
    const sent = Array.from({ length: 12 }, (_n, n) =>
      page.send(n % 3 === 0 ? { opcode: 'ask', n } : { opcode: `m${n}` }),
    );
    const nexts = await Promise.all(sent);
    expect(nexts.map(({ answer, got }) => got ?? (answer as { n: number }).n)).toEqual([
      0,
      'm1',
      'm2',
      6,
      'm4',
      'm5',
      12,
      'm7',
      'm8',
      18,
      'm10',
      'm11',
    ]);
  });

  test('of another client, from a POST; a POST itself cannot be asked', async () => {
    const page = await dial();
    const { uuid } = page;
    expect(await post({ opcode: 'ask-other', uuid, n: 21 })).toMatchObject({ answer: { opcode: 'answer', n: 42 } });
    expect(await post({ opcode: 'ask', n: 21 })).toMatchObject({ code: 'closed' });
    page.answer('double', () => {
      throw new Error('not today');
    });
    expect(await post({ opcode: 'ask-other', uuid, n: 21 })).toMatchObject({ code: 'refused', error: 'not today' });
    page.answer('double', () => new Promise(() => undefined));
    expect(await post({ opcode: 'ask-other', uuid, n: 21, timeout: 100 })).toMatchObject({ code: 'timeout' });
  });

  test('of a line client, in its handler', async () => {
    const line = await RawPeer.line({ port: daemon.port }, '/club');
    line.write('{"opcode":"ask","n":4}\n{"opcode":"x"}\n');
    const { request, n } = JSON.parse(await line.line()) as { request: number; n: number };
    line.write(`${JSON.stringify({ opcode: 'answer', request, n: n + 1 })}\n`);
    const lines = [await line.line(), await line.line(), await line.line()].map((text) => JSON.parse(text) as Next);
    expect(lines).toEqual([
      { opcode: 'next', fyi: '', answer: { opcode: 'answer', request, n: 5 } },
      { opcode: 'next', fyi: '', got: 'x' },
      { opcode: 'next', fyi: '' },
    ]);
    line.socket.destroy();
  });

  test('a page that is cut in the middle answers when it is back; one that leaves is logged by nobody', async () => {
    const page = await dial();
    let asked: (fields: object) => void = () => undefined;
    const question = new Promise<void>((come) => {
      page.answer('double', () => {
        come();
        return new Promise<object>((done) => (asked = done));
      });
    });
    const sent = page.send({ opcode: 'ask', n: 1 });
    await question;
    const back = new Promise((done) => (page.onresumed = done));
    Cut.last?.terminate();
    asked({ n: 'late' });
    expect(await back).toEqual({ resumed: true, lost: 0 });
    expect(await sent).toMatchObject({ answer: { n: 'late' } });

    const from = daemon.out.length;
    const other = await dial();
    other.answer('double', () => {
      other.close();
    });
    other.send({ opcode: 'trust', n: 1 }).catch(() => undefined);
    await daemon.said(/closed by the client: 1000[^]*left/, from);
    expect(daemon.out.slice(from)).not.toMatch(/failed|ERROR/i);
  });
});

test('over a restart a page is in its rooms, and what it was not asked to the end is handled again', async () => {
  const [page, other] = [await dial(), await dial()];
  await page.send({ opcode: 'join', room: 'kept' });
  await other.send({ opcode: 'join', room: 'kept' });
  let count = 0;
  const question = new Promise<void>((come) => {
    page.answer('double', ({ n }) => {
      if (count++ > 0) return { n: 2 * Number(n) };
      come();
      return new Promise(() => undefined);
    });
  });
  const trusted = page.send({ opcode: 'trust', n: 5 });
  await question;
  const returns = [page, other].map((one) => new Promise((done) => (one.onresumed = done)));
  const from = daemon.out.length;
  expect(await daemon.stop()).toBe(0);
  expect(daemon.out.slice(from)).not.toMatch(/failed|ERROR/i);
  await rise();
  expect(await Promise.all(returns)).toEqual([
    { resumed: true, lost: 0 },
    { resumed: true, lost: 0 },
  ]);
  expect(await trusted).toMatchObject({ n: 10 });
  await daemon.said(/asks 5 again/);
  const heard = other.once('say');
  expect(await page.send({ opcode: 'say', room: 'kept' })).toMatchObject({ size: 2, delivered: 1 });
  expect(await heard).toMatchObject({ room: 'kept' });
});
