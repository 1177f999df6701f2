import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { CLOSE, CLOSE_CODES, closeCodeOf, describeThrown, messageOf, traceOf } from '../src/errors.ts';

const PROTOCOL = readFileSync(resolve(import.meta.dirname, '../src/PROTOCOL.md'), 'utf8');

function section(number: number): string {
  return PROTOCOL.split(/^## /m).find((text) => text.startsWith(`${number}.`)) ?? '';
}

describe('the table of close codes', () => {
  // 1005 and 1006 are told to resources, and never sent.
  const sent = [...CLOSE_CODES].filter(([code]) => code !== CLOSE.NO_STATUS && code !== CLOSE.ABNORMAL);

  test('is that of PROTOCOL.md §8, code by code and word by word', () => {
    const documented = [
      ...section(8)
        .split('Received')[0]
        .matchAll(/\b(\d{4}) ([^·.]+?)\s*(?=[·.])/g),
    ].map(([, code, text]) => [Number(code), text.replaceAll(/\s+/g, ' ')]);
    expect(documented).toEqual(sent.map(([code, { meaning }]) => [code, meaning]));
    expect(Object.values(CLOSE)).toEqual([...CLOSE_CODES.keys()]);
  });

  test('answers a poster with the statuses of PROTOCOL.md §7', () => {
    const sentence = /status of its code: ([^]*?)\.\n/.exec(section(7))?.[1] ?? '';
    const documented = new Map<number, number>();
    for (const [, codes, status] of sentence.matchAll(/((?:\d{4}(?:, | and )?)+) (\d{3})\b/g)) {
      for (const code of codes.match(/\d{4}/g) ?? []) documented.set(Number(code), Number(status));
    }
    expect(documented.size).toBeGreaterThan(9);
    for (const [code, status] of documented) expect([code, CLOSE_CODES.get(code)?.status]).toEqual([code, status]);
  });
});

describe('what was thrown', () => {
  const evil = {
    get message(): string {
      throw new Error('no message');
    },
    get stack(): string {
      throw new Error('no stack');
    },
    get closeCode(): number {
      throw new Error('no code');
    },
    toString(): string {
      throw new Error('no text');
    },
  };

  test.each([
    [new Error('x'), 'x'],
    ['text', 'text'],
    [undefined, 'undefined'],
    [null, 'null'],
    [{ message: 'of another realm' }, 'of another realm'],
    [evil, 'something that cannot be shown as text'],
  ])('has a message: %#', (error, message) => {
    expect(messageOf(error)).toBe(message);
  });

  test('asks for a close code only with one of ours that may be sent', () => {
    const codes = [1007, 4404, 1005, 1006, 4000, '1007', undefined];
    expect(codes.map((closeCode) => closeCodeOf({ closeCode }))).toEqual([1007, 4404, ...Array(5).fill(undefined)]);
    expect([closeCodeOf(null), closeCodeOf(evil)]).toEqual([undefined, undefined]);
  });

  test('is described by its message and the place where it was thrown; a SyntaxError without what it quotes', () => {
    expect(describeThrown('text')).toBe('text');
    expect(describeThrown(new Error('x'))).toMatch(/^x \(at .*errors\.test\.ts:\d+:\d+\)\)?$/);
    let thrown: unknown;
    try {
      JSON.parse('secret');
    } catch (error) {
      thrown = error;
    }
    expect(messageOf(thrown)).toContain('secret');
    expect(describeThrown(thrown)).toMatch(/^SyntaxError \(at .*errors\.test\.ts:\d+:\d+\)\)?$/);
    expect(traceOf(thrown)).toMatch(/^SyntaxError\n +at /);
    expect(traceOf(thrown)).not.toContain('secret');
    expect(traceOf('text')).toBeUndefined();
  });
});
