import { expect, test } from '@jest/globals';
import { Turn } from '../../src/transport/turn.ts';

/** A turn whose sockets write down when they write, and whose clock stands still. */
function bed(): { written: number[]; clock: { now: number }; add: (socket: number) => void } {
  const clock = { now: 1000 };
  const written: number[] = [];
  const turn = new Turn(() => clock.now);
  return { written, clock, add: (socket) => turn.add({ writeNow: () => written.push(socket) }) };
}

const endOfTurn = (): Promise<void> => new Promise((done) => setImmediate(done));

test('all write at the end of the turn, in the order in which they came, and once', async () => {
  const { written, add } = bed();
  for (const socket of [1, 2, 3]) add(socket);
  expect(written).toEqual([]);
  await endOfTurn();
  expect(written).toEqual([1, 2, 3]);
  await endOfTurn();
  expect(written).toEqual([1, 2, 3]);
  add(4);
  await endOfTurn();
  expect(written).toEqual([1, 2, 3, 4]);
});

test('nobody waits a millisecond for the handlers of others', async () => {
  const { written, clock, add } = bed();
  add(1);
  clock.now += 0.9;
  add(2);
  expect(written).toEqual([]);
  clock.now += 0.1;
  add(3);
  expect(written).toEqual([1, 2, 3]);
  // What comes after them waits again, and for its own time.
  add(4);
  clock.now += 0.9;
  add(5);
  expect(written).toEqual([1, 2, 3]);
  await endOfTurn();
  expect(written).toEqual([1, 2, 3, 4, 5]);
});

test('the 128th does not wait', () => {
  const { written, add } = bed();
  for (let socket = 1; socket <= 127; socket++) add(socket);
  expect(written).toEqual([]);
  add(128);
  expect(written).toHaveLength(128);
});
