import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { clientFrame, RawPeer, upgradeRequest } from '../support/rawpeer.ts';
import { WebPeer } from '../support/webpeer.ts';

const NEXT = '{"opcode":"next","fyi":""}';

/** A POST to /php of `body`, on a connection that is kept. */
function post(body: string, type = 'application/json'): string {
  const length = Buffer.byteLength(body);
  return `POST /php HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${type}\r\nContent-Length: ${length}\r\n\r\n${body}`;
}

describe('who sends faster than messageRate', () => {
  const TOO_MANY = 'more than 20 messages a second';
  let daemon: RunningDaemon;
  beforeAll(async () => {
    daemon = await startDaemon({ ini: '[limits]\nmessageRate=20\nrateGrace=2' });
  });
  afterAll(() => daemon.dispose());
  const over = (path: string): RegExp =>
    new RegExp(`WARN #\\d+ 127\\.0\\.0\\.1 ${path}: over \\[limits\\] messageRate: ${TOO_MANY}\n`);

  test('for a moment: is slowed down, and gets every answer', async () => {
    const web = await WebPeer.open(`ws://127.0.0.1:${daemon.port}/`);
    for (let i = 0; i < 40; i++) web.sendPacket({ opcode: 'nothing', i });
    for (let i = 0; i < 40; i++) expect(await web.text()).toBe(NEXT);
    await web.nothingElse();
    await web.close();
    expect(daemon.out).not.toContain('over [limits]');
  });

  test('ten times as fast, for longer: is closed with 1008, and others are not', async () => {
    const other = await WebPeer.open(`ws://127.0.0.1:${daemon.port}/`);
    const web = await WebPeer.open(`ws://127.0.0.1:${daemon.port}/`);
    const timer = setInterval(() => web.socket.send('{"opcode":"nothing"}'), 5);
    const { code, reason } = await web.closed;
    clearInterval(timer);
    expect([code, reason]).toEqual([1008, TOO_MANY]);
    await daemon.said(over('/'));
    await other.nothingElse();
    await other.close();
  });

  test('with pings, or with lines', async () => {
    const pinging = await RawPeer.open({ port: daemon.port });
    pinging.write(upgradeRequest('/web'));
    await pinging.head();
    await pinging.packet();
    for (let i = 0; i < 100; i++) pinging.write(clientFrame('', 9));
    let frame = await pinging.frame();
    while (frame.opcode === 10) frame = await pinging.frame(); // oxlint-disable-line no-await-in-loop
    expect(JSON.parse(frame.payload.toString())).toEqual({ opcode: 'close', error: TOO_MANY });
    expect(await pinging.closeFrame()).toEqual({ code: 1008, reason: TOO_MANY });
    const line = await RawPeer.line({ port: daemon.port }, '/php');
    line.write('{"opcode":"nothing"}\n'.repeat(100));
    expect((await line.rest()).endsWith(`{"opcode":"close","error":"${TOO_MANY}"}\n`)).toBe(true);
    await daemon.said(over('/web'));
    await daemon.said(over('/php'));
    pinging.destroy();
    line.destroy();
  });

  test('with requests of one connection: they wait, and then get 429', async () => {
    const peer = await RawPeer.open({ port: daemon.port });
    peer.write(post('{"opcode":"nothing"}').repeat(30));
    for (let i = 0; i < 30; i++) expect((await peer.response()).status).toBe(200);
    peer.write(post('{"opcode":"nothing"}\n'.repeat(80), 'application/x-ndjson'));
    expect(await peer.response()).toMatchObject({
      status: 429,
      head: expect.stringMatching(/^retry-after: 1\r$/im),
      body: `{"opcode":"close","error":"${TOO_MANY}"}\n`,
    });
    await peer.gone();
    await daemon.said(/WARN #\d+ 127\.0\.0\.1 POST \/php: refused: 429 over \[limits\] messageRate: more than 20/);
    peer.destroy();
  });
});

describe('the body of a POST', () => {
  const TIME = 0.4;
  let daemon: RunningDaemon;
  beforeAll(async () => {
    daemon = await startDaemon({ ini: `[http]\nbodyTimeout=${TIME}\nminBodyRate=5000` });
  });
  afterAll(() => daemon.dispose());
  const head = (length: number): string => post('').replace('Length: 0', `Length: ${length}`);

  test('that comes fast enough may take longer than bodyTimeout', async () => {
    const body = `{"opcode":"nothing","filler":"${'x'.repeat(15_000)}"}`;
    const peer = await RawPeer.open({ port: daemon.port });
    peer.write(head(body.length));
    const start = performance.now();
    let sent = 0;
    const timer = setInterval(() => {
      peer.write(body.slice(sent, sent + 1000));
      sent += 1000;
      if (sent > body.length) clearInterval(timer);
    }, 60);
    expect((await peer.response()).status).toBe(200);
    expect(performance.now() - start).toBeGreaterThan(TIME * 1000);
    peer.destroy();
  });

  test('that begins fast and goes on as a trickle gets 408', async () => {
    const peer = await RawPeer.open({ port: daemon.port });
    peer.write(`${head(100_000)}${'x'.repeat(10_000)}`);
    const timer = setInterval(() => peer.write('x'), 20);
    expect(await peer.response()).toMatchObject({
      status: 408,
      body: 'a body that comes with less than 5000 bytes a second\n',
    });
    clearInterval(timer);
    await daemon.said(
      /127\.0\.0\.1 HTTP: over minBodyRate: a body that comes with less than 5000 bytes a second: closed/,
    );
    peer.destroy();
  });
});
