import { randomInt } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import type { Engine, EngineOptions, Receiver } from '../../src/wire/engine.ts';
import { LineEngine } from '../../src/wire/lines.ts';
import { WebSocketEngine } from '../../src/wire/rfc6455.ts';
import { feed, OPTIONS } from '../support/feed.ts';
import { type Found, frame, Recorder } from '../support/frames.ts';
import { keptBytes } from '../support/kept.ts';
import {
  type Arrival,
  arrival,
  frameSession,
  limits,
  lineSession,
  mutated,
  noise,
  Script,
  type Session,
  switchesRaw,
} from './models.ts';
import { framesFound, linesFound } from './oracle.ts';

/** From the environment, so that what was found is found again: a whole number. */
function setting(name: string, otherwise: number): number {
  const value = Number(process.env[name] ?? otherwise);
  if (!Number.isInteger(value)) throw new Error(`${name}=${process.env[name]} is not a whole number`);
  return value;
}

const SEED = setting('WEBSOCK_SEED', randomInt(2 ** 31));
const RUNS = setting('WEBSOCK_RUNS', 100_000);
process.stdout.write(`fuzz: WEBSOCK_SEED=${SEED} WEBSOCK_RUNS=${RUNS}\n`);

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Bytes that nothing can free. */
function memoryUsed(): number {
  // Twice: what a Buffer's memory comes from may outlive the first.
  collect();
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

interface Framing {
  readonly name: string;
  readonly create: (receiver: Receiver, options: EngineOptions) => Engine;
  readonly session: (script: Script) => Session;
  readonly oracle: typeof framesFound;
  /** What an engine may keep beside a message: a header, and a control frame that is not whole. */
  readonly header: number;
  /** What sessions end with. */
  readonly ends: readonly string[];
  /** What a peer may send for ever. */
  readonly endless: { readonly first: Buffer; readonly again: Buffer };
}

const FRAMINGS: readonly Framing[] = [
  {
    name: 'WebSocketEngine',
    create: (receiver, options) => new WebSocketEngine(receiver, options),
    session: frameSession,
    oracle: framesFound,
    header: 14 + 125,
    ends: ['message', 'ping', 'pong', 'close', 'protocol', 'utf8', 'maxPayload', 'maxFragments', 'nothing'],
    endless: {
      first: frame({ fin: false, payload: 'x' }),
      again: Buffer.concat([frame({ op: 0, fin: false }), frame({ op: 9, payload: 'ping' }), frame({ op: 10 })]),
    },
  },
  {
    name: 'LineEngine',
    create: (receiver, options) => new LineEngine(receiver, options),
    session: lineSession,
    oracle: linesFound,
    header: 1,
    ends: ['message', 'utf8', 'maxPayload', 'nothing'],
    endless: { first: Buffer.alloc(0), again: Buffer.from('one\ntwo\r\n\n') },
  },
];

/** Of a peer that goes on for ever. */
const CHUNKS = 500_000;

function same(one: readonly Found[], other: readonly Found[]): boolean {
  return (
    one.length === other.length &&
    one.every((item, i) => {
      const its = Object.entries(item);
      return its.every(([key, value]) => (other[i] as Record<string, unknown>)[key] === value);
    })
  );
}

/** `toEqual` costs more than all the rest, so it speaks only where there is something to say. */
function expectSame(found: readonly Found[], expected: readonly Found[]): void {
  if (!same(found, expected)) expect(found).toEqual(expected);
}

/** The memory of a message is whole pages, with room for a header (`spare.ts`). */
const ROUNDING = 4096 + 64;

/** What an engine finds. After each chunk it keeps no more than it may, and nothing when it has ended. */
function decoded(framing: Framing, bytes: Buffer, { sizes, turns }: Arrival, options: EngineOptions): Found[] {
  let expectKept: (most: number) => void = () => {};
  const make = (recorder: Recorder): Engine => {
    const engine = framing.create(recorder, options);
    recorder.inMessage = (index) => {
      const item = recorder.found[index] as { message: string };
      engine.raw = switchesRaw(item.message) ?? engine.raw;
    };
    expectKept = (most) => {
      const kept = keptBytes(engine, recorder, options);
      if (kept > most) expect(kept).toBeLessThanOrEqual(most);
    };
    return engine;
  };
  const most = options.maxPayload + framing.header + ROUNDING;
  const recorder = feed(make, bytes, sizes, turns, (given) => expectKept(most + given));
  expectKept(0);
  return recorder.all();
}

describe.each(FRAMINGS)('$name, fuzzed', (framing) => {
  const script = fc.uint8Array({ minLength: 1, maxLength: 48, size: 'max' });
  const short = fc.uint8Array({ minLength: 1, maxLength: 12, size: 'max' });
  /** How often what was found, to show that the models reach it. */
  const seen: Record<string, number> = {};
  const count = (items: readonly Found[]): void => {
    const last = items.at(-1);
    const what = last === undefined ? 'nothing' : 'fault' in last ? last.fault : Object.keys(last)[0];
    seen[what] = (seen[what] ?? 0) + 1;
  };
  const check = (bytes: Buffer, arrives: Arrival, options: EngineOptions): void => {
    const expected = framing.oracle(bytes, options, switchesRaw);
    expectSame(decoded(framing, bytes, arrives, options), expected);
    count(expected);
  };
  const run = (property: fc.IPropertyWithHooks<unknown>): void => fc.assert(property, { seed: SEED, numRuns: RUNS });

  test('valid sessions, in any chunks and with any holds: what was sent, as the oracle has it', () => {
    run(
      fc.property(script, short, (content, ways) => {
        const { bytes, found: sent } = framing.session(new Script(content));
        expectSame(framing.oracle(bytes, OPTIONS), sent);
        expectSame(decoded(framing, bytes, arrival(new Script(ways), bytes.length), OPTIONS), sent);
      }),
    );
  });

  test('sessions with something wrong in them: what came before it, and the same fault as the oracle', () => {
    run(
      fc.property(script, short, short, (content, changes, ways) => {
        const way = new Script(ways);
        const bytes = mutated(new Script(changes), framing.session(new Script(content)));
        const options = limits(way);
        check(bytes, arrival(way, bytes.length), options);
      }),
    );
  });

  test('any bytes: never an error, nor more memory than a message may take; what the oracle finds in them', () => {
    run(
      fc.property(script, short, (content, ways) => {
        const way = new Script(ways);
        const bytes = noise(new Script(content));
        const options = limits(way);
        check(bytes, arrival(way, bytes.length), options);
      }),
    );
  });

  test('the models reach every kind of end', () => {
    // So rare that a thousand runs may well miss it.
    const rarely = RUNS < 10_000 ? 0 : RUNS / 1000;
    for (const end of framing.ends) expect([end, (seen[end] ?? 0) >= rarely]).toEqual([end, true]);
    expect(Object.keys(seen).filter((end) => !framing.ends.includes(end))).toEqual([]);
  });

  test('a peer that goes on for ever leaves nothing behind in the process', () => {
    const { first, again } = framing.endless;
    let heard = 0;
    const hears = (): void => void heard++;
    const receiver: Receiver = {
      onMessage: () => ++heard > 0,
      onPing: hears,
      onPong: hears,
      onCloseFrame: hears,
      onFault: hears,
    };
    const engine = framing.create(receiver, OPTIONS);
    engine.decode(first);
    const growths = Array.from({ length: 4 }, () => {
      const before = memoryUsed();
      for (let i = 0; i < CHUNKS; i++) engine.decode(Buffer.from(again));
      return memoryUsed() - before;
    });
    // Four bytes for each chunk, every time; what the process makes for itself, some 100 KB, it makes once or twice.
    expect(Math.min(...growths)).toBeLessThan(2 * CHUNKS);
    expect(heard).toBeGreaterThanOrEqual(4 * 2 * CHUNKS);
  });
});
