// The limit of node:net: every chunk goes straight back. node net.mjs --port PORT
import { createServer } from 'node:net';
import { parseArgs } from 'node:util';

const { port } = parseArgs({ options: { port: { type: 'string' } } }).values;
createServer({ noDelay: true }, (socket) => {
  socket.on('data', (chunk) => socket.write(chunk));
  socket.on('error', () => {});
}).listen({ port: Number(port), host: '127.0.0.1', backlog: 4096 });
