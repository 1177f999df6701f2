import { describe, expect, test } from '@jest/globals';
import {
  type Client,
  type HandshakeAnswer,
  type HandshakeRequest,
  type HttpRequest,
  type HttpResponse,
  Resource,
} from 'websock';
import { TestBench } from 'websock/testing';

class Pieces extends Resource {
  static override path = '/pieces';
  /** Whether its source was ended. */
  static ended = false;

  override onData(client: Client, message: string | Buffer): Promise<boolean> {
    const size = Number(message);
    if (!Number.isNaN(size)) return client.sendFragmented([Buffer.alloc(size), 'x']);
    return client.sendFragmented(this.text(client, String(message)));
  }

  async *text(client: Client, message: string): AsyncGenerator<string> {
    Pieces.ended = false;
    try {
      yield '\ud83d';
      yield `\ude42 ${message}`;
      if (message === 'close') client.close(1008, 'no');
      yield '!';
    } finally {
      Pieces.ended = true;
    }
  }
}

describe('a message in pieces, at a client of the bench', () => {
  test('is one, text or binary, and its next follows', async () => {
    const client = await new TestBench().mount(Pieces).connect();
    expect(await client.say('you')).toEqual({ opcode: 'next', fyi: '' });
    await client.say('3000000');
    expect(client.received).toEqual(['🙂 you!', Buffer.concat([Buffer.alloc(3_000_000), Buffer.from('x')])]);
  });

  test('may be read into the same memory again and again', async () => {
    const memory = Buffer.from('0');
    const client = await new TestBench().mount(Pieces).connect();
    const digits = function* (): Generator<Buffer> {
      for (; memory[0] < 0x39; memory[0]++) yield memory;
    };
    expect(await client.client.sendFragmented(digits(), { binary: false })).toBe(true);
    expect(client.received).toEqual(['012345678']);
  });

  test('is none if the client is closed meanwhile', async () => {
    const client = await new TestBench().mount(Pieces).connect();
    await client.say('close');
    expect([client.received, client.closed, Pieces.ended]).toEqual([[], { code: 1008, reason: 'no' }, true]);
  });

  test('is too long for a script above sendQueue', async () => {
    const bench = new TestBench().mount(Pieces);
    const [fits, tooLong] = [await bench.connect({ scheme: 'tcp' }), await bench.connect({ scheme: 'tcp' })];
    await fits.say(String(1024 * 1024 - 1));
    expect([fits.received.length, fits.closed]).toEqual([1, null]);
    expect(await tooLong.say(String(1024 * 1024))).toBeUndefined();
    expect([tooLong.received, tooLong.closed?.code]).toEqual([[], 1011]);
  });
});

test('a client that was authenticated shows it to onHandshake and to the resource', async () => {
  class Who extends Resource {
    onHandshake({ auth }: HandshakeRequest): HandshakeAnswer {
      return auth?.mode === 'jwt' ? { ident: String(auth.claims.sub) } : { status: 403 };
    }
    override onData(client: Client): void {
      client.sendPacket({ opcode: 'who', ident: client.ident, auth: client.auth });
    }
  }
  const bench = new TestBench().mount(Who, '/who');
  const auth = { mode: 'jwt', claims: { sub: 'zoe' } } as const;
  const client = await bench.connect({ auth });
  await client.say('x');
  expect(client.packets).toEqual([{ opcode: 'who', ident: 'zoe', auth }]);
  await expect(bench.connect()).rejects.toThrow('refused: 403');
});

test('what a client has received is text or binary as it was sent', async () => {
  class Sends extends Resource {
    override onData(client: Client): boolean {
      this.server.broadcast(Buffer.from('broadcast'), { binary: false });
      client.send(Buffer.from('text'), { binary: false });
      return client.send('bytes', { binary: true });
    }
  }
  const client = await new TestBench().mount(Sends, '/sends').connect();
  expect(await client.say('x')).toEqual({ opcode: 'next', fyi: '' });
  expect(client.received).toEqual(['broadcast', 'text', Buffer.from('bytes')]);
});

test('a client that is behind is not sent what may be dropped, however it is sent', async () => {
  class Ticks extends Resource {
    override onData(client: Client): Record<string, unknown> {
      const packet = { opcode: 'tick', uuid: client.uuid };
      return {
        sent: client.send('1', { droppable: true }),
        packet: client.sendPacket(packet, { droppable: true }),
        written: this.server.write(client.id, '2', { droppable: true }),
        broadcast: this.server.broadcast('3', { droppable: true }),
        feedback: this.feedback(client, packet, '4', { droppable: true }),
        always: client.send('5'),
        dropped: client.dropped,
      };
    }
  }
  const client = await new TestBench().mount(Ticks, '/ticks').connect();
  const all = { sent: true, packet: true, written: true, broadcast: 1, feedback: 1, always: true, dropped: 0 };
  expect(await client.say('x')).toMatchObject(all);
  client.behind = true;
  const none = { sent: false, packet: false, written: false, broadcast: 0, feedback: 0, always: true, dropped: 5 };
  expect(await client.say('x')).toMatchObject(none);
  expect(client.received.slice(6)).toEqual(['5']);
});

/** Shows what it knows, to who is trusted. */
class Shown extends Resource {
  static override path = '/shown';
  static override app = 'all';

  override onData(client: Client, message: string | Buffer): void {
    client.join(String(message));
  }

  onRequest(request: HttpRequest, response: HttpResponse): string | Buffer | undefined {
    const { query, trusted } = request;
    if (query.has('throw')) throw new Error('it threw');
    if (query.has('bytes')) return Buffer.from([1, 2]);
    if (query.has('packet')) this.getPacket('no JSON');
    if (!trusted) return undefined;
    const counts = [{}, { path: '/shown' }, { app: 'all' }, { app: 'none' }, { room: 'a' }, { room: 'a', path: '/x' }];
    const info = this.server.getClientInfo(Number(query.get('id')));
    const known = { info, counts: counts.map((one) => this.server.count(one)), settings: this.server.settings };
    response.send(JSON.stringify(known), { type: 'application/json', headers: { 'Cache-Control': 'no-store' } });
    return undefined;
  }
}

describe('a page, asked for at the bench', () => {
  const html = { type: 'text/html; charset=utf-8', headers: { 'x-content-type-options': 'nosniff' } };
  const plain = { type: 'text/plain; charset=utf-8', headers: {} };

  test('is what onRequest answers', async () => {
    const bench = new TestBench({ settings: { '/shown': { a: 'b' } } }).mount(Shown);
    const [one, two] = [await bench.connect(), await bench.connect({ scheme: 'tcp', ident: 'two' })];
    await one.say('a');
    await one.notify({ type: 'detached' });
    const { status, type, headers, body } = await bench.request('/shown', { trusted: true, query: `id=${one.id}` });
    expect({ status, type, headers }).toEqual({
      status: 200,
      type: 'application/json',
      headers: { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' },
    });
    const { info, counts, settings } = JSON.parse(String(body)) as Record<string, unknown>;
    expect({ counts, settings }).toEqual({ counts: [2, 2, 2, 0, 1, 0], settings: { a: 'b' } });
    expect(info).toMatchObject({
      id: one.id,
      uuid: one.uuid,
      path: '/shown',
      app: 'all',
      rooms: ['a'],
      detached: true,
    });
    two.leave();
    await one.notify({ type: 'resumed', lost: 0, restarted: false });
    expect([one.client.detached, bench.clients.size]).toEqual([false, 1]);
  });

  test('of HEAD there is no body', async () => {
    const bench = new TestBench().mount(Shown);
    const bytes = { status: 200, type: 'application/octet-stream', headers: html.headers };
    expect(await bench.request('/shown', { query: 'bytes' })).toEqual({ ...bytes, body: Buffer.from([1, 2]) });
    expect(await bench.request('/shown', { query: 'bytes', method: 'HEAD' })).toEqual({ ...bytes, body: '' });
  });

  test('is what the daemon says, where nothing is answered, or there is no resource, or it throws', async () => {
    const bench = new TestBench().mount(Shown).mount(Pieces);
    const text = 'is a resource: connect with WebSocket, or POST a message to it\n';
    expect(await bench.request()).toEqual({ status: 426, ...plain, body: `/shown ${text}` });
    expect(await bench.request('/pieces')).toEqual({ status: 426, ...plain, body: `/pieces ${text}` });
    expect(await bench.request('/none')).toEqual({ status: 404, ...plain, body: 'no such resource: /none\n' });
    expect(await bench.request('/shown', { query: 'packet' })).toMatchObject({ status: 400 });
    const failed = { status: 500, ...plain, body: 'the resource failed\n' };
    expect(await bench.request('/shown', { query: 'throw' })).toEqual(failed);
    expect(bench.log.at(-1)).toBe('GET /shown: it threw');
  });
});
