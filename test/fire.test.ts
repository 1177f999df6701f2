import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { Dice } from '../bench/fire/dice.ts';
import { session } from '../bench/fire/cases.ts';
import { run as runProgram, type Done } from './support/commands.ts';
import { ROOT } from './support/daemon.ts';

const SCRIPTS = ['slowloris', 'idle', 'churn', 'fuzz', 'limits', 'kill9', 'blackhole', 'files'];

function fire(...args: string[]): Promise<Done> {
  return runProgram(join(ROOT, 'node_modules/.bin/jiti'), [join(ROOT, 'bench/fire/run.ts'), ...args]);
}

/** What a session says, all of it. */
function said(seed: number, number: number): string {
  const { opening, cases } = session(new Dice(seed, number), number % 2 === 0);
  return Buffer.concat([Buffer.from(opening as string), ...cases.map((make) => make())]).toString('latin1');
}

describe('the scripts of bench/fire', () => {
  test('--list names every one, and so does the README of the bench', async () => {
    const { code, stdout } = await fire('--list');
    expect([code, stdout.match(/^\S+/gm)]).toEqual([0, SCRIPTS]);
    const readme = readFileSync(join(ROOT, 'bench/README.md'), 'utf8');
    for (const name of SCRIPTS) expect(readme).toContain(`| \`${name}\` |`);
  });

  test('a name that fits none is an error, before anything is started', async () => {
    const { code, stderr } = await fire('slowlorry');
    expect([code, stderr]).toEqual([2, 'fire: no script is called, or begins with, slowlorry: see --list\n']);
  });

  test('a seed and a number decide what a connection of the fuzzer says', () => {
    for (let number = 0; number < 50; number++) expect(said(7, number)).toBe(said(7, number));
    expect(new Set(Array.from({ length: 50 }, (_, number) => said(7, number))).size).toBeGreaterThan(45);
    expect(said(8, 1)).not.toBe(said(7, 1));
  });

  test('kill9 and fuzz, small: all that they claim holds', async () => {
    const { code, stdout } = await fire('kill9', 'fuzz', '--quick', '--cases', '2000');
    expect(stdout).toMatch(/ {2}\d{4} cases on \d+ connections in /);
    expect(stdout).not.toContain('FAILED');
    expect([code, stdout.endsWith('\nAll of it holds.\n')]).toEqual([0, true]);
  });
});
