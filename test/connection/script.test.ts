import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { Outgoing } from '../../src/connection/encode.ts';
import type { LimitValues } from '../../src/connection/limits.ts';
import { ScriptOutput } from '../../src/connection/script.ts';
import { NEXT } from '../../src/packet/packet.ts';
import { WebSocketEngine } from '../../src/wire/rfc6455.ts';
import { FakeSocket, fakeContext } from '../support/fakes.ts';
import { Recorder, serverFrames } from '../support/frames.ts';
import { OPTIONS } from '../support/feed.ts';

interface Bed {
  readonly socket: FakeSocket;
  readonly output: ScriptOutput;
  readonly engine: WebSocketEngine;
  readonly context: ReturnType<typeof fakeContext>;
  readonly told: string[];
  /** What each write held, and how long after the one before it came. */
  readonly written: () => [text: string, ms: number][];
}

/** A socket that writes down when it is written to. */
class TimedSocket extends FakeSocket {
  readonly times: number[] = [];

  override writeAll(pieces: readonly (Buffer | string)[]): void {
    super.writeAll(pieces);
    this.times.push(Date.now());
  }
}

function setUp(values: Partial<LimitValues> = {}): Bed {
  const context = fakeContext({ values });
  const socket = new TimedSocket();
  const engine = new WebSocketEngine(new Recorder(), OPTIONS);
  const told: string[] = [];
  const output = new ScriptOutput(socket, engine, context, {
    onSlow: (limit, owed) => void told.push(`${limit} ${owed}`),
    onDrop: (owed) => void told.push(`drop ${owed}`),
    onBacklog: () => void told.push('backlog'),
    onRelief: () => void told.push('relief'),
  });
  const written = (): [string, number][] =>
    socket.writes.map((bytes, i) => {
      const frames = serverFrames(bytes);
      expect(frames).toHaveLength(1);
      const { op, payload } = frames[0];
      const text = op === 8 ? `close ${payload.readUInt16BE(0)}` : payload.toString();
      return [text, i === 0 ? 0 : socket.times[i] - socket.times[i - 1]];
    });
  return { socket, output, engine, context, told, written };
}

const wait = (ms: number): void => {
  jest.advanceTimersByTime(ms);
};

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

describe('ScriptOutput', () => {
  test('each frame is a write of its own, at least 5 ms after the one before, in order', () => {
    const { output, written, context } = setUp();
    context.cork.during(null, () => {
      for (const text of ['one', 'zwei ä', 'three']) output.send(text, false);
    });
    expect(written()).toEqual([['one', 0]]);
    wait(1000);
    expect(written().map(([text]) => text)).toEqual(['one', 'zwei ä', 'three']);
    for (const [, ms] of written().slice(1)) expect(ms).toBeGreaterThanOrEqual(5);
    expect(jest.getTimerCount()).toBe(0);
  });

  test('what goes to others too goes as it does, however long it is', () => {
    const { output, written } = setUp({ sendQueue: 1_048_576 });
    const texts = ['one', 'Größe '.repeat(20_000), 'x'.repeat(100_000), 'two'];
    for (const text of texts) expect(output.share(new Outgoing(text, false))).toBe(true);
    expect(output.waiting).toBeGreaterThan(200_000);
    wait(1000);
    expect(written().map(([text]) => text)).toEqual(texts);
    for (const [, ms] of written().slice(1)) expect(ms).toBeGreaterThanOrEqual(5);
    expect(output.waiting).toBe(0);
  });

  test('what follows the opening is paced too', () => {
    const { output, written } = setUp();
    output.startPacing();
    output.send('first', false);
    wait(4);
    expect(written()).toEqual([]);
    wait(10);
    expect(written()).toEqual([['first', 0]]);
  });

  test('from the arrival of a message on nothing goes before its next, whoever sent it', () => {
    const { output, written } = setUp();
    output.arrived(false);
    output.send('answer', false);
    output.control('\x8a\x01p');
    output.send('broadcast', false);
    wait(1000);
    expect(written()).toEqual([]);
    output.next(NEXT);
    wait(1000);
    expect(written().map(([text]) => text)).toEqual([NEXT, 'answer', 'p', 'broadcast']);
  });

  test('a next overtakes what is waiting', () => {
    const { output, written } = setUp();
    for (const text of ['1', '2', '3']) output.send(text, false);
    output.arrived(false);
    output.next(NEXT);
    wait(1000);
    expect(written().map(([text]) => text)).toEqual(['1', NEXT, '2', '3']);
  });

  test('two messages in one chunk: both their nexts go before what they caused', () => {
    const { output, written } = setUp();
    for (const text of ['a', 'b']) {
      output.arrived(false);
      output.send(text, false);
      output.next(`{"opcode":"next","fyi":"${text}"}`);
    }
    wait(1000);
    expect(written().map(([text]) => text)).toEqual([
      '{"opcode":"next","fyi":"a"}',
      '{"opcode":"next","fyi":"b"}',
      'a',
      'b',
    ]);
  });

  test('while a second message has no next, what the first caused waits', () => {
    const { output, written } = setUp();
    output.arrived(false);
    output.send('a', false);
    output.next(NEXT);
    output.arrived(false);
    wait(1000);
    expect(written()).toEqual([[NEXT, 0]]);
    output.next(NEXT);
    wait(1000);
    expect(written().map(([text]) => text)).toEqual([NEXT, NEXT, 'a']);
  });

  test('a next of more than 1000 bytes is reduced to the bare one', () => {
    const { output, written } = setUp();
    const base = '{"opcode":"next","fyi":""}'.length;
    const fits = `{"opcode":"next","fyi":"${'x'.repeat(1000 - 4 - base)}"}`;
    for (const packet of [fits, fits.replace('x', 'xx')]) {
      output.arrived(false);
      output.next(packet);
    }
    wait(1000);
    expect(written().map(([text]) => text)).toEqual([fits, NEXT]);
  });

  test('finish: what waits goes first, then the close packet, the Close frame, the FIN, each paced', () => {
    const { output, engine, written, socket } = setUp();
    output.arrived(false);
    output.send('a', false);
    output.send('b', false);
    output.next(NEXT);
    output.finish('{"opcode":"close"}', engine.closeFrame(1001, ''));
    expect(output.send('late', false)).toBe(false);
    output.next('late');
    output.finish('again', engine.closeFrame(1000, ''));
    expect(socket.ended).toBe(false);
    wait(1000);
    expect(written().map(([text]) => text)).toEqual([NEXT, 'a', 'b', '{"opcode":"close"}', 'close 1001']);
    for (const [, ms] of written().slice(1)) expect(ms).toBeGreaterThanOrEqual(5);
    expect([socket.calls, jest.getTimerCount()]).toEqual([['end'], 0]);
  });

  test('finish with a next still owed: what is held for it is not sent, the close packet comes in its place', () => {
    const { output, engine, written } = setUp();
    output.arrived(false);
    output.send('held', false);
    output.finish('{"opcode":"close"}', engine.closeFrame(1011, ''));
    wait(1000);
    expect(written().map(([text]) => text)).toEqual(['{"opcode":"close"}', 'close 1011']);
  });

  test('finish with nothing to say is the FIN', () => {
    const { output, socket } = setUp();
    output.finish(null, '');
    expect([socket.calls, socket.writes]).toEqual([['end'], []]);
  });

  test('what is held is bounded by the send queue', () => {
    const { output, told } = setUp({ sendQueue: 1000 });
    output.arrived(false);
    expect(output.send('x'.repeat(1500), false)).toBe(true);
    expect(output.waiting).toBe(1504);
    expect(output.send('y', false)).toBe(false);
    expect(told).toEqual(['backlog', 'sendQueue 1504']);
  });

  test('more than 16 nexts that wait for their pace: no more is read until all of them are out', () => {
    const { output, told, written } = setUp();
    for (let i = 0; i < 17; i++) {
      output.arrived(false);
      output.next(NEXT);
    }
    expect(told).toEqual([]);
    output.arrived(false);
    output.next(NEXT);
    expect(told).toEqual(['backlog']);
    while (told.length === 1) wait(1);
    expect(told[1]).toBe('relief');
    expect(written()).toHaveLength(18);
  });

  test('what has gone no longer counts', () => {
    const { output } = setUp();
    output.arrived(false);
    output.send('x', false);
    output.next(NEXT);
    wait(1000);
    expect(output.waiting).toBe(0);
  });

  test('dispose() ends its timer and drops what waits', () => {
    const { output, socket } = setUp();
    for (const text of ['1', '2', '3']) output.send(text, false);
    output.dispose();
    expect([jest.getTimerCount(), output.waiting]).toEqual([0, 0]);
    wait(1000);
    expect(output.send('late', false)).toBe(false);
    expect(socket.writes).toHaveLength(1);
  });
});
