import type { IncomingMessage } from 'node:http';
import { PassThrough } from 'node:stream';
import { expect, test } from '@jest/globals';
import { type BodyError, readBody } from '../../src/http/body.ts';
import { heldBytes } from '../support/heap.ts';

/** A request whose body is what is written to it. */
function request(headers: Record<string, string> = {}): PassThrough & IncomingMessage {
  return Object.assign(new PassThrough(), { headers }) as unknown as PassThrough & IncomingMessage;
}

/** As they come from a socket: each read has memory of its own. */
function read(bytes: string): Buffer {
  return Buffer.from(Uint8Array.from(Buffer.from(bytes)).buffer);
}

/** Lets what has been written arrive. */
async function arrive(from: PassThrough): Promise<void> {
  while (from.readableLength > 0) await new Promise(setImmediate);
}

test.each([
  ['whole', [1000]],
  ['in two', [1, 999]],
  ['in pieces that grow', [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192]],
  ['in an empty one and another', [0, 5]],
  ['byte by byte', Array<number>(5000).fill(1)],
])('a body that comes %s is what was sent', async (_, lengths) => {
  const pieces = lengths.map((length, i) => String.fromCharCode(97 + (i % 26)).repeat(length));
  const from = request();
  const body = readBody(from, 1_000_000);
  for (const piece of pieces) from.write(read(piece));
  from.end();
  expect((await body).toString()).toBe(pieces.join(''));
});

test.each([
  ['is announced to be longer', { 'content-length': '11' }, []],
  ['is longer', {}, ['0123456789', 'x']],
  ['is longer than it says', { 'content-length': '3' }, ['01234567890']],
])('a body that %s than its limit is refused', async (_, headers, pieces) => {
  const from = request(headers);
  const body = readBody(from, 10);
  for (const piece of pieces) from.write(read(piece));
  await expect(body).rejects.toThrow('a body of more than 10 bytes');
  await expect(body).rejects.toMatchObject({ status: 413, limit: 'maxPayload' } satisfies Partial<BodyError>);
});

test('a body whose client leaves is refused', async () => {
  const from = request();
  const body = readBody(from, 10);
  from.write(read('x'));
  from.destroy();
  await expect(body).rejects.toThrow('the body ended early');
});

test('a body that comes byte by byte needs memory for its bytes, not for its pieces', async () => {
  const from = request();
  const body = readBody(from, 1_000_000);
  from.write(read('x'));
  await arrive(from);
  const before = await heldBytes();
  for (let i = 0; i < 200; i++) {
    for (let j = 0; j < 1000; j++) from.write(read('x'));
    await arrive(from);
  }
  expect((await heldBytes()) - before).toBeLessThan(1_000_000);
  from.end();
  expect(await body).toHaveLength(200_001);
});
