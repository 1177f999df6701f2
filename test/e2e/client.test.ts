import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { WebSocket } from 'ws';
import {
  ClosedError,
  connect,
  LostError,
  type Connection,
  type Options,
  type State,
  type StateDetail,
} from '../../src/client/index.ts';
import { run } from '../support/commands.ts';
import { fixture, ROOT, type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { freePort } from '../support/freeport.ts';

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

describe('networks and daemons that go', () => {
  test('what may have been handled is rejected, what waited goes out to the next daemon', async () => {
    const ini = `adress='ws://127.0.0.1:${await freePort()}'`;
    const extra = { 'lab.js': fixture('resources/lab.js') };
    const before = await startDaemon({ extra, ini });
    const client = dial('/lab', { pipeline: 1 }, before.port);
    const { uuid } = await client.ready;
    const held = client.send({ opcode: 'hold', name: 'h' });
    const waits = client.send({ opcode: 'send', texts: [] });
    await before.said(/holds h/);
    const gone = entered(client, 'waiting');
    await before.dispose();
    expect(await gone).toMatchObject({ code: 1006, words: 'the connection was lost, or refused before it was open' });
    await expect(held).rejects.toThrow(LostError);
    const after = await startDaemon({ extra, ini });
    expect(await waits).toMatchObject({ opcode: 'next' });
    expect(client.uuid).not.toBe(uuid);
    await after.dispose();
  });

  test('a graceful stop is told apart: 1001', async () => {
    const own = await startDaemon();
    const client = dial('/web', {}, own.port);
    await client.ready;
    const gone = entered(client, 'waiting');
    await own.stop();
    expect(await gone).toMatchObject({ code: 1001, reason: 'daemon stopping' });
    await own.dispose();
  });
});

describe('a token', () => {
  test('lets in; a wrong one, or none, is refused for good', async () => {
    const own = await startDaemon({ ini: "[auth]\nmode='token'\ntokens='right-token-of-sixteen'" });
    expect(await dial('/web', { token: 'right-token-of-sixteen' }, own.port).ready).toHaveProperty('uuid');
    expect(
      await dial('/web', { token: () => Promise.resolve('right-token-of-sixteen') }, own.port).ready,
    ).toHaveProperty('uuid');
    for (const token of ['wrong', undefined]) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      await expect(dial('/web', { token }, own.port).ready).rejects.toThrow('closed for good: 401');
    }
    await own.dispose();
  });
});

describe('the bundle in a Node of its own', () => {
  /** What a program prints that has a connection `client`. @param socket how it gets its WebSocket. */
  async function printed(socket: string, program: string): Promise<string> {
    const code = `${socket}
      import { connect } from 'websock/client';
      const client = connect('ws://127.0.0.1:${daemon.port}/web', options);
      ${program}`;
    const args = ['--experimental-websocket', '--input-type=module', '-e', code];
    const { code: status, stdout, stderr } = await run(process.execPath, args, '', { cwd: ROOT });
    expect([status, stderr.replaceAll(/.*(?:Warning|--trace-warnings).*\n/g, '')]).toEqual([0, '']);
    return stdout;
  }

  test.each([
    ['with the WebSocket of Node', 'const options = {};'],
    ['with ws', "import { WebSocket } from 'ws'; const options = { WebSocket };"],
  ])('%s: a message out, its echo and next in, and the program ends', async (_, socket) => {
    const program = `client.on('echo', ({ n }) => console.log('echo', n));
      const { opcode } = await client.echo({ n: 7 });
      console.log(opcode, client.uuid.length);
      await client.quit();`;
    expect(await printed(socket, program)).toBe('echo 7\nnext 36\n');
  });

  test('as its README types it, but for the port', async () => {
    const readme = readFileSync(join(ROOT, 'src/client/README.md'), 'utf8');
    const [, code] = /^```js\n(.*?)^```$/ms.exec(readme) ?? [];
    const args = ['--input-type=module', '-e', code.replace('8096', String(daemon.port))];
    expect(await run(process.execPath, args, '', { cwd: ROOT })).toEqual({
      code: 0,
      stdout: 'hello\n',
      stderr: '',
    });
  });

  test('nobody has to wait for what is sent; a handler that throws is heard of, and harms nobody else', async () => {
    const program = `process.on('unhandledRejection', (error) => console.log('unhandled', error.message));
      client.on('echo', () => { throw new Error('in a handler'); });
      client.on('echo', ({ n }) => console.log('echo', n));
      await client.echo({ n: 1 });
      void client.echo({ n: 2 });
      client.close();
      void client.echo({ n: 3 });`;
    expect(await printed('const options = {};', program)).toBe('echo 1\nunhandled in a handler\n');
  });
});
