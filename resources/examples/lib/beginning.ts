/** A text in memory of its own, which holds nothing but it; halves of characters in it become U+FFFD. */
export function ownCopy(text: string): string {
  return Buffer.from(text).toString();
}

/**
 * The beginning of a text, of at most `most` characters (UTF-16 units) and without half of one, in memory of its own:
 * what `slice` gives holds the whole text for as long as it is kept itself.
 */
export function beginning(text: string, most: number): string {
  return ownCopy(text.slice(0, most).replace(/[\uD800-\uDBFF]$/, ''));
}
