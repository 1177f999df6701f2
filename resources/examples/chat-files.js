import { make, makeButton } from './chat-messages.js';

/** @typedef {import('./chat-messages.js').Message} Message */

/** What an <img> shows without being able to do anything. */
const PICTURES = ['image/png', 'image/jpeg', 'image/gif', 'image/webp', 'image/avif'];

/**
 * A file as it is sent: one line of JSON, and its bytes.
 * @param {File} file
 */
export async function packFile({ name, type }, /** @type {ArrayBuffer} */ bytes) {
  return new Blob([`${JSON.stringify({ name: name.slice(0, 100), type })}\n`, bytes]).arrayBuffer();
}

/** The files that others have sent: each is asked for, and comes as a binary message. */
export class Files {
  #ask;
  /** What each waits for that was asked for. @type {Map<number, { place: HTMLElement, button: HTMLButtonElement }>} */
  #waiting = new Map();

  /** @param {(id: number) => Promise<string | undefined>} ask resolves to what speaks against it. */
  constructor(ask) {
    this.#ask = ask;
  }

  /**
   * Shows what is there: a new picture at once, anything else when it is asked for.
   * @param {Message} message
   * @param {HTMLElement} place
   * @param {boolean} live
   */
  offer({ id, file }, place, live) {
    if (file === undefined) return;
    const size = file.size < 1024 ? `${file.size} B` : `${Math.ceil(file.size / 1024)} KiB`;
    const picture = PICTURES.includes(file.type);
    const load = makeButton(picture ? 'Show' : 'Get', () => void this.#load(id, place, load));
    place.append(make('bdi', file.name, 'name'), make('small', size), load);
    if (live && picture) void this.#load(id, place, load);
  }

  /**
   * A binary message has come.
   * @param {ArrayBuffer} data
   */
  receive(data) {
    const bytes = new Uint8Array(data);
    const end = bytes.indexOf(10);
    const { id, name, type } = JSON.parse(new TextDecoder().decode(bytes.subarray(0, end)));
    const { place, button } = this.#waiting.get(id) ?? {};
    this.#waiting.delete(id);
    if (place === undefined) return;
    button?.remove();
    // Nothing that is opened from here can be a page of this origin.
    const picture = PICTURES.includes(type);
    const blob = new Blob([bytes.subarray(end + 1)], { type: picture ? type : 'application/octet-stream' });
    const url = URL.createObjectURL(blob);
    const link = make('a', 'Save');
    link.href = url;
    link.download = name;
    place.append(link);
    if (picture) {
      const image = make('img');
      image.src = url;
      image.alt = name;
      place.append(image);
    }
  }

  /**
   * @param {number} id
   * @param {HTMLElement} place
   * @param {HTMLButtonElement} button
   */
  async #load(id, place, button) {
    button.disabled = true;
    place.querySelector('.error')?.remove();
    this.#waiting.set(id, { place, button });
    const error = await this.#ask(id);
    if (error !== undefined) this.#fail(id, error);
  }

  /** Some of what was sent to this page is lost, a file among it perhaps. */
  lost() {
    for (const id of this.#waiting.keys()) this.#fail(id, 'lost on its way');
  }

  /**
   * @param {number} id
   * @param {string} error
   */
  #fail(id, error) {
    const { place, button } = this.#waiting.get(id) ?? {};
    this.#waiting.delete(id);
    if (button !== undefined) button.disabled = false;
    place?.append(make('small', error, 'error'));
  }
}
