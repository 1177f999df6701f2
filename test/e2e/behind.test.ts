import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { makeCertificate } from '../support/certificate.ts';
import { fixture, type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { forgetPeak, peakOf } from '../support/memory.ts';
import { clientFrame, RawPeer, upgradeRequest } from '../support/rawpeer.ts';
import { WebPeer } from '../support/webpeer.ts';

const MIB = 1 << 20;
const NEVER = '{"opcode":"never"}';
/** What is sent behind the message whose handler does not return. */
const AMOUNT = 100 * MIB;
/** What the kernel's buffers of both sides may hold of it. */
const KERNEL = 20 * MIB;
/** What the daemon may grow by: what it has read of one chunk, and what Node does for its own reasons. */
const ROOM = 24 * MIB;

let folder: string;
let ca: string;
let daemon: RunningDaemon;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'websock-behind-'));
  const { certFile, pkFile } = makeCertificate(folder, { name: 'server', hosts: ['localhost'] });
  ca = readFileSync(certFile, 'utf8');
  daemon = await startDaemon({
    ini: `adress='ws://127.0.0.1:0,wss://127.0.0.1:0'\ncertFile='${certFile}'\npkFile='${pkFile}'`,
    extra: { 'slow.js': fixture('resources/slow.js') },
  });
});

afterAll(async () => {
  await daemon.dispose();
  rmSync(folder, { recursive: true });
});

const filler = 'f'.repeat(1000);
const post = (body: string): string =>
  `POST /slow HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
const packet = (text: string): Buffer => clientFrame(`{"opcode":"x","filler":"${text}"}`);

async function opened(secure: boolean, headers: Record<string, string> = {}): Promise<RawPeer> {
  const peer = await RawPeer.open(secure ? { port: daemon.ports[1], ca } : { port: daemon.port });
  peer.write(upgradeRequest('/slow', headers));
  await peer.head();
  await peer.frame();
  peer.write(clientFrame(NEVER));
  return peer;
}

/** By kind of client: one that has sent a message whose handler does not return, and what it sends then, again and again. */
const KINDS: Record<string, () => Promise<{ peer: RawPeer; unit: Buffer }>> = {
  'web client': async () => ({ peer: await opened(false), unit: packet(filler) }),
  'web client, over TLS': async () => ({ peer: await opened(true), unit: packet(filler) }),
  'web client, one long message after the other': async () => ({
    peer: await opened(false),
    unit: packet('l'.repeat(1_000_000)),
  }),
  'script client': async () => ({ peer: await opened(false, { 'Client-Type': 'php' }), unit: packet(filler) }),
  'line client': async () => {
    const peer = await RawPeer.line({ port: daemon.port }, '/slow');
    peer.write(`${NEVER}\n`);
    return { peer, unit: Buffer.from(`{"opcode":"x","filler":"${filler}"}\n`) };
  },
  poster: async () => {
    const peer = await RawPeer.open({ port: daemon.port });
    peer.write(post(NEVER));
    return { peer, unit: Buffer.from(post(`{"opcode":"x","filler":"${filler}"}`)) };
  },
  'poster, over TLS': async () => {
    const peer = await RawPeer.open({ port: daemon.ports[1], ca });
    peer.write(post(NEVER));
    return { peer, unit: Buffer.from(post(`{"opcode":"x","filler":"${filler}"}`)) };
  },
};

test.each(Object.keys(KINDS))(
  '100 MiB of a %s behind a handler that does not return stay with the client',
  async (kind) => {
    const url = `ws://127.0.0.1:${daemon.port}/slow`;
    const honest = await WebPeer.open(url);
    const from = daemon.out.length;
    const { peer, unit } = await KINDS[kind]();
    await daemon.said(/\/slow: never\n/, from);
    forgetPeak(daemon.pid);
    const before = peakOf(daemon.pid);
    const block = Buffer.concat(Array.from({ length: Math.ceil(MIB / unit.length) }, () => unit));
    for (let sent = 0; sent < AMOUNT; sent += block.length) peer.write(block);
    // Nothing says that no more is being read: an honest client's echoes are the clock.
    let left = -1;
    for (let same = 0; same < 50; ) {
      for (let i = 0; i < 5; i++) await honest.nothingElse(); // oxlint-disable-line no-await-in-loop
      same = peer.socket.writableLength === left ? same + 1 : 0;
      left = peer.socket.writableLength;
    }
    expect(left).toBeGreaterThan(AMOUNT - KERNEL - ROOM);
    expect(peakOf(daemon.pid) - before).toBeLessThan(ROOM);
    peer.destroy();
    await honest.nothingElse();
    await honest.close();
  },
  60_000,
);

describe('POSTs that are sent ahead', () => {
  const echo = (n: number): string => JSON.stringify({ opcode: 'fill', n });

  test('are answered in their order, however many, one after the other', async () => {
    const peer = await RawPeer.open({ port: daemon.port });
    const count = 50;
    peer.write(Array.from({ length: count }, (_, n) => post(echo(n))).join(''));
    for (let n = 0; n < count; n++) {
      const { status, body } = await peer.response(); // oxlint-disable-line no-await-in-loop
      expect([status, JSON.parse(body)]).toEqual([
        200,
        { opcode: 'next', fyi: '', sent: true, dropped: 0, packets: [{ opcode: 'fill', n, filler: '' }] },
      ]);
    }
    peer.write(post(echo(-1)));
    expect((await peer.response()).status).toBe(200);
    peer.destroy();
  });

  test('long bodies among them, too', async () => {
    const peer = await RawPeer.open({ port: daemon.port });
    const sizes = [10, 500_000, 3, 200_000, 70_000];
    const body = (n: number): string => JSON.stringify({ opcode: 'fill', n, pad: 'p'.repeat(sizes[n]) });
    peer.write(sizes.map((_, n) => post(body(n))).join(''));
    for (const n of sizes.keys()) {
      const { body: answer } = await peer.response(); // oxlint-disable-line no-await-in-loop
      expect(JSON.parse(answer)).toMatchObject({ opcode: 'next', packets: [{ n }] });
    }
    peer.destroy();
  });

  test('more than maxAhead in one go: those before get their answers, that one 429, and the connection ends', async () => {
    const peer = await RawPeer.open({ port: daemon.port });
    const from = daemon.out.length;
    peer.write(
      Array.from(
        { length: 400 },
        (_, n) => `POST /slow HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${echo(n).length}\r\n\r\n${echo(n)}`,
      ).join(''),
    );
    let count = 0;
    let last = await peer.response();
    for (; last.status === 200; count++) last = await peer.response(); // oxlint-disable-line no-await-in-loop
    expect([last.status, last.body]).toEqual([429, 'more than 100 requests were sent ahead of their answers\n']);
    expect(last.head).toMatch(/^connection: close\r$/im);
    expect(count).toBeGreaterThanOrEqual(100);
    expect(await peer.rest()).toBe('');
    await daemon.said(/#\d+ 127\.0\.0\.1 POST \/slow: refused: 429 more than 100 requests/, from);
    peer.destroy();
  });

  test('by a client that reads no answer: they wait with the client', async () => {
    const peer = await RawPeer.open({ port: daemon.port });
    const honest = await WebPeer.open(`ws://127.0.0.1:${daemon.port}/slow`);
    peer.socket.pause();
    forgetPeak(daemon.pid);
    const before = peakOf(daemon.pid);
    // Each brings about 500 KB: 1 GB in all.
    const block = Array.from({ length: 50 }, (_, n) => post(JSON.stringify({ opcode: 'fill', n, size: 500_000 }))).join(
      '',
    );
    for (let i = 0; i < 40; i++) {
      peer.write(block);
      for (let j = 0; j < 5; j++) await honest.nothingElse(); // oxlint-disable-line no-await-in-loop
    }
    expect(peakOf(daemon.pid) - before).toBeLessThan(ROOM);
    peer.destroy();
    await honest.close();
  }, 60_000);
});
