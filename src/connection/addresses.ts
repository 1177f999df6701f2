import { networkOf } from '../wire/ip.ts';

/** Seconds' worth of tokens that a bucket holds: what may come at once. */
const BURST = 10;
/** Milliseconds in which the log says the same once. */
const QUIET = 60_000;
/** Addresses without a connection that are remembered until their bucket is full again. */
const COOLING_MOST = 65_536;

/** A token bucket: `rate` tokens a second, up to ten seconds' worth of them; a new one is full. */
export class Bucket {
  private tokens = Number.POSITIVE_INFINITY;
  /** When that was true, in milliseconds. */
  private at = 0;

  /** Takes one. @returns false: there is none. */
  take(rate: number, now: number): boolean {
    this.fill(rate, now);
    if (this.tokens < 1) return false;
    this.tokens--;
    return true;
  }

  isFull(rate: number, now: number): boolean {
    this.fill(rate, now);
    return this.tokens === rate * BURST;
  }

  private fill(rate: number, now: number): void {
    this.tokens = Math.min(rate * BURST, this.tokens + ((now - this.at) * rate) / 1000);
    this.at = now;
  }
}

/** What the log says of something that happens again and again: once a minute, with how often it has kept silent. */
export class Quiet {
  private at = Number.NEGATIVE_INFINITY;
  private unsaid = 0;

  /** It happens once more. @returns how many times it was not said since it last was; null: this one is not said either. */
  news(now: number): number | null {
    if (now - this.at < QUIET) {
      this.unsaid++;
      return null;
    }
    const { unsaid } = this;
    this.at = now;
    this.unsaid = 0;
    return unsaid;
  }
}

/** What is known of one address. */
class Address extends Bucket {
  /** Connections that are counted for it. */
  count = 0;
  /** Whether it is that of one who comes in: a proxy stands for many, and a Unix socket for nobody. */
  readonly own: boolean;
  /** Of refusals; null: there were none. */
  quiet: Quiet | null = null;

  constructor(own: boolean) {
    super();
    this.own = own;
  }
}

/** The addresses that connections come from, and those that came too fast a short while ago. */
export class Addresses {
  private readonly all = new Map<string, Address>();
  /** Of them those without a connection, whose bucket fills; who was left first is full first. */
  private readonly cooling = new Map<string, Address>();
  private readonly isProxy: (ip: string) => boolean;
  /** An IPv6 address takes a while to read, and is asked for several times in a row. */
  private ip = '';
  private network = '';

  constructor(isProxy: (ip: string) => boolean) {
    this.isProxy = isProxy;
  }

  /** How many are remembered. */
  get size(): number {
    return this.all.size;
  }

  get(ip: string): Address | undefined {
    return this.all.get(this.keyOf(ip));
  }

  /** What is known of `ip` from now on. @param rate of its bucket */
  take(ip: string, rate: number, now: () => number): Address {
    const key = this.keyOf(ip);
    const known = this.all.get(key);
    if (known !== undefined) return known;
    this.forget(rate, now());
    const address = new Address(/[.:]/.test(ip) && !this.isProxy(ip));
    this.all.set(key, address);
    this.cooling.set(key, address);
    return address;
  }

  /** One more connection of `address`, which is that of `ip`. */
  add(ip: string, address: Address): void {
    if (address.count++ === 0) this.cooling.delete(this.keyOf(ip));
  }

  remove(ip: string, rate: number, now: () => number): void {
    const key = this.keyOf(ip);
    const address = this.all.get(key);
    if (address === undefined || --address.count > 0) return;
    if (rate === 0 || address.isFull(rate, now())) this.all.delete(key);
    else this.cooling.set(key, address);
  }

  private keyOf(ip: string): string {
    if (ip !== this.ip) {
      this.network = networkOf(ip);
      this.ip = ip;
    }
    return this.network;
  }

  /** For each address that comes two may go: so there is never much to do at once. */
  private forget(rate: number, now: number): void {
    let looked = 0;
    for (const [key, address] of this.cooling) {
      const tooMany = this.cooling.size >= COOLING_MOST;
      if (looked++ === 2 || !(tooMany || rate === 0 || address.isFull(rate, now))) return;
      this.cooling.delete(key);
      this.all.delete(key);
    }
  }
}
