import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { fixture, type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { clientFrame, RawPeer, upgradeRequest } from '../support/rawpeer.ts';
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

// The closing handshake of RFC 6455, and what the daemon does with who breaks its rules: test/rfc6455.
describe('the end of a connection', () => {
  test('a client that is reset is gone: 1006', async () => {
    const from = daemon.out.length;
    const peer = await rawWeb('/lab');
    peer.socket.resetAndDestroy();
    await daemon.said(/onClose \d+: 1006 /, from);
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
