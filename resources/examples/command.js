import { connect } from '/_websock/client.js';
import { addLine, byId, daemonHost, followState } from './example.js';

const text = /** @type {HTMLInputElement} */ (byId('text'));
const again = byId('again');
/** @type {import('/_websock/client.js').Connection} */
let connection;

function open() {
  connection = connect('/command');
  showOver(false);
  followState(connection, (state) => showOver(state === 'closed'));
}

/** While it comes back by itself, what is asked waits. @param {boolean} isOver it is closed for good. */
function showOver(isOver) {
  for (const controls of document.querySelectorAll('fieldset')) controls.disabled = isOver;
  again.hidden = !isOver;
}

/** Sends a command; what it is acknowledged with is its answer. @param {string} command */
async function ask(command) {
  addLine('out', command);
  try {
    const { answer, error } = await connection.send(command);
    if (error === undefined) addLine('in', String(answer));
    else addLine('error', error);
  } catch (error) {
    addLine('error', String(error)); // closed for good, by quit for one
  }
}

byId('form').addEventListener('submit', (event) => {
  event.preventDefault();
  void ask(text.value);
  text.value = '';
});
for (const command of ['help', 'time', 'uptime', 'whoami', 'calc 2+3*4', 'quit']) {
  const button = document.createElement('button');
  button.type = 'button';
  button.textContent = command;
  button.addEventListener('click', () => void ask(command));
  byId('quick').append(button);
}
again.addEventListener('click', () => {
  open();
  text.focus();
});
byId('command').textContent =
  `curl -H 'Content-Type: text/plain' -d 'calc 2+3*4' ${location.origin}/command\n` +
  `printf 'GET /command\\ncalc 2+3*4\\nquit\\n' | nc -N ${daemonHost()}`;
open();
