/** What the pages of the examples share. */

/** Lines that a log keeps: the oldest go. */
const LINES = 200;

/** @param {string} id */
export function byId(id) {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`the page has no ${id}`);
  return element;
}

/**
 * Shows in `<p class="state">` how a connection is.
 * @param {string} state `connecting`, `open`, `waiting`, `closed`; or `ended`: as agreed, or there is none
 * @param {string} words
 */
export function showState(state, words) {
  const place = byId('state');
  place.dataset.state = state;
  place.textContent = words;
}

/**
 * Shows the state of a connection of the client library, from now on.
 * @param {import('/_websock/client.js').Connection} connection
 * @param {(state: import('/_websock/client.js').State) => void} [then] is told each that it comes to.
 */
export function followState(connection, then) {
  showState('connecting', 'Connecting…');
  connection.onstate = (state, { code, words, reason, delay }) => {
    if (state === 'open') showState(state, 'Connected');
    else if (state === 'connecting') showState(state, 'Connecting…');
    else if (state === 'waiting') {
      showState(state, `Trying again in ${(delay / 1000).toFixed(1)} s: ${bothOf(words, reason)}`);
    } else if (code === 1000) showAgreed(reason);
    else showState(state, `Closed: ${bothOf(words, reason)}`);
    then?.(state);
  };
}

/** The connection was closed by one side, and that is no error. @param {string} reason */
function showAgreed(reason) {
  showState('ended', `Closed as agreed${reason === '' ? '' : `: ${reason}`}`);
}

/**
 * What a code means and what the daemon says of it; where that is the same, its reason alone.
 * @param {string} words
 * @param {string} reason
 */
function bothOf(words, reason) {
  if (reason === '') return words;
  // "daemon stopping" is in "the daemon is stopping", and "daemon restarting" in "the daemon restarts".
  const isSame = reason.split(' ').every((word) => words.includes(word.slice(0, 5)));
  return isSame ? reason : `${words}: ${reason}`;
}

/**
 * Opens a plain WebSocket to a resource of the daemon that this page comes from, and shows its state.
 * @param {string} path
 */
export function openSocket(path) {
  const socket = new WebSocket(new URL(path, location.href.replace(/^http/, 'ws')));
  socket.binaryType = 'arraybuffer';
  showState('connecting', 'Connecting…');
  socket.addEventListener('open', () => showState('open', 'Connected'));
  socket.addEventListener('close', ({ code, reason }) => {
    if (code === 1000) showAgreed(reason);
    else showState('closed', `Closed with ${code}${reason === '' ? '' : `: ${reason}`}`);
  });
  return socket;
}

/**
 * Adds a line to `<ol class="log">`, as text: nothing that anybody sends is taken as markup.
 * @param {'in' | 'out' | 'note' | 'error'} kind
 * @param {string} text
 */
export function addLine(kind, text) {
  const log = byId('log');
  const atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 8;
  const item = document.createElement('li');
  item.dataset.kind = kind;
  item.textContent = text;
  log.append(item);
  if (log.childElementCount > LINES) log.firstElementChild?.remove();
  // Whoever reads further up stays there.
  if (atEnd) log.scrollTop = log.scrollHeight;
}

/**
 * The points of a line through `values` from left to right, for `<polyline points>` in a `viewBox="0 0 120 40"`.
 * @param {readonly number[]} values
 * @param {number} low the value at the bottom
 * @param {number} high the value at the top
 */
export function pointsOf(values, low, high) {
  const step = 120 / Math.max(1, values.length - 1);
  const scale = 36 / Math.max(high - low, Number.EPSILON);
  return values.map((value, n) => `${(n * step).toFixed(1)},${(38 - (value - low) * scale).toFixed(1)}`).join(' ');
}

/** Host and port of the daemon, as `nc` and `telnet` want them: `localhost 8096`. */
export function daemonHost() {
  const { hostname, port, protocol } = location;
  return `${hostname.replace(/^\[|\]$/g, '')} ${port === '' ? (protocol === 'https:' ? 443 : 80) : port}`;
}
