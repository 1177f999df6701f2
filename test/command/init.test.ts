import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { iniText } from '../../src/config/initext.ts';
import { unitText } from '../../src/command/unit.ts';
import { type Done, run } from '../support/commands.ts';
import { ROOT, temporaryFolder } from '../support/daemon.ts';
import { codeBlock } from '../support/markdown.ts';
import { withProgram } from '../support/program.ts';

const FILES = [
  'websock.ini',
  'resources/default.ts',
  'resources/web.ts',
  'resources/php.ts',
  'resources/jobs.ts',
  'resources/lib/job.ts',
  'resources/lib/jobpackets.ts',
  'resources/lib/jobpage.ts',
  'resources/lib/jobstore.ts',
  'resources/lib/jobticket.ts',
  'resources/lib/jobtypes.ts',
  'resources/lib/opcodes.ts',
  'resources/lib/seldom.ts',
  'resources/greet.mjs',
  'test/greet.test.mjs',
  'websock.service',
];
const RUN = join(ROOT, 'dist/run.js');
const withSystemd = withProgram('systemd-analyze', 'systemd');

let dir: string;

beforeEach(() => {
  dir = temporaryFolder();
});
afterEach(() => rmSync(dir, { recursive: true }));

const websock = (...args: string[]): Promise<Done> => run(process.execPath, [RUN, ...args], '', { cwd: dir });
const textOf = (name: string): string => readFileSync(join(dir, name), 'utf8');

describe('websock init', () => {
  test('makes a folder that is served, and whose test passes', async () => {
    const { code, stdout, stderr } = await websock('init', 'app');
    const app = join(dir, 'app');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.match(/^made {2}[^:\n]+/gm)).toEqual(
      [...FILES, 'node_modules/websock'].map((name) => `made  ${name}`),
    );
    expect(stdout).toContain(`Run it:   cd ${app} && node ${RUN} -console\nTest it:  cd ${app} && node --test\n`);
    expect(textOf('app/websock.ini')).toBe(iniText());

    const check = await run(process.execPath, [RUN, '--check'], '', { cwd: app });
    expect(check).toMatchObject({ code: 0, stderr: '' });
    expect(check.stdout).toContain(`configuration: ${app}/websock.ini\n`);
    for (const path of ['/', '/web', '/php', '/jobs', '/greet'])
      expect(check.stdout).toContain(`resource: ${path} for `);

    // None of them has its path taken by what was made.
    const examples = await run(process.execPath, [RUN, '--check', '--examples', 'all'], '', { cwd: app });
    expect(examples).toMatchObject({ code: 0, stderr: '', stdout: expect.not.stringContaining('warning') });

    const tested = await run(process.execPath, ['--test'], '', { cwd: app });
    expect(tested.stdout).toMatch(/(?:#|ℹ) pass 2\n(?:#|ℹ) fail 0\n/);
    expect(tested.code).toBe(0);
  });

  test('its test notices when the app is broken', async () => {
    await websock('init');
    writeFileSync(join(dir, 'resources/greet.mjs'), textOf('resources/greet.mjs').replace('Hello, ', 'Bye, '));
    const tested = await run(process.execPath, ['--test'], '', { cwd: dir });
    expect(tested.code).toBe(1);
    expect(tested.stdout).toContain('Bye, Ada!');
  });

  test('a resource in TypeScript is tested as resources/README.md says: in a folder that init makes, and in the package', async () => {
    await websock('init');
    const inside = mkdtempSync(join(ROOT, 'dist/guide-'));
    const command = codeBlock('resources/README.md', 'sh', '--import websock/register');
    const plugin = codeBlock('resources/README.md', 'ts', 'class Progress');
    const example = codeBlock('resources/README.md', 'ts', 'new TestBench');
    const expecting = (percent: number): string =>
      `import assert from 'node:assert/strict';\n${example}assert.equal(page.packets[0].percent, ${percent});\n`;
    try {
      for (const [folder, percent, code, outcome] of [
        [join(dir, 'resources'), 50, 0, 'pass'],
        [inside, 50, 0, 'pass'],
        [inside, 51, 1, 'fail'],
      ] as const) {
        writeFileSync(join(folder, 'progress.ts'), plugin);
        writeFileSync(join(folder, 'progress.test.ts'), expecting(percent));
        // oxlint-disable-next-line no-await-in-loop -- one after the other: a test for each would need a folder for each
        const tested = await run('sh', ['-c', command], '', { cwd: folder });
        expect(tested).toMatchObject({ code, stdout: expect.stringMatching(`(?:#|ℹ) ${outcome} 1\n`) });
      }
    } finally {
      rmSync(inside, { recursive: true });
    }
  });

  test('leaves what is there: here, and a second time', async () => {
    writeFileSync(join(dir, 'websock.ini'), "adress='ws://localhost:9000'\n");
    const first = await websock('init');
    expect(first.stdout).toMatch(/^left {2}websock\.ini: it was there\nmade {2}resources\/default\.ts\n/);
    expect(first.stdout).toContain(`\nRun it:   node ${RUN} -console\n`);
    writeFileSync(join(dir, 'resources/greet.mjs'), '// mine');
    const second = await websock('init');
    expect(second.code).toBe(0);
    expect(second.stdout).not.toContain('made');
    expect(second.stdout.match(/^left {2}[^:\n]+/gm)).toHaveLength(FILES.length + 1);
    expect([textOf('websock.ini'), textOf('resources/greet.mjs')]).toEqual([
      "adress='ws://localhost:9000'\n",
      '// mine',
    ]);
  });

  test('makes no resource whose path is taken by a file of another kind', async () => {
    mkdirSync(join(dir, 'resources'));
    writeFileSync(join(dir, 'resources/web.js'), '');
    const { stdout } = await websock('init');
    expect(stdout).toContain('left  resources/web.ts: web.js is there\n');
    expect(readdirSync(join(dir, 'resources')).toSorted()).toEqual([
      'default.ts',
      'greet.mjs',
      'jobs.ts',
      'lib',
      'php.ts',
      'web.js',
    ]);
  });

  test('that cannot write says what it made, and where it failed: exit code 1', async () => {
    writeFileSync(join(dir, 'resources'), 'a file');
    const { code, stdout, stderr } = await websock('init');
    expect([code, stdout]).toEqual([1, 'made  websock.ini\n']);
    expect(stderr).toMatch(/^websock init: .*resources.* cannot be written: .+\n$/);
  });

  test.each([
    [['a', 'b'], 'websock init: give one folder, or none: [dir]\n'],
    [['--force'], "websock init: Unknown option '--force'; websock init --help lists all\n"],
  ])('%j: exit code 2, and nothing is made', async (args, said) => {
    expect(await websock('init', ...args)).toEqual({ code: 2, stdout: '', stderr: said });
    expect(readdirSync(dir)).toEqual([]);
  });

  test('--help', async () => {
    const { code, stdout } = await websock('init', '--help');
    expect([code, stdout.split('\n')[0]]).toEqual([0, 'websock init [dir]']);
    expect(readdirSync(dir)).toEqual([]);
  });
});

describe('the unit file', () => {
  const shipped = readFileSync(join(ROOT, 'systemd/websock.service'), 'utf8');
  const places = {
    node: '/usr/bin/node',
    run: '/opt/websock/dist/run.js',
    ini: '/srv/app/websock.ini',
    package: '/opt/websock',
  };

  test('starts what it checks, with the ini of the folder, and logs where it may', () => {
    const text = unitText(shipped, places);
    const command =
      '/usr/bin/node /opt/websock/dist/run.js --config /srv/app/websock.ini --logfile /var/log/websock/websock.log';
    expect(text).toContain(`\nExecStartPre=${command} --check\nExecStart=${command}\n`);
    expect(text).toContain('\nProtectHome=yes\n');
    expect(text.split('\n')[0]).toMatch(/^# websock, a socket daemon\. As root/);
  });

  test('may read a home folder if something of it is there', () => {
    expect(unitText(shipped, { ...places, ini: '/home/ada/app/websock.ini' })).toContain('\nProtectHome=read-only\n');
  });

  withSystemd('systemd-analyze verify finds nothing in it, also where the folder has an awkward name', async () => {
    const app = join(dir, 'my "app" 100% $HOME');
    cpSync(join(ROOT, 'systemd'), join(app, 'systemd'), { recursive: true });
    const made = await websock('init', app);
    expect(made.code).toBe(0);
    const { code, stdout, stderr } = await run('systemd-analyze', ['verify', join(app, 'websock.service')]);
    expect({ code, output: stdout + stderr }).toEqual({ code: 0, output: '' });
  });
});
