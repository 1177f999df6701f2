import { type Log, SILENT } from '../log.ts';
import type { Refusal } from '../wire/head.ts';
import { Addresses, Bucket, Quiet } from './addresses.ts';
import type { LimitName, Limits } from './limits.ts';

/** Connections above a limit that are still taken, for long enough to tell them why they cannot stay. */
const HEADROOM = 32;
/** The same of one address. */
const HEADROOM_PER_IP = 8;

export type RateName = 'connectRate' | 'connectRateAll';

interface AdmissionOptions {
  readonly log: Log;
  /** Whether the peer at `ip` is a trusted proxy: what is limited is then its clients, as soon as they are known. */
  isProxy(ip: string): boolean;
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
}

/** Counts connections, in all and per address, from when they are accepted to their end, and how fast they come. */
export class Admission {
  private readonly limits: Limits;
  private readonly options: AdmissionOptions;
  private readonly addresses: Addresses;
  private readonly all = new Bucket();
  private readonly quiet = new Map<LimitName, Quiet>();
  private total = 0;
  /** Those of them that are being told that there is no room. */
  private turnedAway = 0;
  /** Those that came too fast, and are being told so. */
  private heard = 0;
  /** Those that have ended, but whose session waits: a client may come back for each. */
  private kept = 0;

  constructor(limits: Limits, options: Partial<AdmissionOptions> = {}) {
    this.limits = limits;
    this.options = { log: SILENT, isProxy: () => false, now: () => performance.now(), ...options };
    this.addresses = new Addresses((ip) => this.options.isProxy(ip));
  }

  /** Connections that are counted now. */
  get count(): number {
    return this.total;
  }

  /** Those of them that there are. */
  get connected(): number {
    return this.total - this.kept;
  }

  /** One more would be one too many. */
  get full(): boolean {
    return this.total - this.turnedAway >= this.limits.values.maxClients;
  }

  /** Addresses that are remembered now. */
  get remembered(): number {
    return this.addresses.size;
  }

  /** A connection from `ip` begins: it is counted. @returns null; or the limit that leaves no room even to refuse it politely. */
  enter(ip: string): LimitName | null {
    const { maxClients, maxPerIP, connectRate } = this.limits.values;
    if (this.connected >= maxClients + HEADROOM) return this.refused('maxClients', ip);
    const address = this.addresses.take(ip, connectRate, this.options.now);
    if (maxPerIP > 0 && address.own && address.count >= maxPerIP + HEADROOM_PER_IP) return this.refused('maxPerIP', ip);
    this.total++;
    this.addresses.add(ip, address);
    return null;
  }

  /**
   * The limit that keeps a connection from `ip`, already counted, from staying.
   * @param place address whose place it takes: that of the session that it comes back to.
   */
  refusal(ip: string, place?: string): 'maxClients' | 'maxPerIP' | null {
    const { maxClients, maxPerIP } = this.limits.values;
    // Those who are on their way out take nobody's place: or of a rush all would be refused.
    if (place === undefined && this.total - this.turnedAway > maxClients) return 'maxClients';
    const address = maxPerIP > 0 ? this.addresses.get(ip) : undefined;
    if (place !== undefined && this.addresses.get(place) === address) return null;
    return address?.own === true && address.count > maxPerIP ? 'maxPerIP' : null;
  }

  /** What one that comes too fast is told. */
  describe(rate: RateName): Refusal {
    const { text } = this.limits.describe(rate);
    return { status: rate === 'connectRate' ? 429 : 503, text, headers: { 'Retry-After': '1' } };
  }

  /** One more comes from `ip`, once for each connection. @returns null, or the rate that is exceeded by it. */
  arrive(ip: string): RateName | null {
    const { connectRateAll } = this.limits.values;
    if (this.comesTooFast(ip)) return this.refused('connectRate', ip);
    if (connectRateAll === 0 || this.all.take(connectRateAll, this.options.now())) return null;
    return this.refused('connectRateAll', ip);
  }

  private comesTooFast(ip: string): boolean {
    const { connectRate } = this.limits.values;
    if (connectRate === 0 || isLocal(ip)) return false;
    const { now } = this.options;
    const address = this.addresses.take(ip, connectRate, now);
    return address.own && !address.take(connectRate, now());
  }

  /** One that is counted is being told that there is no room; when it leaves, `wentAway` must follow. */
  turnAway(): void {
    this.turnedAway++;
  }

  /** One that was turned away has left. */
  wentAway(): void {
    this.turnedAway--;
  }

  /** One that came too fast, and is counted. @returns whether there is time to tell it; then `heardOut` must follow. */
  hearOut(): boolean {
    if (this.heard >= HEADROOM) return false;
    this.heard++;
    return true;
  }

  heardOut(): void {
    this.heard--;
  }

  /** A connection counted for `from`, a proxy, turns out to be one of `to`. @returns as {@link arrive}, for `to`. */
  move(from: string, to: string): RateName | null {
    if (from === to) return null;
    const { addresses, options } = this;
    this.remove(from);
    addresses.add(to, addresses.take(to, this.limits.values.connectRate, options.now));
    return this.comesTooFast(to) ? this.refused('connectRate', to) : null;
  }

  leave(ip: string): void {
    this.total--;
    this.remove(ip);
  }

  /** A connection has ended, but its session waits: it goes on being counted. `givePlace` must follow. */
  keepPlace(): void {
    this.kept++;
  }

  /** That session has ended, or its client, last from `ip`, is back. */
  givePlace(ip: string): void {
    this.kept--;
    this.leave(ip);
  }

  /** A session from the daemon before this one waits, whose client was at `ip`: it is counted. `givePlace` must follow. */
  restore(ip: string): void {
    this.total++;
    this.kept++;
    this.addresses.add(ip, this.addresses.take(ip, this.limits.values.connectRate, this.options.now));
  }

  /** Counts one from `ip` that was refused, and logs it if that is news. */
  refused<Name extends LimitName>(limit: Name, ip: string): Name {
    this.tell(limit, ip, 'refused');
    return limit;
  }

  /** One from `ip` kept its request waiting for longer than all others, and has to go. */
  gaveWay(limit: 'maxHandshakes' | 'maxClients', ip: string): void {
    this.tell(limit, ip, 'closed, it was the oldest');
  }

  private tell(limit: LimitName, ip: string, what: string): void {
    const { text } = this.limits.over(limit);
    const since = this.news(limit, ip);
    if (since === null) return;
    const others = since === 0 ? '' : ` (and ${since} others since that was last said)`;
    const why = limit === 'maxPerIP' ? text + ip : text;
    this.options.log.warn(`${ip} ${what}: over ${this.limits.optionOf(limit)}: ${why}${others}`, { ip, limit });
  }

  /** Whether the log is to say of one more that it is over `limit`. @returns null, or how many it has kept silent of. */
  news(limit: LimitName, ip: string): number | null {
    const address = limit === 'maxPerIP' || limit === 'connectRate' ? this.addresses.get(ip) : undefined;
    if (address === undefined) return this.quietOf(limit).news(this.options.now());
    address.quiet ??= new Quiet();
    return address.quiet.news(this.options.now());
  }

  private quietOf(limit: LimitName): Quiet {
    let quiet = this.quiet.get(limit);
    if (quiet === undefined) {
      quiet = new Quiet();
      this.quiet.set(limit, quiet);
    }
    return quiet;
  }

  private remove(ip: string): void {
    this.addresses.remove(ip, this.limits.values.connectRate, this.options.now);
  }
}

/** On this host, or no address at all: nobody knows how many are behind it. */
function isLocal(ip: string): boolean {
  return ip.startsWith('127.') || ip === '::1' || !/[.:]/.test(ip);
}
