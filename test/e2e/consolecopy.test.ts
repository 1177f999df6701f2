import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect } from '@jest/globals';
import { asCurl, asNc, asPhp } from '../../src/console/copy.js';
import { makeCertificate } from '../support/certificate.ts';
import { openChromium } from '../support/chromium.ts';
import { run } from '../support/commands.ts';
import { type ConsoleColumn, openConsole } from '../support/consolepage.ts';
import { type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { withProgram } from '../support/program.ts';

const withCurl = withProgram('curl', 'curl');
const withNc = withProgram('nc', 'netcat-openbsd');
const withPhp = withProgram('php', 'php-cli');
const KEY = 'correct:horse-battery';
/** Everything that a shell or PHP would take for something else. */
const AWKWARD = JSON.stringify({ opcode: 'echo', message: 'it\'s 100 % $HOME `id` \\ " \n ü 😀 @x' });

let browser: Awaited<ReturnType<typeof openChromium>> | undefined;
let daemon: RunningDaemon;
let keyed: RunningDaemon;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'websock-console-'));
  [daemon, keyed] = await Promise.all([
    startDaemon(),
    startDaemon({ ini: '[backend]\ntrustLoopback=false', env: { WEBSOCK_BACKEND_KEY: KEY } }),
  ]);
  // Where it is missing, the tests are skipped or fail by themselves.
  browser = await openChromium().catch(() => undefined);
}, 60_000);

afterAll(async () => {
  await browser?.close();
  await Promise.all([daemon.dispose(), keyed.dispose()]);
  rmSync(folder, { recursive: true });
});

/** Gives a column of the console at `resource` to `use`. */
async function withColumn(
  at: RunningDaemon,
  resource: string,
  use: (column: ConsoleColumn) => Promise<void>,
): Promise<void> {
  const credentials = at === keyed ? `me:${encodeURIComponent(KEY)}@` : '';
  const { page, column, complaints } = await openConsole(browser, at, { credentials });
  const first = column(1);
  await first.root.getByLabel('Resource').selectOption({ label: resource });
  await use(first);
  expect(complaints).toEqual([]);
  await page.close();
}

/** Writes a message, copies it as a command, and runs that as it is. @returns what it prints. */
async function copied(column: ConsoleColumn, as: 'curl' | 'nc' | 'PHP', kind: string, text: string): Promise<string> {
  await column.root.getByRole('radio', { name: kind, exact: true }).check();
  await column.message.fill(text);
  await column.button(as).click();
  const command = await column.root.getByLabel('Command', { exact: true }).innerText();
  const env = { ...process.env, WEBSOCK_KEY: KEY };
  const file = join(folder, 'copied.php');
  writeFileSync(file, command);
  const { code, stdout, stderr } =
    as === 'PHP' ? await run('php', [file], '', { env }) : await run('sh', ['-c', command], '', { env });
  expect([code, as === 'PHP' ? stderr : '']).toEqual([0, '']);
  return stdout;
}

const answered = (packet: unknown): string => `{"opcode":"next","fyi":"","packets":[${String(packet)}]}\n`;

describe('what is copied runs as it is', () => {
  withCurl('as curl: packets, text, binary', async () => {
    await withColumn(daemon, '/', async (column) => {
      expect(await copied(column, 'curl', 'Echo', AWKWARD)).toBe(answered(AWKWARD));
      expect(await copied(column, 'curl', 'Binary', Buffer.from(AWKWARD).toString('hex'))).toBe(answered(AWKWARD));
      expect(await copied(column, 'curl', 'Text', "@it's & no=packet")).toBe(
        '{"opcode":"close","error":"not a valid packet: it is not JSON"}\n',
      );
    });
  });

  withNc('as nc: one line', async () => {
    await withColumn(daemon, '/php — by POST', async (column) => {
      const lines = (await copied(column, 'nc', 'Echo', AWKWARD)).split('\n');
      expect(lines.slice(1)).toEqual([AWKWARD, '{"opcode":"next","fyi":""}', '{"opcode":"next","fyi":""}', '']);
      await column.root.getByRole('radio', { name: 'Text', exact: true }).check();
      await column.message.fill('two\nlines');
      await column.button('nc').click();
      await column.root.getByText('Not this way: a message on one line cannot hold a line end.').waitFor();
    });
  });

  withPhp('as PHP: packets, binary', async () => {
    await withColumn(daemon, '/', async (column) => {
      expect(await copied(column, 'PHP', 'Echo', AWKWARD)).toBe(answered(AWKWARD));
      expect(await copied(column, 'PHP', 'Binary', Buffer.from(AWKWARD).toString('hex'))).toBe(answered(AWKWARD));
    });
  });

  withCurl('from a resource for browsers alone, to another of its app', async () => {
    await withColumn(daemon, '/web', async (column) => {
      expect(await copied(column, 'curl', 'Echo', '{"opcode":"echo"}')).toBe(answered('{"opcode":"echo"}'));
      await column.root.getByText('By /, for /web is for browsers alone.').waitFor();
    });
  });

  withPhp('with TLS, by who trusts the certificate', async () => {
    const { certFile, pkFile } = makeCertificate(folder);
    const secure = await startDaemon({ ini: `adress='wss://127.0.0.1:0'\ncertFile='${certFile}'\npkFile='${pkFile}'` });
    try {
      const target = { secure: true, host: `127.0.0.1:${secure.port}`, path: '/php', query: '', key: false };
      const env = { ...process.env, CURL_CA_BUNDLE: certFile, SSL_CERT_FILE: certFile };
      const outputOf = async (made: ReturnType<typeof asCurl>, program: string, ...args: string[]): Promise<string> =>
        'why' in made ? made.why : (await run(program, [...args, made.command], '', { env })).stdout;
      expect(await outputOf(asCurl(target, AWKWARD), 'sh', '-c')).toBe(answered(AWKWARD));
      expect(await outputOf(asNc(target, AWKWARD), 'sh', '-c')).toContain(`\n${AWKWARD}\n{"opcode":"next","fyi":""}\n`);
      const php = asPhp(target, AWKWARD);
      if ('command' in php) php.command = php.command.replace('<?php', '');
      expect(await outputOf(php, 'php', '-r')).toBe(answered(AWKWARD));
    } finally {
      await secure.dispose();
    }
  });

  withPhp('where the key is asked for, with the key of the environment', async () => {
    await withColumn(keyed, '/php — by POST', async (column) => {
      const echo = '{"opcode":"echo"}';
      expect(await copied(column, 'curl', 'Echo', echo)).toBe(answered(echo));
      expect(await copied(column, 'PHP', 'Echo', echo)).toBe(answered(echo));
      expect(await copied(column, 'nc', 'Echo', echo)).toContain(`${echo}\n{"opcode":"next","fyi":""}\n`);
    });
  });
});
