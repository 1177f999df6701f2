import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { refusal, webSocket } from '../support/attackers.ts';
import { Bystanders } from '../support/bystanders.ts';
import { type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { RawPeer, upgradeRequest } from '../support/rawpeer.ts';

// What a head may say that is as long as may be, or longer, or a name that objects have already.

const delivered = (count: number): string => `{"opcode":"next","fyi":"","delivered":${count}}`;
const KIB_8 = 'x'.repeat(8192);

let daemon: RunningDaemon;
let bystanders: Bystanders;

beforeAll(async () => {
  daemon = await startDaemon({ ini: "[backend]\nkey='the-key'" });
  bystanders = await Bystanders.at(daemon.port);
});
afterAll(() => daemon.dispose());

describe('a head of 8 KiB', () => {
  const LONG = `/${'p'.repeat(7000)}`;
  const MORE = `/${KIB_8}`;
  const CUT = `no such resource: /${'p'.repeat(199)}…`;

  test('a path that fits is no resource, and neither answer nor log repeats all of it', async () => {
    const from = daemon.out.length;
    for (const headers of [{}, { 'Client-Type': 'php' }] as Record<string, string>[]) {
      const peer = await RawPeer.open({ port: daemon.port });
      peer.write(upgradeRequest(LONG, headers));
      await peer.head();
      expect(
        await webSocket(peer)
          .fate()
          .then(([packet, close]) => [packet.trimEnd(), close]),
      ).toEqual(refusal(4404, CUT));
      peer.destroy();
    }
    const lines = await RawPeer.open({ port: daemon.port });
    lines.write(`GET ${LONG}\n`);
    expect(await lines.rest()).toBe(`${JSON.stringify({ opcode: 'close', error: CUT })}\n`);
    lines.destroy();
    for (const method of ['GET', 'POST']) {
      const answer = await fetch(`http://127.0.0.1:${daemon.port}${LONG}`, { method });
      expect([answer.status, await answer.text()]).toEqual([404, expect.stringContaining(CUT)]);
    }
    await daemon.said(/POST .*refused: 404/, from);
    const said = daemon.out.slice(from).split('\n');
    expect(said.filter((text) => text.includes('refused: 4404') || text.includes('refused: 404'))).toHaveLength(5);
    expect(said.filter((text) => text.length > 600)).toEqual([]);
    await bystanders.areServed();
  });

  test.each([
    ['a WebSocket handshake', () => upgradeRequest(MORE), 414],
    ['a GET', () => `GET ${MORE} HTTP/1.1\r\nHost: localhost\r\n\r\n`, 414],
    ['a line that never ends', () => `GET ${MORE}`, 414],
    ['an ident', () => upgradeRequest('/php', { 'Client-Type': 'php', Ident: KIB_8 }), 431],
    ['a header', () => upgradeRequest('/web', { 'X-A': KIB_8 }), 431],
    ['a name of a header', () => upgradeRequest('/web', { [KIB_8]: 'a' }), 431],
    [
      'a key of the backend',
      () => upgradeRequest('/php', { 'Client-Type': 'php', Authorization: `Bearer ${KIB_8}` }),
      431,
    ],
  ])('%s of more than maxHead is refused', async (_, request, status) => {
    const from = daemon.out.length;
    const peer = await RawPeer.open({ port: daemon.port });
    peer.write(request());
    expect((await peer.response()).status).toBe(status);
    expect(await peer.rest()).toBe('');
    peer.destroy();
    await daemon.said(new RegExp(`#\\d+ 127\\.0\\.0\\.1 refused: ${status} the .* is longer than 8192 bytes\n`), from);
    await bystanders.areServed();
  });

  test('an ident of 7,000 characters is one like any other; the log cuts it', async () => {
    const ident = 'i'.repeat(7000);
    const from = daemon.out.length;
    const named = await RawPeer.script({ port: daemon.port }, '/php', { Ident: ident });
    const other = await RawPeer.line({ port: daemon.port }, `/php?ident=${ident}`);
    await daemon.said(/#\d+ 127\.0\.0\.1 \/php tcp tcp ident i{200}…: open\n[^]*ident i{200}…: open\n/, from);
    const packet = `{"opcode":"feedback","ident":"${ident}"}`;
    bystanders.line.write(`${packet}\n`);
    expect(await bystanders.line.line()).toBe(delivered(2));
    expect((await named.text()).trimEnd()).toBe(packet);
    expect(await other.line()).toBe(packet);
    named.destroy();
    other.destroy();
    await bystanders.areServed();
  });
});

describe('names that objects have already', () => {
  test.each(['/__proto__', '/constructor', '/toString', '/hasOwnProperty', '/valueOf'])(
    '%s is no resource',
    async (path) => {
      const peer = await RawPeer.open({ port: daemon.port });
      peer.write(`GET ${path}\n`);
      expect(await peer.rest()).toBe(`${JSON.stringify({ opcode: 'close', error: `no such resource: ${path}` })}\n`);
      peer.destroy();
      expect((await fetch(`http://127.0.0.1:${daemon.port}${path}`)).status).toBe(404);
      await bystanders.areServed();
    },
  );

  test('an ident __proto__ is that of who has it, and headers of such names are headers', async () => {
    const peer = await RawPeer.script({ port: daemon.port }, '/php', {
      ['__proto__']: 'x',
      constructor: 'y',
      Ident: 'toString',
    });
    const packet = '{"opcode":"feedback","ident":"toString"}';
    bystanders.line.write(
      `${packet}\n{"opcode":"feedback","ident":"__proto__"}\n{"opcode":"feedback","ident":"valueOf"}\n`,
    );
    const heard = [
      await bystanders.line.line(),
      await bystanders.line.line(),
      await bystanders.line.line(),
      await bystanders.line.line(),
    ];
    expect(heard).toEqual([delivered(1), '{"opcode":"feedback","ident":"__proto__"}', delivered(1), delivered(0)]);
    expect((await peer.text()).trimEnd()).toBe(packet);
    peer.destroy();
    const post = await fetch(`http://127.0.0.1:${daemon.port}/php?__proto__=1&ident=__proto__`, {
      method: 'POST',
      headers: { constructor: 'x' },
      body: '{"opcode":"echo"}',
    });
    expect([post.status, await post.text()]).toEqual([
      200,
      '{"opcode":"next","fyi":"","packets":[{"opcode":"echo"}]}\n',
    ]);
    await bystanders.areServed();
  });
});
