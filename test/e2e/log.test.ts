import { readdirSync, readFileSync, readlinkSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { fixture, type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { clientFrame, RawPeer, upgradeRequest } from '../support/rawpeer.ts';
import { WebPeer } from '../support/webpeer.ts';

const daemons: RunningDaemon[] = [];
afterEach(() => Promise.all(daemons.splice(0).map((daemon) => daemon.dispose())));

async function start(options: Parameters<typeof startDaemon>[0] = {}): Promise<RunningDaemon> {
  const daemon = await startDaemon(options);
  daemons.push(daemon);
  return daemon;
}

test('no payload, key, cookie or query is in the log, whatever becomes of the client', async () => {
  const daemon = await start({
    ini: "logLevel='debug'\n[backend]\ntrustLoopback=false\n[limits]\nheadTimeout=0.3",
    env: { WEBSOCK_BACKEND_KEY: 'SECRET-key' },
    extra: { 'lab.js': fixture('resources/lab.js') },
  });
  const where = { port: daemon.port };
  const secrets = { Cookie: 'sid=SECRET-cookie', Authorization: 'Bearer SECRET-key', 'X-Token': 'SECRET-token' };
  const packet = '{"opcode":"echo","password":"SECRET-payload"}';
  const web = await WebPeer.open(`ws://127.0.0.1:${daemon.port}/web?token=SECRET-query`, { headers: secrets });
  await web.ask(packet);
  await web.text();
  web.send('SECRET-payload that is no packet');
  await web.closed;
  const script = await RawPeer.script(where, '/lab?token=SECRET-query', secrets);
  script.write(clientFrame('{"opcode":"throw","password":"SECRET-payload"}'));
  await script.packet();
  await script.closeFrame();
  script.destroy();
  const line = await RawPeer.line(where, 'GET /php?token=SECRET-query Bearer SECRET-key');
  line.write('SECRET-payload\n');
  await line.rest();
  line.destroy();
  const posts = ['', 'rubbish SECRET-payload'].map(async (prefix) => {
    const peer = await RawPeer.open(where);
    const body = prefix + packet;
    const head = `Authorization: Bearer SECRET-key\r\nCookie: SECRET-cookie\r\nContent-Length: ${body.length}`;
    peer.write(`POST /lab?token=SECRET-query HTTP/1.1\r\nHost: localhost\r\n${head}\r\n\r\n${body}`);
    await peer.response();
    peer.destroy();
  });
  // What is refused, and what never becomes a request.
  const refused = [
    upgradeRequest('/nothing?token=SECRET-query', secrets),
    upgradeRequest('/web?token=SECRET-query', { ...secrets, 'Sec-WebSocket-Version': '8' }),
    upgradeRequest('/php?token=SECRET-query', { 'Client-Type': 'php', Authorization: 'Bearer SECRET-wrong' }),
    'GET /nothing?token=SECRET-query HTTP/1.1\r\nHost: localhost\r\n\r\n',
    'PUT /php?token=SECRET-query HTTP/1.1\r\nHost: localhost\r\n\r\n',
    'GET /php?token=SECRET-query Bearer SECRET-wrong\n',
    'GET /nothing?token=SECRET-query Bearer SECRET-key\n',
    'SECRET-payload\n',
    'GET /web?token=SECRET-query HT',
    'GET /php HTTP/1.1\r\nSECRET-token without colon\r\n\r\n',
  ].map(async (request) => {
    const peer = await RawPeer.open(where);
    peer.write(request);
    await peer.rest();
    peer.destroy();
  });
  await Promise.all([...posts, ...refused]);
  expect(await daemon.stop()).toBe(0);
  const lines = daemon.logged();
  // It is all there, without the secrets.
  expect(lines.filter(({ msg }) => /refused: /.test(String(msg))).length).toBeGreaterThanOrEqual(refused.length - 1);
  expect(lines.filter(({ msg }) => /POST \/lab: /.test(String(msg)))).toHaveLength(2);
  expect(lines.filter(({ msg }) => / closed: /.test(String(msg)))).toHaveLength(3);
  expect(readFileSync(join(daemon.dir, 'log/websock.log'), 'utf8')).not.toContain('SECRET');
  expect(daemon.out).not.toContain('SECRET');
});

describe('the log', () => {
  test('names each client by socket ID, address, path and kind, and says why it was closed', async () => {
    const daemon = await start();
    const web = await WebPeer.open(`ws://127.0.0.1:${daemon.port}/web`);
    const line = await RawPeer.line({ port: daemon.port }, 'GET /php?ident=cron');
    const script = await RawPeer.script({ port: daemon.port }, '/');
    await web.ask('{"opcode":"quit"}');
    await web.closed;
    line.end();
    await line.rest();
    script.destroy();
    await daemon.said(/#3 127\.0\.0\.1 \/ closed by the client: 1006/);
    expect(await daemon.stop()).toBe(0);
    for (const text of [
      '#1 127.0.0.1 /web websocket ws: open',
      '#2 127.0.0.1 /php tcp tcp ident cron: open',
      '#3 127.0.0.1 / tcp tcp: open',
      '#1 127.0.0.1 /web closed: 1000 quit',
      '#2 127.0.0.1 /php closed by the client: 1000 the client has ended',
    ]) {
      expect(daemon.out).toContain(`; ${text}\n`);
    }
    const lines = daemon.logged();
    expect(lines).toContainEqual({
      level: 'info',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      id: 1,
      ip: '127.0.0.1',
      path: '/web',
      kind: 'websocket',
      scheme: 'ws',
      msg: '#1 127.0.0.1 /web websocket ws: open',
    });
    expect(lines).toContainEqual(expect.objectContaining({ id: 1, code: 1000, reason: 'quit' }));
    expect(lines.at(-1)).toMatchObject({ msg: 'Server stopped' });
  });

  test('no client can forge a line of it', async () => {
    const daemon = await start();
    const peer = await RawPeer.open({ port: daemon.port });
    peer.write('GET /a\u001b[31m\u0085b\u2028c HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await peer.rest();
    const line = await RawPeer.open({ port: daemon.port });
    line.write('GET /x\u001b]0;title\u0007\n');
    await line.rest();
    line.destroy();
    peer.destroy();
    await daemon.said(/refused: 4404/);
    // oxlint-disable-next-line no-control-regex
    expect(daemon.out).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029]/);
  });

  test('rotate=external: after the file was renamed and SIGHUP, the lines go to a new one, and none is lost', async () => {
    const daemon = await start({ ini: "logfile='ws.log'\n[log]\nrotate='external'" });
    const [old, current] = ['ws.log.1', 'ws.log'].map((name) => join(daemon.dir, name));
    const before = await WebPeer.open(`ws://127.0.0.1:${daemon.port}/`);
    await daemon.said(/#1 .*: open/);
    renameSync(current, old);
    const between = await WebPeer.open(`ws://127.0.0.1:${daemon.port}/`);
    await daemon.said(/#2 .*: open/);
    daemon.child.kill('SIGHUP');
    await daemon.said(/SIGHUP: the log is opened again/);
    const after = await WebPeer.open(`ws://127.0.0.1:${daemon.port}/`);
    await Promise.all([before, between, after].map((peer) => peer.close()));
    expect(await daemon.stop()).toBe(0);
    const texts = (name: string): string[] => daemon.logged(name).map(({ msg }) => String(msg));
    expect(texts('ws.log.1')[0]).toMatch(/^websock \d/);
    expect(texts('ws.log').at(-1)).toBe('Server stopped');
    expect(texts('ws.log').filter((text) => /^#3 .*: open$/.test(text))).toHaveLength(1);
    // What was waiting to be written when the signal came may be in the one or in the other.
    const all = [...texts('ws.log.1'), ...texts('ws.log')];
    const opened = all.filter((text) => text.endsWith(': open')).map((text) => text.slice(0, 2));
    expect(opened).toEqual(['#1', '#2', '#3']);
    expect(all.filter((text) => / closed by the client: 1000/.test(text))).toHaveLength(3);
  });

  test('rotate=internal: the name leads to the current one of the numbered files', async () => {
    const daemon = await start({ ini: "logfile='ws.log'\n[log]\nmaxSize=1KiB\nkeep=2" });
    for (let i = 0; i < 20; i++) {
      await (await WebPeer.open(`ws://127.0.0.1:${daemon.port}/`)).close();
    }
    expect(await daemon.stop()).toBe(0);
    const numberOf = (name: string): number => Number(/\.(\d+)\.log$/.exec(name)?.[1]);
    const files = readdirSync(daemon.dir)
      .filter((name) => name.startsWith('ws.') && name !== 'ws.log')
      .toSorted((a, b) => numberOf(a) - numberOf(b));
    expect(readlinkSync(join(daemon.dir, 'ws.log'))).toBe(files.at(-1));
    // Its last line may have filled a file: then the current one is empty.
    expect(files.flatMap((name) => daemon.logged(name)).at(-1)).toMatchObject({ msg: 'Server stopped' });
    expect(files.length).toBeGreaterThan(1);
    expect(files.length).toBeLessThanOrEqual(3);
  });

  test('a file that cannot be written is said once on stderr, and clients are served', async () => {
    const daemon = await start({ ini: "logfile='websock.ini/x.log'" });
    const web = await WebPeer.open(`ws://127.0.0.1:${daemon.port}/`);
    await web.nothingElse();
    await web.close();
    expect(await daemon.stop()).toBe(0);
    expect(daemon.err.split('\n')).toHaveLength(2);
    expect(daemon.err).toMatch(/^websock: .*x\.log/);
  });

  test('a console that nobody reads any more does not stop the daemon', async () => {
    const daemon = await start();
    daemon.child.stdout?.destroy();
    const first = await WebPeer.open(`ws://127.0.0.1:${daemon.port}/`);
    await first.close();
    const web = await WebPeer.open(`ws://127.0.0.1:${daemon.port}/`);
    await web.nothingElse();
    await web.close();
    expect(await daemon.stop()).toBe(0);
    expect(daemon.logged().at(-1)).toMatchObject({ msg: 'Server stopped' });
  });
});
