import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { clientFrame, RawPeer } from '../support/rawpeer.ts';
import { WebPeer } from '../support/webpeer.ts';

const SLOW = `
import { Resource } from 'websock';
function hold() { for (const end = performance.now() + 600; performance.now() < end; ); }
export default class Slow extends Resource {
  static path = '/slow';
  go(query, at) { if (query.get('at') === at) hold(); }
  onHandshake({ query }) { this.go(query, 'onHandshake'); }
  onOpen(client) { this.go(client.query, 'onOpen'); }
  onData(client, message) {
    const what = String(message);
    if (what === 'hold') hold();
    if (what === 'timer') setTimeout(hold);
    if (what === 'others') for (const other of this.server.clients.values()) if (other.query.has('victim')) other.close();
    if (what === 'later') return new Promise((done) => setTimeout(done)).then(hold);
  }
  onOther(client, { type }) { if (type === 'ping') hold(); }
  onClose(client) { this.go(client.query, 'onClose'); }
}`;
const HELD = 'held the event loop for \\d\\.\\d s, and everybody waited \\(\\[log\\] stallWarn is 0\\.3 s\\)';

let daemon: RunningDaemon;
let url: string;

beforeAll(async () => {
  daemon = await startDaemon({ ini: '[log]\nstallWarn=0.3', resources: { 'slow.mjs': SLOW } });
  url = `ws://127.0.0.1:${daemon.port}/slow`;
});
afterAll(() => daemon.dispose());

/** The socket ID of the connection that was opened last. */
async function lastId(from: number): Promise<string> {
  return (await daemon.said(/#(\d+) 127\.0\.0\.1 \/slow \w+ \w+: open\n/, from))[1];
}

describe('a handler that holds the event loop is told of, with its client and its resource', () => {
  test('onData, of a web client, a script and a line client; not of who waited', async () => {
    const bystander = await WebPeer.open(url);
    await daemon.said(/: open\n/);
    for (const [open, hold] of [
      [async () => WebPeer.open(url), (peer: WebPeer) => peer.send('hold')],
      [async () => RawPeer.script({ port: daemon.port }, '/slow'), (peer: RawPeer) => peer.write(clientFrame('hold'))],
      [async () => RawPeer.line({ port: daemon.port }, '/slow'), (peer: RawPeer) => peer.write('hold\n')],
    ] as [() => Promise<WebPeer | RawPeer>, (peer: WebPeer | RawPeer) => void][]) {
      const from = daemon.out.length;
      const peer = await open();
      const id = await lastId(from);
      hold(peer);
      expect(await bystander.ask('quick')).toEqual({ opcode: 'next', fyi: '' });
      await daemon.said(new RegExp(`WARN #${id} 127\\.0\\.0\\.1 /slow: its handler ${HELD}\n`), from);
      expect(daemon.out.slice(from).match(/held the event loop/g)).toHaveLength(1);
      if (peer instanceof RawPeer) peer.destroy();
      else await peer.close();
    }
    await bystander.close();
  });

  test('onData, of a POST', async () => {
    const from = daemon.out.length;
    await (await fetch(`http://127.0.0.1:${daemon.port}/slow`, { method: 'POST', body: 'hold' })).text();
    await daemon.said(new RegExp(`WARN #\\d+ 127\\.0\\.0\\.1 POST /slow: its handler ${HELD}\n`), from);
    await (await fetch(`http://127.0.0.1:${daemon.port}/slow?at=onHandshake`, { method: 'POST', body: 'x' })).text();
    expect(daemon.out.slice(from).match(/POST \/slow: its handler held/g)).toHaveLength(2);
  });

  test.each(['onHandshake', 'onOpen', 'onOther', 'onClose'])('%s', async (at) => {
    const from = daemon.out.length;
    const web = await WebPeer.open(`${url}?at=${at}`);
    if (at === 'onOther') web.socket.ping();
    await web.close();
    await daemon.said(new RegExp(`WARN #\\d+ 127\\.0\\.0\\.1 /slow: its handler ${HELD}\n`), from);
    expect(daemon.out.slice(from).match(/held the event loop/g)).toHaveLength(1);
  });

  test('onClose of a client that the handler of another has closed', async () => {
    const from = daemon.out.length;
    const victim = await WebPeer.open(`${url}?victim&at=onClose`);
    const id = await lastId(from);
    const web = await WebPeer.open(url);
    web.send('others');
    await victim.closed;
    await daemon.said(new RegExp(`WARN #${id} 127\\.0\\.0\\.1 /slow: its handler ${HELD}\n`), from);
    await web.close();
    expect(daemon.out.slice(from).match(/held the event loop/g)).toHaveLength(1);
  });
});

test('a timer is nobody’s handler; of what goes on after an await, the handler that it may belong to is named', async () => {
  const web = await WebPeer.open(url);
  let from = daemon.out.length;
  await web.ask('timer');
  await daemon.said(
    new RegExp(`WARN not in a handler \\(a timer or promise of a resource, [^)]*\\): something ${HELD}\n`),
    from,
  );
  from = daemon.out.length;
  await web.ask('later');
  await daemon.said(
    new RegExp(`WARN not in a handler \\(.*that of #\\d+ 127\\.0\\.0\\.1 /slow\\): something ${HELD}\n`),
    from,
  );
  await web.close();
});

test('the line in the file has id and milliseconds', () => {
  expect(daemon.logged()).toContainEqual(
    expect.objectContaining({
      level: 'warn',
      id: expect.any(Number),
      ms: expect.any(Number),
      msg: expect.stringMatching(/^#\d+ 127\.0\.0\.1 \/slow: its handler held the event loop/),
    }),
  );
});

test('stallWarn=0: nothing is said', async () => {
  const silent = await startDaemon({ ini: '[log]\nstallWarn=0', resources: { 'slow.mjs': SLOW } });
  try {
    const web = await WebPeer.open(`ws://127.0.0.1:${silent.port}/slow`);
    await web.ask('hold');
    await web.ask('timer');
    await web.ask('later');
    await web.close();
    expect(await silent.stop()).toBe(0);
    expect(silent.out).not.toContain('event loop');
  } finally {
    await silent.dispose();
  }
});
