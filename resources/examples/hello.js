import { addLine, byId, daemonHost, openSocket } from './example.js';

const text = /** @type {HTMLInputElement} */ (byId('text'));
const controls = /** @type {HTMLFieldSetElement} */ (byId('controls'));
const again = byId('again');
/** @type {WebSocket} */
let socket;

function connect() {
  socket = openSocket('/hello');
  socket.addEventListener('open', () => {
    controls.disabled = false;
    again.hidden = true;
    text.focus();
  });
  socket.addEventListener('message', ({ data }) => addLine('in', data));
  socket.addEventListener('close', () => {
    controls.disabled = true;
    again.hidden = false;
  });
}

byId('form').addEventListener('submit', (event) => {
  event.preventDefault();
  addLine('out', text.value);
  socket.send(text.value);
  text.value = '';
});
again.addEventListener('click', connect);
byId('command').textContent = `$ nc ${daemonHost()}  # or telnet\n/hello`;
connect();
