import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { WebSocket } from 'ws';
import {
  ClosedError,
  connect,
  type Connection,
  type Options,
  type State,
  type StateDetail,
} from '../../src/client/index.ts';
import { fixture, type RunningDaemon, startDaemon } from '../support/daemon.ts';

/** The plain dialog, as daemons without sessions speak it. */
const PLAIN: Options = { WebSocket, resume: false, backoff: { min: 50, max: 200 } };

let daemon: RunningDaemon;
let open: Connection[] = [];

beforeAll(async () => {
  daemon = await startDaemon({ extra: { 'lab.js': fixture('resources/lab.js') } });
});

afterEach(() => {
  for (const connection of open) connection.close();
  open = [];
});

afterAll(() => daemon.dispose());

function dial(path: string, options: Options = {}, port = daemon.port): Connection {
  const connection = connect(`ws://127.0.0.1:${port}${path}`, { ...PLAIN, ...options });
  open.push(connection);
  return connection;
}

/** Resolves when it is in this state. */
function entered(connection: Connection, wanted: State): Promise<StateDetail> {
  return new Promise((done) => {
    const before = connection.onstate;
    connection.onstate = (state, detail) => {
      before?.(state, detail);
      if (state !== wanted) return;
      connection.onstate = before;
      done(detail);
    };
  });
}

describe('the plain dialog', () => {
  test('is open, knows its uuid; a broadcast of the other comes, and feedback', async () => {
    const [one, other] = [dial('/web'), dial('/web')];
    const [{ uuid }] = await Promise.all([one.ready, other.ready]);
    expect([one.uuid, one.state]).toEqual([uuid, 'open']);
    expect(uuid).toMatch(/^[0-9a-f-]{36}$/);
    const heard = one.once('broadcast');
    expect(await other.broadcast({ text: 'hello' })).toMatchObject({ delivered: 1 });
    expect(await heard).toEqual({ opcode: 'broadcast', text: 'hello' });
    const told = one.once('feedback');
    expect(await other.feedback(uuid, { percent: 50 })).toMatchObject({ delivered: 1 });
    expect(await told).toEqual({ opcode: 'feedback', uuid, percent: 50 });
    expect(await one.feedback({ ident: 'x' }, {})).toMatchObject({ error: 'not allowed' });
  });

  test('what is sent before it is open goes then, and all of many comes back in order', async () => {
    const client = dial('/web');
    const numbers: unknown[] = [];
    client.on('echo', ({ n }) => numbers.push(n));
    const nexts = await Promise.all(Array.from({ length: 200 }, (_, n) => client.echo({ n })));
    expect(nexts).toHaveLength(200);
    expect(numbers).toEqual(Array.from({ length: 200 }, (_, n) => n));
  });

  test('iteration has every packet from the first, and ends with the connection', async () => {
    const client = dial('/web');
    await client.ready;
    const numbers: unknown[] = [];
    for (let n = 0; n < 3; n++) void client.echo({ n });
    void client.quit();
    for await (const packet of client) numbers.push(packet.n);
    expect(numbers).toEqual([0, 1, 2]);
    expect(client.state).toBe('closed');
  });

  test('a text longer than the daemon takes in one goes in pieces, characters unharmed', async () => {
    const own = await startDaemon({ ini: '[limits]\nmaxBuffer=8MiB' });
    const client = dial('/web', { queue: { bytes: 8 << 20 } }, own.port);
    const text = 'ü😀x'.repeat(300_000);
    const back = client.once('echo');
    await client.echo({ text });
    expect((await back).text === text).toBe(true);
    await own.dispose();
  });

  test('a ticket, and why there is none', async () => {
    const client = dial('/web');
    const [ticket, refused] = await Promise.allSettled([client.ticket(60), client.ticket(-1)]);
    expect(ticket).toMatchObject({ status: 'fulfilled', value: { ticket: expect.stringMatching(/^wst1\./) } });
    expect(refused).toMatchObject({ status: 'rejected', reason: { message: expect.stringContaining('ttl') } });
  });

  test('what is no packet comes as text or bytes', async () => {
    const client = dial('/lab');
    const seen: unknown[] = [];
    // oxlint-disable-next-line unicorn/prefer-add-event-listener -- it has no other
    client.onmessage = (data) => seen.push(data);
    await client.send({ opcode: 'send', texts: ['plain', '[1]'] });
    expect(seen).toEqual(['plain', '[1]']);
  });

  test('an unknown resource closes it for good, in words', async () => {
    const client = dial('/nothing');
    const closed = entered(client, 'closed');
    await expect(client.ready).rejects.toThrow(ClosedError);
    await expect(client.ready).rejects.toThrow(
      'closed for good: 4404 there is no such resource (no such resource: /nothing)',
    );
    expect(await closed).toMatchObject({ code: 4404, words: 'there is no such resource' });
    await expect(client.send({ opcode: 'x' })).rejects.toThrow(ClosedError);
  });
});
