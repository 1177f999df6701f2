import type { LimitName, Limits } from './limits.ts';

/** Connections above `maxClients` that are still taken for long enough to tell them why they cannot stay. */
const HEADROOM = 32;

/** Counts connections, in all and per address, from their first byte to their last. */
export class Admission {
  private readonly limits: Limits;
  private readonly perIp = new Map<string, number>();
  private total = 0;

  constructor(limits: Limits) {
    this.limits = limits;
  }

  /** Connections that are counted now. */
  get count(): number {
    return this.total;
  }

  /** A connection from `ip` begins. @returns false if there is no room even to refuse it politely. */
  enter(ip: string): boolean {
    if (this.total >= this.limits.values.maxClients + HEADROOM) return false;
    this.total++;
    this.add(ip);
    return true;
  }

  /** The limit that keeps a connection from `ip`, already counted, from staying. */
  refusal(ip: string): LimitName | null {
    const { maxClients, maxPerIP } = this.limits.values;
    if (this.total > maxClients) return 'maxClients';
    if (maxPerIP > 0 && (this.perIp.get(ip) ?? 0) > maxPerIP) return 'maxPerIP';
    return null;
  }

  /** A connection counted for `from`, a proxy, turns out to be one of `to`. */
  move(from: string, to: string): void {
    if (from === to) return;
    this.remove(from);
    this.add(to);
  }

  leave(ip: string): void {
    this.total--;
    this.remove(ip);
  }

  private add(ip: string): void {
    this.perIp.set(ip, (this.perIp.get(ip) ?? 0) + 1);
  }

  private remove(ip: string): void {
    const count = (this.perIp.get(ip) ?? 0) - 1;
    if (count > 0) this.perIp.set(ip, count);
    else this.perIp.delete(ip);
  }
}
