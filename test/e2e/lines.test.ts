import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { makeCertificate } from '../support/certificate.ts';
import { run } from '../support/commands.ts';
import { fixture, type RunningDaemon, startDaemon, temporaryFolder } from '../support/daemon.ts';
import { withProgram } from '../support/program.ts';
import { RawPeer, type Where } from '../support/rawpeer.ts';
import { WebPeer } from '../support/webpeer.ts';

const NEXT = '{"opcode":"next","fyi":""}';
const READY = /^\{"opcode":"ready","uuid":"[0-9a-f-]{36}"\}$/;
const withNc = withProgram('nc', 'netcat-openbsd');

let daemon: RunningDaemon;
let ca: string;

beforeAll(async () => {
  const dir = temporaryFolder();
  const { certFile, pkFile } = makeCertificate(dir, { name: 'localhost', hosts: ['localhost', '127.0.0.1'] });
  const bare = `import { Resource } from 'websock';
    export default class Bare extends Resource {
      static dialog = false;
      onData(client, message) { client.send(message.toUpperCase()); }
    }`;
  daemon = await startDaemon({
    dir,
    ini: `adress='tcp://127.0.0.1:0,ssl://127.0.0.1:0'\ncertFile='${certFile}'\npkFile='${pkFile}'`,
    extra: { 'lab.js': fixture('resources/lab.js'), 'bare.mjs': bare },
  });
  ca = readFileSync(certFile, 'utf8');
});

afterAll(() => daemon.dispose());

describe.each(['tcp', 'ssl'])('%s', (scheme) => {
  const where = (): Where => (scheme === 'tcp' ? { port: daemon.ports[0] } : { port: daemon.ports[1], ca });

  test.each(['GET /php', '/php', 'get /php', 'GET /php\r', '/?ident=x\r'])('%j opens', async (firstLine) => {
    const peer = await RawPeer.open(where());
    peer.write(`${firstLine}\n`);
    expect(await peer.line()).toMatch(READY);
    peer.write('{"opcode":"echo","umlaut":"ä"}\r\n');
    expect(await peer.line()).toBe('{"opcode":"echo","umlaut":"ä"}');
    expect(await peer.line()).toBe(NEXT);
    peer.end();
    expect(await peer.rest()).toBe('');
  });

  test('byte by byte, as a person types it by telnet', async () => {
    const peer = await RawPeer.open(where());
    for (const byte of Buffer.from('/lab\r\n{"opcode":"me"}\r\n\r\n')) peer.write(Buffer.from([byte]));
    expect(await peer.line()).toMatch(READY);
    expect(await peer.linePacket()).toMatchObject({ scheme, kind: 'tcp', path: '/lab' });
    expect(await peer.line()).toBe(NEXT);
    // An empty line is an empty message.
    expect(await peer.line()).toBe(NEXT);
    peer.write('{"opcode":"quit"}\n{"opcode":"close"}\n');
    expect(await peer.line()).toBe(NEXT);
    expect(await peer.rest()).toBe(`${NEXT}\n`);
  });

  test('one-shot: everything and the FIN at once, the last line without its LF', async () => {
    const target = await RawPeer.line(where(), 'GET /');
    const peer = await RawPeer.open(where());
    const texts = [1, 2, 3].map((n) => `{"opcode":"feedback","uuid":"${target.uuid}","n":${n}}`);
    peer.end(`GET /php\n${texts.join('\n')}`);
    const [ready, ...answers] = (await peer.rest()).split('\n');
    expect(ready).toMatch(READY);
    const delivered = '{"opcode":"next","fyi":"","delivered":1}';
    expect(answers).toEqual([delivered, delivered, delivered, '']);
    for (const text of texts) {
      expect(await target.line()).toBe(text);
    }
    target.destroy();
  });

  test('one-shot with a handler that takes its time: what is owed is written before the FIN', async () => {
    const from = daemon.out.length;
    const other = await RawPeer.line(where(), 'GET /lab');
    const peer = await RawPeer.open(where());
    peer.end(`GET /lab\n{"opcode":"hold","name":"${scheme}"}\n{"opcode":"echo"}`);
    await daemon.said(/\/lab: holds/, from);
    other.write(`{"opcode":"release","name":"${scheme}"}\n`);
    const [, ...answers] = (await peer.rest()).split('\n');
    expect(answers).toEqual([
      `{"opcode":"next","fyi":"","held":"${scheme}"}`,
      '{"opcode":"echo"}',
      '{"opcode":"next","fyi":"","buffered":false}',
      '',
    ]);
    other.destroy();
  });

  test('10,000 lines sent ahead are answered in order, each with one next', async () => {
    const count = 10_000;
    const peer = await RawPeer.line(where(), 'GET /php');
    let sent = '';
    let expected = '';
    for (let i = 0; i < count; i++) {
      sent += `{"opcode":"echo","i":${i}}\n`;
      expected += `{"opcode":"echo","i":${i}}\n${NEXT}\n`;
    }
    peer.end(sent);
    const answer = await peer.rest();
    expect(answer.length).toBe(expected.length);
    expect(answer === expected).toBe(true);
  });

  test('a resource without the dialog takes and gives bare lines', async () => {
    const peer = await RawPeer.open(where());
    peer.end('GET /bare\nhello\n\nlast');
    expect(await peer.rest()).toBe('HELLO\n\nLAST\n');
  });

  test('what is no opening gets a line that says so', async () => {
    const from = daemon.out.length;
    const peer = await RawPeer.open(where());
    peer.write('HELO there\n');
    expect(await peer.rest()).toMatch(/^\{"opcode":"close","error":"[^"]*GET \/path[^"]*"\}\n$/);
    await daemon.said(/refused: 400 the first line/, from);
    peer.destroy();
  });

  test('a path that nothing is registered for: one close packet, and the end', async () => {
    const peer = await RawPeer.open(where());
    peer.write('GET /nowhere\n{"opcode":"echo"}\n');
    expect(await peer.rest()).toBe('{"opcode":"close","error":"no such resource: /nowhere"}\n');
    peer.destroy();
  });

  test('a line that is no packet: a close packet, and nothing after it', async () => {
    const peer = await RawPeer.line(where(), '/php');
    peer.write('{"opcode":"x"}\nrubbish\n{"opcode":"echo"}\n');
    const error = 'not a valid packet: it is not JSON';
    expect(await peer.rest()).toBe(`${NEXT}\n${JSON.stringify({ opcode: 'close', error })}\n`);
    peer.destroy();
  });

  test('a line that is not UTF-8 closes it', async () => {
    const peer = await RawPeer.line(where(), '/php');
    peer.write(Buffer.from('{"opcode":"echo","x":"\xff"}\n', 'latin1'));
    expect(await peer.rest()).toBe('{"opcode":"close","error":"a line is not UTF-8"}\n');
    peer.destroy();
  });
});

test('a text with line ends in it reaches a line client as one line', async () => {
  const web = await WebPeer.open(`ws://127.0.0.1:${daemon.port}/`);
  const line = await RawPeer.line({ port: daemon.port }, '/');
  const text = `{\n  "opcode": "feedback",\r\n  "uuid": "${line.uuid}"\n}`;
  expect(await web.ask(text)).toMatchObject({ delivered: 1 });
  const got = await line.line();
  expect(JSON.parse(got)).toEqual(JSON.parse(text));
  line.destroy();
  await web.close();
});

describe('nc', () => {
  withNc('one-shot with -N, as PROTOCOL.md §6 has it: the page gets the feedback', async () => {
    const web = await WebPeer.open(`ws://127.0.0.1:${daemon.port}/web`);
    const command = `printf 'GET /php\\n{"opcode":"feedback","uuid":"${web.uuid}","message":"50 %%"}\\n' | nc -N 127.0.0.1 ${daemon.port}`;
    const { code, stdout, stderr } = await run('sh', ['-c', command]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const lines = stdout.split('\n');
    expect(lines[0]).toMatch(READY);
    expect(lines.slice(1)).toEqual(['{"opcode":"next","fyi":"","delivered":1}', '']);
    expect(await web.packet()).toEqual({ opcode: 'feedback', uuid: web.uuid, message: '50 %' });
    await web.close();
  });

  withNc('-C sends CRLF', async () => {
    const { code, stdout } = await run(
      'nc',
      ['-C', '-N', '127.0.0.1', String(daemon.port)],
      '/php\n{"opcode":"echo"}\n',
    );
    expect(code).toBe(0);
    expect(stdout.split('\n').slice(1)).toEqual(['{"opcode":"echo"}', NEXT, '']);
  });
});
