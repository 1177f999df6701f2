import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { TestClient } from 'websock/testing';
import { error, jobRoom, openJob } from '../support/jobroom.ts';

const NOW = 1_700_000_000_000;

beforeEach(() => {
  jest.useFakeTimers({ now: NOW });
});
afterEach(() => {
  jest.useRealTimers();
});

async function open(client: TestClient, title = ''): Promise<string> {
  return (await openJob(client, { title })).job.id;
}

/** Title and state of all jobs, the newest first. */
async function all(backend: TestClient): Promise<string[]> {
  await backend.say({ opcode: 'list' });
  const { jobs } = backend.packets.at(-1) as unknown as { jobs: { title: string; state: string }[] };
  return jobs.map(({ title, state }) => `${title} ${state}`);
}

async function logOf(backend: TestClient, job: string): Promise<{ log: { text: string }[]; logDropped: number }> {
  await backend.say({ opcode: 'watch', job });
  return backend.packets.at(-1)?.job as { log: { text: string }[]; logDropped: number };
}

describe('a job whose script falls silent', () => {
  test('is stalled; its watchers and the log are told once; the next report makes it running again', async () => {
    const { bench, page, backend } = await jobRoom();
    const job = await open(page, 'Import');
    jest.advanceTimersByTime(30_000);
    await backend.say({ opcode: 'progress', job, percent: 10 });
    const told = page.received.length;
    jest.advanceTimersByTime(59_000);
    expect(page.received).toHaveLength(told);
    jest.advanceTimersByTime(3000);
    expect(page.packets.slice(told)).toEqual([
      { opcode: 'stalled', job, at: expect.any(Number), changed: NOW + 30_000 },
    ]);
    expect(bench.log).toEqual([`/jobs: no report for 60 s of ${job.slice(0, 8)}… 'Import': stalled`]);
    expect(await all(backend)).toEqual(['Import stalled']);
    jest.advanceTimersByTime(600_000);
    expect(page.received).toHaveLength(told + 1);
    await backend.say({ opcode: 'log', job, text: 'here I am' });
    expect(await all(backend)).toEqual(['Import running']);
    jest.advanceTimersByTime(62_000);
    expect(await all(backend)).toEqual(['Import stalled']);
    expect(bench.log).toHaveLength(2);
  });

  test('so is one that was never reported; one that has ended is not', async () => {
    const { backend } = await jobRoom();
    await open(backend, 'waiting');
    const done = await open(backend, 'done');
    const failed = await open(backend, 'failed');
    await backend.say({ opcode: 'done', job: done });
    await backend.say({ opcode: 'failed', job: failed });
    jest.advanceTimersByTime(62_000);
    expect(await all(backend)).toEqual(['failed failed', 'done done', 'waiting stalled']);
  });

  test('many at once are one line in the log', async () => {
    const { bench, backend } = await jobRoom();
    for (let n = 0; n < 50; n++) {
      // oxlint-disable-next-line no-await-in-loop -- in order
      await open(backend, `job ${n}`);
      jest.advanceTimersByTime(10);
    }
    jest.advanceTimersByTime(62_000);
    expect(await all(backend)).toEqual(Array.from({ length: 50 }, (_, n) => `job ${49 - n} stalled`));
    expect(bench.log.length).toBeLessThanOrEqual(3);
    expect(bench.log.join('\n')).toContain('more: stalled');
  });
});

describe('what is kept', () => {
  test('ended and stalled jobs until keepTime, the others for ever', async () => {
    const { backend } = await jobRoom({ keepTime: 3600 });
    const done = await open(backend, 'done');
    await backend.say({ opcode: 'done', job: done });
    await open(backend, 'silent');
    const alive = await open(backend, 'alive');
    for (let minute = 0; minute < 59; minute++) {
      // oxlint-disable-next-line no-await-in-loop -- in order
      await backend.say({ opcode: 'progress', job: alive, percent: minute });
      jest.advanceTimersByTime(59_000);
    }
    expect(await all(backend)).toEqual(['alive running', 'silent stalled', 'done done']);
    jest.advanceTimersByTime(122_000);
    expect(await all(backend)).toEqual(['alive stalled']);
    jest.advanceTimersByTime(3_600_000);
    expect(await all(backend)).toEqual([]);
  });

  test('a job that ends is looked at in time, though another look was due later', async () => {
    const { backend } = await jobRoom({ keepTime: 5 });
    const short = await open(backend, 'short');
    await backend.say({ opcode: 'done', job: short });
    jest.advanceTimersByTime(4000);
    expect(await all(backend)).toEqual(['short done']);
    jest.advanceTimersByTime(3000);
    expect(await all(backend)).toEqual([]);
  });

  test('so many jobs: those that ended first go, then those stalled for longest; running ones stay', async () => {
    const { bench, backend } = await jobRoom({ keep: 3 });
    const jobs = [await open(backend, 'a'), await open(backend, 'b'), await open(backend, 'c')];
    const full = '3 jobs are waiting or running, [jobs] keep allows no more';
    expect(await backend.say({ opcode: 'open', title: 'd' })).toEqual(error(full));
    const unknown = '6f1c1a52-5d0e-4d1b-9c7e-3f2a1b0c9d8e';
    expect(await backend.say({ opcode: 'log', job: unknown, text: 'x' })).toEqual(error(full));
    expect(bench.log).toEqual([`/jobs: ${full}`]);
    await backend.say({ opcode: 'done', job: jobs[1] });
    await backend.say({ opcode: 'done', job: jobs[0] });
    await open(backend, 'd');
    expect(await all(backend)).toEqual(['d waiting', 'c waiting', 'a done']);
    await open(backend, 'e');
    expect(await all(backend)).toEqual(['e waiting', 'd waiting', 'c waiting']);
    jest.advanceTimersByTime(30_000);
    await backend.say({ opcode: 'progress', job: jobs[2], percent: 1 });
    jest.advanceTimersByTime(32_000);
    expect(await all(backend)).toEqual(['e stalled', 'd stalled', 'c running']);
    await open(backend, 'f');
    expect(await all(backend)).toEqual(['f waiting', 'e stalled', 'c running']);
  });

  test('so many lines and bytes of a log: the oldest are dropped, and counted', async () => {
    const { backend } = await jobRoom({ maxLog: 3, maxLogSize: 1024 });
    const job = await open(backend);
    const say = (text: string): Promise<unknown> => backend.say({ opcode: 'log', job, text });
    for (const text of ['1', '2', '3', '4', '5']) {
      // oxlint-disable-next-line no-await-in-loop -- in order
      await say(text);
    }
    const few = await logOf(backend, job);
    expect([few.log.map(({ text }) => text), few.logDropped]).toEqual([['3', '4', '5'], 2]);
    await say('x'.repeat(600));
    await say('y'.repeat(600));
    const long = await logOf(backend, job);
    expect([long.log.map(({ text }) => text[0]), long.logDropped]).toEqual([['y'], 6]);
    // As JSON these are six times as long: the one line that there is stays.
    await say('\u0001'.repeat(600));
    const one = await logOf(backend, job);
    expect([one.log.map(({ text }) => text.length), one.logDropped]).toEqual([[600], 7]);
  });
});

describe('what one page may open', () => {
  test('so many that have not ended; they stay when it leaves', async () => {
    const { bench, page, backend } = await jobRoom({ perClient: 2 });
    const first = await open(page, 'a');
    await open(page, 'b');
    const over = '2 jobs that you have opened have not ended, [jobs] perClient allows no more';
    expect(await page.say({ opcode: 'open' })).toEqual(error(over));
    expect(await page.say({ opcode: 'open' })).toEqual(error(over));
    expect(bench.log).toEqual(['/jobs: #1 127.0.0.1 has opened 2 jobs that have not ended ([jobs] perClient)']);
    await open(backend, 'c');
    await open(await bench.connect(), 'd');
    await backend.say({ opcode: 'done', job: first });
    await open(page, 'e');
    jest.advanceTimersByTime(62_000);
    expect(await page.say({ opcode: 'open' })).toEqual(error(over));
    page.leave();
    expect(await all(backend)).toEqual(['e stalled', 'd stalled', 'c stalled', 'b stalled', 'a done']);
  });

  test('none with perClient=0', async () => {
    const { page, backend } = await jobRoom({ perClient: 0 });
    expect(await page.say({ opcode: 'open' })).toEqual(
      error('not allowed: [jobs] perClient lets web clients open none'),
    );
    await open(backend);
  });
});
