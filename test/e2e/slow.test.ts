import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { makeCertificate } from '../support/certificate.ts';
import { fixture, startDaemon } from '../support/daemon.ts';
import { residentOf } from '../support/memory.ts';
import { clientFrame, RawPeer, upgradeRequest } from '../support/rawpeer.ts';
import { WebPeer } from '../support/webpeer.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const SLOW = { 'slow.js': fixture('resources/slow.js') };

let folder: string;
let ca: string;
let tls: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'websock-slow-'));
  const { certFile, pkFile } = makeCertificate(folder, { name: 'server', hosts: ['localhost'] });
  ca = readFileSync(certFile, 'utf8');
  tls = `adress='ws://127.0.0.1:0,wss://127.0.0.1:0'\ncertFile='${certFile}'\npkFile='${pkFile}'`;
});

afterAll(() => rmSync(folder, { recursive: true }));

interface Sleeper {
  readonly peer: RawPeer;
  readonly id: number;
}

/** Web clients that read nothing behind their openings. */
async function sleepers(port: number, count: number, secure = false): Promise<Sleeper[]> {
  return Promise.all(
    Array.from({ length: count }, async () => {
      const peer = await RawPeer.open(secure ? { port, ca } : { port });
      peer.write(upgradeRequest('/slow'));
      await peer.head();
      await peer.packet();
      peer.write(clientFrame('{"opcode":"me"}'));
      const { id } = await peer.packet();
      peer.socket.pause();
      return { peer, id: Number(id) };
    }),
  );
}

/** What a sleeper finds when it wakes: opcodes of its frames, and its last one. */
async function wake({ peer }: Sleeper): Promise<{ messages: number; code: number }> {
  peer.socket.resume();
  for (let messages = 0; ; messages++) {
    const { opcode, payload } = await peer.frame(); // oxlint-disable-line no-await-in-loop
    if (opcode === 8) return { messages, code: payload.readUInt16BE() };
  }
}

/** Says something as a line client. @returns its `next`. */
async function command(peer: RawPeer, packet: Record<string, unknown>): Promise<Record<string, unknown>> {
  peer.write(`${JSON.stringify(packet)}\n`);
  return peer.linePacket();
}

describe('a broadcast, where some never read', () => {
  test('reaches all others, at once and in order; those who do not read are closed with 1013, and the log says why', async () => {
    const daemon = await startDaemon({ ini: '[limits]\nsendQueue=256KiB\ncloseTimeout=20', extra: SLOW });
    try {
      const { port } = daemon;
      const url = `ws://127.0.0.1:${port}/slow`;
      const readers = await Promise.all(Array.from({ length: 45 }, () => WebPeer.open(url)));
      const stuck = await sleepers(port, 5);
      const publisher = await RawPeer.line({ port }, '/slow');
      await command(publisher, { opcode: 'me' });
      const before = residentOf(daemon.pid);
      const size = 64 * KIB;
      const delivered: unknown[] = [];
      for (let n = 0; n < 120; n++) {
        delivered.push((await command(publisher, { opcode: 'fan', n, size })).delivered); // oxlint-disable-line no-await-in-loop
        const got = await Promise.all(readers.map((reader) => reader.packet())); // oxlint-disable-line no-await-in-loop
        expect(got.every((packet) => packet.n === n && String(packet.filler).length === size)).toBe(true);
      }
      expect([delivered[0], delivered.at(-1)]).toEqual([50, 45]);
      // Of 50 × 120 × 64 KiB nothing is kept but what five may be owed.
      expect(residentOf(daemon.pid) - before).toBeLessThan(64 * MIB);
      for (const sleeper of stuck) {
        const owed = new RegExp(
          `WARN #${sleeper.id} 127\\.0\\.0\\.1 /slow: over \\[limits\\] sendQueue: too slow to read: more than 262144 bytes were waiting \\((\\d+) bytes owed, \\d+ taken in the last [\\d.]+ s\\)`,
        );
        const bytes = Number((await daemon.said(owed))[1]); // oxlint-disable-line no-await-in-loop
        expect(bytes).toBeGreaterThan(256 * KIB);
        expect(bytes).toBeLessThan(256 * KIB + size + 100);
        const { messages, code } = await wake(sleeper); // oxlint-disable-line no-await-in-loop
        expect(code).toBe(1013);
        expect(messages).toBeLessThan(120);
        sleeper.peer.destroy();
      }
      expect(daemon.out.match(/ closed: 1013 too slow to read/g)).toHaveLength(5);
      await Promise.all(readers.map((reader) => reader.close()));
      publisher.destroy();
    } finally {
      await daemon.dispose();
    }
  }, 60_000);
});

describe.each(['ws', 'wss'])('over %s, more than maxSendMemory waits for all', (scheme) => {
  test('those who read nothing go first, until there is room, and those who read get everything', async () => {
    const ini = `${tls}\n[limits]\nsendQueue=16MiB\nmaxSendMemory=8MiB\ncloseTimeout=20`;
    const daemon = await startDaemon({ ini, extra: SLOW });
    try {
      const secure = scheme === 'wss';
      const port = daemon.ports[secure ? 1 : 0];
      const reader = await WebPeer.open(`${scheme}://localhost:${port}/slow`, { ca, family: 4 });
      const { id } = (await reader.ask({ opcode: 'me' })) as unknown as Sleeper;
      const stuck = await sleepers(port, 6, secure);
      const publisher = await RawPeer.line({ port: daemon.port }, '/slow');
      const from = daemon.out.length;
      const size = 100 * KIB;
      for (let n = 0; n < 150; n++) {
        await command(publisher, { opcode: 'each', n, size, ids: [...stuck.map((one) => one.id), id] }); // oxlint-disable-line no-await-in-loop
        expect(await reader.packet()).toMatchObject({ opcode: 'each', n }); // oxlint-disable-line no-await-in-loop
      }
      const [, total, clients] = await daemon.said(
        /WARN over \[limits\] maxSendMemory: (\d+) bytes wait for (\d) clients: the slowest go/,
        from,
      );
      expect(Number(total)).toBeGreaterThan(8 * MIB);
      expect(Number(total)).toBeLessThan(9 * MIB);
      expect([6, 7]).toContain(Number(clients));
      await daemon.said(
        /WARN #\d+ 127\.0\.0\.1 \/slow: over \[limits\] maxSendMemory: too slow to read: more than 8388608 bytes were waiting for all clients \(\d+ bytes owed, \d+ taken in the last [\d.]+ s\)\n/,
        from,
      );
      const gone = new Set(
        [...daemon.out.matchAll(/#(\d+) \S+ \/slow closed: 1013/g)].map((match) => Number(match[1])),
      );
      expect(gone.has(id)).toBe(false);
      expect(gone.size).toBeGreaterThan(2);
      await reader.close();
      for (const { peer } of stuck) peer.destroy();
      publisher.destroy();
    } finally {
      await daemon.dispose();
    }
  }, 60_000);
});

test.each([
  // More than the kernel takes: the rest is in memory once, for all.
  ['ws', 20, 6 * MIB],
  // It takes all, which with TLS is known when the event loop turns.
  ['wss', 100, 100 * KIB],
])(
  'over %s, a broadcast to %i who read closes none of them, were it more than maxSendMemory in all',
  async (scheme, count, size) => {
    const daemon = await startDaemon({ ini: `${tls}\n[limits]\nmaxSendMemory=8MiB`, extra: SLOW });
    try {
      const url = `${scheme}://localhost:${daemon.ports[scheme === 'ws' ? 0 : 1]}/slow`;
      const readers = await Promise.all(Array.from({ length: count }, () => WebPeer.open(url, { ca, family: 4 })));
      const publisher = await RawPeer.line({ port: daemon.port }, '/slow');
      for (let n = 0; n < 3; n++) {
        expect(await command(publisher, { opcode: 'fan', n, size })).toMatchObject({ delivered: count }); // oxlint-disable-line no-await-in-loop
        const got = await Promise.all(readers.map((reader) => reader.packet())); // oxlint-disable-line no-await-in-loop
        expect(got.every((packet) => packet.n === n && String(packet.filler).length === size)).toBe(true);
      }
      expect(daemon.out).not.toContain('maxSendMemory');
      await Promise.all(readers.map((reader) => reader.close()));
      publisher.destroy();
    } finally {
      await daemon.dispose();
    }
  },
);

test('answers to POSTs that nobody takes count as well; their clients are cut off, the slowest first', async () => {
  const daemon = await startDaemon({ ini: '[limits]\nmaxSendMemory=16MiB', extra: SLOW });
  try {
    const { port } = daemon;
    const body = JSON.stringify({ opcode: 'fill', size: 8 * MIB });
    const request = `POST /slow HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const stuck = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const peer = await RawPeer.open({ port });
        peer.socket.pause();
        peer.write(request);
        return peer;
      }),
    );
    await daemon.said(
      /WARN #\d+ 127\.0\.0\.1 HTTP: over \[limits\] maxSendMemory: too slow to read: more than 16777216 bytes were waiting for all clients \(\d+ bytes owed, \d+ taken in the last [\d.]+ s\): destroyed/,
    );
    const honest = await RawPeer.open({ port });
    honest.write(request);
    expect((await honest.response()).body.length).toBeGreaterThan(8 * MIB);
    // The kernel takes at most half of each answer: there is room for no more than four that wait.
    await daemon.said(/(?:HTTP: over \[limits\] maxSendMemory[^]*){16}/);
    for (const peer of [...stuck, honest]) peer.destroy();
  } finally {
    await daemon.dispose();
  }
});
