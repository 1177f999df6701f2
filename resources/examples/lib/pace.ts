/** How much each client may send: `burst` at once, and `perSecond` after that. */
export class Pace {
  private readonly burst: number;
  private readonly perSecond: number;
  /** By socket ID: what is left to it, and when that was (ms). */
  private readonly left = new Map<number, { left: number; at: number }>();

  constructor(burst: number, perSecond: number) {
    this.burst = burst;
    this.perSecond = perSecond;
  }

  /** Counts one. @returns whether it is within the pace. */
  take(id: number, now = Date.now()): boolean {
    const { left, at } = this.left.get(id) ?? { left: this.burst, at: now };
    const have = Math.min(this.burst, left + (Math.max(0, now - at) / 1000) * this.perSecond);
    // What is refused costs nothing: who goes on trying is let in as soon as who waits.
    this.left.set(id, { left: have >= 1 ? have - 1 : have, at: now });
    return have >= 1;
  }

  forget(id: number): void {
    this.left.delete(id);
  }
}
