import { readdirSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { type Config, loadConfig } from '../../src/config/load.ts';
import { examplesOf } from '../../src/daemon/examples.ts';
import { EXAMPLES_FOLDER } from '../../src/http/examples.ts';

const NAMES = readdirSync(EXAMPLES_FOLDER)
  .filter((file) => file.endsWith('.html'))
  .map((file) => file.slice(0, -'.html'.length))
  .toSorted();

/** A configuration that asks for `examples`. */
function asking(examples: string): Config {
  return loadConfig({ cwd: '/nowhere', packageDir: '/nowhere', args: { examples } });
}

test('those that are named, each once, in the order of their names; or all that have a page', () => {
  expect(examplesOf(asking(''))).toEqual([]);
  expect(examplesOf(asking('hello,echo,hello'))).toEqual(['echo', 'hello']);
  for (const all of ['all', 'echo,all']) expect(examplesOf(asking(all))).toEqual(NAMES);
});

test.each(['nix', 'echo,nix', 'all,nix'])('%s: what is not there is an error that says what is', (examples) => {
  expect(() => examplesOf(asking(examples))).toThrow(
    `command line --examples: there is no example 'nix'; allowed: all, or any of ${NAMES.join(', ')}`,
  );
});
