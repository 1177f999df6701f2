import { execFileSync } from 'node:child_process';
import { afterEach, expect, test } from '@jest/globals';
import { Deadlines } from '../../src/transport/deadlines.ts';
import { parseAddresses } from '../../src/transport/address.ts';
import { takeDirect } from '../../src/transport/direct.ts';
import { NetTransport } from '../../src/transport/tcp.ts';
import type { Listener } from '../../src/transport/transport.ts';

// In a process of its own, which this one waits for, blocked: so the connection is over before it is accepted.
const RESET = `
  const socket = require('node:net').connect(PORT, '127.0.0.1', () => {
    socket.write('GET /php\\n{"opcode":"broadcast"}\\n', () => socket.resetAndDestroy());
  });
`;

let listener: Listener | undefined;
afterEach(() => listener?.close());

test.each([
  ['net', null],
  ['direct', takeDirect],
])(
  '%s: a peer that has reset before it was accepted has no address to be trusted by: it is not let in',
  async (_, intake) => {
    const said: string[] = [];
    const accepted: string[] = [];
    let hear: () => void = () => {};
    const heard = new Promise<void>((done) => {
      hear = done;
    });
    const note = (text: string): void => {
      said.push(text);
      hear();
    };
    const transport = new NetTransport(
      { keepAlive: 60, backlog: 16, tls: undefined, deadlines: new Deadlines() },
      { error: note, warn: note, info: note, debug: note, wants: () => true },
      intake,
    );
    listener = await transport.listen(parseAddresses('tcp://127.0.0.1:0')[0], (socket) => {
      accepted.push(socket.ip);
      hear();
      socket.destroy();
    });
    const port = listener.endpoints[0].split(':')[1];
    execFileSync(process.execPath, ['-e', RESET.replace('PORT', port)]);
    await heard;
    expect(accepted).toEqual([]);
    expect(said[0]).toBe('a client of tcp://127.0.0.1:0 left before it had an address');
  },
);
