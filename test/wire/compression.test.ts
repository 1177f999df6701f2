import { randomBytes } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { type Codec, CompressionError, type Deflater, type Inflater } from '../../src/wire/codec.ts';
import { Compression } from '../../src/wire/compression.ts';
import { WebSocketEngine } from '../../src/wire/rfc6455.ts';
import { handleCodec } from '../../src/wire/zlibhandle.ts';
import { agree, deflated, SETTINGS } from '../support/deflating.ts';
import { clientClose, frame, hex, Recorder } from '../support/frames.ts';
import { OPTIONS } from '../support/feed.ts';

const SHARED = { ...SETTINGS, contextTakeover: false };
/** `Hello`, compressed: what is decoded is overwritten. */
const hello = (): Buffer => frame({ rsv: 4, payload: hex('f248cdc9c90700') });
const TEXT = 'a text, a text, a text';

/** zlib, and how much of it there is. `spoil` is done to what is made. */
function counted(spoil: (part: Deflater | Inflater) => void = () => {}) {
  const made = { deflaters: 0, inflaters: 0, closed: 0 };
  const watch = <Part extends Deflater | Inflater>(part: Part): Part => {
    const close = part.close.bind(part);
    let open = true;
    part.close = () => {
      if (!open) throw new Error('closed twice');
      open = false;
      made.closed++;
      close();
    };
    spoil(part);
    return part;
  };
  const codec: Codec = {
    takeover: true,
    deflater: (...values) => {
      made.deflaters++;
      return watch(handleCodec.deflater(...values));
    },
    inflater: (bits) => {
      made.inflaters++;
      return watch(handleCodec.inflater(bits));
    },
  };
  return { made, compression: new Compression(codec) };
}

function connect(compression: Compression, offer = 'permessage-deflate', settings = SHARED) {
  const { deflate } = agree({ compression, offer, settings });
  const recorder = new Recorder();
  const engine = new WebSocketEngine(recorder, OPTIONS, deflate);
  return { deflate, engine, recorder };
}

describe('without context takeover', () => {
  test('everyone with the same parameters has the same object, and idle ones no zlib', () => {
    const { made, compression } = counted();
    const crowd = Array.from({ length: 1000 }, () => connect(compression));
    expect(new Set(crowd.map(({ deflate }) => deflate)).size).toBe(1);
    expect(made).toEqual({ deflaters: 0, inflaters: 0, closed: 0 });
    for (const { engine, deflate, recorder } of crowd) {
      engine.decode(hello());
      expect(recorder.found).toEqual([{ message: 'Hello', binary: false }]);
      expect(deflate.frame(TEXT, false, true)).not.toBeNull();
    }
    expect(made).toEqual({ deflaters: 1, inflaters: 1, closed: 0 });
    for (const { engine } of crowd) engine.stop();
    expect(made.closed).toBe(0);
  });

  test('the key is the same where the frames are, and only there', () => {
    const compression = new Compression(handleCodec);
    const key = (offer: string, settings = {}): string =>
      agree({ compression, offer, settings: { ...SHARED, ...settings } }).deflate.key;
    const plain = key('permessage-deflate');
    expect(key('permessage-deflate; client_max_window_bits')).toBe(plain);
    expect(key('permessage-deflate; client_max_window_bits=9')).toBe(plain);
    expect(key('permessage-deflate; server_max_window_bits=15')).toBe(plain);
    expect(key('permessage-deflate; server_no_context_takeover', { contextTakeover: true })).toBe(plain);
    const others = [
      key('permessage-deflate; server_max_window_bits=9'),
      key('permessage-deflate', { level: 1 }),
      key('permessage-deflate', { threshold: 1 }),
    ];
    expect(new Set([plain, ...others]).size).toBe(4);
    expect([plain, ...others]).not.toContain('');
    expect(key('permessage-deflate', { contextTakeover: true })).toBe('');
    expect(key('permessage-deflate; client_no_context_takeover', { contextTakeover: true })).toBe('');
  });

  test('a message whose bytes are still arriving has a decompressor of its own, and gives it back', () => {
    const { made, compression } = counted();
    const crowd = Array.from({ length: 100 }, () => connect(compression));
    for (const { engine } of crowd) engine.decode(hello().subarray(0, 9));
    expect(made).toEqual({ deflaters: 0, inflaters: 100, closed: 0 });
    for (const { engine } of crowd) engine.decode(hello().subarray(9));
    for (const { recorder } of crowd) expect(recorder.all()).toEqual([{ message: 'Hello', binary: false }]);
    // Some are kept for the next, the rest is not.
    expect(made).toEqual({ deflaters: 0, inflaters: 100, closed: 84 });
    for (const { engine } of crowd) engine.decode(hello());
    expect(made.inflaters).toBe(100);
  });

  test('who leaves, is stopped, or is at fault in the middle of a message gives it back, as good as new', () => {
    const { made, compression } = counted();
    const endings: ((engine: WebSocketEngine) => void)[] = [
      (engine) => engine.stop(),
      (engine) => engine.end(),
      (engine) => engine.decode(clientClose(1000)),
      (engine) => engine.decode(frame({ rsv: 1 })),
      (engine) => engine.decode(frame({ payload: 'not a continuation' })),
      (engine) => engine.decode(frame({ rsv: 4, payload: hex('ff') })),
    ];
    for (const end of endings) {
      const { engine } = connect(compression);
      engine.decode(hello().subarray(0, 9));
      end(engine);
      engine.stop();
    }
    const spoilt = connect(compression);
    spoilt.engine.decode(frame({ rsv: 4, payload: hex('07') }));
    expect(spoilt.recorder.found).toEqual([{ fault: 'deflate' }]);
    const { engine, recorder } = connect(compression);
    engine.decode(hello());
    expect(recorder.found).toEqual([{ message: 'Hello', binary: false }]);
    expect(made).toEqual({ deflaters: 0, inflaters: 1, closed: 0 });
  });

  test('inside of a message another one can be inflated, and the first stays what it was', () => {
    const compression = new Compression(handleCodec);
    const outer = connect(compression);
    const inner = connect(compression);
    const seen: string[] = [];
    const receiver = Object.assign(new Recorder(), {
      onMessage: (b: Buffer, start: number, end: number): boolean => {
        inner.engine.decode(frame({ rsv: 4, payload: deflated('something else') }));
        seen.push(b.toString('latin1', start, end));
        return true;
      },
    });
    const engine = new WebSocketEngine(receiver, OPTIONS, outer.deflate);
    for (let i = 0; i < 3; i++) engine.decode(hello());
    expect(seen).toEqual(['Hello', 'Hello', 'Hello']);
    expect(inner.recorder.found).toHaveLength(3);
  });

  test('a message that stops its own connection is still there for who got it', () => {
    const compression = new Compression(handleCodec);
    const { deflate } = connect(compression);
    const seen: string[] = [];
    const engine: WebSocketEngine = new WebSocketEngine(
      Object.assign(new Recorder(), {
        onMessage: (b: Buffer, start: number, end: number): boolean => {
          engine.stop();
          connect(compression).engine.decode(frame({ rsv: 4, payload: deflated('something else') }));
          seen.push(b.toString('latin1', start, end));
          return false;
        },
      }),
      OPTIONS,
      deflate,
    );
    engine.decode(Buffer.concat([hello(), hello()]));
    expect(seen).toEqual(['Hello']);
  });
});

describe('with context takeover', () => {
  test('zlib is made at the first message in its direction, and closed at the end of its connection', () => {
    const { made, compression } = counted();
    const crowd = Array.from({ length: 10 }, () => connect(compression, 'permessage-deflate', SETTINGS));
    expect(made).toEqual({ deflaters: 0, inflaters: 0, closed: 0 });
    for (const { engine } of crowd) {
      engine.decode(hello());
      engine.decode(frame({ rsv: 4, payload: hex('f200110000') }));
    }
    expect(made).toEqual({ deflaters: 0, inflaters: 10, closed: 0 });
    for (const { deflate } of crowd) for (let i = 0; i < 3; i++) deflate.frame(TEXT, false, true);
    expect(made).toEqual({ deflaters: 10, inflaters: 10, closed: 0 });
    for (const { engine } of crowd) engine.stop();
    expect(made.closed).toBe(20);
    for (const { engine, deflate } of crowd) {
      engine.stop();
      expect(deflate.frame(TEXT, false, true)).toBeNull();
    }
    expect(made).toEqual({ deflaters: 10, inflaters: 10, closed: 20 });
  });

  test('a message in the middle, a fault, a stop inside of a message: closed, once', () => {
    const { made, compression } = counted();
    const middle = connect(compression, 'permessage-deflate', SETTINGS);
    middle.engine.decode(hello().subarray(0, 9));
    middle.engine.stop();
    const fault = connect(compression, 'permessage-deflate', SETTINGS);
    fault.engine.decode(frame({ rsv: 4, payload: hex('07') }));
    const inside = connect(compression, 'permessage-deflate', SETTINGS);
    inside.recorder.inMessage = () => inside.engine.stop();
    inside.engine.decode(hello());
    expect(made).toEqual({ deflaters: 0, inflaters: 3, closed: 3 });
  });

  test('in one direction alone, the other is shared', () => {
    const { made, compression } = counted();
    const one = connect(compression, 'permessage-deflate; server_no_context_takeover', SETTINGS);
    const two = connect(compression, 'permessage-deflate; server_no_context_takeover', SETTINGS);
    for (const { engine, deflate } of [one, two]) {
      engine.decode(hello());
      deflate.frame(TEXT, false, true);
    }
    expect(made).toEqual({ deflaters: 1, inflaters: 2, closed: 0 });
    one.engine.stop();
    two.engine.stop();
    expect(made.closed).toBe(2);
    expect(one.deflate.frame(TEXT, false, true)).not.toBeNull();
  });
});

describe('where zlib fails', () => {
  test('to compress: an error of that message; the next is compressed by a new one', () => {
    let broken = true;
    const { made, compression } = counted((part) => {
      if (!broken || !('compress' in part)) return;
      part.compress = () => {
        throw new CompressionError('no memory');
      };
    });
    const { deflate } = connect(compression);
    expect(() => deflate.frame(TEXT, false, true)).toThrow(new CompressionError('no memory'));
    broken = false;
    expect(deflate.frame(TEXT, false, true)).not.toBeNull();
    expect(made).toEqual({ deflaters: 2, inflaters: 0, closed: 1 });
  });

  test('to be reset: it is thrown away, and who gave it back hears of it', () => {
    const { made, compression } = counted((part) => {
      if (!('inflate' in part)) return;
      part.reset = () => {
        throw new CompressionError('no reset');
      };
    });
    const { engine, recorder } = connect(compression);
    expect(() => engine.decode(hello())).toThrow('no reset');
    expect(recorder.found).toEqual([{ message: 'Hello', binary: false }]);
    expect(made).toEqual({ deflaters: 0, inflaters: 1, closed: 1 });
  });
});

test('what is kept of a large message is that message, and nothing of the buffers it came through', () => {
  const compression = new Compression(handleCodec);
  const bytes = randomBytes(200_000);
  const { engine, recorder } = connect(compression);
  const sizes: number[] = [];
  const onMessage = recorder.onMessage.bind(recorder);
  recorder.onMessage = (...values) => {
    sizes.push(values[0].buffer.byteLength);
    return onMessage(...values);
  };
  engine.decode(frame({ op: 2, rsv: 4, payload: deflated(bytes) }));
  expect(sizes).toEqual([bytes.length]);
  expect(recorder.all()).toEqual([{ message: bytes.toString('latin1'), binary: true }]);
});
