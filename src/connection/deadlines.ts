/** Something that must happen by a time, or else. An object holds at most one deadline in each of these. */
export interface Deadline {
  /** Where it is kept; null: not armed. Written by {@link Deadlines} alone. */
  slot: Set<Deadline> | null;
  expire(): void;
}

/** Milliseconds between two looks at the clock. */
const TICK = 100;

/**
 * The deadlines of all connections on one timer: arming and disarming are a Set operation each, and the timer runs only
 * while something is armed. A deadline expires less than two ticks late, never early: one for its slot, one for the look.
 */
export class Deadlines {
  private readonly slots = new Map<number, Set<Deadline>>();
  private readonly now: () => number;
  private timer: NodeJS.Timeout | null = null;
  private last = 0;

  /** @param now milliseconds of a clock that never goes back. */
  constructor(now: () => number = () => performance.now()) {
    this.now = now;
  }

  /** Lets `deadline` expire in `seconds`, whatever was armed for it before. */
  arm(deadline: Deadline, seconds: number): void {
    deadline.slot?.delete(deadline);
    const now = this.now();
    const tick = Math.max(Math.ceil((now + seconds * 1000) / TICK), Math.floor(now / TICK) + 1);
    let slot = this.slots.get(tick);
    if (slot === undefined) {
      slot = new Set();
      this.slots.set(tick, slot);
    }
    slot.add(deadline);
    deadline.slot = slot;
    if (this.timer !== null) return;
    this.last = Math.floor(now / TICK);
    this.timer = setInterval(() => this.look(), TICK);
    this.timer.unref();
  }

  disarm(deadline: Deadline): void {
    deadline.slot?.delete(deadline);
    deadline.slot = null;
  }

  /** How many are armed. */
  get size(): number {
    let size = 0;
    for (const slot of this.slots.values()) size += slot.size;
    return size;
  }

  private get armed(): boolean {
    for (const slot of this.slots.values()) if (slot.size > 0) return true;
    return false;
  }

  private look(): void {
    const current = Math.floor(this.now() / TICK);
    for (let tick = this.last + 1; tick <= current; tick++) {
      const slot = this.slots.get(tick);
      if (slot === undefined) continue;
      this.slots.delete(tick);
      for (const deadline of slot) {
        deadline.slot = null;
        slot.delete(deadline);
        deadline.expire();
      }
    }
    this.last = Math.max(this.last, current);
    if (this.timer === null || this.armed) return;
    this.slots.clear();
    clearInterval(this.timer);
    this.timer = null;
  }
}
