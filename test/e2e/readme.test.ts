import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Page } from 'playwright-core';
import { openChromium } from '../support/chromium.ts';
import { ROOT, type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { freePort } from '../support/freeport.ts';
import { withProgram } from '../support/program.ts';

const README = readFileSync(resolve(import.meta.dirname, '../../README.md'), 'utf8');
const run = promisify(execFile);

/** The code blocks of README in one language, in their order. */
function blocks(language: string): string[] {
  return [...README.matchAll(/^```(\w+)\n(.*?)^```$/gms)]
    .filter(([, name]) => name === language)
    .map((match) => match[2]);
}

function block(language: string, holding: string): string {
  const found = blocks(language).filter((text) => text.includes(holding));
  if (found.length !== 1) throw new Error(`README has ${found.length} blocks of ${language} with ${holding}`);
  return found[0];
}

describe('the main job, as README types it, but for its two port numbers', () => {
  let daemon: RunningDaemon;
  let folder: string;
  let web: ChildProcess;
  let webPort: number;
  const withPhp = withProgram('php', 'php-cli');
  const withBrowser = withProgram('chromium', 'chromium');
  const withCurl = withProgram('curl', 'curl');
  const withNc = withProgram('nc', 'netcat-openbsd');

  const here = (text: string): string =>
    text.replaceAll('8096', String(daemon.port)).replaceAll('8080', String(webPort));

  beforeAll(async () => {
    daemon = await startDaemon({ ini: "adress='ws://localhost:0'" });
    webPort = await freePort();
    folder = mkdtempSync(join(tmpdir(), 'websock-readme-'));
    writeFileSync(join(folder, 'page.html'), here(block('html', "jobs.once('job')")));
    writeFileSync(join(folder, 'job.php'), here(block('php', 'function report')));
    writeFileSync(join(folder, 'uuid.html'), here(block('html', 'websock.connect')));
    web = spawn('sh', ['-c', `exec ${here(block('sh', 'php -S'))}`], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    // Read to the end: php logs each request there.
    await new Promise<void>((done) => {
      web.stderr?.on('data', (line: Buffer) => {
        if (line.includes('started')) done();
      });
    });
  });
  afterAll(async () => {
    web.kill();
    await daemon.dispose();
    rmSync(folder, { recursive: true });
  });

  /** Opens a page of README and gives it to `use`, with what it has received. */
  async function withPage(
    name: string,
    use: (page: Page, packets: Record<string, unknown>[]) => Promise<void>,
    port = webPort,
  ): Promise<void> {
    const { context, close } = await openChromium();
    try {
      const page = await context.newPage();
      const packets: Record<string, unknown>[] = [];
      page.on('websocket', (socket) =>
        socket.on('framereceived', ({ payload }) => packets.push(JSON.parse(String(payload)))),
      );
      await page.goto(`http://localhost:${port}/${name}`);
      await use(page, packets);
    } finally {
      await close();
    }
  }

  /** The page with a UUID, and what it shows as that. */
  async function withUuid(
    use: (page: Page, uuid: string, packets: Record<string, unknown>[]) => Promise<void>,
  ): Promise<void> {
    await withPage('uuid.html', async (page, packets) => {
      const shown = page.locator('#uuid', { hasText: /^[0-9a-f-]{36}$/ });
      await shown.waitFor();
      await use(page, await shown.innerText(), packets);
    });
  }

  const shows = (page: Page, text: string, where = '#progress'): Promise<void> =>
    page.locator(where).getByText(text, { exact: true }).waitFor();

  withPhp('php -S serves it; the button starts job.php, whose progress shows', async () => {
    await withPage('page.html', async (page, packets) => {
      await page.click('#start');
      await page.locator('#text', { hasText: /^all 100 rows$/ }).waitFor();
      expect(await page.locator('#bar').getAttribute('value')).toBe('100');
      const texts = packets.filter(({ opcode }) => opcode === 'progress').map(({ text }) => text);
      expect(texts).toEqual(Array.from({ length: 10 }, (_, step) => `${step * 10} rows`));
    });
  });

  withBrowser('the server in one line of Node does as well; a shell reports to the job', async () => {
    const port = await freePort();
    const line = here(block('sh', 'createServer')).replaceAll(String(webPort), String(port));
    const server = spawn('sh', ['-c', `exec ${line}`], { cwd: folder, stdio: 'ignore' });
    const use = async (page: Page): Promise<void> => {
      await page.click('#start');
      const shown = page.locator('#text', { hasText: /^[0-9a-f-]{36}$/ });
      await shown.waitFor();
      const command = here(block('sh', 'half of it')).replaceAll('ID', await shown.innerText());
      const { stdout } = await run('sh', ['-c', command]);
      expect(JSON.parse(stdout)).toMatchObject({ opcode: 'next', delivered: 1 });
      await shows(page, 'half of it', '#text');
    };
    try {
      await untilListening(port);
      await withPage('page.html', use, port);
    } finally {
      server.kill();
      await once(server, 'exit');
    }
  });

  withPhp('curl and nc report to the UUID that a page shows', async () => {
    await withUuid(async (page, uuid, packets) => {
      for (const text of ['50 %', '75 %']) {
        const { stdout } = await run('sh', ['-c', here(block('sh', text)).replaceAll('UUID', uuid)]);
        expect(stdout).toBe('{"opcode":"next","fyi":"","delivered":1,"packets":[]}\n');
        await shows(page, text);
      }
      const keyed = here(block('sh', 'Idempotency-Key')).replaceAll('UUID', uuid);
      const [first, again] = [await run('sh', ['-c', keyed]), await run('sh', ['-c', keyed])];
      expect([first.stdout, again.stdout]).toEqual(
        Array(2).fill('{"opcode":"next","fyi":"","delivered":1,"packets":[]}\n'),
      );
      const { stdout } = await run('sh', ['-c', here(block('sh', '100 %%')).replaceAll('UUID', uuid)]);
      expect(stdout).toMatch(
        /^\{"opcode":"ready","uuid":"[0-9a-f-]{36}"\}\n\{"opcode":"next","fyi":"","delivered":1\}\n$/,
      );
      await shows(page, '100 %');
      expect(packets.filter(({ message }) => message === '90 %')).toHaveLength(1);
    });
  });

  test('listen and send, as a shell types them', async () => {
    const listener = spawn('sh', ['-c', `exec ${here(block('sh', ' listen '))} --count 1`], { cwd: ROOT });
    try {
      const said = await new Promise<string>((done) => listener.stderr.once('data', (text) => done(String(text))));
      const uuid = said.split(' ').at(-1)?.trim() ?? '';
      const printed = new Promise<string>((done) => listener.stdout.once('data', (text) => done(String(text))));
      const line = here(block('sh', ' send ')).replaceAll('UUID', uuid);
      expect(await run('sh', ['-c', line], { cwd: ROOT })).toMatchObject({ stdout: '', stderr: '' });
      expect(await printed).toBe(`{"opcode":"feedback","uuid":"${uuid}","message":"done"}\n`);
    } finally {
      listener.kill();
    }
  });

  withPhp('a ticket, asked for with curl or by the page itself, is all that curl and nc need', async () => {
    await withUuid(async (page, uuid) => {
      const asked = await run('sh', ['-c', here(block('sh', '"opcode":"ticket"')).replaceAll('UUID', uuid)]);
      const example = JSON.parse(block('json', '"opcode":"ticket"')) as { packets: Record<string, unknown>[] };
      const given = JSON.parse(asked.stdout) as typeof example;
      const [{ ticket }] = given.packets;
      // As README shows it, but for the ticket and its time.
      expect({ ...given, packets: given.packets.map((packet) => Object.keys(packet)) }).toEqual({
        ...example,
        packets: example.packets.map((packet) => Object.keys(packet)),
      });
      await report('60 %', String(ticket));
      const line = /`(connection\.ticket\(\))`/.exec(README)?.[1] ?? '';
      const own = await page.evaluate(`${line}.then(({ ticket }) => ticket)`);
      await report('70 %%', String(own));

      async function report(text: string, shown: string): Promise<void> {
        const command = here(block('sh', text)).replaceAll('UUID', uuid).replaceAll('TICKET', shown);
        const { stdout } = await run('sh', ['-c', command]);
        expect(stdout).toContain('{"opcode":"next","fyi":"","delivered":1');
        await shows(page, text.replace('%%', '%'));
      }
    });
  });

  withCurl('a report to a UUID that nobody has says so', async () => {
    const { stdout } = await run('sh', ['-c', here(block('sh', '"50 %"'))]);
    expect(stdout).toBe('{"opcode":"next","fyi":"","delivered":0,"packets":[]}\n');
  });

  withNc('a line client may ask by the name of its host', async () => {
    const { stdout } = await run('sh', ['-c', `printf '/php\\n{"opcode":"quit"}\\n' | nc localhost ${daemon.port}`]);
    expect(stdout).toMatch(/^\{"opcode":"ready".*\}\n\{"opcode":"next","fyi":""\}\n$/);
  });
});

/** Resolves when somebody listens on `port`. */
async function untilListening(port: number): Promise<void> {
  for (;;) {
    const answer = await fetch(`http://localhost:${port}/`).catch(() => null);
    await answer?.text();
    if (answer !== null) return;
  }
}
