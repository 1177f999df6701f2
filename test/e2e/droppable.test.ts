import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { makeCertificate } from '../support/certificate.ts';
import { fixture, type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { clientFrame, RawPeer } from '../support/rawpeer.ts';
import { WebPeer } from '../support/webpeer.ts';

let folder: string;
let ca: string;
let daemon: RunningDaemon;
let publisher: RawPeer;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'websock-droppable-'));
  const { certFile, pkFile } = makeCertificate(folder, { name: 'server', hosts: ['localhost'] });
  ca = readFileSync(certFile, 'utf8');
  daemon = await startDaemon({
    ini: `adress='ws://127.0.0.1:0,wss://127.0.0.1:0'\ncertFile='${certFile}'\npkFile='${pkFile}'\n[limits]\nsendQueue=256KiB`,
    extra: { 'slow.js': fixture('resources/slow.js') },
  });
  publisher = await RawPeer.line({ port: daemon.port }, '/slow');
});

afterAll(async () => {
  await daemon.dispose();
  rmSync(folder, { recursive: true });
});

/** What the publisher says, and its `next`. */
async function command(packet: Record<string, unknown>): Promise<Record<string, unknown>> {
  publisher.write(`${JSON.stringify(packet)}\n`);
  return publisher.linePacket();
}

/** A web client; with `deflate` it refers to messages before (context takeover), so that none that was compressed may be missing. */
async function webClient(scheme: string, deflate = false): Promise<{ peer: WebPeer; id: number }> {
  const url = `${scheme}://localhost:${daemon.ports[scheme === 'ws' ? 0 : 1]}/slow`;
  const peer = await WebPeer.open(url, { ca, family: 4, perMessageDeflate: deflate, maxPayload: 0 });
  const { id } = (await peer.ask({ opcode: 'me' })) as unknown as { id: number };
  return { peer, id };
}

describe.each([
  ['ws', false],
  ['ws', true],
  ['wss', false],
])('over %s, context takeover %s: droppable messages', (scheme, deflate) => {
  test('are left out for who has not read what came before, and come again when it has; the log says so once', async () => {
    const { peer: reader } = await webClient(scheme, deflate);
    const { peer: slow, id } = await webClient(scheme, deflate);
    slow.socket.pause();
    const from = daemon.out.length;
    // More than the kernel takes: random, so that no compression makes it fit.
    const size = 24_000_000;
    expect(await command({ opcode: 'each', n: -1, size, random: true, ids: [id] })).toMatchObject({ delivered: 1 });
    const ticks = 20;
    for (let n = 0; n < ticks; n++) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      expect(await command({ opcode: 'fan', n, droppable: true })).toMatchObject({ delivered: 1 });
      expect(await reader.packet()).toMatchObject({ opcode: 'fan', n }); // oxlint-disable-line no-await-in-loop
    }
    const about = await command({ opcode: 'about', id });
    expect(about).toMatchObject({ dropped: ticks });
    expect(Number(about.owed)).toBeGreaterThan(256 * 1024);
    const line = new RegExp(
      `#${id} 127\\.0\\.0\\.1 /slow: \\d+ bytes wait for it: messages that may be dropped are`,
      'g',
    );
    expect(daemon.out.slice(from).match(line)).toHaveLength(1);
    slow.socket.resume();
    expect(await slow.packet()).toMatchObject({ opcode: 'each', n: -1 });
    // It has caught up: as soon as the daemon knows, ticks reach it.
    let n = ticks;
    while ((await command({ opcode: 'fan', n, droppable: true })).delivered !== 2) n++; // oxlint-disable-line no-await-in-loop
    expect(await slow.packet()).toMatchObject({ opcode: 'fan', n });
    await slow.close();
    await daemon.said(
      new RegExp(`#${id} .* closed by the client: 1000 normal; ${n} messages to it were dropped\n`),
      from,
    );
    await reader.close();
  }, 30_000);

  test('of one turn all reach a client that reads', async () => {
    const { peer } = await webClient(scheme, deflate);
    const count = 200;
    await command({ opcode: 'burst', count, size: 300, droppable: true });
    for (let n = 0; n < count; n++) expect((await peer.text()).trimEnd()).toBe(String(n)); // oxlint-disable-line no-await-in-loop
    await peer.nothingElse();
    await peer.close();
  });
});

test('a script gets what its pace allows, each time the oldest that it has not been sent', async () => {
  const script = await RawPeer.script({ port: daemon.port }, '/slow');
  script.write(clientFrame('{"opcode":"me"}'));
  const { id } = await script.packet();
  const from = daemon.out.length;
  for (let n = 0; n < 200; n++) {
    publisher.write(`${JSON.stringify({ opcode: 'each', n, ids: [id], droppable: true })}\n`);
  }
  let delivered = 0;
  for (let n = 0; n < 200; n++) delivered += Number((await publisher.linePacket()).delivered); // oxlint-disable-line no-await-in-loop
  expect(delivered).toBeGreaterThan(0);
  expect(delivered).toBeLessThan(200);
  const seen: number[] = [];
  while (seen.length < delivered) seen.push(Number((await script.packet()).n)); // oxlint-disable-line no-await-in-loop
  expect(seen).toEqual(seen.toSorted((a, b) => a - b));
  expect(await command({ opcode: 'about', id })).toMatchObject({ dropped: 200 - delivered });
  expect(daemon.out.slice(from)).toContain(`#${String(id)} 127.0.0.1 /slow: `);
  script.destroy();
});

test('a POST gets them as long as its answer is below sendQueue, and is not closed for those that are dropped', async () => {
  const post = async (droppable: boolean): Promise<{ status: number; last: Record<string, unknown>; size: number }> => {
    const lines = Array.from({ length: 6 }, (_, n) => JSON.stringify({ opcode: 'fill', n, size: 100_000, droppable }));
    const response = await fetch(`http://127.0.0.1:${daemon.port}/slow`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/x-ndjson' },
      body: lines.join('\n'),
    });
    const text = await response.text();
    return { status: response.status, last: (JSON.parse(text) as Record<string, unknown>[])[5], size: text.length };
  };
  const dropped = await post(true);
  expect(dropped.last).toMatchObject({ opcode: 'next', sent: false, dropped: 1, packets: [] });
  const refused = await post(false);
  expect(refused.last).toEqual({
    opcode: 'close',
    error: 'too slow to read: more than 262144 bytes were waiting',
  });
  // All lines of one body share the bound.
  for (const { status, size } of [dropped, refused]) {
    expect(status).toBe(200);
    expect(size).toBeGreaterThan(262_144);
    expect(size).toBeLessThan(262_144 + 110_000);
  }
});
