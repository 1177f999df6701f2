import * as fc from 'fast-check';

/** What a `ws` client may be made with, as far as it shows on the wire. */
export interface WsOptions {
  /** Fills the key of each frame; default: random bytes. */
  readonly generateMask: ((key: Buffer) => void) | undefined;
  /** Not spoken yet: once it is, this is where its parameters vary. */
  readonly perMessageDeflate: false;
}

/** Something to be sent. */
export interface Item {
  readonly kind: 'text' | 'binary' | 'ping' | 'pong';
  readonly content: Buffer;
  /** Frames that a message goes in. */
  readonly parts: number;
}

let counter = 0;
const MASKS: readonly WsOptions['generateMask'][] = [
  undefined,
  (key) => key.fill(0),
  (key) => key.fill(0xff),
  (key) => key.writeUInt32BE((counter += 0x01030507) >>> 0),
  (key) => key.set([0, 0, 0, 1]),
];

export const wsOptions: fc.Arbitrary<WsOptions> = fc.record({
  generateMask: fc.constantFrom(...MASKS),
  perMessageDeflate: fc.constant(false as const),
});

const BORDERS = [0, 1, 2, 124, 125, 126, 127, 128, 255, 256, 65_534, 65_535, 65_536, 65_537, 100_000];
const length = fc.oneof({ weight: 3, arbitrary: fc.nat(300) }, fc.constantFrom(...BORDERS));
const PATTERN = Buffer.from('aä€🙂'.repeat(10_001));

/** Text of at most so many bytes. */
function textOf(bytes: number): Buffer {
  let end = bytes;
  while ((PATTERN[end] & 0xc0) === 0x80) end--;
  return PATTERN.subarray(0, end);
}

const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 60 }).map((content) => Buffer.from(content)),
  length.map(textOf),
  length.map((bytes) => Buffer.alloc(bytes, 'abc')),
);
const binary = fc.oneof(
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  length.map((bytes) => Buffer.alloc(bytes, Buffer.from([0, 255, 0x80, 7, 0xc3]))),
);
const short = binary.map((bytes) => bytes.subarray(0, 125));
const parts = fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 5 }));

export const item: fc.Arbitrary<Item> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('text' as const), content: text, parts }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('binary' as const), content: binary, parts }) },
  fc.record({ kind: fc.constantFrom('ping' as const, 'pong' as const), content: short, parts: fc.constant(1) }),
);

/** A Close frame; null: one without a code. */
export const closing: fc.Arbitrary<{ readonly code: number; readonly reason: string } | null> = fc.option(
  fc.record({
    code: fc.constantFrom(1000, 1001, 1003, 1008, 1011, 1014, 3000, 3999, 4000, 4999),
    reason: fc.oneof(
      fc.constantFrom('', 'Tschüß 🙂'),
      fc.nat(123).map((bytes) => textOf(bytes).toString()),
    ),
  }),
);

/** The pieces that an item is cut into, of any size, empty ones too. */
export function pieces({ content, parts: count }: Item): Buffer[] {
  return Array.from({ length: count }, (_, i) => {
    const from = Math.floor((content.length * i) / count);
    return Buffer.from(content.subarray(from, Math.floor((content.length * (i + 1)) / count)));
  });
}
