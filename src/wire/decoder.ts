import { isUtf8 } from 'node:buffer';
import type { PerMessageDeflate } from './compression.ts';
import type { EngineOptions, Fault, Receiver } from './engine.ts';
import { OP, validCloseCode } from './frame.ts';
import { HeldDecoder } from './held.ts';
import type { Inflation } from './inflation.ts';
import { unmask } from './mask.ts';
import { checkUtf8 } from './utf8.ts';

const NO_BYTES = Buffer.alloc(0);
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
  /** The message being assembled, if it came compressed (RFC 7692 §6.2); then `filled` counts compressed bytes. */
  private inflation: Inflation | null = null;
  // The message being assembled: its bytes are `body[0..filled)`.
  private body: Buffer = NO_BYTES;
  private filled = 0;
  /** Its opcode; 0: none is being assembled. */
  private opcode = 0;
  private frames = 0;
  private ascii = true;
  /** `body` is UTF-8 up to here. */
  private checked = 0;
  /** Not text, or text that is not to be checked. */
  private unchecked = false;
  // The data frame whose payload is arriving: bytes still to come, its key (rotated to the next byte), its FIN.
  private missing = -1;
  private key = 0;
  private fin = false;

  constructor(receiver: Receiver, options: EngineOptions, deflate: PerMessageDeflate | null = null) {
    super(receiver, options);
    this.deflate = deflate;
  }

  override stop(): void {
    super.stop();
    this.inflated();
    this.deflate?.close();
  }

  protected run(b: Buffer): number {
    const n = b.length;
    let i = 0;
    for (;;) {
      if (this.missing >= 0) {
        const take = Math.min(this.missing, n - i);
        if (!this.append(b, i, i + take)) return n;
        i += take;
        if (this.missing > 0) return n;
        this.missing = -1;
        if (this.fin && !this.complete()) return i;
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
        unmask(b, start, end, b[at], b[at + 1], b[at + 2], b[at + 3]);
        i = end;
        this.control(op, b, start, end);
        if (this.stopped) return n;
      } else if (end <= n && (b0 & 0xc0) === 0x80 && op !== OP.CONTINUATION) {
        const or = unmask(b, start, end, b[at], b[at + 1], b[at + 2], b[at + 3]);
        i = end;
        if (!this.whole(b, start, end, op === OP.BINARY, or < 128)) return this.stopped ? n : i;
      } else {
        this.begin(op, length, b0 > 127, b.readInt32BE(at), (b0 & RSV1) !== 0);
        i = start;
      }
    }
  }

  /** The first two bytes of a frame: RSV, opcode, MASK, and what control frames may not be (RFC 6455 §5.2, §5.5). */
  private headerAllowed(b0: number, b1: number): boolean {
    const op = b0 & 15;
    let wrong = '';
    if ((b0 & 0x70) !== 0 && !this.isCompressed(b0)) wrong = 'a reserved bit is set that means nothing here';
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

  /** Whether a data frame may come here, and be that long: decided before a byte of it is kept. */
  private dataAllowed(op: number, length: number, compressed: boolean): boolean {
    const { maxPayload, maxFragments } = this.options;
    let longest = maxPayload;
    if (compressed) longest = longestCompressed(maxPayload, 0);
    else if (this.inflation !== null) longest = longestCompressed(maxPayload, this.frames);
    if (op === OP.CONTINUATION ? this.opcode === 0 : this.opcode !== 0) {
      const wrong = op === 0 ? 'a continuation without a message' : 'a new message inside a fragmented one';
      this.fault('protocol', wrong, 0);
    } else if (this.filled + length > longest) {
      this.fault('maxPayload', `a message of more than ${maxPayload} bytes`, 0);
    } else if (op === OP.CONTINUATION && maxFragments > 0 && this.frames >= maxFragments) {
      this.fault('maxFragments', `a message of more than ${maxFragments} frames`, 0);
    }
    return !this.stopped;
  }

  /** A message in one frame that lies whole in the chunk. */
  private whole(b: Buffer, start: number, end: number, binary: boolean, ascii: boolean): boolean {
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
    if (op !== OP.CONTINUATION) {
      this.opcode = op;
      this.frames = 0;
      this.ascii = true;
      this.checked = 0;
      this.unchecked = op === OP.BINARY || this.raw;
      if (compressed && this.deflate !== null) this.inflation = this.deflate.take(this.options, this.unchecked);
    }
    this.frames++;
    this.missing = length;
    this.key = key;
    this.fin = fin;
    if (this.inflation !== null) return;
    const need = this.filled + length;
    if (need > this.body.length) {
      // The last frame says how long the message is; before it, doubling keeps the copying linear.
      const size = fin ? need : Math.min(this.options.maxPayload, Math.max(need, this.body.length * 2));
      const larger = Buffer.allocUnsafeSlow(size);
      this.body.copy(larger, 0, 0, this.filled);
      this.body = larger;
    }
  }

  private append(b: Buffer, from: number, to: number): boolean {
    const length = to - from;
    const key = this.key;
    if (length === 0) return true;
    if (this.inflation !== null) return this.inflate(this.inflation, b, from, to);
    const at = this.filled;
    b.copy(this.body, at, from, to);
    const end = at + length;
    const or = unmask(this.body, at, end, key >>> 24, (key >> 16) & 255, (key >> 8) & 255, key & 255);
    this.advance(length);
    if (or > 127) this.ascii = false;
    if (this.unchecked) return true;
    const prefix = this.options.rawPrefix;
    if (prefix !== null && at < prefix.length && this.startsRaw(this.body, 0, end)) {
      this.unchecked = true;
      return true;
    }
    if (or < 128 && this.checked === at) {
      this.checked = end;
      return true;
    }
    this.checked = checkUtf8(this.body, this.checked, end);
    if (this.checked >= 0) return true;
    this.fault('utf8', 'a text message is not UTF-8', 0);
    return false;
  }

  /** So many bytes of the frame have come: its key turns with them. */
  private advance(length: number): void {
    const { key } = this;
    const turn = (length & 3) * 8;
    if (turn !== 0) this.key = (key << turn) | (key >>> (32 - turn));
    this.filled += length;
    this.missing -= length;
  }

  /** As `append`, of a compressed message: it is inflated from where it lies. */
  private inflate(inflation: Inflation, b: Buffer, from: number, to: number): boolean {
    const { key } = this;
    unmask(b, from, to, key >>> 24, (key >> 16) & 255, (key >> 8) & 255, key & 255);
    this.advance(to - from);
    const fault = inflation.add(b, from, to);
    if (fault !== null) this.spoilt(fault);
    else if (this.missing > 0 || !this.fin) inflation.keep();
    return fault === null;
  }

  /** The last frame of a compressed message is complete. */
  private completeInflated(inflation: Inflation): boolean {
    const binary = this.opcode === OP.BINARY;
    const fault = inflation.end();
    this.filled = 0;
    this.opcode = 0;
    if (fault !== null) {
      this.spoilt(fault);
      return false;
    }
    // Whoever is told may stop us: it is given back when they are done with it.
    this.inflation = null;
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

  /** A compressed message needs its decompressor no more. */
  private inflated(): void {
    const { inflation } = this;
    this.inflation = null;
    if (inflation !== null) this.deflate?.give(inflation);
  }

  /** The last frame of an assembled message is complete. */
  private complete(): boolean {
    if (this.inflation !== null) return this.completeInflated(this.inflation);
    const { body, filled, ascii, opcode } = this;
    const truncated = !this.unchecked && this.checked !== filled;
    this.body = NO_BYTES;
    this.filled = 0;
    this.opcode = 0;
    if (truncated) {
      this.fault('utf8', 'a text message ends inside a character', 0);
      return false;
    }
    return this.deliver(body, 0, filled, opcode === OP.BINARY, ascii, true);
  }

  private control(op: number, b: Buffer, start: number, end: number): void {
    const payload = Buffer.from(b.subarray(start, end));
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
    this.body = NO_BYTES;
    this.receiver.onFault(fault, text);
    return used;
  }
}
