import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { makeCertificate } from '../support/certificate.ts';
import { fixture, type RunningDaemon, startDaemon, temporaryFolder } from '../support/daemon.ts';
import { RawPeer } from '../support/rawpeer.ts';
import { WebPeer, type WebPeerOptions } from '../support/webpeer.ts';

const UUID_V4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const NEXT = '{"opcode":"next","fyi":""}';

let daemon: RunningDaemon;
let ca: string;
let plain: string;
let secure: string;

beforeAll(async () => {
  const dir = temporaryFolder();
  const { certFile, pkFile } = makeCertificate(dir, { name: 'localhost', hosts: ['localhost', '127.0.0.1'] });
  const other = `import { Resource } from 'websock';
    export default class Other extends Resource {
      static path = '/other';
      onData(client, message) { client.send(message); }
    }`;
  daemon = await startDaemon({
    dir,
    ini: `adress='ws://127.0.0.1:0,wss://127.0.0.1:0'\ncertFile='${certFile}'\npkFile='${pkFile}'`,
    extra: { 'lab.js': fixture('resources/lab.js'), 'other.mjs': other },
  });
  ca = readFileSync(certFile, 'utf8');
  plain = `ws://127.0.0.1:${daemon.ports[0]}`;
  secure = `wss://localhost:${daemon.ports[1]}`;
});

afterAll(() => daemon.dispose());

function open(path: string, options: WebPeerOptions = {}): Promise<WebPeer> {
  return WebPeer.open(plain + path, options);
}

describe.each([
  ['ws', () => plain],
  ['wss', () => secure],
])('%s', (scheme, base) => {
  test.each(['/', '/web'])('%s: ready comes first, with a UUID of its own', async (path) => {
    const first = WebPeer.start(base() + path, { ca });
    const second = WebPeer.start(base() + path, { ca });
    const texts = [await first.text(), await second.text()];
    const uuids = texts.map((text) => /^\{"opcode":"ready","uuid":"([^"]*)"\}$/.exec(text)?.[1]);
    expect(uuids[0]).toMatch(UUID_V4);
    expect(uuids[1]).toMatch(UUID_V4);
    expect(uuids[0]).not.toBe(uuids[1]);
    await Promise.all([first.close(), second.close()]);
  });

  test('an echo is the same text, byte for byte, and then its next', async () => {
    const web = await WebPeer.open(`${base()}/web`, { ca });
    const text = '{ "z":1,\t"opcode" : "echo", "a":12345678901234567890, "e":1.50e+2, "ü":"\\u00fc😀", "z":2 }\n';
    web.send(text);
    expect(await web.message()).toMatchObject({ text, binary: false });
    expect(await web.text()).toBe(NEXT);
    await web.nothingElse();
    await web.close();
  });

  test('the scheme is what a resource sees', async () => {
    const web = await WebPeer.open(`${base()}/lab`, { ca });
    expect(await web.ask({ opcode: 'me' })).toMatchObject({ scheme, kind: 'websocket', path: '/lab', ip: '127.0.0.1' });
    await web.close();
  });
});

describe('each message has one next', () => {
  test('an empty message and an opcode that nobody knows are acknowledged', async () => {
    const web = await open('/');
    web.send('');
    expect(await web.text()).toBe(NEXT);
    web.send('{"opcode":"whatever","n":1}');
    expect(await web.text()).toBe(NEXT);
    await web.nothingElse();
    await web.close();
  });

  test('an empty message does not reach the resource', async () => {
    const web = await open('/other');
    web.send('');
    expect(await web.text()).toBe(NEXT);
    web.send('x');
    expect(await web.text()).toBe('x');
    expect(await web.text()).toBe(NEXT);
    await web.close();
  });

  test('10,000 sent ahead come back in order, each with one next', async () => {
    const web = await open('/web');
    const count = 10_000;
    for (let i = 0; i < count; i++) web.send(`{"opcode":"echo","i":${i}}`);
    for (let i = 0; i < count; i++) {
      const pair = [await web.text(), await web.text()];
      if (pair[0] !== `{"opcode":"echo","i":${i}}` || pair[1] !== NEXT) throw new Error(`message ${i}: ${pair.join()}`);
    }
    await web.nothingElse();
    await web.close();
  });
});

describe('broadcast', () => {
  test('reaches the other web clients of the app, and neither the sender nor clients of kind tcp', async () => {
    const sender = await open('/');
    const [same, other, byTls] = await Promise.all([open('/'), open('/web'), WebPeer.open(`${secure}/web`, { ca })]);
    const stranger = await open('/lab');
    const script = await RawPeer.script({ port: daemon.port }, '/php');
    const line = await RawPeer.line({ port: daemon.port }, 'GET /');
    const text = '{"opcode":"broadcast",  "message":"für alle 😀","n":98765432109876543210}';
    sender.send(text);
    expect(await sender.text()).toBe('{"opcode":"next","fyi":"","delivered":3}');
    for (const peer of [same, other, byTls]) {
      expect(await peer.text()).toBe(text);
    }
    await Promise.all([sender, same, other, byTls, stranger].map((peer) => peer.nothingElse()));
    line.write('{"opcode":"x"}\n');
    expect(await line.line()).toBe(NEXT);
    line.end();
    expect(await line.rest()).toBe('');
    script.destroy();
    await Promise.all([sender, same, other, byTls, stranger].map((peer) => peer.close()));
  });

  test('with nobody else there, it is delivered to 0', async () => {
    const sender = await open('/');
    expect(await sender.ask({ opcode: 'broadcast' })).toEqual({ opcode: 'next', fyi: '', delivered: 0 });
    await sender.close();
  });
});

describe('feedback', () => {
  test('by uuid reaches one client, in another app too, and the sender itself', async () => {
    const sender = await open('/web');
    const target = await open('/lab');
    const bystander = await open('/web');
    const text = `{"message":"x","uuid":"${target.uuid}", "opcode":"feedback"}`;
    sender.send(text);
    expect(await sender.text()).toBe('{"opcode":"next","fyi":"","delivered":1}');
    expect(await target.text()).toBe(text);
    const own = `{"opcode":"feedback","uuid":"${sender.uuid}","n":1}`;
    sender.send(own);
    expect(await sender.text()).toBe(own);
    expect(await sender.text()).toBe('{"opcode":"next","fyi":"","delivered":1}');
    await Promise.all([sender, target, bystander].map((peer) => peer.nothingElse()));
    await Promise.all([sender, target, bystander].map((peer) => peer.close()));
  });

  test('a uuid that nobody has is delivered to 0, and so is one whose client has left', async () => {
    const sender = await open('/web');
    const gone = await open('/web');
    await gone.close();
    for (const uuid of ['nobody', gone.uuid]) {
      expect(await sender.ask({ opcode: 'feedback', uuid })).toEqual({ opcode: 'next', fyi: '', delivered: 0 });
    }
    await sender.close();
  });

  test('by ident: a web client may not, and it has no effect', async () => {
    const named = await RawPeer.line({ port: daemon.port }, 'GET /?ident=printer');
    const web = await open('/web');
    const packet = { opcode: 'feedback', ident: 'printer', text: 'no' };
    expect(await web.ask(packet)).toEqual({ opcode: 'next', fyi: '', error: 'not allowed' });
    // A uuid that is no text does not count: the ident does, and it is not allowed either.
    expect(await web.ask({ ...packet, uuid: 5 })).toMatchObject({ error: 'not allowed' });
    named.write('{"opcode":"echo"}\n');
    expect(await named.line()).toBe('{"opcode":"echo"}');
    named.destroy();
    await web.close();
  });

  test('by ident, from a line client: every client of its app with that ident, a number by its digits', async () => {
    const sender = await RawPeer.line({ port: daemon.port }, 'GET /php');
    const line = await RawPeer.line({ port: daemon.port }, 'GET /php?ident=42');
    const script = await RawPeer.script({ port: daemon.port }, '/', { Ident: '42' });
    const stranger = await RawPeer.line({ port: daemon.port }, 'GET /lab?ident=42');
    for (const ident of ['"42"', '42']) {
      const text = `{"opcode":"feedback","ident":${ident},"to":"both"}`;
      sender.write(`${text}\n`);
      expect(await sender.line()).toBe('{"opcode":"next","fyi":"","delivered":2}');
      expect(await line.line()).toBe(text);
      expect(await script.text()).toBe(text);
    }
    sender.write(
      '{"opcode":"feedback","ident":4.2e1}\n{"opcode":"feedback","ident":42.5}\n{"opcode":"feedback","ident":""}\n',
    );
    expect((await sender.linePacket()).delivered).toBe(2);
    expect((await sender.linePacket()).delivered).toBe(0);
    expect((await sender.linePacket()).delivered).toBe(0);
    stranger.write('{"opcode":"echo"}\n');
    expect(await stranger.line()).toBe('{"opcode":"echo"}');
    for (const peer of [sender, line, script, stranger]) peer.destroy();
  });

  test('a web client has no ident, whatever it says', async () => {
    const web = await open('/lab?ident=boss', { headers: { Ident: 'boss' } });
    expect(await web.ask({ opcode: 'me' })).toMatchObject({ ident: '', query: [['ident', 'boss']] });
    await web.close();
  });

  test('a script client has a uuid that no feedback reaches', async () => {
    const script = await RawPeer.script({ port: daemon.port }, '/php');
    const web = await open('/');
    expect(await web.ask({ opcode: 'feedback', uuid: script.uuid })).toMatchObject({ delivered: 0 });
    script.destroy();
    await web.close();
  });
});

describe('what comes with the handshake', () => {
  test('the query is handed to the resource, and does not count for the path', async () => {
    const web = await open('/lab?a=1&b=x%20y&a=2');
    const seen = await web.ask({ opcode: 'me' });
    expect(seen).toMatchObject({
      path: '/lab',
      query: [
        ['a', '1'],
        ['b', 'x y'],
        ['a', '2'],
      ],
    });
    await web.close();
  });

  test('of the subprotocols offered the first is chosen, and none where none is offered', async () => {
    const web = await open('/web', { protocols: ['chat', 'superchat'] });
    expect(web.socket.protocol).toBe('chat');
    const without = await open('/web');
    expect(without.socket.protocol).toBe('');
    await Promise.all([web.close(), without.close()]);
  });

  test('binary messages come as bytes, and go as bytes', async () => {
    const web = await open('/lab');
    const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, i) => (i * 7) & 255));
    web.send(bytes);
    const { data, binary } = await web.message();
    expect(binary).toBe(true);
    expect(data.equals(bytes)).toBe(true);
    expect(await web.packet()).toMatchObject({ opcode: 'next', size: 70_000 });
    await web.close();
  });
});
