import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { run } from '../support/commands.ts';
import { fixture, type RunningDaemon, startDaemon, temporaryFolder } from '../support/daemon.ts';
import { makeCertificate } from '../support/certificate.ts';
import { freePort } from '../support/freeport.ts';
import { WebPeer } from '../support/webpeer.ts';
import { RUN, startWebsock, websock } from '../support/websock.ts';

const KEY = 'a-key-that-is-long-enough-for-the-daemon';
/** One line. */
const NEXT = /^\{"opcode":"next","fyi":"","delivered":1[^\n]*\}\n$/;

/** It has something against each message that is not `please`. */
const FUSSY = `
  import { Resource } from 'websock';
  export default class Fussy extends Resource {
    onData(client, message) {
      return message === 'please' ? undefined : { error: 'say please' };
    }
  }`;

let daemon: RunningDaemon;
let host: string;
let page: WebPeer;

beforeAll(async () => {
  daemon = await startDaemon({ extra: { 'lab.js': fixture('resources/lab.js'), 'fussy.js': FUSSY } });
  host = `127.0.0.1:${daemon.port}`;
  page = await WebPeer.open(`ws://${host}/web`);
});

afterAll(() => daemon.dispose());

const feedback = (message: unknown): string => JSON.stringify({ opcode: 'feedback', uuid: page.uuid, message });

/** The messages that come to the page, `count` of them. */
async function messages(count: number): Promise<unknown[]> {
  const found: unknown[] = [];
  // oxlint-disable-next-line no-await-in-loop -- one comes after the other
  while (found.length < count) found.push((await page.packet()).message);
  return found;
}

describe.each(['ws', 'http'])('websock send by %s', (scheme) => {
  const url = (): string => `${scheme}://${host}/${scheme === 'ws' ? 'web' : 'php'}`;

  test('sends each line of its input, in order, and prints nothing', async () => {
    const input = `${feedback(1)}\n\n${feedback('zwei ü')}\r\n${feedback(3)}`;
    expect(await websock(['send', url()], input)).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(await messages(3)).toEqual([1, 'zwei ü', 3]);
  });

  test('with -v prints what each was acknowledged with', async () => {
    const { code, stdout } = await websock(['send', '-v', url()], `${feedback(1)}\n{"opcode":"unknown"}\n`);
    const [first, second] = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as object);
    expect([code, first, second]).toMatchObject([0, { opcode: 'next', delivered: 1 }, { opcode: 'next' }]);
    await messages(1);
  });

  test('with --message sends that, and reads no input', async () => {
    const process = startWebsock('send', '-m', feedback('a'), '--message', feedback('b'), url());
    expect(await process.ended()).toBe(0);
    expect([process.out, await messages(2)]).toEqual(['', ['a', 'b']]);
  });

  test('with --json says which lines are no packets, and sends the others', async () => {
    const { code, stderr } = await websock(
      ['send', '--json', url()],
      `${feedback(1)}\nhello\n{"a":1}\n${feedback(2)}\n`,
    );
    expect([code, stderr]).toEqual([
      1,
      'websock send: message 2: no packet: hello\nwebsock send: message 3: no packet: {"a":1}\n',
    ]);
    expect(await messages(2)).toEqual([1, 2]);
  });

  test('ends with 1 when a message had no effect, and goes on with the others', async () => {
    const { code, stdout, stderr } = await websock(['send', '-v', `${scheme}://${host}/fussy`], 'now\nplease\n');
    expect([code, stderr]).toEqual([1, 'websock send: message 1: say please\n']);
    expect(stdout.trim().split('\n')).toHaveLength(2);
  });

  test('gives up at once where there is no such resource, although its input goes on', async () => {
    const process = startWebsock('send', `${scheme}://${host}/nothing`);
    process.child.stdin?.write('{"opcode":"echo"}\n');
    expect(await process.ended()).toBe(1);
    expect(process.out).toMatch(
      /^websock send: (?:404 )?no such resource: \/nothing(?: \(4404\))?; not acknowledged: 1\n$/,
    );
  });

  test('gives up when nothing is acknowledged for --timeout', async () => {
    const { code, stderr } = await websock(
      ['send', '-t', '0.7', '--script', `${scheme}://${host}/lab`],
      '{"opcode":"never"}',
    );
    expect([code, stderr]).toEqual([1, 'websock send: nothing was acknowledged for 0.7 s; not acknowledged: 1\n']);
  });

  test('upon SIGINT says how many are not acknowledged', async () => {
    const from = daemon.out.length;
    const process = startWebsock('send', '--script', '-m', '{"opcode":"never"}', `${scheme}://${host}/lab`);
    await daemon.said(/: never\n/, from);
    process.child.kill('SIGINT');
    expect(await process.ended()).toBe(1);
    expect(process.out).toBe('websock send: interrupted; not acknowledged: 1\n');
  });

  test('with --no-reconnect ends where nobody listens', async () => {
    const { code, stderr } = await websock(['send', '--no-reconnect', '-m', 'x', `${scheme}://127.0.0.1:1/web`]);
    expect([code, stderr]).toEqual([1, expect.stringContaining('connect ECONNREFUSED 127.0.0.1:1')]);
  });

  test('waits for a daemon that is not there yet', async () => {
    const port = await freePort();
    const process = startWebsock('send', '-v', '-m', '{"opcode":"echo"}', `${scheme}://127.0.0.1:${port}/`);
    await process.said(/trying again in \d\.\d s\n/);
    const late = await startDaemon({ ini: `adress='ws://127.0.0.1:${port}'` });
    try {
      expect(await process.ended()).toBe(0);
      expect(process.out).toContain('{"opcode":"next","fyi":""');
    } finally {
      await late.dispose();
    }
  });

  test('shows the key: from the command line, or better from the environment', async () => {
    const strict = await startDaemon({ ini: `[backend]\ntrustLoopback=false\nkey=${KEY}` });
    const place = `${scheme}://127.0.0.1:${strict.port}/php`;
    try {
      const message = ['-m', '{"opcode":"echo"}'];
      expect(await websock(['send', ...message, '--key', KEY, place])).toMatchObject({ code: 0, stderr: '' });
      expect(await websock(['send', ...message, '--script', place], '', { WEBSOCK_KEY: KEY })).toMatchObject({
        code: 0,
      });
      const without = await websock(['send', ...message, '--script', place]);
      expect([without.code, without.stderr]).toEqual([1, expect.stringMatching(/401|403/)]);
    } finally {
      await strict.dispose();
    }
  });

  test('takes a self-signed certificate with --insecure alone', async () => {
    const dir = temporaryFolder();
    const { certFile, pkFile } = makeCertificate(dir, { name: 'self', hosts: ['localhost'] });
    const secure = await startDaemon({
      dir,
      ini: `adress='wss://127.0.0.1:0'\ncertFile='${certFile}'\npkFile='${pkFile}'`,
    });
    const args = ['send', '--no-reconnect', '-m', '{"opcode":"echo"}', `${scheme}s://127.0.0.1:${secure.port}/`];
    try {
      expect(await websock([...args, '--insecure'])).toEqual({ code: 0, stdout: '', stderr: '' });
      const { code, stderr } = await websock(args);
      expect([code, stderr]).toEqual([1, expect.stringMatching(/certificate/)]);
    } finally {
      await secure.dispose();
    }
  });
});

describe('websock send', () => {
  test('keeps its input waiting: 5000 lines arrive, each once, in order', async () => {
    const input = Array.from({ length: 5000 }, (_, i) => `${feedback(i)}\n`).join('');
    const [done, found] = await Promise.all([websock(['send', `ws://${host}/web`], input), messages(5000)]);
    expect(done).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(found).toEqual(Array.from({ length: 5000 }, (_, i) => i));
  });

  test('sends a line of 3 MiB whole', async () => {
    const long = 'ü'.repeat(1.5 * 1024 * 1024);
    const { code, stdout } = await websock(['send', '-v', `ws://${host}/web`], feedback(long));
    expect([code, stdout]).toEqual([0, expect.stringMatching(NEXT)]);
    expect((await messages(1))[0] === long).toBe(true); // its 1.5 million characters say nothing to a reader
  });

  test('says why the daemon has closed it, and how many were not acknowledged', async () => {
    const { code, stderr } = await websock(['send', `ws://${host}/web`], `no packet\n${feedback(1)}\n`);
    expect([code, stderr]).toEqual([
      1,
      'websock send: not a valid packet: it is not JSON (1007); not acknowledged: 2\n',
    ]);
  });

  test('stops at a line that is not UTF-8; those before it are sent', async () => {
    const input = Buffer.concat([Buffer.from(`${feedback(1)}\n`), Buffer.from([0xff, 10])]);
    expect(await websock(['send', `ws://${host}/web`], input)).toEqual({
      code: 1,
      stdout: '',
      stderr: 'websock send: line 2 is not UTF-8\n',
    });
    expect(await messages(1)).toEqual([1]);
  });

  test('says so when nobody knows whether a message of a script was handled', async () => {
    const other = await startDaemon({ extra: { 'lab.js': fixture('resources/lab.js') } });
    const process = startWebsock('send', '--script', '-m', '{"opcode":"never"}', `ws://127.0.0.1:${other.port}/lab`);
    await other.said(/: never\n/);
    await other.dispose();
    expect(await process.ended()).toBe(1);
    expect(process.out).toContain('message 1: the connection was lost: it may or may not have been handled\n');
  });

  test('with -v goes on when nobody reads what it prints any more', async () => {
    const input = Array.from({ length: 300 }, (_, i) => `${feedback(i)}\n`).join('');
    const line = `{ "$0" "$1" send -v "$2"; echo "ended with $?" >&2; } | head -n 1`;
    const [{ stdout, stderr }, found] = await Promise.all([
      run('sh', ['-c', line, process.execPath, RUN, `ws://${host}/web`], input),
      messages(300),
    ]);
    expect([stdout, stderr, found]).toEqual([
      expect.stringMatching(NEXT),
      'ended with 0\n',
      Array.from({ length: 300 }, (_, i) => i),
    ]);
  });

  test('of nothing is 0', async () => {
    expect(await websock(['send', `ws://${host}/web`])).toEqual({ code: 0, stdout: '', stderr: '' });
  });

  test('by POST tries again when the answer is lost, and the message is handled once', async () => {
    let connections = 0;
    const cutting = createServer((client) => {
      const cuts = ++connections === 1;
      const server = connect(daemon.port, '127.0.0.1');
      client.pipe(server);
      // The daemon has handled it and answers: that is when the connection is lost.
      if (cuts) server.once('data', () => client.destroy());
      else server.pipe(client);
      for (const [one, other] of [
        [client, server],
        [server, client],
      ]) {
        one.on('error', () => other.destroy());
        one.on('close', () => other.destroy());
      }
    });
    cutting.listen(0, '127.0.0.1');
    await once(cutting, 'listening');
    const { port } = cutting.address() as AddressInfo;
    try {
      const done = await websock(['send', '-v', '-m', feedback('once'), `http://127.0.0.1:${port}/php`]);
      expect(done).toEqual({
        code: 0,
        stdout: '{"opcode":"next","fyi":"","delivered":1,"packets":[]}\n',
        stderr: expect.stringMatching(/^websock send: socket hang up; trying again in \d\.\d s\n$/),
      });
      expect(connections).toBe(2);
      await websock(['send', '-m', feedback('next'), `http://${host}/php`]);
      expect(await messages(2)).toEqual(['once', 'next']);
    } finally {
      cutting.close();
    }
  });

  test('by POST goes on with the next message where one is refused', async () => {
    const { code, stderr } = await websock(['send', `http://${host}/php`], `no packet\n${feedback(1)}\n`);
    expect([code, stderr]).toEqual([1, 'websock send: message 1: 400 not a valid packet: it is not JSON\n']);
    expect(await messages(1)).toEqual([1]);
  });

  test.each([
    [[], 'give one URL: ws://localhost:8096/web'],
    [['ftp://h/'], "'ftp://h/' is no URL of websock; allowed: ws://, wss://, http:// or https://, host and path"],
    [['ws://h/', 'ws://h/'], 'give one URL: ws://localhost:8096/web'],
  ])('%j: exit code 2', async (args, said) => {
    expect(await websock(['send', ...args])).toEqual({ code: 2, stdout: '', stderr: `websock send: ${said}\n` });
  });
});
