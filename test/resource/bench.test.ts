import { describe, expect, test } from '@jest/globals';
import { type Client, type HandshakeAnswer, type HandshakeRequest, Resource } from 'websock';
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
