import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { RawPeer } from '../support/rawpeer.ts';
import { WebPeer } from '../support/webpeer.ts';

const PLAIN = `
import { Resource } from 'websock';
export default class Plain extends Resource {
  static dialog = false;
  static text = 'buffer';
  static buffers = 'borrowed';
  onOpen(client) { client.send('welcome'); }
  onData(client, message, { binary }) {
    if (String(message) === 'leave') return client.close(4000, 'as you wish');
    if (String(message) === 'fail') throw new Error('failed');
    client.send(message, { binary });
    message.fill(0); // sent is sent: what was borrowed may be overwritten
  }
}`;

describe('a plain message socket: dialog = false', () => {
  let daemon: RunningDaemon;
  let url: string;
  beforeAll(async () => {
    daemon = await startDaemon({ resources: { 'plain.js': PLAIN } });
    url = `ws://127.0.0.1:${daemon.port}`;
  });
  afterAll(() => daemon.dispose());

  test('no ready and no next: what the resource sends, and nothing else; bufferON and empty messages are messages', async () => {
    const peer = WebPeer.start(`${url}/plain`);
    expect(await peer.text()).toBe('welcome');
    const messages = ['bufferON', '', 'ü'.repeat(5000), 'bufferOFF', '{"opcode":"quit"}'];
    for (const text of messages) peer.socket.send(text);
    peer.socket.send(Buffer.from([0, 255, 1]));
    for (const text of messages) expect(await peer.message()).toMatchObject({ text, binary: false });
    expect(await peer.message()).toMatchObject({ data: Buffer.from([0, 255, 1]), binary: true });
    peer.socket.close();
    await peer.closed;
  });

  test('closed by the resource, by its failure, or for what is no UTF-8: a Close frame without a close packet', async () => {
    const ends = [
      ['leave', 4000, 'as you wish'],
      ['fail', 1011, 'the resource failed'],
    ] as const;
    for (const [message, code, reason] of ends) {
      const peer = WebPeer.start(`${url}/plain`);
      expect(await peer.text()).toBe('welcome');
      peer.socket.send(message);
      expect(await peer.closed).toEqual({ code, reason });
      expect(peer.waiting).toBe(0);
    }
    const peer = WebPeer.start(`${url}/plain`);
    expect(await peer.text()).toBe('welcome');
    peer.socket.send(Buffer.concat([Buffer.from('bufferON'), Buffer.from([0xc3])]), { binary: false });
    expect((await peer.closed).code).toBe(1007);
  });

  test('a script client still has its 101 in 1024 bytes', async () => {
    const peer = await RawPeer.open({ port: daemon.port });
    peer.write(
      'GET /plain HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nClient-Type: tcp\r\n\r\n',
    );
    expect((await peer.head()).length).toBe(1024);
    expect(await peer.text()).toBe('welcome');
    peer.destroy();
  });

  test('line clients get the bare lines', async () => {
    const peer = await RawPeer.open({ port: daemon.port });
    peer.end('/plain\none\n\ntwo');
    expect(await peer.rest()).toBe('welcome\none\n\ntwo\n');
    peer.destroy();
  });
});
