import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { fixture, type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { clientClose, clientFrame, RawPeer, upgradeRequest } from '../support/rawpeer.ts';
import { WebPeer } from '../support/webpeer.ts';

const NEXT = '{"opcode":"next","fyi":""}';

let daemon: RunningDaemon;
let url: string;

beforeAll(async () => {
  daemon = await startDaemon({
    ini: "[security]\nwebMay='feedback,feedback-ident'\nwebIdent=true\n[limits]\ncloseTimeout=0.5",
    extra: { 'lab.js': fixture('resources/lab.js') },
  });
  url = `ws://127.0.0.1:${daemon.port}`;
});

afterAll(() => daemon.dispose());

/** A web client by hand: what `ws` would not send can be sent. */
async function rawWeb(path: string): Promise<RawPeer> {
  const peer = await RawPeer.open({ port: daemon.port });
  peer.write(upgradeRequest(path));
  expect(await peer.head()).toMatch(/^HTTP\/1\.1 101 Switching Protocols\r\n/);
  expect((await peer.packet()).opcode).toBe('ready');
  return peer;
}

describe('what web clients may is configured', () => {
  test('an opcode that webMay does not list has no effect and gets "not allowed"; quit is for everybody', async () => {
    const web = await WebPeer.open(`${url}/web`);
    const other = await WebPeer.open(`${url}/web`);
    const refused = '{"opcode":"next","fyi":"","error":"not allowed"}';
    web.send('{"opcode":"echo"}');
    expect(await web.text()).toBe(refused);
    web.send('{"opcode":"broadcast"}');
    expect(await web.text()).toBe(refused);
    const text = `{"opcode":"feedback","uuid":"${other.uuid}"}`;
    web.send(text);
    expect(await web.text()).toBe('{"opcode":"next","fyi":"","delivered":1}');
    expect(await other.text()).toBe(text);
    expect(other.waiting).toBe(0);
    web.send('{"opcode":"quit"}');
    expect(await web.text()).toBe(NEXT);
    expect(await web.closed).toEqual({ code: 1000, reason: 'quit' });
    await other.close();
  });

  test('with webIdent a web client has the ident that it names, and is reached by it', async () => {
    const byQuery = await WebPeer.open(`${url}/web?ident=kitchen`);
    const byHeader = await WebPeer.open(`${url}/`, { headers: { Ident: 'kitchen' } });
    const sender = await WebPeer.open(`${url}/`);
    expect(await sender.ask({ opcode: 'feedback', ident: 'kitchen' })).toMatchObject({ delivered: 2 });
    expect(await byQuery.packet()).toEqual({ opcode: 'feedback', ident: 'kitchen' });
    expect(await byHeader.packet()).toEqual({ opcode: 'feedback', ident: 'kitchen' });
    await Promise.all([byQuery, byHeader, sender].map((peer) => peer.close()));
  });
});

describe('a message that is no packet', () => {
  test.each([
    ['no JSON', 'hello', 'it is not JSON'],
    ['a list', '[{"opcode":"echo"}]', 'it is not a JSON object'],
    ['null', 'null', 'it is not a JSON object'],
    ['no opcode', '{"message":"echo"}', 'its "opcode" is not a string'],
    ['an opcode that is a number', '{"opcode":1}', 'its "opcode" is not a string'],
  ])('%s: a close packet, no next, Close 1007', async (_, message, why) => {
    const web = await WebPeer.open(`${url}/web`);
    web.send(message);
    const error = `not a valid packet: ${why}`;
    expect(await web.text()).toBe(JSON.stringify({ opcode: 'close', error }));
    expect(await web.closed).toEqual({ code: 1007, reason: error });
    expect(web.waiting).toBe(0);
  });

  test('what is sent behind it is not handled', async () => {
    const other = await WebPeer.open(`${url}/web`);
    const peer = await rawWeb('/web');
    peer.write(Buffer.concat([clientFrame('x'), clientFrame(`{"opcode":"feedback","uuid":"${other.uuid}"}`)]));
    expect(await peer.packet()).toMatchObject({ opcode: 'close' });
    expect(await peer.closeFrame()).toMatchObject({ code: 1007 });
    peer.destroy();
    // Its echo is not allowed here: a refusal is what comes first.
    expect(await other.ask({ opcode: 'echo' })).toMatchObject({ error: 'not allowed' });
    await other.close();
  });
});

describe('a path that nothing is registered for', () => {
  test.each(['/x', '/web/', '/WEB', '/webb', '/php2?a=1'])(
    '%s: a close packet in place of ready, Close 4404',
    async (path) => {
      const from = daemon.out.length;
      const web = WebPeer.start(url + path);
      const error = `no such resource: ${path.split('?')[0]}`;
      expect(await web.text()).toBe(JSON.stringify({ opcode: 'close', error }));
      expect(await web.closed).toEqual({ code: 4404, reason: error });
      expect((await daemon.said(/; #\d+ 127\.0\.0\.1 \S+ refused: 4404 .*\n/, from))[0]).toContain(error);
    },
  );

  test('a kind that the resource does not accept is refused in the same way', async () => {
    const peer = await RawPeer.open({ port: daemon.port });
    peer.write('GET /web\n');
    expect(await peer.rest()).toBe('{"opcode":"close","error":"no such resource: /web"}\n');
    peer.destroy();
  });
});

describe('the Close of RFC 6455 §7', () => {
  test.each([1000, 1001, 3000, 4999])('a client that closes with %i gets its code back, and the FIN', async (code) => {
    const from = daemon.out.length;
    const peer = await rawWeb('/lab');
    peer.write(clientClose(code));
    expect((await peer.closeFrame()).code).toBe(code);
    peer.end();
    await daemon.said(new RegExp(`closed by the client: ${code} `), from);
    await daemon.said(new RegExp(`/lab: onClose \\d+: ${code} `), from);
  });

  test('a Close without a code is answered, too', async () => {
    const peer = await rawWeb('/lab');
    peer.write(clientFrame('', 8));
    const { opcode, payload } = await peer.frame();
    expect(opcode).toBe(8);
    expect(payload.length).toBe(0);
    expect(await peer.rest()).toBe('');
    peer.destroy();
  });

  test.each([
    ['an unmasked frame', Buffer.from([0x81, 0x02, 0x7b, 0x7d]), 1002],
    ['a reserved bit', Buffer.from([0xc1, 0x80, 1, 2, 3, 4]), 1002],
    ['an unknown opcode', clientFrame('', 3), 1002],
    ['a continuation of nothing', clientFrame('x', 0), 1002],
    ['a code that may not be sent', clientClose(1005), 1002],
    ['text that is not UTF-8', clientFrame(Buffer.from([0x7b, 0xff, 0x7d])), 1007],
    ['a reason that is not UTF-8', clientFrame(Buffer.from([3, 232, 0xc0, 0xaf]), 8), 1007],
  ])('%s is answered with its code', async (_, bytes, code) => {
    const peer = await rawWeb('/web');
    peer.write(bytes);
    expect(await peer.packet()).toMatchObject({ opcode: 'close' });
    expect((await peer.closeFrame()).code).toBe(code);
    peer.destroy();
  });

  test('a client that leaves without a Close frame gets one before the FIN all the same', async () => {
    const from = daemon.out.length;
    const peer = await rawWeb('/lab');
    peer.end();
    expect((await peer.closeFrame()).code).toBe(1000);
    await daemon.said(/closed by the client: 1006 the client ended without a Close frame/, from);
  });

  test('a client that is reset is gone: 1006', async () => {
    const from = daemon.out.length;
    const peer = await rawWeb('/lab');
    peer.socket.resetAndDestroy();
    await daemon.said(/onClose \d+: 1006 /, from);
  });

  test('a ping gets its pong, between the frames of a message, too', async () => {
    const peer = await rawWeb('/lab');
    peer.write(clientFrame('{"opcode"', 1, false));
    peer.write(clientFrame('are you there?', 9));
    const { opcode, payload } = await peer.frame();
    expect([opcode, payload.toString()]).toEqual([10, 'are you there?']);
    peer.write(clientFrame(':"echo"}', 0));
    expect(await peer.text()).toBe('{"opcode":"echo"}');
    peer.destroy();
  });

  test('a client that does not answer the Close is cut off after closeTimeout', async () => {
    const from = daemon.out.length;
    const peer = await rawWeb('/lab');
    peer.write(clientFrame('{"opcode":"close","code":4000,"reason":"out"}'));
    expect(await peer.text()).toBe(NEXT);
    expect(await peer.text()).toBe('{"opcode":"close","error":"out"}');
    expect(await peer.closeFrame()).toEqual({ code: 4000, reason: 'out' });
    await daemon.said(/closed: 4000 out/, from);
    // Its own FIN never comes: once the daemon has cut it off, what it writes is answered with a reset.
    await new Promise<void>((done) => {
      peer.socket.once('close', () => done());
      const nag = setInterval(() => peer.write('x'), 50);
      peer.socket.once('close', () => clearInterval(nag));
    });
    expect(peer.failure).not.toBeNull();
  });

  test('a resource may close with its own code; a reason longer than a Close frame holds is cut at a character', async () => {
    const web = await WebPeer.open(`${url}/lab`);
    const reason = 'ü'.repeat(100);
    web.sendPacket({ opcode: 'close', code: 3456, reason });
    expect(await web.text()).toBe(NEXT);
    expect(await web.packet()).toEqual({ opcode: 'close', error: reason });
    expect(await web.closed).toEqual({ code: 3456, reason: 'ü'.repeat(61) });
  });
});
