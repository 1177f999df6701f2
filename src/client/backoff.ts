import { type Fate } from './close.ts';

/** Milliseconds over which clients come back that were all told to go at once. */
const SPREAD = 3000;

/** The delays between attempts: by chance, and the longer the more have failed. */
export class Backoff {
  /** To come back, since a connection held. */
  attempts = 0;
  private readonly min: number;
  private readonly max: number;

  constructor({ min = 500, max = 30_000 }: { readonly min?: number; readonly max?: number } = {}) {
    this.min = min;
    this.max = max;
  }

  /** Milliseconds until the next attempt. @param held how long the connection was open; 0: it was not. */
  next(fate: Fate, held: number): number {
    // One that did not hold for longer than what would be waited now is a failed attempt, too.
    if (held > this.most()) this.attempts = 0;
    const delay = Math.random() * (fate === 'soon' ? SPREAD : this.most());
    this.attempts++;
    return delay;
  }

  private most(): number {
    return Math.min(this.max, this.min * 2 ** this.attempts);
  }
}
