import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { deflated } from '../support/deflating.ts';
import { residentOf } from '../support/memory.ts';
import { clientFrame, RawPeer, upgradeRequest } from '../support/rawpeer.ts';

const CROWD = 1500;
const KIB = 1024;
const OFFER = 'permessage-deflate; client_max_window_bits';
const TEXT = JSON.stringify(Array.from({ length: 40 }, (_, id) => ({ id, name: `customer ${id % 5}` })));

/** Says everything back; `memory` is answered with what the process holds once its garbage is collected. */
const RESOURCE = (path: string, compression: string): string => `export default class {
  static path = '${path}';
  static dialog = false;
  static compression = ${compression};
  registerServer(server) { this.server = server; }
  async onData(client, message) {
    if (message !== 'memory') return void client.send(message, { compress: true });
    for (let i = 0; i < 3; i++) {
      globalThis.gc();
      await new Promise(setImmediate);
    }
    const { heapUsed, external } = process.memoryUsage();
    client.send(JSON.stringify({ heapUsed, external, clients: this.server.clients.size }));
  }
  onClose() {} onError() {} onOther() {}
}`;

interface Memory {
  readonly heap: number;
  readonly resident: number;
}

let daemon: RunningDaemon;
let observer: RawPeer;

beforeAll(async () => {
  daemon = await startDaemon({
    // Without a file: a line that is just being written is memory too.
    ini: "logfile=''",
    extra: {
      'plain.js': RESOURCE('/plain', 'false'),
      'shared.js': RESOURCE('/shared', 'true'),
    },
    nodeArgs: ['--expose-gc'],
  });
  observer = await enter('/plain');
});

afterAll(() => daemon.dispose());

async function enter(path: string): Promise<RawPeer> {
  const peer = await RawPeer.open(daemon);
  peer.write(upgradeRequest(path, { 'Sec-WebSocket-Extensions': OFFER }));
  const head = await peer.head();
  expect(head.includes('Sec-WebSocket-Extensions: permessage-deflate')).toBe(path !== '/plain');
  return peer;
}

/** What the daemon holds, with so many clients beside the one who asks. */
async function measure(others: number): Promise<Memory> {
  for (;;) {
    observer.write(clientFrame('memory'));
    const text = await observer.text(); // oxlint-disable-line no-await-in-loop
    const { heapUsed, external, clients } = JSON.parse(text) as Record<string, number>;
    if (clients === others + 1) return { heap: heapUsed + external, resident: residentOf(daemon.pid) };
  }
}

/** What each of a crowd costs: idle, and after each of them has had a message there and back. */
async function crowd(path: string): Promise<{ idle: Memory; used: Memory }> {
  const before = await measure(0);
  const peers: RawPeer[] = [];
  while (peers.length < CROWD) peers.push(...(await Promise.all(Array.from({ length: 50 }, () => enter(path)))));
  const idle = await measure(CROWD);
  for (const peer of peers) {
    const packed = path !== '/plain';
    peer.write(clientFrame(packed ? deflated(TEXT) : TEXT, packed ? 0x41 : 1));
    const { payload } = await peer.frame(); // oxlint-disable-line no-await-in-loop
    expect(payload.length < TEXT.length).toBe(packed);
  }
  const used = await measure(CROWD);
  const each = (after: Memory): Memory => ({
    heap: (after.heap - before.heap) / CROWD,
    resident: (after.resident - before.resident) / CROWD,
  });
  for (const peer of peers) peer.destroy();
  return { idle: each(idle), used: each(used) };
}

test('clients that negotiated it cost no more than those that did not, idle and after a message', async () => {
  await crowd('/plain'); // what the first crowd leaves behind is no client's
  const plain = await crowd('/plain');
  const shared = await crowd('/shared');
  for (const when of ['idle', 'used'] as const) {
    expect(Math.abs(shared[when].heap - plain[when].heap)).toBeLessThan(KIB);
    // zlib is not part of the heap: it would be 40 KiB for each client in one direction, 230 in the other. How much the heap
    // takes from the system differs by up to 10 KiB each from run to run.
    expect(shared[when].resident).toBeLessThan(24 * KIB);
  }
}, 120_000);
