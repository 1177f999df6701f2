import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import { openChromium } from '../support/chromium.ts';
import { run } from '../support/commands.ts';
import { fixture, ROOT, RunningDaemon, startDaemon } from '../support/daemon.ts';
import { withProgram } from '../support/program.ts';
import { servePage } from '../support/site.ts';

const CLIENT = join(ROOT, 'test/fixtures/predecessor/client.php');
const withChromium = withProgram('chromium', 'chromium');
const withPhp = withProgram('php', 'php-cli');
const withBoth = withChromium === test ? withPhp : withChromium;

let browser: Awaited<ReturnType<typeof openChromium>> | undefined;
let site: Awaited<ReturnType<typeof servePage>>;
let daemon: RunningDaemon;

beforeAll(async () => {
  site = await servePage(fixture('predecessor/page.html'));
  daemon = await startDaemon();
  // Where it is missing, the tests are skipped or fail by themselves.
  browser = await openChromium().catch(() => undefined);
}, 60_000);

afterAll(async () => {
  await browser?.close();
  await Promise.all([site.close(), daemon.dispose()]);
});

/** A page that is ready, and what went over its socket: what it sent, and what each packet was that came. */
async function openPage(from: string, more = ''): Promise<{ page: Page; wire: string[] }> {
  if (browser === undefined) throw new Error('Chromium does not start');
  const page = await browser.context.newPage();
  const wire: string[] = [];
  page.on('websocket', (socket) => {
    socket.on('framesent', ({ payload }) => wire.push(`> ${String(payload).slice(0, 30)}`));
    socket.on('framereceived', ({ payload }) => wire.push(`< ${JSON.parse(String(payload)).opcode}`));
  });
  const socket = encodeURIComponent(`ws://127.0.0.1:${daemon.port}/web`);
  await page.goto(`http://localhost:${site.port}/?from=${from}&socket=${socket}${more}`);
  await page.locator('#state').getByText('connected', { exact: true }).waitFor();
  return { page, wire };
}

/** What a page shows of the others, as soon as it shows `last`. */
async function shownOfOthers(page: Page, last: string): Promise<string[]> {
  await page.locator('#others').getByText(last, { exact: true }).waitFor();
  return page.locator('#others li').allTextContents();
}

/** As the page and the script make them. */
const long = (text: string, length: number): string => text.repeat(length).slice(0, length);
const WORDS = `${long('Übermäßig große Grüße, 漢字! ', 20_000)}.`;
const saidBy = (name: string): string[] => [
  ...[1, 2, 3, 4].map((i) => `${name} says ${i}`),
  `${name} says much: ${WORDS}`,
  `${name} has ended`,
];
/** Frames of all that: short ones, and for the long one the two words and its pieces. */
const FRAMES = 4 + (2 + 4) + 1;

const php = (...args: string[]) => ['-n', CLIENT, `tcp://127.0.0.1:${daemon.port}`, ...args];

describe('a classic page in Chromium, at /web', () => {
  withChromium('says what it has in its queue, one with each next, what is long in pieces of 6 KB', async () => {
    const { page, wire } = await openPage('Ada');
    const other = await openPage('Bob');
    await page.click('#talk');
    expect(await shownOfOthers(other.page, 'Ada has ended')).toEqual(saidBy('Ada'));
    await page.getByText('all was taken').waitFor();
    expect(wire.filter((entry) => entry.startsWith('>'))).toHaveLength(FRAMES);
    expect(wire.map((entry) => (entry.startsWith('>') ? '>' : entry))).toEqual([
      '< ready',
      ...Array.from({ length: FRAMES }, () => ['>', '< next']).flat(),
    ]);
    expect(wire.filter((entry) => entry.includes('buffer'))).toEqual(['> bufferON', '> bufferOFF']);
    await Promise.all([page.close(), other.page.close()]);
  });

  withChromium('both of them at once, one so old that it announces a uuid of its own: nothing is lost', async () => {
    const [ada, bob] = await Promise.all([openPage('Ada', '&announce'), openPage('Bob')]);
    await Promise.all([ada.page.click('#talk'), bob.page.click('#talk')]);
    expect(await shownOfOthers(bob.page, 'Ada has ended')).toEqual(saidBy('Ada'));
    expect(await shownOfOthers(ada.page, 'Bob has ended')).toEqual(saidBy('Bob'));
    await Promise.all([ada, bob].map(({ page }) => page.getByText('all was taken').waitFor()));
    await Promise.all([ada.page.close(), bob.page.close()]);
  });

  withBoth('shows what an old PHP script reports to it, and what it tells all pages in pieces', async () => {
    const { page } = await openPage('Ada');
    const other = await openPage('Bob');
    const steps: string[] = [];
    page.on('console', (line) => steps.push(line.text()));
    await page.evaluate(
      "new MutationObserver(() => console.log(byId('feedback').textContent)).observe(byId('feedback'), { childList: true })",
    );
    const uuid = await page.locator('#uuid').innerText();
    expect(await run('php', php('report', uuid))).toEqual({ code: 0, stdout: '', stderr: '' });
    for (const shown of [page, other.page]) {
      // oxlint-disable-next-line no-await-in-loop
      expect(await shownOfOthers(shown, 'The script has ended')).toEqual([
        `The script says much: ${'Größe 😀 '.repeat(1500)}.`,
        'The script has ended',
      ]);
    }
    expect(await page.locator('#feedback').innerText()).toBe('100 % of the work');
    expect(steps).toEqual([25, 50, 75, 100].map((percent) => `${percent} % of the work`));
    expect(await other.page.locator('#feedback').innerText()).toBe('');
    await Promise.all([page.close(), other.page.close()]);
  });
});

describe('an old PHP script that waits under a name, at /php', () => {
  withPhp('gets what another script tells it, short and long, and ends when the daemon does', async () => {
    const waiting = new RunningDaemon('', spawn('php', php('wait', 'receiver')));
    await waiting.said(/^ready\n/);
    const texts: [text: string, count: number][] = [
      ['hello', 1],
      ['Größe 😀 ', 3000],
      ['x', 300_000],
      ['goodbye', 1],
    ];
    for (const [text, count] of texts) {
      const from = waiting.out.length;
      expect(await run('php', php('tell', 'receiver', text, String(count)))).toEqual({
        code: 0,
        stdout: '',
        stderr: '',
      });
      const [line] = await waiting.said(/^.*\n/, from);
      expect(JSON.parse(line)).toMatchObject({ opcode: 'feedback', ident: 'receiver', message: text.repeat(count) });
    }
    const from = waiting.out.length;
    expect(await daemon.stop()).toBe(0);
    expect(await waiting.ended()).toBe(0);
    const [close, end] = waiting.out.slice(from).split('\n');
    expect(JSON.parse(close)).toEqual({ opcode: 'close', error: expect.stringContaining('stop') });
    expect(end).toBe('the server has ended');
  });
});
