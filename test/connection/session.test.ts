import { describe, expect, test } from '@jest/globals';
import { settle } from '../support/fakes.ts';
import { clientClose, frame } from '../support/frames.ts';
import { defer } from './bed.ts';
import { sessionBed } from './sessionbed.ts';

describe('a session', () => {
  test('begins with its terms, and answers each message by its id', () => {
    const bed = sessionBed({
      callbacks: { onData: (_, message) => (message === 'b' ? { delivered: 2, id: 9 } : undefined) },
    });
    const peer = bed.connect('chat, websock.2');
    expect(peer.head).toContain('\r\nSec-WebSocket-Protocol: websock.2\r\n');
    expect(peer.first).toEqual({
      opcode: 'ready',
      uuid: expect.any(String),
      session: expect.stringMatching(/^[\w-]{48}$/),
      resume: 30,
      maxPayload: 100_000,
      maxBuffer: 200_000,
      maxChunks: 100,
    });
    peer.say(1, 'a');
    peer.say(2, 'b');
    peer.say(3, '');
    peer.say(4, Buffer.from('c'));
    expect(peer.heard()).toEqual([
      '\n{"opcode":"next","fyi":"","id":1}',
      '\n{"opcode":"next","fyi":"","delivered":2,"id":2}',
      '\n{"opcode":"next","fyi":"","id":3}',
      '\n{"opcode":"next","fyi":"","id":4}',
    ]);
    expect(bed.resource.calls).toEqual([
      ['onOpen', 2],
      ['onData', 'a', false, false],
      ['onData', 'b', false, false],
      ['onData', Buffer.from('c'), true, false],
    ]);
  });

  test('goes on after a cut: what was sent is sent again, once and in order, and what was handled is not handled again', () => {
    const bed = sessionBed({
      callbacks: { onData: (client, message) => void client.send(`re ${String(message)}`) },
    });
    const one = bed.connect();
    one.say(1, 'a');
    one.say(2, 'b');
    one.say(3, 'c');
    expect(one.short()).toEqual(['re a', 'next 1', 're b', 'next 2', 're c', 'next 3']);
    one.cut();
    const [client] = bed.context.registry.clients.values();
    expect(client.send('late')).toBe(true);
    const two = bed.resume(one.session, 1);
    expect(two.first).toEqual({ opcode: 'resumed', uuid: one.first?.uuid, handled: 3, lost: 0 });
    two.say(3, 'c');
    two.say(4, 'd');
    expect(two.short()).toEqual(['re b', 're c', 'late', 'next 3', 're d', 'next 4']);
    expect(bed.resource.names).toEqual(['onOpen', 'a', 'b', 'c', 'detached', 'resumed', 'd']);
    expect(bed.resource.calls.at(-2)).toEqual(['resumed', '0', 'false']);
    expect([...bed.context.registry.clients.values()]).toEqual([client]);
  });

  test('a handler in flight goes on without a connection; its next comes by the new one, and what follows waits for it', async () => {
    const work = defer();
    const bed = sessionBed({ callbacks: { onData: (_, message) => (message === 'slow' ? work.promise : undefined) } });
    const one = bed.connect();
    one.say(1, 'slow');
    one.cut();
    const two = bed.resume(one.session, 0);
    expect(two.first).toMatchObject({ handled: 1 });
    two.say(1, 'slow');
    two.say(2, 'quick');
    expect(two.heard()).toEqual([]);
    work.resolve();
    await settle();
    expect(two.short()).toEqual(['next 1', 'next 2']);
    expect(bed.resource.names).toEqual(['onOpen', 'slow', 'detached', 'resumed', 'quick']);
  });

  test('a handler that ends while nobody is there: its next is kept', async () => {
    const work = defer<{ n: number }>();
    const bed = sessionBed({ callbacks: { onData: () => work.promise } });
    const one = bed.connect();
    one.say(1, 'slow');
    one.cut();
    work.resolve({ n: 7 });
    await settle();
    const two = bed.resume(one.session, 0);
    two.say(1, 'slow');
    expect(two.heard()).toEqual(['\n{"opcode":"next","fyi":"","n":7,"id":1}']);
    expect(bed.resource.names.filter((name) => name === 'slow')).toHaveLength(1);
  });
});

describe('what ends it', () => {
  test.each([
    ['Close 1000', clientClose(1000), 1000],
    ['Close 1001', clientClose(1001), 1001],
    ['Close without a code', clientClose(), 1005],
  ])('%s', (_, close, code) => {
    const bed = sessionBed();
    const one = bed.connect();
    one.socket.say(close);
    one.cut();
    expect(bed.resource.calls.at(-1)).toEqual(['onClose', code, '']);
    expect(bed.resume(one.session, 0).first).toMatchObject({ opcode: 'ready', resumed: false });
  });

  test.each([
    ['no Close frame', (): Buffer => Buffer.alloc(0)],
    ['Close 4000', (): Buffer => clientClose(4000)],
  ])('not %s', (_, close) => {
    const bed = sessionBed();
    const one = bed.connect();
    const bytes = close();
    if (bytes.length > 0) one.socket.say(bytes);
    one.cut();
    expect(bed.resource.names.at(-1)).toBe('detached');
    expect(bed.resume(one.session, 0).first).toMatchObject({ opcode: 'resumed' });
  });

  test.each([
    ['a message without a header', 'hello', 1002],
    ['an id that is not the next', '{"id":2}\n', 1002],
    ['an id of 0', '{"id":0}\n', 1002],
    ['a header that is no object', '[1]\n', 1002],
    ['a long header', `{"id":1,"x":"${'x'.repeat(256)}"}\n`, 1002],
    ['an unknown control packet', '\n{"opcode":"pray"}', 1002],
    ['an ack of what was not sent', '\n{"opcode":"ack","received":1}', 1002],
    ['the same in a header', '{"id":1,"ack":1}\n', 1002],
  ])('%s', (_, text, code) => {
    const bed = sessionBed();
    const one = bed.connect();
    one.raw(text);
    const [packet, close] = one.heard();
    expect(packet).toMatch(/^\n\{"opcode":"close","error":"/);
    expect(close).toMatch(new RegExp(`^close ${code} `));
    expect(bed.resource.calls.at(-1)?.slice(0, 2)).toEqual(['onClose', code]);
    expect(bed.context.sessions.size).toBe(0);
  });

  test('text that is not UTF-8', () => {
    const bed = sessionBed();
    const one = bed.connect();
    one.socket.say(frame({ payload: Buffer.concat([Buffer.from('{"id":1}\n'), Buffer.from([0xff])]) }));
    expect(one.heard().at(-1)).toMatch(/^close 1007 /);
  });
});
