import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { curl, type Done, run } from '../support/commands.ts';
import { ROOT, type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { freePort } from '../support/freeport.ts';
import { withPhpExtension, withProgram } from '../support/program.ts';
import { type SeenPacket, WebPeer } from '../support/webpeer.ts';

/** What a shell, JSON, a form or a line could take for something else. */
const AWKWARD = 'it\'s "50 %" of $HOME & `id` + a=b;\\ {ü 😀}\n2nd\tline';
const NOBODY = '00000000-0000-4000-8000-000000000000';
const README = readFileSync(join(ROOT, 'backends/README.md'), 'utf8');

/** A line of README's table. */
interface Backend {
  readonly file: string;
  /** Without its words. */
  readonly command: string;
  readonly it: ReturnType<typeof withProgram>;
}

/** The test for what a line of the table says is needed, by its Debian packages. */
function testFor(needs: string): Backend['it'] {
  if (needs.includes('`php-curl`')) return withPhpExtension('curl', 'php-curl');
  if (needs.includes('`php-cli`')) return withProgram('php', 'php-cli');
  if (needs.includes('`python3`')) return withProgram('python3', 'python3');
  if (needs.includes('`netcat-openbsd`')) return withProgram('nc', 'netcat-openbsd');
  if (needs.includes('`curl`')) return withProgram('curl', 'curl');
  if (needs.includes('Node')) return test;
  throw new Error(`README does not say which package is needed: ${needs}`);
}

const BACKENDS: readonly Backend[] = [
  ...README.matchAll(/^\| \[([\w./]+)\]\(\1\) \| (.+) \| `(.+) progress UUID` \|$/gm),
].map(([, file, needs, command]) => ({
  file,
  // Without any extension that is not built in.
  command: needs.startsWith('PHP alone') ? command.replace('php ', 'php -n ') : command,
  it: testFor(needs),
}));

let daemon: RunningDaemon;
let page: WebPeer;
let other: WebPeer;

beforeAll(async () => {
  daemon = await startDaemon({ ini: '[limits]\nmaxAttempts=0' });
  [page, other] = await Promise.all([openPage('/web'), openPage('/web')]);
});

afterAll(() => daemon.dispose());

const openPage = (path: string): Promise<WebPeer> => WebPeer.open(`ws://127.0.0.1:${daemon.port}${path}`);

/** Runs it in a shell, from the folder of websock, as README says. */
function report(command: string, words: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Done> {
  const { PATH } = process.env;
  const url = `http://127.0.0.1:${daemon.port}`;
  return run('sh', ['-c', `exec ${command} "$@"`, 'sh', ...words], '', {
    cwd: ROOT,
    env: { PATH, WEBSOCK_URL: url, ...env },
  });
}

const printed = (stdout: string): Done => ({ code: 0, stdout, stderr: '' });

async function ticketFor(uuid: string): Promise<string> {
  const answer = await curl('-d', `opcode=ticket&uuid=${uuid}`, `http://127.0.0.1:${daemon.port}/php`);
  return String((answer.json().packets as SeenPacket[])[0].ticket);
}

/** A file of so many bytes. */
function fileOf(name: string, bytes: number): string {
  const path = join(daemon.dir, name);
  writeFileSync(path, 'x'.repeat(bytes));
  return path;
}

test('README has a line for each file', () => {
  expect(BACKENDS.map(({ file }) => file)).toEqual([
    'php/curl.php',
    'php/fsockopen.php',
    'php/Websock.php',
    'python/report.py',
    'node/report.mjs',
    'bash/curl.sh',
    'bash/nc.sh',
  ]);
});

describe.each(BACKENDS)('$file', ({ command, it }) => {
  it('progress: the page gets it step by step, and nobody else', async () => {
    expect(await report(command, ['progress', page.uuid])).toEqual(printed(''));
    for (const percent of [0, 25, 50, 75, 100]) {
      const { percent: got, ...packet } = await page.packet();
      expect([Number(got), packet]).toEqual([
        percent,
        { opcode: 'feedback', uuid: page.uuid, message: `${percent} %` },
      ]);
    }
    await Promise.all([page.nothingElse(), other.nothingElse()]);
  });

  it('feedback: any text arrives as it is; a page that is not there is no error', async () => {
    expect(await report(command, ['feedback', page.uuid, AWKWARD])).toEqual(printed('delivered: 1\n'));
    expect(await page.packet()).toEqual({ opcode: 'feedback', uuid: page.uuid, message: AWKWARD });
    expect(await report(command, ['feedback', NOBODY, 'hello'])).toEqual(printed('delivered: 0\n'));
    await other.nothingElse();
  });

  it('broadcast: every page gets it', async () => {
    expect(await report(command, ['broadcast', AWKWARD])).toEqual(printed('delivered: 2\n'));
    const packet = { opcode: 'broadcast', message: AWKWARD };
    expect(await Promise.all([page.packet(), other.packet()])).toEqual([packet, packet]);
  });

  it('with a ticket it reaches the page that the ticket is for', async () => {
    const env = { WEBSOCK_KEY: await ticketFor(page.uuid) };
    expect(await report(command, ['feedback', page.uuid, 'mine'], env)).toEqual(printed('delivered: 1\n'));
    expect(await page.packet()).toMatchObject({ message: 'mine' });
  });

  it('opens a job, and does its work: who watches it sees how far it is', async () => {
    const opened = await report(command, ['open', AWKWARD]);
    expect(opened).toMatchObject({ code: 0, stderr: '' });
    const job = opened.stdout.trim();
    const watcher = await openPage('/jobs');
    const { job: state } = await watcher.ask({ opcode: 'watch', job });
    expect(state).toMatchObject({ id: job, title: AWKWARD, state: 'waiting' });
    expect(await watcher.packet()).toMatchObject({ opcode: 'next' });
    const [five, seven] = [fileOf('five', 5), fileOf('seven', 7)];
    expect(await report(command, ['job', job, five, seven])).toEqual(printed(''));
    for (const packet of [
      { opcode: 'log', text: `${five}: 5 bytes` },
      { opcode: 'progress', percent: 50, text: '5 bytes' },
      { opcode: 'log', text: `${seven}: 7 bytes` },
      { opcode: 'progress', percent: 100, text: '12 bytes' },
      { opcode: 'done', text: '12 bytes in all' },
    ]) {
      expect(await watcher.packet()).toMatchObject({ job, ...packet }); // oxlint-disable-line no-await-in-loop
    }
    const again = await report(command, ['job', job, five]);
    expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('the job is done') });
    await watcher.close();
  });

  it('with the ticket of a job that a page has opened: the page sees that it fails, and why', async () => {
    const opener = await openPage('/jobs');
    const { job, ticket } = await opener.ask({ opcode: 'open', title: 'of the page' });
    const { id } = job as { id: string };
    expect(await opener.packet()).toMatchObject({ opcode: 'next', job: id });
    const missing = join(daemon.dir, 'missing');
    const env = { WEBSOCK_KEY: String(ticket) };
    const { code, stderr } = await report(command, ['job', id, fileOf('five', 5), missing], env);
    expect(code).toBe(1);
    expect(stderr).toContain(missing);
    for (const packet of [
      { opcode: 'log', text: `${fileOf('five', 5)}: 5 bytes` },
      { opcode: 'progress', percent: 50 },
      { opcode: 'failed', text: expect.stringContaining(missing) },
    ]) {
      expect(await opener.packet()).toMatchObject({ job: id, ...packet }); // oxlint-disable-line no-await-in-loop
    }
    await opener.close();
  });

  it('what goes wrong is told in one place, and ends it with 1', async () => {
    const words = ['feedback', other.uuid, 'hello'];
    const outcomes = await Promise.all([
      report(command, words, { WEBSOCK_URL: `http://127.0.0.1:${await freePort()}` }),
      report(command, words, { WEBSOCK_KEY: 'wst1.x' }),
      report(command, words, { WEBSOCK_KEY: await ticketFor(page.uuid) }),
      report(command, []),
    ]);
    expect(outcomes.map(({ code, stdout }) => ({ code, stdout }))).toEqual(
      outcomes.map(() => ({ code: 1, stdout: '' })),
    );
    const [nobody, damaged, notAllowed, noWord] = outcomes.map(({ stderr }) => stderr);
    expect(nobody).toMatch(/refused|failed to connect|no answer from/i);
    expect(damaged).toContain(': the ticket is damaged, or not of this daemon');
    expect(notAllowed).toMatch(/^[\w.]+: not allowed\n$/);
    for (const word of ['feedback', 'broadcast', 'progress', 'open', 'job']) expect(noWord).toContain(word);
    await other.nothingElse();
  });
});
