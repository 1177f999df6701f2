import { isUtf8 } from 'node:buffer';

// RFC 3629 §4: the second byte of these lead bytes has a narrower range than 80..BF.
function secondByteFits(lead: number, second: number): boolean {
  if (lead === 0xe0) return second >= 0xa0 && second <= 0xbf;
  if (lead === 0xed) return second >= 0x80 && second <= 0x9f;
  if (lead === 0xf0) return second >= 0x90 && second <= 0xbf;
  if (lead === 0xf4) return second >= 0x80 && second <= 0x8f;
  return second >= 0x80 && second <= 0xbf;
}

/**
 * Where the last, still incomplete character of `b[start..end)` begins: `end` if there is none, -1 if no continuation
 * could make it valid. Looks at the last three bytes alone.
 */
function incompleteTail(b: Buffer, start: number, end: number): number {
  for (let i = end - 1; i >= start && i >= end - 3; i--) {
    const c = b[i];
    if (c < 0x80) return end;
    if (c < 0xc0) continue;
    const have = end - i;
    const need = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    if (have >= need) return end;
    if (c < 0xc2 || c > 0xf4) return -1;
    return have > 1 && !secondByteFits(c, b[i + 1]) ? -1 : i;
  }
  return end;
}

/**
 * Checks text as it arrives: `b[start..end)` begins at a character, its last character may be incomplete.
 * @returns the index up to which whole characters were found, or -1 if the bytes can no longer become UTF-8.
 */
export function checkUtf8(b: Buffer, start: number, end: number): number {
  const whole = incompleteTail(b, start, end);
  if (whole === -1) return -1;
  return whole === start || isUtf8(b.subarray(start, whole)) ? whole : -1;
}
