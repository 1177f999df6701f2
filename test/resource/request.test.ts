import { describe, expect, test } from '@jest/globals';
import { type Client, type Handled, type Packet, RequestError, Resource } from 'websock';
import { TestBench } from 'websock/testing';

/** Asks the sender of `ask` what the rest of its packet is, with a timeout of so many ms. */
class Asking extends Resource {
  static override path = '/asking';

  override async onData(client: Client, message: string | Buffer): Promise<Handled> {
    const { opcode, question, timeout } = this.getPacket(message) as Packet & { question: Packet; timeout?: number };
    if (opcode !== 'ask') return { opcode, seen: opcode };
    try {
      return { answer: await client.request(question, { timeout }) };
    } catch (error) {
      if (error instanceof RequestError) return { code: error.code, error: error.message };
      throw error;
    }
  }
}

const bench = (): TestBench => new TestBench().mount(Asking);
const ask = (question: object, timeout?: number): Packet => ({ opcode: 'ask', question, timeout });

describe('client.request, at a bench', () => {
  test('is answered by the handler of its opcode, or refused by what that throws', async () => {
    const client = await bench().connect();
    client
      .answer('add', ({ a, b }) => ({ sum: Number(a) + Number(b) }))
      .answer('later', () => Promise.resolve({ n: 1 }))
      .answer('no', () => {
        throw new Error('not now');
      });
    expect(await client.say(ask({ opcode: 'add', a: 1, b: 2 }))).toMatchObject({
      answer: { opcode: 'answer', sum: 3 },
    });
    expect(await client.say(ask({ opcode: 'later' }))).toMatchObject({ answer: { n: 1 } });
    expect(await client.say(ask({ opcode: 'no' }))).toMatchObject({ code: 'refused', error: 'not now' });
    expect(client.packets).toEqual([
      { opcode: 'add', a: 1, b: 2, request: expect.any(Number) },
      { opcode: 'later', request: expect.any(Number) },
      { opcode: 'no', request: expect.any(Number) },
    ]);
  });

  test('or by what the client says itself', async () => {
    const client = await bench().connect({ scheme: 'tcp' });
    expect(await client.say({ opcode: 'answer', request: 1 })).toMatchObject({ seen: 'answer' });
    const next = client.say(ask({ opcode: 'add' }));
    const [{ request }] = client.packets;
    expect(await client.say({ opcode: 'answer', request, sum: 3 })).toEqual({ opcode: 'next', fyi: '' });
    expect(await next).toMatchObject({ answer: { sum: 3 } });
    expect(await client.say({ opcode: 'answer', request })).toEqual({
      opcode: 'next',
      fyi: '',
      error: 'no such request',
    });
  });

  test('is rejected when nobody answers in time, when the client leaves, and where it has left', async () => {
    const client = await bench().connect();
    expect(await client.say(ask({ opcode: 'add' }, 20))).toMatchObject({ code: 'timeout' });
    const next = client.say(ask({ opcode: 'add' }));
    client.leave();
    expect(await next).toMatchObject({ code: 'closed' });
    await expect(client.client.request({ opcode: 'add' })).rejects.toMatchObject({ code: 'closed' });
  });

  test('sixteen wait for the answers of one client at most', async () => {
    const b = bench();
    const client = await b.connect();
    const asked = Array.from({ length: 17 }, () => client.client.request({ opcode: 'add' }));
    await expect(asked[16]).rejects.toMatchObject({ code: 'limit' });
    expect(b.log).toEqual([expect.stringContaining('over [limits] maxRequests: more than 16 requests')]);
    client.leave();
    expect((await Promise.allSettled(asked)).map(({ status }) => status)).toEqual(asked.map(() => 'rejected'));
  });

  test('there is none without the dialog', async () => {
    class Plain extends Asking {
      static override dialog = false;
    }
    const client = await new TestBench().mount(Plain).connect();
    await expect(client.client.request({ opcode: 'q' })).rejects.toThrow(TypeError);
  });
});
