import { asCurl, asNc, asPhp, reachable } from './copy.js';
import { parseHex } from './frames.js';
import { element } from './framelist.js';
import { CHOICES } from './packets.js';

/**
 * @typedef {import('./copy.js').Resource} Resource
 *
 * @typedef {object} Surroundings
 * @property {(message: string | Uint8Array<ArrayBuffer>, pieces: number) => Promise<void>} send
 * @property {() => { resource: Resource, query: string }} target
 * @property {() => string} uuid of a client that feedback can reach.
 * @property {readonly Resource[]} resources
 * @property {boolean} key see Target.
 * @property {(text: string) => Promise<boolean>} copy
 */

let composers = 0;

/** Where a message is written, and sent from. */
export class Composer {
  choice = CHOICES[0];
  sendable = false;
  /** What the field was filled with. */
  filled = '';

  /** @param {HTMLElement} root of the column. @param {Surroundings} surroundings */
  constructor(root, surroundings) {
    /** @param {string} selector @returns {HTMLElement} */
    const find = (selector) => /** @type {HTMLElement} */ (root.querySelector(`.composer ${selector}`));
    this.surroundings = surroundings;
    this.field = /** @type {HTMLTextAreaElement} */ (find('textarea'));
    this.hint = find('.hint');
    this.pieces = /** @type {HTMLInputElement} */ (find('[name=pieces]'));
    this.button = /** @type {HTMLButtonElement} */ (find('[name=send]'));
    this.command = find('.command');
    this.commandText = find('.command pre');
    this.commandSaid = find('.command .said');
    const group = `choice-${++composers}`;
    find('fieldset').append(...CHOICES.map((choice) => this.chip(choice, group)));
    const form = /** @type {HTMLFormElement} */ (root.querySelector('.composer'));
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.send();
    });
    this.field.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      void this.send();
    });
    this.field.addEventListener('input', () => this.say(this.choice.hint));
    for (const [name, make] of /** @type {const} */ ([
      ['curl', asCurl],
      ['nc', asNc],
      ['php', asPhp],
    ])) {
      find(`[name=${name}]`).addEventListener('click', () => void this.copyAs(make));
    }
    find('[name=close-command]').addEventListener('click', () => {
      this.command.hidden = true;
      this.field.focus();
    });
    this.choose(CHOICES[0]);
  }

  /** @param {import('./packets.js').Choice} choice @param {string} group */
  chip(choice, group) {
    const chip = element('label', 'chip');
    const input = document.createElement('input');
    input.type = 'radio';
    input.name = group;
    input.value = choice.name;
    input.checked = choice === CHOICES[0];
    input.addEventListener('change', () => this.choose(choice));
    chip.append(input, element('span', '', choice.label));
    return chip;
  }

  /** @param {import('./packets.js').Choice} choice */
  choose(choice) {
    this.choice = choice;
    this.fill();
    /** @type {HTMLElement} */ (this.pieces.parentElement).hidden = choice.name !== 'pieces';
    this.command.hidden = true;
    this.say(choice.hint);
  }

  fill() {
    this.filled = this.choice.text(this.surroundings.uuid());
    this.field.value = this.filled;
  }

  /** Fills in the UUIDs that are known now, where nobody has written anything yet. */
  refresh() {
    if (this.field.value === this.filled) this.fill();
  }

  /** @param {boolean} sendable */
  enable(sendable) {
    this.sendable = sendable;
    this.button.disabled = !sendable;
  }

  /** @param {string} text @param {boolean} [isError] */
  say(text, isError = false) {
    this.hint.textContent = text;
    this.hint.dataset.tone = isError ? 'error' : '';
    this.field.ariaInvalid = String(isError);
  }

  /** What the field says. @throws {Error} that says what is wrong with it. */
  message() {
    const { value } = this.field;
    return this.choice.name === 'binary' ? parseHex(value) : value;
  }

  async send() {
    if (!this.sendable) {
      this.say('Connect first.', true);
      return;
    }
    try {
      const message = this.message();
      this.say(this.choice.hint);
      const pieces = this.choice.name === 'pieces' ? Math.min(Math.max(this.pieces.valueAsNumber || 2, 2), 20) : 1;
      await this.surroundings.send(message, pieces);
    } catch (error) {
      this.say(error instanceof Error ? error.message : String(error), true);
    }
  }

  /** @param {typeof asCurl} make */
  async copyAs(make) {
    const { surroundings } = this;
    const { resource, query } = surroundings.target();
    const secure = location.protocol === 'https:';
    const other = reachable(resource, surroundings.resources, secure);
    if (other === undefined) {
      this.say(`${resource.path} is for browsers alone, and so is all of its app.`, true);
      return;
    }
    try {
      const target = { secure, host: location.host, path: other.path, query, key: surroundings.key };
      const made = make(target, this.message());
      if ('why' in made) {
        this.say(`Not this way: ${made.why}.`, true);
        return;
      }
      this.commandText.textContent = made.command;
      this.command.hidden = false;
      const copied = await surroundings.copy(made.command);
      const key = surroundings.key ? ' It takes the key from WEBSOCK_KEY.' : '';
      const by = other === resource ? '' : ` By ${other.path}, for ${resource.path} is for browsers alone.`;
      this.commandSaid.textContent = `${copied ? 'Copied.' : 'Copy it from here.'}${by}${key}`;
    } catch (error) {
      this.say(error instanceof Error ? error.message : String(error), true);
    }
  }
}
