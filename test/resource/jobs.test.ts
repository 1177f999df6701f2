import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import Default from '../../resources/default.ts';
import { error, jobBench, jobRoom, NEXT, openJob, stateOf, withTicket } from '../support/jobroom.ts';

const NOW = 1_700_000_000_000;
const ID = '6f1c1a52-5d0e-4d1b-9c7e-3f2a1b0c9d8e';
const OTHER_ID = '0b6a7a52-5d0e-4d1b-8c7e-3f2a1b0c9d8e';

beforeEach(() => {
  jest.useFakeTimers({ now: NOW });
});
afterEach(() => {
  jest.useRealTimers();
});

describe('opening a job', () => {
  test('a page gets its id, its state and a ticket, and is told of every report with it', async () => {
    const { bench, page } = await jobRoom();
    const { job, ticket, expires, ...more } = await openJob(page, { title: 'Import of <b>May</b>' });
    expect(more).toEqual({ opcode: 'job', at: NOW });
    expect(expires).toBe(NOW / 1000 + 86_400);
    expect(job).toEqual({
      id: expect.stringMatching(/^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/),
      title: 'Import of <b>May</b>',
      state: 'waiting',
      percent: null,
      text: '',
      opened: NOW,
      changed: NOW,
      ended: null,
      log: [],
      logDropped: 0,
    });
    const script = await withTicket(bench, ticket);
    jest.setSystemTime(NOW + 5000);
    const at = NOW + 5000;
    expect(await script.say({ opcode: 'progress', percent: 40, text: 'row 400' })).toEqual({ ...NEXT, delivered: 1 });
    expect(await script.say({ opcode: 'log', text: 'row 401 has no name' })).toEqual({ ...NEXT, delivered: 1 });
    expect(await script.say({ opcode: 'progress', percent: 80 })).toEqual({ ...NEXT, delivered: 1 });
    expect(await script.say({ opcode: 'done', text: '1000 rows', result: { rows: 1000 } })).toEqual({
      ...NEXT,
      delivered: 1,
    });
    const told = { job: job.id, at };
    expect(page.packets.slice(1)).toEqual([
      { opcode: 'progress', ...told, percent: 40, text: 'row 400' },
      { opcode: 'log', ...told, text: 'row 401 has no name' },
      { opcode: 'progress', ...told, percent: 80, text: 'row 400' },
      { opcode: 'done', ...told, percent: 100, text: '1000 rows', result: { rows: 1000 } },
    ]);
    expect(await stateOf(bench, job.id)).toEqual({
      ...job,
      state: 'done',
      percent: 100,
      text: '1000 rows',
      result: { rows: 1000 },
      changed: at,
      ended: at,
      log: [{ at, text: 'row 401 has no name' }],
    });
    expect(script.received).toEqual([]);
  });

  test('a backend may give it an id, in any case; who has waited for it is told', async () => {
    const { page, backend } = await jobRoom();
    expect(await page.say({ opcode: 'watch', job: ID })).toEqual(error('no such job'));
    const { job } = await openJob(backend, { id: ID.toUpperCase() });
    expect(job.id).toBe(ID);
    expect(page.packets).toEqual([{ opcode: 'job', at: NOW, job }]);
    await backend.say({ opcode: 'progress', job: ID, percent: 1 });
    expect(page.packets).toHaveLength(2);
    expect(backend.packets).toHaveLength(1); // it has opened it, and watches nothing
    expect(await backend.say({ opcode: 'open', id: ID })).toEqual(error('there is a job with this id'));
  });

  test.each(['job-7', '', 7, '6f1c1a52-5d0e-1d1b-9c7e-3f2a1b0c9d8e', {}, true])('not with the id %j', async (id) => {
    const { backend } = await jobRoom();
    const next = await backend.say({ opcode: 'open', id });
    if (id === '') expect(next).toMatchObject({ job: expect.any(String) });
    else expect(next).toEqual(error('id is not the id of a job, a UUID of version 4, which has 36 characters'));
    expect(backend.packets).toHaveLength(id === '' ? 1 : 0);
  });

  test('a page may not give it an id, a ticket may open none', async () => {
    const { bench, page, backend } = await jobRoom();
    const refused = 'not allowed: a web client is given the id of its job';
    expect(await page.say({ opcode: 'open', id: ID })).toEqual(error(refused));
    const script = await withTicket(bench, (await openJob(backend)).ticket);
    expect(await script.say({ opcode: 'open' })).toEqual(error('not allowed: a ticket is for reports of its job'));
    expect([page.received, script.received]).toEqual([[], []]);
  });

  test('the ticket is good for as long as was asked for', async () => {
    const { backend } = await jobRoom();
    expect((await openJob(backend, { ttl: 60 })).expires).toBe(NOW / 1000 + 60);
    expect((await openJob(backend, { ttl: '90' })).expires).toBe(NOW / 1000 + 90);
    for (const ttl of [0, 86_401, 'long', []]) {
      expect(await backend.say({ opcode: 'open', ttl })).toEqual(
        error('ttl is not a whole number of seconds from 1 to 86400'),
      );
    }
    await backend.say({ opcode: 'list' });
    expect(backend.packets.at(-1)?.jobs).toHaveLength(2);
  });

  test('a title that is no text is refused', async () => {
    const { page } = await jobRoom();
    expect(await page.say({ opcode: 'open', title: 7 })).toEqual(error('title is not a text'));
    expect(await page.say({ opcode: 'open' })).toMatchObject({ job: expect.any(String) });
  });
});

describe('who may report', () => {
  test('who is trusted of any job, that it names', async () => {
    const { page, backend } = await jobRoom();
    const { job } = await openJob(page);
    expect(await backend.say({ opcode: 'progress', job: job.id, percent: 5 })).toEqual({ ...NEXT, delivered: 1 });
    expect(await backend.say({ opcode: 'progress', percent: 5 })).toEqual(error('job is missing: the id of a job'));
    const wrong = { opcode: 'progress', job: 'job-7', percent: 5 };
    expect(await backend.say(wrong)).toEqual(
      error('job is not the id of a job, a UUID of version 4, which has 36 characters'),
    );
  });

  test('who has a ticket of its own job, named or not, until it expires', async () => {
    const { bench, page } = await jobRoom();
    const { job, ticket } = await openJob(page, { ttl: 60 });
    const script = await withTicket(bench, ticket);
    for (const named of [{}, { job: job.id }, { job: '' }, { job: job.id.toUpperCase() }]) {
      expect(await script.say({ opcode: 'log', text: 'x', ...named })).toEqual({ ...NEXT, delivered: 1 });
    }
    const other = { opcode: 'log', text: 'x', job: ID };
    expect(await script.say(other)).toEqual(error('not allowed: the ticket is for another job'));
    expect(await script.say({ opcode: 'watch', job: ID })).toEqual(error('not allowed: the ticket is for another job'));
    jest.setSystemTime(NOW + 60_000);
    expect(await script.say({ opcode: 'done' })).toEqual(error('the ticket has expired'));
    expect(await stateOf(bench, job.id)).toMatchObject({ state: 'running' });
  });

  test('no web client, whatever webMay says', async () => {
    const { page } = await jobRoom();
    const { job } = await openJob(page);
    for (const opcode of ['progress', 'log', 'done', 'failed']) {
      expect(await page.say({ opcode, job: job.id, text: 'x' })).toEqual(
        error('not allowed: reports come from backends, or with a ticket'),
      );
    }
    expect(page.packets).toHaveLength(1);
  });

  test('who came by a ticket lists nothing, nor does a page', async () => {
    const { bench, page } = await jobRoom();
    const script = await withTicket(bench, (await openJob(page)).ticket);
    for (const client of [script, page]) {
      // oxlint-disable-next-line no-await-in-loop -- in order
      expect(await client.say({ opcode: 'list' })).toEqual(error('not allowed: a list is for backends'));
    }
  });

  test('the ticket that a page has for itself is good for no job', async () => {
    const bench = jobBench({ perClient: 0 }).mount(Default);
    const page = await bench.connect({}, '/');
    await page.say({ opcode: 'ticket' });
    const script = await withTicket(bench, String(page.packets[0].ticket));
    const wrong = 'not allowed: the ticket is for feedback to a page, that of a job comes with open';
    for (const opcode of ['progress', 'log', 'done', 'failed', 'watch', 'unwatch']) {
      for (const named of [{}, { job: page.uuid }, { job: ID }]) {
        // oxlint-disable-next-line no-await-in-loop -- in order
        expect(await script.say({ opcode, text: 'x', ...named })).toEqual(error(wrong));
      }
    }
    const backend = await bench.connect({ scheme: 'tcp' }, '/');
    await backend.say({ opcode: 'ticket', uuid: 'job:job-7' });
    const odd = await withTicket(bench, String(backend.packets[0].ticket));
    expect(await odd.say({ opcode: 'log', text: 'x' })).toEqual(error(wrong));
    const lister = await bench.connect({ scheme: 'tcp' });
    await lister.say({ opcode: 'list' });
    expect(lister.packets[0]).toMatchObject({ jobs: [], more: 0 });
  });

  test('the ticket of a job is good for no feedback', async () => {
    const bench = jobBench().mount(Default);
    // A uuid may be chosen in tests alone: none that the daemon gives is that of a job.
    const page = await bench.connect({ uuid: ID }, '/');
    const { ticket } = await openJob(await bench.connect({ scheme: 'tcp' }), { id: ID });
    const script = await bench.connect({ scheme: 'tcp', ticket }, '/');
    expect(await script.say({ opcode: 'feedback', uuid: ID })).toEqual(error('not allowed'));
    expect(page.received).toEqual([]);
  });
});

describe('what is reported', () => {
  test.each([0, 100, 33.3, '0', '50', '99.5', '100', 1e-7])('percent may be %j', async (percent) => {
    const { bench, backend } = await jobRoom();
    const { job } = await openJob(backend);
    expect(await backend.say({ opcode: 'progress', job: job.id, percent })).toEqual({ ...NEXT, delivered: 0 });
    expect(await stateOf(bench, job.id)).toMatchObject({ percent: Number(percent), state: 'running' });
  });

  test.each([-1, 100.1, '101', '-5', '1e1', '50 %', ' 5', 'half', true, [50], {}])(
    'percent may not be %j',
    async (percent) => {
      const { bench, backend } = await jobRoom();
      const { job } = await openJob(backend);
      const report = { opcode: 'progress', job: job.id, percent, text: 'x' };
      expect(await backend.say(report)).toEqual(error('percent is not a number from 0 to 100'));
      expect(await stateOf(bench, job.id)).toEqual(job);
    },
  );

  test('progress says how far or what, log says what', async () => {
    const { bench, backend } = await jobRoom();
    const { id } = (await openJob(backend)).job;
    const needs = 'progress needs percent, a number from 0 to 100, or text';
    expect(await backend.say({ opcode: 'progress', job: id })).toEqual(error(needs));
    expect(await backend.say({ opcode: 'log', job: id })).toEqual(error('log needs text'));
    for (const opcode of ['progress', 'log', 'done', 'failed']) {
      expect(await backend.say({ opcode, job: id, text: 7 })).toEqual(error('text is not a text'));
    }
    await backend.say({ opcode: 'progress', job: id, percent: '', text: 'begun' });
    expect(await stateOf(bench, id)).toMatchObject({ percent: null, text: 'begun' });
  });

  test('failed keeps how far it was; nothing is reported after the end', async () => {
    const { bench, page, backend } = await jobRoom();
    const { id } = (await openJob(page)).job;
    await backend.say({ opcode: 'progress', job: id, percent: 30, text: 'row 3' });
    await backend.say({ opcode: 'failed', job: id, text: 'disk full' });
    expect(page.packets.at(-1)).toEqual({ opcode: 'failed', job: id, at: NOW, percent: 30, text: 'disk full' });
    for (const opcode of ['progress', 'log', 'done', 'failed']) {
      expect(await backend.say({ opcode, job: id, text: 'x' })).toEqual(error('the job has failed already'));
    }
    const second = (await openJob(page)).job.id;
    await backend.say({ opcode: 'done', job: second });
    expect(await backend.say({ opcode: 'done', job: second })).toEqual(error('the job is done'));
    expect(await stateOf(bench, second)).toMatchObject({ state: 'done', percent: 100, text: '' });
  });

  test('of a job that is not known makes it anew: for its script, and for who watches', async () => {
    const { bench, page } = await jobRoom();
    const { ticket, job } = await openJob(page);
    // The daemon after it: the same tickets, no jobs.
    const after = await jobRoom();
    await after.page.say({ opcode: 'watch', job: job.id });
    const script = await withTicket(after.bench, ticket);
    expect(await script.say({ opcode: 'progress', percent: 60 })).toEqual({ ...NEXT, delivered: 1 });
    expect(after.page.packets).toEqual([
      { opcode: 'job', at: NOW, job: { ...job, title: '', state: 'running', percent: 60 } },
    ]);
    await after.backend.say({ opcode: 'log', job: OTHER_ID, text: 'me too', title: 'Other' });
    await after.backend.say({ opcode: 'log', job: OTHER_ID, text: 'still', title: 'Another' });
    expect(await stateOf(after.bench, OTHER_ID)).toMatchObject({
      title: 'Other',
      state: 'running',
      log: [
        { at: NOW, text: 'me too' },
        { at: NOW, text: 'still' },
      ],
    });
    const odd = { opcode: 'log', job: ID, text: 'x', title: 7 };
    expect(await after.backend.say(odd)).toEqual(error('title is not a text'));
    expect(bench.log).toEqual([]);
  });

  test('a text that is too long is cut within no character, and its sender is told', async () => {
    const { bench, page, backend } = await jobRoom({ maxText: 64 });
    const { job } = await openJob(backend, { title: 'x'.repeat(64) });
    expect(job.title).toBe('x'.repeat(64));
    await page.say({ opcode: 'watch', job: job.id });
    for (const [text, kept, cut] of [
      ['y'.repeat(65), `${'y'.repeat(61)}…`, 4],
      ['é'.repeat(33), `${'é'.repeat(30)}…`, 6],
      [`a${'😀'.repeat(40)}`, `a${'😀'.repeat(15)}…`, 100],
    ] as const) {
      expect(await backend.say({ opcode: 'log', job: job.id, text })).toEqual({ ...NEXT, delivered: 1, cut });
      expect(page.packets.at(-1)?.text).toBe(kept);
      expect(Buffer.byteLength(kept)).toBeLessThanOrEqual(64);
    }
    const failed = { opcode: 'failed', job: job.id, text: 'z'.repeat(1000) };
    expect(await backend.say(failed)).toMatchObject({ delivered: 1, cut: 939 });
    expect(page.packets.at(-1)).toMatchObject({ opcode: 'failed', text: `${'z'.repeat(61)}…` });
    expect(bench.log).toEqual(['/jobs: a text was cut: [jobs] maxText allows 64 bytes']);
    jest.setSystemTime(NOW + 60_000);
    await backend.say({ opcode: 'open', title: 'x'.repeat(100) });
    expect(bench.log.at(-1)).toContain('(and 3 times more since it was last said)');
  });

  test('a result is anything that JSON holds, and not too long', async () => {
    const { backend } = await jobRoom({ maxText: 64 });
    for (const result of [null, 0, false, '', 'text', [1, 2], { a: { b: 'c' } }]) {
      const { id } = (await openJob(backend)).job;
      await backend.say({ opcode: 'done', job: id, result });
      await backend.say({ opcode: 'watch', job: id });
      expect(backend.packets.at(-1)?.job).toMatchObject({ state: 'done', result });
    }
    const { id } = (await openJob(backend)).job;
    expect(await backend.say({ opcode: 'done', job: id, result: 'x'.repeat(63) })).toEqual(
      error('result has 65 bytes as JSON, [jobs] maxText allows 64: the job is not done yet'),
    );
    expect(await backend.say({ opcode: 'done', job: id, result: 'x'.repeat(62) })).toMatchObject({ delivered: 0 });
  });

  test('a result that is nested too deep is refused, and that is all', async () => {
    const { bench, backend } = await jobRoom({ maxText: 65_536 });
    const { id } = (await openJob(backend)).job;
    const nested = (levels: number, inmost = ''): string => '['.repeat(levels) + inmost + ']'.repeat(levels);
    const done = (result: string): string => `{"opcode":"done","job":"${id}","result":${result}}`;
    const refused = error('result is nested too deep, 100 levels at most: the job is not done yet');
    for (const result of [nested(101), nested(100, '{}'), nested(2000), nested(100_000), `{"a":${nested(100)}}`]) {
      // oxlint-disable-next-line no-await-in-loop -- in order
      expect(await backend.say(done(result))).toEqual(refused);
    }
    expect(await backend.say(done(nested(100, '1')))).toEqual({ ...NEXT, delivered: 0 });
    expect([bench.log, backend.closed]).toEqual([[], null]);
  });
});
