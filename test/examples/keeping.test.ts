import { describe, expect, test } from '@jest/globals';
import { TestBench, type TestClient } from 'websock/testing';
import Hello from '../../resources/examples/hello.ts';
import { guest, newBench } from '../support/chatguests.ts';
import { heldBytes } from '../support/heap.ts';

const MEGABYTE = 1024 * 1024;

/** Bytes that are held when something was done, beside those that were before. */
async function heldAfter(doing: () => Promise<unknown>): Promise<number> {
  const before = await heldBytes();
  await doing();
  return (await heldBytes()) - before;
}

describe('what an example keeps of a message', () => {
  test('hello: of a line of 1 MiB the name, and not the rest of it', async () => {
    const bench = new TestBench().mount(Hello, '/hello');
    const clients: TestClient[] = [];
    for (let n = 0; n < 20; n++) clients.push(await bench.connect({ scheme: 'tcp' }));
    const held = await heldAfter(async () => {
      for (const [n, client] of clients.entries()) await client.say(`${n} `.padEnd(MEGABYTE, 'A'));
    });
    expect(held).toBeLessThan(2 * MEGABYTE);
    expect(clients[7].client.data).toBe('7 '.padEnd(40, 'A'));
  });

  test('hello: no half of a character', async () => {
    const client = await new TestBench().mount(Hello, '/hello').connect({ scheme: 'tcp' });
    await client.say(`${'x'.repeat(39)}😀 and more`);
    expect(client.client.data).toBe('x'.repeat(39));
  });

  test('chat: of a small file its bytes, and not the block of memory that they came in', async () => {
    const bench = newBench();
    const guests: TestClient[] = [];
    for (let n = 0; n < 10; n++) guests.push(await guest(bench, `Guest ${n}`, `room ${n}`));
    const head = Buffer.from('{"name":"a","type":""}\n');
    const held = await heldAfter(async () => {
      for (let n = 0; n < 300; n++) {
        const file = Buffer.alloc(64 * 1024).fill(head, 0, head.length);
        // As a message that was joined in a larger block.
        await guests[n % 10].say(file.subarray(0, head.length + 1));
      }
      for (const one of guests) one.received.length = 0;
    });
    expect(held).toBeLessThan(4 * MEGABYTE);
  });
});
