import { once } from 'node:events';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { Writable } from 'node:stream';
import { describe, expect, jest, test } from '@jest/globals';
import { openLogger } from '../../src/daemon/logger.ts';
import {
  Collected,
  DEFAULTS,
  ended,
  folder,
  listing,
  logAt,
  logfile,
  messages,
  numbers,
  open,
  program,
  records,
  sorted,
  until,
} from './logging.ts';

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
      'GET /\\x0d\\x0aWed, 14 Jul 2021 09:04:35 +0200; \\x1b[2Jforged\\x85\\u2028 100 %s %d %% ä',
    );
    // In the file too, which somebody reads in a terminal: no tool has to be trusted to quote it.
    expect(records(logfile)).toEqual([
      expect.objectContaining({ msg: stdout.lines[0].split(/; (.*)/)[1], path: '/\\x0a' }),
    ]);
  });

  test('a long text is cut, in the fields too; the lines of a stack stay lines, and hold nothing else', async () => {
    const { log, stdout } = await open({ console: true });
    log.error('x'.repeat(20_000), {
      path: 'y'.repeat(20_000),
      stack: 'one\n    at \u001b[31mtwo\u202e\n    at three',
      id: 7,
    });
    await log.close();
    const cut = `${'x'.repeat(8192)}…`;
    expect(stdout.lines[0].endsWith(`; ERROR ${cut}`)).toBe(true);
    expect(records(logfile)).toEqual([
      expect.objectContaining({
        msg: cut,
        path: `${'y'.repeat(8192)}…`,
        stack: 'one\n    at \\x1b[31mtwo\\u202e\n    at three',
        id: 7,
      }),
    ]);
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
    for (let i = 0; i < 5000; i++) log.info('x'.repeat(8192));
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
    for (let i = 0; i < 2500; i++) log.info('x'.repeat(8192));
    wake?.();
    await until(() => slow.writableLength === 0, 'stdout read');
    log.info('last');
    await log.close();
    expect(got).toMatch(/; WARN \d+ lines are missing here: stdout was not read\n.*; last\n$/);
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

describe('a log that cannot be written', () => {
  test.each(['internal', 'external'] as const)('%s: a file for a folder', async (rotate) => {
    writeFileSync(join(folder, 'plain'), '');
    logAt(join(folder, 'plain', 'websock.log'));
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
    const long = 'x'.repeat(8192);
    const count = 2500;
    for (let i = 0; i < count; i++) log.info(long);
    expect(stderr.lines).toEqual([
      expect.stringMatching(/ENOSPC: no space left on device.*\. Make room on its disk\./),
    ]);

    unlinkSync(logfile);
    const again = /; WARN (The log file \S+ is written again; (\d+) lines are missing in it)\n$/;
    await until(() => again.test(stdout.text), 'written again');
    await log.close();
    const [, said, missing] = again.exec(stdout.text) ?? [];
    // 16 MiB wait.
    expect(Number(missing)).toBeGreaterThan(400);
    expect(Number(missing)).toBeLessThan(600);
    expect(messages(logfile)).toEqual(['one', 'two', ...Array<string>(count - Number(missing)).fill(long), said]);
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
    logAt(join(folder, 'gone', 'websock.log'));
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
    logAt(join(plain, 'websock.log'));
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
