import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { Client } from '../../src/connection/client.ts';
import type { MessageSource } from '../../src/connection/fragments.ts';
import { NEXT, openBed } from './bed.ts';
import { FakeSocket } from '../support/fakes.ts';
import { hex } from '../support/frames.ts';
import { bytes, Feed, outcome, turns, underWay, written } from './feed.ts';

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['queueMicrotask', 'nextTick', 'setImmediate'] });
});
afterEach(() => {
  jest.useRealTimers();
});

describe('RFC 6455 §5.4: fragments, as hex', () => {
  test.each<[string, MessageSource, boolean | undefined, string]>([
    ['text', ['Hel', 'lo'], undefined, '01 03 48656c 00 02 6c6f 80 00'],
    ['binary', [hex('00 ff'), hex('01')], undefined, '02 02 00ff 00 01 01 80 00'],
    ['one piece', ['x'], undefined, '01 01 78 80 00'],
    ['text by its first piece', ['x', hex('79')], undefined, '01 01 78 00 01 79 80 00'],
    ['binary by its first piece', [hex('78'), 'ä'], undefined, '02 01 78 00 02 c3a4 80 00'],
    ['binary by option', ['x'], true, '02 01 78 80 00'],
    ['text by option', [hex('c3'), hex('a4')], false, '01 01 c3 00 01 a4 80 00'],
    [
      'a Uint8Array that is a part of its memory',
      [new Uint8Array([0, 1, 2, 3]).subarray(1, 3)],
      undefined,
      '02 02 0102 80 00',
    ],
    ['empty pieces make no fragments', ['', 'x', '', ''], undefined, '01 01 78 80 00'],
    ['no pieces: an empty message', [], undefined, '81 00'],
    ['only empty ones', ['', ''], undefined, '81 00'],
    ['only empty Buffers', [Buffer.alloc(0)], undefined, '82 00'],
    ['no pieces, binary', [], true, '82 00'],
    ['a Readable', Readable.from([hex('0102'), hex('03')]), undefined, '02 02 0102 00 01 03 80 00'],
    [
      '125 and 126 bytes',
      ['x'.repeat(125), 'y'.repeat(126)],
      undefined,
      `01 7d ${'78'.repeat(125)} 00 7e 007e ${'79'.repeat(126)} 80 00`,
    ],
    [
      'a piece of more than 64 KiB is several fragments',
      [Buffer.alloc(65_537, 'x')],
      undefined,
      `02 7f 0000000000010000 ${'78'.repeat(65_536)} 00 01 78 80 00`,
    ],
  ])('%s', async (_, pieces, binary, expected) => {
    const bed = openBed();
    expect(await bed.connection.client.sendFragmented(pieces, { binary })).toBe(true);
    expect(written(bed)).toBe(bytes(expected));
  });

  test('a surrogate pair may be cut anywhere; a half that stays alone is U+FFFD', async () => {
    const bed = openBed();
    const send = async (...pieces: (string | Buffer)[]): Promise<string> => {
      await bed.connection.client.sendFragmented(pieces);
      return written(bed);
    };
    expect(await send('a', '🙂b')).toBe(bytes('01 01 61 00 05 f09f998262 80 00'));
    expect(await send('a\ud83d', '\ude42b')).toBe(bytes('01 01 61 00 05 f09f998262 80 00'));
    expect(await send('a🙂', 'b')).toBe(bytes('01 05 61f09f9982 00 01 62 80 00'));
    expect(await send('\ud83d', '\ude42')).toBe(bytes('01 04 f09f9982 80 00'));
    expect(await send('\ud83d', '', '\ude42')).toBe(bytes('01 04 f09f9982 80 00'));
    expect(await send('x\ud83d')).toBe(bytes('01 01 78 00 03 efbfbd 80 00'));
    expect(await send('\ud83d')).toBe(bytes('01 03 efbfbd 80 00'));
    expect(await send('\ud83d', Buffer.from('x'))).toBe(bytes('01 03 efbfbd 00 01 78 80 00'));
    expect(await send('\ude42', 'x')).toBe(bytes('01 03 efbfbd 00 01 78 80 00'));
  });

  test('pieces go out as they come, one in a turn, and their memory is copied', async () => {
    const bed = openBed();
    const { feed, sent } = await underWay(bed);
    expect(feed.asked).toBe(2);
    await feed.give('b');
    expect(written(bed)).toBe(bytes('00 01 62'));
    bed.socket.blocked = true;
    const piece = Buffer.from('kept');
    await feed.give(piece);
    piece.fill('x');
    await feed.end();
    expect(written(bed)).toBe(bytes('00 04 6b657074 80 00'));
    expect(await sent).toBe(true);
  });

  test('a source that always has more, and a client that takes it all, do not keep others from their turn', async () => {
    const bed = openBed();
    const others = { served: false };
    setImmediate(() => (others.served = true));
    const endless = function* (): Generator<string> {
      while (!others.served) yield 'x';
    };
    expect(await bed.connection.client.sendFragmented(endless())).toBe(true);
  });

  test('what is no source of pieces, or no piece', async () => {
    const bed = openBed();
    const { client } = bed.connection;
    const sendAny = (pieces: unknown): Promise<unknown> => outcome(client.sendFragmented(pieces as MessageSource));
    const hint = 'TypeError: sendFragmented takes the pieces of a message; send takes a whole one';
    expect(await sendAny('text')).toBe(hint);
    expect(await sendAny(Buffer.from('text'))).toBe(hint);
    expect(await sendAny(undefined)).toMatch(/^TypeError: /);
    expect(await sendAny([{}])).toBe('TypeError: a piece of a message is a string or a Buffer');
    expect([written(bed), bed.socket.ended]).toEqual(['', false]);
    expect(await sendAny(['a', 5])).toBe('TypeError: a piece of a message is a string or a Buffer');
    expect(written(bed)).toBe(
      bytes('01 01 61') + Buffer.from('\x88\x15\x03\xf3the resource failed', 'latin1').toString('hex'),
    );
  });
});

describe('other clients', () => {
  test('a line client gets one line, as it comes; line ends in it are spaces', async () => {
    const bed = openBed({ way: 'line' });
    const feed = new Feed();
    const sent = bed.connection.client.sendFragmented(feed);
    await feed.give('one\r', '\ntwo');
    bed.connection.client.send('after');
    expect(bed.socket.drop().toString()).toBe('one  two');
    await feed.give(Buffer.from('\nthree'));
    await feed.end();
    expect(bed.socket.drop().toString()).toBe(' three\nafter\n');
    expect(await sent).toBe(true);
  });

  test('a line that is cut short has no end', async () => {
    const bed = openBed({ way: 'line' });
    const feed = new Feed();
    const sent = bed.connection.client.sendFragmented(feed);
    await feed.give('begun');
    bed.connection.client.close(1001);
    await feed.end();
    expect([bed.socket.drop().toString(), bed.socket.ended, await sent]).toEqual(['begun', true, false]);
  });

  test('a script client gets one unfragmented frame, behind its next', async () => {
    const onData = (client: Client): Promise<boolean> => client.sendFragmented(['one ', 'two']);
    const bed = openBed({ way: 'script', callbacks: { onData } });
    bed.say('x');
    await turns();
    jest.advanceTimersByTime(1000);
    expect(bed.heard()).toEqual([NEXT, 'one two']);
  });

  test('a script client cannot be sent more than sendQueue in pieces', async () => {
    const bed = openBed({ way: 'script', values: { sendQueue: 1000 } });
    const source = Readable.from([Buffer.alloc(999), Buffer.alloc(1), Buffer.alloc(1)]);
    expect(await outcome(bed.connection.client.sendFragmented(source))).toBe(
      'RangeError: this client takes a message as a whole: its pieces may have [limits] sendQueue = 1000 bytes',
    );
    expect([source.destroyed, bed.socket.ended, bed.socket.writes]).toEqual([true, false, []]);
    bed.socket.reader.onClose(null);
    expect(await bed.connection.client.sendFragmented([Buffer.alloc(2000)])).toBe(false);
  });
});

describe('a client that reads slowly', () => {
  test('is sent more when it has taken what waits; a piece is asked for ahead', async () => {
    const bed = openBed({ values: { sendQueue: 1000 } });
    const { client } = bed.connection;
    let asked = 0;
    let most = 0;
    const source = function* (): Generator<Buffer> {
      for (; asked < 100; asked++) {
        most = Math.max(most, client.bufferedAmount);
        yield Buffer.alloc(200, asked);
      }
    };
    bed.socket.blocked = true;
    const sent = client.sendFragmented(source());
    await turns();
    expect([asked, client.bufferedAmount]).toEqual([3, 3 * 204]);
    bed.socket.read(600);
    await turns();
    expect(asked).toBe(3);
    for (let i = 0; i < 100; i++) {
      bed.socket.read(5000);
      await turns(); // oxlint-disable-line no-await-in-loop
    }
    expect(await sent).toBe(true);
    expect(most).toBeLessThanOrEqual(500 + 204);
  });

  test('a first piece waits as well; messages to it are not held for that', async () => {
    const bed = openBed({ values: { sendQueue: 1000 } });
    bed.socket.blocked = true;
    bed.connection.client.send('x'.repeat(600));
    const sent = bed.connection.client.sendFragmented(['a']);
    await turns();
    bed.socket.drop();
    bed.connection.client.send('y');
    bed.socket.blocked = false;
    bed.socket.read(1000);
    expect([await sent, written(bed)]).toEqual([true, bytes('81 01 79 01 01 61 80 00')]);
  });

  test('what waits where no drain will be told of does not hold it up', async () => {
    class Deaf extends FakeSocket {
      override get willDrain(): boolean {
        return false;
      }
    }
    const bed = openBed({ values: { sendQueue: 1000 }, socket: new Deaf() });
    bed.socket.blocked = true;
    expect(await bed.connection.client.sendFragmented([Buffer.alloc(600), Buffer.alloc(600)])).toBe(true);
  });

  test.each(['dies', 'is closed'])('that %s while it is waited for', async (how) => {
    const bed = openBed({ values: { sendQueue: 1000 } });
    bed.socket.blocked = true;
    const source = Readable.from([Buffer.alloc(600), Buffer.alloc(600), Buffer.alloc(600)]);
    const sent = bed.connection.client.sendFragmented(source);
    await turns();
    if (how === 'dies') bed.socket.reader.onClose(null);
    else bed.connection.client.close();
    expect([await sent, source.destroyed]).toEqual([false, true]);
    expect(await bed.connection.client.sendFragmented(['x'])).toBe(false);
  });
});
