import { isUtf8 } from 'node:buffer';
import { Assembly } from './assembly.ts';
import type { PerMessageDeflate } from './compression.ts';
import type { EngineOptions, Fault, Receiver } from './engine.ts';
import { OP, validCloseCode } from './frame.ts';
import { HeldDecoder } from './held.ts';
import type { Inflation } from './inflation.ts';
import { unmask, unmaskTo } from './mask.ts';
import { checkUtf8 } from './utf8.ts';

const RSV1 = 0x40;

/** Frames that may each have a flush of their own. */
const MOST_FLUSHES = 16_384;

/**
 * The most bytes that a message may have compressed. No encoder makes it much longer than it was, 9 bits for 8 and 6
 * bytes for each flush, of which there may be one a frame: what is longer says nothing, in blocks that hold nothing.
 */
function longestCompressed(maxPayload: number, frames: number): number {
  return maxPayload + (maxPayload >> 3) + 1024 + 6 * Math.min(frames, MOST_FLUSHES);
}

/**
 * Frames from a client (RFC 6455 §5, §6.2, §8.1): incremental, any split of the bytes gives the same messages.
 * A message that lies whole in one chunk is handed over where it lies; any other is assembled in a buffer of its own,
 * unmasked and checked for UTF-8 as its bytes arrive.
 */
export abstract class FrameDecoder extends HeldDecoder {
  /** null: no message may come compressed. */
  protected readonly deflate: PerMessageDeflate | null;
  /** The message being assembled. */
  private assembly: Assembly | null = null;

  constructor(receiver: Receiver, options: EngineOptions, deflate: PerMessageDeflate | null = null) {
    super(receiver, options);
    this.deflate = deflate;
  }

  override get midway(): boolean {
    return (this.assembly !== null && !this.isHeld) || super.midway;
  }

  override stop(): void {
    super.stop();
    const { assembly, deflate } = this;
    this.assembly = null;
    if (deflate === null) return;
    // Its decompressor may serve another message.
    if (assembly !== null && assembly.inflation !== null) deflate.give(assembly.inflation);
    deflate.close();
  }

  protected run(b: Buffer): number {
    const n = b.length;
    let i = 0;
    for (;;) {
      const { assembly } = this;
      if (assembly !== null && assembly.missing >= 0) {
        const take = Math.min(assembly.missing, n - i);
        if (!this.append(assembly, b, i, i + take)) return n;
        i += take;
        if (assembly.missing > 0) return n;
        assembly.missing = -1;
        if (assembly.fin && !this.complete(assembly)) return i;
        continue;
      }
      const left = n - i;
      if (left < 2) return i;
      const b0 = b[i];
      const b1 = b[i + 1];
      if (!this.headerAllowed(b0, b1)) return n;
      let length = b1 & 127;
      let at = i + 2;
      if (length === 126) {
        if (left < 4) return i;
        length = (b[i + 2] << 8) | b[i + 3];
        at += 2;
        if (length < 126) return this.fault('protocol', 'a frame length is not in its shortest form', n);
      } else if (length === 127) {
        if (left < 10) return i;
        if (b[i + 2] > 127) return this.fault('protocol', 'the top bit of a 64-bit frame length is set', n);
        length = b.readUInt32BE(i + 2) * 4294967296 + b.readUInt32BE(i + 6);
        at += 8;
        if (length < 65536) return this.fault('protocol', 'a frame length is not in its shortest form', n);
      }
      const op = b0 & 15;
      if (op < 8 && !this.dataAllowed(op, length, (b0 & RSV1) !== 0)) return n;
      if (n < at + 4) return i;
      const start = at + 4;
      const end = start + length;
      if (op >= 8) {
        if (end > n) return i;
        unmask(b, start, end, keyAt(b, at));
        i = end;
        this.control(op, b, start, end);
        if (this.stopped) return n;
        if (this.isHeld) return i;
      } else if (end <= n && (b0 & 0xc0) === 0x80 && op !== OP.CONTINUATION) {
        const or = unmask(b, start, end, keyAt(b, at));
        i = end;
        if (!this.whole(b, start, end, op === OP.BINARY, or < 128)) return this.stopped ? n : i;
      } else {
        this.begin(op, length, b0 > 127, keyAt(b, at), (b0 & RSV1) !== 0);
        i = start;
      }
    }
  }

  /** The first two bytes of a frame: RSV, opcode, MASK, and what control frames may not be (RFC 6455 §5.2, §5.5). */
  private headerAllowed(b0: number, b1: number): boolean {
    const op = b0 & 15;
    let wrong = '';
    if ((b0 & 0x70) !== 0 && !this.isCompressed(b0)) wrong = `a reserved bit is set ${this.whyReserved}`;
    else if (b1 < 128) wrong = 'a frame from a client is not masked';
    else if (op > 10 || (op > 2 && op < 8)) wrong = `opcode ${op} is reserved`;
    else if (op >= 8 && b0 < 128) wrong = 'a control frame is fragmented';
    else if (op >= 8 && (b1 & 127) > 125) wrong = 'a control frame is longer than 125 bytes';
    if (wrong === '') return true;
    this.fault('protocol', wrong, 0);
    return false;
  }

  /** RSV1 alone, where it means something: on the first frame of a message (RFC 7692 §6). */
  private isCompressed(b0: number): boolean {
    return this.deflate !== null && (b0 & 0x70) === RSV1 && ((b0 & 15) === OP.TEXT || (b0 & 15) === OP.BINARY);
  }

  private get whyReserved(): string {
    return this.deflate === null ? 'though no extension was negotiated' : 'that means nothing here';
  }

  /** Whether a data frame may come here, and be that long: decided before a byte of it is kept. */
  private dataAllowed(op: number, length: number, compressed: boolean): boolean {
    const { maxPayload, maxFragments } = this.options;
    const { assembly } = this;
    const inflated = compressed || (assembly !== null && assembly.inflation !== null);
    const longest = inflated ? longestCompressed(maxPayload, assembly?.frames ?? 0) : maxPayload;
    if ((op === OP.CONTINUATION) === (assembly === null)) {
      const wrong = op === 0 ? 'a continuation without a message' : 'a new message inside a fragmented one';
      this.fault('protocol', wrong, 0);
    } else if ((assembly?.filled ?? 0) + length > longest) {
      this.fault('maxPayload', `a message of more than ${maxPayload} bytes`, 0);
    } else if (assembly !== null && maxFragments > 0 && assembly.frames >= maxFragments) {
      this.fault('maxFragments', `a message of more than ${maxFragments} frames`, 0);
    }
    return !this.stopped;
  }

  /** A message in one frame that lies whole in the chunk. */
  private whole(b: Buffer, start: number, end: number, binary: boolean, ascii: boolean): boolean {
    this.frames++;
    if (!binary && !ascii && !this.raw && !this.startsRaw(b, start, end) && !isUtf8(b.subarray(start, end))) {
      this.fault('utf8', 'a text message is not UTF-8', 0);
      return false;
    }
    return this.deliver(b, start, end, binary, ascii, false);
  }

  private startsRaw(b: Buffer, start: number, end: number): boolean {
    const prefix = this.options.rawPrefix;
    return (
      prefix !== null &&
      end - start >= prefix.length &&
      b.compare(prefix, 0, prefix.length, start, start + prefix.length) === 0
    );
  }

  /** A data frame whose payload is to be assembled. */
  private begin(op: number, length: number, fin: boolean, key: number, compressed: boolean): void {
    this.frames++;
    const assembly = this.assembly ?? this.assemble(op, compressed);
    assembly.frames++;
    assembly.missing = length;
    assembly.key = key;
    assembly.fin = fin;
  }

  private assemble(op: number, compressed: boolean): Assembly {
    const unchecked = op === OP.BINARY || this.raw;
    const inflation = compressed && this.deflate !== null ? this.deflate.take(this.options, unchecked) : null;
    this.assembly = new Assembly(op, unchecked, inflation);
    return this.assembly;
  }

  private append(assembly: Assembly, b: Buffer, from: number, to: number): boolean {
    const length = to - from;
    if (length === 0) return true;
    if (assembly.inflation !== null) return this.inflate(assembly, assembly.inflation, b, from, to);
    assembly.reserve(length, this.options.maxPayload);
    const { body, filled } = assembly;
    const or = unmaskTo(body, filled, b, from, to, assembly.key);
    assembly.advance(length);
    if (or > 127) assembly.ascii = false;
    return assembly.unchecked || this.check(assembly, filled, or < 128);
  }

  /** Checks the text that has come since `at`. */
  private check(assembly: Assembly, at: number, ascii: boolean): boolean {
    const { body, filled } = assembly;
    const prefix = this.options.rawPrefix;
    if (prefix !== null && at < prefix.length && this.startsRaw(body, 0, filled)) {
      assembly.unchecked = true;
      return true;
    }
    // Not where a character is still incomplete.
    assembly.checked = ascii && assembly.checked === at ? filled : checkUtf8(body, assembly.checked, filled);
    if (assembly.checked >= 0) return true;
    this.fault('utf8', 'a text message is not UTF-8', 0);
    return false;
  }

  /** As `append`, of a compressed message: it is inflated from where it lies. */
  private inflate(assembly: Assembly, inflation: Inflation, b: Buffer, from: number, to: number): boolean {
    unmask(b, from, to, assembly.key);
    assembly.advance(to - from);
    const fault = inflation.add(b, from, to);
    if (fault !== null) this.spoilt(fault);
    else if (assembly.missing > 0 || !assembly.fin) inflation.keep();
    return fault === null;
  }

  /** The last frame of a compressed message is complete. */
  private completeInflated(inflation: Inflation, binary: boolean): boolean {
    const fault = inflation.end();
    if (fault !== null) {
      this.spoilt(fault);
      return false;
    }
    // Whoever is told may stop us: it is given back when they are done with it.
    this.assembly = null;
    try {
      return this.deliver(inflation.bytes, 0, inflation.length, binary, inflation.ascii, inflation.owned);
    } finally {
      this.deflate?.give(inflation);
    }
  }

  /** What is wrong with a compressed message. */
  private spoilt(fault: Fault): void {
    const { maxPayload } = this.options;
    if (fault === 'maxPayload') this.fault(fault, `a message that is inflated to more than ${maxPayload} bytes`, 0);
    else if (fault === 'utf8') this.fault(fault, 'a text message is not UTF-8', 0);
    else this.fault(fault, 'a compressed message cannot be inflated', 0);
  }

  /** The last frame of an assembled message is complete. */
  private complete(assembly: Assembly): boolean {
    if (assembly.inflation !== null) return this.completeInflated(assembly.inflation, assembly.opcode === OP.BINARY);
    const { body, filled, ascii, opcode } = assembly;
    this.assembly = null;
    if (!assembly.unchecked && assembly.checked !== filled) {
      this.fault('utf8', 'a text message ends inside a character', 0);
      return false;
    }
    return this.deliver(body, 0, filled, opcode === OP.BINARY, ascii, true);
  }

  private control(op: number, b: Buffer, start: number, end: number): void {
    this.frames++;
    const payload = Buffer.from(b.subarray(start, end));
    // Inside a message it does not bring that any further.
    if (this.assembly === null) this.completed++;
    if (op === OP.PING) this.receiver.onPing(payload);
    else if (op === OP.PONG) this.receiver.onPong(payload);
    else this.closing(payload);
  }

  /** RFC 6455 §5.5.1: nothing that follows a Close frame is looked at. */
  private closing(payload: Buffer): void {
    if (payload.length === 0) {
      this.stop();
      this.receiver.onCloseFrame(1005, '');
      return;
    }
    const code = payload.length === 1 ? 0 : payload.readUInt16BE(0);
    const reason = payload.subarray(2);
    if (payload.length === 1) this.fault('protocol', 'a Close frame with a body of one byte', 0);
    else if (!validCloseCode(code)) this.fault('protocol', `close code ${code} may not be sent`, 0);
    else if (!isUtf8(reason)) this.fault('utf8', 'the reason of a Close frame is not UTF-8', 0);
    else {
      this.stop();
      this.receiver.onCloseFrame(code, reason.toString());
    }
  }

  private fault(fault: Fault, text: string, used: number): number {
    this.stop();
    this.receiver.onFault(fault, text);
    return used;
  }
}

/** The masking key at `at`, its first byte the most significant. */
function keyAt(b: Buffer, at: number): number {
  return (b[at] << 24) | (b[at + 1] << 16) | (b[at + 2] << 8) | b[at + 3];
}
