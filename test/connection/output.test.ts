import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { Outgoing } from '../../src/connection/encode.ts';
import type { LimitValues } from '../../src/connection/limits.ts';
import { Output } from '../../src/connection/output.ts';
import { LineEngine } from '../../src/wire/lines.ts';
import { FakeSocket, fakeContext } from '../support/fakes.ts';
import { Recorder } from '../support/frames.ts';
import { OPTIONS } from '../support/feed.ts';

interface Bed {
  readonly socket: FakeSocket;
  readonly output: Output;
  readonly context: ReturnType<typeof fakeContext>;
  /** What its owner was told. */
  readonly told: string[];
}

/** An output of lines: its bytes are easily read. */
function setUp(values: Partial<LimitValues> = {}): Bed {
  const context = fakeContext({ values });
  const socket = new FakeSocket();
  const told: string[] = [];
  const output = new Output(socket, new LineEngine(new Recorder(), OPTIONS), context, {
    onSlow: (limit, owed) => void told.push(`${limit} ${owed}`),
    onDrop: (owed) => void told.push(`drop ${owed}`),
    onBacklog: () => void told.push('backlog'),
    onRelief: () => void told.push('relief'),
  });
  return { socket, output, context, told };
}

const texts = (socket: FakeSocket): string[] => socket.writes.map(String);

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

describe('under a cork', () => {
  test('everything leaves in one write, strings and Buffers in their order', () => {
    const { output, socket, context } = setUp();
    context.cork.begin(null);
    const bytes = Buffer.from('three');
    output.send('one', false);
    output.send('zwölf', false);
    output.send(bytes, true);
    bytes.fill('x');
    output.control('[ping]');
    output.share(new Outgoing('four', false));
    output.next('{"opcode":"next"}');
    expect(socket.writes).toEqual([]);
    context.cork.end();
    expect(texts(socket)).toEqual(['one\nzwölf\nthree\n[ping]four\n{"opcode":"next"}\n']);
    context.cork.begin(null);
    context.cork.end();
    expect(socket.writes).toHaveLength(1);
  });

  test('outputs of several clients are each written once', () => {
    const [a, b] = [setUp(), setUp()];
    const other = new Output(b.socket, b.output.engine, a.context, {
      onSlow() {},
      onDrop() {},
      onBacklog() {},
      onRelief() {},
    });
    a.context.cork.begin(null);
    for (const text of ['1', '2']) {
      a.output.send(text, false);
      other.send(text, false);
    }
    a.context.cork.end();
    expect([texts(a.socket), texts(b.socket)]).toEqual([['1\n2\n'], ['1\n2\n']]);
  });

  test('no more is gathered than fits: above 16 KiB it is written meanwhile, in order', () => {
    const { output, socket, context } = setUp();
    const sent = Array.from({ length: 40 }, (_, i) => `${i}${'x'.repeat(1000)}`);
    context.cork.begin(null);
    for (const text of sent) output.send(text, false);
    expect(socket.writes.length).toBeGreaterThan(0);
    expect(output.waiting).toBeLessThan(16_384);
    context.cork.end();
    expect(socket.writes.length).toBeLessThan(5);
    expect(socket.drop().toString()).toBe(`${sent.join('\n')}\n`);
  });

  test('an action that throws leaves nothing gathered behind', () => {
    const { output, socket, context } = setUp();
    expect(() =>
      context.cork.during(null, () => {
        output.send('kept', false);
        throw new Error('a bug');
      }),
    ).toThrow('a bug');
    expect(texts(socket)).toEqual(['kept\n']);
    output.send('at once', false);
    expect(texts(socket)).toEqual(['kept\n', 'at once\n']);
  });

  test('a cork inside another gathers with it', () => {
    const { output, socket, context } = setUp();
    context.cork.during(null, () => {
      context.cork.during(null, () => output.send('inner', false));
      expect(socket.writes).toEqual([]);
      output.send('outer', false);
    });
    expect(texts(socket)).toEqual(['inner\nouter\n']);
  });
});

test('without a cork each message is written at once', () => {
  const { output, socket } = setUp();
  output.send('one', false);
  output.send('two', false);
  expect(texts(socket)).toEqual(['one\n', 'two\n']);
});

describe('hold until next', () => {
  test('what is sent waits behind the next; control frames do not', () => {
    const { output, socket } = setUp();
    output.arrived(true);
    output.send('one', false);
    output.share(new Outgoing('two', false));
    output.control('[pong]');
    expect(texts(socket)).toEqual(['[pong]']);
    expect(output.waiting).toBe(8);
    output.next('NEXT');
    output.send('three', false);
    expect(texts(socket)).toEqual(['[pong]', 'NEXT\n', 'one\n', 'two\n', 'three\n']);
    expect(output.waiting).toBe(0);
  });

  test('a message that does not hold changes nothing', () => {
    const { output, socket } = setUp();
    output.arrived(false);
    output.send('one', false);
    output.next('NEXT');
    expect(texts(socket)).toEqual(['one\n', 'NEXT\n']);
  });

  test('the end lets out what was held, before the last words', () => {
    const { output, socket } = setUp();
    output.arrived(true);
    output.send('one', false);
    output.finish('CLOSE', '[close]');
    expect(texts(socket)).toEqual(['one\n', 'CLOSE\n', '[close]']);
    expect(socket.calls).toEqual(['end']);
  });

  test('what is held counts against the send queue', () => {
    const { output, told } = setUp({ sendQueue: 100 });
    output.arrived(true);
    expect(output.send('x'.repeat(100), false)).toBe(true);
    expect(output.send('y', false)).toBe(false);
    expect(told).toEqual(['sendQueue 101']);
  });
});

describe('finish', () => {
  test('writes packet, Close frame and FIN; after it nothing is taken', () => {
    const { output, socket } = setUp();
    output.finish('bye', '[close]');
    expect(output.send('late', false)).toBe(false);
    expect(output.share(new Outgoing('late', false))).toBe(false);
    output.next('late');
    output.control('late');
    output.finish('again', '[close]');
    expect(texts(socket)).toEqual(['bye\n', '[close]']);
    expect(socket.calls).toEqual(['end']);
  });

  test('under a cork everything goes before the FIN', () => {
    const { output, socket, context } = setUp();
    context.cork.during(null, () => {
      output.send('one', false);
      output.finish(null, '[close]');
      expect(socket.ended).toBe(true);
    });
    expect(texts(socket)).toEqual(['one\n[close]']);
  });
});

describe('the send queue', () => {
  test('one message of any size is taken; the next one is not, once more than sendQueue waits', () => {
    const { output, socket, told } = setUp({ sendQueue: 1000 });
    socket.blocked = true;
    expect(output.send('x'.repeat(5000), false)).toBe(true);
    expect(output.send('y', false)).toBe(false);
    expect(told).toEqual(['backlog', 'sendQueue 5001']);
    expect(socket.writes).toHaveLength(1);
  });

  test('exactly sendQueue bytes may wait', () => {
    const { output, socket, told } = setUp({ sendQueue: 1000 });
    socket.blocked = true;
    expect(output.send('x'.repeat(999), false)).toBe(true);
    expect(output.waiting).toBe(1000);
    expect(output.send('y', false)).toBe(true);
    expect(output.send('z', false)).toBe(false);
    expect(told.at(-1)).toBe('sendQueue 1002');
  });

  test('what is gathered under a cork counts', () => {
    const { output, context, told } = setUp({ sendQueue: 1000 });
    context.cork.during(null, () => {
      expect(output.send('x'.repeat(1500), false)).toBe(true);
      expect(output.waiting).toBe(1501);
      expect(output.send('y', false)).toBe(false);
    });
    expect(told).toEqual(['sendQueue 1501']);
  });

  test('over half of it: its owner is told to read no more', () => {
    const { output, socket, told } = setUp({ sendQueue: 1000 });
    socket.blocked = true;
    output.send('x'.repeat(499), false);
    expect(told).toEqual([]);
    output.send('', false);
    expect(told).toEqual(['backlog']);
  });

  test('a next goes out whatever waits: the message that it is for is handled', () => {
    const { output, socket, told } = setUp({ sendQueue: 1000 });
    socket.blocked = true;
    output.send('x'.repeat(5000), false);
    output.next('NEXT');
    expect(texts(socket).at(-1)).toBe('NEXT\n');
    expect(told).not.toContainEqual(expect.stringContaining('sendQueue'));
  });

  test('a peer that reads on may be sent any amount', () => {
    const { output, socket, told } = setUp({ sendQueue: 1000 });
    socket.blocked = true;
    for (let i = 0; i < 50; i++) {
      expect(output.send('x'.repeat(400), false)).toBe(true);
      socket.read(1000);
    }
    expect(told).toEqual([]);
  });
});

describe('the write deadline', () => {
  const values = { writeTimeout: 10, sendQueue: 1_000_000 };

  test('a peer that takes nothing for writeTimeout is given up, once', () => {
    const { output, socket, told, context } = setUp(values);
    socket.blocked = true;
    output.send('hello', false);
    jest.advanceTimersByTime(9_900);
    expect(told).toEqual([]);
    jest.advanceTimersByTime(400);
    expect(told).toEqual(['writeTimeout 6']);
    jest.advanceTimersByTime(60_000);
    expect(told).toHaveLength(1);
    expect(context.deadlines.size).toBe(0);
  });

  test('a peer that takes something has its time again, however slow it is', () => {
    const { output, socket, told } = setUp(values);
    socket.blocked = true;
    output.send('x'.repeat(1000), false);
    for (let i = 0; i < 10; i++) {
      jest.advanceTimersByTime(8_000);
      socket.read(1);
    }
    expect(told).toEqual([]);
    jest.advanceTimersByTime(21_000);
    expect(told).toEqual(['writeTimeout 991']);
  });

  test('more messages to a peer that takes nothing win it no time', () => {
    const { output, socket, told } = setUp(values);
    socket.blocked = true;
    for (let i = 0; i < 12; i++) {
      output.send('news', false);
      jest.advanceTimersByTime(1_000);
    }
    expect(told).toHaveLength(1);
    expect(told[0]).toMatch(/^writeTimeout /);
  });

  test('as much waiting as before is no sign that nothing was taken', () => {
    const { output, socket, told } = setUp(values);
    socket.blocked = true;
    output.send('same', false);
    jest.advanceTimersByTime(5_000);
    socket.read(5);
    output.send('same', false);
    jest.advanceTimersByTime(6_000);
    expect(told).toEqual([]);
  });

  test('what is taken at once arms nothing; what has been taken ends it', () => {
    const { output, socket, told, context } = setUp(values);
    output.send('taken', false);
    expect(context.deadlines.size).toBe(0);
    socket.blocked = true;
    output.send('waits', false);
    expect(context.deadlines.size).toBe(1);
    socket.read(100);
    jest.advanceTimersByTime(60_000);
    expect([told, context.deadlines.size]).toEqual([[], 0]);
  });

  test('dispose() disarms it, and what was gathered or held is gone', () => {
    const { output, socket, told, context } = setUp(values);
    socket.blocked = true;
    output.send('waits', false);
    socket.pending = 0;
    output.arrived(true);
    output.send('held', false);
    output.dispose();
    expect([context.deadlines.size, output.waiting]).toEqual([0, 0]);
    output.next('NEXT');
    expect(output.send('late', false)).toBe(false);
    output.flush();
    expect([told, socket.writes.length]).toEqual([[], 1]);
  });
});
