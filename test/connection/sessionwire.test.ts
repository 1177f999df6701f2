import { describe, expect, test } from '@jest/globals';
import type { MessageInfo } from '../../src/connection/route.ts';
import { settle } from '../support/fakes.ts';
import { frame } from '../support/frames.ts';
import { defer } from './bed.ts';
import { Feed, turns } from './feed.ts';
import { sessionBed } from './sessionbed.ts';

/** What `onData` was told beside each message. */
function recording(): {
  seen: [string, MessageInfo][];
  onData: (c: unknown, m: string | Buffer, i: MessageInfo) => void;
} {
  const seen: [string, MessageInfo][] = [];
  return { seen, onData: (_, message, info) => void seen.push([message.toString(), info]) };
}

const PLAIN: MessageInfo = { binary: false, buffered: false, again: false };

describe('messages of a client', () => {
  test('are text or bytes behind their header, whatever they look like', () => {
    const { seen, onData } = recording();
    const bed = sessionBed({ callbacks: { onData } });
    const peer = bed.connect();
    peer.say(1, 'bufferON');
    peer.say(2, '\n{"opcode":"ping"}');
    peer.say(3, 'ü€');
    peer.say(4, Buffer.from([0xff, 10]));
    expect(peer.short()).toEqual(['next 1', 'next 2', 'next 3', 'next 4']);
    expect(seen).toEqual([
      ['bufferON', PLAIN],
      ['\n{"opcode":"ping"}', PLAIN],
      ['ü€', PLAIN],
      ['\ufffd\n', { ...PLAIN, binary: true }],
    ]);
  });

  test('come marked where they may have been handled before', () => {
    const { seen, onData } = recording();
    const bed = sessionBed({ callbacks: { onData } });
    bed.connect().say(1, 'a', { again: true, unknown: 1 });
    expect(seen).toEqual([['a', { ...PLAIN, again: true }]]);
  });

  test('in pieces are joined, cut inside a character too, with one next; between them only control packets may come', () => {
    const { seen, onData } = recording();
    const bed = sessionBed({ callbacks: { onData } });
    const peer = bed.connect();
    const euro = Buffer.from('€');
    const piece = (payload: Buffer, more: boolean): void =>
      peer.socket.say(frame({ payload: Buffer.concat([Buffer.from(`{"id":1,"more":${more}}\n`), payload]) }));
    piece(euro.subarray(0, 1), true);
    peer.raw('\n{"opcode":"ping"}');
    piece(euro.subarray(1, 2), true);
    expect(peer.heard()).toEqual(['\n{"opcode":"pong"}']);
    piece(euro.subarray(2), false);
    expect(peer.short()).toEqual(['next 1']);
    peer.say(2, Buffer.from('b'), { more: true });
    peer.say(2, 'c');
    expect(peer.short()).toEqual(['next 2']);
    peer.say(3, 'd', { more: true });
    peer.say(3, '');
    expect(peer.short()).toEqual(['next 3']);
    expect(seen).toEqual([
      ['€', { ...PLAIN, buffered: true }],
      ['bc', { ...PLAIN, buffered: true, binary: true }],
      ['d', { ...PLAIN, buffered: true }],
    ]);
    peer.say(4, 'e', { more: true });
    peer.say(5, 'f');
    expect(peer.heard().at(-1)).toBe('close 1002 message 5 inside of message 4, which is not complete');
  });

  test('in pieces have the bounds of all of them, and are UTF-8 as a whole', () => {
    const closed = (say: (peer: ReturnType<ReturnType<typeof sessionBed>['connect']>) => void): string => {
      const peer = sessionBed({ values: { maxChunks: 2, maxBuffer: 1024 } }).connect();
      say(peer);
      return peer.heard().at(-1) ?? '';
    };
    expect(closed((peer) => [1, 2, 3].forEach(() => peer.say(1, 'x', { more: true })))).toMatch(/^close 1009 /);
    expect(closed((peer) => peer.say(1, 'x'.repeat(1025), { more: true }))).toMatch(/^close 1009 /);
    const half = (more: boolean): Buffer =>
      Buffer.concat([Buffer.from(`{"id":1,"more":${more}}\n`), Buffer.from([0xe2])]);
    expect(
      closed((peer) => {
        peer.socket.say(frame({ payload: half(true) }));
        peer.socket.say(frame({ payload: half(false) }));
      }),
    ).toMatch(/^close 1007 the joined pieces/);
  });

  test('in pieces, lost in the middle, are sent again from their beginning', () => {
    const { seen, onData } = recording();
    const bed = sessionBed({ callbacks: { onData } });
    const one = bed.connect();
    one.say(1, 'a', { more: true });
    one.cut();
    const two = bed.resume(one.session, 0);
    expect(two.first).toMatchObject({ handled: 0 });
    two.say(1, 'a', { more: true });
    two.say(1, 'b');
    two.cut();
    const three = bed.resume(one.session, 0);
    three.say(1, 'a', { more: true });
    three.say(1, 'b');
    expect(three.short()).toEqual(['next 1']);
    expect(seen.map(([text]) => text)).toEqual(['ab']);
  });

  test('are handed out as Buffers where the resource wants them so', () => {
    const { seen, onData } = recording();
    const bed = sessionBed({ callbacks: { onData }, route: { textAsBuffer: true } });
    const peer = bed.connect();
    peer.say(1, 'text');
    peer.say(2, 'pie', { more: true });
    peer.say(2, 'ces');
    expect(bed.resource.calls.map(([, message]) => message).slice(1)).toEqual([
      Buffer.from('text'),
      Buffer.from('pieces'),
    ]);
    expect(seen[0][1].binary).toBe(false);
  });

  test('that throw close the session as they close a client', () => {
    const bed = sessionBed({
      callbacks: {
        onData: () => {
          throw new Error('broken');
        },
      },
    });
    const peer = bed.connect();
    peer.say(1, 'a');
    expect(peer.heard()).toEqual([
      '\n{"opcode":"close","error":"the resource failed"}',
      'close 1011 the resource failed',
    ]);
    expect(bed.resource.names).toEqual(['onOpen', 'a', 'onError', 'onClose']);
    expect(bed.resume(peer.session, 0).first).toMatchObject({ resumed: false });
  });

  test('that throw, or answer what JSON cannot hold, while nobody is there do so too', async () => {
    const work = defer<object>();
    const bed = sessionBed({ callbacks: { onData: () => work.promise as Promise<Record<string, unknown>> } });
    const peer = bed.connect();
    peer.say(1, 'a');
    peer.cut();
    work.resolve({ n: 1n });
    await settle();
    expect(bed.resource.names).toEqual(['onOpen', 'a', 'detached', 'onError', 'onClose']);
    expect(bed.resource.calls.at(-1)).toEqual(['onClose', 1011, 'the resource failed']);
    expect(bed.context.sessions.size).toBe(0);
  });
});

describe('messages to a client', () => {
  test('are told from packets of its dialog: a text that begins with an LF gets one more, in every way to send it', async () => {
    const bed = sessionBed();
    const peer = bed.connect();
    const [client] = bed.context.registry.clients.values();
    client.send('\na');
    client.send(Buffer.from('\nb'), { binary: false });
    client.send(Buffer.from('\nc'));
    await client.sendFragmented(['', '\nd', '\n']);
    await client.sendFragmented([Buffer.from('\ne')], { binary: false });
    await client.sendFragmented([Buffer.from('\nf')]);
    await client.sendFragmented([]);
    const fragments = peer.socket.drop();
    // Of each frame the payload, whether it is one of several or not.
    const texts: string[] = [];
    for (let at = 0; at < fragments.length; at += 2 + fragments[at + 1]) {
      texts.push(fragments.toString('latin1', at + 2, at + 2 + fragments[at + 1]));
    }
    expect(texts).toEqual(['\n\na', '\n\nb', '\nc', '\n', '\nd', '\n', '', '\n', '\ne', '', '\nf', '', '']);
  });

  test('in fragments count as one, and are lost with their connection', async () => {
    const bed = sessionBed();
    const one = bed.connect();
    const [client] = bed.context.registry.clients.values();
    client.send('a');
    const feed = new Feed();
    const sent = client.sendFragmented(feed);
    await turns();
    client.send('b');
    await feed.give('x');
    client.send('c');
    one.cut();
    await feed.give('y');
    expect(await sent).toBe(false);
    expect(feed.returned).toBe(true);
    const two = bed.resume(one.session, 1);
    expect([two.first, two.heard()]).toEqual([expect.objectContaining({ lost: 1 }), ['b', 'c']]);
    two.ack(4);
    two.cut();
    expect(bed.resume(one.session, 4).first).toMatchObject({ lost: 0 });
  });

  test('in fragments that begin while nobody is there are lost at once, and those that begin later are sent', async () => {
    const bed = sessionBed();
    const one = bed.connect();
    const [client] = bed.context.registry.clients.values();
    one.cut();
    const early = new Feed();
    const late = new Feed();
    const [first, second] = [client.sendFragmented(early), client.sendFragmented(late)];
    await early.give('x');
    expect(await first).toBe(false);
    const two = bed.resume(one.session, 0);
    expect(two.first).toMatchObject({ lost: 1 });
    await late.give('y');
    await late.end();
    expect(await second).toBe(true);
    two.cut();
    expect(bed.resume(one.session, 1).first).toMatchObject({ lost: 1 });
    expect(bed.resume(one.session, 2).first).toMatchObject({ lost: 0 });
  });
});
