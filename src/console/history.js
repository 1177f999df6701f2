/**
 * @typedef {object} Frame What went over a connection, as far as it is kept.
 * @property {number} seq counted from 0.
 * @property {number} at milliseconds since 1970.
 * @property {'in' | 'out' | 'note'} direction `note`: what happened to the connection.
 * @property {string | Uint8Array} data a text, or bytes; cut where it is longer than {@link KEPT}.
 * @property {number} size bytes of all of it.
 * @property {boolean} cut
 * @property {boolean} session it was sent in a session: see readFrame.
 */

/** So many characters or bytes of a frame are kept: a thousand of them must not fill the memory of a page. */
export const KEPT = 16_384;
/** So many frames are kept. */
export const MOST = 1_000;

/** The last frames of a connection. */
export class History {
  /** @param {number} most */
  constructor(most = MOST) {
    this.most = most;
    /** @type {Frame[]} */
    this.frames = [];
    /** Those before it are forgotten. */
    this.cleared = 0;
    /** The number of the next frame. */
    this.next = 0;
  }

  /** The number of the oldest frame that is kept. */
  get first() {
    return Math.max(this.next - this.most, this.cleared);
  }

  /**
   * @param {Frame['direction']} direction
   * @param {string | Uint8Array} data
   * @param {{ at?: number, session?: boolean }} [more]
   */
  add(direction, data, { at = Date.now(), session = false } = {}) {
    const cut = data.length > KEPT;
    const kept = typeof data !== 'string' ? data.slice(0, KEPT) : cut ? copyOf(data.slice(0, KEPT)) : data;
    const size = typeof data === 'string' ? utf8Length(data) : data.length;
    this.frames[this.next % this.most] = { seq: this.next, at, direction, data: kept, size, cut, session };
    this.next += 1;
  }

  /** @param {number} seq */
  get(seq) {
    return seq >= this.first && seq < this.next ? this.frames[seq % this.most] : undefined;
  }

  /**
   * Those that are kept, oldest first.
   * @param {number} from the number of the first of them.
   */
  *since(from) {
    for (let seq = Math.max(from, this.first); seq < this.next; seq++) yield this.frames[seq % this.most];
  }

  clear() {
    this.frames = [];
    this.cleared = this.next;
  }
}

/**
 * A part of a text would keep all of it in memory.
 * @param {string} part
 */
function copyOf(part) {
  return new TextDecoder().decode(new TextEncoder().encode(part));
}

/** @param {string} text @returns {number} */
function utf8Length(text) {
  return new TextEncoder().encode(text).length;
}
