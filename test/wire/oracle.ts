import type { EngineOptions } from '../../src/wire/engine.ts';
import type { Found } from '../support/frames.ts';

// Decoders to compare the engines with: of the whole input at once, slow, by the letter of the standards, and without
// a line of src.

type Range = readonly [from: number, to: number];
const TAIL: Range = [0x80, 0xbf];
/** The characters of RFC 3629 §4, byte by byte. */
const CHARACTERS: readonly (readonly Range[])[] = [
  [[0x00, 0x7f]],
  [[0xc2, 0xdf], TAIL],
  [[0xe0, 0xe0], [0xa0, 0xbf], TAIL],
  [[0xe1, 0xec], TAIL, TAIL],
  [[0xed, 0xed], [0x80, 0x9f], TAIL],
  [[0xee, 0xef], TAIL, TAIL],
  [[0xf0, 0xf0], [0x90, 0xbf], TAIL, TAIL],
  [[0xf1, 0xf3], TAIL, TAIL, TAIL],
  [[0xf4, 0xf4], [0x80, 0x8f], TAIL, TAIL],
];
const fits = (byte: number, [from, to]: Range): boolean => byte >= from && byte <= to;
const BY_FIRST = Array.from({ length: 256 }, (_, byte) => CHARACTERS.find(([first]) => fits(byte, first)));

/** Whether `bytes` are UTF-8, could become it (they end inside a character), or cannot. */
export function utf8(bytes: Buffer): 'whole' | 'begun' | 'wrong' {
  for (let at = 0; at < bytes.length; ) {
    const character = BY_FIRST[bytes[at]];
    if (character === undefined) return 'wrong';
    for (let i = 1; i < character.length; i++) {
      if (at + i === bytes.length) return 'begun';
      if (!fits(bytes[at + i], character[i])) return 'wrong';
    }
    at += character.length;
  }
  return 'whole';
}

function startsWith(bytes: Buffer, prefix: Buffer | null): boolean {
  return prefix !== null && bytes.subarray(0, prefix.length).equals(prefix);
}

const OPCODES = new Set([0, 1, 2, 8, 9, 10]);

function mayBeSent(code: number): boolean {
  if (code >= 3000 && code <= 4999) return true;
  return code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code);
}

/** RFC 6455 §5.5.1, §7.4: the body of a Close frame. */
function closeFound(body: Buffer): Found {
  if (body.length === 0) return { close: 1005, reason: '' };
  if (body.length === 1 || !mayBeSent(body[0] * 256 + body[1])) return { fault: 'protocol' };
  const reason = body.subarray(2);
  if (utf8(reason) !== 'whole') return { fault: 'utf8' };
  return { close: body[0] * 256 + body[1], reason: reason.toString() };
}

/** A message that has begun. */
interface Begun {
  readonly op: number;
  payload: Buffer;
  frames: number;
  /** Text that need not be UTF-8. */
  readonly raw: boolean;
}

/**
 * What a client's frames hold (RFC 6455 §5, §8.1), up to the first fault or Close frame. A fault is one as soon as the
 * bytes that prove it are there: the first two of a frame, its whole length, a byte of text, the whole of a control frame.
 * @param switchesRaw whether a message turns the check of the texts behind it off (true) or on (false).
 */
export function framesFound(
  bytes: Buffer,
  { maxPayload, maxFragments, rawPrefix }: EngineOptions,
  switchesRaw: (message: string) => boolean | undefined = () => undefined,
): Found[] {
  const found: Found[] = [];
  let begun: Begun | null = null;
  let raw = false;
  let at = 0;
  const has = (count: number): boolean => bytes.length - at >= count;
  while (has(2)) {
    const fin = (bytes[at] & 0x80) !== 0;
    const rsv = bytes[at] & 0x70;
    const op = bytes[at] & 0x0f;
    const masked = (bytes[at + 1] & 0x80) !== 0;
    let length = bytes[at + 1] & 0x7f;
    const isControl = op >= 8;
    if (rsv !== 0 || !masked || !OPCODES.has(op)) return [...found, { fault: 'protocol' }];
    if (isControl && (!fin || length > 125)) return [...found, { fault: 'protocol' }];
    at += 2;
    if (length > 125) {
      const wide = length === 126 ? 2 : 8;
      if (!has(wide)) return found;
      const exact = BigInt(`0x${bytes.toString('hex', at, at + wide)}`);
      at += wide;
      if (exact >= 1n << 63n || exact < (wide === 2 ? 126n : 65536n)) return [...found, { fault: 'protocol' }];
      length = Number(exact);
    }
    if (!isControl) {
      if ((op === 0) !== (begun !== null)) return [...found, { fault: 'protocol' }];
      if ((begun?.payload.length ?? 0) + length > maxPayload) return [...found, { fault: 'maxPayload' }];
      if (maxFragments > 0 && begun?.frames === maxFragments) return [...found, { fault: 'maxFragments' }];
    }
    if (!has(4)) return found;
    const key = bytes.subarray(at, at + 4);
    at += 4;
    const whole = has(length);
    const payload = Buffer.from(bytes.subarray(at, at + length));
    for (let i = 0; i < payload.length; i++) payload[i] ^= key[i % 4];
    at += payload.length;
    if (isControl) {
      if (!whole) return found;
      if (op === 8) return [...found, closeFound(payload)];
      const content = payload.toString('latin1');
      found.push(op === 9 ? { ping: content } : { pong: content });
      continue;
    }
    if (begun === null) begun = { op, payload, frames: 1, raw };
    else {
      begun.payload = Buffer.concat([begun.payload, payload]);
      begun.frames++;
    }
    const isWhole = fin && whole;
    if (begun.op === 1 && !begun.raw && !startsWith(begun.payload, rawPrefix)) {
      const state = utf8(begun.payload);
      if (state === 'wrong' || (isWhole && state === 'begun')) return [...found, { fault: 'utf8' }];
    }
    if (!whole) return found;
    if (!fin) continue;
    const message = begun.payload.toString('latin1');
    found.push({ message, binary: begun.op === 2 });
    raw = switchesRaw(message) ?? raw;
    begun = null;
  }
  return found;
}

/** What a line client's bytes hold (PROTOCOL.md §6), its FIN behind them. */
export function linesFound(
  bytes: Buffer,
  { maxPayload, rawPrefix }: EngineOptions,
  switchesRaw: (message: string) => boolean | undefined = () => undefined,
): Found[] {
  const found: Found[] = [];
  let raw = false;
  const lines = bytes.toString('latin1').split('\n');
  for (const [i, text] of lines.entries()) {
    if (i + 1 === lines.length && text === '') break;
    const message = text.endsWith('\r') ? text.slice(0, -1) : text;
    if (message.length > maxPayload) return [...found, { fault: 'maxPayload' }];
    const line = Buffer.from(message, 'latin1');
    if (!raw && !startsWith(line, rawPrefix) && utf8(line) !== 'whole') return [...found, { fault: 'utf8' }];
    found.push({ message, binary: false });
    raw = switchesRaw(message) ?? raw;
  }
  return found;
}
