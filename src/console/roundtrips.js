/** So many round trips are shown. */
const SHOWN = 120;
/** So many messages may wait for their `next`: above that the oldest is forgotten. */
const WAITING = 1_000;

/** How long it takes from a message to its `next`. */
export class RoundTrips {
  constructor() {
    /** When each message was sent; in a session by its id, else in their order. @type {Map<number, number>} */
    this.sentAt = new Map();
    /** The last ones, in milliseconds. @type {number[]} */
    this.times = [];
    /** How many there have been. */
    this.count = 0;
    this.order = 0;
  }

  /**
   * A message was sent.
   * @param {number | null} id null: the dialog has no numbers.
   * @param {number} now
   */
  sent(id, now) {
    const key = id ?? this.order++;
    // Its last piece, or sent again: that is what is answered.
    this.sentAt.delete(key);
    this.sentAt.set(key, now);
    if (this.sentAt.size > WAITING) this.sentAt.delete(this.oldest());
  }

  /**
   * A `next` has come.
   * @param {number | null} id
   * @param {number} now
   * @returns {number | null} the milliseconds that it took; null: it answers nothing that is known.
   */
  answered(id, now) {
    const key = id ?? this.oldest();
    const then = this.sentAt.get(key);
    if (then === undefined) return null;
    this.sentAt.delete(key);
    const time = now - then;
    this.times.push(time);
    if (this.times.length > SHOWN) this.times.shift();
    this.count += 1;
    return time;
  }

  /** The connection is gone: what waits is answered on another one, or never. */
  lost() {
    this.sentAt.clear();
  }

  /**
   * Of those that are shown.
   * @returns {{ last: number, median: number, most: number } | null}
   */
  summary() {
    const { times } = this;
    if (times.length === 0) return null;
    const sorted = times.toSorted((one, other) => one - other);
    const median = sorted[Math.floor((sorted.length - 1) / 2)];
    return { last: times[times.length - 1], median, most: sorted[sorted.length - 1] };
  }

  oldest() {
    const [key = -1] = this.sentAt.keys();
    return key;
  }
}

/** @param {number} milliseconds */
export function tripText(milliseconds) {
  if (milliseconds < 10) return `${Number(milliseconds.toFixed(milliseconds < 1 ? 2 : 1))} ms`;
  return milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}
