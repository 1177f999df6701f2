import { expect, test } from '@jest/globals';
import { type Client, Resource } from 'websock';
import { TestBench } from 'websock/testing';

class Packing extends Resource {
  static override path = '/packing';
  static override compression = { level: 9, contextTakeover: true };

  override onData(client: Client, message: string | Buffer): { delivered: number } {
    client.send(message, { compress: true });
    this.server.write(client.id, message, { compress: false });
    return { delivered: this.server.broadcast(message, { compress: true }) };
  }
}

test('a bench takes a resource that compresses, and what it sends is what it sent', async () => {
  const client = await new TestBench().mount(Packing).connect();
  expect(await client.say('{"opcode":"x"}')).toEqual({ opcode: 'next', fyi: '', delivered: 1 });
  expect(client.received).toEqual(Array.from({ length: 3 }, () => '{"opcode":"x"}'));
});

test('a bench refuses what the daemon would', () => {
  class Wrong extends Packing {
    static override compression = { level: 10, contextTakeover: true };
  }
  expect(() => new TestBench().mount(Wrong)).toThrow('its static compression.level is 10: it may be 1 to 9');
});
