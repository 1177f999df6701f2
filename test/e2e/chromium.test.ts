import { afterAll, beforeAll, describe, expect } from '@jest/globals';
import type { Page } from 'playwright-core';
import { openChromium } from '../support/chromium.ts';
import { curl } from '../support/commands.ts';
import { type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { withProgram } from '../support/program.ts';
import { servePage } from '../support/site.ts';

const withChromium = withProgram('chromium', 'chromium');

/** It shows its UUID, what comes, and how the connection ended; `say` sends. The daemon's address is in its query. */
const PAGE = `<!doctype html>
<meta charset="utf-8">
<title>websock</title>
<p id="uuid"></p>
<ul id="messages"></ul>
<p id="closed"></p>
<script>
  const socket = new WebSocket(new URLSearchParams(location.search).get('socket'));
  const show = (text) => {
    const item = document.createElement('li');
    item.textContent = text;
    document.getElementById('messages').append(item);
  };
  socket.onmessage = ({ data }) => {
    const packet = JSON.parse(data);
    if (packet.opcode === 'ready') document.getElementById('uuid').textContent = packet.uuid;
    else if (packet.opcode === 'next') show('next ' + (packet.delivered ?? ''));
    else show(packet.message ?? packet.error);
  };
  socket.onclose = ({ code }) => { document.getElementById('closed').textContent = 'closed ' + code; };
  window.extensions = () => socket.extensions;
  window.say = (packet) => socket.send(JSON.stringify(packet));
</script>`;

let browser: Awaited<ReturnType<typeof openChromium>> | undefined;
let site: Awaited<ReturnType<typeof servePage>>;
let daemon: RunningDaemon;
let strict: RunningDaemon;
let packing: RunningDaemon;

beforeAll(async () => {
  site = await servePage(PAGE);
  [daemon, strict, packing] = await Promise.all([
    startDaemon(),
    startDaemon({ ini: `[security]\nallowedOrigins='http://localhost:${site.port}'` }),
    startDaemon({ ini: '[compression]\nenabled=true\nthreshold=100\ncontextTakeover=true' }),
  ]);
  // Where it is missing, the tests are skipped or fail by themselves.
  browser = await openChromium().catch(() => undefined);
}, 60_000);

afterAll(async () => {
  await browser?.close();
  await Promise.all([site.close(), daemon.dispose(), strict.dispose(), packing.dispose()]);
});

async function openPage(host: string, socket: string): Promise<Page> {
  if (browser === undefined) throw new Error('Chromium does not start');
  const page = await browser.context.newPage();
  await page.goto(`http://${host}:${site.port}/?socket=${encodeURIComponent(socket)}`);
  return page;
}

function socketOf(running: RunningDaemon, path = '/web'): string {
  return `ws://127.0.0.1:${running.port}${path}`;
}

async function uuidOf(page: Page): Promise<string> {
  await page.waitForFunction("document.getElementById('uuid').textContent !== ''");
  return page.locator('#uuid').innerText();
}

/** Waits until the page shows this text, and then some. @returns everything that it shows. */
async function shown(page: Page, text: string): Promise<string[]> {
  await page.locator('#messages li', { hasText: text }).waitFor({ state: 'visible' });
  return page.locator('#messages li').allInnerTexts();
}

describe('a page in Chromium', () => {
  withChromium('shows its UUID; a backend reports to it with curl, and the text becomes visible', async () => {
    const page = await openPage('localhost', socketOf(daemon));
    const bystander = await openPage('localhost', socketOf(daemon));
    const uuid = await uuidOf(page);
    await uuidOf(bystander);
    expect(uuid).toMatch(/^[0-9a-f-]{36}$/);
    const packet = JSON.stringify({ opcode: 'feedback', uuid, message: '50 % – fünfzig Prozent 😀' });
    const response = await curl('-d', packet, `http://127.0.0.1:${daemon.port}/php`);
    expect(response.json()).toMatchObject({ opcode: 'next', delivered: 1 });
    expect(await shown(page, '50 %')).toEqual(['50 % – fünfzig Prozent 😀']);
    expect(await bystander.locator('#messages li').count()).toBe(0);
    await Promise.all([page.close(), bystander.close()]);
  });

  withChromium('two pages and a broadcast: the other one shows it, the sender its next', async () => {
    const [first, second] = await Promise.all([
      openPage('localhost', socketOf(daemon)),
      openPage('127.0.0.1', socketOf(daemon, '/')),
    ]);
    await Promise.all([uuidOf(first), uuidOf(second)]);
    await first.evaluate("say({ opcode: 'broadcast', message: 'hello, other page' })");
    expect(await shown(second, 'hello, other page')).toEqual(['hello, other page']);
    expect(await shown(first, 'next')).toEqual(['next 1']);
    await Promise.all([first.close(), second.close()]);
  });

  withChromium(
    'with compression: long texts come through both ways, again and again, short ones as they are',
    async () => {
      const [first, second] = await Promise.all([
        openPage('localhost', socketOf(packing)),
        openPage('localhost', socketOf(packing)),
      ]);
      await Promise.all([uuidOf(first), uuidOf(second)]);
      expect(await first.evaluate('extensions()')).toBe('permessage-deflate');
      const long = 'fünfzig Wörter 😀 '.repeat(500).trim();
      const texts = [`1 ${long}`, 'short', `2 ${long}`, `3 ${long}`];
      for (const message of texts) await first.evaluate(`say(${JSON.stringify({ opcode: 'broadcast', message })})`); // oxlint-disable-line no-await-in-loop
      expect(await shown(second, '3 fünfzig')).toEqual(texts);
      await first
        .locator('#messages li')
        .nth(texts.length - 1)
        .waitFor();
      expect(await first.locator('#messages li').allInnerTexts()).toEqual(texts.map(() => 'next 1'));
      expect(await first.locator('#closed').innerText()).toBe('');
      await Promise.all([first.close(), second.close()]);
    },
  );

  withChromium('quit: its next, and a clean close with 1000', async () => {
    const page = await openPage('localhost', socketOf(daemon));
    await uuidOf(page);
    await page.evaluate("say({ opcode: 'quit' })");
    await page.getByText('closed 1000').waitFor();
    expect(await shown(page, 'next')).toEqual(['next']);
    await page.close();
  });

  withChromium('an unknown path: it is told why, and the close code is 4404', async () => {
    const page = await openPage('localhost', socketOf(daemon, '/nothing'));
    await page.getByText('closed 4404').waitFor();
    expect(await shown(page, 'no such resource')).toEqual(['no such resource: /nothing']);
    await page.close();
  });

  withChromium('of a foreign origin is refused, and the log says of which', async () => {
    const allowed = await openPage('localhost', socketOf(strict));
    expect(await uuidOf(allowed)).toMatch(/^[0-9a-f-]{36}$/);
    const foreign = await openPage('127.0.0.1', socketOf(strict));
    await foreign.getByText('closed 1006').waitFor();
    expect(await foreign.locator('#uuid').innerText()).toBe('');
    await strict.said(new RegExp(`refused: 403 pages of http://127\\.0\\.0\\.1:${site.port} are not allowed`));
    await Promise.all([allowed.close(), foreign.close()]);
  });

  withChromium('may not POST to a resource, though it comes from loopback', async () => {
    const page = await openPage('localhost', socketOf(daemon));
    await uuidOf(page);
    const from = daemon.out.length;
    const status = await page.evaluate(
      `fetch('http://127.0.0.1:${daemon.port}/php', { method: 'POST', body: '{"opcode":"echo"}' }).then((r) => r.status)`,
    );
    expect(status).toBe(403);
    await daemon.said(/POST \/php: refused: 403/, from);
    await page.close();
  });
});
