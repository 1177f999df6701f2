import { randomBytes } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import type { Engine, EngineOptions, Receiver } from '../../src/wire/engine.ts';
import { feed, OPTIONS } from '../support/feed.ts';
import { Recorder } from '../support/frames.ts';
import { keptBytes } from '../support/kept.ts';

/** An implementation of Engine, and how to speak to it. */
export interface EngineUnderTest {
  readonly name: string;
  create(receiver: Receiver, options: EngineOptions): Engine;
  /** A message of one ASCII text as a peer sends it. */
  readonly text: (content: string) => Buffer;
  /** What an engine refers to that is not its own. */
  readonly shared?: (engine: Engine) => object[];
}

/** What every implementation of Engine must do; fuzz.test.ts shows that it does so with whatever comes, in any chunks. */
export function engineContract(under: EngineUnderTest): void {
  const make = (receiver: Receiver): Engine => under.create(receiver, OPTIONS);
  const kept = (engine: Engine, recorder: Recorder): number =>
    keptBytes(engine, recorder, OPTIONS, ...(under.shared?.(engine) ?? []));

  describe(`${under.name}: the contract of Engine`, () => {
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

    test('midway: from the first byte of a message to its last, not while it is held; completed counts them', () => {
      const engine = make(new Recorder());
      const seen = [engine.midway];
      for (const byte of under.text('ab')) {
        engine.decode(Buffer.from([byte]));
        seen.push(engine.midway);
      }
      expect(seen).toEqual([false, ...Array.from(under.text('ab').subarray(1), () => true), false]);
      expect(engine.completed).toBe(1);
      engine.decode(Buffer.concat([under.text('c'), under.text('d').subarray(0, 1)]));
      expect([engine.midway, engine.completed]).toEqual([true, 2]);
      engine.hold();
      expect(engine.midway).toBe(false);
      engine.resume();
      expect(engine.midway).toBe(true);
      engine.stop();
      expect(engine.midway).toBe(false);
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

    test('stop() in the middle of a message: nothing of it is kept', () => {
      const recorder = new Recorder();
      const engine = make(recorder);
      // Text that does not get much shorter, however it is packed.
      const text = under.text(randomBytes(10_000).toString('hex'));
      engine.decode(text.subarray(0, text.length / 2));
      expect(kept(engine, recorder)).toBeGreaterThan(4_000);
      engine.stop();
      expect(kept(engine, recorder)).toBe(0);
    });

    test('resume() keeps what has not been decoded, and lets go of the rest of the chunk', () => {
      const recorder = new Recorder();
      const engine = make(recorder);
      const message = under.text('x'.repeat(100));
      engine.hold();
      engine.decode(Buffer.concat([...Array.from({ length: 100 }, () => message), message.subarray(0, 1)]));
      engine.resume();
      expect(recorder.found).toHaveLength(100);
      expect(kept(engine, recorder)).toBe(1);
      engine.decode(message.subarray(1));
      expect(recorder.found).toHaveLength(101);
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
