import { addLine, byId, daemonHost, openSocket } from './example.js';

const text = /** @type {HTMLInputElement} */ (byId('text'));
const controls = /** @type {HTMLFieldSetElement} */ (byId('controls'));
const again = byId('again');
/** @type {WebSocket} */
let socket;
let sentAt = 0;

function connect() {
  socket = openSocket('/echo');
  socket.addEventListener('open', () => {
    controls.disabled = false;
    again.hidden = true;
  });
  socket.addEventListener('message', ({ data }) => {
    const took = sentAt === 0 ? '' : ` (${(performance.now() - sentAt).toFixed(1)} ms)`;
    sentAt = 0;
    addLine('in', (typeof data === 'string' ? data : dump(new Uint8Array(data))) + took);
  });
  socket.addEventListener('close', () => {
    controls.disabled = true;
    again.hidden = false;
  });
}

/** @param {string | Uint8Array<ArrayBuffer>} message */
function send(message) {
  addLine('out', typeof message === 'string' ? message : dump(message));
  sentAt = performance.now();
  socket.send(message);
}

/** The first bytes of a binary message. @param {Uint8Array} bytes */
function dump(bytes) {
  const shown = [...bytes.subarray(0, 32)].map((byte) => byte.toString(16).padStart(2, '0'));
  return `${bytes.length} bytes: ${shown.join(' ')}${bytes.length > shown.length ? ' …' : ''}`;
}

byId('form').addEventListener('submit', (event) => {
  event.preventDefault();
  send(text.value);
});
byId('bytes').addEventListener('click', () => send(new TextEncoder().encode(text.value)));
again.addEventListener('click', connect);
byId('command').textContent =
  `curl -H 'Content-Type: text/plain' -d 'Hello, world' ${location.origin}/echo\n` +
  `printf 'GET /echo\\nHello, world\\n' | nc -N ${daemonHost()}`;
connect();
