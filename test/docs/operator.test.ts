import { execFileSync, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { chosen } from '../../bench/scenarios.ts';
import { makeCertificate } from '../support/certificate.ts';
import { type Done, run } from '../support/commands.ts';
import { ROOT, RunningDaemon, temporaryFolder } from '../support/daemon.ts';
import { codeBlock, codeBlocks, documents, documentText } from '../support/markdown.ts';
import { withProgram } from '../support/program.ts';
import { RUN } from '../support/websock.ts';

const SERVICE = 'systemd/README.md';
/** What an operator's commands begin with that are run here, in a folder that stands for the machine. */
const RUN_HERE = /^(?:install|openssl|runuser|node|cd) /;
/**
 * And those that are not, for they change the machine or take something from the network: packages, users, services, the code itself. Their
 * syntax is checked.
 */
const ELSEWHERE = /^(?:apt-get|adduser|deluser|git|npm|systemctl|journalctl|rm|tail) /;

let dir: string;

beforeAll(() => {
  dir = temporaryFolder();
  for (const name of ['etc', 'var', 'units', 'ini']) mkdirSync(join(dir, name));
  const { certFile, pkFile } = makeCertificate(dir);
  cpSync(certFile, join(dir, 'fullchain.pem'));
  cpSync(pkFile, join(dir, 'privkey.pem'));
});
afterAll(() => rmSync(dir, { recursive: true }));

/** Text of the documentation, for the folder that stands for the machine; its users are whoever runs this. */
function here(text: string): string {
  const group = execFileSync('id', ['-gn'], { encoding: 'utf8' }).trim();
  return text
    .replaceAll('/etc/systemd/system/', `${dir}/units/`)
    .replaceAll(/\/(?:etc|var\/log|var\/lib)\/websock\b/g, (path) => `${dir}${path}`)
    .replaceAll('/var/lib/php/websock', `${dir}/var/php`)
    .replaceAll('/opt/websock', ROOT)
    .replaceAll(/-o (?:root|www-data) -g websock/g, `-o ${userInfo().username} -g ${group}`)
    .replaceAll('runuser -u websock -- node', process.execPath);
}

/** Runs what of a block can be run here. */
function type(holding: string): Promise<Done> {
  const lines = here(codeBlock(SERVICE, 'sh', holding)).split('\n');
  const script = lines.filter((line) => !ELSEWHERE.test(line)).join('\n');
  return run('sh', ['-euc', script], '', { cwd: dir });
}

const modeOf = (name: string): string => (statSync(join(dir, name)).mode & 0o7777).toString(8);

describe('the commands of the documentation', () => {
  const scripts = documents().flatMap((name) =>
    codeBlocks(documentText(name))
      .filter(({ language }) => language === 'sh')
      .map(({ text }) => ({ name, text })),
  );

  test('a shell understands every one of them', async () => {
    expect(scripts.length).toBeGreaterThan(20);
    for (const { name, text } of scripts) {
      expect({ name, text, ...(await run('sh', ['-n'], text)) }).toEqual({
        name,
        text,
        code: 0,
        stdout: '',
        stderr: '',
      });
    }
  });

  test('those of systemd/README.md are run here, or it is said why not', () => {
    const lines = scripts.filter(({ name }) => name === SERVICE).flatMap(({ text }) => text.split('\n'));
    const commands = lines.filter((line) => !/^(?:#|$)/.test(line));
    expect(commands.filter((line) => !RUN_HERE.test(line) && !ELSEWHERE.test(line))).toEqual([]);
    expect(commands.filter((line) => RUN_HERE.test(line)).length).toBeGreaterThan(10);
  });
});

describe('a machine is set up as systemd/README.md types it', () => {
  test('configuration, certificate, tokens, sessions, check and unit', async () => {
    const quiet = { code: 0, stdout: '', stderr: '' };
    expect(await type('/etc/websock/websock.ini\n')).toEqual(quiet);
    expect([modeOf('etc/websock'), modeOf('etc/websock/websock.ini')]).toEqual(['750', '640']);
    const file = join(dir, 'etc/websock/websock.ini');
    expect(readFileSync(file, 'utf8')).toBe(readFileSync(join(ROOT, 'websock.ini'), 'utf8'));
    writeFileSync(file, withValues(readFileSync(file, 'utf8'), codeBlock(SERVICE, 'ini', "adress='wss://")));
    for (const name of ['var/log/websock', 'var/lib/websock']) mkdirSync(join(dir, name), { recursive: true });

    expect(await type('fullchain.pem')).toEqual(quiet);
    expect([modeOf('etc/websock/cert.pem'), modeOf('etc/websock/key.pem')]).toEqual(['640', '640']);
    expect(await type('/dev/null')).toEqual(quiet);
    expect([modeOf('etc/websock/tokens'), readFileSync(join(dir, 'etc/websock/tokens'), 'utf8')]).toEqual([
      '640',
      expect.stringMatching(/^[0-9a-f]{64}\n$/),
    ]);
    expect(await type('2750')).toEqual(quiet);
    expect(modeOf('var/php')).toBe('2750');

    const { code, stdout, stderr } = await type('--check');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain(`configuration: ${file}\n`);
    expect(stdout).toMatch(/^listen: wss:\/\/0\.0\.0\.0:443\b/m);
    expect(await type('git pull')).toEqual(quiet);
    expect(readFileSync(join(dir, 'units/websock.service'), 'utf8')).toBe(documentText('systemd/websock.service'));
  });

  /** An ini with other values of keys that it has; it must have each. */
  function withValues(ini: string, values: string): string {
    let section = '';
    const sections = ini.split(/^(?=\[)/m);
    for (const line of here(values).split('\n')) {
      if (line.startsWith('[')) section = line;
      const [key] = line.split('=', 1);
      const index = section === '' ? 0 : sections.findIndex((text) => text.startsWith(`${section}\n`));
      if (!/^\w+=/.test(line)) continue;
      expect(sections[index]).toMatch(new RegExp(`^${key}=`, 'm'));
      sections[index] = sections[index].replace(new RegExp(`^${key}=.*$`, 'm'), line);
    }
    return sections.join('');
  }

  const withLogrotate = withProgram('logrotate', 'logrotate');
  withLogrotate('logrotate takes its configuration', async () => {
    const [block] = codeBlocks(documentText(SERVICE)).filter(({ language }) => language === '');
    const group = execFileSync('id', ['-gn'], { encoding: 'utf8' }).trim();
    writeFileSync(
      join(dir, 'rotate'),
      here(block.text).replace('su websock websock', `su ${userInfo().username} ${group}`),
    );
    const { code, stderr } = await run('logrotate', ['--debug', '--state', join(dir, 'state'), join(dir, 'rotate')]);
    expect(code).toBe(0);
    expect(stderr).toMatch(/rotating pattern: \S+websock\.log {2}after 1 days/);
    expect(stderr).not.toMatch(/^error/m);
  });

  const withPhp = withProgram('php', 'php-cli');
  withPhp('PHP reads the same save_path as the daemon', async () => {
    const file = join(dir, 'php.ini');
    writeFileSync(file, codeBlock(SERVICE, 'ini', 'session.save_path'));
    const { stdout } = await run('php', ['-n', '-c', file, '-r', 'echo ini_get("session.save_path");']);
    expect(codeBlock(SERVICE, 'ini', "mode='php-session'")).toContain(`savePath='${stdout}'\n`);
    expect(stdout).toContain('/var/lib/php/websock');
  });
});

describe('each block of an ini that the documentation has is taken', () => {
  /** What `--check` says of a block, with a resource at `/chat` and `/clients`. */
  async function check(text: string): Promise<Done> {
    const folder = join(dir, 'ini');
    const resource = 'export default class { onData() {} onClose() {} onError() {} onOther() {} }';
    mkdirSync(join(folder, 'resources'), { recursive: true });
    for (const name of ['chat', 'clients', 'admin']) writeFileSync(join(folder, `resources/${name}.mjs`), resource);
    writeFileSync(join(folder, 'tokens.txt'), 'one-token-of-at-least-thirty-two-characters\n', { mode: 0o600 });
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    writeFileSync(join(folder, 'login.pem'), publicKey.export({ type: 'spki', format: 'pem' }));
    const replaced = here(text)
      .replace(`${dir}/etc/websock/tokens`, 'tokens.txt')
      .replace(`${dir}/etc/websock/login.pem`, 'login.pem');
    writeFileSync(join(folder, 'websock.ini'), replaced);
    return run(process.execPath, [RUN, '--check'], '', { cwd: folder, env: { PATH: process.env.PATH } });
  }

  test.each([
    ['README.md', '[auth.chat]', /^resource: \/chat for .*, auth token$/m],
    [SERVICE, '[auth.chat]', /^resource: \/chat for .*, auth token$/m],
    [SERVICE, "mode='jwt'", /^resource: \/chat for .*, auth jwt$/m],
    [SERVICE, "mode='php-session'", /^resource: \/chat for .*, auth php-session$/m],
    [SERVICE, 'hosts=', /^configuration: /m],
    ['resources/README.md', '[/clients]', /^resource: \/clients for /m],
  ])('%s: %s', async (document, holding, said) => {
    const { code, stdout, stderr } = await check(codeBlock(document, 'ini', holding));
    expect({ code, stderr, stdout }).toEqual({ code: 0, stderr: '', stdout: expect.stringMatching(said) });
    expect(stdout).not.toMatch(/^warning/m);
  });
});

describe('README.md', () => {
  /** A line that README types, run in the folder of the project; nothing is written there. */
  const line = (holding: string): string => codeBlock('README.md', 'sh', holding).trim();
  const apart = {
    PATH: process.env.PATH,
    WEBSOCK_ADRESS: 'ws://localhost:0',
    WEBSOCK_LOGFILE: '',
    WEBSOCK_DIALOG_STATEFILE: '',
  };

  test('what the first line starts serves, and says so', async () => {
    const [install, start] = line('npm ci && node').split(' && ');
    expect(install).toBe('npm ci'); // .ci/run does it before all of this
    const child = spawn('sh', ['-c', `exec ${start}`], { cwd: ROOT, env: apart, stdio: ['ignore', 'pipe', 'pipe'] });
    const daemon = new RunningDaemon('', child);
    await daemon.said(/Registered resource : \/web\n/);
    expect(await daemon.stop()).toBe(0);
  });

  const withNc = withProgram('nc', 'netcat-openbsd');
  withNc('the examples are served when they are asked for', async () => {
    const command = `exec ${line('--examples all')}`;
    const child = spawn('sh', ['-c', command], { cwd: ROOT, env: apart, stdio: ['ignore', 'pipe', 'pipe'] });
    const daemon = new RunningDaemon('', child);
    await daemon.said(/Registered resource : \/web\n[^]*Examples : /);
    const answer = await fetch(`http://localhost:${daemon.port}/_websock/examples/`);
    expect([answer.status, await answer.text()]).toEqual([200, expect.stringContaining('href="chat"')]);
    const typed = async (holding: string): Promise<string> =>
      (await run('sh', ['-c', line(holding).replace('8096', String(daemon.port))])).stdout;
    expect(await typed("printf '/hello")).toMatch(/^Hello! .*\nNice to meet you, Ann\..*\nGood bye, Ann!\n$/);
    expect(JSON.parse(await typed('calc 2+3*4'))).toMatchObject({ opcode: 'next', answer: '14' });
    expect(await daemon.stop()).toBe(0);
  });

  test('the tests are what .ci/run runs', () => {
    const ci = documentText('.ci/run');
    for (const command of line('npm test').split(' && ')) expect(ci).toMatch(new RegExp(`^${command}\\b`, 'm'));
  });

  test('--check says what would be served', async () => {
    const { code, stdout } = await run('sh', ['-c', line('--check')], '', { cwd: ROOT, env: apart });
    expect([code, stdout]).toEqual([0, expect.stringContaining('resource: /web for ws, wss')]);
  });

  test('init makes a folder whose test passes', async () => {
    const home = join(dir, 'home');
    mkdirSync(home);
    const { code } = await run('sh', ['-c', line(' init ')], '', { cwd: ROOT, env: { ...apart, HOME: home } });
    expect(code).toBe(0);
    const tested = await run(process.execPath, ['--test'], '', { cwd: join(home, 'my-app'), env: apart });
    expect(tested.code).toBe(0);
  });
});

describe('bench/README.md', () => {
  const commands = codeBlocks(documentText('bench/README.md')).flatMap(({ text }) => text.trim().split('\n'));

  test('each npm script is there, and takes what it is given; to run them takes minutes, .ci/run has a short look', async () => {
    const { scripts } = JSON.parse(documentText('package.json')) as { scripts: Record<string, string> };
    const { stdout } = await run(
      process.execPath,
      ['node_modules/jiti/lib/jiti-cli.mjs', 'bench/fire/run.ts', '--list'],
      '',
      {
        cwd: ROOT,
      },
    );
    const known = {
      bench: (word: string) => chosen([word]).unknown.length === 0,
      fire: (word: string) => new RegExp(`^${word}\\b`, 'm').test(stdout),
      soak: () => false,
    };
    const npm = commands.filter((command) => command.startsWith('npm run '));
    expect(npm.length).toBeGreaterThan(8);
    for (const command of npm) {
      const [, name, rest = ''] = /^npm run (\w+)(?: -- (.*?))?\s*(?:#.*)?$/.exec(command) ?? [];
      expect(Object.keys(scripts)).toContain(name);
      const program = documentText(scripts[name].replace('jiti ', ''));
      const words = rest.split(' ').filter((word) => word !== '' && !/^\d+$/.test(word));
      for (const word of words) {
        const takes = word.startsWith('--') ? program.includes(word.slice(2)) : known[name as keyof typeof known](word);
        expect([command, word, takes]).toEqual([command, word, true]);
      }
    }
  });

  test('the daemon that the load generator is tried on starts so', async () => {
    const start = commands.find((command) => command.startsWith('node dist/run.js')) ?? '';
    const { code, stdout } = await run('sh', ['-c', start.replace(/ &$/, ' --check')], '', { cwd: ROOT });
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^resource: \/echo for /m)]);
  });
});
