// The peer `ws`. node ws.mjs --port PORT [--certFile PEM --pkFile PEM] [--deflate]
//   /echo   every message goes back as it came
//   /bcast  every message goes to all other clients
//   /web    the dialog: ready, echo/broadcast/feedback, next
// WS_NO_BUFFER_UTIL=1 and WS_NO_UTF_8_VALIDATE=1 switch the native helpers of `ws` off.
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { parseArgs } from 'node:util';
import { WebSocket, WebSocketServer } from 'ws';

const { port, certFile, pkFile, deflate } = parseArgs({
  options: {
    port: { type: 'string' },
    certFile: { type: 'string' },
    pkFile: { type: 'string' },
    deflate: { type: 'boolean', default: false },
  },
}).values;

const server =
  certFile === undefined
    ? createServer()
    : createTlsServer({ cert: readFileSync(certFile), key: readFileSync(pkFile ?? certFile) });
// Without context takeover, as websock's default is; a threshold of 0 so that 1 KiB is compressed. The rest is the default.
const perMessageDeflate = deflate && { threshold: 0, serverNoContextTakeover: true, clientNoContextTakeover: true };
const wss = new WebSocketServer({ server, perMessageDeflate, maxPayload: 64 << 20 });
const byUuid = new Map();

wss.on('connection', (client, request) => {
  client.on('error', () => {});
  if (request.url === '/echo') {
    client.on('message', (data, binary) => client.send(data, { binary }));
  } else if (request.url === '/bcast') {
    client.on('message', (data, binary) => toOthers(client, data, binary));
  } else {
    dialog(client);
  }
});

function toOthers(client, data, binary) {
  for (const other of wss.clients) {
    if (other !== client && other.readyState === WebSocket.OPEN) other.send(data, { binary });
  }
}

function dialog(client) {
  const uuid = randomUUID();
  byUuid.set(uuid, client);
  client.on('close', () => byUuid.delete(uuid));
  client.send(JSON.stringify({ opcode: 'ready', uuid }));
  client.on('message', (data) => {
    const text = data.toString();
    let packet;
    try {
      packet = JSON.parse(text);
    } catch {
      client.close(1007);
      return;
    }
    if (packet.opcode === 'echo') client.send(JSON.stringify(packet));
    else if (packet.opcode === 'feedback') byUuid.get(packet.uuid)?.send(JSON.stringify(packet));
    else if (packet.opcode === 'broadcast') toOthers(client, text, false);
    client.send(JSON.stringify({ opcode: 'next', fyi: '' }));
    if (packet.opcode === 'quit') client.close();
  });
}

server.listen({ port: Number(port), host: '127.0.0.1', backlog: 4096 });
