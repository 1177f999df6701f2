import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { clientFrame, RawPeer, upgradeRequest } from '../support/rawpeer.ts';
import { WebPeer } from '../support/webpeer.ts';

const GONE = 'no answer to a ping within 0.3 s';

describe('the heartbeat', () => {
  let daemon: RunningDaemon;
  beforeAll(async () => {
    daemon = await startDaemon({ ini: '[heartbeat]\ninterval=0.3\ntimeout=0.3\n[limits]\nidleTimeout=3' });
  });
  afterAll(() => daemon.dispose());

  test('a web client that answers pings stays; one that does not is closed with 4408, and logged', async () => {
    const alive = await WebPeer.open(`ws://127.0.0.1:${daemon.port}/`);
    const dead = await RawPeer.open({ port: daemon.port });
    dead.write(upgradeRequest('/'));
    await dead.head();
    await dead.packet();
    const ping = await dead.frame();
    expect([ping.opcode, ping.payload.length]).toEqual([9, 0]);
    expect(await dead.packet()).toEqual({ opcode: 'close', error: GONE });
    expect(await dead.closeFrame()).toEqual({ code: 4408, reason: GONE });
    await daemon.said(new RegExp(`WARN #\\d+ 127\\.0\\.0\\.1 /: over \\[heartbeat\\] timeout: ${GONE}\n`));
    await daemon.said(new RegExp(`#\\d+ 127\\.0\\.0\\.1 / closed: 4408 ${GONE}\n`));
    dead.destroy();
    while (alive.pings < 3) await new Promise((done) => alive.socket.once('ping', done)); // oxlint-disable-line no-await-in-loop
    await alive.nothingElse();
    await alive.close();
  });

  test('scripts and line clients are never pinged; idleTimeout closes them', async () => {
    const script = await RawPeer.script({ port: daemon.port }, '/');
    const line = await RawPeer.line({ port: daemon.port }, '/');
    const text = 'nothing was sent for 3 s';
    expect(await line.rest()).toBe(`{"opcode":"close","error":"${text}"}\n`);
    expect((await script.packet()).error).toBe(text);
    expect(await script.closeFrame()).toEqual({ code: 4408, reason: text });
    script.write(clientFrame(Buffer.alloc(0), 8));
    script.destroy();
    line.destroy();
  });
});
