import { expect } from '@jest/globals';
import { TestBench, type TestClient } from 'websock/testing';
import Chat from '../../resources/examples/chat.ts';

export type Fields = Record<string, unknown>;

export const NEXT = { opcode: 'next', fyi: '' };

export const newBench = (): TestBench => new TestBench().mount(Chat, '/chat');
export const keyOf = (name: string): string => `key-of-${name.toLowerCase().replace(/\W/g, '-')}-0123456789`;

export function enter(client: TestClient, name: string, room = 'lobby', key = keyOf(name)): Promise<unknown> {
  return client.say({ opcode: 'enter', name, room, key });
}

/** Somebody who has entered, and has heard of that. */
export async function guest(bench: TestBench, name: string, room = 'lobby'): Promise<TestClient> {
  const client = await bench.connect();
  expect(await enter(client, name, room)).toEqual(NEXT);
  heard(client);
  return client;
}

/** What has come since this was last asked, without the counts of rooms. */
export function heard(client: TestClient): Fields[] {
  const packets = client.packets.filter(({ opcode }) => opcode !== 'count' && opcode !== 'rooms');
  client.received.length = 0;
  return packets;
}

export const said = (client: TestClient): Fields[] =>
  heard(client).flatMap(({ opcode, message }) => (opcode === 'message' ? [message as Fields] : []));

export async function say(client: TestClient, text: string, quote?: unknown): Promise<number> {
  const next = await client.say({ opcode: 'say', text, quote });
  expect(next).toEqual({ ...NEXT, id: expect.any(Number) });
  return next?.id as number;
}

export const refused = (error: unknown): unknown => ({ ...NEXT, error });

/** What a room is, for who enters it. */
export async function roomFor(bench: TestBench, name: string, room = 'lobby'): Promise<Fields> {
  const client = await bench.connect();
  await enter(client, name, room);
  const found = client.packets.find(({ opcode }) => opcode === 'room');
  return found as Fields;
}
