import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { Job } from '../../resources/lib/job.ts';
import { error, jobRoom, NEXT, openJob } from '../support/jobroom.ts';

const NOW = 1_700_000_000_000;

beforeEach(() => {
  jest.useFakeTimers({ now: NOW });
});
afterEach(() => {
  jest.useRealTimers();
});

describe('watching', () => {
  test('several pages watch one job, until they say otherwise or leave; a late one gets all of it', async () => {
    const { bench, page, backend } = await jobRoom();
    const { id } = (await openJob(page)).job;
    await backend.say({ opcode: 'log', job: id, text: 'one' });
    const late = await bench.connect({ scheme: 'wss' });
    const line = await bench.connect({ scheme: 'tcp' });
    for (const client of [late, line]) {
      expect(await client.say({ opcode: 'watch', job: id })).toEqual(NEXT);
      expect(client.packets[0]).toMatchObject({ opcode: 'job', job: { id, log: [{ at: NOW, text: 'one' }] } });
      expect(client.packets[0]).not.toHaveProperty('ticket');
    }
    expect(await backend.say({ opcode: 'progress', job: id, percent: 5 })).toMatchObject({ delivered: 3 });
    expect(await late.say({ opcode: 'unwatch', job: id })).toEqual(NEXT);
    line.leave();
    expect(await backend.say({ opcode: 'progress', job: id, percent: 6 })).toMatchObject({ delivered: 1 });
    expect(page.packets.at(-1)).toMatchObject({ percent: 6 });
    expect(late.packets.at(-1)).toMatchObject({ percent: 5 });
  });

  test('more jobs than a client may be in rooms: it is told so', async () => {
    const { page } = await jobRoom();
    const idOf = (n: number): string => `${String(n).padStart(8, '0')}-0000-4000-8000-000000000000`;
    for (let n = 0; n < 100; n++) {
      // oxlint-disable-next-line no-await-in-loop -- in order
      expect(await page.say({ opcode: 'watch', job: idOf(n) })).toEqual(error('no such job'));
    }
    const full = 'you watch 100 jobs, [limits] maxRooms allows no more: unwatch some';
    expect(await page.say({ opcode: 'watch', job: idOf(100) })).toEqual(error(full));
    await page.say({ opcode: 'unwatch', job: idOf(7) });
    expect(await page.say({ opcode: 'watch', job: idOf(100) })).toEqual(error('no such job'));
  });

  test('often asked for, a state is written once, and anew whenever it has changed', async () => {
    const { page, backend } = await jobRoom();
    const { id } = (await openJob(page)).job;
    const written = jest.spyOn(Job.prototype, 'view');
    const ask = async (): Promise<unknown> => {
      await backend.say({ opcode: 'watch', job: id });
      return backend.packets.at(-1)?.job;
    };
    for (let n = 0; n < 50; n++) await ask(); // oxlint-disable-line no-await-in-loop
    expect(written).toHaveBeenCalledTimes(0); // open has told it already
    await backend.say({ opcode: 'log', job: id, text: 'one' });
    expect(await ask()).toMatchObject({ state: 'running', log: [{ at: NOW, text: 'one' }] });
    jest.advanceTimersByTime(62_000);
    expect(await ask()).toMatchObject({ state: 'stalled' });
    expect(backend.packets.at(-1)?.at).toBe(NOW + 62_000);
    await backend.say({ opcode: 'progress', job: id, percent: 7 });
    expect(await ask()).toMatchObject({ state: 'running', percent: 7 });
    await ask();
    await backend.say({ opcode: 'done', job: id, result: [1] });
    expect(await ask()).toMatchObject({ state: 'done', percent: 100, result: [1] });
    expect(written).toHaveBeenCalledTimes(4);
    written.mockRestore();
  });

  test('a list of all, newest first, is for backends; it has an end', async () => {
    const { backend } = await jobRoom({ keep: 500, maxText: 4096 });
    const first = (await openJob(backend)).job;
    const second = (await openJob(backend, { title: 'Second' })).job;
    await backend.say({ opcode: 'log', job: second.id, text: 'x' });
    expect(await backend.say({ opcode: 'list' })).toEqual(NEXT);
    const { log: _, logDropped: __, ...summary } = first;
    expect(backend.packets.at(-1)).toEqual({
      opcode: 'jobs',
      jobs: [{ ...summary, id: second.id, title: 'Second', state: 'running' }, summary],
      more: 0,
    });
    for (let n = 0; n < 200; n++) {
      // oxlint-disable-next-line no-await-in-loop -- in order
      await backend.say({ opcode: 'open', title: 'x'.repeat(4096) });
    }
    await backend.say({ opcode: 'list' });
    const { jobs, more } = backend.packets.at(-1) as unknown as { jobs: unknown[]; more: number };
    expect(jobs.length + more).toBe(202);
    expect(more).toBeGreaterThan(0);
    expect(Buffer.byteLength(String(backend.received.at(-1)))).toBeLessThan(520 * 1024);
  });

  test('any other opcode is told which there are; quit is everybody’s', async () => {
    const { page, backend } = await jobRoom();
    for (const client of [page, backend]) {
      const known = 'open, progress, log, done, failed, watch, unwatch, list, quit';
      // oxlint-disable-next-line no-await-in-loop -- in order
      expect(await client.say({ opcode: 'progres' })).toEqual(error(`no such opcode: there are ${known}`));
      // oxlint-disable-next-line no-await-in-loop -- in order
      await client.say({ opcode: 'quit' });
      expect(client.closed).toEqual({ code: 1000, reason: 'quit' });
    }
  });
});

test('a state is as PROTOCOL.md shows it', async () => {
  const text = readFileSync(resolve(import.meta.dirname, '../../src/PROTOCOL.md'), 'utf8');
  const shown = JSON.parse(/^```json\n(\{"id".*)\n```$/m.exec(text)?.[1] ?? '') as Record<string, unknown>;
  const { page, backend } = await jobRoom();
  const { id } = (await openJob(page)).job;
  await backend.say({ opcode: 'log', job: id, text: 'row 401 has no name' });
  await backend.say({ opcode: 'progress', job: id, percent: 50, text: 'row 500' });
  await page.say({ opcode: 'watch', job: id });
  const { job } = page.packets.at(-1) as unknown as { job: Record<string, unknown> };
  const log = [{ at: NOW, text: 'row 401 has no name' }];
  expect(job).toEqual({ ...shown, id, opened: NOW, changed: NOW, log });
  expect(Object.keys(job)).toEqual(Object.keys(shown));
});

test('the page is one for all: strict, and with nothing in it that somebody said', async () => {
  const { bench, page } = await jobRoom();
  await openJob(page, { title: '<script>alert(1)</script>' });
  const { status, type, headers, body } = await bench.request('/jobs', { query: 'job=<script>' });
  expect([status, type]).toEqual([200, 'text/html; charset=utf-8']);
  expect(String(headers['content-security-policy'])).toMatch(
    /^default-src 'none'; script-src 'self'; style-src 'self'; /,
  );
  expect(headers).toMatchObject({ 'referrer-policy': 'no-referrer', 'x-frame-options': 'DENY' });
  expect(String(body).match(/<script[^>]*>[^<]*/g)).toEqual(['<script type="module" src="/_websock/jobs.js">']);
  expect(String(body)).not.toMatch(/\son\w+=|\sstyle=|<style/);
});
