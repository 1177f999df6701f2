/** Milliseconds in which so many wrong secrets are one too many. */
const WINDOW = 60_000;
const MOST = 5;
/** So many addresses are remembered; the one that was wrong first makes room. */
const ADDRESSES_MOST = 10_000;

/**
 * Who has shown a wrong key, token or ticket: after five within a minute an address is told nothing but 429 until the
 * oldest of them is a minute old, whatever it shows. So a secret cannot be guessed by trying.
 */
export class Attempts {
  /** When each address was wrong, oldest first. */
  private readonly failures = new Map<string, number[]>();
  private readonly now: () => number;

  /** @param now milliseconds of a clock that never goes back. */
  constructor(now: () => number = () => performance.now()) {
    this.now = now;
  }

  /** `ip` has shown a wrong secret. */
  failed(ip: string): void {
    const times = this.recent(ip);
    times.push(this.now());
    // Set anew: the map is in the order of the last failure, so who makes room was wrong longest ago.
    this.failures.delete(ip);
    this.failures.set(ip, times.slice(-MOST));
    if (this.failures.size <= ADDRESSES_MOST) return;
    for (const [oldest] of this.failures) {
      this.failures.delete(oldest);
      return;
    }
  }

  /** Seconds until `ip` may try again; 0: now. */
  wait(ip: string): number {
    const times = this.recent(ip);
    if (times.length < MOST) return 0;
    return Math.max(1, Math.ceil((times[0] + WINDOW - this.now()) / 1000));
  }

  private recent(ip: string): number[] {
    const since = this.now() - WINDOW;
    return (this.failures.get(ip) ?? []).filter((time) => time > since);
  }
}
