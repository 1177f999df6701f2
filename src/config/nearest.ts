/** Which known name a mistyped one is closest to. */

/**
 * What the spelling closest to `name` stands for: the fewest letters to add, drop or change, their case aside; the first
 * of equals. A beginning (`-v` for `--version`) counts as one letter off.
 *
 * @param spellings spelling -> what to show for it; not empty
 */
export function nearest(name: string, spellings: ReadonlyMap<string, string>): string {
  // Cut, for the work grows with the product of the lengths and the name is anybody's.
  const wanted = name.slice(0, 100).toLowerCase();
  let best = '';
  let fewest = Infinity;
  for (const [spelling, shown] of spellings) {
    const known = spelling.toLowerCase();
    const edits = known !== wanted && known.startsWith(wanted) ? 1 : distance(wanted, known);
    if (edits < fewest) [best, fewest] = [shown, edits];
  }
  return best;
}

/** Levenshtein's distance, one row of the matrix at a time. */
export function distance(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      current[j] = Math.min(above[j] + 1, current[j - 1] + 1, above[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    above = current;
  }
  return above[b.length];
}
