import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, jest, test } from '@jest/globals';
import {
  descriptors,
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
    logAt(join(folder, name));
    const { log, stderr } = await open({ rotate: 'internal', maxSize: 100, keep: 1 });
    for (let i = 0; i < 9; i++) log.info('some words to fill the line');
    await log.close();
    expect(listing()).toHaveLength(3);
    const got = new Set(listing().flatMap((entry) => messages(join(folder, entry))));
    expect([...got]).toEqual(['some words to fill the line']);
    expect(stderr.text).toBe('');
  });
});
