import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { type DaemonOptions, type RunningDaemon, spawnDaemon, startDaemon } from '../support/daemon.ts';
import { RawPeer } from '../support/rawpeer.ts';
import { SessionPeer } from '../support/sessionpeer.ts';
import { WebPeer } from '../support/webpeer.ts';

/** Counts its messages in client.data; tells what it hears in the log. */
const LAB = `import { Resource } from 'websock';
  export default class Lab extends Resource {
    onOpen(client) { client.data = { n: 0 }; }
    async onData(client, message, info) {
      const text = String(message);
      if (text === 'class') client.data = new (class Own {})();
      if (text === 'signal') { this.log('works'); await new Promise((done) => process.once('SIGUSR2', done)); }
      if (text === 'slow') { this.log('works'); return new Promise(() => {}); }
      if (text === 'binary') client.send(Buffer.from([0, 255]));
      if (text === 'headers') client.send(String(client.headers['sec-websocket-protocol']));
      if (client.data !== undefined) client.data.n++;
      client.send(info.again ? text + ' again' : text);
      return { n: client.data?.n };
    }
    onOther(client, notice) {
      if (notice.type !== 'drain') this.log(client.uuid + ' ' + JSON.stringify(notice) + ' ' + JSON.stringify(client.data));
    }
    onClose(client, code, reason) { this.log(client.uuid + ' left ' + code + ' ' + reason); }
  }`;

const daemons: RunningDaemon[] = [];
afterEach(() => Promise.all(daemons.splice(0).map((daemon) => daemon.dispose())));

async function start(options: DaemonOptions = {}): Promise<RunningDaemon> {
  const daemon = await startDaemon({ extra: { 'lab.mjs': LAB }, ...options });
  daemons.push(daemon);
  return daemon;
}

/** Another daemon in the place of one that has ended, with its ini, port and files. */
async function startAgain(before: RunningDaemon): Promise<RunningDaemon> {
  const text = readFileSync(join(before.dir, 'websock.ini'), 'utf8');
  const ini = text.replace(/^resources=.*\n/, '').replace('127.0.0.1:0', `127.0.0.1:${before.port}`);
  const daemon = spawnDaemon({ dir: before.dir, ini, args: ['--resources', join(before.dir, 'resources')] });
  daemons.push(daemon);
  await daemon.said(/Starting server\.\.\.[^]*Registered resource : \S+\n/);
  return daemon;
}

const stateOf = (daemon: RunningDaemon): string => join(daemon.dir, 'websock.state');
const at = (daemon: RunningDaemon, path: string): string => `ws://127.0.0.1:${daemon.port}${path}`;

describe('with the bundled resources', () => {
  test('what is meant for a page that is away arrives when it is back; others see no difference', async () => {
    const daemon = await start();
    const page = await SessionPeer.open(at(daemon, '/web'));
    const old = await WebPeer.open(at(daemon, '/web'));
    const script = await RawPeer.line({ port: daemon.port }, '/php');
    page.say(1, '{"opcode":"echo","n":1}');
    expect(await page.message()).toBe('{"opcode":"echo","n":1}');
    expect(await page.packet()).toEqual({ opcode: 'next', fyi: '', id: 1 });
    await page.cut();
    await daemon.said(/closed by the client: 1006 .*; its session waits/);
    const feedback = JSON.stringify({ opcode: 'feedback', uuid: page.uuid, percent: 50 });
    script.write(`${feedback}\n`);
    expect(await script.line()).toBe('{"opcode":"next","fyi":"","delivered":1}');
    const broadcast = '\n {"opcode":"broadcast"}';
    expect(await old.ask(broadcast)).toEqual({ opcode: 'next', fyi: '', delivered: 1 });
    await page.resume();
    expect(page.first).toEqual({ opcode: 'resumed', uuid: page.uuid, handled: 1, lost: 0 });
    expect(await page.message()).toBe(feedback);
    expect(await page.message()).toBe(broadcast);
    // What it sends goes to others as it is, without its header.
    page.say(2, broadcast);
    expect(await page.packet()).toEqual({ opcode: 'next', fyi: '', delivered: 1, id: 2 });
    expect(await old.text()).toBe(broadcast);
    await page.cut();
    // It is back by its own; and another one cannot be had with a uuid.
    const stranger = WebPeer.start(at(daemon, '/web'), { protocols: ['websock.2', `websock.resume.${page.uuid}.0`] });
    expect(JSON.parse(await stranger.text())).toMatchObject({ opcode: 'ready', resumed: false });
    script.destroy();
  });

  test('quit ends the session: its secret is of no use any more', async () => {
    const daemon = await start();
    const page = await SessionPeer.open(at(daemon, '/web'));
    page.say(1, '{"opcode":"quit"}');
    expect(await page.packet()).toMatchObject({ opcode: 'next', id: 1 });
    expect(await page.web.closed).toMatchObject({ code: 1000 });
    const { uuid } = page;
    await page.resume();
    expect(page.first).toMatchObject({ opcode: 'ready', resumed: false });
    expect(page.uuid).not.toBe(uuid);
  });

  test('a bad packet ends it, told by a packet of the dialog', async () => {
    const daemon = await start();
    const page = await SessionPeer.open(at(daemon, '/'));
    page.say(1, 'no JSON');
    expect(await page.packet()).toEqual({ opcode: 'close', error: 'not a valid packet: it is not JSON' });
    expect(await page.web.closed).toMatchObject({ code: 1007 });
    await page.resume();
    expect(page.first).toMatchObject({ resumed: false });
  });

  test('compressed messages are kept and sent again, too', async () => {
    const daemon = await start({ ini: '[compression]\nenabled=true\ncontextTakeover=true\n' });
    const page = await SessionPeer.open(at(daemon, '/web'), { perMessageDeflate: true });
    const long = (n: number): string => JSON.stringify({ opcode: 'echo', n, text: 'ä long text '.repeat(1000) });
    for (let id = 1; id <= 3; id++) page.say(id, long(id));
    for (let id = 1; id <= 3; id++) {
      expect(await page.message()).toBe(long(id)); // oxlint-disable-line no-await-in-loop
      await page.packet(); // oxlint-disable-line no-await-in-loop
    }
    await page.cut();
    await page.resume({ received: 1 });
    expect(page.web.socket.extensions).toContain('permessage-deflate');
    expect([await page.message(), await page.message()]).toEqual([long(2), long(3)]);
  });

  test('behind a token as well; the log has no secret of it', async () => {
    const daemon = await start({ ini: "[auth]\nmode='token'\ntokens='a-token-of-this-test'\n" });
    const url = at(daemon, '/web?token=a-token-of-this-test');
    const page = await SessionPeer.open(url);
    await page.cut();
    await daemon.said(/its session waits/);
    await expect(page.resume({ url: at(daemon, '/web') })).rejects.toThrow('401');
    await page.resume();
    expect(page.first).toMatchObject({ opcode: 'resumed' });
    await page.cut();
    expect(await daemon.stop()).toBe(0);
    const log = readFileSync(join(daemon.dir, 'log/websock.log'), 'utf8') + daemon.out;
    expect(log).not.toContain(page.session.slice(0, 16));
    expect(log).not.toContain(page.session.slice(16));
  });
});

describe('a resource', () => {
  test('hears of cuts, returns and the end, and sees nothing of the secret', async () => {
    const daemon = await start({ ini: '[dialog]\nresume=0.5\n' });
    const page = await SessionPeer.open(at(daemon, '/lab'));
    await page.cut();
    await daemon.said(new RegExp(`/lab: ${page.uuid} {"type":"detached"} {"n":0}`));
    await page.resume();
    await daemon.said(new RegExp(`/lab: ${page.uuid} {"type":"resumed","lost":0,"restarted":false} {"n":0}`));
    page.say(1, 'headers');
    expect(await page.message()).toBe('websock.2');
    await page.cut();
    await daemon.said(new RegExp(`/lab: ${page.uuid} left 1006 it did not come back within 0.5 s`));
    await page.resume();
    expect(page.first).toMatchObject({ resumed: false });
  });
});

describe('a graceful restart', () => {
  test('is survived: messages, answers and client.data are there, and what was in flight comes again, marked', async () => {
    const first = await start({ ini: '[stop]\ntimeout=0.3\ncode=1012\n' });
    const page = await SessionPeer.open(at(first, '/lab'));
    page.say(1, 'one');
    page.say(2, 'binary');
    page.say(3, '\nthree');
    page.say(4, 'slow');
    await first.said(/works/);
    expect(await page.message()).toBe('one');
    expect(await first.stop()).toBe(0);
    expect(await page.web.closed).toMatchObject({ code: 1012 });
    expect(first.out).toMatch(/Sessions kept: 1, in \S+websock\.state\n/);
    expect(first.out).not.toMatch(/left 1/);
    expect(statSync(stateOf(first)).mode & 0o777).toBe(0o600);

    const second = await startAgain(first);
    expect(second.out).toMatch(/Sessions restored: 1 of 1\n/);
    expect(existsSync(stateOf(first))).toBe(false);
    const { uuid } = page;
    await page.resume({ received: 1 });
    expect(page.first).toEqual({ opcode: 'resumed', uuid, handled: 3, lost: 0 });
    expect((await page.web.message()).data).toEqual(Buffer.from([0, 255]));
    expect([await page.message(), await page.message()]).toEqual(['binary', '\nthree']);
    await second.said(new RegExp(`${uuid} {"type":"resumed","lost":0,"restarted":true} {"n":3}`));
    page.say(1, 'one');
    page.say(3, '\nthree');
    page.say(4, 'quick');
    page.say(5, 'five');
    expect(await page.packet()).toEqual({ opcode: 'next', fyi: '', id: 1, n: 1 });
    expect(await page.packet()).toEqual({ opcode: 'next', fyi: '', id: 3, n: 3 });
    expect([await page.message(), await page.packet()]).toEqual([
      'quick again',
      { opcode: 'next', fyi: '', id: 4, n: 4 },
    ]);
    expect([await page.message(), await page.packet()]).toEqual(['five', { opcode: 'next', fyi: '', id: 5, n: 5 }]);

    // And once more; the second time nothing was in flight.
    page.count = 6;
    await second.stop();
    const third = await startAgain(first);
    await page.resume();
    expect(page.first).toMatchObject({ opcode: 'resumed', handled: 5, lost: 0 });
    await page.web.close();
    await third.said(new RegExp(`${uuid} left 1000`));
    await third.stop();
    expect(existsSync(stateOf(first))).toBe(false);
  });

  test('waits for the handler of a client that is away: it is handled once', async () => {
    const first = await start();
    const page = await SessionPeer.open(at(first, '/lab'));
    page.say(1, 'signal');
    await first.said(/works/);
    await page.cut();
    first.child.kill('SIGTERM');
    await first.said(/Stopping server/);
    first.child.kill('SIGUSR2');
    expect(await first.ended()).toBe(0);
    await startAgain(first);
    await page.resume();
    expect(page.first).toMatchObject({ opcode: 'resumed', handled: 1 });
    page.say(1, 'signal');
    expect([await page.message(), await page.packet()]).toEqual(['signal', { opcode: 'next', fyi: '', id: 1, n: 1 }]);
  });

  test('waits for nobody for longer than a cut does; and what JSON does not hold is not kept', async () => {
    const first = await start({ ini: "logLevel='debug'\n[dialog]\nresume=2\n" });
    const page = await SessionPeer.open(at(first, '/lab'));
    page.say(1, 'class');
    expect((await page.message()) === 'class' && (await page.packet()).id).toBe(1);
    await first.stop();
    expect(first.out).toMatch(/its client\.data is not kept: JSON does not hold it unchanged/);
    const second = await startAgain(first);
    await second.said(new RegExp(`${page.uuid} left 1006 it did not come back within 2 s`));
    await page.resume();
    expect(page.first).toMatchObject({ resumed: false });
  });

  test('with [dialog] stateFile empty is the end of sessions, as kill -9 always is', async () => {
    const first = await start({ ini: "[dialog]\nstateFile=''\n" });
    const page = await SessionPeer.open(at(first, '/lab'));
    const away = await SessionPeer.open(at(first, '/lab'));
    await away.cut();
    await first.said(/its session waits/);
    await first.stop();
    expect(first.out).toMatch(new RegExp(`${page.uuid} left 1001 daemon stopping`));
    expect(first.out).toMatch(new RegExp(`${away.uuid} left 1001 daemon stopping`));
    const second = await startAgain(first);
    await page.resume();
    expect(page.first).toMatchObject({ resumed: false });
    await second.stop('SIGKILL');
    const third = await startAgain(first);
    expect(third.out).not.toMatch(/Sessions restored/);
    await page.resume();
    expect(page.first).toMatchObject({ resumed: false });
    page.say(1, 'unsure', { again: true });
    expect(await page.message()).toBe('unsure again');
  });

  test('keeps no more than fits into the file, and says so', async () => {
    const first = await start({ ini: '[dialog]\nmaxState=1KiB\n' });
    const pages = [await SessionPeer.open(at(first, '/lab')), await SessionPeer.open(at(first, '/lab'))];
    for (const page of pages) page.say(1, 'x'.repeat(400));
    await Promise.all(pages.map((page) => page.message()));
    await first.stop();
    expect(first.out).toMatch(/Sessions kept: 1, in \S+; 1 are closed, or have no room in it\n/);
    expect(first.out).toMatch(new RegExp(`${pages[1].uuid} left 1001`));
    await startAgain(first);
    await Promise.all(pages.map((page) => page.resume()));
    expect(pages.map(({ first: packet }) => packet.opcode)).toEqual(['resumed', 'ready']);
  });

  test('does without a file that is damaged, and warns of a folder that cannot be written to', async () => {
    const first = await start();
    const page = await SessionPeer.open(at(first, '/lab'));
    await first.stop();
    const text = readFileSync(stateOf(first), 'utf8');
    writeFileSync(stateOf(first), text.replace('"handled":0', '"handled":-1'));
    const second = await startAgain(first);
    expect(second.out).toMatch(/WARN A session of the daemon before is not restored: its record is damaged\n/);
    expect(second.out).toMatch(/Sessions restored: 0 of 1\n/);
    await second.stop();
    writeFileSync(stateOf(first), 'something else');
    const third = await startAgain(first);
    expect(third.out).toMatch(
      /WARN \S+websock\.state is not one of this daemon, or damaged: its sessions are forgotten\n/,
    );
    expect(existsSync(stateOf(first))).toBe(false);
    await page.resume();
    expect(page.first).toMatchObject({ resumed: false });
    const lost = await start({ ini: "[dialog]\nstateFile='/nowhere/websock.state'\n" });
    expect(lost.out).toMatch(
      /WARN \S+websock\.ini line \d+, \[dialog\] stateFile: sessions will end with the daemon: ENOENT/,
    );
    const last = await SessionPeer.open(at(lost, '/lab'));
    expect(await lost.stop()).toBe(0);
    expect(lost.out).toMatch(/ERROR \/nowhere\/websock\.state cannot be written, so all sessions end: ENOENT/);
    expect(lost.out).toMatch(new RegExp(`${last.uuid} left 1001`));
  });
});
