import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { type Logger, type LoggerOptions, openLogger } from '../../src/daemon/logger.ts';

const DEFAULTS: LoggerOptions = {
  console: true,
  logfile: '',
  level: 'info',
  rotate: 'external',
  maxSize: 0,
  daily: false,
  keep: 5,
};
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

let folder: string;
let logfile: string;
let opened: Logger[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'websock-log-'));
  logfile = join(folder, 'websock.log');
  opened = [];
});

afterEach(async () => {
  jest.useRealTimers();
  jest.restoreAllMocks();
  await Promise.all(opened.map((log) => log.close()));
  rmSync(folder, { recursive: true });
});

/** A stream that keeps what it is given. */
class Collected extends Writable {
  text = '';

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }

  get lines(): string[] {
    return this.text.split('\n').slice(0, -1);
  }
}

async function open(options: Partial<LoggerOptions> = {}) {
  const stdout = new Collected();
  const stderr = new Collected();
  const log = await openLogger({ ...DEFAULTS, console: false, logfile, ...options }, { stdout, stderr });
  opened.push(log);
  return { log, stdout, stderr };
}

/** Resolves when the condition holds; the log has no event for what happens on disk. */
async function until(condition: () => boolean, what: string): Promise<void> {
  const end = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`waited 10 s in vain: ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function parse(line: string): Record<string, unknown> {
  const value: unknown = JSON.parse(line);
  if (typeof value !== 'object' || value === null) throw new Error(`not a record: ${line}`);
  return Object.fromEntries(Object.entries(value));
}

function records(file: string): Record<string, unknown>[] {
  const content = readFileSync(file, 'utf8');
  if (content !== '') expect(content.endsWith('\n')).toBe(true);
  return content.split('\n').slice(0, -1).map(parse);
}

const messages = (file: string) => records(file).map(({ msg }) => String(msg));
const sorted = (names: Iterable<string>) => [...names].toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true }));
const listing = () => sorted(readdirSync(folder));
const descriptors = () => readdirSync('/proc/self/fd').length;
const numbers = (count: number) => Array.from({ length: count }, (_, i) => `line ${i}`);

/** Runs a program that finds `openLogger` and `options`, in a process of its own. */
function program(options: Partial<LoggerOptions>, body: string, env: Record<string, string> = {}): ChildProcess {
  const source = `
    import { createJiti } from 'jiti';
    const { openLogger } = await createJiti(${JSON.stringify(`file://${ROOT}`)}).import('./src/daemon/logger.ts');
    const options = ${JSON.stringify({ ...DEFAULTS, ...options })};
    ${body}`;
  return spawn(process.execPath, ['--input-type=module', '-e', source], { cwd: ROOT, env: { ...process.env, ...env } });
}

async function ended(child: ChildProcess): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const [stdout, stderr] = await Promise.all([
    child.stdout && !child.stdout.destroyed ? text(child.stdout) : '',
    child.stderr ? text(child.stderr) : '',
    child.exitCode === null ? once(child, 'close') : null,
  ]);
  return { code: child.exitCode, stdout, stderr };
}

describe('console', () => {
  test.each([
    ['Europe/Berlin', 'Wed, 14 Jul 2021 09:04:35 +0200'],
    ['UTC', 'Wed, 14 Jul 2021 07:04:35 +0000'],
    ['America/St_Johns', 'Wed, 14 Jul 2021 04:34:35 -0230'],
    ['Pacific/Kiritimati', 'Wed, 14 Jul 2021 21:04:35 +1400'],
  ])('lines look as the original daemon writes them, in %s', async (TZ, date) => {
    const body = `
      Date.now = () => Date.UTC(2021, 6, 14, 7, 4, 35, 987);
      const log = await openLogger(options);
      log.info('Registered resource : /web');
      await log.close();`;
    expect(await ended(program({}, body, { TZ }))).toEqual({
      code: 0,
      stdout: `${date}; Registered resource : /web\n`,
      stderr: '',
    });
  });

  test('the date goes on with the time', async () => {
    const { log, stdout } = await open({ console: true, logfile: '' });
    const now = jest.spyOn(Date, 'now');
    for (const ms of [0, 999, 1000, 59_999, 60_000]) {
      now.mockReturnValue(Date.UTC(2021, 0, 2, 3, 4, 0) + ms);
      log.info('x');
    }
    expect(stdout.lines.map((line) => line.slice(20, 25))).toEqual(['04:00', '04:00', '04:01', '04:59', '05:00']);
  });

  test('errors and warnings carry a word, other lines none', async () => {
    const { log, stdout } = await open({ console: true, logfile: '', level: 'debug' });
    log.error('a');
    log.warn('b');
    log.info('c');
    log.debug('d');
    expect(stdout.lines.map((line) => line.split('; ')[1])).toEqual(['ERROR a', 'WARN b', 'c', 'DEBUG d']);
  });

  test('one call is one line, whatever the text holds', async () => {
    const { log, stdout } = await open({ console: true });
    const forged = 'GET /\r\nWed, 14 Jul 2021 09:04:35 +0200; \u001b[2Jforged\u0085\u2028 100 %s %d %% ä';
    log.info(forged, { path: '/\n' });
    await log.close();
    expect(stdout.lines).toHaveLength(1);
    expect(stdout.lines[0].split(/; (.*)/)[1]).toBe(
      'GET /\\x0d\\x0aWed, 14 Jul 2021 09:04:35 +0200; \\x1b[2Jforged\\x85\\x2028 100 %s %d %% ä',
    );
    expect(records(logfile)).toEqual([expect.objectContaining({ msg: forged, path: '/\n' })]);
  });

  test('without console, nothing goes to stdout', async () => {
    const { log, stdout, stderr } = await open();
    log.error('x');
    await log.close();
    expect([stdout.text, stderr.text, messages(logfile)]).toEqual(['', '', ['x']]);
  });

  test('a closed stdout is said once and logging goes on in the file', async () => {
    const child = program(
      { logfile },
      `const log = await openLogger(options);
       process.stdin.once('data', async () => {
         for (let i = 0; i < 1000; i++) {
           log.info('line ' + i);
           if (i % 100 === 0) await new Promise(setImmediate);
         }
         await log.close();
         process.exit(0);
       });
       log.info('ready');`,
    );
    if (!child.stdout) throw new Error('no pipe');
    await once(child.stdout, 'data');
    child.stdout.destroy();
    await once(child.stdout, 'close');
    child.stdin?.write('go');
    const { code, stderr } = await ended(child);
    expect(stderr).toMatch(/^websock: no console lines any more: stdout failed: write EPIPE\. The daemon goes on\.\n$/);
    expect(code).toBe(0);
    expect(messages(logfile)).toEqual(['ready', ...numbers(1000)]);
  });

  test('a stdout that is not read neither fills the memory nor holds close for ever', async () => {
    const asleep = new Writable({ write() {} });
    const log = await openLogger(DEFAULTS, { stdout: asleep, stderr: new Collected() });
    for (let i = 0; i < 40; i++) log.info('x'.repeat(1024 * 1024));
    expect(asleep.writableLength).toBeLessThan(18 * 1024 * 1024);
    jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask'] });
    const closed = log.close();
    jest.advanceTimersByTime(2000);
    await closed;
  });

  test('says how many lines are missing when stdout is read again', async () => {
    let wake: (() => void) | undefined;
    let got = '';
    const slow = new Writable({
      write(chunk: Buffer, _encoding, done) {
        got += chunk.toString();
        if (got.length > 100) return done();
        wake = done;
      },
    });
    const log = await openLogger(DEFAULTS, { stdout: slow, stderr: new Collected() });
    log.info('first');
    for (let i = 0; i < 20; i++) log.info('x'.repeat(1024 * 1024));
    wake?.();
    await until(() => slow.writableLength === 0, 'stdout read');
    log.info('last');
    await log.close();
    expect(got).toMatch(/; WARN \d lines are missing here: stdout was not read\n.*; last\n$/);
  });
});

describe('level', () => {
  test.each([
    ['error', ['e']],
    ['warn', ['e', 'w']],
    ['info', ['e', 'w', 'i']],
    ['debug', ['e', 'w', 'i', 'd']],
  ] as const)('%s holds for both outputs', async (level, expected) => {
    const { log, stdout } = await open({ console: true, level });
    log.error('e');
    log.warn('w');
    log.info('i');
    log.debug('d');
    await log.close();
    expect(stdout.lines.map((line) => line.slice(-1))).toEqual(expected);
    expect(messages(logfile)).toEqual(expected);
  });
});

describe('file', () => {
  test('holds JSON lines', async () => {
    jest.spyOn(Date, 'now').mockReturnValue(Date.UTC(2021, 6, 14, 7, 4, 35, 7));
    const { log } = await open();
    log.warn('Zürich 🏔', { id: 7, path: '/web', ok: true, none: undefined });
    await log.close();
    expect(readFileSync(logfile, 'utf8')).toBe(
      '{"level":"warn","time":"2021-07-14T07:04:35.007Z","id":7,"path":"/web","ok":true,"msg":"Zürich 🏔"}\n',
    );
  });

  test.each(['internal', 'external'] as const)('%s: close has 10,000 lines on disk, in order', async (rotate) => {
    const { log } = await open({ rotate, logfile: join(folder, 'a', 'b', 'websock.log') });
    for (const line of numbers(10_000)) log.info(line);
    await log.close();
    expect(messages(join(folder, 'a', 'b', 'websock.log'))).toEqual(numbers(10_000));
  });

  test('close twice is close once, and what comes later is dropped', async () => {
    const { log, stdout } = await open({ console: true });
    log.info('one');
    const closing = log.close();
    log.info('late');
    log.reopen();
    await Promise.all([closing, log.close()]);
    log.flushSync();
    expect(messages(logfile)).toEqual(['one']);
    expect(stdout.lines).toHaveLength(1);
  });

  test.each(['internal', 'external'] as const)('%s: close, then process.exit', async (rotate) => {
    const { code, stdout } = await ended(
      program(
        { rotate, logfile },
        `const log = await openLogger(options);
         for (let i = 0; i < 10000; i++) log.info('line ' + i);
         await log.close();
         process.exit(3);`,
      ),
    );
    expect(code).toBe(3);
    expect(messages(logfile)).toEqual(numbers(10_000));
    expect(stdout.split('\n')).toHaveLength(10_001);
  });

  test.each(['internal', 'external'] as const)('%s: flushSync in a crash', async (rotate) => {
    const { code } = await ended(
      program(
        { rotate, logfile, console: false },
        `const log = await openLogger(options);
         process.on('uncaughtException', (error) => {
           log.error(error.message);
           log.flushSync();
           process.exit(9);
         });
         for (let i = 0; i < 10000; i++) log.info('line ' + i);
         throw new Error('crashed');`,
      ),
    );
    expect(code).toBe(9);
    expect(messages(logfile)).toEqual([...numbers(10_000), 'crashed']);
  });

  test('flushSync while a file rolls loses nothing', async () => {
    const body = `
      const log = await openLogger(options);
      for (let i = 0; i < 2000; i++) {
        log.info('line ' + i);
        if (i % 10 === 0) await new Promise(setImmediate);
      }
      log.flushSync();
      process.kill(process.pid, 'SIGKILL');`;
    await ended(program({ rotate: 'internal', logfile, console: false, maxSize: 500, keep: 5000 }, body));
    const files = listing().filter((name) => name !== 'websock.log');
    const got = files.flatMap((name) => messages(join(folder, name)));
    expect(sorted(new Set(got))).toEqual(numbers(2000));
  });
});

describe('rotate=external', () => {
  test('appends, and reopens exactly the name', async () => {
    writeFileSync(logfile, '{"msg":"before"}\n');
    const { log, stderr } = await open();
    log.info('one');
    renameSync(logfile, `${logfile}.1`);
    log.info('two');
    log.reopen();
    await until(() => existsSync(logfile), 'reopened');
    log.info('three');
    await log.close();
    expect(messages(`${logfile}.1`).slice(0, 2)).toEqual(['before', 'one']);
    expect([...messages(`${logfile}.1`), ...messages(logfile)]).toEqual(['before', 'one', 'two', 'three']);
    expect(listing()).toEqual(['websock.log', 'websock.log.1']);
    expect(stderr.text).toBe('');
  });

  test('many reopens under load lose nothing and leave no file open', async () => {
    const { log } = await open();
    const before = descriptors();
    for (let i = 0; i < 200; i++) {
      log.info(`line ${i}`);
      if (i % 10 === 5) renameSync(logfile, `${logfile}.${i}`);
      if (i % 10 === 5) log.reopen();
      log.info('more');
      await until(() => existsSync(logfile), 'reopened');
    }
    await log.close();
    const got = listing().flatMap((name) => messages(join(folder, name)));
    expect(sorted(got.filter((msg) => msg !== 'more'))).toEqual(numbers(200));
    expect(got).toHaveLength(400);
    expect(descriptors()).toBeLessThanOrEqual(before);
  });

  test('a crash between two files loses nothing', async () => {
    const body = `
      const log = await openLogger(options);
      log.info('one');
      log.reopen();
      await new Promise(setImmediate);
      for (let i = 0; i < 100; i++) {
        log.reopen();
        log.info('line ' + i);
      }
      log.flushSync();
      process.kill(process.pid, 'SIGKILL');`;
    await ended(program({ logfile, console: false }, body));
    expect(messages(logfile)).toEqual(['one', ...numbers(100)]);
  });

  test('reopen and close at once', async () => {
    const { log } = await open();
    log.info('one');
    log.reopen();
    log.info('two');
    await log.close();
    expect(messages(logfile)).toEqual(['one', 'two']);
  });

  test('takes the place of the link that internal mode left, not of another', async () => {
    writeFileSync(join(folder, 'websock.3.log'), '');
    symlinkSync('websock.3.log', logfile);
    const first = await open();
    first.log.info('own file');
    await first.log.close();
    expect(lstatSync(logfile).isFile()).toBe(true);
    expect(readFileSync(join(folder, 'websock.3.log'), 'utf8')).toBe('');

    unlinkSync(logfile);
    symlinkSync('elsewhere.log', logfile);
    const second = await open();
    second.log.info('through the link');
    await second.log.close();
    expect(messages(join(folder, 'elsewhere.log'))).toEqual(['through the link']);
    expect(readlinkSync(logfile)).toBe('elsewhere.log');
  });
});

describe('rotate=internal', () => {
  test('rolls by size, and the name leads to the current file', async () => {
    const { log } = await open({ rotate: 'internal', maxSize: 1000, keep: 100 });
    for (const line of numbers(100)) log.info(line);
    await log.close();
    const files = listing().filter((name) => name !== 'websock.log');
    expect(files.length).toBeGreaterThan(3);
    expect(files).toEqual(files.map((_, i) => `websock.${i + 1}.log`));
    expect(files.flatMap((name) => messages(join(folder, name)))).toEqual(numbers(100));
    for (const name of files) expect(lstatSync(join(folder, name)).size).toBeLessThan(2000);
    expect(readlinkSync(logfile)).toBe(files.at(-1));
  });

  test('keeps so many old files, from 9 to 10 too, and nobody else loses one', async () => {
    const others = ['websock-other.1.log', 'websock-1.log', 'websock_1.log', 'websock.log.1', 'websock.x.1.log'];
    for (const name of [...others, 'other.1.log', 'websock..log']) writeFileSync(join(folder, name), 'not ours');
    mkdirSync(join(folder, 'websock.0.log'));
    const { log, stderr } = await open({ rotate: 'internal', maxSize: 50, keep: 3 });
    for (let i = 1; i <= 12; i++) {
      log.info(`line ${i}`);
      await until(() => existsSync(join(folder, `websock.${i + 1}.log`)), `file ${i + 1}`);
    }
    await log.close();
    const ours = listing().filter((name) => /^websock\.\d+\.log$/.test(name) && name !== 'websock.0.log');
    expect(ours).toEqual(['websock.10.log', 'websock.11.log', 'websock.12.log', 'websock.13.log']);
    expect(messages(join(folder, 'websock.10.log'))).toEqual(['line 10']);
    for (const name of others) expect(readFileSync(join(folder, name), 'utf8')).toBe('not ours');
    expect(lstatSync(join(folder, 'websock.0.log')).isDirectory()).toBe(true);
    expect(stderr.text).toBe('');
  });

  test.each([false, true])(
    'a restart goes on in the current file and removes what is too much (daily: %s)',
    async (daily) => {
      const today = new Date().toLocaleDateString('sv');
      const name = (n: number) => (daily ? `websock.${today}.${n}.log` : `websock.${n}.log`);
      for (let n = 8; n <= 11; n++) writeFileSync(join(folder, name(n)), `{"msg":"old ${n}"}\n`);
      writeFileSync(join(folder, 'websock.2001-02-03.5.log'), '');
      // Of another mode, and older for that reason.
      writeFileSync(join(folder, daily ? 'websock.7.log' : 'websock.2099-01-01.7.log'), '');
      symlinkSync(name(11), logfile);
      const options = { rotate: 'internal', keep: 2, daily } as const;
      const { log } = await open(options);
      log.info('new');
      await log.close();
      expect(listing()).toEqual(sorted([...[9, 10, 11].map(name), 'websock.log']));
      expect(messages(logfile)).toEqual(['old 11', 'new']);
      await (await open({ ...options, keep: 0 })).log.close();
      expect(listing()).toEqual([name(11), 'websock.log']);
    },
  );

  test('a link to nowhere does not confuse the numbers', async () => {
    const today = new Date().toLocaleDateString('sv');
    writeFileSync(join(folder, `websock.${today}.4.log`), '');
    symlinkSync(`websock.${today}.5.log`, logfile);
    await (await open({ rotate: 'internal', daily: true })).log.close();
    expect(readlinkSync(logfile)).toBe(`websock.${today}.4.log`);
  });

  test('begins a new file each day', async () => {
    jest.useFakeTimers({
      now: new Date(2021, 6, 14, 23, 59, 58),
      doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask', 'performance'],
    });
    const { log, stderr } = await open({ rotate: 'internal', daily: true, keep: 1 });
    for (const day of [14, 15, 16]) {
      const current = `websock.2021-07-${day}.1.log`;
      await until(() => existsSync(logfile) && readlinkSync(logfile) === current, `day ${day}`);
      log.info(`day ${day}`);
      await until(() => lstatSync(join(folder, current)).size > 0, 'written');
      jest.advanceTimersByTime(day === 14 ? 3000 : 24 * 3600 * 1000);
    }
    await until(() => readlinkSync(logfile) === 'websock.2021-07-17.1.log', 'the last day');
    await log.close();
    expect(listing()).toEqual(['websock.2021-07-16.1.log', 'websock.2021-07-17.1.log', 'websock.log']);
    expect(messages(join(folder, 'websock.2021-07-16.1.log'))).toEqual(['day 16']);
    expect(stderr.text).toBe('');
  });

  test('keeps the plain file of external mode under another name, and says so', async () => {
    writeFileSync(logfile, 'external\n');
    writeFileSync(`${logfile}.kept-1`, 'earlier\n');
    const { log, stdout } = await open({ rotate: 'internal', console: true });
    await log.close();
    expect(listing()).toEqual(['websock.1.log', 'websock.log', 'websock.log.kept-1', 'websock.log.kept-2']);
    expect(readFileSync(`${logfile}.kept-1`, 'utf8')).toBe('earlier\n');
    expect(readFileSync(`${logfile}.kept-2`, 'utf8')).toBe('external\n');
    const said = `Log file ${logfile} of an earlier rotate=external kept as ${logfile}.kept-2`;
    expect(records(logfile)).toEqual([expect.objectContaining({ level: 'warn', msg: said })]);
    expect(stdout.lines[0]).toContain(`; WARN ${said}`);
  });

  test('replaces no link and no device of another', async () => {
    symlinkSync('/dev/null', logfile);
    const { log, stderr } = await open({ rotate: 'internal' });
    log.info('x');
    await log.close();
    expect(readlinkSync(logfile)).toBe('/dev/null');
    expect(stderr.lines).toEqual([expect.stringContaining(`${logfile}: it is a link to /dev/null`)]);
  });

  test('reopen does nothing and says nothing', async () => {
    const { log, stdout, stderr } = await open({ rotate: 'internal', console: true });
    log.reopen();
    log.info('x');
    await log.close();
    expect([listing(), stdout.lines.length, stderr.text]).toEqual([['websock.1.log', 'websock.log'], 1, '']);
  });

  test.each(['websock', 'web.sock.x', '.log', 'my log-ö.txt'])('logfile=%s', async (name) => {
    logfile = join(folder, name);
    const { log, stderr } = await open({ rotate: 'internal', maxSize: 100, keep: 1 });
    for (let i = 0; i < 9; i++) log.info('some words to fill the line');
    await log.close();
    expect(listing()).toHaveLength(3);
    expect(records(logfile).length).toBeGreaterThanOrEqual(0);
    expect(stderr.text).toBe('');
  });
});

describe('a log that cannot be written', () => {
  test.each(['internal', 'external'] as const)('%s: a file for a folder', async (rotate) => {
    writeFileSync(join(folder, 'plain'), '');
    logfile = join(folder, 'plain', 'websock.log');
    const { log, stdout, stderr } = await open({ rotate, console: true });
    for (const line of numbers(100)) log.info(line);
    log.reopen();
    await log.close();
    expect(stdout.lines).toHaveLength(100);
    expect(stderr.text).toMatch(
      /^websock: cannot write the log file \S+: .*(ENOTDIR|EEXIST): .*\. Set logfile= to .*\. It is tried .*\.\n$/,
    );
    expect(stderr.text).toContain(logfile);
  });

  test.each(['internal', 'external'] as const)('%s: a folder for a file', async (rotate) => {
    mkdirSync(logfile);
    const { log, stderr } = await open({ rotate });
    log.info('x');
    await log.close();
    expect(stderr.lines).toEqual([expect.stringContaining(`${logfile}: it is not a file.`)]);
    expect(listing()).toEqual(['websock.log']);
  });

  test('a full disk: said once, retried, memory bounded, and all that fits is written when there is room', async () => {
    symlinkSync('/dev/full', logfile);
    const { log, stdout, stderr } = await open({ console: true });
    log.info('one', { text: 'ä'.repeat(1000) });
    await until(() => stderr.text !== '', 'complaint');
    log.info('two');
    log.reopen();
    await new Promise((resolve) => setImmediate(resolve));
    const mebi = 'x'.repeat(1024 * 1024);
    for (let i = 0; i < 20; i++) log.info(mebi);
    expect(stderr.lines).toEqual([
      expect.stringMatching(/ENOSPC: no space left on device.*\. Make room on its disk\./),
    ]);

    unlinkSync(logfile);
    const again = `The log file ${logfile} is written again; 5 lines are missing in it`;
    await until(() => stdout.text.endsWith(`; WARN ${again}\n`), 'written again');
    await log.close();
    expect(messages(logfile)).toEqual(['one', 'two', ...Array<string>(15).fill(mebi), again]);
    expect(stderr.lines).toHaveLength(1);
  });

  test('a full disk does not hang a crash', async () => {
    const body = `
      const log = await openLogger(options);
      for (let i = 0; i < 1000; i++) log.info('line ' + i);
      log.flushSync();
      process.exit(9);`;
    const { code, stdout, stderr } = await ended(program({ logfile: '/dev/full' }, body));
    expect(code).toBe(9);
    expect(stdout).toContain('line 0\n');
    expect(stderr).toMatch(/^websock: cannot write the log file \/dev\/full: ENOSPC.*\n$/);
  });

  test.each(['internal', 'external'] as const)('%s: a folder deleted while running is made again', async (rotate) => {
    logfile = join(folder, 'gone', 'websock.log');
    const { log, stdout, stderr } = await open({ rotate, console: true });
    log.info('lost with the folder');
    await until(() => existsSync(logfile) && records(logfile).length === 1, 'first line');
    rmSync(dirname(logfile), { recursive: true });
    const now = jest.spyOn(Date, 'now').mockReturnValue(Date.now() + 1000);
    log.info('noticed');
    await until(() => stderr.text !== '', 'noticed');
    now.mockRestore();
    log.info('waiting');
    const again = `The log file ${logfile} is written again`;
    await until(() => stdout.text.endsWith(`; WARN ${again}\n`), 'made again');
    log.info('last');
    await log.close();
    expect(messages(logfile).slice(-3)).toEqual(['waiting', again, 'last']);
    expect(stderr.lines).toEqual([expect.stringContaining('it was deleted, with its last lines')]);
  });

  test('comes to life when its folder can be written, without a line to wake it', async () => {
    const plain = join(folder, 'plain');
    appendFileSync(plain, '');
    logfile = join(plain, 'websock.log');
    const { log, stderr } = await open({ rotate: 'internal' });
    log.info('waited');
    unlinkSync(plain);
    await until(() => existsSync(logfile) && messages(logfile).length === 2, 'written');
    expect(messages(logfile)).toEqual(['waited', `The log file ${logfile} is written again`]);
    await log.close();
    expect(stderr.lines).toHaveLength(1);
  });

  test('a closed stderr does no harm', async () => {
    const stderr = new Writable({
      write(_chunk, _encoding, done) {
        done(new Error('EPIPE'));
      },
    });
    const log = await openLogger({ ...DEFAULTS, console: false, logfile: folder }, { stdout: new Collected(), stderr });
    log.info('x');
    await log.close();
    expect(stderr.errored?.message).toBe('EPIPE');
  });
});
