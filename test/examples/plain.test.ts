import { hostname } from 'node:os';
import { describe, expect, test } from '@jest/globals';
import { TestBench } from 'websock/testing';
import Echo from '../../resources/examples/echo.ts';
import Hello from '../../resources/examples/hello.ts';
import Status from '../../resources/examples/status.ts';

describe('echo', () => {
  test('says which host serves it, then mirrors text as text and bytes as bytes', async () => {
    const client = await new TestBench().mount(Echo, '/echo').connect();
    expect(client.received).toEqual([`served by ${hostname()}`]);
    await client.say('ü 😀');
    await client.say(Buffer.from([0, 255, 128]));
    await client.say('');
    expect(client.received.slice(1)).toEqual(['ü 😀', Buffer.from([0, 255, 128]), '']);
  });
});

describe('hello', () => {
  const guest = () => new TestBench().mount(Hello, '/hello').connect({ scheme: 'tcp', ip: '192.0.2.7' });

  test('greets, asks for a name and knows it from then on; quit leaves', async () => {
    const client = await guest();
    for (const line of ['', 'Ann\r', 'how are you?', 'QUIT']) await client.say(line);
    expect(client.received).toEqual([
      'Hello! What is your name? (quit leaves)',
      'Nice to meet you, Ann. You come from 192.0.2.7, by tcp.',
      'I hear you, Ann: 12 characters. I know no more than this.',
      'Good bye, Ann!',
    ]);
    expect(client.closed).toEqual({ code: 1000, reason: '' });
  });

  test('who leaves at once is a stranger, and of a long name the beginning is kept', async () => {
    const [first, second] = [await guest(), await guest()];
    await first.say('bye');
    expect([first.received[1], first.closed?.code]).toEqual(['Good bye, stranger!', 1000]);
    await second.say('x'.repeat(100_000));
    expect(second.client.data).toBe('x'.repeat(40));
  });
});

describe('status', () => {
  const bench = () => new TestBench().mount(Status, '/status');

  test.each([1000, 1003, 1013, 3000, 4000, 4999, '4000'])('closes with %j', async (code) => {
    const client = await bench().connect();
    expect(await client.say({ opcode: 'close', code, reason: 'as you wish' })).toEqual({ opcode: 'next', fyi: '' });
    expect(client.closed).toEqual({ code: Number(code), reason: 'as you wish' });
  });

  test.each([
    [1005, '1005'],
    [1006, '1006'],
    [1015, '1015'],
    [999, '999'],
    [5000, '5000'],
    [4000.5, '4000.5'],
    [{ valueOf: 1 }, 'NaN'],
    [undefined, 'NaN'],
  ])('no Close frame may hold %j: it says so, and closes nothing', async (code, shown) => {
    const client = await bench().connect();
    expect(await client.say({ opcode: 'close', code })).toMatchObject({
      error: `close code ${shown} may not be sent: use 1000 to 1003, 1007 to 1013 or 3000 to 4999`,
    });
    expect(client.closed).toBeNull();
  });

  test('a reason that is no text is none, and another opcode is told what to say', async () => {
    const client = await bench().connect();
    expect(await client.say({ opcode: 'stop' })).toMatchObject({
      error: 'say {"opcode":"close","code":4000,"reason":"why"}',
    });
    await client.say({ opcode: 'close', code: 4001, reason: { toString: 1 } });
    expect(client.closed).toEqual({ code: 4001, reason: '' });
  });

  test('with ?refuse the handshake is refused', async () => {
    await expect(bench().connect({ query: 'refuse' })).rejects.toThrow('refused: 403 refused, as you wish');
  });
});
