// A WebSocket server that does what a test tells it, wrong things included.
import { createHash } from 'node:crypto';
import { createServer } from 'node:net';

/** One frame from a server. `first` is the opcode, with 64 added for RSV1. */
export function frame(first, payload, fin = true) {
  const n = payload.length;
  let head = Buffer.from([first, n]);
  if (n > 65535) {
    head = Buffer.from([first, 127, 0, 0, 0, 0, 0, 0, 0, 0]);
    head.writeBigUInt64BE(BigInt(n), 2);
  } else if (n > 125) {
    head = Buffer.from([first, 126, n >> 8, n & 255]);
  }
  if (fin) head[0] |= 0x80;
  return Buffer.concat([head, payload]);
}

/**
 * Starts one on a free port.
 * @param behave gets the connection and each message (`payload`, `opcode`, `packed`: RSV1), and writes what it likes.
 * @param options.hello gets the connection and the 101, in place of writing it.
 */
export function serve(behave, { hello, extensions, wrongAccept = false } = {}) {
  const all = new Set();
  const server = createServer((socket) => {
    const connection = { socket, all, count: 0, send: (bytes) => socket.write(bytes) };
    all.add(connection);
    let rest = Buffer.alloc(0);
    let open = false;
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.on('close', () => all.delete(connection));
    socket.on('data', (chunk) => {
      rest = Buffer.concat([rest, chunk]);
      if (!open) {
        const end = rest.indexOf('\r\n\r\n');
        if (end === -1) return;
        const head = answer(rest.toString('latin1', 0, end), extensions, wrongAccept);
        rest = rest.subarray(end + 4);
        open = true;
        if (hello === undefined) socket.write(head);
        else hello(connection, head);
      }
      rest = takeFrames(connection, rest, behave);
    });
  });
  return new Promise((done) => server.listen(0, '127.0.0.1', () => done(server)));
}

function answer(request, extensions, wrongAccept) {
  const [, key] = /sec-websocket-key: (\S+)/i.exec(request);
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  const lines = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade'];
  lines.push(`Sec-WebSocket-Accept: ${wrongAccept ? `A${accept.slice(1)}` : accept}`);
  if (extensions !== undefined) lines.push(`Sec-WebSocket-Extensions: ${extensions}`);
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`);
}

/** @returns what is left. */
function takeFrames(connection, bytes, behave) {
  let rest = bytes;
  while (rest.length >= 2) {
    // Cut off: wsload counts that as an error.
    if ((rest[1] & 128) === 0) connection.socket.destroy();
    let n = rest[1] & 127;
    let at = 2;
    if (n === 126) {
      if (rest.length < 4) break;
      n = rest.readUInt16BE(2);
      at = 4;
    } else if (n === 127) {
      if (rest.length < 10) break;
      n = Number(rest.readBigUInt64BE(2));
      at = 10;
    }
    if (rest.length < at + 4 + n) break;
    const mask = rest.subarray(at, at + 4);
    const payload = Buffer.from(rest.subarray(at + 4, at + 4 + n));
    for (let i = 0; i < n; i++) payload[i] ^= mask[i & 3];
    const opcode = rest[0] & 15;
    const packed = (rest[0] & 64) !== 0;
    rest = rest.subarray(at + 4 + n);
    if (opcode === 8) connection.socket.end();
    else if (opcode !== 10) {
      connection.count++;
      behave(connection, payload, opcode, packed);
    }
  }
  return rest;
}

/** Writes in pieces of 1 to 7 bytes, each a segment of its own. */
export function dribble(connection, bytes) {
  connection.queue ??= [];
  for (let i = 0; i < bytes.length; ) {
    const n = 1 + Math.floor(Math.random() * 7);
    connection.queue.push(bytes.subarray(i, i + n));
    i += n;
  }
  connection.timer ??= setInterval(() => {
    const piece = connection.queue.shift();
    if (piece !== undefined && !connection.socket.destroyed) {
      connection.socket.write(piece);
      return;
    }
    clearInterval(connection.timer);
    connection.timer = undefined;
  }, 0);
}
