import { isSame, make, makeButton } from './chat-messages.js';
import { byId } from './example.js';

/** @typedef {import('./chat-messages.js').Message} Message */
/**
 * What is being written: to the room, as an answer to a message, over a message, or to one person.
 * @typedef {{ quote?: Message, edit?: Message, to?: string }} About
 */

/** Milliseconds between two notes that one types. */
const TYPES = 3000;

const form = /** @type {HTMLFormElement} */ (byId('composer'));
const field = /** @type {HTMLTextAreaElement} */ (form.elements.namedItem('text'));
const about = byId('about');

/**
 * @typedef {{ send: (text: string, about: About) => void, typing: () => void, sendFile: (file: File) => void,
 *   names: () => string[], last: () => Message | undefined }} ComposerActs
 */

/** Where a message is written. */
export class Composer {
  /** @type {About} */
  #about = {};
  #acts;
  #typed = 0;

  /** @param {ComposerActs} acts */
  constructor(acts) {
    this.#acts = acts;
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#send();
    });
    field.addEventListener('keydown', (event) => this.#press(event));
    field.addEventListener('input', () => this.#type());
    about.querySelector('button')?.addEventListener('click', () => this.clear());
    const file = /** @type {HTMLInputElement} */ (byId('file').querySelector('input'));
    file.addEventListener('change', () => {
      const [chosen] = file.files ?? [];
      if (chosen !== undefined) acts.sendFile(chosen);
      file.value = '';
    });
  }

  /** @param {number} most characters of a message. */
  limit(most) {
    field.maxLength = most;
  }

  /** @param {About} what */
  write(what) {
    if (this.#about.edit !== undefined) field.value = '';
    this.#about = what;
    const { quote, edit, to } = what;
    if (edit !== undefined) field.value = edit.text;
    const line = byId('about').querySelector('span');
    if (line === null) return;
    line.textContent = '';
    if (quote !== undefined)
      line.append('Answer to ', make('bdi', quote.name, 'name'), `: ${quote.file?.name ?? quote.text}`);
    if (edit !== undefined) line.append('Edit your message');
    if (to !== undefined) line.append('Private, to ', make('bdi', to, 'name'));
    about.hidden = line.childNodes.length === 0;
    field.focus();
  }

  /** The message that is answered or edited is gone. @param {number} id */
  forget(id) {
    if (this.#about.edit?.id === id || this.#about.quote?.id === id) this.clear();
  }

  clear() {
    if (this.#about.edit !== undefined) field.value = '';
    this.#about = {};
    about.hidden = true;
  }

  /** @param {string} name */
  mention(name) {
    const { selectionStart, value } = field;
    const space = selectionStart > 0 && !/\s/.test(value[selectionStart - 1]) ? ' ' : '';
    field.setRangeText(`${space}{${name}} `, selectionStart, field.selectionEnd, 'end');
    field.focus();
  }

  #send() {
    const text = field.value.trim();
    if (text === '') return;
    const what = this.#about;
    this.clear();
    field.value = '';
    this.#typed = 0;
    this.#acts.send(text, what);
    // To one person one goes on writing, until one has enough of it.
    if (what.to !== undefined) this.write(what);
  }

  /** @param {KeyboardEvent} event */
  #press(event) {
    if (event.isComposing) return;
    // With a finger Enter is for the next line, and there is the button.
    if (event.key === 'Enter' && !event.shiftKey && !matchMedia('(pointer: coarse)').matches) {
      event.preventDefault();
      this.#send();
    } else if (event.key === 'Escape') this.clear();
    else if (event.key === 'Tab' && !event.shiftKey && this.#complete()) event.preventDefault();
    else if (event.key === 'ArrowUp' && field.value === '') {
      const last = this.#acts.last();
      if (last === undefined) return;
      event.preventDefault();
      this.write({ edit: last });
    }
  }

  /** Completes the name after the last open brace. @returns whether there was one. */
  #complete() {
    const begun = /\{([^{}\n]*)$/.exec(field.value.slice(0, field.selectionStart));
    if (begun === null) return false;
    const [whole, start] = begun;
    const name = this.#acts.names().find((one) => isSame(one.slice(0, start.length), start));
    if (name === undefined) return false;
    const end = field.selectionStart;
    field.setRangeText(`{${name}} `, end - whole.length, end, 'end');
    return true;
  }

  #type() {
    const { edit, to } = this.#about;
    if (edit !== undefined || to !== undefined || field.value === '') return;
    const now = Date.now();
    if (now - this.#typed < TYPES) return;
    this.#typed = now;
    this.#acts.typing();
  }
}

/** What was sent and is not acknowledged, and what was not taken. */
export class Pending {
  #list = byId('pending');
  #toEnd;

  /** @param {() => void} toEnd what one does oneself is to be seen. */
  constructor(toEnd) {
    this.#toEnd = toEnd;
  }

  /**
   * @param {string} words
   * @param {() => Promise<string | undefined>} send resolves to what speaks against it.
   */
  async add(words, send) {
    const item = make('li', '', 'message pending');
    const state = make('small', 'sending…');
    item.append(make('p', words, 'text'), state);
    this.#list.append(item);
    this.#toEnd();
    const error = await send();
    if (error === undefined) {
      item.remove();
      return;
    }
    item.classList.add('failed');
    state.textContent = error;
    state.className = 'error';
    const acts = make('span', '', 'acts');
    const again = (/** @type {boolean} */ send_) => {
      item.remove();
      if (send_) void this.add(words, send);
    };
    acts.append(
      makeButton('Send again', () => again(true)),
      makeButton('Discard', () => again(false)),
    );
    item.append(acts);
    this.#toEnd();
  }
}
