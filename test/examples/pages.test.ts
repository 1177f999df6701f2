import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import { CLOSE_CODES } from '../../src/errors.ts';
import { openChromium } from '../support/chromium.ts';
import { curl, run } from '../support/commands.ts';
import { ROOT, type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { withProgram } from '../support/program.ts';
import { RawPeer } from '../support/rawpeer.ts';
import { WebPeer } from '../support/webpeer.ts';

const withChromium = withProgram('chromium', 'chromium');
const withNc = withProgram('nc', 'netcat-openbsd');
const withCurl = withProgram('curl', 'curl');
const ALL = ['--examples', 'all'];
const NAMES = ['command', 'echo', 'hello', 'stats', 'status', 'ticker'];

let browser: Awaited<ReturnType<typeof openChromium>> | undefined;
let daemon: RunningDaemon;

beforeAll(async () => {
  daemon = await startDaemon({ args: ALL });
  // Where it is missing, the tests are skipped or fail by themselves.
  browser = await openChromium().catch(() => undefined);
}, 60_000);

afterAll(async () => {
  await browser?.close();
  await daemon.dispose();
});

/** Gives a page to `use`. The browser must have nothing to complain about but what is `expected`. @param name '' for the list. */
async function withPage(name: string, use: (page: Page) => Promise<void>, expected = /^$/): Promise<void> {
  if (browser === undefined) throw new Error('Chromium does not start');
  const page = await browser.context.newPage();
  page.setDefaultTimeout(20_000);
  const said: string[] = [];
  page.on('pageerror', ({ message }) => said.push(message));
  page.on('console', (line) => said.push(line.text()));
  await page.goto(`http://127.0.0.1:${daemon.port}/_websock/examples/${name}`);
  await use(page);
  expect(said.filter((line) => !expected.test(line))).toEqual([]);
  await page.close();
}

/** Resolves when a line of the log is this. */
async function logged(page: Page, text: string | RegExp): Promise<void> {
  await page.getByRole('log').getByRole('listitem').filter({ hasText: text }).first().waitFor();
}

/** What the colour of the dot at the state means: `muted` as what is said beside, `error`, or another one. */
async function dotOf(page: Page): Promise<string> {
  return page.evaluate(`(() => {
    const dot = getComputedStyle(document.querySelector('#state'), '::before').backgroundColor;
    const probe = document.body.appendChild(document.createElement('i'));
    const means = ['muted', 'error'].find((name) => {
      probe.style.color = 'var(--' + name + ')';
      return getComputedStyle(probe).color === dot;
    });
    probe.remove();
    return means ?? dot;
  })()`);
}

/** Keeps what the state of a page says from now on, in its `states`. */
async function keepStates(page: Page): Promise<void> {
  await page.evaluate(`
    var states = [];
    const place = document.querySelector('#state');
    new MutationObserver(() => states.push(place.textContent)).observe(place, { childList: true });`);
}

/** What comes of what the page tells to type in a terminal. */
async function typed(page: Page): Promise<string[]> {
  const { stdout } = await run('sh', ['-c', await page.locator('#command').innerText()]);
  return stdout.split('\n').filter((line) => line !== '');
}

/** The blocks of shell commands in a section of README. */
function readme(section: string): string[] {
  const [, text = ''] = readFileSync(join(ROOT, 'README.md'), 'utf8').split(`\n## ${section}\n`);
  return [...text.split('\n## ')[0].matchAll(/^```sh\n(.*?)^```$/gms)].map((match) => match[1]);
}

/** What a line client reads that sends `lines`, and then the end. */
async function nc(...lines: string[]): Promise<string[]> {
  const { stdout } = await run(
    'nc',
    ['-N', '127.0.0.1', String(daemon.port)],
    lines.map((line) => `${line}\n`).join(''),
  );
  return stdout.split('\n').slice(0, -1);
}

describe('in Chromium', () => {
  withChromium('the list says what each shows, and leads to it and back', async () => {
    await withPage('', async (page) => {
      for (const name of NAMES) {
        const item = page.getByRole('listitem').filter({ has: page.getByRole('link', { name, exact: true }) });
        const line = (await item.innerText()).split('\n').at(-1) ?? '';
        await item.getByRole('link').click();
        await page.getByRole('heading', { name, exact: true }).waitFor();
        await page.getByText(line, { exact: true }).waitFor();
        await page.getByRole('link', { name: 'Examples' }).click();
      }
      await page.getByRole('heading', { name: 'Examples' }).waitFor();
    });
  });

  withChromium('no page is wider than a phone, or than a screen; light or dark', async () => {
    await withPage('', async (page) => {
      const wide: string[] = [];
      const colours = new Set<string>();
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.emulateMedia({ colorScheme });
        for (const name of ['', ...NAMES]) {
          await page.goto(`http://127.0.0.1:${daemon.port}/_websock/examples/${name}`);
          for (const width of [390, 1280]) {
            await page.setViewportSize({ width, height: 844 });
            const found = await page.evaluate('document.documentElement.scrollWidth');
            if (Number(found) > width) wide.push(`${name}: ${String(found)}`);
          }
          colours.add(String(await page.evaluate('getComputedStyle(document.body).backgroundColor')));
        }
      }
      expect([wide, colours.size]).toEqual([[], 2]);
    });
  });

  withChromium('echo: which host serves it, then text and bytes as they were sent, markup as text', async () => {
    await withPage('echo', async (page) => {
      await logged(page, `served by ${hostname()}`);
      await page.getByLabel('Text').fill('<b id="x">ü</b>');
      await page.keyboard.press('Enter');
      await logged(page, /^<b id="x">ü<\/b> \([\d.]+ ms\)$/);
      expect(await page.locator('#x').count()).toBe(0);
      await page.getByLabel('Text').fill('ü😀');
      await page.getByRole('button', { name: 'Send as bytes' }).click();
      await logged(page, /^6 bytes: c3 bc f0 9f 98 80 \([\d.]+ ms\)$/);
      expect(await typed(page)).toEqual([
        '{"opcode":"next","fyi":"","packets":["Hello, world"]}',
        `served by ${hostname()}`,
        'Hello, world',
      ]);
    });
  });

  withChromium('hello: greets, leaves, and comes again', async () => {
    await withPage('hello', async (page) => {
      await logged(page, 'Hello! What is your name?');
      expect(await page.locator('#command').innerText()).toBe(`$ nc 127.0.0.1 ${daemon.port}  # or telnet\n/hello`);
      for (const said of ['Ann', 'quit']) {
        await page.getByLabel('Say').fill(said);
        await page.keyboard.press('Enter');
      }
      await logged(page, 'Nice to meet you, Ann. You come from 127.0.0.1, by ws.');
      await logged(page, 'Good bye, Ann!');
      await page.getByText('Closed as agreed', { exact: true }).waitFor();
      expect(await dotOf(page)).toBe('muted');
      await page.getByRole('button', { name: 'Connect again' }).click();
      await page.getByText('Connected').waitFor();
      expect(await page.getByText('Hello! What is your name?').count()).toBe(2);
    });
  });

  withChromium('command: answers, and says what it does not know', async () => {
    await withPage('command', async (page) => {
      await page.getByText('Connected').waitFor();
      for (const name of ['help', 'time', 'uptime', 'whoami', 'calc 2+3*4']) {
        await page.getByRole('button', { name, exact: true }).click();
      }
      await logged(page, /^14$/);
      await logged(page, /^client \d+, by ws from 127\.0\.0\.1, without a name, uuid [0-9a-f-]{36}$/);
      await logged(page, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
      await page.getByRole('textbox', { name: 'Command' }).fill('rm -rf /');
      await page.keyboard.press('Enter');
      await logged(page, 'no such command: rm; help lists them');
      expect((await typed(page)).filter((line) => line.includes('"answer"'))).toEqual([
        '{"opcode":"next","fyi":"","answer":"14","packets":[]}',
        '{"opcode":"next","fyi":"","answer":"14"}',
        '{"opcode":"next","fyi":"","answer":"good bye"}',
      ]);
      await page.getByRole('button', { name: 'quit' }).click();
      await page.getByText('Closed as agreed: quit', { exact: true }).waitFor();
      expect(await dotOf(page)).toBe('muted');
    });
  });

  withChromium('command: its field is emptied; after quit there is nothing to press but the way back', async () => {
    await withPage('command', async (page) => {
      const field = page.getByRole('textbox', { name: 'Command' });
      await field.fill('quit');
      await page.keyboard.press('Enter');
      expect(await field.inputValue()).toBe('');
      await page.getByText('Closed as agreed: quit').waitFor();
      const enabled = page.getByRole('button').and(page.locator(':enabled'));
      expect(await enabled.allInnerTexts()).toEqual(['Connect again']);
      await enabled.click();
      await page.getByText('Connected').waitFor();
      expect(await enabled.allInnerTexts()).not.toContain('Connect again');
      await page.keyboard.type('calc 6*7'); // where one is, after that
      await page.keyboard.press('Enter');
      await logged(page, /^42$/);
    });
  });

  withChromium('status: every code is listed with its meaning, and reported as it was asked for', async () => {
    await withPage(
      'status',
      async (page) => {
        await page.getByText('Not connected', { exact: true }).waitFor();
        await page.getByLabel('Reason').fill('“über” 😀');
        await page.getByRole('button', { name: 'Try all of them' }).click();
        await page.getByText('Asked for 4429; the browser reports: 4429').waitFor();
        const rows = await page.locator('#codes tr').all();
        const shown = new Map<number, string[]>();
        for (const row of rows) {
          const cells = await row.getByRole('cell').allInnerTexts();
          shown.set(Number(cells[0]), cells.slice(1, 3));
        }
        const unsendable = /^not closed: close code \d+ may not be sent/;
        for (const [code, [meaning, report]] of shown) {
          expect(meaning.length).toBeGreaterThan(5);
          if ([1004, 1014, 1015].includes(code)) expect(report).toMatch(unsendable);
          else if (code === 1005) expect(report).toBe('1005, clean');
          else if (code === 1006) expect(report).toBe('1006, not clean');
          else expect(report).toBe(`${code}, “\u201cüber\u201d 😀”, clean`);
        }
        expect([...CLOSE_CODES.keys()].filter((code) => !shown.has(code))).toEqual([]);
        await page.getByLabel('Code').fill('4711');
        await page.keyboard.press('Enter');
        await page.getByText('Asked for 4711; the browser reports: 4711, ““über” 😀”, clean').waitFor();
      },
      /\/status\?refuse' failed: .* Unexpected response code: 403$/,
    );
  });

  withChromium('ticker: prices come; who reads nothing for a while misses ticks, and the page does not', async () => {
    await withPage('ticker', async (page) => {
      await page.getByRole('button', { name: 'Start it' }).click();
      await page.getByRole('row', { name: /^Amber \d+\.\d\d [▲▼] \d+\.\d\d %/ }).waitFor();
      const slow = page.getByRole('region', { name: 'A slow reader' });
      await slow.getByText('Reading nothing…').waitFor();
      await page.locator('#slow-missed', { hasText: /^[1-9]\d*$/ }).waitFor({ timeout: 40_000 });
      expect(await page.locator('#missed').innerText()).toBe('0');
      expect(Number(await page.locator('#got').innerText())).toBeGreaterThan(10);
    });
  });

  withChromium('stats: the numbers change as clients come and go', async () => {
    await withPage('stats', async (page) => {
      await page.getByRole('row', { name: '/stats 1' }).waitFor();
      const before = Number(await page.locator('#all').innerText());
      const url = `ws://127.0.0.1:${daemon.port}/status`;
      const peers = [await WebPeer.open(url), await WebPeer.open(url)];
      await page.getByRole('row', { name: '/status 2' }).waitFor();
      expect(Number(await page.locator('#all').innerText())).toBe(before + 2);
      for (const peer of peers) await peer.close();
      await page.getByRole('row', { name: '/status' }).waitFor({ state: 'detached' });
      expect(Number(await page.locator('#all').innerText())).toBe(before);
    });
  });

  withChromium('over a restart of the daemon ticker and stats go on', async () => {
    const refused = /ERR_CONNECTION_REFUSED/;
    await withPage(
      'ticker',
      async (ticker) => {
        await withPage(
          'stats',
          async (stats) => {
            await ticker.locator('#got', { hasText: /^[1-9]/ }).waitFor();
            await stats.getByRole('row', { name: '/ticker 1' }).waitFor();
            const { dir, port } = daemon;
            await keepStates(ticker);
            await daemon.stop();
            const got = Number(await ticker.locator('#got').innerText());
            daemon = await startDaemon({ dir, ini: `adress='ws://127.0.0.1:${port}'`, args: ALL });
            await stats.locator('#uptime', { hasText: /^[1-9]\d* s$/ }).waitFor();
            await stats.getByRole('row', { name: '/ticker 1' }).waitFor();
            // One may have been on its way.
            const before = new RegExp(`^(?:${got}|${got + 1})$`);
            await ticker.locator('#got').filter({ hasNotText: before }).waitFor();
            expect(await ticker.locator('#missed').innerText()).toBe('0');
            const [first] = await ticker.evaluate<string[]>('states');
            expect(first).toMatch(/^Trying again in [\d.]+ s: daemon stopping$/);
          },
          refused,
        );
      },
      refused,
    );
  });
});

describe('from a terminal', () => {
  test('telnet types /hello and gets a greeting, line by line, and leaves', async () => {
    const peer = await RawPeer.open({ port: daemon.port });
    peer.write('/hello\r\n');
    expect(await peer.line()).toBe('Hello! What is your name? (quit leaves)');
    peer.write('Ann\r\n');
    expect(await peer.line()).toBe('Nice to meet you, Ann. You come from 127.0.0.1, by tcp.');
    peer.write('quit\r\n');
    expect(await peer.rest()).toBe('Good bye, Ann!\n');
  });

  withNc('nc: hello, echo, and commands that are answered one by one', async () => {
    expect(await nc('/hello', 'Ann', 'bye')).toEqual([
      'Hello! What is your name? (quit leaves)',
      'Nice to meet you, Ann. You come from 127.0.0.1, by tcp.',
      'Good bye, Ann!',
    ]);
    expect(await nc('GET /echo', 'ü', '{"a":1}')).toEqual([`served by ${hostname()}`, 'ü', '{"a":1}']);
    const [ready, ...answers] = await nc('GET /command', 'calc 2+3*4', 'calc (', 'quit');
    expect(JSON.parse(ready)).toMatchObject({ opcode: 'ready' });
    expect(answers).toEqual([
      '{"opcode":"next","fyi":"","answer":"14"}',
      '{"opcode":"next","fyi":"","error":"calc: a number is missing at the end"}',
      '{"opcode":"next","fyi":"","answer":"good bye"}',
    ]);
  });

  withNc('as README types it, but for the port', async () => {
    const lines = readme('Examples');
    expect(lines[0]).toBe('node dist/run.js -console --examples all\n'); // as it was started here
    const said: string[] = [];
    for (const line of lines.slice(1)) {
      said.push((await run('sh', ['-c', line.replace('8096', String(daemon.port))])).stdout.trimEnd());
    }
    expect(said).toEqual([
      'Hello! What is your name? (quit leaves)\nNice to meet you, Ann. You come from 127.0.0.1, by tcp.\nGood bye, Ann!',
      '{"opcode":"next","fyi":"","answer":"14","packets":[]}',
    ]);
  });

  withNc('nc: a tick a line', async () => {
    const peer = await RawPeer.line({ port: daemon.port }, 'GET /ticker');
    const [first, second] = [await peer.linePacket(), await peer.linePacket()];
    expect([first.opcode, second.n]).toEqual(['tick', Number(first.n) + 1]);
    peer.destroy();
  });

  withCurl('curl: a command, an echo, a code, and what stats knows', async () => {
    const post = (path: string, text: string) =>
      curl('-H', 'Content-Type: text/plain', '-d', text, `http://127.0.0.1:${daemon.port}${path}`);
    expect((await post('/command', 'calc 2+3*4')).json()).toMatchObject({ answer: '14' });
    expect((await post('/echo', 'Hello, world')).json()).toMatchObject({ packets: ['Hello, world'] });
    const { status, body } = await curl(`http://127.0.0.1:${daemon.port}/stats`);
    expect([status, JSON.parse(body)]).toMatchObject([200, { opcode: 'stats', all: expect.any(Number) }]);
  });
});
