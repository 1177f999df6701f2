import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { makeCertificate } from '../support/certificate.ts';
import { fixture, type RunningDaemon, startDaemon, temporaryFolder } from '../support/daemon.ts';
import { clientFrame, RawPeer, upgradeRequest } from '../support/rawpeer.ts';
import { WebPeer } from '../support/webpeer.ts';

const NEXT = '{"opcode":"next","fyi":""}';

let daemon: RunningDaemon;
let ca: string;

beforeAll(async () => {
  const dir = temporaryFolder();
  const { certFile, pkFile } = makeCertificate(dir, { name: 'localhost', hosts: ['localhost', '127.0.0.1'] });
  const wordy = `import { Resource } from 'websock';
    export default class Wordy extends Resource {
      onHandshake() {
        return { headers: { 'X-Short': 'kept', 'X-Long': 'x'.repeat(900), 'X-Bad': 'a\\r\\nSet-Cookie: b' } };
      }
    }`;
  daemon = await startDaemon({
    dir,
    ini: `adress='ws://127.0.0.1:0,wss://127.0.0.1:0'\ncertFile='${certFile}'\npkFile='${pkFile}'`,
    extra: { 'lab.js': fixture('resources/lab.js'), 'wordy.ts': wordy },
  });
  ca = readFileSync(certFile, 'utf8');
});

afterAll(() => daemon.dispose());

async function handshake(path: string, headers: Record<string, string>): Promise<RawPeer> {
  const peer = await RawPeer.open({ port: daemon.port });
  peer.write(upgradeRequest(path, headers));
  return peer;
}

describe('the opening on a plain listener', () => {
  test.each([
    ['Client-Type: php', '/', { 'Client-Type': 'php' }],
    ['Client-Type: TCP', '/php', { 'Client-Type': 'TCP' }],
    ['an Origin beside its Client-Type', '/php', { 'Client-Type': 'php', Origin: 'http://elsewhere.example' }],
    ['no Client-Type, at a resource for scripts alone', '/php', {}],
    ['an empty Origin, at a resource for scripts alone', '/php', { Origin: ' ' }],
  ])('%s: the 101 and ready are exactly 1024 bytes each', async (_, path, headers) => {
    const peer = await handshake(path, headers);
    const first = (await peer.take(1024)).toString('latin1');
    expect(first).toMatch(/^HTTP\/1\.1 101 Switching Protocols\r\n/);
    expect(first.indexOf('\r\n\r\n')).toBe(1020);
    expect(first).toMatch(/\r\nConnection: Upgrade\r\n/);
    expect(first).toMatch(/\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/);
    const ready = await peer.take(1024);
    expect([...ready.subarray(0, 4)]).toEqual([0x81, 126, 1020 >> 8, 1020 & 255]);
    expect(ready.toString('utf8', 4)).toMatch(/^\{"opcode":"ready","uuid":"[0-9a-f-]{36}"\} +$/);
    peer.write(clientFrame('{"opcode":"quit"}'));
    expect(await peer.text()).toBe(NEXT);
    expect(await peer.closeFrame()).toEqual({ code: 1000, reason: 'quit' });
    peer.destroy();
  });

  test('an unknown path: the close packet is padded as ready is, and a Close frame follows', async () => {
    const peer = await handshake('/nothing', { 'Client-Type': 'php' });
    await peer.take(1024);
    const first = await peer.take(1024);
    expect(first.toString('utf8', 4).trimEnd()).toBe('{"opcode":"close","error":"no such resource: /nothing"}');
    expect(await peer.closeFrame()).toMatchObject({ code: 4404 });
    peer.destroy();
  });

  test('an unknown path of 2,000 characters: still 1024 bytes', async () => {
    const peer = await handshake(`/${'n'.repeat(2000)}`, { 'Client-Type': 'php' });
    await peer.take(1024);
    const first = await peer.frame();
    expect(first.size).toBe(1024);
    expect(JSON.parse(first.payload.toString())).toMatchObject({ opcode: 'close' });
    expect(await peer.closeFrame()).toMatchObject({ code: 4404 });
    peer.destroy();
  });

  test('headers of the resource that do not fit are left out, and the log names them', async () => {
    const from = daemon.out.length;
    const peer = await handshake('/wordy', { 'Client-Type': 'php' });
    const head = (await peer.take(1024)).toString('latin1');
    expect(head).toMatch(/\r\nX-Short: kept\r\n/);
    expect(head).not.toMatch(/X-Long|X-Bad|Set-Cookie/);
    expect(head.endsWith('\r\n\r\n')).toBe(true);
    await daemon.said(/WARN .*headers left out of the 101.*: X-Long, X-Bad\n/, from);
    peer.destroy();
  });

  test('a first frame that comes along with the handshake is answered', async () => {
    const peer = await RawPeer.open({ port: daemon.port });
    const request = Buffer.from(upgradeRequest('/php', { 'Client-Type': 'php' }));
    peer.write(Buffer.concat([request, clientFrame('{"opcode":"x"}')]));
    await peer.take(2048);
    expect(await peer.text()).toBe(NEXT);
    peer.destroy();
  });
});

test('with TLS, the 101 and ready are two records, unpadded', async () => {
  const peer = await RawPeer.open({ port: daemon.ports[1], ca });
  const records: string[] = [];
  peer.socket.on('data', (chunk: Buffer) => records.push(chunk.toString()));
  peer.write(upgradeRequest('/php', { 'Client-Type': 'php' }));
  expect(await peer.head()).not.toMatch(/X-Pad/);
  expect(await peer.text()).toMatch(/^\{"opcode":"ready","uuid":"[0-9a-f-]{36}"\}$/);
  expect(records).toHaveLength(2);
  expect(records[0].endsWith('\r\n\r\n')).toBe(true);
  peer.destroy();
});

/** Sends three messages at once. @returns what comes, in how many reads, and in how many milliseconds. */
async function sendAhead(peer: RawPeer, frames: number): Promise<{ texts: string[]; chunks: number; took: number }> {
  let chunks = 0;
  peer.socket.on('data', () => chunks++);
  const begun = performance.now();
  const message = '{"opcode":"send","texts":["a","b"]}';
  peer.write(Buffer.concat([clientFrame(message), clientFrame(message), clientFrame('')]));
  const texts: string[] = [];
  while (texts.length < frames) texts.push(await peer.text());
  const took = performance.now() - begun;
  peer.destroy();
  return { texts, chunks, took };
}

describe.each(['plain', 'TLS'])('the dialog of a script client, %s', (security) => {
  const open = (path: string): ReturnType<typeof RawPeer.script> =>
    RawPeer.script(security === 'plain' ? { port: daemon.ports[0] } : { port: daemon.ports[1], ca }, path);

  test('what its message brings about comes after its next', async () => {
    const peer = await open('/lab');
    peer.write(clientFrame('{"opcode":"send","texts":["one","two","three"]}'));
    expect([await peer.text(), await peer.text(), await peer.text(), await peer.text()]).toEqual([
      NEXT,
      'one',
      'two',
      'three',
    ]);
    peer.destroy();
  });

  test('what others send while its message is handled comes after its next', async () => {
    const from = daemon.out.length;
    const peer = await RawPeer.script(
      security === 'plain' ? { port: daemon.ports[0] } : { port: daemon.ports[1], ca },
      '/lab?ident=worker',
    );
    const other = await WebPeer.open(`ws://127.0.0.1:${daemon.port}/lab`);
    peer.write(clientFrame(`{"opcode":"hold","name":"script ${security}"}`));
    await daemon.said(/\/lab: holds script/, from);
    expect(await other.ask({ opcode: 'feedback', ident: 'worker', n: 1 })).toMatchObject({ delivered: 1 });
    expect(await other.ask({ opcode: 'feedback', ident: 'worker', n: 2 })).toMatchObject({ delivered: 1 });
    await other.ask({ opcode: 'release', name: `script ${security}` });
    expect(await peer.text()).toBe(`{"opcode":"next","fyi":"","held":"script ${security}"}`);
    expect(await peer.packet()).toMatchObject({ opcode: 'feedback', n: 1 });
    expect(await peer.packet()).toMatchObject({ opcode: 'feedback', n: 2 });
    peer.destroy();
    await other.close();
  });

  test('what others send while nothing of it is handled comes at once', async () => {
    const peer = await open('/lab?ident=idle');
    const other = await WebPeer.open(`ws://127.0.0.1:${daemon.port}/lab`);
    await other.ask({ opcode: 'feedback', ident: 'idle', n: 1 });
    expect(await peer.packet()).toMatchObject({ opcode: 'feedback', n: 1 });
    peer.destroy();
    await other.close();
  });

  test('several messages sent ahead: each frame to it can be read by itself', async () => {
    // Two frames may still come in one read where this process was kept waiting: then it is tried again.
    const expected = [NEXT, NEXT, NEXT, 'a', 'b', 'a', 'b'];
    let reads = 0;
    for (let attempt = 0; attempt < 10 && reads !== expected.length; attempt++) {
      const { texts, chunks, took } = await sendAhead(await open('/lab'), expected.length);
      expect(texts[0]).toBe(NEXT);
      expect(texts.toSorted()).toEqual(expected.toSorted());
      expect(texts.filter((text) => text !== NEXT)).toEqual(['a', 'b', 'a', 'b']);
      // 5 ms apart: a machine that is busy can make it more, never less.
      expect(took).toBeGreaterThanOrEqual(5 * (expected.length - 1));
      reads = chunks;
    }
    expect(reads).toBe(expected.length);
  });

  test('bufferOFF: its next comes first, then what the whole message brings about', async () => {
    const peer = await open('/lab');
    const pieces = ['bufferON{"opcode":', '"echo"', '}', 'bufferOFF'];
    for (const piece of pieces) {
      peer.write(clientFrame(piece));
      const next = piece === 'bufferOFF' ? '{"opcode":"next","fyi":"","buffered":true}' : NEXT;
      expect(await peer.text()).toBe(next);
    }
    expect(await peer.text()).toBe('{"opcode":"echo"}');
    peer.destroy();
  });

  test('a next that would be longer than 1000 bytes is sent without its additions', async () => {
    const from = daemon.out.length;
    const peer = await open('/lab');
    const name = 'n'.repeat(1200);
    peer.write(clientFrame(`{"opcode":"hold","name":"${name}"}`));
    await daemon.said(/\/lab: holds nnnn/, from);
    const other = await WebPeer.open(`ws://127.0.0.1:${daemon.port}/lab`);
    await other.ask({ opcode: 'release', name });
    expect(await peer.text()).toBe(NEXT);
    peer.destroy();
    await other.close();
  });

  test('it is never pinged', async () => {
    const peer = await open('/lab');
    peer.write(clientFrame('{"opcode":"ping"}'));
    expect(await peer.text()).toBe('{"opcode":"next","fyi":"","pinged":false}');
    peer.destroy();
  });

  test('not a packet: no next, the close packet, Close 1007', async () => {
    const peer = await open('/php');
    peer.write(clientFrame('rubbish'));
    expect(await peer.packet()).toEqual({ opcode: 'close', error: 'not a valid packet: it is not JSON' });
    expect(await peer.closeFrame()).toMatchObject({ code: 1007 });
    peer.destroy();
  });
});
