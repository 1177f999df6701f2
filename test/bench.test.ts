import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { chosen, type Scenario, SCENARIOS } from '../bench/scenarios.ts';
import { detailTable, median, type Row, type Run, targetTable, verdict } from '../bench/table.ts';
import { run as runProgram } from './support/commands.ts';
import { ROOT } from './support/daemon.ts';

function run(value: number, clientCpu = 0.5, other = 0): Run {
  return { value, serverCpu: 0.5, clientCpu, other };
}

const websock = (targets: Row['targets'], ...values: number[]): Row => ({
  label: 'websock direct',
  peer: null,
  targets,
  runs: values.map((value) => run(value)),
});
const ws = (...values: number[]): Row => ({
  label: 'ws',
  peer: 'ws',
  targets: {},
  runs: values.map((value) => run(value)),
});
const echo = SCENARIOS[0];
const idle = SCENARIOS.find(({ name }) => name === 'idle') as Scenario;

/** The cells of a Markdown table's lines, without head and rule. */
function cells(table: string): string[][] {
  const lines = table.split('\n').filter((line) => line.startsWith('|'));
  return lines.slice(2).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

describe('the table of the bench', () => {
  test('a ratio is one of medians', () => {
    expect(median([3])).toBe(3);
    expect(median([9, 1, 2])).toBe(2);
    expect(median([10, 1, 2, 4])).toBe(3);
    const table = targetTable([{ scenario: echo, rows: [websock({ ws: 1.5 }, 9000, 3000, 1000), ws(1, 2000, 4000)] }]);
    expect(cells(table)).toEqual([
      ['echo32', '**websock direct**', '3,000', 'ws 2,000', '1.50', '1.50', '≥ 1.5', 'met'],
    ]);
  });

  test.each([
    [1.5, 1.5, false, 'met'],
    [1.496, 1.5, false, 'met'], // shown as 1.50
    [1.49, 1.5, false, 'missed'],
    [0.75, 1.5, false, 'missed'],
    [0.74, 1.5, false, 'UNDER HALF'],
    [0.4, 0.4, true, 'met'],
    [0.41, 0.4, true, 'missed'],
    [0.8, 0.4, true, 'missed'],
    [0.81, 0.4, true, 'UNDER HALF'],
  ])('%d where %d is aimed at (less is better: %s): %s', (reached, target, less, expected) => {
    expect(verdict(reached, target, less)).toBe(expected);
  });

  test('where other work held the server up, the ratio by its CPU time says more', () => {
    const held = { ...websock({ ws: 1.5 }), runs: [{ ...run(1000), serverCpu: 0.25 }] };
    const [line] = cells(targetTable([{ scenario: echo, rows: [held, ws(1000)] }]));
    expect(line.slice(4)).toEqual(['1.00', '2.00', '≥ 1.5', 'missed']);
  });

  test('memory is to be less', () => {
    const table = targetTable([{ scenario: idle, rows: [websock({ ws: 0.4 }, 1900), ws(6400)] }]);
    expect(cells(table)).toEqual([['idle', '**websock direct**', '1,900', 'ws 6,400', '0.30', '-', '≤ 0.4', 'met']]);
  });

  test('who failed does not score, and it is said', () => {
    const failed = { ...websock({ ws: 1.5 }, 9000), failed: '3 errors, first: server sent close 1002' };
    const absent = { ...websock({ net: 1.25 }), absent: 'no such option' };
    const rows = [failed, absent, ws(2000)];
    const table = targetTable([{ scenario: echo, rows }]);
    expect(cells(table).map((line) => line.slice(-3))).toEqual([
      ['-', '≥ 1.5', '**FAILED**'],
      ['-', '≥ 1.25', 'not measured'],
    ]);
    const details = detailTable({ scenario: echo, rows });
    expect(cells(details).map(([, figure]) => figure)).toEqual(['**FAILED**', 'not measured', '2,000']);
    expect(details).toContain('\n**FAILED: echo32 (websock direct): 3 errors, first: server sent close 1002**\n');
    expect(details).toContain('\nNot measured: echo32 (websock direct): no such option');
  });

  test('what limits a figure is shown: the load, and other work on the machine', () => {
    const rows = [websock({}, 9000), { ...ws(), runs: [run(10, 0.99, 0), run(20, 0.97, 0.42)] }];
    const details = detailTable({ scenario: echo, rows });
    expect(cells(details).map((line) => line.slice(1, 4))).toEqual([
      ['9,000', '9,000 - 9,000 (1)', '0.50 / 0.50'],
      ['15 †', '10 - 20 (2)', '0.50 / **0.98**'],
    ]);
    expect(details).toMatch(/^† Other processes .*: echo32 \(ws\)$/m);
  });
});

describe('the scenarios of the bench', () => {
  test('a word is a name, or how names begin', () => {
    const names = (...words: string[]): string[] => chosen(words).scenarios.map(({ name }) => name);
    expect(names()).toHaveLength(SCENARIOS.length);
    expect(names('dialog')).toEqual(['dialog']);
    expect(names('wss', 'echo1m')).toEqual(['echo1m', 'wss-echo32', 'wss-echo16k']);
    expect(chosen(['echo', 'nothing']).unknown).toEqual(['nothing']);
  });

  test('whom a target names takes part', () => {
    for (const { name, peers, websock: variants } of SCENARIOS) {
      const named = variants.flatMap(({ targets = {} }) => Object.values(targets).flatMap((one) => Object.keys(one)));
      expect([name, named.length > 0, named.filter((peer) => !peers.some((other) => other === peer))]).toEqual([
        name,
        true,
        [],
      ]);
    }
  });

  test('--list names every one', async () => {
    const { code, stdout } = await runProgram(join(ROOT, 'node_modules/.bin/jiti'), [
      join(ROOT, 'bench/run.ts'),
      '--list',
    ]);
    expect([code, stdout.match(/^\S+/gm)]).toEqual([0, SCENARIOS.map(({ name }) => name)]);
  });

  test('a word that fits none is an error, before anything is measured', async () => {
    const { code, stderr } = await runProgram(join(ROOT, 'node_modules/.bin/jiti'), [
      join(ROOT, 'bench/run.ts'),
      'ecko',
    ]);
    expect([code, stderr]).toEqual([2, 'bench: no scenario is called, or begins with, ecko: see --list\n']);
  });
});
