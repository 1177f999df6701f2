import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { Client } from '../../src/connection/client.ts';
import { settle } from '../support/fakes.ts';
import { clientClose, frame, hex } from '../support/frames.ts';
import { type Bed, NEXT, openBed } from './bed.ts';
import { bytes, Feed, outcome, turns, underWay, written } from './feed.ts';

const closes = (bed: Bed): unknown[][] => bed.resource.calls.filter(([name]) => name === 'onClose');

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['queueMicrotask', 'nextTick', 'setImmediate'] });
});
afterEach(() => {
  jest.useRealTimers();
});

describe('what else the client is sent meanwhile', () => {
  test('messages wait for the end, control frames do not (§5.4, §5.5)', async () => {
    const bed = openBed({ callbacks: { onData: (client: Client, message) => void client.send(message) } });
    const { feed, sent } = await underWay(bed);
    const { client } = bed.connection;
    client.send('s');
    bed.say('e');
    client.sendPacket({ opcode: 'p' });
    client.ping('i');
    bed.socket.say(frame({ op: 9, payload: 'o' }));
    expect(written(bed)).toBe(bytes('89 01 69 8a 01 6f'));
    expect(client.bufferedAmount).toBe(3 + 3 + NEXT.length + 2 + '{"opcode":"p"}'.length + 2);
    await feed.give('b');
    expect(written(bed)).toBe(bytes('00 01 62'));
    await feed.end();
    expect(await sent).toBe(true);
    expect(bed.socket.writes).toHaveLength(1);
    expect(bed.socket.writes[0].subarray(0, 2)).toEqual(hex('80 00'));
    bed.socket.writes[0] = bed.socket.writes[0].subarray(2);
    expect(bed.heard()).toEqual(['s', 'e', NEXT, '{"opcode":"p"}']);
    client.send('after');
    expect([bed.heard(), client.bufferedAmount]).toEqual([['after'], 0]);
  });

  test('before its first piece has come, others go ahead', async () => {
    const bed = openBed();
    const feed = new Feed();
    const sent = bed.connection.client.sendFragmented(feed);
    await turns();
    bed.connection.client.send('first');
    expect(bed.heard()).toEqual(['first']);
    await feed.give('a');
    await feed.end();
    expect([await sent, written(bed)]).toEqual([true, bytes('01 01 61 80 00')]);
  });

  test('a second one waits for the first, and goes behind what waited before it', async () => {
    const bed = openBed();
    const { feed, sent } = await underWay(bed);
    const second = new Feed();
    const third = bed.connection.client.sendFragmented(['3']);
    const secondSent = bed.connection.client.sendFragmented(second);
    await second.give('2', '2');
    bed.connection.client.send('s');
    await turns();
    expect([written(bed), second.asked]).toEqual(['', 1]);
    await feed.end();
    expect([await sent, await third]).toEqual([true, true]);
    await turns();
    expect(written(bed)).toBe(bytes('80 00 81 01 73 01 01 33 80 00 01 01 32 00 01 32'));
    await second.end();
    expect([await secondSent, written(bed)]).toEqual([true, bytes('80 00')]);
  });

  test('next follows a message that onData has promised', async () => {
    const feed = new Feed();
    const bed = openBed({ callbacks: { onData: (client: Client) => client.sendFragmented(feed) } });
    bed.say('export');
    bed.say('ahead');
    await feed.give('a');
    expect([written(bed), bed.socket.paused, bed.resource.names]).toEqual([
      bytes('01 01 61'),
      true,
      ['onOpen', 'export'],
    ]);
    await feed.end();
    expect(written(bed).startsWith(bytes(`80 00 81 ${NEXT.length.toString(16)}`))).toBe(true);
  });

  test('sendQueue bounds what waits: above it the client is closed with 1013', async () => {
    const bed = openBed({ values: { sendQueue: 1000 } });
    const { feed, sent } = await underWay(bed);
    const { client } = bed.connection;
    expect(client.send('x'.repeat(1000))).toBe(true);
    expect(client.send('y')).toBe(false);
    expect(bed.heard()).toEqual(['close 1013 too slow to read: more than 1000 bytes were waiting']);
    await feed.give('b');
    expect([await sent, feed.returned, client.bufferedAmount]).toEqual([false, true, 0]);
  });

  test('next packets wait too: no more is read above half of sendQueue, until the end', async () => {
    const bed = openBed({ values: { sendQueue: 1000 } });
    const { feed } = await underWay(bed);
    let count = 0;
    while (!bed.socket.paused && count < 100) bed.say(`${count++}`);
    expect(count).toBe(Math.floor(500 / (NEXT.length + 2)) + 1);
    bed.socket.blocked = true;
    await feed.give('b');
    bed.socket.read(1000);
    bed.say('waits');
    expect([bed.socket.paused, bed.resource.names.slice(-2)]).toEqual([true, [`${count - 1}`, 'drain']]);
    bed.socket.blocked = false;
    bed.socket.drop();
    await feed.end();
    expect(bed.socket.paused).toBe(false);
    expect(bed.socket.writes.shift()?.subarray(0, 2)).toEqual(hex('80 00'));
    expect([bed.resource.names.at(-1), bed.heard()]).toEqual(['waits', [NEXT]]);
  });
});

describe('the end in the middle of a message', () => {
  test('a close: the Close frame alone, no packet and nothing that waited', async () => {
    const bed = openBed();
    const { feed, sent } = await underWay(bed);
    bed.connection.client.send('lost');
    const other = bed.connection.client.sendFragmented(['lost']);
    bed.connection.client.close(1008, 'no');
    expect([written(bed), bed.socket.ended]).toEqual([bytes('88 04 03f0 6e6f'), true]);
    expect(await other).toBe(false);
    await feed.give('b');
    expect([await sent, feed.returned, written(bed)]).toEqual([false, true, '']);
  });

  test('a close from its own handler waits for the message, as for every handler', async () => {
    const feed = new Feed();
    const onData = async (client: Client): Promise<void> => {
      client.close(1008, 'no');
      await client.sendFragmented(feed);
    };
    const bed = openBed({ callbacks: { onData } });
    bed.say('x');
    await feed.give('a');
    await feed.end();
    const out = bed.socket.drop();
    expect(out.subarray(0, 5)).toEqual(hex('01 01 61 80 00'));
    bed.socket.writes.push(out.subarray(5));
    expect(bed.heard()).toEqual([NEXT, '{"opcode":"close","error":"no"}', 'close 1008 no']);
  });

  test('the Close frame of the client is answered at once (§5.5.1)', async () => {
    const bed = openBed();
    const { feed, sent } = await underWay(bed);
    bed.socket.say(clientClose(1000));
    expect(written(bed)).toBe(bytes('88 02 03e8'));
    await feed.end();
    expect(await sent).toBe(false);
  });

  test('a source that throws: 1011, onError, and the promise rejects', async () => {
    const bed = openBed();
    const { feed, sent } = await underWay(bed);
    const failed = outcome(sent);
    await feed.fail(new Error('boom'));
    expect(await failed).toBe('Error: boom');
    expect(bed.heard()).toEqual(['close 1011 the resource failed']);
    expect(bed.resource.calls.slice(1)).toEqual([
      ['onError', 'boom'],
      ['onClose', 1011, 'the resource failed'],
    ]);
    expect(bed.context.log.at('error')).toEqual([
      expect.stringMatching(/^error #1 192\.0\.2\.7 \/: the resource failed: boom/),
    ]);
  });

  test('a handler that waits for it gets what it threw', async () => {
    const feed = new Feed();
    const seen: unknown[] = [];
    const onData = async (client: Client): Promise<void> => {
      await client.sendFragmented(feed).catch((error: unknown) => seen.push(String(error)));
    };
    const bed = openBed({ callbacks: { onData } });
    bed.say('x');
    await feed.give('a');
    await feed.fail(new Error('boom'));
    expect([seen, closes(bed)]).toEqual([['Error: boom'], [['onClose', 1011, 'the resource failed']]]);
  });

  test('a source that throws before its first piece has cost the client nothing', async () => {
    const onData = async (client: Client): Promise<void> => {
      await client
        .sendFragmented(
          new Readable({
            read() {
              this.destroy(new Error('no such file'));
            },
          }),
        )
        .catch((error: Error) => client.send(error.message));
    };
    const bed = openBed({ callbacks: { onData } });
    bed.say('x');
    await turns();
    expect(bed.heard()).toEqual(['no such file', NEXT]);
  });

  test('a source that throws when its client has gone rejects, and nobody else hears of it', async () => {
    const bed = openBed();
    const { feed, sent } = await underWay(bed);
    bed.connection.client.close();
    const failed = outcome(sent);
    await feed.fail(new Error('late'));
    expect([await failed, bed.resource.names]).toEqual(['Error: late', ['onOpen', 'onClose']]);
  });
});

describe('behind bufferOFF (PROTOCOL.md §4)', () => {
  test('what its handler sends in pieces follows its next, as one message', async () => {
    const bed = openBed({ callbacks: { onData: (client: Client) => client.sendFragmented(['one ', 'two']) } });
    bed.say('bufferONx', 'bufferOFF');
    await turns();
    expect(bed.heard()).toEqual([NEXT, NEXT, 'one two']);
  });

  test('more than sendQueue cannot wait for a next: RangeError', async () => {
    const onData = (client: Client): Promise<boolean> => client.sendFragmented(['x'.repeat(600), 'y'.repeat(600)]);
    const bed = openBed({ values: { sendQueue: 1000 }, callbacks: { onData } });
    bed.say('bufferONx', 'bufferOFF');
    await turns();
    expect(bed.heard().at(-1)).toBe('close 1011 the resource failed');
    expect(bed.resource.calls.at(-2)).toEqual(['onError', expect.stringContaining('[limits] sendQueue = 1000 bytes')]);
  });

  test('a message that was under way before: what waited for it, then next, then what bufferOFF brings about', async () => {
    const bed = openBed({
      callbacks: { onData: (client: Client, message) => void client.send(`got ${String(message)}`) },
    });
    const { feed, sent } = await underWay(bed);
    bed.connection.client.send('before');
    bed.say('bufferONx', 'bufferOFF');
    bed.connection.client.send('after');
    expect(written(bed)).toBe('');
    await feed.end();
    expect(bed.socket.writes[0].subarray(0, 2)).toEqual(hex('80 00'));
    bed.socket.writes[0] = bed.socket.writes[0].subarray(2);
    expect([await sent, bed.heard()]).toEqual([true, ['before', NEXT, NEXT, 'got x', 'after']]);
  });

  test('the message ends while the handler of bufferOFF is at work: only what came before that goes out', async () => {
    let finish: (value: undefined) => void = () => {};
    const onData = (client: Client): Promise<undefined> => {
      client.send('answer');
      return new Promise((done) => (finish = done));
    };
    const bed = openBed({ callbacks: { onData } });
    const { feed } = await underWay(bed);
    bed.connection.client.send('before');
    bed.say('bufferONx', 'bufferOFF');
    const second = bed.connection.client.sendFragmented(['whole']);
    await feed.end();
    bed.socket.writes[0] = bed.socket.writes[0].subarray(2);
    expect([await second, bed.heard()]).toEqual([true, ['before', NEXT]]);
    expect(bed.connection.client.bufferedAmount).toBe(2 + 'answer'.length + 2 + 'whole'.length);
    finish(undefined);
    await settle();
    expect(bed.heard()).toEqual([NEXT, 'answer', 'whole']);
  });
});
