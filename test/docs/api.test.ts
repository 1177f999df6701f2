import { expect, test } from '@jest/globals';
import { type Done, run } from '../support/commands.ts';
import { ROOT } from '../support/daemon.ts';

/** Milliseconds: it reads all sources with a compiler, beside other tests. */
const PATIENCE = 240_000;

const TOOL = ['node_modules/jiti/lib/jiti-cli.mjs', 'docs/tools/api.ts'];
const api = (...args: string[]): Promise<Done> => run(process.execPath, [...TOOL, ...args], '', { cwd: ROOT });

test(
  'docs/API.md is what `npm run api` makes, and each public name has its docstring',
  async () => {
    expect(await api('--check')).toEqual({ code: 0, stdout: '', stderr: '' });
  },
  PATIENCE,
);

test(
  'a public name without a docstring, and a type that nobody can import, are noticed',
  async () => {
    const { code, stderr } = await api('--entry', 'test/fixtures/docs/undocumented.ts');
    expect(code).toBe(1);
    expect(stderr.split('\n')).toEqual([
      expect.stringMatching(/^Hidden, .* is referenced by .*Shown\.unsaid\._hidden but not included/),
      'no docstring: test/fixtures/docs/undocumented.Shown.unsaid',
      'no docstring: test/fixtures/docs/undocumented.Shown.also',
      'no docstring: test/fixtures/docs/undocumented.Bare',
      '',
    ]);
  },
  PATIENCE,
);
