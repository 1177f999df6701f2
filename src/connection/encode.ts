import type { Engine } from '../wire/engine.ts';

/** From this size on a message leaves as bytes: a latin1 string of its own frame is faster below, slower above. */
export const STRING_LIMIT = 16384;

/** A message as its framing writes it: bytes, or the same as a latin1 string. The data has been copied. */
export function encodeMessage(engine: Engine, data: string | Buffer, binary: boolean): string | Buffer {
  if (typeof data === 'string') {
    const text = engine.clean(data);
    const length = Buffer.byteLength(text);
    const prefix = engine.prefix(length, binary);
    // Every character is ASCII, so latin1 and UTF-8 say the same.
    if (length === text.length && length < STRING_LIMIT) return prefix + text + engine.suffix;
    const frame = Buffer.allocUnsafe(prefix.length + length + engine.suffix.length);
    frame.write(prefix, 0, 'latin1');
    frame.write(text, prefix.length, 'utf8');
    if (engine.suffix !== '') frame.write(engine.suffix, prefix.length + length, 'latin1');
    return frame;
  }
  const bytes = engine.cleanBytes(data);
  const prefix = engine.prefix(bytes.length, binary);
  const frame = Buffer.allocUnsafe(prefix.length + bytes.length + engine.suffix.length);
  frame.write(prefix, 0, 'latin1');
  frame.set(bytes, prefix.length);
  if (engine.suffix !== '') frame.write(engine.suffix, prefix.length + bytes.length, 'latin1');
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
