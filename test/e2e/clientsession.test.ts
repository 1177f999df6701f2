import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { WebSocket } from 'ws';
import { connect, type Connection, type Options, type State } from '../../src/client/index.ts';
import { freePort } from '../support/freeport.ts';
import { type RunningDaemon, startDaemon } from '../support/daemon.ts';

/** It tells which numbers it was handed, each with whether it was marked as a repetition. */
const TALLY = `
const seen = [];
export default class Tally {
  static path = '/tally';
  async onData(client, message, info) {
    if (info.binary) { client.send(message); return { size: message.length }; }
    const packet = JSON.parse(message);
    if (packet.opcode === 'seen') { client.send(JSON.stringify({ opcode: 'seen', seen })); return; }
    if (packet.opcode === 'fail') { seen.push(info.again ? 'fail again' : 'fail'); throw new Error('as asked'); }
    seen.push(info.again ? -packet.n : packet.n);
    if (packet.wait) await new Promise((done) => setTimeout(done, packet.wait));
    client.send(JSON.stringify({ opcode: 'tick', n: packet.n, text: packet.text }));
    return { n: packet.n };
  }
  onClose() {}
  onError(client, error) {}
  onOther() {}
}`;

/** The sockets of a client, so that they can be cut. */
class Cut extends WebSocket {
  static last: Cut | null = null;
  constructor(url: string, protocols: string[]) {
    super(url, protocols);
    Cut.last = this;
  }
}

const OPTIONS: Options = { WebSocket: Cut, backoff: { min: 20, max: 100 } };

let daemon: RunningDaemon;
let open: Connection[] = [];

let ini: string;

beforeAll(async () => {
  ini = `adress='ws://127.0.0.1:${await freePort()}'\n[limits]\nmaxPayload=64KiB`;
  daemon = await startDaemon({ extra: { 'tally.js': TALLY }, ini });
});

afterEach(() => {
  for (const connection of open) connection.close();
  open = [];
});

afterAll(() => daemon.dispose());

function dial(path = '/tally', options: Options = {}): Connection {
  const connection = connect(`ws://127.0.0.1:${daemon.port}${path}`, { ...OPTIONS, ...options });
  open.push(connection);
  return connection;
}

function entered(connection: Connection, wanted: State): Promise<void> {
  return new Promise((done) => {
    connection.onstate = (state) => {
      if (state === wanted) done();
    };
  });
}

async function seenBy(connection: Connection): Promise<unknown[]> {
  const answer = connection.once('seen');
  await connection.send({ opcode: 'seen' });
  return (await answer).seen as unknown[];
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, n) => from + n);

describe('sessions', () => {
  test('cut twenty times: every message handled once, every answer there once, all in order', async () => {
    const client = dial();
    const { uuid } = await client.ready;
    const ticks: unknown[] = [];
    const returns: unknown[] = [];
    client.on('tick', ({ n }) => ticks.push(n));
    client.onresumed = (how) => returns.push(how);
    const nexts: unknown[] = [];
    for (let n = 1; n <= 500; n++) {
      if (n % 25 === 0) Cut.last?.terminate();
      nexts.push(client.send({ opcode: 'count', n }).then((next) => next.n));
      // oxlint-disable-next-line no-await-in-loop -- some are acknowledged before the next cut, some are not
      if (n % 10 === 0) await nexts[n - 6];
    }
    expect(await Promise.all(nexts)).toEqual(range(1, 500));
    expect((await seenBy(client)).filter((n) => Number(n) <= 500)).toEqual(range(1, 500));
    expect(ticks).toEqual(range(1, 500));
    expect(client.uuid).toBe(uuid);
    expect(returns).toEqual(returns.map(() => ({ resumed: true, lost: 0 })));
    expect(returns.length).toBeGreaterThan(5);
  });

  test('long texts and bytes in pieces, cut in the middle', async () => {
    const client = dial('/tally', { queue: { bytes: 8 << 20 } });
    await client.ready;
    const text = 'aü😀'.repeat(20_000);
    const back = client.once('tick');
    const bytes = Uint8Array.from({ length: 100_000 }, (_, n) => n % 251);
    const whole = new Promise<unknown>((done) => {
      // oxlint-disable-next-line unicorn/prefer-add-event-listener -- it has no other
      client.onmessage = done;
    });
    const sent = [client.send({ opcode: 'count', n: 1001, text }), client.send(bytes)];
    Cut.last?.terminate();
    await Promise.all(sent);
    expect((await back).text === text).toBe(true);
    expect(Buffer.from((await whole) as ArrayBuffer).equals(bytes)).toBe(true);
  });

  test('feedback that is sent while it is away comes when it is back', async () => {
    const [client, other] = [dial('/web'), dial('/web')];
    await Promise.all([client.ready, other.ready]);
    const numbers: unknown[] = [];
    client.on('feedback', ({ n }) => numbers.push(n));
    const { uuid } = client;
    // The last socket is that of `other`.
    const back = new Promise((done) => (client.onresumed = done));
    await other.feedback(uuid, { n: 0 });
    const waiting = entered(client, 'waiting');
    cut(client);
    await waiting;
    for (let n = 1; n <= 50; n++) void other.feedback(uuid, { n });
    await back;
    await other.feedback(uuid, { n: 51 });
    await client.echo({});
    expect(numbers).toEqual(range(0, 51));
  });

  test('the daemon is restarted: the same uuid, nothing lost, nothing twice', async () => {
    const client = dial();
    const { uuid } = await client.ready;
    const nexts = range(2001, 2100).map((n) => client.send({ opcode: 'count', n }).then((next) => next.n));
    await nexts[10];
    await daemon.stop();
    daemon = await startDaemon({ dir: daemon.dir, args: ['--resources', join(daemon.dir, 'resources')], ini });
    expect(await Promise.all(nexts)).toEqual(range(2001, 2100));
    expect(client.uuid).toBe(uuid);
  });

  test('a message whose handler fails: once more, marked, then rejected; the others go through', async () => {
    const client = dial();
    await client.ready;
    const [bad, good] = [client.send({ opcode: 'fail' }), client.send({ opcode: 'count', n: 3001 })];
    await expect(bad).rejects.toThrow('it may or may not have been handled');
    expect(await good).toMatchObject({ n: 3001 });
  });

  test('an unknown resource: told in its own dialog', async () => {
    const client = dial('/nothing');
    const packets: unknown[] = [];
    client.on('*', (packet) => packets.push(packet));
    await expect(client.ready).rejects.toThrow('4404 there is no such resource (no such resource: /nothing)');
    expect(packets).toEqual([]);
  });

  test('a ticket, and answers that say no', async () => {
    const client = dial('/web');
    expect(await client.ticket(60)).toEqual({ ticket: expect.stringMatching(/^wst1\./), expires: expect.any(Number) });
    await expect(client.ticket(-1)).rejects.toThrow('ttl');
    expect(await client.feedback({ ident: 'x' }, {})).toMatchObject({ error: 'not allowed' });
  });

  test('not acknowledged before the daemon is killed: again, and marked; a new uuid', async () => {
    const client = dial();
    const { uuid } = await client.ready;
    const returned = new Promise((done) => (client.onresumed = done));
    const [done, held] = [
      client.send({ opcode: 'count', n: 4001 }),
      client.send({ opcode: 'count', n: 4002, wait: 2000 }),
    ];
    const waits = client.send({ opcode: 'count', n: 4003 });
    await done;
    await daemon.stop('SIGKILL');
    daemon = await startDaemon({ dir: daemon.dir, args: ['--resources', join(daemon.dir, 'resources')], ini });
    expect(await Promise.all([held, waits])).toMatchObject([{ n: 4002 }, { n: 4003 }]);
    expect(await returned).toEqual({ resumed: false, lost: null });
    expect(client.uuid).not.toBe(uuid);
    expect(await seenBy(client)).toEqual([-4002, -4003]);
  });

  test('where more was sent to it than is kept while it is away, it is told how much was lost', async () => {
    let comeBack: () => void = () => undefined;
    const gate = new Promise<void>((done) => (comeBack = done));
    let first = true;
    // An attempt waits for its token.
    const token = (): string | Promise<string> => (first ? 'T' : gate.then(() => 'T'));
    const client = dial('/web', { token });
    const other = dial('/web');
    await Promise.all([client.ready, other.ready]);
    first = false;
    const { uuid } = client;
    const numbers: unknown[] = [];
    client.on('feedback', ({ n }) => numbers.push(n));
    const lost = new Promise((done) => (client.onlost = done));
    const text = 'x'.repeat(50_000);
    const waiting = entered(client, 'waiting');
    cut(client);
    await waiting;
    for (let n = 1; n <= 10; n++) await other.feedback(uuid, { n, text }); // oxlint-disable-line no-await-in-loop
    comeBack();
    expect(await lost).toBe(5);
    await client.echo({});
    expect(numbers).toEqual([6, 7, 8, 9, 10]);
  });

  test('quit ends it', async () => {
    const client = dial('/web');
    await client.ready;
    await client.quit();
    expect(client.state).toBe('closed');
  });
});

function cut(connection: Connection): void {
  (connection as unknown as { socket: WebSocket }).socket.terminate();
}
