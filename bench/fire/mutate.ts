/** How bytes go wrong. */
import type { Dice } from './dice.ts';

/** Bytes at the borders of what frames, lengths, UTF-8 and HTTP make of them. */
const BORDERS = [0, 1, 9, 10, 13, 32, 0x16, 58, 125, 126, 127, 128, 129, 136, 0x80, 0xc0, 0xe0, 0xed, 0xf4, 0xfe, 0xff];

type Way = (dice: Dice, bytes: Buffer, other: () => Buffer) => Buffer;

const WAYS: readonly Way[] = [
  // One bit.
  (dice, bytes) => {
    const at = dice.below(bytes.length);
    bytes[at] ^= 1 << dice.below(8);
    return bytes;
  },
  // One byte.
  (dice, bytes) => {
    bytes[dice.below(bytes.length)] = dice.pick(BORDERS);
    return bytes;
  },
  // The beginning alone.
  (dice, bytes) => bytes.subarray(0, dice.below(bytes.length)),
  // A part is missing.
  (dice, bytes) => {
    const from = dice.below(bytes.length);
    return Buffer.concat([bytes.subarray(0, from), bytes.subarray(from + dice.size(40))]);
  },
  // A part comes again, once or often.
  (dice, bytes) => {
    const from = dice.below(bytes.length);
    const to = from + 1 + dice.size(60);
    const part = bytes.subarray(from, to);
    const times = Array.from({ length: 1 + dice.size(200) }, () => part);
    return Buffer.concat([bytes.subarray(0, to), ...times, bytes.subarray(to)]);
  },
  // Something comes in between.
  (dice, bytes) => {
    const at = dice.below(bytes.length + 1);
    return Buffer.concat([bytes.subarray(0, at), dice.bytes(1 + dice.size(30)), bytes.subarray(at)]);
  },
  // The end is that of something else.
  (dice, bytes, other) => {
    const end = other();
    return Buffer.concat([bytes.subarray(0, dice.below(bytes.length)), end.subarray(dice.below(end.length))]);
  },
  // A number in it, in digits, is another one.
  (dice, bytes) => {
    const text = bytes.toString('latin1');
    const numbers = [...text.matchAll(/\d+/g)];
    if (numbers.length === 0) return bytes;
    const { index, 0: digits } = dice.pick(numbers);
    const lies = ['0', '-1', '00', '1e3', '4294967296', '99999999999999999999', '0x10', `${digits}0`, '+5', ''];
    return Buffer.from(text.slice(0, index) + dice.pick(lies) + text.slice(index + digits.length), 'latin1');
  },
];

/** @param other gives something of the same kind, to splice with. */
export function mutate(dice: Dice, bytes: Buffer, other: () => Buffer): Buffer {
  let changed: Buffer = Buffer.from(bytes);
  for (let times = 1 + dice.size(4); times > 0; times--) {
    if (changed.length > 0) changed = dice.pick(WAYS)(dice, changed, other);
  }
  return changed.subarray(0, 1 << 20);
}
