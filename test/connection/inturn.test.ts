import { expect, test } from '@jest/globals';
import { InTurn } from '../../src/connection/inturn.ts';

test('InTurn: an action runs at once, one that it asks for runs after it, in order', () => {
  const turns = new InTurn();
  const done: string[] = [];
  turns.run(() => {
    done.push('a begins');
    turns.run(() => {
      done.push('b begins');
      turns.run(() => void done.push('d'));
      done.push('b ends');
    });
    turns.run(() => void done.push('c'));
    done.push('a ends');
  });
  expect(done).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c', 'd']);
  turns.run(() => void done.push('later'));
  expect(done.at(-1)).toBe('later');
});

test('InTurn: a long chain does not nest', () => {
  const turns = new InTurn();
  let left = 100_000;
  const step = (): void => {
    if (left-- > 0) turns.run(step);
  };
  turns.run(step);
  expect(left).toBe(-1);
});
