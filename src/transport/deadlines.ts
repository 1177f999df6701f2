/** Something that must happen by a time, or else. An object holds at most one deadline. */
export interface Deadline {
  /** The tick that it expires at; null: not armed. Written by {@link Deadlines} alone, as its two neighbours are. */
  slot: number | null;
  before: Deadline | null;
  after: Deadline | null;
  expire(): void;
}

/** One for an object that has no place for its links. */
export function deadlineOf(expire: () => void): Deadline {
  return { slot: null, before: null, after: null, expire };
}

/** Milliseconds between two looks at the clock. */
const TICK = 100;
/** Of {@link Deadlines.tick} in a second. */
export const TICKS = 1000 / TICK;
/** Ticks without a look that say: the event loop was held. */
const HELD = 3;
/** Slots of the wheel, a power of two: 102.4 s. What is to expire later stays in its slot for as many rounds as it takes. */
const SLOTS = 1024;

/** The end of a list, and its beginning: the list is a ring. */
class Slot implements Deadline {
  slot = null;
  before: Deadline = this;
  after: Deadline = this;
  expire(): void {
    // Nothing is ever armed by it.
  }
}

/**
 * The deadlines of all connections on one timer wheel: a ring of slots, each a list of the objects that expire in it, linked by
 * themselves. Arming and disarming allocate nothing, and the timer runs only while something is armed. A deadline expires
 * less than two ticks late, never early: one for its slot, one for the look. If the event loop was held, what has come in
 * meanwhile is read before: who was not listened to is not to blame.
 */
export class Deadlines {
  /** How many are armed. */
  size = 0;
  /**
   * The time in ticks of a tenth of a second, as of the last look or `arm`: while anything is armed, less than two ticks old in an
   * event loop that turns. For those who would ask too often to read the clock itself.
   */
  tick = 0;
  private readonly wheel = Array.from({ length: SLOTS }, () => new Slot());
  /** Those whose time is up, while they are told. */
  private readonly due = new Slot();
  private readonly now: () => number;
  /** Of the clock, when tick 0 began: ticks are small integers, which take no memory of their own. */
  private readonly origin: number;
  private timer: NodeJS.Timeout | null = null;
  private last = 0;

  /** @param now milliseconds of a clock that never goes back. */
  constructor(now: () => number = () => performance.now()) {
    this.now = now;
    this.origin = now();
  }

  /** Lets `deadline` expire in `seconds`, whatever was armed for it before. */
  arm(deadline: Deadline, seconds: number): void {
    if (deadline.slot === null) this.size++;
    else unlink(deadline);
    const now = this.now() - this.origin;
    const current = Math.floor(now / TICK);
    const tick = Math.max(Math.ceil((now + seconds * 1000) / TICK), current + 1);
    deadline.slot = tick;
    link(this.wheel[tick & (SLOTS - 1)], deadline);
    this.tick = current;
    if (this.timer === null) this.start(current);
  }

  disarm(deadline: Deadline): void {
    if (deadline.slot === null) return;
    unlink(deadline);
    deadline.slot = null;
    this.size--;
  }

  /** Reads the clock. @returns the tick that it is. */
  read(): number {
    this.tick = Math.floor((this.now() - this.origin) / TICK);
    return this.tick;
  }

  private start(current: number): void {
    this.last = current;
    this.timer = setInterval(() => {
      if (this.read() - this.last <= HELD) this.look();
      else setImmediate(() => this.look()); // when the event loop has read what lies waiting
    }, TICK);
    this.timer.unref();
  }

  private look(): void {
    const { tick: current, due, wheel } = this;
    // After a long stop each slot is looked at once.
    const slots = Math.min(current - this.last, SLOTS);
    for (let tick = current - slots + 1; tick <= current; tick++) collect(wheel[tick & (SLOTS - 1)], current, due);
    this.last = current;
    // Whoever is told may arm or disarm any, itself too: each time the first of those that are left.
    while (due.after !== due) {
      const deadline = due.after;
      this.disarm(deadline);
      deadline.expire();
    }
    if (this.timer === null || this.size > 0) return;
    clearInterval(this.timer);
    this.timer = null;
  }
}

/** Appends to a list. */
function link(list: Slot, deadline: Deadline): void {
  const { before } = list;
  deadline.before = before;
  deadline.after = list;
  before.after = deadline;
  list.before = deadline;
}

function unlink(deadline: Deadline): void {
  const { before, after } = deadline;
  if (before !== null) before.after = after;
  if (after !== null) after.before = before;
  deadline.before = deadline.after = null;
}

/** Moves those of `list` whose tick has come to `due`. */
function collect(list: Slot, current: number, due: Slot): void {
  let deadline: Deadline | null = list.after;
  while (deadline !== null && deadline !== list) {
    const { slot } = deadline;
    const after: Deadline | null = deadline.after;
    if (slot !== null && slot <= current) {
      unlink(deadline);
      link(due, deadline);
    }
    deadline = after;
  }
}
