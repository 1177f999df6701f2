import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { type DaemonOptions, type RunningDaemon, startDaemon, temporaryFolder } from '../support/daemon.ts';
import { WebPeer } from '../support/webpeer.ts';

// Line 14 throws: the types in front of it are not there when it runs.
const TYPED = `import { Resource, type Client } from 'websock';

interface Order {
  readonly what: string;
}

type Orders = readonly Order[];

enum Mode { now, later }

export default class Typed extends Resource {
  override onData(client: Client, message: string): void {
    const orders: Orders = [{ what: message }];
    setTimeout((): void => { throw new Error(\`\${Mode.later} \${orders[0].what as string}\`); });
  }
}
`;
const MANY = `
import { Resource } from 'websock';
import { fail } from './lib/fail.mjs';
export default class Many extends Resource {
  onData(client, message) {
    const how = {
      lib: () => setTimeout(fail),
      ours: () => setTimeout(() => client.close(7)),
      node: () => setTimeout(() => new URL('no url')),
      text: () => Promise.reject('just a text'),
      nothing: () => Promise.reject(),
      evil: () => setTimeout(() => { throw { get message() { throw 1; }, get stack() { throw 2; } }; }),
      forged: () => Promise.reject(new Error('x\\n    at forged (/etc/passwd:1:1)\\r\\n\\u001b[2J\\u202e')),
      json: () => setTimeout(() => JSON.parse('{"password":SECRET')),
    }[message];
    void how();
  }
}`;
const LIB = "\n\nexport function fail() { throw new Error('deep in the library'); }";

let many: RunningDaemon;
beforeAll(async () => {
  many = await startDaemon({ resources: { 'many.mjs': MANY, 'lib/fail.mjs': LIB } });
});
afterAll(() => many.dispose());

const daemons: RunningDaemon[] = [];
afterEach(() => Promise.all(daemons.splice(0).map((daemon) => daemon.dispose())));
async function start(options: DaemonOptions): Promise<RunningDaemon> {
  const daemon = await startDaemon(options);
  daemons.push(daemon);
  return daemon;
}

/** Lets the resource do something that nobody catches. @returns what was said of it. */
async function bring(daemon: RunningDaemon, path: string, message: string): Promise<string> {
  const from = daemon.out.length;
  const web = await WebPeer.open(`ws://127.0.0.1:${daemon.port}${path}`);
  web.send(message);
  const [line] = await daemon.said(/ERROR nobody caught this error: .*\n/, from);
  web.send('');
  expect(await web.packet()).toEqual({ opcode: 'next', fyi: '' });
  await web.close();
  return line;
}

describe('an error that nobody caught is logged with the file and line of the resource, and everybody is served on', () => {
  test('in TypeScript the line is that of the source', async () => {
    const daemon = await start({ resources: { 'typed.ts': TYPED } });
    expect(await bring(daemon, '/typed', 'order')).toMatch(/: 1 order \(at .*\/resources\/typed\.ts:14:\d+\)/);
    expect(daemon.logged()).toContainEqual(
      expect.objectContaining({
        level: 'error',
        file: expect.stringMatching(/^\/.*\/resources\/typed\.ts:14:\d+$/),
        stack: expect.stringMatching(/^1 order\n +at /),
      }),
    );
    expect(await daemon.stop()).toBe(0);
  });

  test('in a library of the resources, in our own code or in Node: the file of the resource is what is named', async () => {
    expect(await bring(many, '/many', 'lib')).toMatch(/deep in the library \(at .*lib\/fail\.mjs:3:/);
    expect(await bring(many, '/many', 'ours')).toMatch(/close code 7 may not be sent.*many\.mjs:8:/);
    expect(await bring(many, '/many', 'node')).toMatch(/Invalid URL \(at .*many\.mjs:9:/);
  });

  test('what is no error says what can be said', async () => {
    expect(await bring(many, '/many', 'text')).toMatch(/error: just a text; it has no stack\n/);
    expect(await bring(many, '/many', 'nothing')).toMatch(/error: undefined; it has no stack\n/);
    expect(await bring(many, '/many', 'evil')).toMatch(/error: .*; it has no stack\n/);
  });

  test('it can neither forge a line or a frame, nor tell what a client sent', async () => {
    expect(await bring(many, '/many', 'forged')).toMatch(
      /error: x\\x0a {4}at forged \(\/etc\/passwd:1:1\)\\x0d\\x0a\\x1b\[2J\\u202e \(at .*many\.mjs:13:/,
    );
    await bring(many, '/many', 'json');
    expect(many.out).not.toContain('SECRET');
    const stacks = many.logged().flatMap(({ stack }) => (typeof stack === 'string' ? stack.split('\n').slice(1) : []));
    expect(stacks.join('\n')).not.toMatch(/passwd|SECRET/);
    expect(stacks.length).toBeGreaterThan(1);
  });

  test('the folder may be a link', async () => {
    const dir = temporaryFolder();
    mkdirSync(join(dir, 'real'));
    writeFileSync(join(dir, 'real/typed.ts'), TYPED);
    symlinkSync(join(dir, 'real'), join(dir, 'link'));
    const daemon = await start({ dir, args: [`--resources=${join(dir, 'link')}`] });
    expect(await bring(daemon, '/typed', 'x')).toMatch(/\/(?:real|link)\/typed\.ts:14:\d+\)\)?\n/);
  });
});

describe('exitOnUncaught', () => {
  test('true: clients are told, as in every stop, and the exit code is 1', async () => {
    const daemon = await start({ ini: '[stop]\nexitOnUncaught=true', resources: { 'typed.ts': TYPED } });
    const bystander = await WebPeer.open(`ws://127.0.0.1:${daemon.port}/typed`);
    const web = await WebPeer.open(`ws://127.0.0.1:${daemon.port}/typed`);
    web.send('x');
    expect(await bystander.packet()).toEqual({ opcode: 'close', error: 'daemon stopping' });
    expect(await bystander.closed).toEqual({ code: 1001, reason: 'daemon stopping' });
    expect(await daemon.ended()).toBe(1);
    expect(daemon.out).toMatch(
      /ERROR nobody caught this error: 1 x .*\n.*ERROR \[stop\] exitOnUncaught is set: the daemon stops\n[^]*Server stopped\n$/,
    );
  });

  test('false, and no other value, is the default', async () => {
    await expect(startDaemon({ ini: '[stop]\nexitOnUncaught=yes' })).rejects.toThrow(/exitOnUncaught.*true or false/);
  });
});
