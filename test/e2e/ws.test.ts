import { afterAll, beforeAll, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { type RawData, WebSocket } from 'ws';
import { type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { Queue } from '../support/queue.ts';
import { closing, type Item, item, pieces, wsOptions, type WsOptions } from '../support/wsitems.ts';

const ECHO = `import { Resource } from 'websock';
  export default class Echo extends Resource {
    static dialog = false;
    onData(client, message, { binary }) { client.send(message, { binary }); }
  }`;
/** Text and binary as they lie in the socket's memory: not decoded, not copied. */
const BORROWED = ECHO.replace('static', "static text = 'buffer'; static buffers = 'borrowed'; static");

let daemon: RunningDaemon;

beforeAll(async () => {
  daemon = await startDaemon({ resources: { 'echo.js': ECHO, 'borrowed.js': BORROWED } });
});

afterAll(() => daemon.dispose());

interface Heard {
  readonly kind: Item['kind'];
  readonly content: string;
}

/** A ws client with these options: what it hears, in order, and what it is closed with. */
async function connect(
  path: string,
  options: WsOptions,
): Promise<{ socket: WebSocket; heard: Queue<Heard>; closed: Promise<{ code: number; reason: string }> }> {
  const socket = new WebSocket(`ws://127.0.0.1:${daemon.port}${path}`, options);
  const heard = new Queue<Heard>();
  const push = (kind: Item['kind'], data: RawData): void =>
    heard.push({ kind, content: (data as Buffer).toString('latin1') });
  socket.on('message', (data, binary) => push(binary ? 'binary' : 'text', data));
  socket.on('pong', (data) => push('pong', data));
  const closed = new Promise<{ code: number; reason: string }>((done) => {
    socket.on('close', (code, reason) => {
      heard.end(`closed: ${code}`);
      done({ code, reason: reason.toString() });
    });
  });
  await new Promise((done, fail) => socket.once('open', done).once('error', fail));
  return { socket, heard, closed };
}

function send(socket: WebSocket, each: Item): void {
  if (each.kind === 'ping' || each.kind === 'pong') {
    socket[each.kind](each.content);
    return;
  }
  const all = pieces(each);
  for (const [i, piece] of all.entries())
    socket.send(piece, { binary: each.kind === 'binary', fin: i + 1 === all.length });
}

test.each(['/echo', '/borrowed'])(
  'PROPERTY: whatever a ws client sends to %s, in whatever frames and with whatever masks, comes back',
  async (path) => {
    let messages = 0;
    const property = fc.asyncProperty(
      wsOptions,
      fc.array(item, { minLength: 1, maxLength: 12 }),
      closing,
      async (options, items, end) => {
        const { socket, heard, closed } = await connect(path, options);
        for (const each of items) send(socket, each);
        for (const { kind, content } of items.filter((each) => each.kind !== 'pong')) {
          // oxlint-disable-next-line no-await-in-loop
          expect(await heard.take()).toEqual({
            kind: kind === 'ping' ? 'pong' : kind,
            content: content.toString('latin1'),
          });
          messages++;
        }
        if (end === null) socket.close();
        else socket.close(end.code, end.reason);
        expect(await closed).toEqual(end ?? { code: 1005, reason: '' });
        expect(heard.length).toBe(0);
      },
    );
    await fc.assert(property, { numRuns: 40 });
    expect(messages).toBeGreaterThan(100);
  },
);
