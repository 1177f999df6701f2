import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { clientsWithin, OpenFiles, openFilesLimit } from '../../src/daemon/openfiles.ts';
import { run } from '../support/commands.ts';
import { FakeLog } from '../support/fakes.ts';

test('openFilesLimit is what the kernel says', async () => {
  const { stdout } = await run('sh', ['-c', 'ulimit -n']);
  expect(String(openFilesLimit())).toBe(stdout.trim());
});

test('clientsWithin leaves 64, and at least one for a client', () => {
  expect([256, 66, 65, 64, 10].map(clientsWithin)).toEqual([192, 2, 1, 1, 1]);
});

describe('OpenFiles', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  /** One that finds `files.free` free; `failure` is what the system says of one more. */
  function watch(
    files: { free: number },
    failure = 'EMFILE',
  ): { log: FakeLog; look: () => void; openFiles: OpenFiles } {
    const log = new FakeLog();
    const whyNot = (count: number): string | null => (count > files.free ? failure : null);
    const openFiles = new OpenFiles(256, log, () => 230, whyNot);
    openFiles.start();
    return { log, openFiles, look: () => jest.advanceTimersByTime(1000) };
  }

  test('says once that there are none, however often it looks, and once that there are some again', () => {
    const files = { free: 1 };
    const { log, look } = watch(files);
    look();
    expect(log.lines).toEqual([]);
    files.free = 0;
    for (let i = 0; i < 5; i++) look();
    expect(log.lines).toEqual([
      'error no file can be opened any more (limit of this process 256; connections 230): new clients are cut off, the others ' +
        'served; raise the limit (LimitNOFILE=, ulimit -n), lower maxClients, or see what resources keep open',
    ]);
    files.free = 20;
    for (let i = 0; i < 5; i++) look();
    expect(log.lines.slice(1)).toEqual(['info files can be opened again: new clients are let in']);
    files.free = 0;
    look();
    expect(log.at('error')).toHaveLength(2);
  });

  test('one that is free for a moment does not end it', () => {
    const files = { free: 0 };
    const { log, look } = watch(files);
    for (const free of [0, 1, 0, 7, 0, 3]) {
      files.free = free;
      look();
    }
    expect(log.lines).toHaveLength(1);
    files.free = 8;
    look();
    expect(log.lines).toHaveLength(2);
  });

  test('of the limit of the whole host it speaks as such', () => {
    const { log, look } = watch({ free: 0 }, 'ENFILE');
    look();
    expect(log.lines[0]).toContain('(this host has as many as it may; connections 230)');
  });

  test('it looks no more when it was stopped', () => {
    const { log, look, openFiles } = watch({ free: 0 });
    openFiles.stop();
    look();
    expect([log.lines, jest.getTimerCount()]).toEqual([[], 0]);
  });
});
