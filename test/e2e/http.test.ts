import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { curl, run } from '../support/commands.ts';
import { fixture, type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { withProgram } from '../support/program.ts';
import { RawPeer, upgradeRequest } from '../support/rawpeer.ts';
import { WebPeer } from '../support/webpeer.ts';

const withCurl = withProgram('curl', 'curl');
const JSON_TYPE = ['-H', 'Content-Type: application/json'];
const NDJSON = ['-H', 'Content-Type: application/x-ndjson'];

let daemon: RunningDaemon;
let url: string;
let web: WebPeer;

beforeAll(async () => {
  daemon = await startDaemon({
    ini: '[limits]\nhandlerTimeout=0.4\nsendQueue=64KiB',
    extra: { 'lab.js': fixture('resources/lab.js') },
  });
  url = `http://127.0.0.1:${daemon.port}`;
  web = await WebPeer.open(`ws://127.0.0.1:${daemon.port}/web`);
});

afterAll(() => daemon.dispose());

test('the transport is the one that is meant: see jest.config.mjs', () => {
  expect(daemon.out).toContain(`; Transport: ${process.env.WEBSOCK_TRANSPORT ?? 'direct'}\n`);
});

function feedback(text: string): string {
  return JSON.stringify({ opcode: 'feedback', uuid: web.uuid, message: text });
}

describe('a POST', () => {
  withCurl('of JSON: the page gets the same text, and the answer says so', async () => {
    const text = `{ "opcode":"feedback",\n "uuid":"${web.uuid}", "n":12345678901234567890, "m":"50 % ü" }`;
    const response = await curl(...JSON_TYPE, '--data-binary', text, `${url}/php`);
    expect(response.status).toBe(200);
    expect(response.head).toMatch(/^content-type: application\/json\r?$/im);
    expect(response.body).toBe('{"opcode":"next","fyi":"","delivered":1,"packets":[]}\n');
    expect(await web.text()).toBe(text);
  });

  withCurl('of a form: its fields are the packet', async () => {
    const args = ['-d', 'opcode=feedback', '-d', `uuid=${web.uuid}`, '--data-urlencode', 'message=50 % & 1+1=2 ü'];
    const response = await curl(...args, '-d', 'tag=a', '-d', 'tag=b', `${url}/php`);
    expect(response.json()).toEqual({ opcode: 'next', fyi: '', delivered: 1, packets: [] });
    const message = '50 % & 1+1=2 ü';
    expect(await web.packet()).toEqual({ opcode: 'feedback', uuid: web.uuid, message, tag: ['a', 'b'] });
  });

  withCurl('of JSON by curl -d, whose content type says form', async () => {
    const response = await curl('-d', feedback('by -d'), `${url}/php`);
    expect(response.json()).toMatchObject({ delivered: 1 });
    expect(await web.packet()).toMatchObject({ message: 'by -d' });
  });

  withCurl('chunked, and of exactly maxPayload bytes', async () => {
    const file = join(daemon.dir, 'large.json');
    const frame = feedback('');
    const text = feedback('x'.repeat(1_048_576 - frame.length));
    writeFileSync(file, text);
    const from = daemon.out.length;
    const args = [...JSON_TYPE, '-H', 'Transfer-Encoding: chunked', '--data-binary', `@${file}`];
    const response = await curl(...args, `${url}/php`);
    expect(response.status).toBe(200);
    expect(await web.text()).toBe(text);
    await daemon.said(/POST \/php: 200, delivered 1\n/, from);
  });

  withCurl('that has no effect: the answer and the log say why', async () => {
    const from = daemon.out.length;
    const response = await curl('-d', 'opcode=ticket', '-d', 'uuid=u', '-d', 'ttl=0', `${url}/php`);
    const { error } = JSON.parse(response.body) as { error: string };
    expect([response.status, error]).toEqual([200, expect.stringContaining('ttl')]);
    const [, said] = await daemon.said(/POST \/php: 200, (.*)\n/, from);
    expect(said).toBe(error);
  });

  withCurl('that expects 100-continue, 1 MiB less a little: it is told to go on', async () => {
    const file = join(daemon.dir, 'nearly.json');
    const text = feedback('y'.repeat(1_048_000));
    writeFileSync(file, text);
    const args = ['-sSv', '-H', 'Expect: 100-continue', ...JSON_TYPE, '--data-binary', `@${file}`];
    const { stdout, stderr } = await run('curl', [...args, '--expect100-timeout', '30', `${url}/php`]);
    expect(stderr).toMatch(/^< HTTP\/1\.1 100 Continue/m);
    expect(stderr).toMatch(/^< HTTP\/1\.1 200 OK/m);
    expect(JSON.parse(stdout)).toMatchObject({ delivered: 1 });
    expect(await web.text()).toBe(text);
  });

  withCurl('of ndjson: one answer a line, and a bad line does not stop the rest', async () => {
    const lines = [feedback('first'), 'rubbish', '', '{"opcode":"echo","n":1}', feedback('last')];
    const response = await curl(...NDJSON, '--data-binary', `${lines.join('\n')}\r\n`, `${url}/php`);
    expect(response.status).toBe(200);
    expect(JSON.parse(response.body)).toEqual([
      { opcode: 'next', fyi: '', delivered: 1, packets: [] },
      { opcode: 'close', error: 'not a valid packet: it is not JSON' },
      { opcode: 'next', fyi: '', packets: [{ opcode: 'echo', n: 1 }] },
      { opcode: 'next', fyi: '', delivered: 1, packets: [] },
    ]);
    expect(await web.packet()).toMatchObject({ message: 'first' });
    expect(await web.packet()).toMatchObject({ message: 'last' });
  });

  withCurl('what the resource sends to it is in the answer; a text that is no JSON as a string', async () => {
    const texts = ['{"big":12345678901234567890}', 'plain "text"'];
    const response = await curl('-d', JSON.stringify({ opcode: 'send', texts }), `${url}/lab`);
    expect(response.body).toBe(
      '{"opcode":"next","fyi":"","packets":[{"big":12345678901234567890},"plain \\"text\\""]}\n',
    );
  });

  withCurl('is a client of kind tcp that nobody can address; its ident is what it says', async () => {
    const response = await curl('-H', 'Ident: cron', '-d', '{"opcode":"me"}', `${url}/lab?a=1`);
    const [seen] = response.json().packets as object[];
    expect(seen).toMatchObject({ kind: 'tcp', scheme: 'tcp', ident: 'cron', ip: '127.0.0.1', query: [['a', '1']] });
    const named = await curl('-d', '{"opcode":"feedback","ident":"cron"}', `${url}/lab?ident=cron`);
    expect(named.json()).toMatchObject({ delivered: 0, packets: [] });
  });

  withCurl('an empty body is an empty message', async () => {
    const response = await curl('-X', 'POST', `${url}/php`);
    expect(response.body).toBe('{"opcode":"next","fyi":"","packets":[]}\n');
  });
});

describe('a POST that fails', () => {
  withCurl('bad JSON: 400 and a close packet', async () => {
    const response = await curl(...JSON_TYPE, '-d', '{"opcode":', `${url}/php`);
    expect(response.status).toBe(400);
    expect(response.body).toBe('{"opcode":"close","error":"not a valid packet: it is not JSON"}\n');
  });

  withCurl('not UTF-8: 400', async () => {
    const file = join(daemon.dir, 'latin1.json');
    writeFileSync(file, Buffer.from('{"opcode":"echo","x":"\xfc"}', 'latin1'));
    const response = await curl(...JSON_TYPE, '--data-binary', `@${file}`, `${url}/php`);
    expect([response.status, response.json().error]).toEqual([400, 'the body is not UTF-8']);
  });

  withCurl('more than maxPayload: 413, by its Content-Length or as it arrives', async () => {
    const file = join(daemon.dir, 'too-large.json');
    writeFileSync(file, feedback('z'.repeat(1_048_577)));
    for (const more of [[], ['-H', 'Transfer-Encoding: chunked'], ['-H', 'Expect:']]) {
      const response = await curl(...JSON_TYPE, ...more, '--data-binary', `@${file}`, `${url}/php`);
      expect(response.status).toBe(413);
      expect(response.json()).toEqual({ opcode: 'close', error: 'a body of more than 1048576 bytes' });
    }
    expect(web.waiting).toBe(0);
  });

  withCurl('a path that nothing is registered for, or that is not for backends: 404', async () => {
    for (const path of ['/nothing', '/web']) {
      const response = await curl('-d', '{"opcode":"echo"}', url + path);
      expect([response.status, response.json()]).toEqual([
        404,
        {
          opcode: 'close',
          error:
            path === '/web'
              ? '/web takes no POST: it is for WebSocket clients (see its static accepts)'
              : 'no such resource: /nothing',
        },
      ]);
    }
  });

  withCurl('a handler that throws or rejects: 500, and the log says where; the daemon goes on', async () => {
    for (const [opcode, said] of [
      ['throw', 'thrown in the lab'],
      ['reject', 'rejected in the lab'],
    ]) {
      const from = daemon.out.length;
      const response = await curl('-d', JSON.stringify({ opcode }), `${url}/lab`);
      expect([response.status, response.json()]).toEqual([500, { opcode: 'close', error: 'the resource failed' }]);
      await daemon.said(new RegExp(`ERROR #\\d+ 127\\.0\\.0\\.1 POST /lab: .*${said}.*lab\\.js:\\d+`), from);
      await daemon.said(new RegExp(`/lab: onError \\d+: ${said}`), from);
    }
    expect((await curl('-d', '{"opcode":"echo"}', `${url}/lab`)).status).toBe(200);
  });

  withCurl('a handler that does not settle: 504 after handlerTimeout', async () => {
    const from = daemon.out.length;
    const response = await curl('-d', '{"opcode":"never"}', `${url}/lab`);
    expect([response.status, response.json()]).toEqual([
      504,
      { opcode: 'close', error: 'the resource took longer than 0.4 s' },
    ]);
    await daemon.said(/WARN .*over \[limits\] handlerTimeout/, from);
  });

  withCurl('a resource that closes it: the status of the close code', async () => {
    const response = await curl('-d', '{"opcode":"close","code":1008,"reason":"no"}', `${url}/lab`);
    expect([response.status, response.json()]).toEqual([403, { opcode: 'close', error: 'no' }]);
  });

  withCurl('an answer of more than sendQueue: 503', async () => {
    const response = await curl('-d', '{"opcode":"flood","size":40000,"count":5}', `${url}/lab`);
    expect([response.status, response.json().opcode]).toEqual([503, 'close']);
  });
});

describe('other methods', () => {
  withCurl('GET of a resource: 426, with the protocol to upgrade to', async () => {
    const response = await curl(`${url}/web`);
    expect(response.status).toBe(426);
    expect(response.head).toMatch(/^upgrade: websocket\r?$/im);
    expect(response.head).toMatch(/^connection: close\r?$/im);
    expect(response.body).toMatch(/^\/web is a resource: .*\n$/);
  });

  withCurl('GET of anything else: 404', async () => {
    const response = await curl(`${url}/nothing`);
    expect([response.status, response.body]).toEqual([404, 'no such resource: /nothing\n']);
  });

  withCurl('HEAD: the status of the GET, without its text', async () => {
    const response = await curl('-I', `${url}/web`);
    expect([response.status, response.body]).toEqual([426, '']);
  });

  test.each(['PUT', 'DELETE', 'PATCH', 'TRACE'])('%s: 405 with Allow', async (method) => {
    const peer = await RawPeer.open({ port: daemon.port });
    peer.write(`${method} /php HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    const { status, head, body } = await peer.response();
    expect([status, body]).toEqual([405, `${method} is not served\n`]);
    expect(head).toMatch(/^allow: GET, HEAD, POST, OPTIONS\r$/im);
    expect(await peer.rest()).toBe('');
    peer.destroy();
  });
});

describe('the connection', () => {
  withCurl('two requests of one curl go over one connection', async () => {
    const post = ['-d', '{"opcode":"me"}', `${url}/lab`];
    const args = ['-sS', '-w', '%{num_connects}\n', ...post, '--next', '-sS', '-w', '%{num_connects}\n', ...post];
    const { stdout } = await run('curl', args);
    const lines = stdout.split('\n');
    expect([lines[1], lines[3]]).toEqual(['1', '0']);
    const ids = [lines[0], lines[2]].map((line) => (JSON.parse(line) as { packets: { id: number }[] }).packets[0].id);
    expect(ids[1]).toBe(ids[0]);
  });

  test('two requests sent ahead are answered in order', async () => {
    const peer = await RawPeer.open({ port: daemon.port });
    const request = (n: number): string => {
      const body = `{"opcode":"echo","n":${n}}`;
      return `POST /lab HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    };
    peer.write(request(1) + request(2));
    expect((await peer.response()).body).toContain('"n":1');
    expect((await peer.response()).body).toContain('"n":2');
    peer.destroy();
  });

  test('what was sent behind a request whose answer ends the connection has no effect', async () => {
    const peer = await RawPeer.open({ port: daemon.port });
    const body = feedback('behind the end');
    peer.write('DELETE /php HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
    peer.write(`POST /php HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    expect((await peer.response()).status).toBe(405);
    expect(await peer.rest()).toBe('');
    await web.nothingElse();
  });

  test('a body that is no HTTP behind a request is answered when that is', async () => {
    const peer = await RawPeer.open({ port: daemon.port });
    const from = daemon.out.length;
    peer.write('POST /lab HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 18\r\n\r\n{"opcode":"never"}');
    peer.write('POST /lab HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nno length\r\n');
    await daemon.said(/HTTP error/, from);
    expect((await peer.response()).status).toBe(504);
    const { status, body } = await peer.response();
    expect([status, body]).toEqual([400, 'not a valid HTTP request\n']);
    expect(await peer.rest()).toBe('');
  });

  test('what is no HTTP behind a request is answered when that is', async () => {
    const peer = await RawPeer.open({ port: daemon.port });
    const from = daemon.out.length;
    const body = '{"opcode":"never"}';
    peer.write(`POST /lab HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    peer.write('this is not HTTP\r\n\r\n');
    await daemon.said(/HTTP error/, from);
    expect((await peer.response()).status).toBe(504);
    const { status, body: text } = await peer.response();
    expect([status, text]).toEqual([405, 'the method is not served\n']);
    expect(await peer.rest()).toBe('');
  });

  test('an upgrade on a kept-alive connection: 426', async () => {
    const peer = await RawPeer.open({ port: daemon.port });
    peer.write('POST /lab HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n');
    expect((await peer.response()).status).toBe(200);
    peer.write(upgradeRequest('/lab'));
    const { status, body } = await peer.response();
    expect([status, body]).toEqual([426, 'a WebSocket handshake must be the first request of its connection\n']);
    expect(await peer.rest()).toBe('');
    peer.destroy();
  });

  test('HTTP/1.0: an answer, and the end of the connection', async () => {
    const peer = await RawPeer.open({ port: daemon.port });
    peer.write('POST /lab HTTP/1.0\r\nContent-Length: 17\r\n\r\n{"opcode":"echo"}');
    const { status, body } = await peer.response();
    expect([status, body]).toEqual([
      200,
      '{"opcode":"next","fyi":"","buffered":false,"packets":[{"opcode":"echo"}]}\n',
    ]);
    expect(await peer.rest()).toBe('');
    peer.destroy();
  });

  test('a peer that leaves in the middle of its body is nobody: the daemon goes on', async () => {
    const from = daemon.out.length;
    const peer = await RawPeer.open({ port: daemon.port });
    peer.write('POST /lab HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"opcode":"throw"');
    peer.end();
    await daemon.said(/#\d+ 127\.0\.0\.1 (?:HTTP error|POST \/lab: 400)/, from);
    expect((await curl('-d', '{"opcode":"echo"}', `${url}/lab`)).status).toBe(200);
    expect(daemon.out.slice(from)).not.toContain('thrown');
    peer.destroy();
  });
});
