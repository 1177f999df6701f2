import type { EngineOptions } from '../../src/wire/engine.ts';
import { type Found, hex } from '../support/frames.ts';

/**
 * Decisions, one byte each; when they have run out, all are 0. A session made from a script is cheap to make, and
 * shrinks as its script does.
 */
export class Script {
  private readonly bytes: Uint8Array;
  private at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get over(): boolean {
    return this.at >= this.bytes.length;
  }

  /** 0 to 255. */
  byte(): number {
    return this.at < this.bytes.length ? this.bytes[this.at++] : 0;
  }

  /** 0 to `count - 1`. */
  below(count: number): number {
    return this.byte() % count;
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.byte() % items.length];
  }
}

/** What a peer sends, and what is in it. */
export interface Session {
  readonly bytes: Buffer;
  readonly found: readonly Found[];
  /** Where its frames, or lines, begin. */
  readonly starts: readonly number[];
}

// ---- contents

/** Characters of every width, the first and the last of each, and what else has tripped decoders. */
const CHARACTERS =
  'a|\0|\x7f|{|\u0080|ü|\u07ff|\u0800|€|\ud7ff|\ue000|\ufeff|\uffff|\u{10000}|🙂|👩‍👩‍👧‍👦|\u{10ffff}|bufferON|bufferOFF'
    .split('|')
    .map((text) => Buffer.from(text));
const LENGTHS = [0, 1, 2, 3, 4, 7, 15, 16, 17, 31, 64, 124, 125, 126, 127, 128, 255, 256, 1000];
const LONG_LENGTHS = [65_535, 65_536, 65_537, 70_001];
/** Text of every length, in characters of one byte and of all. */
const PATTERNS = ['x', 'ä€🙂x'].map((pattern) => Buffer.from(pattern.repeat(80_000 / pattern.length)));
const BYTES = Buffer.from(Array.from({ length: 80_000 }, (_, i) => (i * 167 + (i >> 8) * 13) & 255));

function lengthOf(script: Script): number {
  // One in a thousand: they cost as much as a hundred others.
  const isLong = script.byte() === 255 && script.byte() >= 192;
  return script.pick(isLong ? LONG_LENGTHS : LENGTHS);
}

/** `bytes` up to a character's end, at or before `length`. */
function cutText(bytes: Buffer, length: number): Buffer {
  let end = length;
  while ((bytes[end] & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end);
}

function textOf(script: Script): Buffer {
  const kind = script.below(4);
  if (kind > 1) return cutText(PATTERNS[kind - 2], lengthOf(script));
  const parts: Buffer[] = [];
  for (let count = script.below(kind === 0 ? 3 : 12); count > 0; count--) parts.push(script.pick(CHARACTERS));
  return Buffer.concat(parts);
}

function bytesOf(script: Script, limit: number): Buffer {
  const length = Math.min(lengthOf(script), limit);
  return BYTES.subarray(script.byte(), BYTES.length).subarray(0, length);
}

// ---- frames

/** Frames are written here, one session after the other. */
const page = Buffer.alloc(1 << 21);

class Frames {
  readonly starts: number[] = [];
  private end = 0;

  get bytes(): Buffer {
    return page.subarray(0, this.end);
  }

  /** A client's frame, by the plainest possible code. */
  put(script: Script, op: number, fin: boolean, payload: Buffer): void {
    const { length } = payload;
    this.starts.push(this.end);
    page[this.end++] = (fin ? 0x80 : 0) | op;
    page[this.end++] = 0x80 | (length < 126 ? length : length < 65536 ? 126 : 127);
    if (length > 65535) this.end = page.writeBigUInt64BE(BigInt(length), this.end);
    else if (length > 125) this.end = page.writeUInt16BE(length, this.end);
    const k = script.byte();
    // 0 is the key 00000000, which masks nothing.
    const key = [k, (k * 7) & 255, (k * 31) & 255, (k * 101) & 255];
    for (const byte of key) page[this.end++] = byte;
    for (let i = 0; i < length; i++) page[this.end + i] = payload[i] ^ key[i & 3];
    this.end += length;
  }
}

function putControl(script: Script, frames: Frames, found: Found[]): void {
  const op = script.pick([9, 10]);
  const payload = bytesOf(script, 125);
  frames.put(script, op, true, payload);
  const content = payload.toString('latin1');
  found.push(op === 9 ? { ping: content } : { pong: content });
}

/** One message: in up to five fragments, empty ones too, control frames between them. */
function putMessage(script: Script, frames: Frames, found: Found[]): void {
  const binary = script.below(3) === 2;
  const payload = binary ? bytesOf(script, BYTES.length) : textOf(script);
  const shape = script.byte();
  const cuts = shape < 128 ? 0 : 1 + (shape % 4);
  let at = 0;
  for (let i = 0; i <= cuts; i++) {
    const left = payload.length - at;
    const size = i === cuts ? left : Math.floor((left * script.below(9)) / 8);
    frames.put(script, i > 0 ? 0 : binary ? 2 : 1, i === cuts, payload.subarray(at, at + size));
    at += size;
    if (i < cuts && script.below(4) === 3) putControl(script, frames, found);
  }
  found.push({ message: payload.toString('latin1'), binary });
}

function putClose(script: Script, frames: Frames, found: Found[]): void {
  const code = script.pick([1005, 1000, 1001, 1003, 1007, 1014, 3000, 4999]);
  const reason = code === 1005 ? Buffer.alloc(0) : cutText(textOf(script), 123);
  const head = code === 1005 ? [] : [code >> 8, code & 255];
  frames.put(script, 8, true, Buffer.concat([Buffer.from(head), reason]));
  found.push({ close: code, reason: reason.toString() });
}

/** A session that breaks no rule; what follows a Close frame is not looked at. */
export function frameSession(script: Script): Session {
  const frames = new Frames();
  const found: Found[] = [];
  do {
    const kind = script.byte();
    if (kind < 160) putMessage(script, frames, found);
    else if (kind < 250) putControl(script, frames, found);
    else {
      putClose(script, frames, found);
      frames.put(script, script.below(16), true, bytesOf(script, 300));
      break;
    }
  } while (!script.over && frames.bytes.length < 200_000);
  return { bytes: frames.bytes, found, starts: frames.starts };
}

// ---- lines

/** Lines that break no rule; the last may be without its end. */
export function lineSession(script: Script): Session {
  const parts: Buffer[] = [];
  const found: Found[] = [];
  const starts: number[] = [];
  let length = 0;
  do {
    const kind = script.byte();
    const text = kind === 255 ? Buffer.from('\r\ra') : textOf(script);
    const end = script.over ? script.pick(['', '\n', '\r', '\r\n']) : script.pick(['\n', '\r\n']);
    starts.push(length);
    parts.push(text, Buffer.from(end));
    length += text.length + end.length;
    // A peer that ends without a word has said nothing.
    if (text.length + end.length > 0) found.push({ message: text.toString('latin1'), binary: false });
  } while (!script.over && length < 200_000);
  return { bytes: Buffer.concat(parts), found, starts };
}

// ---- what is done to them

/** Bytes as peers send them that do not know better: headers, some of them possible, ends of lines, and anything. */
const SNIPPETS = `
  81 80 00000000 | 01 81 01020304 | 80 80 00000000 | 00 82 00000000 | 81 83 00000000 | 01 84 00000000 | 82 fe 0080 |
  82 fe 007d | 82 ff | 81 ff 0000000000010000 | 82 ff 8000000000000000 | 81 ff 000000000000ffff | 81 00 | 83 80 | c1 80 |
  89 80 00000000 | 8a 81 | 89 fe | 09 80 | 88 80 | 88 81 00000000 | 88 82 00000000 03e8 | 88 82 00000000 1388 | 0a |
  0d 0a | c3 | e2 82 | f0 9f 99 | 80 | e0 9f bf | ed a0 80 | f0 8f bf bf | f4 90 80 80 | 62756666 65724f4e |
  62756666 65724f46 46`
  .split('|')
  .map(hex);

/** Bytes that nobody has thought about. */
export function noise(script: Script): Buffer {
  const parts: Uint8Array[] = [];
  while (!script.over) {
    if (script.byte() < 170) parts.push(script.pick(SNIPPETS));
    else parts.push(new Uint8Array([script.byte(), script.byte(), script.byte()]).subarray(script.below(3)));
  }
  return Buffer.concat(parts);
}

/** A session with something wrong in it, most often where a frame begins: one to three changes. */
export function mutated(script: Script, { bytes, starts }: Session): Buffer {
  let changed: Buffer = Buffer.from(bytes);
  for (let count = 1 + script.below(3); count > 0 && changed.length > 0; count--) {
    const near = script.below(4) < 3 ? script.pick(starts) + script.below(14) : script.byte() * 256 + script.byte();
    const at = near % changed.length;
    const before = changed.subarray(0, at);
    switch (script.below(6)) {
      case 0:
        changed[at] ^= 1 << script.below(8);
        break;
      case 1:
        changed[at] = script.byte();
        break;
      case 2:
        changed = Buffer.concat([before, changed.subarray(at + 1 + script.below(4))]);
        break;
      case 3:
        changed = Buffer.concat([before, script.pick(SNIPPETS), changed.subarray(at)]);
        break;
      case 4: {
        const again = changed.subarray(at, at + 1 + script.below(12));
        changed = Buffer.concat([before, again, changed.subarray(at)]);
        break;
      }
      default:
        changed = Buffer.from(before);
    }
  }
  return changed;
}

/** How bytes arrive, and when the receiver wants none. */
export interface Arrival {
  readonly sizes: readonly number[];
  /** As `feed` takes them. */
  readonly turns: readonly boolean[];
}

export function arrival(script: Script, length: number): Arrival {
  // Long input in single bytes would show nothing new, and take long.
  const unit = 1 + (length >> 8);
  const several = (most: number): number[] =>
    Array.from({ length: 1 + script.below(5) }, () => unit * (1 + script.below(most)));
  const kinds = [[length + 1], [unit], several(9), several(250), [1 + script.below(14), length + 1], [65_536]];
  const sizes = script.pick(kinds);
  const holds = script.byte();
  const turns = holds < 100 ? [true] : Array.from({ length: 8 }, (_, i) => ((holds * 37) & (1 << i)) !== 0);
  return { sizes, turns };
}

/** Limits that sessions keep, or run into. */
export function limits(script: Script): EngineOptions {
  return {
    maxPayload: script.pick([100_000, 100_000, 1000, 126, 125, 16, 1]),
    maxFragments: script.pick([0, 0, 4, 3, 2, 1]),
    rawPrefix: script.below(2) === 0 ? null : Buffer.from('bufferON'),
  };
}

/** As the dialog does it: texts behind bufferON are pieces, and not checked, up to bufferOFF. */
export function switchesRaw(message: string): boolean | undefined {
  if (message === 'bufferOFF') return false;
  return message.startsWith('bufferON') ? true : undefined;
}
