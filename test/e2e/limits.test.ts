import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { fixture, type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { clientFrame, RawPeer, upgradeRequest } from '../support/rawpeer.ts';
import { WebPeer } from '../support/webpeer.ts';

const NEXT = '{"opcode":"next","fyi":""}';
const LAB = { 'lab.js': fixture('resources/lab.js') };

/** A web client that reads nothing behind its `ready`. */
async function sleeper(port: number): Promise<{ peer: RawPeer; id: number }> {
  const peer = await RawPeer.open({ port });
  peer.write(upgradeRequest('/lab'));
  await peer.head();
  await peer.packet();
  peer.write(clientFrame('{"opcode":"me"}'));
  const { id } = await peer.packet();
  await peer.packet();
  peer.socket.pause();
  return { peer, id: Number(id) };
}

describe('the size of a message', () => {
  const TOO_LARGE = 'a message of more than 2048 bytes; long ones go in pieces, between bufferON and bufferOFF';
  let daemon: RunningDaemon;
  beforeAll(async () => {
    daemon = await startDaemon({ ini: '[limits]\nmaxPayload=2KiB\nmaxFragments=3', extra: LAB });
  });
  afterAll(() => daemon.dispose());

  test('WebSocket: maxPayload is taken, one byte more is 1009', async () => {
    const web = await WebPeer.open(`ws://127.0.0.1:${daemon.port}/lab`);
    web.send(Buffer.alloc(2048, 1));
    expect((await web.message()).data).toHaveLength(2048);
    expect(await web.packet()).toMatchObject({ size: 2048 });
    const from = daemon.out.length;
    web.send(Buffer.alloc(2049, 1));
    expect(await web.packet()).toEqual({ opcode: 'close', error: TOO_LARGE });
    expect(await web.closed).toEqual({ code: 1009, reason: TOO_LARGE });
    await daemon.said(/WARN #\d+ 127\.0\.0\.1 \/lab: over \[limits\] maxPayload: /, from);
  });

  test('it is refused by the header of its frame, before a byte of it has come', async () => {
    const peer = await RawPeer.open({ port: daemon.port });
    peer.write(upgradeRequest('/lab'));
    await peer.head();
    await peer.frame();
    peer.write(clientFrame(Buffer.alloc(2049)).subarray(0, 4));
    expect(await peer.packet()).toMatchObject({ opcode: 'close', error: TOO_LARGE });
    expect(await peer.closeFrame()).toMatchObject({ code: 1009 });
    peer.destroy();
  });

  test('a message of more frames than maxFragments: 1009', async () => {
    const peer = await RawPeer.open({ port: daemon.port });
    peer.write(upgradeRequest('/lab'));
    await peer.head();
    await peer.frame();
    const frames = [clientFrame('a', 2, false), clientFrame('b', 0, false), clientFrame('c', 0)];
    peer.write(Buffer.concat(frames));
    expect((await peer.frame()).payload.toString()).toBe('abc');
    expect(await peer.packet()).toMatchObject({ size: 3 });
    peer.write(Buffer.concat([...frames.slice(0, 2), clientFrame('c', 0, false), clientFrame('d', 0)]));
    expect(await peer.packet()).toMatchObject({ opcode: 'close', error: 'a message of more than 3 frames' });
    expect(await peer.closeFrame()).toMatchObject({ code: 1009 });
    peer.destroy();
  });

  test.each(['\n', '\r\n', ''])(
    'a line of maxPayload bytes is taken, one byte more is not (ended by %j)',
    async (end) => {
      const line = (length: number): string => `{"opcode":"x","f":"${'f'.repeat(length - 21)}"}`;
      expect(line(2048)).toHaveLength(2048);
      const fits = await RawPeer.line({ port: daemon.port }, '/lab');
      fits.end(line(2048) + end);
      expect(await fits.rest()).toBe(`${NEXT}\n`);
      const over = await RawPeer.line({ port: daemon.port }, '/lab');
      over.end(`${line(2049)}${end}`);
      expect(await over.rest()).toBe(`${JSON.stringify({ opcode: 'close', error: TOO_LARGE })}\n`);
    },
  );

  test('a line without an end is cut off as soon as it is too long', async () => {
    const peer = await RawPeer.line({ port: daemon.port }, '/lab');
    peer.write('y'.repeat(3000));
    expect(await peer.linePacket()).toEqual({ opcode: 'close', error: TOO_LARGE });
    expect(await peer.rest()).toBe('');
    peer.destroy();
  });
});

describe('the number of connections', () => {
  test('maxClients: the next one is told so and closed with 1013; when one has left, another may come', async () => {
    const daemon = await startDaemon({ ini: '[limits]\nmaxClients=3' });
    const url = `ws://127.0.0.1:${daemon.port}/`;
    try {
      const web = await WebPeer.open(url);
      const line = await RawPeer.line({ port: daemon.port }, '/');
      const script = await RawPeer.script({ port: daemon.port }, '/');
      const error = 'Too many connections';
      const packet = JSON.stringify({ opcode: 'close', error });
      const late = WebPeer.start(url);
      expect(await late.text()).toBe(packet);
      expect(await late.closed).toEqual({ code: 1013, reason: error });
      const lateLine = await RawPeer.open({ port: daemon.port });
      lateLine.write('GET /php\n');
      expect(await lateLine.rest()).toBe(`${packet}\n`);
      lateLine.destroy();
      const latePost = await RawPeer.open({ port: daemon.port });
      latePost.write('POST /php HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n');
      expect(await latePost.response()).toMatchObject({ status: 503, body: `${packet}\n` });
      latePost.destroy();
      const lateScript = await RawPeer.open({ port: daemon.port });
      lateScript.write(upgradeRequest('/php', { 'Client-Type': 'php' }));
      await lateScript.take(1024);
      const first = await lateScript.frame();
      expect([first.size, first.payload.toString().trimEnd()]).toEqual([1024, packet]);
      expect(await lateScript.closeFrame()).toEqual({ code: 1013, reason: error });
      lateScript.destroy();
      expect(daemon.out).toMatch(/#\d+ 127\.0\.0\.1 \/ refused: 1013 Too many connections\n/);
      await web.nothingElse();
      script.destroy();
      // Its place is free when its socket is gone, which is nowhere to be seen.
      let next = WebPeer.start(url);
      for (let tries = 0; (await next.packet()).opcode !== 'ready' && tries < 100; tries++) {
        await next.close();
        next = WebPeer.start(url);
      }
      await next.nothingElse();
      await Promise.all([web.close(), next.close()]);
      line.destroy();
    } finally {
      await daemon.dispose();
    }
  });

  test('maxPerIP: told with its address, 4429; another address may come', async () => {
    const daemon = await startDaemon({ ini: "adress='ws://0.0.0.0:0'\n[limits]\nmaxPerIP=2" });
    try {
      const url = `ws://127.0.0.1:${daemon.port}/`;
      const peers = [await WebPeer.open(url), await WebPeer.open(url)];
      const error = 'Too many connections from: 127.0.0.1';
      const late = WebPeer.start(url);
      expect(await late.packet()).toEqual({ opcode: 'close', error });
      expect(await late.closed).toEqual({ code: 4429, reason: error });
      const post = await RawPeer.open({ port: daemon.port });
      post.write('POST /php HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n');
      expect((await post.response()).status).toBe(429);
      post.destroy();
      const other = await WebPeer.open(url, { localAddress: '127.0.0.2' });
      await Promise.all([...peers, other].map((peer) => peer.close()));
    } finally {
      await daemon.dispose();
    }
  });
});

describe('a client that does not read', () => {
  let daemon: RunningDaemon;
  beforeAll(async () => {
    daemon = await startDaemon({ ini: '[limits]\nsendQueue=256KiB\nwriteTimeout=3\ncloseTimeout=0.3', extra: LAB });
  });
  afterAll(() => daemon.dispose());

  test('is closed with 1013 when more than sendQueue waits for it, and nobody else waits for it', async () => {
    const from = daemon.out.length;
    const { peer, id } = await sleeper(daemon.port);
    const reader = await WebPeer.open(`ws://127.0.0.1:${daemon.port}/lab`);
    const { sent } = await reader.ask({ opcode: 'flood', id, size: 65_536, count: 1000 });
    expect(Number(sent)).toBeGreaterThan(4);
    expect(Number(sent)).toBeLessThan(1000);
    const over = new RegExp(`WARN #${id} 127\\.0\\.0\\.1 /lab: over \\[limits\\] sendQueue: .*262144.*bytes owed`);
    await daemon.said(over, from);
    await daemon.said(new RegExp(`#${id} 127\\.0\\.0\\.1 /lab closed: 1013 too slow to read`), from);
    reader.send('{"opcode":"echo"}');
    expect(await reader.text()).toBe('{"opcode":"echo"}');
    await reader.text();
    await reader.close();
    peer.destroy();
  });

  test('one message is always taken, however large it is', async () => {
    const web = await WebPeer.open(`ws://127.0.0.1:${daemon.port}/lab`);
    web.sendPacket({ opcode: 'flood', size: 3_000_000, count: 1 });
    expect((await web.text()).length).toBeGreaterThan(3_000_000);
    expect(await web.packet()).toMatchObject({ sent: 1 });
    await web.close();
  });

  test('its own echoes do not close it: it is not read while its queue is over half of the limit', async () => {
    const { peer } = await sleeper(daemon.port);
    const echo = `{"opcode":"echo","filler":"${'e'.repeat(20_000)}"}`;
    const count = 600;
    for (let i = 0; i < count; i++) peer.write(clientFrame(echo));
    peer.socket.resume();
    for (let i = 0; i < count; i++) {
      expect(await peer.text()).toHaveLength(echo.length);
      expect((await peer.packet()).opcode).toBe('next');
    }
    peer.destroy();
  });

  test('is closed with 1013 when it has taken nothing for writeTimeout', async () => {
    const from = daemon.out.length;
    const { peer, id } = await sleeper(daemon.port);
    const other = await WebPeer.open(`ws://127.0.0.1:${daemon.port}/lab`);
    // More than the kernel takes, at once: below the queue's limit there is always room for one.
    expect(await other.ask({ opcode: 'flood', id, size: 16_000_000, count: 1 })).toMatchObject({ sent: 1 });
    await daemon.said(new RegExp(`WARN #${id} .*over \\[limits\\] writeTimeout: .*bytes owed`), from);
    await daemon.said(new RegExp(`#${id} .* closed: 1013 too slow to read`), from);
    await other.close();
    peer.destroy();
  });
});
