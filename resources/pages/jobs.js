/** The page of `/jobs`: opens jobs, and shows those that it has opened or that its URL names (`?job=ID`). */
import { connect } from '/_websock/client.js';
import { JobCard } from './jobcard.js';
import { forget, remember, remembered } from './jobmemory.js';

/** @typedef {import('./jobcard.js').Report & { job: string | import('../lib/jobtypes.ts').JobView, ticket?: string, expires?: number }} Told */

const query = new URLSearchParams(location.search);
const url = location.origin + location.pathname;
const token = query.get('token') ?? undefined;
const connection = connect(location.pathname, { token });
/** @type {Map<string, JobCard>} */
const cards = new Map();
/** Milliseconds that the clock of the daemon is ahead of ours. */
let ahead = 0;
/** The time at the daemon. */
const now = () => Date.now() + ahead;

/** @param {string} id */
function byId(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found;
}

const list = byId('jobs');
const said = byId('said');
const template = /** @type {HTMLTemplateElement} */ (byId('job'));
const form = /** @type {HTMLFormElement} */ (byId('open'));

/** @param {import('./jobmemory.js').Remembered} who */
function addCard(who) {
  const card = new JobCard(template, who, url, () => removeCard(who.id));
  cards.set(who.id, card);
  byId('empty').hidden = true;
  return card;
}

/** @param {string} id */
function removeCard(id) {
  cards.get(id)?.root.remove();
  cards.delete(id);
  forget(id);
  byId('empty').hidden = cards.size > 0;
  ask({ opcode: 'unwatch', job: id }, () => {});
}

/** Sends, and says what comes of it. @param {{ opcode: string, job?: string, title?: string }} packet @param {(error: string) => void} refused */
function ask(packet, refused) {
  connection.send(packet).then(
    ({ error }) => {
      if (error !== undefined) refused(error);
    },
    (/** @type {Error} */ { message }) => refused(message),
  );
}

/** @param {string} id */
function watch(id) {
  ask({ opcode: 'watch', job: id }, (error) => {
    const card = cards.get(id);
    if (card === undefined) return;
    card.job = null;
    card.root.dataset.state = 'unknown';
    card.say(
      error === 'no such job' ? 'The daemon knows nothing of it, until it is reported' : `Not watched: ${error}`,
    );
  });
}

/** @param {Told} told */
function receive(told) {
  const { job, ticket, expires = 0, at } = told;
  if (typeof job === 'string') {
    cards.get(job)?.report(told, now());
    return;
  }
  if (job === undefined) return;
  ahead = at - Date.now();
  let card = cards.get(job.id);
  if (card === undefined) {
    if (ticket === undefined) return; // it was removed meanwhile
    const who = { id: job.id, ticket, expires };
    remember(who);
    card = addCard(who);
    list.prepend(card.root);
    card.part('.report', HTMLDetailsElement).open = true;
  }
  card.show(job, now());
}

connection.on('*', (packet) => receive(/** @type {Told} */ (/** @type {unknown} */ (packet))));
connection.onstate = (state, { words, reason, delay }) => {
  const link = byId('link');
  link.dataset.state = state;
  const why = reason || words;
  const texts = {
    connecting: 'Connecting',
    open: 'Connected',
    waiting: `Connection lost: trying again in ${Math.ceil(delay / 1000)} s`,
    closed: `Closed${why === '' ? '' : `: ${why}`}`,
  };
  byId('link').querySelector('.words')?.replaceChildren(texts[state]);
};
// What came in between is in the state; and a daemon that was restarted knows no watchers, or no jobs.
connection.onresumed = () => [...cards.keys()].forEach(watch);

form.addEventListener('submit', (event) => {
  event.preventDefault();
  const input = /** @type {HTMLInputElement} */ (form.elements.namedItem('title'));
  said.textContent = '';
  ask({ opcode: 'open', title: input.value.trim() }, (error) => (said.textContent = `Not opened: ${error}`));
  input.value = '';
});

const named = query.getAll('job');
const known = remembered();
const shown =
  named.length === 0
    ? known
    : named.map((id) => known.find((one) => one.id === id) ?? { id, ticket: null, expires: 0 });
for (const who of shown) {
  if (cards.has(who.id)) continue;
  list.append(addCard(who).root);
  watch(who.id);
}
byId('empty').hidden = cards.size > 0;
setInterval(() => {
  for (const card of cards.values()) card.tick(now());
}, 1000);
