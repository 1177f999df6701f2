import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { run } from '../support/commands.ts';
import { fixture, type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { RUN, startWebsock, websock } from '../support/websock.ts';

let daemon: RunningDaemon;
let web: string;
let php: string;
let lab: string;

beforeAll(async () => {
  daemon = await startDaemon({ extra: { 'lab.js': fixture('resources/lab.js') } });
  const host = `ws://127.0.0.1:${daemon.port}`;
  [web, php, lab] = [`${host}/web`, `${host}/php`, `${host}/lab`];
});

afterAll(() => daemon.dispose());

async function post(path: string, packet: object | string): Promise<Record<string, unknown>> {
  const response = await fetch(`http://127.0.0.1:${daemon.port}${path}`, {
    method: 'POST',
    body: typeof packet === 'string' ? packet : JSON.stringify(packet),
  });
  return (await response.json()) as Record<string, unknown>;
}

/** Starts to listen, and waits until it does. */
async function listening(...args: string[]): Promise<{ process: RunningDaemon; uuid: string }> {
  const process = startWebsock('listen', '-v', ...args);
  const [, uuid] = await process.said(/connected, uuid (\S+)\n/);
  return { process, uuid };
}

/** What it printed. */
const printed = ({ out, err }: RunningDaemon): string => out.replace(err, '');

describe('websock listen prints', () => {
  test('each message as a line, as it came, and ends after --count of them', async () => {
    const { process, uuid } = await listening('--count', '2', web);
    await post('/php', `{ "opcode":"feedback",\n"uuid":"${uuid}", "n":12345678901234567890 }`);
    await post('/php', `{"opcode":"feedback","uuid":"${uuid}","m":"ü"}`);
    expect(await process.ended()).toBe(0);
    expect(printed(process)).toBe(
      `{ "opcode":"feedback", "uuid":"${uuid}", "n":12345678901234567890 }\n{"opcode":"feedback","uuid":"${uuid}","m":"ü"}\n`,
    );
    expect(process.err).toBe(`websock listen: connected, uuid ${uuid}\n`);
  });

  test('with --opcode those alone, and counts no others', async () => {
    const { process, uuid } = await listening('--opcode', 'feedback', '--opcode=other', '-n', '1', web);
    await post('/php', { opcode: 'broadcast', m: 1 });
    await post('/php', { opcode: 'feedback', uuid, m: 2 });
    expect(await process.ended()).toBe(0);
    expect(printed(process)).toBe(`{"opcode":"feedback","uuid":"${uuid}","m":2}\n`);
  });

  test('a text that is no packet as it is, on one line; a binary message as a packet', async () => {
    const file = `
      import { Resource } from 'websock';
      export default class Talk extends Resource {
        onOpen(client) {
          client.send('two\\r\\nlines');
          client.send(Buffer.from([0, 255]));
        }
        onData() {}
      }`;
    const other = await startDaemon({ resources: { 'talk.js': file } });
    try {
      const { code, stdout } = await websock(['listen', '-n', '2', `ws://127.0.0.1:${other.port}/talk`]);
      expect([code, stdout]).toEqual([0, 'two lines\n{"opcode":"binary","base64":"AP8="}\n']);
    } finally {
      await other.dispose();
    }
  });
});

describe('websock listen is', () => {
  test('a web client, and with --ident a script that is reached by its name', async () => {
    const { process } = await listening('--ident', 'printer', '-n', '1', php);
    expect(await post('/php', { opcode: 'feedback', ident: 'printer', m: 1 })).toMatchObject({ delivered: 1 });
    expect(await process.ended()).toBe(0);
    expect(printed(process)).toBe('{"opcode":"feedback","ident":"printer","m":1}\n');
    expect(await websock(['listen', '-n', '1', '--script', web])).toMatchObject({ code: 1, stdout: '' });
  });
});

describe('websock listen ends', () => {
  test.each(['SIGINT', 'SIGTERM'] as const)('upon %s: with a Close frame, and 0', async (signal) => {
    const from = daemon.out.length;
    const { process } = await listening(lab);
    process.child.kill(signal);
    expect(await process.ended()).toBe(0);
    expect(process.err).toMatch(/^websock listen: connected, uuid \S+\n$/);
    await daemon.said(/\/lab closed by the client: 1000 normal\n/, from);
  });

  test('upon SIGINT before --count messages: 1, and says so', async () => {
    const { process } = await listening('-n', '5', web);
    process.child.kill('SIGINT');
    expect(await process.ended()).toBe(1);
    expect(process.err).toContain('websock listen: 0 of 5 messages have come\n');
  });

  test('quietly when nobody reads what it prints any more', async () => {
    const file = `
      import { Resource } from 'websock';
      export default class Tick extends Resource {
        onOpen(client) {
          client.data = setInterval(() => client.sendPacket({ opcode: 'tick' }), 20);
        }
        onClose(client) {
          clearInterval(client.data);
        }
        onData() {}
      }`;
    const other = await startDaemon({ resources: { 'tick.js': file } });
    try {
      const line = `{ "$0" "$1" listen "$2"; echo "ended with $?" >&2; } | head -n 1`;
      const { stdout, stderr } = await run('sh', [
        '-c',
        line,
        process.execPath,
        RUN,
        `ws://127.0.0.1:${other.port}/tick`,
      ]);
      expect([stdout, stderr]).toEqual(['{"opcode":"tick"}\n', 'ended with 0\n']);
      await other.said(/\/tick closed by the client: 1000 normal\n/);
    } finally {
      await other.dispose();
    }
  });

  test('after --timeout: 0, but 1 if --count was not reached, or it was never connected', async () => {
    expect(await websock(['listen', '--timeout', '3', web])).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(await websock(['listen', '-t', '0.6', '-n', '3', web])).toEqual({
      code: 1,
      stdout: '',
      stderr: 'websock listen: 0 of 3 messages have come\n',
    });
    const { code, stderr } = await websock(['listen', '-t', '2', 'ws://127.0.0.1:1/web']);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^websock listen: not connected: connect ECONNREFUSED 127\.0\.0\.1:1; trying again in \d\.\d s\n/,
    );
    expect(stderr).toMatch(/websock listen: it was never connected\n$/);
  });

  test('when it is closed for good: 1, with the reason', async () => {
    expect(await websock(['listen', `${web}/nothing`])).toEqual({
      code: 1,
      stdout: '',
      stderr: 'websock listen: no such resource: /web/nothing (4404)\n',
    });
  });

  test('with --no-reconnect when it cannot connect, or is cut off', async () => {
    expect(await websock(['listen', '--no-reconnect', 'ws://127.0.0.1:1/'])).toEqual({
      code: 1,
      stdout: '',
      stderr: 'websock listen: connect ECONNREFUSED 127.0.0.1:1\n',
    });
    const other = await startDaemon();
    const { process } = await listening('--no-reconnect', `ws://127.0.0.1:${other.port}/web`);
    await other.dispose();
    expect(await process.ended()).toBe(1);
  });
});

test('websock listen connects again to a daemon that comes back', async () => {
  const first = await startDaemon();
  const { port } = first;
  const { process } = await listening('-n', '1', `ws://127.0.0.1:${port}/web`);
  await first.dispose();
  await process.said(/not connected: .*; trying again in /);
  const second = await startDaemon({ ini: `adress='ws://127.0.0.1:${port}'` });
  try {
    const [, uuid] = await process.said(/trying again[^]*connected, uuid (\S+)\n/);
    await fetch(`http://127.0.0.1:${port}/php`, { method: 'POST', body: JSON.stringify({ opcode: 'feedback', uuid }) });
    expect(await process.ended()).toBe(0);
    expect(process.err).toContain('websock listen: connected anew: what was sent in between is lost\n');
  } finally {
    await second.dispose();
  }
});

test.each([
  [[], 'give one URL: ws://localhost:8096/web'],
  [
    ['localhost:8096/web'],
    "'localhost:8096/web' is no URL of websock; allowed: ws://, wss://, http:// or https://, host and path",
  ],
  [['ws://h/', '--count', '0'], "--count: found '0'; allowed: 1 to 1000000"],
  [['ws://h/', '--timeout', 'soon'], "--timeout: found 'soon'; allowed: more than 0 to 1000000"],
  [['ws://h/', '--message', 'x'], "Unknown option '--message'; websock listen --help lists all"],
  [['ws://h/', '--ident', 'two words'], '--ident: it holds a character that cannot be sent; allowed: ^[!-~]*$'],
])('websock listen %j: exit code 2', async (args, said) => {
  expect(await websock(['listen', ...args])).toEqual({ code: 2, stdout: '', stderr: `websock listen: ${said}\n` });
});
