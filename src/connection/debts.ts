import type { Log } from '../log.ts';
import type { Limits } from './limits.ts';

/** Somebody for whom bytes wait. */
export interface Debtor {
  /** Bytes written that its kernel has not taken. */
  readonly pending: number;
  /** Bytes that are not written yet, for it has to take others first. */
  readonly kept: number;
  /** Grows as it takes what was written. */
  readonly taken: number;
  /** With TLS: what is pending is there a second time, encrypted. */
  readonly secure: boolean;
  /** Too much waits for all, and it is the slowest: it is to be closed; told so again: to be destroyed. */
  giveUp(): void;
}

/** What waits for one client; made when it first does not take everything at once. */
export class Debt {
  readonly debtor: Debtor;
  /** Bytes that wait for it alone. */
  own = 0;
  /** Bytes of `frames`. */
  shared = 0;
  /** When it fell behind, or began to be watched anew; milliseconds. */
  since = 0;
  /** What it had taken then. */
  taken = 0;
  /** What it had taken when its write deadline was armed. */
  armed = 0;
  /** It is one of those of whom something waits. */
  counted = false;
  /** It was told to go. */
  givenUp = false;
  /** Messages that were left out, and when the log was last told of them. */
  dropped = 0;
  told = Number.NEGATIVE_INFINITY;
  /** Long frames that others are sent too, oldest first, and where each ends in what was written. */
  readonly frames: Buffer[] = [];
  readonly ends: number[] = [];
  /** Bytes written since it fell behind. */
  written = 0;

  constructor(debtor: Debtor) {
    this.debtor = debtor;
  }

  /** Begins to watch how fast it takes what waits for it. */
  watch(now: number): void {
    this.since = now;
    this.taken = this.debtor.taken;
  }

  /** How it reads, for the log. */
  pace(now: number): string {
    return `${this.debtor.taken - this.taken} taken in the last ${((now - this.since) / 1000).toFixed(1)} s`;
  }

  /** How slow it is: about the time that it would take for what waits for it, as it has read so far. */
  slowness(now: number): number {
    return ((this.own + this.shared) * (now - this.since + 1)) / (this.debtor.taken - this.taken + 1);
  }
}

/**
 * All that waits to be sent, of all clients together: at most `[limits] maxSendMemory`. Whoever takes everything at once is
 * unknown here. A long frame that waits for many counts once, for it is in memory once; other bytes count for each client.
 */
export class Debts {
  /** Bytes that wait. What clients have taken since they were last looked at is still counted. */
  total = 0;
  /** Messages that were left out, for older ones were still waiting. */
  dropped = 0;
  readonly now: () => number;
  private readonly limits: Limits;
  private readonly log: Log;
  private readonly all = new Set<Debt>();
  /** How many each long frame waits for. */
  private readonly holders = new Map<Buffer, number>();
  /** Above this everybody is looked at. */
  private mark = 0;
  private looking = false;

  /** @param now milliseconds of a clock that never goes back. */
  constructor(limits: Limits, log: Log, now: () => number = () => performance.now()) {
    this.limits = limits;
    this.log = log;
    this.now = now;
  }

  /** How many clients have not taken everything. */
  get size(): number {
    return this.all.size;
  }

  /**
   * Something waits for a client.
   * @param wrote bytes that have just been written for it.
   * @param frame they are a long frame that goes to others too.
   */
  owe(debt: Debt, wrote = 0, frame: Buffer | null = null): void {
    const { pending, kept } = debt.debtor;
    if (pending + kept === 0) {
      this.forget(debt);
      return;
    }
    if (!debt.counted) {
      debt.counted = true;
      this.all.add(debt);
      debt.watch(this.now());
    }
    debt.written = Math.max(debt.written + wrote, pending);
    if (frame !== null) this.hold(debt, frame);
    this.count(debt, pending, kept);
    if (this.total > Math.max(this.mark, this.limits.values.maxSendMemory)) this.look();
  }

  /** Nothing waits for it any more. */
  forget(debt: Debt): void {
    if (!debt.counted) return;
    debt.counted = false;
    this.all.delete(debt);
    this.release(debt, Infinity);
    this.total -= debt.own;
    debt.own = debt.written = 0;
    this.mark = 0;
  }

  private hold(debt: Debt, frame: Buffer): void {
    const holders = this.holders.get(frame) ?? 0;
    this.holders.set(frame, holders + 1);
    if (holders === 0) this.total += frame.length;
    debt.frames.push(frame);
    debt.ends.push(debt.written);
    debt.shared += frame.length;
  }

  /** Of what was written, so much has been taken. */
  private release(debt: Debt, taken: number): void {
    const { frames, ends } = debt;
    while (frames.length > 0 && ends[0] <= taken) {
      ends.shift();
      const frame = frames.shift() as Buffer;
      debt.shared -= frame.length;
      const holders = (this.holders.get(frame) ?? 1) - 1;
      if (holders > 0) this.holders.set(frame, holders);
      else {
        this.holders.delete(frame);
        this.total -= frame.length;
      }
    }
  }

  private count(debt: Debt, pending: number, kept: number): void {
    this.release(debt, debt.written - pending);
    const own = Math.max(0, pending - debt.shared) + kept + (debt.debtor.secure ? pending : 0);
    this.total += own - debt.own;
    debt.own = own;
  }

  /** Looks at everybody. If it is really too much, the slowest have to go, until an eighth of the limit is free. */
  private look(): void {
    if (this.looking) return;
    this.looking = true;
    for (const debt of this.all) {
      const { pending, kept } = debt.debtor;
      if (pending + kept === 0) this.forget(debt);
      else this.count(debt, pending, kept);
    }
    const { maxSendMemory } = this.limits.values;
    if (this.total > maxSendMemory) this.relieve(maxSendMemory - maxSendMemory / 8);
    // To look at all for each message would cost more than what it finds.
    this.mark = this.total + maxSendMemory / 16;
    this.looking = false;
  }

  private relieve(target: number): void {
    this.log.warn(`over [limits] maxSendMemory: ${this.total} bytes wait for ${this.size} clients: the slowest go`, {
      limit: 'maxSendMemory',
    });
    const now = this.now();
    // Asked once of each: it takes a call into Node.
    const slowness = new Map<Debt, number>();
    for (const debt of this.all) slowness.set(debt, debt.slowness(now));
    const slowest = [...slowness].toSorted(([, a], [, b]) => b - a).map(([debt]) => debt);
    // Who was told to go before, and has not gone.
    for (const debt of slowest) {
      if (this.total <= target) break;
      if (!debt.givenUp) continue;
      debt.debtor.giveUp();
      this.forget(debt);
    }
    // What waits for those who are told now may still be taken, for as long as nobody else needs the memory.
    const staying = slowest.filter((debt) => !debt.givenUp && debt.counted);
    const holders = new Map<Buffer, number>();
    let total = 0;
    for (const debt of staying) {
      total += debt.own;
      for (const frame of debt.frames) {
        const count = holders.get(frame) ?? 0;
        if (count === 0) total += frame.length;
        holders.set(frame, count + 1);
      }
    }
    for (const debt of staying) {
      if (total <= target) break;
      total -= debt.own;
      for (const frame of debt.frames) {
        const count = (holders.get(frame) ?? 1) - 1;
        holders.set(frame, count);
        if (count === 0) total -= frame.length;
      }
      debt.givenUp = true;
      debt.debtor.giveUp();
    }
  }
}
