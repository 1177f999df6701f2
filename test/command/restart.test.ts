import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { startWebsock } from '../support/websock.ts';

const PARTS = 3;
const PART = 750;
/** It writes down what it is told, and takes a moment for it. */
const TALLY = `
  import { appendFileSync } from 'node:fs';
  import { Resource } from 'websock';
  export default class Tally extends Resource {
    async onData(client, message, { again }) {
      await new Promise((done) => setImmediate(done));
      appendFileSync('tally', again ? message + ' again\\n' : message + '\\n');
    }
  }`;

function tallyOf({ dir }: RunningDaemon): string[] {
  const file = join(dir, 'tally');
  return existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : [];
}

test('websock send over restarts of the daemon: each line is handled once, in order', async () => {
  let daemon = await startDaemon({ resources: { 'tally.js': TALLY } });
  const { dir, port } = daemon;
  const restarted = { dir, ini: `adress='ws://127.0.0.1:${port}'`, args: ['--resources', join(dir, 'resources')] };
  const lines = Array.from({ length: PARTS * PART }, (_, i) => String(i));
  const sender = startWebsock('send', `ws://127.0.0.1:${port}/tally`);
  try {
    for (let part = 1; part < PARTS; part++) {
      sender.child.stdin?.write(`${lines.slice((part - 1) * PART, part * PART).join('\n')}\n`);
      // In the middle of it, some lines are handled, some under way, some not sent.
      // oxlint-disable-next-line no-await-in-loop
      while (tallyOf(daemon).length < (part - 1) * PART + 50) await new Promise((done) => setImmediate(done));
      // oxlint-disable-next-line no-await-in-loop
      expect(await daemon.stop()).toBe(0);
      // oxlint-disable-next-line no-await-in-loop
      daemon = await startDaemon(restarted);
    }
    sender.child.stdin?.end(lines.slice((PARTS - 1) * PART).join('\n'));
    expect(await sender.ended()).toBe(0);
    expect(sender.out).toMatch(/^(?:websock send: not connected: .*; trying again in \d\.\d s\n)+$/);
    expect(tallyOf(daemon)).toEqual(lines);
  } finally {
    sender.child.kill();
    await daemon.dispose();
  }
});
