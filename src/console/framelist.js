import { inFull, matches, oneLine, readFrame, sizeText, timeText } from './frames.js';
import { History } from './history.js';

/** @import { Frame } from './history.js' */

const ARROWS = { in: '↓', out: '↑', note: '·' };
const SAID = { in: 'received', out: 'sent', note: 'note' };
/** Pixels from its end within which a list follows what comes. */
const AT_END = 30;

let lists = 0;

/** What went over one connection, as a list. */
export class FrameList {
  history = new History();
  filter = '';
  paused = false;
  /** Frames before this one are in the list. */
  shown = 0;
  /** @type {number | null} */
  selected = null;
  scheduled = false;
  prefix = `frames-${++lists}`;

  /** @param {HTMLElement} root of the column. @param {(text: string) => Promise<boolean>} copy */
  constructor(root, copy) {
    /** @param {string} selector @returns {HTMLElement} */
    const find = (selector) => /** @type {HTMLElement} */ (root.querySelector(selector));
    this.list = find('.frames');
    this.empty = find('.empty');
    this.count = find('.count');
    this.detail = find('.detail');
    this.what = find('.detail .what');
    this.full = find('.detail pre');
    this.pauseButton = find('[name=pause]');
    this.copyButton = find('[name=copy-frame]');
    const filter = /** @type {HTMLInputElement} */ (find('[name=filter]'));
    filter.addEventListener('input', () => this.show(filter.value));
    this.pauseButton.addEventListener('click', () => this.pause(!this.paused));
    find('[name=clear]').addEventListener('click', () => this.clear());
    find('[name=close-frame]').addEventListener('click', () => this.goBack());
    this.copyButton.addEventListener('click', () => void this.copySelected(copy));
    this.list.addEventListener('keydown', (event) => this.onKey(event));
    this.list.addEventListener('click', ({ target }) => {
      const row = target instanceof Element ? target.closest('.frame') : null;
      if (row instanceof HTMLElement) this.select(row);
    });
    this.tell();
    this.detail.addEventListener('keydown', ({ key }) => {
      if (key === 'Escape') this.goBack();
    });
  }

  /**
   * @param {Frame['direction']} direction
   * @param {string | Uint8Array} data
   * @param {boolean} [session]
   */
  add(direction, data, session = false) {
    this.history.add(direction, data, { session });
    this.schedule();
  }

  /** However much comes, it is drawn once for each picture. */
  schedule() {
    if (this.scheduled) return;
    this.scheduled = true;
    requestAnimationFrame(() => {
      this.scheduled = false;
      this.draw();
    });
  }

  draw() {
    const { history, list } = this;
    if (!this.paused) {
      const follows = list.scrollHeight - list.scrollTop - list.clientHeight < AT_END;
      const rows = [...history.since(this.shown)].map((frame) => this.row(frame)).filter((row) => row !== null);
      list.append(...rows);
      while (Number(list.firstElementChild?.getAttribute('data-seq') ?? Infinity) < history.first)
        list.firstElementChild?.remove();
      this.shown = history.next;
      if (follows) list.scrollTop = list.scrollHeight;
      if (this.selected !== null && this.selected < history.first) this.deselect();
    }
    this.tell();
  }

  tell() {
    const { history, list } = this;
    const kept = history.next - history.first;
    const seen = list.childElementCount;
    const waiting = history.next - this.shown;
    this.empty.hidden = seen > 0;
    this.empty.textContent =
      kept > 0 && !this.paused ? 'No frame matches the filter.' : 'What is sent and received shows here.';
    if (this.paused) this.count.textContent = `${waiting} new`;
    else this.count.textContent = seen === kept ? `${kept}` : `${seen} of ${kept}`;
  }

  /** @param {Frame} frame @returns {HTMLElement | null} null: it is filtered out. */
  row(frame) {
    const { label, id, body, tone } = readFrame(frame);
    const { seq, at, direction, size } = frame;
    const text = oneLine(body);
    if (!matches({ direction, label, text }, this.filter)) return null;
    const row = element('div', 'frame');
    row.id = `${this.prefix}-${seq}`;
    row.role = 'option';
    Object.assign(row.dataset, { seq, direction, tone });
    row.ariaSelected = String(seq === this.selected);
    const way = element('span', 'way', ARROWS[direction]);
    way.ariaHidden = 'true';
    const said = element('span', 'unseen', SAID[direction]);
    row.append(element('span', 'time', timeText(at)), way);
    if (direction === 'note') row.append(element('span', 'body', text), said);
    else {
      const name = element('span', 'label', label);
      if (id !== '') name.append(' ', element('i', '', `#${id}`));
      row.append(name, element('span', 'body', text), element('span', 'size', sizeText(size)), said);
    }
    return row;
  }

  /** @param {string} filter */
  show(filter) {
    this.filter = filter.trim();
    this.list.replaceChildren();
    // What came during a pause stays out of the list till its end.
    const end = this.paused ? this.shown : this.history.next;
    this.list.append(
      ...[...this.history.since(0)]
        .filter(({ seq }) => seq < end)
        .map((frame) => this.row(frame))
        .filter((row) => row !== null),
    );
    this.shown = end;
    this.list.scrollTop = this.list.scrollHeight;
    this.tell();
  }

  /** @param {boolean} paused */
  pause(paused) {
    this.paused = paused;
    this.pauseButton.ariaPressed = String(paused);
    this.pauseButton.textContent = paused ? 'Go on' : 'Pause';
    this.draw();
  }

  clear() {
    this.deselect();
    this.history.clear();
    this.list.replaceChildren();
    this.shown = this.history.next;
    this.tell();
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const rows = /** @type {HTMLElement[]} */ ([...this.list.children]);
    const at = rows.findIndex(({ dataset }) => Number(dataset.seq) === this.selected);
    const from = at < 0 ? rows.length : at;
    const to = {
      ArrowUp: from - 1,
      ArrowDown: at < 0 ? rows.length - 1 : at + 1,
      PageUp: from - 10,
      PageDown: from + 10,
      Home: 0,
      End: rows.length - 1,
    }[event.key];
    if (event.key === 'Escape') this.deselect();
    else if (to === undefined || rows.length === 0) return;
    else this.select(rows[Math.min(Math.max(to, 0), rows.length - 1)]);
    event.preventDefault();
  }

  /** @param {HTMLElement} row */
  select(row) {
    const seq = Number(row.dataset.seq);
    const frame = this.history.get(seq);
    if (frame === undefined) return;
    this.mark(false);
    this.selected = seq;
    this.mark(true);
    const { label, body } = readFrame(frame);
    const { direction, at, size, cut } = frame;
    const much = cut ? `, of which the beginning was kept` : '';
    this.what.textContent = `${label} ${SAID[direction]} at ${timeText(at)}, ${sizeText(size)}${much}`.trim();
    this.full.textContent = inFull(body);
    this.copyButton.textContent = 'Copy';
    this.detail.hidden = false;
    this.list.setAttribute('aria-activedescendant', row.id);
    row.scrollIntoView({ block: 'nearest' });
  }

  /** @param {(text: string) => Promise<boolean>} copy */
  async copySelected(copy) {
    this.copyButton.textContent = (await copy(this.full.textContent)) ? 'Copied' : 'No clipboard here';
  }

  /** From the frame to the list. */
  goBack() {
    this.deselect();
    this.list.focus();
  }

  deselect() {
    this.mark(false);
    this.selected = null;
    this.detail.hidden = true;
    this.list.removeAttribute('aria-activedescendant');
  }

  /** @param {boolean} selected */
  mark(selected) {
    const row = this.selected === null ? null : document.getElementById(`${this.prefix}-${this.selected}`);
    if (row !== null) row.ariaSelected = String(selected);
  }
}

/**
 * @param {string} name
 * @param {string} className
 * @param {string} [text] as text, whatever it says.
 */
export function element(name, className, text = '') {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}
