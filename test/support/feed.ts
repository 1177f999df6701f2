import { expect } from '@jest/globals';
import type { Engine, EngineOptions, Receiver } from '../../src/wire/engine.ts';
import { WebSocketEngine } from '../../src/wire/rfc6455.ts';
import { type Found, hex, Recorder } from './frames.ts';

export const OPTIONS: EngineOptions = { maxPayload: 1 << 20, maxFragments: 0, rawPrefix: null };

/**
 * Feeds `bytes` in chunks of these sizes, again and again, each spoilt after its call, and the peer's FIN.
 * @param turns asked in turn, after a message whether to go on, after a chunk whether to go on at last.
 * @param watch called after each chunk, with the bytes that the engine was given while it is held.
 * @returns what `engineOf` finds.
 */
export function feed(
  engineOf: (receiver: Recorder) => Engine,
  bytes: Buffer,
  sizes: readonly number[],
  turns: readonly boolean[] = [true],
  watch?: (given: number) => void,
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
  let given = 0;
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const chunk = Buffer.from(bytes.subarray(at, at + sizes[i % sizes.length]));
    at += chunk.length;
    given += chunk.length;
    engine.decode(chunk);
    chunk.fill(0xff);
    if (recorder.held && goesOn()) release();
    if (!recorder.held) given = 0;
    watch?.(given);
  }
  recorder.holds = () => false;
  if (recorder.held) release();
  engine.end();
  return recorder;
}

/** What a WebSocketEngine finds in `bytes`: the same in any chunks. */
export function decode(bytes: Buffer | string, options: Partial<EngineOptions> = {}): Found[] {
  const input = typeof bytes === 'string' ? hex(bytes) : bytes;
  const make = (receiver: Receiver): Engine => new WebSocketEngine(receiver, { ...OPTIONS, ...options });
  const whole = feed(make, input, [input.length + 1]).all();
  for (const sizes of [[1], [3], [2, 5]]) expect(feed(make, input, sizes).all()).toEqual(whole);
  return whole;
}

/** How many bytes a WebSocketEngine must see before it finds fault, and with what; null: it never does. */
export function faultAfter(
  bytes: Buffer,
  options: Partial<EngineOptions> = {},
): { at: number; fault: string; text: string } | null {
  const recorder = new Recorder();
  const engine = new WebSocketEngine(recorder, { ...OPTIONS, ...options });
  for (let i = 0; i < bytes.length; i++) {
    engine.decode(Buffer.from([bytes[i]]));
    const last = recorder.found.at(-1);
    if (last !== undefined && 'fault' in last) return { at: i + 1, fault: last.fault, text: recorder.texts[0] };
  }
  return null;
}
