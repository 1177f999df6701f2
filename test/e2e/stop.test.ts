import { afterEach, describe, expect, test } from '@jest/globals';
import { connect } from 'node:net';
import { once } from 'node:events';
import { type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { clientFrame, RawPeer, upgradeRequest } from '../support/rawpeer.ts';
import { WebPeer } from '../support/webpeer.ts';

const CLOSE = '{"opcode":"close","error":"daemon stopping"}';
/** Handlers end when the process gets SIGUSR2. */
const SLOW = `import { Resource } from 'websock';
  const open = new Set();
  process.on('SIGUSR2', () => { for (const done of open) done(); });
  export default class Slow extends Resource {
    onData(client, message) {
      if (message === 'quick') return { quick: true };
      this.log('works on ' + message);
      if (message === 'never') return new Promise(() => {});
      return new Promise((resolve) => open.add(() => {
        client.send('result of ' + message);
        resolve({ done: message });
      }));
    }
  }`;

const daemons: RunningDaemon[] = [];
afterEach(() => Promise.all(daemons.splice(0).map((daemon) => daemon.dispose())));

async function start(ini = ''): Promise<RunningDaemon> {
  const daemon = await startDaemon({ ini, extra: { 'slow.mjs': SLOW } });
  daemons.push(daemon);
  return daemon;
}

describe('a stop', () => {
  test('lets handlers in flight finish: their next goes out, then the close packet, the Close frame, the FIN', async () => {
    const daemon = await start();
    const where = { port: daemon.port };
    const web = await WebPeer.open(`ws://127.0.0.1:${daemon.port}/slow`);
    const script = await RawPeer.script(where, '/slow');
    const line = await RawPeer.line(where, '/slow');
    const post = await RawPeer.open(where);
    web.send('web');
    // What was sent ahead is not begun any more.
    web.send('quick');
    script.write(clientFrame('script'));
    line.write('line\nquick\n');
    post.write('POST /slow HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\npost');
    await Promise.all(['web', 'script', 'line', 'post'].map((name) => daemon.said(new RegExp(`works on ${name}`))));
    const from = daemon.out.length;
    daemon.child.kill('SIGTERM');
    await daemon.said(/Stopping server, connections: 4/, from);
    daemon.child.kill('SIGUSR2');

    expect(await web.text()).toBe('result of web');
    expect(await web.text()).toBe('{"opcode":"next","fyi":"","done":"web"}');
    expect(await web.text()).toBe(CLOSE);
    expect(await web.closed).toEqual({ code: 1001, reason: 'daemon stopping' });
    expect(web.waiting).toBe(0);

    expect(await script.text()).toBe('{"opcode":"next","fyi":"","done":"script"}');
    expect(await script.text()).toBe('result of script');
    expect(await script.text()).toBe(CLOSE);
    expect(await script.closeFrame()).toEqual({ code: 1001, reason: 'daemon stopping' });
    script.end();

    expect(await line.rest()).toBe(`result of line\n{"opcode":"next","fyi":"","done":"line"}\n${CLOSE}\n`);
    line.end();

    const { status, head, body } = await post.response();
    expect([status, body]).toEqual([200, '{"opcode":"next","fyi":"","done":"post","packets":["result of post"]}\n']);
    expect(head).toMatch(/^connection: close\r$/im);
    expect(await post.rest()).toBe('');
    post.end();

    expect(await daemon.ended()).toBe(0);
    expect(daemon.out).toMatch(/; Server stopped\n$/);
    expect(daemon.out).not.toMatch(/did not end within/);
  });

  test('closes those who are idle at once, and takes no more', async () => {
    const daemon = await start();
    const where = { port: daemon.port };
    const busy = await RawPeer.line(where, '/slow');
    busy.write('busy\n');
    await daemon.said(/works on busy/);
    const web = await WebPeer.open(`ws://127.0.0.1:${daemon.port}/slow`);
    const script = await RawPeer.script(where, '/php');
    const line = await RawPeer.line(where, '/php');
    const kept = await RawPeer.open(where);
    kept.write('POST /php HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n');
    expect((await kept.response()).status).toBe(200);
    const silent = await RawPeer.open(where);
    const half = await RawPeer.open(where);
    half.write(upgradeRequest('/web').slice(0, 40));
    // Each of these takes a turn of the daemon's loop: behind them, it has accepted and read what came before.
    for (let i = 0; i < 5; i++) {
      line.write('{"opcode":"x"}\n');
      await line.line();
    }
    daemon.child.kill('SIGTERM');

    expect(await web.text()).toBe(CLOSE);
    expect(await web.closed).toMatchObject({ code: 1001 });
    expect(await script.text()).toBe(CLOSE);
    expect(await script.closeFrame()).toMatchObject({ code: 1001 });
    expect(await line.rest()).toBe(`${CLOSE}\n`);
    expect(await kept.rest()).toBe('');
    await silent.gone();
    expect(await half.response()).toMatchObject({ status: 503, body: 'the daemon is stopping\n' });
    const late = connect(daemon.port, '127.0.0.1');
    const [error] = (await once(late, 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ECONNREFUSED');

    for (const peer of [script, line, kept, silent, half]) peer.destroy();
    daemon.child.kill('SIGUSR2');
    expect(await busy.rest()).toContain('"done":"busy"');
    busy.destroy();
    expect(await daemon.ended()).toBe(0);
  });

  test('with [stop] code=1012 it announces its return', async () => {
    const daemon = await start('[stop]\ncode=1012');
    const web = await WebPeer.open(`ws://127.0.0.1:${daemon.port}/slow`);
    const line = await RawPeer.line({ port: daemon.port }, '/php');
    daemon.child.kill('SIGINT');
    expect(await web.text()).toBe('{"opcode":"close","error":"daemon restarting"}');
    expect(await web.closed).toEqual({ code: 1012, reason: 'daemon restarting' });
    expect(await line.rest()).toBe('{"opcode":"close","error":"daemon restarting"}\n');
    line.destroy();
    expect(await daemon.ended()).toBe(0);
  });

  test('after [stop] timeout it cuts off whoever is left, and ends with 0', async () => {
    const daemon = await start('[stop]\ntimeout=0.3');
    const web = await WebPeer.open(`ws://127.0.0.1:${daemon.port}/slow`);
    const post = await RawPeer.open({ port: daemon.port });
    web.send('never');
    post.write('POST /slow HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nnever');
    await daemon.said(/works on never[^]*works on never/);
    expect(await daemon.stop()).toBe(0);
    expect(daemon.out).toMatch(/WARN 2 connections did not end within \[stop\] timeout = 0\.3 s: cut off\n/);
    expect(daemon.out).toMatch(/; Server stopped\n$/);
    expect(await web.closed).toMatchObject({ code: 1001 });
    expect(await post.rest()).toBe('');
    post.destroy();
  });

  test('a second signal ends it at once', async () => {
    const daemon = await start('[stop]\ntimeout=86400\n[limits]\nhandlerTimeout=86400');
    const web = await WebPeer.open(`ws://127.0.0.1:${daemon.port}/slow`);
    web.send('never');
    await daemon.said(/works on never/);
    daemon.child.kill('SIGTERM');
    await daemon.said(/Stopping server/);
    daemon.child.kill('SIGINT');
    expect(await daemon.ended()).toBe(1);
    expect(daemon.logged().at(-1)).toMatchObject({ msg: 'SIGINT again: exiting at once' });
    expect(await web.closed).toMatchObject({ code: 1006 });
  });
});
