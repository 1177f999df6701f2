import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { run } from '../support/commands.ts';
import { ROOT, type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { clientFrame, RawPeer, upgradeRequest } from '../support/rawpeer.ts';
import { WebPeer } from '../support/webpeer.ts';

// Nobody who says something to the daemon writes to its log, or to the terminal that it is read in.

/** What starts a line, steers a terminal, or turns text around; and what would be the forged line. */
const EVIL = '\r\nFORGED \u001b[2J\u001b]0;title\u0007\u0085\u009b31m\u2028\u2029\u202e\u2066\u200f\u061c\0\b\u007f';
const ESCAPED =
  '\\x0d\\x0aFORGED \\x1b[2J\\x1b]0;title\\x07\\x85\\x9b31m\\u2028\\u2029\\u202e\\u2066\\u200f\\u061c\\x00\\x08\\x7f';
/** The same, as far as a line and an HTTP head can hold it. */
const IN_LINE = EVIL.replace('\r\n', '')
  .replace(' ', '')
  .replaceAll(/[\0\b\u007f]/g, '');
const IN_HEAD = IN_LINE.replaceAll('\u001b', '').replaceAll('\u0007', '');
const UNSAFE =
  // oxlint-disable-next-line no-control-regex
  /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffd]/u;

const TALKER = `
import { Resource } from 'websock';
const EVIL = ${JSON.stringify(EVIL)};
export default class Talker extends Resource {
  static path = '/talker';
  onHandshake({ query }) {
    if (query.has('refuse')) return { status: 403, body: 'no: ' + EVIL };
    if (query.has('fail')) throw new Error('failed: ' + EVIL);
    if (query.has('header')) return { headers: { ['X' + EVIL]: 'a' } };
    return { ident: query.get('name') ?? '' };
  }
  onData(client, message) {
    const what = String(message);
    if (what === 'log') this.log('logged: ' + EVIL + '\\ud800 end');
    if (what === 'throw') throw new Error('thrown: ' + EVIL);
    if (what === 'coded') throw Object.assign(new Error('coded: ' + EVIL), { closeCode: 1008 });
    if (what === 'close') client.close(4000, 'closed: ' + EVIL);
    if (what === 'name') { const e = new Error('named'); e.name = EVIL; e.stack = EVIL + '\\n    at ' + EVIL; throw e; }
    if (what === 'stray') setTimeout(() => { throw new Error('stray: ' + EVIL); });
    if (what === 'reject') void Promise.reject(EVIL);
    if (what === 'long') this.log('x'.repeat(1_000_000));
  }
}`;

let daemon: RunningDaemon;
let where: { port: number };

beforeAll(async () => {
  daemon = await startDaemon({
    ini: "logLevel='debug'\n[security]\nwebIdent=true\ntrustedProxies='127.0.0.1'\n[backend]\nallowed='127.0.0.1,192.0.2.0/24'",
    extra: {
      'talker.mjs': TALKER,
      // Whoever may write here is trusted; but a name is a name.
      'a\u001b[31m\nFORGED\u202e.mjs': 'export default 1;',
      'path.mjs': `import { Resource } from 'websock'; export default class extends Resource { static path = '/p\\u001b[2J\\u202e'; }`,
    },
  });
  where = { port: daemon.port };
});
afterAll(() => daemon.dispose());

/** Sends it all, and waits until the connection has ended. */
async function send(bytes: string | Buffer): Promise<string> {
  const peer = await RawPeer.open(where);
  peer.end(bytes);
  const answer = await peer.rest();
  peer.destroy();
  return answer;
}
const utf8 = (text: string): Buffer => Buffer.from(text);
const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');

async function say(message: string, path = '/talker'): Promise<WebPeer> {
  const web = await WebPeer.open(`ws://127.0.0.1:${daemon.port}${path}`);
  web.send(message);
  return web;
}

test('nothing that a client or a resource says steers the terminal, or is a line of its own', async () => {
  const name = encodeURIComponent(EVIL);
  const answers = await Promise.all([
    // paths
    send(utf8(`GET /${IN_LINE}\n`)),
    send(utf8(`GET /${IN_HEAD} HTTP/1.1\r\nHost: localhost\r\n\r\n`)),
    send(utf8(`POST /${IN_HEAD} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n`)),
    send(utf8(upgradeRequest(`/${IN_HEAD}`, { 'Client-Type': 'php' }))),
    send(utf8(upgradeRequest(`/${IN_HEAD}`, { 'Sec-WebSocket-Version': '7' }))),
    // headers
    send(latin1(upgradeRequest('/web', { Origin: `http://\u009b\u0085FORGED.example` }))),
    send(latin1(upgradeRequest('/web', { Host: `\u009b\u0085FORGED` }))),
    send(latin1(upgradeRequest('/web', { Host: `localhost`, 'X-Forwarded-For': `\u009b\u0085FORGED` }))),
    send(latin1(`POST /php HTTP/1.1\r\nHost: localhost\r\nOrigin: \u009bFORGED\r\nContent-Length: 0\r\n\r\n`)),
    send(latin1(`OPTIONS /php HTTP/1.1\r\nHost: localhost\r\nOrigin: \u009bFORGED\r\n\r\n`)),
    send(latin1(upgradeRequest('/web', { 'Sec-WebSocket-Protocol': `\u009bFORGED` }))),
    send(latin1(`GET /web HTTP/1.1\r\nHost: localhost\r\nX\u001b[2J: a\r\n\r\n`)),
    send(latin1(`${EVIL}\n`)),
    send(latin1(`BREW /\u001b[2J HTTP/1.1\r\n\r\n`)),
    // what a resource answers
    send(upgradeRequest('/talker?refuse')),
    send(upgradeRequest('/talker?fail')),
    send('GET /talker?refuse\n'),
    send('POST /talker?refuse HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 192.0.2.9\r\nContent-Length: 0\r\n\r\n'),
  ]);
  // What an answer repeats in plain text is as it is in the log: curl prints it on a terminal.
  for (const answer of answers.filter((text) => text.startsWith('HTTP/') && text.includes('text/plain'))) {
    expect(answer.slice(answer.indexOf('\r\n\r\n') + 4)).toMatch(/^[^\r\n]+\n$/);
    expect(answer.slice(answer.indexOf('\r\n\r\n') + 4)).not.toMatch(UNSAFE);
  }

  const headed = WebPeer.start(`ws://127.0.0.1:${daemon.port}/talker?header`);
  await headed.packet();
  // idents, by query and by header, and the reason of a Close frame
  const named = await say('log', `/talker?name=${name}`);
  await named.packet();
  const script = await RawPeer.script(where, `/php?ident=${name}`, {});
  script.destroy();
  const header = await RawPeer.script(where, '/php', {});
  header.write(clientFrame(Buffer.concat([Buffer.from([0x0f, 0xa0]), Buffer.from(EVIL)]), 8));
  await header.gone();
  header.destroy();
  for (const what of ['throw', 'coded', 'close', 'name']) await (await say(what)).closed;
  const strays = [await say('stray'), await say('reject'), await say('long')];
  await daemon.said(/ERROR nobody caught this error: stray: /);
  await daemon.said(/ERROR nobody caught this error: \\x0d\\x0aFORGED/);
  await daemon.said(/\/talker: xxx/);
  for (const web of [headed, named, ...strays]) web.socket.terminate();
  expect(await daemon.stop()).toBe(0);

  // It was all said, escaped.
  for (const text of [
    `logged: ${ESCAPED}\\ud800 end`,
    `the resource failed: thrown: ${ESCAPED} (at `,
    `closed: 1008 coded: ${ESCAPED}`,
    `closed: 4000 closed: ${ESCAPED}`,
    `closed by the client: 4000 ${ESCAPED}`,
    `onHandshake failed: failed: ${ESCAPED}`,
    `nobody caught this error: stray: ${ESCAPED}`,
    `ident ${ESCAPED}: open`,
    `headers left out of the 101, invalid or too long: X${ESCAPED}`,
    'Resource refused : ',
    'Registered resource : /p\\x1b[2J\\u202e',
    "the host '\\x9b\\x85FORGED' is not served",
    'pages of http://\\x9b\\x85FORGED.example are not allowed',
  ]) {
    expect(daemon.out).toContain(text);
  }
  const file = readFileSync(join(daemon.dir, 'log/websock.log'), 'utf8');
  for (const text of [daemon.out, file]) {
    expect(UNSAFE.exec(text)?.[0]).toBeUndefined();
    expect(text).not.toMatch(/^FORGED/m);
    expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThan(10_000);
  }
  // Each line begins as one of ours does.
  expect(
    daemon.out.split('\n').filter((line) => !/^(?:\w{3}, \d\d \w{3} \d{4} [\d:]{8} [+-]\d{4}; |$)/.test(line)),
  ).toEqual([]);
  const lines = daemon.logged();
  expect(lines.every(({ level, time }) => level !== undefined && time !== undefined)).toBe(true);
  for (const { stack, ...fields } of lines) {
    for (const value of Object.values(fields)) expect(String(value)).not.toContain('\n');
    expect(JSON.stringify(stack) ?? '').not.toMatch(/(?:\\n|")FORGED/);
  }
});

test('nor what is said before there is a log: an ini, the command line, a resource that cannot be loaded', async () => {
  const dist = join(ROOT, 'dist/run.js');
  for (const args of [
    [`--logLevel=${EVIL.replaceAll('\0', '')}`],
    [EVIL.replaceAll('\0', '')],
    [`--${EVIL.replaceAll('\0', '')}=1`],
    ['--config', EVIL.replaceAll('\0', '')],
    ['--resources', EVIL.replaceAll('\0', '')],
    ['--config', join(daemon.dir, 'websock.ini'), '--check'],
  ]) {
    const { stdout, stderr, code } = await run(process.execPath, [dist, ...args], '', { cwd: daemon.dir });
    expect(code).toBe(2);
    expect(stderr).not.toBe('');
    expect(UNSAFE.exec(stdout + stderr)?.[0]).toBeUndefined();
    expect(stdout + stderr).not.toMatch(/^FORGED/m);
  }
});

test('a long text has its end cut off', async () => {
  expect(daemon.out).toMatch(/\/talker: x{8000,8192}…\n/);
});

test('what is secret in a target is not logged: a query, whoever asks and however, and a user’s name and password', async () => {
  const other = await startDaemon({ ini: "logLevel='debug'" });
  try {
    const at = { port: other.port };
    for (const request of [
      upgradeRequest('/web?token=SECRET'),
      upgradeRequest('/web?token=SECRET', { 'Client-Type': 'php' }),
      upgradeRequest('/nothing?token=SECRET'),
      upgradeRequest('http://user:SECRET@localhost/web?token=SECRET'),
      upgradeRequest('/web', { Host: 'user:SECRET@localhost' }),
      upgradeRequest('/web?token=SECRET', {
        Cookie: 'PHPSESSID=SECRET',
        Authorization: 'Bearer SECRET',
        Origin: 'null',
      }),
      'GET http://user:SECRET@localhost/web?token=SECRET HTTP/1.1\r\nHost: localhost\r\n\r\n',
      'POST /php?token=SECRET HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic SECRET\r\nContent-Length: 0\r\n\r\n',
      'OPTIONS /php?token=SECRET HTTP/1.1\r\nHost: localhost\r\n\r\n',
      'GET /php?token=SECRET Bearer SECRET\n',
      'GET /nothing?token=SECRET Bearer SECRET\n',
    ]) {
      const peer = await RawPeer.open(at);
      peer.end(request);
      await peer.rest();
      peer.destroy();
    }
    expect(await other.stop()).toBe(0);
    expect(other.out).not.toContain('SECRET');
    expect(readFileSync(join(other.dir, 'log/websock.log'), 'utf8')).not.toContain('SECRET');
    expect(other.out.match(/refused: |: open\n/g)?.length).toBeGreaterThanOrEqual(8);
  } finally {
    await other.dispose();
  }
});
