import { isAscii } from 'node:buffer';
import { type Inflater, TOO_LONG } from './codec.ts';
import type { EngineOptions, Fault } from './engine.ts';
import { checkUtf8 } from './utf8.ts';

/** What most messages fit into; the next buffer of a longer one is as long as all before. */
const SCRATCH = 65536;
/** The first buffer of a message's own. */
const SMALLEST = 1024;
const NO_BYTES = Buffer.alloc(0);

/** Lent to the message that is being inflated; where it is lent already, the next gets a new one. */
let scratch: Buffer | null = null;

function lend(): Buffer {
  const bytes = scratch ?? Buffer.allocUnsafeSlow(SCRATCH);
  scratch = null;
  return bytes;
}

/**
 * A compressed message as it arrives: inflated and checked for UTF-8 at once, so that what it costs is what it has
 * become, and never more than `maxPayload`. One object, with its decompressor, serves one message after the other.
 */
export class Inflation {
  /** The message, once `end` has found nothing wrong: `bytes[0..length)`. */
  bytes: Buffer = NO_BYTES;
  length = 0;
  /** It is text, and every byte is below 0x80. */
  ascii = false;
  /** The bytes are the receiver's own. */
  owned = false;
  private readonly inflater: Inflater;
  private maxPayload = 0;
  private rawPrefix: Buffer | null = null;
  /** Not text, or text that is not to be checked. */
  private unchecked = false;
  /** Full buffers, before `bytes`; text is cut between characters. */
  private full: Buffer[] | null = null;
  private fullLength = 0;
  /** `bytes` is UTF-8 up to here. */
  private checked = 0;
  /** Compressed bytes so far. */
  private taken = 0;

  constructor(inflater: Inflater) {
    this.inflater = inflater;
  }

  /** A message begins. @param unchecked it is binary, or text that is not to be checked. */
  begin(options: EngineOptions, unchecked: boolean): void {
    this.maxPayload = options.maxPayload;
    this.rawPrefix = options.rawPrefix;
    this.unchecked = unchecked;
    this.ascii = !unchecked;
    this.bytes = lend();
    this.length = this.checked = this.taken = this.fullLength = 0;
    this.owned = false;
    this.inflater.begin(options.maxPayload);
  }

  /** Takes the next bytes, unmasked. @returns what is wrong with them, or null. */
  add(b: Buffer, from: number, to: number): Fault | null {
    const { inflater } = this;
    this.taken += to - from;
    for (let at = from; ; ) {
      const end = this.room();
      const start = this.length;
      const count = inflater.inflate(b, at, to, this.bytes, start, end);
      const fault = this.took(count);
      if (fault !== null) return fault;
      at = inflater.used;
      if (start + count < end) return null;
    }
  }

  /** More is to come, later: the message moves out of the buffer that all share. */
  keep(): void {
    if (this.owned) return;
    const own = Buffer.allocUnsafeSlow(Math.max(SMALLEST, this.length * 2));
    this.bytes.copy(own, 0, 0, this.length);
    scratch = this.bytes;
    this.bytes = own;
    this.owned = true;
  }

  /** The message has ended. @returns what is wrong with it, or null: then it lies in `bytes`. */
  end(): Fault | null {
    // No byte at all: some who have nothing to compress send nothing, where §7.2.3.6 wants one byte.
    while (this.taken > 0) {
      const end = this.room();
      const start = this.length;
      const count = this.inflater.finish(this.bytes, start, end);
      const fault = this.took(count);
      if (fault !== null) return fault;
      if (start + count < end) break;
    }
    if (!this.unchecked && this.checked !== this.length) return 'utf8';
    if (this.full !== null) {
      this.full.push(this.bytes.subarray(0, this.length));
      this.bytes = Buffer.concat(this.full);
      this.length = this.bytes.length;
      this.full = null;
    }
    return null;
  }

  /** The message is not needed any more. @param takeover the next one may refer to it. @throws CompressionError */
  done(takeover: boolean): void {
    if (!this.owned && this.bytes !== NO_BYTES) scratch = this.bytes;
    this.bytes = NO_BYTES;
    this.full = null;
    if (!takeover) this.inflater.reset();
  }

  close(): void {
    this.inflater.close();
  }

  /** Sees to it that there is room behind `length`. @returns where it ends: one byte too many tells of too many. */
  private room(): number {
    if (this.length === this.bytes.length) this.grow();
    return Math.min(this.bytes.length, this.maxPayload + 1 - this.fullLength);
  }

  private grow(): void {
    const { bytes, length } = this;
    const cut = this.unchecked ? length : this.checked;
    this.full ??= [];
    this.full.push(bytes.subarray(0, cut));
    this.fullLength += cut;
    const size = Math.min(Math.max(SMALLEST, this.fullLength), this.maxPayload + 1 - this.fullLength);
    this.bytes = Buffer.allocUnsafeSlow(size);
    // The beginning of a character whose end is not there yet.
    this.length = bytes.copy(this.bytes, 0, cut, length);
    this.checked = 0;
    this.owned = true;
  }

  /** Looks at what `inflater` has written behind `length`. */
  private took(count: number): Fault | null {
    if (count < 0) return count === TOO_LONG ? 'maxPayload' : 'deflate';
    const start = this.length;
    const end = start + count;
    this.length = end;
    if (this.fullLength + end > this.maxPayload) return 'maxPayload';
    return this.unchecked || count === 0 || this.checkText(start, end) ? null : 'utf8';
  }

  private checkText(start: number, end: number): boolean {
    const { bytes, rawPrefix } = this;
    if (rawPrefix !== null && this.fullLength === 0 && start < rawPrefix.length && startsWith(bytes, end, rawPrefix)) {
      this.unchecked = true;
      this.ascii = false;
      return true;
    }
    // What was cut off before is not ASCII, and neither is what goes on with it.
    if (this.checked === start && isAscii(bytes.subarray(start, end))) {
      this.checked = end;
      return true;
    }
    this.ascii = false;
    this.checked = checkUtf8(bytes, this.checked, end);
    return this.checked >= 0;
  }
}

function startsWith(bytes: Buffer, end: number, prefix: Buffer): boolean {
  return end >= prefix.length && bytes.compare(prefix, 0, prefix.length, 0, prefix.length) === 0;
}
