import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, test } from '@jest/globals';
import { takeDirect } from '../../src/transport/direct.ts';
import { type Handle, listeningHandle } from '../../src/transport/handle.ts';
import { NetTransport } from '../../src/transport/tcp.ts';
import { type CreateTransport, transportContract } from './contract.ts';
import { listeningContract } from './listening.ts';
import { pressureContract } from './pressure.ts';

const create: CreateTransport = (options, log) => new NetTransport(options, log, takeDirect);

transportContract('direct', create);
pressureContract('direct', create);
listeningContract('direct', create);

test('what cannot be accepted is an error of its server, as net.Server has it', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted: unknown[] = [];
  takeDirect(server, { loopback: true, name: '127.0.0.1' }, 60, (socket) => accepted.push(socket));
  const failed = once(server, 'error');
  const handle = listeningHandle(server);
  // As libuv tells it: an error number, and no handle.
  handle.onconnection(-24, undefined as unknown as Handle);
  const [error] = (await failed) as [Error];
  expect(error).toMatchObject({ message: 'accept EMFILE', code: 'EMFILE', errno: -24, syscall: 'accept' });
  expect(accepted).toEqual([]);
  server.close();
});
