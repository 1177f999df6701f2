import type { Engine } from '../wire/engine.ts';
import { takeMemory } from '../wire/spare.ts';

/** From this size on a message leaves as bytes: a latin1 string of its own frame is faster below, slower above. */
export const STRING_LIMIT = 16384;
/** Below this Node takes it out of a pool. */
const POOLED = 4096;

/**
 * A message as its framing writes it: bytes, or the same as a latin1 string. The data has been copied. Of a long one the
 * bytes begin the memory that `takeMemory` gave.
 * @param ascii the data is a text that is known to be ASCII.
 */
export function encodeMessage(engine: Engine, data: string | Buffer, binary: boolean, ascii = false): string | Buffer {
  if (typeof data !== 'string') {
    const bytes = engine.cleanBytes(data);
    const frame = framed(engine, bytes.length, binary);
    frame.set(bytes, frame.length - bytes.length - engine.suffix.length);
    return frame;
  }
  const text = engine.clean(data);
  // Every character is ASCII, so latin1 and UTF-8 say the same. To count the bytes of a long text costs more than to copy it.
  const length = ascii && text === data ? text.length : Buffer.byteLength(text);
  const oneByte = length === text.length;
  if (oneByte && length < STRING_LIMIT) return engine.prefix(length, binary) + text + engine.suffix;
  const frame = framed(engine, length, binary);
  frame.write(text, frame.length - length - engine.suffix.length, oneByte ? 'latin1' : 'utf8');
  return frame;
}

/** Header and end of a frame of `length` bytes that are still to be written. */
function framed(engine: Engine, length: number, binary: boolean): Buffer {
  const prefix = engine.prefix(length, binary);
  const { suffix } = engine;
  const size = prefix.length + length + suffix.length;
  const memory = size < POOLED ? Buffer.allocUnsafe(size) : takeMemory(size);
  const frame = memory.length === size ? memory : memory.subarray(0, size);
  frame.write(prefix, 0, 'latin1');
  if (suffix !== '') frame.write(suffix, size - suffix.length, 'latin1');
  return frame;
}

/**
 * One message for any number of receivers: encoded once, as long as they are of one framing. The first gets it as a short
 * message leaves, as a string; from the second on the bytes are shared.
 */
export class Outgoing {
  readonly data: string | Buffer;
  readonly binary: boolean;
  private framing = '';
  private frame: string | Buffer | null = null;

  constructor(data: string | Buffer, binary: boolean) {
    this.data = data;
    this.binary = binary;
  }

  frameFor(engine: Engine): string | Buffer {
    if (this.frame === null || this.framing !== engine.framing) {
      this.frame = encodeMessage(engine, this.data, this.binary);
      this.framing = engine.framing;
    } else if (typeof this.frame === 'string') this.frame = Buffer.from(this.frame, 'latin1');
    return this.frame;
  }
}
