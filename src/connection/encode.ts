import { escaped, LF } from '../packet/envelope.ts';
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
    const frame = framed(engine.prefix(bytes.length, binary), bytes.length, engine.suffix);
    frame.set(bytes, frame.length - bytes.length - engine.suffix.length);
    return frame;
  }
  const text = engine.clean(data);
  // Every character is ASCII, so latin1 and UTF-8 say the same. To count the bytes of a long text costs more than to copy it.
  const length = ascii && text === data ? text.length : Buffer.byteLength(text);
  const oneByte = length === text.length;
  if (oneByte && length < STRING_LIMIT) return engine.prefix(length, binary) + text + engine.suffix;
  const frame = framed(engine.prefix(length, binary), length, engine.suffix);
  frame.write(text, frame.length - length - engine.suffix.length, oneByte ? 'latin1' : 'utf8');
  return frame;
}

/** A fragment of a message; its memory is as that of {@link encodeMessage}. @param begun it is not the first of its message. */
export function encodeFragment(engine: Engine, part: Buffer, binary: boolean, begun: boolean): Buffer {
  const bytes = engine.cleanBytes(part);
  const frame = framed(engine.fragmentPrefix(bytes.length, binary, begun), bytes.length, '');
  frame.set(bytes, frame.length - bytes.length);
  return frame;
}

/** Header and end of a frame of `length` bytes that are still to be written. */
function framed(prefix: string, length: number, suffix: string): Buffer {
  const size = prefix.length + length + suffix.length;
  const memory = size < POOLED ? Buffer.allocUnsafe(size) : takeMemory(size);
  const frame = memory.length === size ? memory : memory.subarray(0, size);
  frame.write(prefix, 0, 'latin1');
  if (suffix !== '') frame.write(suffix, size - suffix.length, 'latin1');
  return frame;
}

/**
 * A message of a resource: compressed, where that was agreed upon and makes it shorter.
 * @param compress true: however short it is; false: never; undefined: from the threshold on.
 * @throws CompressionError
 */
export function encodeData(
  engine: Engine,
  data: string | Buffer,
  binary: boolean,
  compress?: boolean,
): string | Buffer {
  const { compressor } = engine;
  const frame = compressor === null || compress === false ? null : compressor.frame(data, binary, compress === true);
  return frame ?? encodeMessage(engine, data, binary);
}

/**
 * One message for any number of receivers: encoded, and compressed, once for each framing and set of parameters. The first
 * gets it as a short message leaves, as a string; from the second on the bytes are shared.
 */
export class Outgoing {
  readonly data: string | Buffer;
  readonly binary: boolean;
  /** It is left out for who has not taken what was sent before. */
  readonly droppable: boolean;
  readonly compress: boolean | undefined;
  /** The frame that was asked for last, and what it is the same for. */
  private key = '';
  private frame: string | Buffer | null = null;
  /** What of it clients with a session get, and what is kept for them. */
  private escapedOne: Outgoing | null = null;
  private copy: Buffer | null = null;
  private bytes = -1;
  /** Frames of other keys. */
  private others: Map<string, string | Buffer> | null = null;

  /** @param compress see {@link encodeData}. */
  constructor(data: string | Buffer, binary: boolean, compress?: boolean, droppable = false) {
    this.data = data;
    this.droppable = droppable;
    this.binary = binary;
    this.compress = compress;
  }

  /** The same for clients with a session, who tell packets of their dialog by an LF in front. */
  get escaped(): Outgoing {
    const { data, binary, compress, droppable } = this;
    if (binary || (typeof data === 'string' ? !data.startsWith('\n') : data[0] !== LF)) return this;
    this.escapedOne ??= new Outgoing(escaped(data), binary, compress, droppable);
    return this.escapedOne;
  }

  /** Its data, which nobody writes to: what came as a Buffer is copied, once. */
  get lasting(): string | Buffer {
    if (typeof this.data === 'string') return this.data;
    this.copy ??= Buffer.from(this.data);
    return this.copy;
  }

  /** Of its data, in bytes. */
  get length(): number {
    if (this.bytes === -1) this.bytes = Buffer.byteLength(this.data);
    return this.bytes;
  }

  /** @throws CompressionError */
  frameFor(engine: Engine): string | Buffer {
    const { compressor } = engine;
    if (compressor === null || this.compress === false) return this.plainFor(engine);
    const { key } = compressor;
    const known = key === '' ? null : this.known(key);
    if (known !== null) return known;
    const frame = compressor.frame(this.data, this.binary, this.compress === true) ?? this.plainFor(engine);
    return key === '' ? frame : this.keep(key, frame);
  }

  private plainFor(engine: Engine): string | Buffer {
    const { framing } = engine;
    return this.known(framing) ?? this.keep(framing, encodeMessage(engine, this.data, this.binary));
  }

  private known(key: string): string | Buffer | null {
    if (this.key !== key) {
      const other = this.others?.get(key);
      if (other === undefined) return null;
      this.keep(key, other);
    }
    if (typeof this.frame === 'string') this.frame = Buffer.from(this.frame, 'latin1');
    return this.frame;
  }

  private keep(key: string, frame: string | Buffer): string | Buffer {
    if (this.frame !== null) (this.others ??= new Map()).set(this.key, this.frame);
    this.key = key;
    this.frame = frame;
    return frame;
  }
}
