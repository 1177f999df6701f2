import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect } from '@jest/globals';
import { curl, type Done, run } from '../support/commands.ts';
import { ROOT, type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { freePort } from '../support/freeport.ts';
import { withProgram } from '../support/program.ts';
import { type SeenPacket, WebPeer } from '../support/webpeer.ts';

const withCurl = withProgram('curl', 'curl');
const JOB = join(ROOT, 'backends/cron/job.sh');

let daemon: RunningDaemon;
let url: string;

beforeAll(async () => {
  daemon = await startDaemon();
  url = `http://127.0.0.1:${daemon.port}`;
});

afterAll(() => daemon.dispose());

/** Runs a command as cron does (crontab(5)): with sh, in this environment and no other, its % taken as line ends. */
function cron(command: string, variables: Record<string, string>): Promise<Done> {
  const [line, ...input] = command.split(/(?<!\\)%/).map((part) => part.replaceAll(String.raw`\%`, '%'));
  const env = { HOME: daemon.dir, LOGNAME: 'www', SHELL: '/bin/sh', PATH: '/usr/bin:/bin', ...variables };
  return run('/bin/sh', ['-c', line], input.join('\n'), { cwd: daemon.dir, env });
}

/** The crontab, but for where things are on this machine. */
function crontab(): { variables: Record<string, string>; commands: string[] } {
  const places: Record<string, string> = {
    'http://localhost:8096': url,
    '/usr/local/share/websock': ROOT,
    '/var/backups': daemon.dir,
    '/var/www': join(daemon.dir, 'www'),
  };
  let text = readFileSync(join(ROOT, 'backends/cron/crontab'), 'utf8');
  for (const [there, here] of Object.entries(places)) text = text.replaceAll(there, here);
  const variables: Record<string, string> = {};
  const commands: string[] = [];
  for (const line of text.split('\n').filter((one) => one !== '' && !one.startsWith('#'))) {
    const [, name, value] = /^(\w+)=(.*)$/.exec(line) ?? [];
    if (name === undefined) commands.push(/^(?:[\d*/,-]+ ){5}(.*)$/.exec(line)?.[1] ?? '');
    else variables[name] = value;
  }
  return { variables, commands };
}

/** The state of the job that was opened last. */
async function lastJob(): Promise<SeenPacket> {
  const listed = (await curl('-d', 'opcode=list', `${url}/jobs`)).json().packets as { jobs: { id: string }[] }[];
  const watched = (await curl('-d', `opcode=watch&job=${listed[0].jobs[0].id}`, `${url}/jobs`)).json();
  const { log, ...state } = (watched.packets as { job: SeenPacket & { log: { text: string }[] } }[])[0].job;
  return { ...state, log: log.map(({ text }) => text) };
}

const quiet: Done = { code: 0, stdout: '', stderr: '' };

describe('cron/crontab, each line as cron runs it', () => {
  withCurl('a broadcast: every page gets it, a percent sign and all', async () => {
    const { variables, commands } = crontab();
    const page = await WebPeer.open(`ws://127.0.0.1:${daemon.port}/web`);
    expect(await cron(commands[0], variables)).toEqual(quiet);
    expect(await page.packet()).toEqual({ opcode: 'broadcast', message: 'In 5 minutes all is 30 % slower' });
    await page.close();
  });

  withCurl('a job: it is done when its command is', async () => {
    const { variables, commands } = crontab();
    expect(commands).toHaveLength(2);
    mkdirSync(join(daemon.dir, 'www'));
    writeFileSync(join(daemon.dir, 'www/index.html'), 'hello');
    expect(await cron(commands[1], variables)).toEqual(quiet);
    expect(statSync(join(daemon.dir, 'www.tar.gz')).size).toBeGreaterThan(0);
    expect(await lastJob()).toMatchObject({ title: 'Nightly backup', state: 'done', log: [] });
  });
});

describe('cron/job.sh', () => {
  const job = (title: string, script: string, variables: Record<string, string> = {}): Promise<Done> =>
    cron(`'${JOB}' '${title}' sh -c '${script}'`, { WEBSOCK_URL: url, ...variables });

  withCurl('what a command prints is its log and goes on to cron, and its exit code is kept', async () => {
    const done = await job('Ärger & co', String.raw`echo "a=1 & b=\"ü\""; echo two >&2; printf three; exit 7`);
    expect(done).toEqual({ code: 7, stdout: 'a=1 & b="ü"\ntwo\nthree\n', stderr: '' });
    expect(await lastJob()).toMatchObject({
      title: 'Ärger & co',
      state: 'failed',
      text: 'exit code 7',
      log: ['a=1 & b="ü"', 'two', 'three'],
    });
  });

  withCurl('a command that cannot be run has failed', async () => {
    expect(await cron(`'${JOB}' none /nowhere/none`, { WEBSOCK_URL: url })).toMatchObject({ code: 127 });
    const { state, text, log } = await lastJob();
    expect({ state, text }).toEqual({ state: 'failed', text: 'exit code 127' });
    expect(log).toEqual([expect.stringContaining('/nowhere/none: not found')]);
  });

  withCurl('without a daemon the command runs all the same, and cron mails that nobody was told', async () => {
    const away = { WEBSOCK_URL: `http://127.0.0.1:${await freePort()}` };
    const { code, stdout, stderr } = await job('away', 'echo done', away);
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'done\n' });
    expect(stderr).toMatch(/^(?:curl: \(7\) Failed to connect .*\n){3}$/);
  });

  withCurl('as README runs it', async () => {
    const [command] = /(?<=`)backends\/cron\/job\.sh [^`]+(?=`)/.exec(
      readFileSync(join(ROOT, 'backends/README.md'), 'utf8'),
    ) ?? [''];
    const { code, stdout } = await run('sh', ['-c', command], '', {
      cwd: ROOT,
      env: { PATH: process.env.PATH, WEBSOCK_URL: url },
    });
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/^\S+\tresources\n$/) });
    expect(await lastJob()).toMatchObject({ title: 'How much is it', state: 'done', log: [stdout.trim()] });
  });
});
