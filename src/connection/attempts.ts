import type { Refusal } from '../wire/head.ts';
import { networkOf } from '../wire/ip.ts';
import type { Limits } from './limits.ts';

/** Milliseconds in which so many wrong secrets are one too many. */
const WINDOW = 60_000;
/** So many addresses are remembered; the one that was wrong first makes room. */
const ADDRESSES_MOST = 10_000;

/**
 * Who has shown a wrong key, token or ticket: after `[limits] maxAttempts` within a minute an address that shows another is
 * told nothing but 429 until the oldest of them is a minute old. So a secret cannot be guessed by trying. All addresses of an
 * IPv6 network count as one.
 */
export class Attempts {
  /** When each network was wrong, oldest first. */
  private readonly failures = new Map<string, number[]>();
  private readonly limits: Limits;
  private readonly now: () => number;

  /** @param now milliseconds of a clock that never goes back. */
  constructor(limits: Limits, now: () => number = () => performance.now()) {
    this.limits = limits;
    this.now = now;
  }

  /** `ip` has shown a wrong secret. */
  failed(ip: string): void {
    const { maxAttempts } = this.limits.values;
    if (maxAttempts === 0) return;
    const network = networkOf(ip);
    const times = this.recent(network);
    times.push(this.now());
    // Set anew: the map is in the order of the last failure, so who makes room was wrong longest ago.
    this.failures.delete(network);
    this.failures.set(network, times.slice(-maxAttempts));
    if (this.failures.size <= ADDRESSES_MOST) return;
    for (const [oldest] of this.failures) {
      this.failures.delete(oldest);
      return;
    }
  }

  /** Seconds until `ip` may try again; 0: now. */
  wait(ip: string): number {
    const { maxAttempts } = this.limits.values;
    if (maxAttempts === 0 || this.failures.size === 0) return 0;
    const times = this.recent(networkOf(ip));
    if (times.length < maxAttempts) return 0;
    return Math.max(1, Math.ceil((times[0] + WINDOW - this.now()) / 1000));
  }

  /**
   * Why what `ip` shows is not looked at, or null. To be asked before a secret is compared: a right one is refused too,
   * for else guessing would just go on, 429 being the answer to a wrong one.
   */
  refusal(ip: string): Refusal | null {
    const wait = this.wait(ip);
    if (wait === 0) return null;
    const { text } = this.limits.over('maxAttempts');
    return { status: 429, text: `${text}: try again in ${wait} s`, headers: { 'Retry-After': String(wait) } };
  }

  private recent(network: string): number[] {
    const times = this.failures.get(network);
    if (times === undefined) return [];
    const since = this.now() - WINDOW;
    return times.filter((time) => time > since);
  }
}
