import { describe, expect, test } from '@jest/globals';
import { takeDirect } from '../../src/transport/direct.ts';
import { chooseTransport, tryOut } from '../../src/transport/selftest.ts';
import type { Intake } from '../../src/transport/tcp.ts';
import type { TransportSocket } from '../../src/transport/transport.ts';

/** The direct transport, but for what `change` does to each socket that it accepts. */
function changed(change: (socket: TransportSocket) => void): Intake {
  return (server, entrance, keepAlive, accept) =>
    takeDirect(server, entrance, keepAlive, (socket) => {
      if (socket !== null) change(socket);
      accept(socket);
    });
}

describe('chooseTransport', () => {
  test('auto and direct are direct on every Node that is tested; net is net', async () => {
    expect(await chooseTransport('auto')).toEqual({ name: 'direct', intake: takeDirect, why: null });
    expect(await chooseTransport('direct')).toEqual({ name: 'direct', intake: takeDirect, why: null });
    expect(await chooseTransport('net')).toEqual({ name: 'net', intake: null, why: null });
  });
});

describe('the self-test', () => {
  test.each<[string, Intake, RegExp]>([
    [
      'something that is missing',
      () => {
        throw new Error('writev of a TCP handle is missing');
      },
      /^writev of a TCP handle is missing$/,
    ],
    [
      'bytes that are lost',
      changed((socket) => {
        const write = socket.write.bind(socket);
        socket.write = (data) => write(data.slice(1));
      }),
      /^what comes of ending is wrong$/,
    ],
    [
      'bytes out of order',
      changed((socket) => {
        const write = socket.write.bind(socket);
        socket.writeAll = (pieces) => {
          for (const piece of pieces.toReversed()) write(piece);
        };
      }),
      /^what comes of ending is wrong$/,
    ],
    [
      'an address that is not the peer’s',
      changed((socket) => Object.assign(socket, { ip: '192.0.2.1' })),
      /^what comes of accepting is wrong$/,
    ],
    [
      'a connection that breaks',
      changed((socket) => {
        socket.pause = () => socket.reader.onClose(new Error('read EBADF'));
      }),
      /^read EBADF while reading on after a pause$/,
    ],
    ['nobody who comes in', () => async () => {}, /^nothing happens any more while accepting$/],
  ])('says what is wrong: %s', async (_, intake, message) => {
    await expect(tryOut(intake)).rejects.toThrow(message);
  });
});
