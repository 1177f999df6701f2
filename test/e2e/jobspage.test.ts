import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect } from '@jest/globals';
import type { Locator, Page } from 'playwright-core';
import { openChromium } from '../support/chromium.ts';
import { run } from '../support/commands.ts';
import { ROOT, type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { withProgram } from '../support/program.ts';
import { servePage } from '../support/site.ts';

const withChromium = withProgram('chromium', 'chromium');
const GUIDE = readFileSync(join(ROOT, 'resources/README.md'), 'utf8').split('\n## Jobs\n')[1];

const INI = '[jobs]\nstalled=1\nmaxLog=3\nperClient=3';
/** Else tickets end with the daemon. */
const ENV = { WEBSOCK_TICKETS_SECRET: 'a secret of thirty-two characters' };

let browser: Awaited<ReturnType<typeof openChromium>> | undefined;
let daemon: RunningDaemon;

beforeAll(async () => {
  daemon = await startDaemon({ ini: INI, env: ENV });
  // Where it is missing, the tests are skipped or fail by themselves.
  browser = await openChromium().catch(() => undefined);
}, 60_000);
afterAll(async () => {
  await browser?.close();
  await daemon.dispose();
});

/** The page of /jobs, as whoever looks at it sees it. */
class JobsPage {
  readonly page: Page;
  /** What the browser has to complain about. */
  readonly complaints: string[] = [];

  private constructor(page: Page) {
    this.page = page;
    page.on('pageerror', ({ message }) => this.complaints.push(message));
    page.on('console', (said) => {
      if (said.type() === 'error' || said.type() === 'warning') this.complaints.push(said.text());
    });
  }

  static async open(query = '', width = 1280, dark = false): Promise<JobsPage> {
    if (browser === undefined) throw new Error('Chromium does not start');
    const page = await browser.context.newPage();
    page.setDefaultTimeout(10_000);
    await page.setViewportSize({ width, height: 844 });
    await page.emulateMedia({ colorScheme: dark ? 'dark' : 'light' });
    const jobs = new JobsPage(page);
    await page.goto(`http://127.0.0.1:${daemon.port}/jobs${query}`);
    await jobs.says('Connected');
    return jobs;
  }

  /** Resolves when the line about its connection says so. */
  async says(text: string | RegExp): Promise<void> {
    await this.page.locator('#link').getByText(text).waitFor();
  }

  job(title: string | RegExp): JobView {
    return new JobView(this.page.getByRole('article').filter({ has: this.page.getByRole('heading', { name: title }) }));
  }

  /** By the keyboard alone. */
  async openJob(title: string): Promise<JobView> {
    await this.page.getByLabel('Title of the job').focus();
    await this.page.keyboard.type(title);
    await this.page.keyboard.press('Enter');
    const job = this.job(title);
    await job.command.waitFor();
    return job;
  }
}

/** One job on it. */
class JobView {
  readonly root: Locator;
  constructor(root: Locator) {
    this.root = root;
  }

  get command(): Locator {
    return this.root.getByLabel('Command');
  }

  async says(text: string | RegExp): Promise<void> {
    await this.root.getByRole('status').getByText(text).waitFor();
  }

  async shows(text: string | RegExp): Promise<void> {
    await this.root.locator('.percent, .text, .log span, .count, .from').getByText(text).waitFor();
  }

  async id(): Promise<string> {
    return this.root.locator('.id code').innerText();
  }

  /** Runs the command that is shown for a kind of report. @returns what the daemon answers. */
  async report(kind: string, change = (command: string): string => command): Promise<Record<string, unknown>> {
    const radio = this.root.getByRole('radio', { name: kind, exact: true });
    // What is seen of it is its label.
    await this.root.getByText(kind, { exact: true }).click();
    expect(await radio.isChecked()).toBe(true);
    const { code, stdout, stderr } = await run('sh', ['-c', change(await this.command.innerText())]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining('"opcode":"next"') });
    expect(stderr).not.toMatch(/^curl:/m);
    return JSON.parse(stdout) as Record<string, unknown>;
  }
}

describe('the page of /jobs in Chromium', () => {
  withChromium('opens a job; the commands that it shows move its bar, fill its log and end it', async () => {
    const jobs = await JobsPage.open();
    await jobs.page.getByText('No jobs yet.').waitFor();
    const job = await jobs.openJob('Import of <b>May</b> & <img src=x onerror=alert(1)>');
    await job.says('Waiting for its first report');
    expect(await job.command.innerText()).toMatch(
      /^curl -H 'Authorization: Bearer wst1\.[\w-]+' -d opcode=progress -d percent=50 -d text='half of it' http:\/\/127\.0\.0\.1:\d+\/jobs$/,
    );
    expect(await job.report('progress')).toMatchObject({ delivered: 1 });
    await job.shows('50 %');
    await job.shows('half of it');
    expect(await job.root.getByRole('progressbar').evaluate((bar) => (bar as unknown as { value: number }).value)).toBe(
      50,
    );
    for (const text of ['one', 'two', '<i>three</i>', 'four']) {
      // oxlint-disable-next-line no-await-in-loop -- in order
      await job.report('log', (command) => command.replace('a line for the log', text));
    }
    const lines = job.root.getByRole('list', { name: /^Log of Import/ }).getByRole('listitem');
    await lines.getByText('four').waitFor();
    expect(await lines.locator('span').allInnerTexts()).toEqual(['one', 'two', '<i>three</i>', 'four']);
    await job.report('done');
    await job.says(/^Done in \d+ s$/);
    await job.shows('100 %');
    await job.shows('all of it');
    await job.command.waitFor({ state: 'hidden' });

    // As the daemon knows it: it keeps three lines.
    await jobs.page.reload();
    await job.says(/^Done in \d+ s$/);
    expect(await lines.locator('span').allInnerTexts()).toEqual(['two', '<i>three</i>', 'four']);
    await job.shows('3, 1 older ones are kept no more');
    await job.root.getByRole('button', { name: /^Remove/ }).click();
    await jobs.page.getByText('No jobs yet.').waitFor();
    await jobs.page.reload();
    await jobs.page.getByText('No jobs yet.').waitFor();
    expect(jobs.complaints).toEqual([]);
    await jobs.page.close();
  });

  withChromium('several pages watch; one that falls silent is stalled, one that failed says why', async () => {
    const jobs = await JobsPage.open('', 390, true);
    const [silent, failing] = [await jobs.openJob('Silent'), await jobs.openJob('Failing')];
    await silent.report('progress');
    const ids = [await silent.id(), await failing.id()];
    const other = await JobsPage.open(`?job=${ids[0]}&job=${ids[1]}&job=6f1c1a52-5d0e-4d1b-9c7e-3f2a1b0c9d8e`);
    await other.job('Job 6f1c1a52…').says('The daemon knows nothing of it, until it is reported');
    await failing.report('failed');
    for (const page of [jobs, other]) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      await page.job('Failing').says(/^Failed after \d+ s$/);
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      await page.job('Failing').shows('what went wrong');
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      await page.job('Silent').says('Stalled: nothing is heard of it');
    }
    await silent.report('progress');
    await other.job('Silent').says('Running');
    expect([jobs.complaints, other.complaints]).toEqual([[], []]);
    await Promise.all([jobs.page.close(), other.page.close()]);
  });

  withChromium('a job that a backend opens shows where its id is asked for; so does who is over a limit', async () => {
    const id = '7a1c1a52-5d0e-4d1b-9c7e-3f2a1b0c9d8e';
    const jobs = await JobsPage.open(`?job=${id}`);
    const waiting = jobs.job('Job 7a1c1a52');
    await waiting.says('The daemon knows nothing of it, until it is reported');
    const posted = await fetch(`http://127.0.0.1:${daemon.port}/jobs`, {
      method: 'POST',
      body: JSON.stringify({ opcode: 'open', id, title: 'Nightly backup' }),
    });
    expect(posted.status).toBe(200);
    const job = jobs.job('Nightly backup');
    await job.says('Waiting for its first report');
    await job.root.getByText('Report to it').click();
    await job.shows(/^From the host of the daemon, or with its key/);
    expect(await job.report('progress')).toMatchObject({ delivered: 1 });
    await job.shows('50 %');
    await jobs.page.goto(`http://127.0.0.1:${daemon.port}/jobs?job=7a1c1a52`);
    const wrong = 'Not watched: job is not the id of a job, a UUID of version 4, which has 36 characters';
    await jobs.job(/^Job 7a1c1a52$/).says(wrong);
    for (const title of ['one', 'two', 'three']) {
      await jobs.openJob(title); // oxlint-disable-line no-await-in-loop -- in order
    }
    await jobs.page.getByLabel('Title of the job').fill('four');
    await jobs.page.getByRole('button', { name: 'Open a job' }).click();
    const refused = 'Not opened: 3 jobs that you have opened have not ended, [jobs] perClient allows no more';
    await jobs.page.getByText(refused).waitFor();
    expect(jobs.complaints).toEqual([]);
    await jobs.page.close();
  });

  withChromium('nothing is wider than the window, at 390 and 1280 px', async () => {
    const jobs = await JobsPage.open();
    const long = await jobs.openJob('x'.repeat(200));
    await long.report('log', (command) => command.replace('a line for the log', 'y'.repeat(500)));
    await long.report('progress', (command) => command.replace('half of it', 'z'.repeat(500)));
    await long.shows('z'.repeat(500));
    for (const width of [390, 1280]) {
      await jobs.page.setViewportSize({ width, height: 844 }); // oxlint-disable-line no-await-in-loop -- in order
      const wider = await jobs.page.evaluate('document.documentElement.scrollWidth - innerWidth'); // oxlint-disable-line no-await-in-loop
      expect([width, wider]).toEqual([width, 0]);
    }
    await jobs.page.close();
  });
});

withChromium("a page of one's own, as the guide has it, hands its ticket on and shows what comes", async () => {
  if (browser === undefined) throw new Error('Chromium does not start');
  const html = /^```html\n(.*?)^```$/ms.exec(GUIDE)?.[1] ?? '';
  const site = await servePage(html.replaceAll('localhost:8096', `127.0.0.1:${daemon.port}`));
  const page = await browser.context.newPage();
  try {
    const started = page.waitForRequest('**/start.php');
    await page.goto(`http://localhost:${site.port}/`);
    const ticket = new URLSearchParams((await started).postData() ?? '').get('ticket');
    const report = (packet: object): Promise<Response> =>
      fetch(`http://127.0.0.1:${daemon.port}/jobs`, {
        method: 'POST',
        headers: { Authorization: `Bearer ${ticket}` },
        body: JSON.stringify(packet),
      });
    await report({ opcode: 'progress', percent: 30, text: 'row 300' });
    await page.locator('#text').getByText('row 300').waitFor();
    expect(await page.locator('#bar').getAttribute('max')).toBe('100');
    expect(await page.locator('#bar').evaluate((bar) => (bar as unknown as { value: number }).value)).toBe(30);
    await page.locator('#text').getByText('nothing is heard of it').waitFor();
    await report({ opcode: 'done', text: '1000 rows' });
    await page.locator('#text').getByText('1000 rows').waitFor();
  } finally {
    await page.close();
    await site.close();
  }
});

withChromium('a page stays over a restart of the daemon: the next report of its job shows', async () => {
  const jobs = await JobsPage.open();
  const job = await jobs.openJob('Long import');
  await job.report('progress');
  await job.shows('50 %');
  const { dir, port } = daemon;
  await daemon.stop();
  await jobs.says(/^Connection lost: trying again in \d+ s$/);
  daemon = await startDaemon({ dir, env: ENV, ini: `adress='ws://127.0.0.1:${port}'\n${INI}` });
  await jobs.says('Connected');
  await job.says('The daemon knows nothing of it, until it is reported');
  expect(await job.report('log')).toMatchObject({ delivered: 1 });
  await job.says(/^(?:Running|Stalled)/);
  await job.shows('a line for the log');
  await jobs.page.close();
});
