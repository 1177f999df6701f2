import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestBench } from 'websock/testing';
import Greet from '../resources/greet.mjs';

test('who says hello is greeted, and the others are told', async () => {
  const bench = new TestBench().mount(Greet, '/greet');
  const ada = await bench.connect();
  const bob = await bench.connect();

  const next = await ada.say({ opcode: 'hello', name: 'Ada' });

  assert.deepEqual(next, { opcode: 'next', fyi: '', delivered: 1 });
  assert.deepEqual(ada.packets, [{ opcode: 'hello', message: 'Hello, Ada!' }]);
  assert.deepEqual(bob.packets, [{ opcode: 'arrived', name: 'Ada' }]);
});

test('another opcode has no effect, and the sender learns why', async () => {
  const bench = new TestBench().mount(Greet, '/greet');
  const ada = await bench.connect();

  const next = await ada.say({ opcode: 'wave' });

  assert.equal(next.error, 'no such opcode: wave');
  assert.deepEqual(ada.received, []);
});
