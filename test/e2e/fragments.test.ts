import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { makeCertificate } from '../support/certificate.ts';
import { fixture, type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { type Frame, RawPeer, clientFrame, upgradeRequest } from '../support/rawpeer.ts';
import { WebPeer } from '../support/webpeer.ts';

const MIB = 1 << 20;
const PIECE = 65_536;
const SEND_QUEUE = 256 * 1024;
const STREAM = { 'stream.js': fixture('resources/stream.js') };

let daemon: RunningDaemon;
let folder: string;
let ca: string;

const sha256 = (bytes: string | Buffer): string => createHash('sha256').update(bytes).digest('hex');
const ask = (opcode: string, fields: Record<string, unknown> = {}): string => JSON.stringify({ opcode, ...fields });
const webPeer = (): Promise<WebPeer> => WebPeer.open(`ws://127.0.0.1:${daemon.port}/stream`, { maxPayload: 0 });

/** A WebSocket client that has read its `ready`. */
async function rawWeb(where = daemon): Promise<RawPeer> {
  const peer = await RawPeer.open(where);
  peer.write(upgradeRequest('/stream'));
  await peer.head();
  await peer.frame();
  return peer;
}

describe.each(['auto', 'net'])('transport=%s:', (transport) => {
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'websock-fragments-'));
    const { certFile, pkFile } = makeCertificate(folder, { name: 'server', hosts: ['localhost'] });
    ca = readFileSync(certFile, 'utf8');
    daemon = await startDaemon({
      ini: [
        `transport='${transport}'\nadress='ws://127.0.0.1:0,wss://127.0.0.1:0'\ncertFile='${certFile}'\npkFile='${pkFile}'`,
        `[limits]\nsendQueue=${SEND_QUEUE}\nwriteTimeout=1\nhandlerTimeout=120`,
      ].join('\n'),
      resources: STREAM,
    });
  });

  afterAll(async () => {
    await daemon.dispose();
    rmSync(folder, { recursive: true });
  });

  describe('a long message', () => {
    test.each([
      ['ws', true],
      ['ws', false],
      ['wss', true],
    ])('of 64 MiB arrives whole over %s, what was asked meanwhile behind it; binary: %s', async (scheme, binary) => {
      const port = daemon.ports[scheme === 'ws' ? 0 : 1];
      const peer = await WebPeer.open(`${scheme}://localhost:${port}/stream`, { maxPayload: 0, ca, family: 4 });
      peer.send(ask('stream', { count: 64 * 16, size: PIECE, binary }));
      peer.send(ask('echo'));
      const message = await peer.message();
      const next = await peer.packet();
      expect([message.binary, next.sent, sha256(message.data)]).toEqual([binary, true, next.hash]);
      expect([await peer.text(), (await peer.packet()).opcode]).toEqual([ask('echo'), 'next']);
      await peer.close();
    });

    test('of 100 MiB never waits in memory for a client that reads slowly', async () => {
      const peer = await rawWeb();
      peer.write(clientFrame(ask('stream', { count: 100 * 16, size: PIECE, binary: true })));
      // Slower than it is sent: it fills every buffer on its way.
      peer.socket.on('data', () => {
        peer.socket.pause();
        setTimeout(() => peer.socket.resume(), 1);
      });
      const hash = createHash('sha256');
      const opcodes = new Set<number>();
      let frame: Frame;
      let total = 0;
      do {
        frame = await peer.frame(); // oxlint-disable-line no-await-in-loop
        if (total > 0) opcodes.add(frame.opcode);
        hash.update(frame.payload);
        total += frame.payload.length;
      } while (!frame.fin);
      const next = await peer.packet();
      expect([total, [...opcodes], hash.digest('hex'), next.sent]).toEqual([100 * MIB, [0], next.hash, true]);
      expect(next.most).toBeGreaterThan(SEND_QUEUE / 2);
      expect(next.most).toBeLessThanOrEqual(SEND_QUEUE / 2 + PIECE + 10);
      peer.destroy();
    }, 120_000);

    test('is a line to a line client', async () => {
      const peer = await RawPeer.line(daemon, 'GET /stream');
      peer.write(`${ask('stream', { count: 32, size: PIECE })}\n`);
      const line = await peer.line();
      expect(await peer.linePacket()).toMatchObject({ sent: true, hash: sha256(line) });
      peer.destroy();
    });

    test('is one frame to a script client, as long as sendQueue holds it', async () => {
      const peer = await RawPeer.script(daemon, '/stream');
      peer.write(clientFrame(ask('stream', { count: 4, size: 50_000, binary: true })));
      const next = await peer.packet();
      const frame = await peer.frame();
      expect([frame.fin, frame.opcode, sha256(frame.payload), next.sent]).toEqual([true, 2, next.hash, true]);
      peer.write(clientFrame(ask('stream', { count: 1000, size: 50_000, binary: true })));
      expect(await peer.packet()).toEqual({ opcode: 'close', error: 'the resource failed' });
      expect((await peer.closeFrame()).code).toBe(1011);
      await daemon.said(
        /this client takes a message as a whole: its pieces may have \[limits\] sendQueue = 262144 bytes/,
      );
      peer.destroy();
    });

    test('is one packet in the answer to a POST', async () => {
      const post = async (fields: Record<string, unknown>): Promise<{ status: number; body: unknown }> => {
        const response = await fetch(`http://127.0.0.1:${daemon.port}/stream`, {
          method: 'POST',
          body: ask('stream', fields),
        });
        return { status: response.status, body: await response.json() };
      };
      const { status, body } = await post({ count: 3, size: 20 });
      const { sent, hash, packets } = body as { sent: boolean; hash: string; packets: string[] };
      expect([status, sent, packets.length, hash]).toEqual([200, true, 1, sha256(packets[0])]);
      expect(await post({ count: 1000, size: 50_000 })).toEqual({
        status: 500,
        body: { opcode: 'close', error: 'the resource failed' },
      });
    });

    test('may come from a file', async () => {
      const name = join(folder, 'long.txt');
      const text = 'zwölf 🙂 '.repeat(100_000);
      writeFileSync(name, text);
      const peer = await webPeer();
      peer.send(ask('file', { name }));
      // What createReadStream reads are Buffers.
      expect(await peer.message()).toMatchObject({ binary: true, text });
      expect((await peer.packet()).opcode).toBe('next');
      peer.send(ask('file', { name: `${name}.not` }));
      expect(await peer.packet()).toEqual({ opcode: 'close', error: 'the resource failed' });
      expect((await peer.closed).code).toBe(1011);
    });
  });

  describe('a message that does not come to its end', () => {
    test('nobody reads it: 1013 after writeTimeout, and its source is ended', async () => {
      const peer = await rawWeb();
      peer.socket.pause();
      const from = daemon.out.length;
      peer.write(clientFrame(ask('start', { count: 1_000_000, size: PIECE, binary: true })));
      await daemon.said(/over \[limits\] writeTimeout: too slow to read: nothing taken for 1 s/, from);
      await daemon.said(/sent false, ended true/, from);
      peer.destroy();
    });

    test('its client leaves: its source is ended', async () => {
      const peer = await rawWeb();
      const from = daemon.out.length;
      peer.write(clientFrame(ask('start', { count: 1_000_000, size: PIECE, binary: true })));
      await peer.frame();
      peer.destroy();
      await daemon.said(/sent false, ended true/, from);
    });

    test('its source fails: the Close frame comes in its place, and its handler has thrown', async () => {
      const peer = await rawWeb();
      const from = daemon.out.length;
      peer.write(clientFrame(ask('fail', { after: 2 })));
      const frames = [await peer.frame(), await peer.frame()];
      expect(frames.map(({ opcode, fin, payload }) => [opcode, fin, payload.toString()])).toEqual([
        [1, false, 'piece 0'],
        [0, false, 'piece 1'],
      ]);
      expect(await peer.closeFrame()).toEqual({ code: 1011, reason: 'the resource failed' });
      await daemon.said(/the resource failed: the source failed[^]*onError \d+: the source failed/, from);
      await daemon.said(/onData failed, its client was closed already: the source failed/, from);
      peer.destroy();
    });

    test('nobody waits for it, and its source fails: the daemon says so, and serves on', async () => {
      const peer = await webPeer();
      const from = daemon.out.length;
      // Before its first piece it has cost the client nothing.
      expect((await peer.ask(ask('forgotten', { after: 0 }))).opcode).toBe('next');
      await daemon.said(/nobody caught this error: the source failed/, from);
      expect((await peer.ask(ask('echo'))).opcode).toBe('echo');
      const other = await webPeer();
      other.send(ask('forgotten', { after: 2 }));
      expect((await other.closed).code).toBe(1011);
      await daemon.said(
        /nobody caught this error: the source failed[^]*nobody caught this error: the source failed/,
        from,
      );
      await peer.packet();
      expect((await peer.ask(ask('echo'))).opcode).toBe('echo');
      await peer.close();
    });

    test('the daemon stops: 1001, without a packet inside the message', async () => {
      const stopping = await startDaemon({ ini: `transport='${transport}'`, resources: STREAM });
      try {
        const peer = await rawWeb(stopping);
        peer.write(clientFrame(ask('start', { count: 1_000_000, size: 10 })));
        let frame = await peer.frame();
        const stopped = stopping.stop();
        while (frame.opcode < 8) frame = await peer.frame(); // oxlint-disable-line no-await-in-loop
        expect([frame.opcode, frame.payload.readUInt16BE(), await peer.rest()]).toEqual([8, 1001, '']);
        peer.end();
        expect(await stopped).toBe(0);
      } finally {
        await stopping.dispose();
      }
    });
  });
});
