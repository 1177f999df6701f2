import { byId } from './example.js';

/**
 * @typedef {{ id: number, author: string, name: string, text: string, mentions: string[], edited?: number,
 *   quote?: { id: number, name: string, text: string }, file?: { name: string, type: string, size: number } }} Message
 * @typedef {{ at: number, author: string, name: string, to: string, text: string }} Private
 * @typedef {{ act: (what: 'quote' | 'edit' | 'delete', message: Message) => void, write: (name: string) => void,
 *   showFile: (message: Message, place: HTMLElement, live: boolean) => void }} Acts
 */

/** Messages on the page: the oldest go. */
const MOST = 500;

/**
 * An element with a text. Whatever comes from somebody goes this way, and so is never markup.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {string} [text]
 * @param {string} [className]
 */
export function make(tag, text = '', className = '') {
  const element = document.createElement(tag);
  element.textContent = text;
  element.className = className;
  return element;
}

/**
 * @param {string} text
 * @param {() => void} onClick
 */
export function makeButton(text, onClick) {
  const button = make('button', text);
  button.type = 'button';
  button.addEventListener('click', onClick);
  return button;
}

/** The messages of the room that one is in, and one's private ones, by their time. */
export class Messages {
  /** @type {Map<number, { message: Message, item: HTMLElement }>} */
  #shown = new Map();
  #list = byId('messages');
  #scroll = byId('scroll');
  #acts;
  #room = '';
  /** Whoever reads further up stays there. */
  #atEnd = true;
  /** Who looks at it. */
  me = { author: '', name: '' };

  /** @param {Acts} acts */
  constructor(acts) {
    this.#acts = acts;
    this.#scroll.addEventListener('scroll', () => {
      const { scrollTop, clientHeight, scrollHeight } = this.#scroll;
      this.#atEnd = scrollTop + clientHeight >= scrollHeight - 40;
    });
    const sizes = new ResizeObserver(() => {
      if (this.#atEnd) this.toEnd();
    });
    for (const element of [this.#scroll, ...this.#scroll.children]) sizes.observe(element);
  }

  /**
   * What a room keeps. What is shown of it already stays, but for what was deleted meanwhile.
   * @param {string} room
   * @param {Message[]} messages
   */
  show(room, messages) {
    const kept = new Set(messages.map(({ id }) => id));
    // What is older is not kept, or not known to a daemon that has forgotten.
    const first = messages[0]?.id ?? Infinity;
    if (room !== this.#room) {
      for (const id of this.#shown.keys()) this.remove(id);
      this.#list.replaceChildren(...this.#list.querySelectorAll('.private'));
    }
    this.#room = room;
    const before = this.#shown.size;
    for (const id of this.#shown.keys()) if (id >= first && !kept.has(id)) this.remove(id);
    if (before > 0 && first < Infinity && ![...kept].some((id) => this.#shown.has(id))) {
      this.#place(
        make('li', 'Some messages are missing here: the room keeps the last ones only.', 'note'),
        first - 0.5,
      );
    }
    for (const message of messages) this.put(message, false);
    this.toEnd();
  }

  /**
   * @param {Message} message a new one, or one that was changed.
   * @param {boolean} live it has just been said.
   */
  put(message, live) {
    const before = this.#shown.get(message.id);
    // A file never changes, and may have been fetched.
    if (before !== undefined && message.file !== undefined) return;
    const item = this.#itemOf(message, live);
    this.#shown.set(message.id, { message, item });
    if (before === undefined) this.#place(item, message.id);
    else {
      item.dataset.at = String(message.id);
      before.item.replaceWith(item);
      this.#requote(message.id, message.file?.name ?? message.text);
    }
  }

  /** @param {number} id */
  remove(id) {
    drop(this.#shown.get(id)?.item);
    this.#shown.delete(id);
    this.#requote(id, '');
  }

  /** @param {Private} message */
  putPrivate({ at, author, name, to, text }) {
    const own = author === this.me.author;
    const item = make('li', '', own ? 'message private own' : 'message private');
    const head = make('div', '', 'head');
    const answer = own ? to : name;
    head.append(make('bdi', own ? `You to ${to}` : name, 'name'), make('span', 'private', 'tag'), timeOf(at));
    const acts = make('span', '', 'acts');
    acts.append(makeButton(own ? 'Write again' : 'Answer', () => this.#acts.write(answer)));
    head.append(acts);
    item.append(head, this.#textOf(text, []));
    this.#place(item, at);
  }

  /** The newest of one's own that can be edited. */
  lastOwn() {
    const own = [...this.#shown.values()].filter(({ message }) => message.author === this.me.author && !message.file);
    return own.at(-1)?.message;
  }

  toEnd() {
    this.#scroll.scrollTop = this.#scroll.scrollHeight;
  }

  /**
   * @param {HTMLElement} item
   * @param {number} at
   */
  #place(item, at) {
    item.dataset.at = String(at);
    let before = this.#list.lastElementChild;
    while (before instanceof HTMLElement && Number(before.dataset.at) > at) before = before.previousElementSibling;
    if (before === null) this.#list.prepend(item);
    else before.after(item);
    while (this.#list.childElementCount > MOST) {
      const oldest = /** @type {HTMLElement} */ (this.#list.firstElementChild);
      this.#shown.delete(Number(oldest.dataset.at));
      drop(oldest);
    }
  }

  /**
   * @param {Message} message
   * @param {boolean} live
   */
  #itemOf(message, live) {
    const own = message.author === this.me.author;
    const item = make('li', '', 'message');
    item.classList.toggle('own', own);
    item.classList.toggle('mentioned', !own && message.mentions.includes(this.me.name));
    const head = make('div', '', 'head');
    head.append(make('bdi', message.name, 'name'), timeOf(message.id));
    if (message.edited !== undefined) head.append(make('span', 'edited', 'tag'));
    const acts = make('span', '', 'acts');
    acts.append(makeButton('Quote', () => this.#acts.act('quote', message)));
    if (own && message.file === undefined) acts.append(makeButton('Edit', () => this.#acts.act('edit', message)));
    if (own) acts.append(makeButton('Delete', () => this.#acts.act('delete', message)));
    head.append(acts);
    item.append(head);
    if (message.quote !== undefined) item.append(quoteOf(message.quote));
    if (message.file === undefined) item.append(this.#textOf(message.text, message.mentions));
    else {
      const place = make('div', '', 'file');
      item.append(place);
      this.#acts.showFile(message, place, live);
    }
    return item;
  }

  /**
   * @param {string} text
   * @param {string[]} mentions
   */
  #textOf(text, mentions) {
    const place = make('p', '', 'text');
    place.dir = 'auto';
    for (const part of text.split(/(\{[^{}\n]+\})/)) {
      const name = mentions.find((one) => part.startsWith('{') && isSame(one, part.slice(1, -1)));
      if (name === undefined) place.append(part);
      else place.append(make('bdi', name, name === this.me.name ? 'mention me' : 'mention'));
    }
    return place;
  }

  /**
   * A message that is quoted was changed, or is gone.
   * @param {number} id
   * @param {string} text
   */
  #requote(id, text) {
    for (const { message, item } of this.#shown.values()) {
      if (message.quote?.id !== id) continue;
      message.quote.text = text;
      item.querySelector('blockquote')?.replaceWith(quoteOf(message.quote));
    }
  }
}

/**
 * Removes an item, and what was fetched for it.
 * @param {HTMLElement | undefined} item
 */
function drop(item) {
  const link = item?.querySelector('a');
  if (link) URL.revokeObjectURL(link.href);
  item?.remove();
}

/** @param {NonNullable<Message['quote']>} quote */
function quoteOf({ name, text }) {
  const place = make('blockquote');
  place.append(make('bdi', name, 'name'), make('span', text === '' ? 'deleted' : text, text === '' ? 'muted' : ''));
  return place;
}

/** @param {number} at */
function timeOf(at) {
  const date = new Date(at);
  const isToday = date.toDateString() === new Date().toDateString();
  const day = isToday ? '' : `${date.toLocaleDateString([], { dateStyle: 'medium' })}, `;
  const time = make('time', day + date.toLocaleTimeString([], { timeStyle: 'short' }));
  time.dateTime = date.toISOString();
  time.title = date.toLocaleString();
  return time;
}

/**
 * Whether two names are the same one.
 * @param {string} one
 * @param {string} other
 */
export function isSame(one, other) {
  const fold = (/** @type {string} */ name) => name.normalize('NFKC').trim().toLowerCase();
  return fold(one) === fold(other);
}
