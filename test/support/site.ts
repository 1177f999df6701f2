import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Serves one page on a free port of loopback. */
export async function servePage(html: string): Promise<{ port: number; close: () => Promise<void> }> {
  const server = createServer((_, response) => {
    response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8', Connection: 'close' });
    response.end(html);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  return { port, close: () => new Promise((done) => server.close(() => done())) };
}
