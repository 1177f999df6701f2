import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { fixture, type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { RawPeer } from '../support/rawpeer.ts';
import { WebPeer } from '../support/webpeer.ts';

let daemon: RunningDaemon;
let url: string;
let web: WebPeer;

beforeAll(async () => {
  daemon = await startDaemon({
    ini: '[http]\nmaxAnswer=1KiB\n[limits]\nsendQueue=64KiB\n[backend]\nkey=a-key-that-is-long-enough-for-the-daemon',
    extra: { 'lab.js': fixture('resources/lab.js') },
  });
  url = `http://127.0.0.1:${daemon.port}`;
  web = await WebPeer.open(`ws://127.0.0.1:${daemon.port}/web`);
});

afterAll(() => daemon.dispose());

interface Answer {
  status: number;
  body: string;
  replayed: string | null;
}

async function post(path: string, body: string, headers: Record<string, string>): Promise<Answer> {
  const response = await fetch(url + path, { method: 'POST', body, headers });
  return {
    status: response.status,
    body: await response.text(),
    replayed: response.headers.get('Idempotent-Replayed'),
  };
}

function feedback(message: string): string {
  return JSON.stringify({ opcode: 'feedback', uuid: web.uuid, message });
}

describe('a POST with an Idempotency-Key', () => {
  test('is handled once: the page hears it once, and the sender gets the same answer', async () => {
    const first = await post('/php', feedback('50 %'), { 'Idempotency-Key': '"fifty"' });
    const from = daemon.out.length;
    const again = await post('/php', feedback('50 %'), { 'Idempotency-Key': 'fifty' });
    expect(first).toEqual({
      status: 200,
      body: '{"opcode":"next","fyi":"","delivered":1,"packets":[]}\n',
      replayed: null,
    });
    expect(again).toEqual({ ...first, replayed: 'true' });
    await daemon.said(/POST \/php: 200, again, delivered 1\n/, from);
    await post('/php', feedback('60 %'), { 'Idempotency-Key': '"sixty"' });
    expect([await web.packet(), await web.packet()]).toMatchObject([{ message: '50 %' }, { message: '60 %' }]);
  });

  test('that comes while the first is being handled waits for it, also where the first has lost its connection', async () => {
    const body = '{"opcode":"hold","name":"once"}';
    const from = daemon.out.length;
    const peer = await RawPeer.open({ port: daemon.port });
    peer.write(
      `POST /lab HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\nIdempotency-Key: "held"\r\n\r\n${body}`,
    );
    await daemon.said(/holds once/, from);
    peer.socket.destroy();
    const headers = { 'Idempotency-Key': '"held"', 'Content-Type': 'text/plain' };
    const second = post('/lab', body, headers);
    const third = post('/lab', body, headers);
    expect(await post('/lab', `${body} `, headers)).toMatchObject({ status: 422, replayed: null });
    await post('/lab', '{"opcode":"release","name":"once"}', {});
    const answer = { status: 200, body: '{"opcode":"next","fyi":"","held":"once","packets":[]}\n', replayed: 'true' };
    expect(await Promise.all([second, third])).toEqual([answer, answer]);
    expect(daemon.out.slice(from).match(/holds once/g)).toHaveLength(1);
  });

  test('with another body: 422', async () => {
    await post('/php', feedback('a'), { 'Idempotency-Key': '"body"' });
    expect(await post('/php', feedback('b'), { 'Idempotency-Key': '"body"' })).toEqual({
      status: 422,
      body: '{"opcode":"close","error":"this Idempotency-Key was used with another body"}\n',
      replayed: null,
    });
    expect(await web.packet()).toMatchObject({ message: 'a' });
    expect(web.waiting).toBe(0);
  });

  test('the same key at another path, of another ident, or with another key of the backend is another POST', async () => {
    const key = { 'Idempotency-Key': '"shared"' };
    const body = '{"opcode":"me"}';
    const answers = [
      await post('/lab', body, key),
      await post('/lab?a=1', body, key),
      await post('/lab', body, { ...key, Ident: 'cron' }),
      await post('/lab', body, { ...key, Authorization: 'Bearer a-key-that-is-long-enough-for-the-daemon' }),
      await post('/php', body, key),
    ];
    expect(answers.map(({ status, replayed }) => [status, replayed])).toEqual(answers.map(() => [200, null]));
    expect(await post('/lab', body, key)).toMatchObject({ replayed: 'true' });
  });

  test('that was refused may be tried again', async () => {
    const key = { 'Idempotency-Key': '"again"', 'Content-Type': 'application/json' };
    expect(await post('/php', '{"opcode":', key)).toMatchObject({ status: 400, replayed: null });
    expect(await post('/php', '{"opcode":"echo"}', key)).toMatchObject({ status: 200, replayed: null });
  });

  test('that failed in its handler is not handled again', async () => {
    const from = daemon.out.length;
    const key = { 'Idempotency-Key': '"failed"' };
    expect(await post('/lab', '{"opcode":"throw"}', key)).toMatchObject({ status: 500, replayed: null });
    expect(await post('/lab', '{"opcode":"throw"}', key)).toMatchObject({ status: 500, replayed: 'true' });
    expect(daemon.out.slice(from).match(/ERROR #\d+ .*thrown in the lab/g)).toHaveLength(1);
  });

  test('with an answer that is too long to be kept: 409, and it is not handled again', async () => {
    const from = daemon.out.length;
    const body = '{"opcode":"flood","size":2000,"count":1}';
    expect(await post('/lab', body, { 'Idempotency-Key': '"long"' })).toMatchObject({ status: 200 });
    await daemon.said(/over \[http\] maxAnswer: an answer of more than 1024 bytes: it is not kept/, from);
    expect(await post('/lab', body, { 'Idempotency-Key': '"long"' })).toEqual({
      status: 409,
      body: '{"opcode":"close","error":"it has been handled before, but its answer is not kept any more"}\n',
      replayed: null,
    });
  });

  test('with an answer of more than sendQueue: 503 both times, handled once', async () => {
    const body = '{"opcode":"flood","size":40000,"count":5}';
    expect(await post('/lab', body, { 'Idempotency-Key': '"flood"' })).toMatchObject({ status: 503, replayed: null });
    expect(await post('/lab', body, { 'Idempotency-Key': '"flood"' })).toMatchObject({ status: 503, replayed: 'true' });
  });

  test.each(['""', '"open', 'two words', `"${'x'.repeat(257)}"`])('with %s for a key: 400', async (key) => {
    const { status, body } = await post('/php', feedback('never'), { 'Idempotency-Key': key });
    expect([status, JSON.parse(body)]).toEqual([
      400,
      {
        opcode: 'close',
        error: 'Idempotency-Key: one string of 1 to 256 printable ASCII characters, in quotes, without " and \\',
      },
    ]);
    expect(web.waiting).toBe(0);
  });

  test('of a page: it may send the key, and see that it was answered before', async () => {
    const origin = { Origin: 'http://localhost:3000' };
    const preflight = await fetch(`${url}/php`, { method: 'OPTIONS', headers: origin });
    expect(preflight.headers.get('Access-Control-Allow-Headers')).toContain('Idempotency-Key');
    const headers = {
      ...origin,
      'Idempotency-Key': '"page"',
      Authorization: 'Bearer a-key-that-is-long-enough-for-the-daemon',
    };
    await post('/php', '{"opcode":"echo"}', headers);
    const again = await fetch(`${url}/php`, { method: 'POST', body: '{"opcode":"echo"}', headers });
    expect(again.headers.get('Access-Control-Expose-Headers')).toBe('Idempotent-Replayed');
    expect(again.headers.get('Access-Control-Allow-Origin')).toBe('http://localhost:3000');
  });
});

test('[dialog] resume=0: the key means nothing', async () => {
  const without = await startDaemon({ ini: '[dialog]\nresume=0' });
  try {
    const ask = async (): Promise<Response> =>
      fetch(`http://127.0.0.1:${without.port}/php`, {
        method: 'POST',
        body: '{"opcode":"echo"}',
        headers: { 'Idempotency-Key': '"x"' },
      });
    for (const response of [await ask(), await ask()]) {
      expect([response.status, response.headers.get('Idempotent-Replayed')]).toEqual([200, null]);
    }
  } finally {
    await without.dispose();
  }
});
