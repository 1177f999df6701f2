import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { curl, run } from '../support/commands.ts';
import { ROOT, type RunningDaemon, spawnDaemon, startDaemon } from '../support/daemon.ts';
import { withProgram } from '../support/program.ts';
import { SessionPeer } from '../support/sessionpeer.ts';
import { type SeenPacket, WebPeer } from '../support/webpeer.ts';

const withCurl = withProgram('curl', 'curl');
const withNc = withProgram('nc', 'netcat-openbsd');
const GUIDE = readFileSync(join(ROOT, 'resources/README.md'), 'utf8').split('\n## Jobs\n')[1];
const SECRET = 'a secret of thirty-two characters';
const NEXT = { opcode: 'next', fyi: '' };
/** Who comes through a proxy of which nobody knows: the address earns no trust. */
const ELSEWHERE = '-H "X-Forwarded-For: 192.0.2.7"';

let daemon: RunningDaemon;
beforeAll(async () => {
  daemon = await startDaemon({ env: { WEBSOCK_TICKETS_SECRET: SECRET } });
});
afterAll(() => daemon.dispose());

/** The lines of the guide that hold a text. */
function lines(holding: string): string {
  const found = [...GUIDE.matchAll(/^```sh\n(.*?)^```$/gms)].map((match) => match[1]);
  const [block, ...more] = found.filter((text) => text.includes(holding));
  if (block === undefined || more.length > 0) throw new Error(`the guide has not one block with ${holding}`);
  return block;
}

/** Runs them as a shell does, but for the port. @returns what they write. */
async function shell(script: string, env: Record<string, string> = {}, { port } = daemon): Promise<string> {
  const text = script
    .replaceAll('localhost:8096', `127.0.0.1:${port}`)
    .replaceAll('localhost 8096', `127.0.0.1 ${port}`);
  const done = await run('sh', ['-c', text], '', { env: { PATH: process.env.PATH, ...env } });
  expect(done.code).toBe(0);
  return done.stdout;
}

const json = (text: string): Record<string, unknown> => JSON.parse(text) as Record<string, unknown>;
const urlOf = (path: string, of = daemon): string => `127.0.0.1:${of.port}${path}`;
const open = (): Promise<WebPeer> => WebPeer.open(`ws://${urlOf('/jobs')}`);

/** Opens a job. @returns its id and its ticket. */
async function openJob(page: WebPeer, title = 'Import'): Promise<{ id: string; ticket: string }> {
  const packet = await page.ask({ opcode: 'open', title });
  const { id } = packet.job as { id: string };
  expect(await page.packet()).toEqual({ ...NEXT, job: id });
  return { id, ticket: String(packet.ticket) };
}

describe('with the lines of the guide', () => {
  withCurl('a script on this machine opens a job, reports, and ends it; a page that comes late sees all', async () => {
    const [answer, id] = (await shell(`${lines('opcode=open')}\necho "$JOB"`)).split('\n');
    expect(json(answer)).toMatchObject({
      ...NEXT,
      job: id,
      packets: [{ opcode: 'job', job: { id, title: 'Import' } }],
    });
    const page = await open();
    const watched = await page.ask({ opcode: 'watch', job: id });
    expect(watched).toMatchObject({ opcode: 'job', job: { id, state: 'waiting', percent: null } });
    expect(await page.packet()).toEqual(NEXT);

    const delivered = { ...NEXT, delivered: 1, packets: [] };
    const at = expect.any(Number);
    for (const [opcode, told] of [
      ['job=$JOB -d percent=50', { opcode: 'progress', percent: 50, text: 'row 500' }],
      ['opcode=log', { opcode: 'log', text: 'row 501: name & address are missing' }],
      ['opcode=done', { opcode: 'done', percent: 100, text: '1000 rows' }],
    ] as const) {
      // oxlint-disable-next-line no-await-in-loop -- in order
      expect(json(await shell(lines(opcode), { JOB: id }))).toEqual(delivered);
      // oxlint-disable-next-line no-await-in-loop -- in order
      expect(await page.packet()).toEqual({ ...told, job: id, at });
    }
    const late = await open();
    expect(await late.ask({ opcode: 'watch', job: id })).toMatchObject({
      job: { state: 'done', percent: 100, text: '1000 rows', log: [{ text: 'row 501: name & address are missing' }] },
    });
    await Promise.all([page.close(), late.close()]);
  });

  withCurl('a script on any other host reports with the ticket, and can do nothing else', async () => {
    const page = await open();
    const { id, ticket } = await openJob(page);
    const line = lines('$TICKET" -d').replace('curl', `curl ${ELSEWHERE}`);
    expect(json(await shell(line, { TICKET: ticket }))).toEqual({ ...NEXT, delivered: 1, packets: [] });
    expect(await page.packet()).toMatchObject({ opcode: 'progress', job: id, percent: 50, text: 'row 500' });
    for (const [fields, error] of [
      ['-d opcode=list', 'not allowed: a list is for backends'],
      ['-d opcode=open', 'not allowed: a ticket is for reports of its job'],
      [
        '-d opcode=log -d text=x -d job=6f1c1a52-5d0e-4d1b-9c7e-3f2a1b0c9d8e',
        'not allowed: the ticket is for another job',
      ],
      ['-d opcode=progress -d percent=150', 'percent is not a number from 0 to 100'],
    ]) {
      const asked = `curl -s ${ELSEWHERE} -H "Authorization: Bearer $TICKET" ${fields} http://localhost:8096/jobs`;
      // oxlint-disable-next-line no-await-in-loop -- in order
      expect(json(await shell(asked, { TICKET: ticket }))).toEqual({ ...NEXT, error, packets: [] });
    }
    const without = `curl -s -o /dev/null -w '%{http_code}' ${ELSEWHERE} -d opcode=log -d job=${id} -d text=x http://localhost:8096/jobs`;
    expect(await shell(without)).toBe('403');
    await page.close();
  });

  withNc('so does nc', async () => {
    const page = await open();
    const { ticket } = await openJob(page);
    const [ready, next] = (await shell(lines('nc -N'), { TICKET: ticket }))
      .split('\n')
      .map((line) => line && json(line));
    expect([ready, next]).toEqual([
      { opcode: 'ready', uuid: expect.any(String) },
      { ...NEXT, delivered: 1 },
    ]);
    expect(await page.packet()).toMatchObject({ opcode: 'progress', percent: 75, text: '' });
    await page.close();
  });

  withCurl('its state and the list of all are JSON', async () => {
    const page = await open();
    const { id } = await openJob(page, 'Listed');
    const asked = (fields: string): Promise<string> => shell(`curl -s ${fields} http://localhost:8096/jobs`);
    const state = json(await asked(`-d opcode=watch -d job=${id}`));
    expect(state).toMatchObject({ ...NEXT, packets: [{ opcode: 'job', job: { id, title: 'Listed', log: [] } }] });
    const { packets } = json(await asked('-d opcode=list')) as { packets: { jobs: unknown[] }[] };
    expect(packets[0].jobs[0]).toMatchObject({ id, title: 'Listed', state: 'waiting' });
    await page.close();
  });
});

withCurl('the page and its files are for everybody who reaches the daemon', async () => {
  const elsewhere = ['-H', 'X-Forwarded-For: 192.0.2.7'];
  const page = await curl(...elsewhere, `http://${urlOf('/jobs?job=x')}`);
  expect(page.status).toBe(200);
  expect(page.head).toMatch(/\r\ncontent-type: text\/html; charset=utf-8\r\n/i);
  expect(page.head).toMatch(/\r\ncontent-security-policy: default-src 'none'; script-src 'self'; /i);
  const files = [...page.body.matchAll(/\b(?:src|href)="([^"]+)"/g)].map(([, path]) => path);
  const scripts = ['/_websock/jobcard.js', '/_websock/jobmemory.js', '/_websock/jobwords.js', '/_websock/client.js'];
  expect(files.length).toBeGreaterThanOrEqual(4);
  for (const path of [...files, ...scripts]) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    expect([path, (await curl(...elsewhere, `http://${urlOf(path)}`)).status]).toEqual([path, 200]);
  }
});

test('over a restart of the daemon its script goes on, and so does the page; silent again, it is stalled', async () => {
  const env = { WEBSOCK_TICKETS_SECRET: SECRET };
  const first = await startDaemon({ env });
  const { dir, port } = first;
  let second: RunningDaemon | undefined;
  try {
    const page = await SessionPeer.open(`ws://${urlOf('/jobs', first)}`);
    page.say(1, '{"opcode":"open","title":"Import"}');
    const { job, ticket } = JSON.parse(await page.message()) as { job: { id: string }; ticket: string };
    expect(await page.packet()).toEqual({ ...NEXT, job: job.id, id: 1 });
    await first.stop();
    const ini = `adress='ws://127.0.0.1:${port}'\n[http]\nconsole=false\n[jobs]\nstalled=0.2`;
    second = spawnDaemon({ dir, env, ini });
    await second.said(/Registered resource : \/web\n/);

    const report = JSON.stringify({ opcode: 'progress', percent: 60, text: 'row 600' });
    const headers = { Authorization: `Bearer ${ticket}`, 'X-Forwarded-For': '192.0.2.7' };
    const response = await fetch(`http://127.0.0.1:${port}/jobs`, { method: 'POST', headers, body: report });
    expect(await response.json()).toEqual({ ...NEXT, delivered: 1, packets: [] });
    await page.resume();
    expect(page.first).toMatchObject({ opcode: 'resumed', lost: 0 });
    const made = JSON.parse(await page.message()) as SeenPacket;
    expect(made).toMatchObject({ opcode: 'job', job: { id: job.id, title: '', state: 'running', percent: 60 } });
    const stalled = JSON.parse(await page.message()) as SeenPacket;
    const { changed } = made.job as { changed: number };
    expect(stalled).toEqual({ opcode: 'stalled', job: job.id, at: expect.any(Number), changed });
    await second.said(new RegExp(`/jobs: no report for 0\\.2 s of ${job.id.slice(0, 8)}… '': stalled`));
    // Its page looks as ever without the console.
    expect((await fetch(`http://127.0.0.1:${port}/_websock/theme.css`)).status).toBe(200);
    await page.cut();
  } finally {
    await second?.dispose();
    await first.dispose();
  }
});
