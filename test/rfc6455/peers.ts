import { expect } from '@jest/globals';
import { closePacket } from '../../src/packet/packet.ts';
import { type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { frame, hex } from '../support/frames.ts';
import { RawPeer, upgradeRequest } from '../support/rawpeer.ts';

/** Does what its messages say, and echoes all others. */
const ECHO = `
  onData(client, message, { binary }) {
    const [word, value, ...more] = binary ? [] : message.split(' ');
    if (word === 'close') client.close(Number(value), more.join(' '));
    else if (word === 'flood') client.send('x'.repeat(Number(value)));
    else if (word === 'late') {
      client.close(4000, 'early');
      setTimeout(() => this.log('sent late: ' + client.send('late')), 1);
    } else client.send(message, { binary });
  }`;
const RESOURCES = {
  'plain.js': `import { Resource } from 'websock';
    export default class Plain extends Resource { static dialog = false; ${ECHO} }`,
  'dialog.js': `import { Resource } from 'websock';
    export default class Dialog extends Resource { ${ECHO} }`,
};
/** A message socket, and one with packets (PROTOCOL.md §4). */
export const PATHS = ['/plain', '/dialog'] as const;
export type Path = (typeof PATHS)[number];

export const NEXT = '{"opcode":"next","fyi":""}';

/** A daemon with an echo at each of {@link PATHS}. */
export async function startEcho(ini = '', extra: Record<string, string> = {}): Promise<RunningDaemon> {
  return startDaemon({ ini, resources: { ...RESOURCES, ...extra } });
}

/** A WebSocket client whose handshake is done, and its `ready` read. @param ca the certificate, for TLS. */
export async function open(
  port: number,
  path: Path,
  headers: Record<string, string> = {},
  ca?: string,
): Promise<RawPeer> {
  const peer = await RawPeer.open({ port, ca });
  peer.write(upgradeRequest(path, headers));
  expect(await peer.head()).toMatch(/^HTTP\/1\.1 101 /);
  if (path === '/dialog') expect((await peer.packet()).opcode).toBe('ready');
  return peer;
}

/** A frame of the server: FIN, no mask. */
export function served(op: number, payload: string | Buffer = ''): Buffer {
  return frame({ op, payload, key: null });
}

export function servedClose(code: number, reason = ''): Buffer {
  return served(8, Buffer.concat([hex(code.toString(16).padStart(4, '0')), Buffer.from(reason)]));
}

/** What a client gets that the server closes: with the dialog a `close` packet first, where the code is not 1000. */
export function farewell(path: Path, code: number, reason: string): Buffer {
  const packets = path === '/dialog' && code !== 1000 ? [served(1, closePacket(reason))] : [];
  return Buffer.concat([...packets, servedClose(code, reason)]);
}

/** Sends `bytes`. What comes until the server's FIN is `expected`; then it leaves. */
export async function expectEnd(peer: RawPeer, bytes: Buffer | string, expected: Buffer | string): Promise<void> {
  peer.write(typeof bytes === 'string' ? hex(bytes) : bytes);
  const came = await peer.restBytes();
  expect(came.toString('hex')).toBe((typeof expected === 'string' ? hex(expected) : expected).toString('hex'));
  expect(peer.failure).toBeNull();
  peer.destroy();
}
