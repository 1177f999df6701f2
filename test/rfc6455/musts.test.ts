import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { MUSTS } from './musts.ts';
import { VIOLATIONS } from './violations.ts';

/** The clauses that tests of this folder are named by. */
function testedClauses(): Set<string> {
  const clauses = new Set(VIOLATIONS.map(({ clause }) => clause));
  for (const name of readdirSync(import.meta.dirname).filter((file) => file.endsWith('.test.ts'))) {
    const text = readFileSync(join(import.meta.dirname, name), 'utf8');
    // A title, or a row of a table; a title may name several, with commas between them.
    for (const [, title] of text.matchAll(/['`](§[^:'`]+)(?::|',)/g)) {
      for (const clause of title.split(', ')) clauses.add(clause);
    }
  }
  return clauses;
}

test('each MUST of the server has a test that is named by its clause, and each test a MUST', () => {
  const ours = MUSTS.filter(({ whose }) => whose === 'server').map(({ clause }) => clause);
  expect([...testedClauses()].toSorted()).toEqual(ours.toSorted());
});

test('no clause stands in the table twice', () => {
  const clauses = MUSTS.map(({ clause }) => clause);
  expect(clauses.filter((clause, i) => clauses.indexOf(clause) !== i)).toEqual([]);
});
