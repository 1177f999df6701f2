/**
 * The jobs that this browser remembers, the newest first.
 *
 * @typedef {object} Remembered
 * @property {string} id
 * @property {string | null} ticket
 * @property {number} expires of the ticket, Unix seconds.
 */

const KEY = 'websock.jobs';
/** More are forgotten, the oldest first: a client may watch a hundred (`[limits] maxRooms`). */
const MOST = 50;

/** @returns {Remembered[]} */
export function remembered() {
  try {
    const value = JSON.parse(localStorage.getItem(KEY) ?? '[]');
    return Array.isArray(value) ? value.filter((one) => typeof one?.id === 'string') : [];
  } catch {
    return []; // what is stored is not ours, or the browser stores nothing
  }
}

/** @param {Remembered} job */
export function remember(job) {
  store([job, ...remembered().filter(({ id }) => id !== job.id)].slice(0, MOST));
}

/** @param {string} forgotten an id. */
export function forget(forgotten) {
  store(remembered().filter(({ id }) => id !== forgotten));
}

/** @param {Remembered[]} jobs */
function store(jobs) {
  try {
    localStorage.setItem(KEY, JSON.stringify(jobs));
  } catch {
    // The browser stores nothing, or no more: then a reload shows what its URL names.
  }
}
