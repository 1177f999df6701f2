import { once } from 'node:events';
import { connect } from 'node:net';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { makeCertificate } from '../support/certificate.ts';
import { type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { clientFrame, RawPeer } from '../support/rawpeer.ts';
import { WebPeer } from '../support/webpeer.ts';

const SLOW = `
import { Resource } from 'websock';
export default class Slow extends Resource {
  onHandshake({ query }) { if (query.has('never')) return new Promise(() => {}); }
  onData(client, message) {
    if (message === 'parse') JSON.parse('secret-payload-1234');
    if (message === 'large') for (let i = 0; i < 20; i++) client.send('x'.repeat(1 << 20));
    else client.send(message);
  }
}`;

let daemon: RunningDaemon;
afterEach(() => daemon.dispose());

async function start(ini = ''): Promise<{ port: number }> {
  daemon = await startDaemon({ ini, resources: { 'slow.js': SLOW } });
  return { port: daemon.port };
}

describe('who is waited for, and for how long', () => {
  test('a script client that sends ahead more than its send queue of echoes gets them all', async () => {
    const peer = await RawPeer.script(await start(), '/slow');
    const text = 'y'.repeat(100_000);
    for (let i = 0; i < 40; i++) peer.write(clientFrame(text));
    let nexts = 0;
    let echoes = 0;
    while (nexts < 40 || echoes < 40) {
      if ((await peer.text()) === text) echoes++;
      else nexts++;
    }
    expect([nexts, echoes]).toEqual([40, 40]);
    peer.destroy();
  });

  test('a POST whose onHandshake never settles gets 504 after handlerTimeout', async () => {
    const { port } = await start('[limits]\nhandlerTimeout=0.2');
    const answer = await fetch(`http://127.0.0.1:${port}/slow?never`, { method: 'POST', body: 'x' });
    expect(answer.status).toBe(504);
    expect(await answer.json()).toEqual({ opcode: 'close', error: 'the resource took longer than 0.2 s' });
  });

  test('a POST whose body does not come gets 408 after bodyTimeout', async () => {
    const peer = await RawPeer.open(await start('[http]\nbodyTimeout=0.2'));
    peer.write('POST /slow HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nab');
    expect(await peer.response()).toMatchObject({ status: 408, body: 'no complete body within 0.2 s\n' });
    await daemon.said(/#1 127\.0\.0\.1 HTTP: over bodyTimeout: no complete body within 0\.2 s: closed/);
    peer.destroy();
  });

  test('a POST whose answer is read slowly, but read, gets all of it', async () => {
    const { port } = await start('[limits]\nwriteTimeout=0.3\nsendQueue=64MiB');
    const socket = connect({ port, host: '127.0.0.1' });
    socket.write('POST /slow HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 5\r\n\r\nlarge');
    let length = 0;
    // Read in turns, with a pause after each: all of it takes much longer than writeTimeout.
    socket.on('data', (chunk: Buffer) => {
      length += chunk.length;
      socket.pause();
      setTimeout(() => socket.resume(), 2);
    });
    await once(socket, 'close');
    expect(length).toBeGreaterThan(20 << 20);
    expect(daemon.out).not.toContain('writeTimeout');
  });

  test('a POST whose answer is not read is cut off after writeTimeout', async () => {
    const { port } = await start('[limits]\nwriteTimeout=0.3\nsendQueue=64MiB');
    const socket = connect({ port, host: '127.0.0.1' });
    socket.on('error', () => {});
    socket.pause();
    socket.write('POST /slow HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nlarge');
    await daemon.said(/#1 127\.0\.0\.1 HTTP: over writeTimeout: too slow to read: nothing taken for 0\.3 s: closed/);
    socket.destroy();
  });

  test('a stop does not wait for who has not spoken yet on a TLS port, nor in the middle of its handshake', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'websock-tls-'));
    const { certFile, pkFile } = makeCertificate(dir, { name: 'server', hosts: ['localhost'] });
    const { port } = await start(
      `adress='wss://127.0.0.1:0'\ncertFile='${certFile}'\npkFile='${pkFile}'\n[stop]\ntimeout=86400\n[limits]\ntlsTimeout=86400`,
    );
    const silent = await RawPeer.open({ port });
    const half = await RawPeer.open({ port });
    half.write(Buffer.from([0x16, 3, 1, 1, 0]));
    // A third connection is served in between, so both have been accepted.
    await fetch(`http://127.0.0.1:${port}/`).then((answer) => answer.text());
    expect(await daemon.stop()).toBe(0);
    for (const peer of [silent, half]) {
      await peer.gone();
      peer.destroy();
    }
    rmSync(dir, { recursive: true });
  });

  test('what a resource could not parse is not quoted in the log', async () => {
    const { port } = await start();
    const peer = await WebPeer.open(`ws://127.0.0.1:${port}/slow`);
    peer.socket.send('parse');
    expect((await peer.closed).code).toBe(1011);
    await daemon.said(
      /#1 127\.0\.0\.1 \/slow: the resource failed: SyntaxError \(at Slow\.onData \(.*slow\.js:6:\d+\)\)/,
    );
    await daemon.stop();
    expect(daemon.out + JSON.stringify(daemon.logged())).not.toContain('secret-payload');
  });
});
