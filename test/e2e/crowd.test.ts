import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { fixture, type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { RawPeer } from '../support/rawpeer.ts';
import { WebPeer } from '../support/webpeer.ts';

const CROWD = 1000;
const MIB = 1_048_576;

interface Report {
  clients: number;
  resources: Record<string, number>;
  heapUsed: number;
}

let daemon: RunningDaemon;
/** Clients that are there all the time: one asks, the other shows that a broadcast goes on working. */
let observer: RawPeer;

beforeAll(async () => {
  daemon = await startDaemon({
    // Without a file: a line that is just being written is a resource too.
    ini: "logfile=''",
    extra: { 'lab.js': fixture('resources/lab.js') },
    nodeArgs: ['--expose-gc'],
  });
  observer = await RawPeer.line({ port: daemon.port }, '/lab');
});

afterAll(() => daemon.dispose());

/** What the daemon holds, once its sockets of before are gone. */
async function report(clients: number): Promise<Report> {
  for (let tries = 0; ; tries++) {
    observer.write('{"opcode":"report"}\n');
    const seen = (await observer.linePacket()) as unknown as Report;
    await observer.line();
    const sockets = seen.resources.TCPSocketWrap;
    if ((seen.clients === clients && sockets === clients) || tries > 2000) return seen;
  }
}

/** A thousand come, one broadcasts, all the others get it once, they leave. */
async function round(): Promise<void> {
  const url = `ws://127.0.0.1:${daemon.port}`;
  const peers: WebPeer[] = [];
  while (peers.length < CROWD) {
    const paths = Array.from({ length: 50 }, (_, i) => (i % 2 === 0 ? '/' : '/web'));
    peers.push(...(await Promise.all(paths.map((path) => WebPeer.open(url + path)))));
  }
  expect(new Set(peers.map(({ uuid }) => uuid)).size).toBe(CROWD);
  expect((await report(CROWD + 1)).clients).toBe(CROWD + 1);
  const text = '{"opcode":"broadcast","to":"all of you 😀"}';
  const [sender, ...others] = peers;
  sender.send(text);
  expect(await sender.packet()).toEqual({ opcode: 'next', fyi: '', delivered: CROWD - 1 });
  const got = await Promise.all(others.map((peer) => peer.text()));
  expect(got.filter((message) => message === text)).toHaveLength(CROWD - 1);
  // Exactly once: what comes next is what it asks for now.
  await Promise.all(peers.map((peer) => peer.nothingElse()));
  // Some leave as they should, some in the middle of it.
  await Promise.all(
    peers.map((peer, i) => {
      if (i % 4 === 0) peer.socket.terminate();
      return i % 4 === 0 ? peer.closed : peer.close();
    }),
  );
}

test(`${CROWD} clients hear a broadcast once each; when they have left, nothing of them is left`, async () => {
  // The first rounds warm everything up: code, buffers, the log.
  await round();
  await report(1);
  await round();
  const before = await report(1);
  await round();
  await round();
  const after = await report(1);
  expect(after.clients).toBe(1);
  expect(after.resources).toEqual(before.resources);
  expect(after.resources).toMatchObject({ TCPSocketWrap: 1, TCPServerWrap: 1 });
  expect(after.resources.Timeout ?? 0).toBe(before.resources.Timeout ?? 0);
  // 2000 connections more: had each left 1 KiB behind, it would be 2 MiB.
  expect(after.heapUsed - before.heapUsed).toBeLessThan(2 * MIB);
}, 180_000);

test('nobody is written to who has left: a broadcast is delivered to the rest', async () => {
  const url = `ws://127.0.0.1:${daemon.port}/web`;
  const peers = await Promise.all(Array.from({ length: 20 }, () => WebPeer.open(url)));
  await Promise.all(peers.slice(0, 15).map((peer) => peer.close()));
  expect(await peers[19].ask({ opcode: 'broadcast' })).toMatchObject({ delivered: 4 });
  await Promise.all(peers.slice(15).map((peer) => peer.close()));
});
