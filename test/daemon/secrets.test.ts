import { describe, expect, test } from '@jest/globals';
import { makePlan } from '../../src/daemon/plan.ts';
import { failure, load, root } from '../config/folders.ts';

const warningsOf = (ini: string): string[] => makePlan(load(ini)).warnings.map((line) => line.replaceAll(root, ''));

describe('the key of [backend]', () => {
  test.each([
    ['two words', 'no client can show it'],
    ['Schlüssel-des-Hauses', 'no client can show it'],
    ['wst1.correct-horse-battery', 'it would be taken for a ticket'],
  ])('%s: cannot be', (key, problem) => {
    const allowed = 'letters, digits and signs of ASCII, no blanks, not beginning as a ticket';
    expect(failure(() => makePlan(load(`[backend]\nkey='${key}'`)))).toEqual([
      `/etc/websock.ini line 2, [backend] key: ${problem}; allowed: ${allowed}`,
    ]);
  });

  test('that is short can be guessed: a warning', () => {
    expect(warningsOf("[backend]\nkey='correct-horse!'")).toEqual([
      '/etc/websock.ini line 2, [backend] key: a key of less than 16 characters can be guessed: openssl rand -hex 32 makes one that cannot',
    ]);
    expect(warningsOf("[backend]\nkey='correct-horse-1!'")).toEqual([]);
  });
});

test('the secret of [tickets] has 32 characters or more, and is not shown', () => {
  expect(failure(() => makePlan(load("[tickets]\nsecret='swordfish'")))).toEqual([
    '/etc/websock.ini line 2, [tickets] secret: it has 9 characters; allowed: 32 or more: openssl rand -hex 32',
  ]);
  expect(warningsOf(`[tickets]\nsecret='${'x'.repeat(32)}'`)).toEqual([]);
});
