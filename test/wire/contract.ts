import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import type { Engine, EngineOptions, Receiver } from '../../src/wire/engine.ts';
import { type Found, Recorder } from '../support/frames.ts';

/** What a peer sends, and what is in it. */
export interface Session {
  readonly bytes: Buffer;
  readonly found: readonly Found[];
}

/** An implementation of Engine, and how to speak to it. */
export interface EngineUnderTest {
  readonly name: string;
  create(receiver: Receiver, options: EngineOptions): Engine;
  /** Valid sessions. */
  readonly sessions: fc.Arbitrary<Session>;
  /** Bytes that may be anything, better if they resemble what is spoken. */
  readonly noise: fc.Arbitrary<Buffer>;
  /** A message of one ASCII text as a peer sends it. */
  readonly text: (content: string) => Buffer;
}

export const OPTIONS: EngineOptions = { maxPayload: 1 << 20, maxFragments: 0, rawPrefix: null };

/** Cuts `bytes` into chunks of these sizes, again and again. */
function* cut(bytes: Buffer, sizes: readonly number[]): Generator<Buffer> {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length];
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

/** Feeds `bytes` in chunks that are spoilt after each call; `false` in `turns` holds, or leaves it held. */
export function feed(
  engineOf: (receiver: Receiver) => Engine,
  bytes: Buffer,
  sizes: readonly number[],
  turns: readonly boolean[] = [true],
): Recorder {
  const recorder = new Recorder();
  const engine = engineOf(recorder);
  let turn = 0;
  const goesOn = (): boolean => turns[turn++ % turns.length];
  recorder.holds = () => !goesOn();
  const release = (): void => {
    recorder.held = false;
    engine.resume();
  };
  for (const chunk of cut(bytes, sizes)) {
    const own = Buffer.from(chunk);
    engine.decode(own);
    own.fill(0xff);
    if (recorder.held && goesOn()) release();
  }
  recorder.holds = () => false;
  if (recorder.held) release();
  engine.end();
  return recorder;
}

const sizes = fc.oneof(
  fc.constant([1]),
  fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 8 }),
  fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 8 }),
);
const turns = fc.array(fc.boolean(), { minLength: 1, maxLength: 12 });

/** What every implementation of Engine must do. */
export function engineContract(under: EngineUnderTest): void {
  const make = (receiver: Receiver): Engine => under.create(receiver, OPTIONS);

  describe(`${under.name}: the contract of Engine`, () => {
    test('any chunks and any holds give the messages that were sent; the chunks may be overwritten', () => {
      fc.assert(
        fc.property(under.sessions, sizes, turns, (session, chunks, holds) => {
          expect(feed(make, session.bytes, chunks, holds).all()).toEqual(session.found);
        }),
        { numRuns: 200 },
      );
    });

    test('one chunk that holds the whole session gives the same', () => {
      fc.assert(
        fc.property(under.sessions, turns, (session, holds) => {
          expect(feed(make, session.bytes, [session.bytes.length + 1], holds).all()).toEqual(session.found);
        }),
        { numRuns: 100 },
      );
    });

    test('whatever the bytes are: the same in one chunk and byte by byte, and nothing after a fault', () => {
      fc.assert(
        fc.property(under.noise, turns, (bytes, holds) => {
          const whole = feed(make, bytes, [bytes.length + 1], holds).all();
          expect(feed(make, bytes, [1], holds).all()).toEqual(whole);
          const last = whole.findIndex((item) => 'fault' in item || 'close' in item);
          expect(last === -1 ? 0 : whole.length - 1 - last).toBe(0);
        }),
        { numRuns: 250 },
      );
    });

    test('hold() keeps everything that comes, resume() hands it over in order', () => {
      const recorder = new Recorder();
      const engine = make(recorder);
      engine.hold();
      const chunk = Buffer.concat([under.text('one'), under.text('two')]);
      engine.decode(chunk.subarray(0, 4));
      engine.decode(chunk.subarray(4));
      engine.decode(under.text('three'));
      expect(recorder.found).toEqual([]);
      engine.resume();
      expect(recorder.found.map((item) => 'message' in item && item.message)).toEqual(['one', 'two', 'three']);
      engine.decode(under.text('four'));
      expect(recorder.found).toHaveLength(4);
    });

    test('a receiver that returns false gets one message at a time', () => {
      const recorder = new Recorder();
      const engine = make(recorder);
      recorder.holds = () => true;
      engine.decode(Buffer.concat(['a', 'b', 'c'].map(under.text)));
      for (const count of [1, 2, 3, 3]) {
        expect(recorder.found).toHaveLength(count);
        recorder.held = false;
        engine.resume();
      }
      expect(recorder.all()).toEqual(['a', 'b', 'c'].map((message) => ({ message, binary: false })));
    });

    test('hold() inside a message holds the next one of the same chunk', () => {
      const recorder = new Recorder();
      const engine = make(recorder);
      recorder.inMessage = () => engine.hold();
      engine.decode(Buffer.concat([under.text('a'), under.text('b')]));
      expect(recorder.found).toHaveLength(1);
      engine.resume();
      expect(recorder.found).toHaveLength(2);
    });

    test('stop() inside a message: nothing more is decoded, not even after resume()', () => {
      const recorder = new Recorder();
      const engine = make(recorder);
      recorder.inMessage = () => engine.stop();
      engine.decode(Buffer.concat([under.text('a'), under.text('b')]));
      engine.decode(under.text('c'));
      engine.resume();
      engine.end();
      expect(recorder.found).toEqual([{ message: 'a', binary: false }]);
    });

    test('stop() throws away what was held', () => {
      const recorder = new Recorder();
      const engine = make(recorder);
      engine.hold();
      engine.decode(under.text('a'));
      engine.stop();
      engine.resume();
      engine.end();
      expect(recorder.found).toEqual([]);
    });

    test('a message of exactly maxPayload is taken, one byte more is a fault', () => {
      for (const size of [1, 100, 126, 1000]) {
        const limited = (receiver: Receiver): Engine => under.create(receiver, { ...OPTIONS, maxPayload: size });
        for (const chunks of [[1], [7], [5000]]) {
          const fits = feed(limited, under.text('x'.repeat(size)), chunks);
          expect(fits.all()).toEqual([{ message: 'x'.repeat(size), binary: false }]);
          expect(feed(limited, under.text('x'.repeat(size + 1)), chunks).all()).toEqual([{ fault: 'maxPayload' }]);
        }
      }
    });
  });
}
