import { describe, expect, test } from '@jest/globals';
import { giveMemory, takeMemory } from '../../src/wire/spare.ts';

describe('memory that is used again', () => {
  test.each([8 * 1024, 20_000, 1024 * 1024, 2 * 1024 * 1024])(
    '%d bytes: what was given back comes again, to one',
    (size) => {
      const first = takeMemory(size);
      expect(first.length).toBeGreaterThanOrEqual(size);
      giveMemory(first.subarray(0, size));
      const second = takeMemory(size);
      expect(second.buffer).toBe(first.buffer);
      expect(second.length).toBe(first.length);
      expect(takeMemory(size).buffer).not.toBe(first.buffer);
    },
  );

  test('never less than is asked for, never much more', () => {
    for (let round = 0; round < 200; round++) {
      const size = 1 + ((round * 7919 * 7919) % (3 * 1024 * 1024));
      const bytes = takeMemory(size);
      expect(bytes.length).toBeGreaterThanOrEqual(size);
      expect(bytes.length).toBeLessThanOrEqual(size * 4);
      if (round % 3 > 0) giveMemory(bytes);
    }
  });

  test('what is too small, too large, or not the beginning of its memory is not kept', () => {
    for (const bytes of [Buffer.allocUnsafeSlow(8191), Buffer.allocUnsafeSlow(2 * 1024 * 1024 + 1)]) {
      giveMemory(bytes);
      expect(takeMemory(bytes.length).buffer).not.toBe(bytes.buffer);
    }
    const middle = Buffer.allocUnsafeSlow(100_000).subarray(1);
    giveMemory(middle);
    expect(takeMemory(99_999).buffer).not.toBe(middle.buffer);
  });

  test('no more than two of a size are kept', () => {
    const given = Array.from({ length: 5 }, () => Buffer.allocUnsafeSlow(300_000));
    given.forEach(giveMemory);
    const memories = new Set<ArrayBufferLike>(given.map((bytes) => bytes.buffer));
    const again = given.filter(() => memories.has(takeMemory(300_000).buffer));
    expect(again.length).toBeLessThanOrEqual(2);
  });
});
