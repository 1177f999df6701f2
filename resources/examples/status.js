import { CODES } from './status-codes.js';
import { byId, openSocket, showState } from './example.js';

const code = /** @type {HTMLInputElement} */ (byId('code'));
const reason = /** @type {HTMLInputElement} */ (byId('reason'));
const all = /** @type {HTMLButtonElement} */ (byId('all'));
/** Where the report of a code stands. @type {Map<number, HTMLElement>} */
const reports = new Map();

/**
 * Connects, asks to be closed, and waits for what the browser says of that.
 * @param {number} wanted
 * @param {'leave' | 'refuse' | 'none'} [how]
 */
async function attempt(wanted, how) {
  const socket = openSocket(how === 'refuse' ? '/status?refuse' : '/status');
  const why = reason.value;
  const report = await new Promise((done) => {
    socket.addEventListener('message', ({ data }) => {
      const { opcode, error } = JSON.parse(data);
      if (opcode === 'ready' && how === 'leave') socket.close();
      else if (opcode === 'ready') socket.send(JSON.stringify({ opcode: 'close', code: wanted, reason: why }));
      else if (opcode === 'next' && error !== undefined) {
        done(`not closed: ${error}`);
        socket.close();
      }
    });
    socket.addEventListener('close', (event) => {
      const end = event.wasClean ? 'clean' : 'not clean';
      done(`${event.code}${event.reason === '' ? '' : `, “${event.reason}”`}, ${end}`);
    });
  });
  const place = reports.get(wanted);
  if (place !== undefined) place.textContent = report;
  byId('result').textContent = `Asked for ${wanted}; the browser reports: ${report}`;
}

for (const { code: listed, meaning, how } of CODES) {
  const row = document.createElement('tr');
  const cells = [`${listed}`, meaning, ''].map((text) => {
    const cell = document.createElement('td');
    cell.textContent = text;
    return cell;
  });
  cells[0].className = 'mono';
  reports.set(listed, cells[2]);
  const button = document.createElement('button');
  button.type = 'button';
  button.textContent = 'Try';
  button.setAttribute('aria-label', `Try ${listed}`);
  button.addEventListener('click', () => void attempt(listed, how));
  const last = document.createElement('td');
  last.append(button);
  row.append(...cells, last);
  byId('codes').append(row);
}

byId('form').addEventListener('submit', (event) => {
  event.preventDefault();
  const wanted = Number(code.value);
  void attempt(wanted, CODES.find((row) => row.code === wanted)?.how);
});
async function tryAll() {
  all.disabled = true;
  // One after the other: the daemon lets an address connect only so fast.
  for (const row of CODES) await attempt(row.code, row.how);
  all.disabled = false;
}
all.addEventListener('click', () => void tryAll());
showState('ended', 'Not connected');
