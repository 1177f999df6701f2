import type { Details } from './shapes.ts';

export const KiB = 1024;
export const MiB = 1024 * KiB;
export const GiB = 1024 * MiB;
/** Seconds. At least 10 ms, for 0 would mean "at once"; more than a day is a mistake. */
export const TIME = { min: 0.01, max: 86_400 } as const;
/** Seconds: what Linux takes for TCP_KEEPIDLE. */
export const KEEPIDLE_MAX = 32_767;
/** Of one text message: longer text does not fit a JavaScript string on every supported Node. */
export const LONGEST_TEXT = 256 * MiB;
export const MANY = 1_000_000;

/** A row whose types stay as narrow as they are written. */
export function row<const S extends string, const K extends string, const T extends Details>(
  section: S,
  key: K,
  details: T,
  help: string,
): T & { readonly section: S; readonly key: K; readonly help: string } {
  return { section, key, help, ...details };
}
