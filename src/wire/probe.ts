import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import { messageOf } from '../errors.ts';
import { type Codec, CORRUPT, type Deflater, HEADROOM, type Inflater } from './codec.ts';
import { callCodec } from './zlibcalls.ts';
import { handleCodec } from './zlibhandle.ts';

const TAIL = Buffer.from([0, 0, 0xff, 0xff]);
const LIMIT = 1 << 20;
/** RFC 7692 §7.2.3.1 and §7.2.3.2: `Hello`, and `Hello` again that refers to the one before. */
const HELLO = Buffer.from('f248cdc9c90700', 'hex');
const HELLO_AGAIN = Buffer.from('f200110000', 'hex');

function insist(what: string, check: () => boolean): void {
  let is: boolean;
  try {
    is = check();
  } catch (error) {
    throw new Error(`${what}: ${messageOf(error)}`, { cause: error });
  }
  if (!is) throw new Error(what);
}

/** One whole message. */
function inflated(inflater: Inflater, payload: Buffer): string | number {
  const output = Buffer.alloc(65536);
  inflater.begin(LIMIT);
  const count = inflater.inflate(payload, 0, payload.length, output, 0, output.length);
  if (count < 0) return count;
  insist('it leaves input', () => inflater.used === payload.length);
  const last = inflater.finish(output, count, output.length);
  return last < 0 ? last : output.toString('latin1', 0, count + last);
}

/** 1500 bytes that nothing but themselves can shorten. */
function unlike(): Buffer {
  const bytes = Buffer.alloc(1500);
  let seed = 1;
  for (let i = 0; i < bytes.length; i++) bytes[i] = (seed = (seed * 48_271) % 0x7fffffff) & 255;
  return bytes;
}

function compressed(deflater: Deflater, message: Buffer, takeover: boolean): Buffer {
  const length = deflater.compress(message, message.length, LIMIT);
  const payload = Buffer.from(deflater.output.subarray(HEADROOM, HEADROOM + length));
  deflater.done(takeover);
  return payload;
}

/** What public zlib makes of some payloads. */
function publicly(windowBits: number, ...payloads: Buffer[]): Buffer {
  const bytes = Buffer.concat(payloads.flatMap((payload) => [payload, TAIL]));
  return inflateRawSync(bytes, { windowBits, finishFlush: constants.Z_SYNC_FLUSH });
}

function probeDeflater(codec: Codec): void {
  const message = unlike();
  const deflater = codec.deflater(15, 6);
  const first = compressed(deflater, message, true);
  const second = compressed(deflater, message, false);
  const third = compressed(deflater, message, true);
  deflater.close();
  insist('a message is not compressed', () => publicly(15, first).equals(message));
  insist('a message does not refer to the one before', () => second.length < 100);
  insist('a message refers to another one', () =>
    publicly(15, first, second).equals(Buffer.concat([message, message])),
  );
  insist('a compressor is not reset', () => publicly(15, third).equals(message));
  // A small window is one that is not looked past.
  const twice = Buffer.concat([message, message]);
  const small = codec.deflater(9, 6);
  const payload = compressed(small, twice, false);
  small.close();
  insist('a compressor does not keep to its window', () => publicly(9, payload).equals(twice) && payload.length > 2900);
}

function probeInflater(codec: Codec): void {
  const inflater = codec.inflater(15);
  insist('a message is not inflated', () => inflated(inflater, HELLO) === 'Hello');
  insist('a message that refers to another is not', () => inflated(inflater, HELLO_AGAIN) === 'Hello');
  inflater.reset();
  insist('a decompressor is not reset', () => inflated(inflater, HELLO_AGAIN) === CORRUPT);
  inflater.reset();
  insist('an error is not reported', () => inflated(inflater, Buffer.from([0xff])) === CORRUPT);
  inflater.reset();
  insist('a message cut off is taken', () => inflated(inflater, HELLO.subarray(0, 3)) === CORRUPT);
  inflater.reset();
  // RFC 7692 §7.2.3.4: a final block, and what follows it.
  const final = Buffer.from('f348cdc9c90700', 'hex');
  insist('a final block ends it all', () => inflated(inflater, Buffer.concat([final, HELLO])) === 'HelloHello');
  inflater.close();
  const input = Buffer.concat(Array.from({ length: 4 }, unlike));
  const far = deflateRawSync(input, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -TAIL.length);
  const small = codec.inflater(9);
  insist('a decompressor does not keep to its window', () => inflated(small, far) === CORRUPT);
  small.close();
  // Byte by byte, in and out.
  const slow = codec.inflater(15);
  slow.begin(LIMIT);
  const output = Buffer.alloc(input.length + 1);
  let filled = 0;
  for (let from = 0; from < far.length && filled < input.length; ) {
    filled += slow.inflate(far, from, from + 1, output, filled, filled + 1);
    from = slow.used;
  }
  insist('what comes byte by byte is not inflated', () => output.subarray(0, filled).equals(input));
  slow.close();
}

/**
 * Whether zlib's handle is what we take it for: known messages in both directions, windows, errors, resets.
 * @returns what is wrong with it, or null.
 */
export function probe(codec: Codec): string | null {
  try {
    probeDeflater(codec);
    probeInflater(codec);
    return null;
  } catch (error) {
    return messageOf(error);
  }
}

/** The codec to be used, and why it is not the fast one, if so. */
export function chooseCodec(): { codec: Codec; why: string | null } {
  const why = probe(handleCodec);
  return { codec: why === null ? handleCodec : callCodec, why };
}
