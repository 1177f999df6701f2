import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { TestBench, TestClient } from 'websock/testing';
import { error, jobRoom, NEXT, type Opened, openJob, withTicket } from '../support/jobroom.ts';

const UNKNOWN = '6f1c1a52-5d0e-4d1b-9c7e-3f2a1b0c9d8e';

beforeEach(() => {
  jest.useFakeTimers({ now: 1_700_000_000_000 });
});
afterEach(() => {
  jest.useRealTimers();
});

/** Opens jobs, one after the other. */
async function open(client: TestClient, ...titles: string[]): Promise<Opened[]> {
  const opened: Opened[] = [];
  // oxlint-disable-next-line no-await-in-loop -- in order
  for (const title of titles) opened.push(await openJob(client, { title }));
  return opened;
}

async function report(client: TestClient, opcode: string, ...jobs: Opened[]): Promise<void> {
  for (const { job } of jobs) {
    // oxlint-disable-next-line no-await-in-loop -- in order
    expect(await client.say({ opcode, job: job.id, text: 'x' })).toMatchObject({ delivered: expect.any(Number) });
  }
}

/** Title and state of all jobs, the newest first. */
async function all(bench: TestBench): Promise<string[]> {
  const asker = await bench.connect({ scheme: 'tcp' });
  await asker.say({ opcode: 'list' });
  const { jobs } = asker.packets[0] as unknown as { jobs: { title: string; state: string }[] };
  return jobs.map(({ title, state }) => `${title} ${state}`);
}

describe('jobs of web clients', () => {
  test('fill half of keep, and no more: whoever comes anew, as often as it likes', async () => {
    const { bench, backend } = await jobRoom({ keep: 4, perClient: 1 });
    const [result] = await open(backend, 'result');
    await report(backend, 'done', result);
    const [first, second, third] = [await bench.connect(), await bench.connect(), await bench.connect()];
    await open(first, 'a');
    await open(second, 'b');
    const full = '2 jobs of web clients are waiting or running, half of [jobs] keep: there can be no more';
    expect(await third.say({ opcode: 'open' })).toEqual(error(full));
    expect(bench.log).toEqual([`/jobs: ${full}`]);
    expect(await all(bench)).toEqual(['b waiting', 'a waiting', 'result done']);
  });

  test('push out those of web clients alone: what ended first, then what is stalled for longest', async () => {
    const { bench, page, backend } = await jobRoom({ keep: 6 });
    const own = await open(backend, 'result', 'silent');
    await report(backend, 'done', own[0]);
    const [a, b, c] = await open(page, 'a', 'b', 'c');
    await report(backend, 'done', b, a);
    await report(backend, 'log', c);
    await open(page, 'd');
    expect(await all(bench)).toEqual(['d waiting', 'c running', 'a done', 'silent waiting', 'result done']);
    await open(page, 'e');
    jest.advanceTimersByTime(62_000);
    expect(await all(bench)).toEqual(['e stalled', 'd stalled', 'c stalled', 'silent stalled', 'result done']);
    await open(page, 'f');
    expect(await all(bench)).toEqual(['f waiting', 'e stalled', 'd stalled', 'silent stalled', 'result done']);
  });

  test('push out what has ended for backends, where these have more than their half; else they are none', async () => {
    const { bench, page, backend } = await jobRoom({ keep: 2 });
    const [, b] = await open(backend, 'a', 'b');
    const full = '2 jobs are known, all that [jobs] keep allows, and none of web clients that could go';
    expect(await page.say({ opcode: 'open' })).toEqual(error(full));
    await report(backend, 'done', b);
    await open(page, 'c');
    expect(await all(bench)).toEqual(['c waiting', 'a waiting']);
    const half = '1 jobs of web clients are waiting or running, half of [jobs] keep: there can be no more';
    expect(await (await bench.connect()).say({ opcode: 'open' })).toEqual(error(half));
  });

  test('that were made anew by their tickets are theirs still', async () => {
    const { page, backend } = await jobRoom();
    const tickets = (await open(page, 'a', 'b', 'c')).map(({ ticket }) => ticket);
    const [{ ticket }] = await open(backend, 'd');
    // The daemon after it: the same tickets, no jobs.
    const { bench } = await jobRoom({ keep: 4 });
    const says: unknown[] = [];
    for (const shown of [...tickets, ticket]) {
      // oxlint-disable-next-line no-await-in-loop -- in order
      const script = await withTicket(bench, shown);
      // oxlint-disable-next-line no-await-in-loop -- in order
      says.push(await script.say({ opcode: 'log', text: 'x' }));
    }
    const full = error('2 jobs of web clients are waiting or running, half of [jobs] keep: there can be no more');
    const taken = { ...NEXT, delivered: 0 };
    expect(says).toEqual([taken, taken, full, taken]);
  });

  test('outlive who has opened them, for a page may be loaded again; but if never reported, they are the first to go', async () => {
    const { bench, page, backend } = await jobRoom({ keep: 8 });
    const [a, b, c] = await open(page, 'a', 'b', 'c');
    await report(backend, 'done', c);
    page.leave();
    expect(await all(bench)).toEqual(['c done', 'b waiting', 'a waiting']);
    const other = await bench.connect();
    expect(await other.say({ opcode: 'watch', job: a.job.id })).toEqual(NEXT);
    await report(backend, 'log', b);
    await open(other, 'd', 'e');
    expect(await all(bench)).toEqual(['e waiting', 'd waiting', 'c done', 'b running']);
  });
});

describe('a backend', () => {
  test('is refused nothing for jobs of web clients: these go first, those that matter least before the others', async () => {
    const { bench, page, backend } = await jobRoom({ keep: 10 });
    const [silent, , running, late, ended] = await open(page, 'silent', 'unheard', 'running', 'late', 'ended');
    await report(backend, 'log', silent);
    jest.advanceTimersByTime(50_000);
    await report(backend, 'log', running);
    await report(backend, 'log', late);
    await report(backend, 'done', ended);
    const [own] = await open(backend, 'own', '1', '2', '3', '4');
    await report(backend, 'done', own);
    jest.advanceTimersByTime(12_000);
    const left: string[][] = [];
    for (const title of ['5', '6', '7', '8', '9']) {
      // oxlint-disable-next-line no-await-in-loop -- in order
      await open(backend, title);
      // oxlint-disable-next-line no-await-in-loop -- in order
      left.push((await all(bench)).filter((job) => !/^\d/.test(job)).toReversed());
    }
    expect(left).toEqual([
      ['silent stalled', 'unheard stalled', 'running running', 'late running', 'own done'],
      ['silent stalled', 'running running', 'late running', 'own done'],
      ['running running', 'late running', 'own done'],
      ['running running', 'late running'],
      ['late running'],
    ]);
    expect(await backend.say({ opcode: 'log', job: UNKNOWN, text: 'x' })).toEqual({ ...NEXT, delivered: 0 });
    expect(await backend.say({ opcode: 'open' })).toEqual(
      error('10 jobs are waiting or running, [jobs] keep allows no more'),
    );
  });

  test('pushes out a job that waits for its first report before one that is stalled, the oldest first', async () => {
    const { bench, page, backend } = await jobRoom({ keep: 4 });
    const [silent] = await open(page, 'silent');
    await report(backend, 'log', silent);
    jest.advanceTimersByTime(62_000);
    await open(page, 'waiting');
    await open(backend, 'a', 'b', 'c');
    expect(await all(bench)).toEqual(['c waiting', 'b waiting', 'a waiting', 'silent stalled']);
  });
});
