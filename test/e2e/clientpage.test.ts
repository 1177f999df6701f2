import { afterAll, beforeAll, describe, expect } from '@jest/globals';
import type { Page } from 'playwright-core';
import { openChromium } from '../support/chromium.ts';
import { curl } from '../support/commands.ts';
import { type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { codeBlock } from '../support/markdown.ts';
import { withProgram } from '../support/program.ts';
import { servePage } from '../support/site.ts';

const withChromium = withProgram('chromium', 'chromium');

/** What both pages do: they show uuid, state, and what comes; `say` sends, and shows with what it was acknowledged. */
const USE = `
  const connection = connect(daemon + '/web', { pingTimeout: 1000 });
  const show = (id, text) => {
    const item = document.createElement('li');
    item.textContent = text;
    document.getElementById(id).append(item);
  };
  connection.onstate = (state, { code }) => show('states', state + ' ' + code);
  connection.onresumed = () => show('returns', connection.uuid);
  connection.on('feedback', ({ message }) => show('messages', message));
  connection.on('broadcast', ({ message }) => show('messages', message));
  connection.ready.then(({ uuid }) => { document.getElementById('uuid').textContent = uuid; });
  window.say = (message) => connection.broadcast({ message }).then(({ delivered }) => show('nexts', message + ': ' + delivered));`;

const BODY = '<p id="uuid"></p><ul id="states"></ul><ul id="returns"></ul><ul id="messages"></ul><ul id="nexts"></ul>';

/** With `?classic` the classic script, else the module; the daemon's address is in the query. */
const PAGE = `<!doctype html><meta charset="utf-8"><title>client</title>${BODY}
<script>
  const query = new URLSearchParams(location.search);
  const script = document.createElement('script');
  const http = query.get('daemon');
  const use = ${JSON.stringify(USE)};
  if (query.has('classic')) {
    script.src = http + '/_websock/client.classic.js';
    script.onload = () => new Function('connect', 'daemon', use)(websock.connect, http);
  } else {
    script.type = 'module';
    script.textContent = 'import { connect } from "' + http + '/_websock/client.js"; const daemon = "' + http + '";' + use;
  }
  document.head.append(script);
</script>`;

type Site = Awaited<ReturnType<typeof servePage>>;

let browser: Awaited<ReturnType<typeof openChromium>> | undefined;
let site: Site;
/** They can be closed when the browser is: it holds connections that it may need. */
const more: Site[] = [];
let daemon: RunningDaemon;

beforeAll(async () => {
  site = await servePage(PAGE);
  const asks = codeBlock('resources/README.md', 'js', 'client.request');
  const files = `import { RequestError, Resource } from 'websock';\nexport default class extends Resource { ${asks} }`;
  daemon = await startDaemon({ extra: { 'files.mjs': files } });
  // Where it is missing, the tests are skipped or fail by themselves.
  browser = await openChromium().catch(() => undefined);
}, 60_000);

afterAll(async () => {
  await browser?.close();
  await Promise.all([...[site, ...more].map((one) => one.close()), daemon.dispose()]);
});

async function openPage(kind: 'classic' | 'module', errors: string[]): Promise<Page> {
  if (browser === undefined) throw new Error('Chromium does not start');
  const page = await browser.context.newPage();
  page.on('console', (message) => errors.push(message.text()));
  page.on('pageerror', (error) => errors.push(String(error)));
  await page.goto(`http://localhost:${site.port}/?${kind}&daemon=http://127.0.0.1:${daemon.port}`);
  await page.locator('#uuid', { hasText: /^[0-9a-f-]{36}$/ }).waitFor({ state: 'attached' });
  return page;
}

function texts(page: Page, id: string): Promise<string[]> {
  return page.locator(`#${id} li`).allInnerTexts();
}

async function shown(page: Page, id: string, text: string): Promise<void> {
  await page.locator(`#${id} li`, { hasText: text }).first().waitFor();
}

describe('a page of another origin in Chromium', () => {
  withChromium(
    'what is said while the socket closes goes by the next one, and the browser does not complain',
    async () => {
      const errors: string[] = [];
      const page = await openPage('module', errors);
      await page.evaluate(`(async () => {
      const daemon = new URLSearchParams(location.search).get('daemon');
      const { connect } = await import(daemon + '/_websock/client.js');
      let socket;
      const Kept = class extends WebSocket { constructor(...all) { super(...all); socket = this; } };
      // Without sessions: what may have been handled would not go again.
      const connection = connect(daemon + '/web', { WebSocket: Kept, resume: false });
      await connection.ready;
      socket.close(4000);
      await connection.broadcast({ message: 'while it closes' });
      connection.close();
    })()`);
      await shown(page, 'messages', 'while it closes');
      expect(errors).toEqual([]);
      await page.close();
    },
  );

  withChromium('loads the module, or the classic script; sends, is told its next, and gets feedback', async () => {
    const errors: string[] = [];
    const [module, classic] = [await openPage('module', errors), await openPage('classic', errors)];
    await module.evaluate("void say('hello')");
    await shown(classic, 'messages', 'hello');
    await shown(module, 'nexts', 'hello');
    expect(await texts(module, 'nexts')).toEqual(['hello: 1']);
    const uuid = await classic.locator('#uuid').innerText();
    const packet = JSON.stringify({ opcode: 'feedback', uuid, message: '50 %' });
    await curl('-d', packet, `http://127.0.0.1:${daemon.port}/php`);
    await shown(classic, 'messages', '50 %');
    expect([await texts(module, 'messages'), errors]).toEqual([[], []]);
    await Promise.all([module.close(), classic.close()]);
  });

  withChromium(
    'goes offline by the browser’s own switch: what it says and is told meanwhile arrives when it is on again, and it is the same client',
    async () => {
      const [page, other] = [await openPage('module', []), await openPage('module', [])];
      const uuid = await page.locator('#uuid').innerText();
      await page.context().setOffline(true);
      await shown(page, 'states', 'waiting');
      await page.evaluate("void say('from away')");
      const packet = JSON.stringify({ opcode: 'feedback', uuid, message: 'meanwhile' });
      expect((await curl('-d', packet, `http://127.0.0.1:${daemon.port}/php`)).json()).toMatchObject({ delivered: 1 });
      expect(await texts(page, 'nexts')).toEqual([]);
      await page.context().setOffline(false);
      await shown(page, 'returns', '-');
      expect(await texts(page, 'returns')).toEqual([uuid]);
      await shown(page, 'messages', 'meanwhile');
      await shown(page, 'nexts', 'from away');
      await page.evaluate("void say('from home')");
      await shown(other, 'messages', 'from home');
      await Promise.all([page.close(), other.close()]);
    },
  );
});

describe('a page that is a block of the README of the client, but for the port', () => {
  async function openBlock(holding: string): Promise<Page> {
    if (browser === undefined) throw new Error('Chromium does not start');
    const block = codeBlock('src/client/README.md', 'html', holding);
    const served = await servePage(block.replaceAll('localhost:8096', `127.0.0.1:${daemon.port}`));
    more.push(served);
    const page = await browser.context.newPage();
    await page.goto(`http://localhost:${served.port}/`);
    return page;
  }

  withChromium(
    'the classic script hears that the module is here, and tells it something, which that shows',
    async () => {
      const classic = await openBlock('const connection = websock.connect');
      await classic.evaluate('connection.ready');
      const heard = classic.evaluate<{ text: string }>("connection.once('broadcast')");
      const module = await openBlock('await connection.ready');
      const { text } = await heard;
      expect(text).toMatch(/^[0-9a-f-]{36} is here$/);
      const shows = module.waitForEvent('console', (message) => message.text() === '50 %');
      const next = await classic.evaluate(`connection.feedback('${text.slice(0, 36)}', { message: '50 %' })`);
      expect(next).toMatchObject({ delivered: 1 });
      await shows;
      await Promise.all([classic.close(), module.close()]);
    },
  );

  withChromium('what a resource asks is answered by whoever sits before the page', async () => {
    const page = await openBlock('const connection = websock.connect');
    const answers = codeBlock('src/client/README.md', 'js', 'connection.answer');
    page.on('dialog', (dialog) => void (dialog.message() === 'Delete a.txt?' ? dialog.accept() : dialog.dismiss()));
    const ask = (file: string): Promise<unknown> =>
      page.evaluate(`(async () => {
        const connection = websock.connect('ws://127.0.0.1:${daemon.port}/files');
        ${answers}
        return connection.send({ opcode: 'delete', file: '${file}' });
      })()`);
    expect(await ask('a.txt')).toMatchObject({ deleted: true });
    expect(await ask('b.txt')).toMatchObject({ deleted: false });
    await page.close();
  });
});
