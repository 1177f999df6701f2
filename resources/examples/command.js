import { connect } from '/_websock/client.js';
import { addLine, byId, daemonHost, followState } from './example.js';

const text = /** @type {HTMLInputElement} */ (byId('text'));
const connection = connect('/command');
followState(connection);

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
  text.select();
});
for (const command of ['help', 'time', 'uptime', 'whoami', 'calc 2+3*4', 'quit']) {
  const button = document.createElement('button');
  button.type = 'button';
  button.textContent = command;
  button.addEventListener('click', () => void ask(command));
  byId('quick').append(button);
}
byId('command').textContent =
  `curl -H 'Content-Type: text/plain' -d 'calc 2+3*4' ${location.origin}/command\n` +
  `printf 'GET /command\\ncalc 2+3*4\\nquit\\n' | nc -N ${daemonHost()}`;
