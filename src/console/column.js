import { TripChart } from './chart.js';
import { Composer } from './composer.js';
import { FrameList } from './framelist.js';
import { acceptsBrowsers, openLink } from './link.js';
import { RoundTrips, tripText } from './roundtrips.js';

/**
 * @typedef {object} About What the daemon says of itself.
 * @property {boolean} pages whether pages of this host may connect.
 * @property {boolean} key
 * @property {import('./copy.js').Resource[]} resources
 *
 * @typedef {object} Others
 * @property {(except: Column) => string} uuid of another column that is connected, or ''.
 * @property {(column: Column) => void} removed
 * @property {() => void} changed a column has another UUID.
 */

/** One connection: where to, what it says, what to say. */
export class Column {
  uuid = '';
  /** @type {import('./link.js').Link | null} */
  link = null;
  trips = new RoundTrips();
  drawn = false;

  /** @param {About} about @param {number} number @param {Others} others */
  constructor(about, number, others) {
    const template = /** @type {HTMLTemplateElement} */ (document.getElementById('column'));
    const fragment = /** @type {DocumentFragment} */ (template.content.cloneNode(true));
    this.root = /** @type {HTMLElement} */ (fragment.firstElementChild);
    this.root.ariaLabel = `Connection ${number}`;
    this.about = about;
    this.others = others;
    /** @param {string} selector @returns {HTMLElement} */
    const find = (selector) => /** @type {HTMLElement} */ (this.root.querySelector(selector));
    this.select = /** @type {HTMLSelectElement} */ (find('[name=resource]'));
    this.query = /** @type {HTMLInputElement} */ (find('[name=query]'));
    this.connectButton = find('[name=connect]');
    this.dropButton = find('[name=drop]');
    this.uuidButton = find('[name=uuid]');
    this.words = find('.words');
    this.last = find('.last');
    this.rest = find('.rest');
    this.select.append(...about.resources.map(optionOf));
    // Of those for browsers, rather one with the dialog.
    const forPages = about.resources.filter(acceptsBrowsers);
    const first = forPages.find(({ dialog }) => dialog) ?? forPages[0];
    if (first !== undefined) this.select.value = first.path;
    this.frames = new FrameList(this.root, copyText);
    this.composer = new Composer(this.root, {
      send: async (message, pieces) => this.link?.send(message, pieces),
      target: () => this.target(),
      uuid: () => others.uuid(this) || this.uuid,
      resources: about.resources,
      key: about.key,
      copy: copyText,
    });
    this.chart = new TripChart(find('.plot'));
    find('.target').addEventListener('submit', (event) => {
      event.preventDefault();
      if (this.link === null) this.connect();
      else this.link.close();
    });
    this.dropButton.addEventListener('click', () => this.link?.drop());
    this.uuidButton.addEventListener('click', () => void this.copyUuid());
    find('[name=remove]').addEventListener('click', () => this.remove());
  }

  target() {
    const query = this.query.value.trim();
    const resource = this.about.resources.find(({ path }) => path === this.select.value) ?? this.about.resources[0];
    return { resource, query: query === '' || query.startsWith('?') ? query : `?${query}` };
  }

  connect() {
    const { resource, query } = this.target();
    this.trips = new RoundTrips();
    this.showTrips();
    this.link = openLink(resource, query, {
      frame: (direction, data, session) => this.frames.add(direction, data, session),
      note: (text) => this.frames.add('note', text),
      state: (state, words) => this.onState(state, words),
      known: (uuid) => this.know(uuid),
      sent: (id) => this.trips.sent(id, performance.now()),
      answered: (id) => {
        if (this.trips.answered(id, performance.now()) !== null) this.showTrips();
      },
      lost: () => this.trips.lost(),
    });
  }

  /** @param {import('./link.js').State} state @param {string} words */
  onState(state, words) {
    const over = state === 'closed' || state === 'ended';
    if (over) {
      this.link = null;
      this.know('');
    }
    const hint =
      state === 'waiting' && !this.about.pages ? '. Pages from here are not in [security] allowedOrigins' : '';
    this.root.dataset.state = state;
    this.words.textContent = words + hint;
    if (state !== 'connecting') this.frames.add('note', words + hint);
    this.connectButton.textContent = over ? 'Connect' : 'Disconnect';
    this.connectButton.classList.toggle('main', over);
    this.dropButton.hidden = state !== 'open' || !acceptsBrowsers(this.target().resource);
    this.select.disabled = !over;
    this.query.disabled = !over;
    // While the library tries again, it keeps what is to be sent.
    this.composer.enable(!over);
  }

  /** @param {string} uuid '': none. */
  know(uuid) {
    if (uuid === this.uuid) return;
    this.uuid = uuid;
    this.uuidButton.hidden = uuid === '';
    this.uuidButton.textContent = uuid;
    this.others.changed();
  }

  async copyUuid() {
    this.composer.say((await copyText(this.uuid)) ? 'The UUID is copied.' : 'There is no clipboard here.');
  }

  /** Once for each picture, however many there are. */
  showTrips() {
    if (this.drawn) return;
    this.drawn = true;
    requestAnimationFrame(() => {
      this.drawn = false;
      const summary = this.trips.summary();
      this.last.textContent = summary === null ? '–' : tripText(summary.last);
      this.rest.textContent =
        summary === null
          ? 'from a message to its next'
          : `median ${tripText(summary.median)}\nmost ${tripText(summary.most)}`;
      this.chart.update(this.trips.times, this.trips.count);
    });
  }

  remove() {
    this.link?.close();
    this.chart.remove();
    this.root.remove();
    this.others.removed(this);
  }
}

/** @param {import('./copy.js').Resource} resource */
function optionOf(resource) {
  const option = document.createElement('option');
  option.value = resource.path;
  option.textContent = acceptsBrowsers(resource) ? resource.path : `${resource.path} — by POST`;
  return option;
}

/**
 * @param {string} text
 * @returns {Promise<boolean>} whether it is in the clipboard: browsers keep that from pages without TLS, but those of localhost.
 */
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false; // it is shown as well: whoever wants it selects it
  }
}
