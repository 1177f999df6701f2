import { isUtf8 } from 'node:buffer';
import type { Fault } from './engine.ts';
import { OP, validCloseCode } from './frame.ts';
import { HeldDecoder } from './held.ts';
import { turned, unmask, unmaskTo } from './mask.ts';
import { giveMemory, takeMemory } from './spare.ts';
import { checkUtf8 } from './utf8.ts';

const NO_BYTES = Buffer.alloc(0);

/**
 * A message reserves at most so many times the bytes that have come of it: a header may announce what never comes. So much
 * that a long one is rarely moved.
 */
const RESERVE = 16;

/** A message that does not lie whole in one chunk, as far as it has come; an idle connection has none. */
class Assembly {
  readonly opcode: number;
  /** Its bytes are `body[0..filled)`. */
  body: Buffer = NO_BYTES;
  filled = 0;
  frames = 0;
  ascii = true;
  /** `body` is UTF-8 up to here. */
  checked = 0;
  /** Not text, or text that is not to be checked. */
  unchecked: boolean;
  /** Of the frame whose payload is arriving: bytes still to come (-1: no such frame), its key from the next byte on, its FIN. */
  missing = -1;
  key = 0;
  fin = false;

  constructor(opcode: number, unchecked: boolean) {
    this.opcode = opcode;
    this.unchecked = unchecked;
  }

  /** Makes room for `more` bytes, and for those that are announced as far as they deserve it. */
  reserve(more: number, maxPayload: number): void {
    const need = this.filled + more;
    if (need <= this.body.length) return;
    // What comes in this frame is known; if others follow, doubling keeps the copying linear.
    const announced = this.filled + this.missing;
    const ahead = this.fin ? announced : Math.min(maxPayload, Math.max(announced, this.body.length * 2));
    const larger = takeMemory(Math.min(ahead, need * RESERVE));
    this.body.copy(larger, 0, 0, this.filled);
    giveMemory(this.body);
    this.body = larger;
  }
}

/**
 * Frames from a client (RFC 6455 §5, §6.2, §8.1): incremental, any split of the bytes gives the same messages.
 * A message that lies whole in one chunk is handed over where it lies; any other is assembled in a buffer of its own,
 * unmasked and checked for UTF-8 as its bytes arrive.
 */
export abstract class FrameDecoder extends HeldDecoder {
  /** The message being assembled. */
  private assembly: Assembly | null = null;

  override stop(): void {
    super.stop();
    this.assembly = null;
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
      if (op < 8 && !this.dataAllowed(op, length)) return n;
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
      } else if (end <= n && b0 > 127 && op !== OP.CONTINUATION) {
        const or = unmask(b, start, end, keyAt(b, at));
        i = end;
        if (!this.whole(b, start, end, op === OP.BINARY, or < 128)) return this.stopped ? n : i;
      } else {
        this.begin(op, length, b0 > 127, keyAt(b, at));
        i = start;
      }
    }
  }

  /** The first two bytes of a frame: RSV, opcode, MASK, and what control frames may not be (RFC 6455 §5.2, §5.5). */
  private headerAllowed(b0: number, b1: number): boolean {
    const op = b0 & 15;
    let wrong = '';
    if ((b0 & 0x70) !== 0) wrong = 'a reserved bit is set though no extension was negotiated';
    else if (b1 < 128) wrong = 'a frame from a client is not masked';
    else if (op > 10 || (op > 2 && op < 8)) wrong = `opcode ${op} is reserved`;
    else if (op >= 8 && b0 < 128) wrong = 'a control frame is fragmented';
    else if (op >= 8 && (b1 & 127) > 125) wrong = 'a control frame is longer than 125 bytes';
    if (wrong === '') return true;
    this.fault('protocol', wrong, 0);
    return false;
  }

  /** Whether a data frame may come here, and be that long: decided before a byte of it is kept. */
  private dataAllowed(op: number, length: number): boolean {
    const { maxPayload, maxFragments } = this.options;
    const { assembly } = this;
    if ((op === OP.CONTINUATION) === (assembly === null)) {
      const wrong = op === 0 ? 'a continuation without a message' : 'a new message inside a fragmented one';
      this.fault('protocol', wrong, 0);
    } else if ((assembly?.filled ?? 0) + length > maxPayload) {
      this.fault('maxPayload', `a message of more than ${maxPayload} bytes`, 0);
    } else if (assembly !== null && maxFragments > 0 && assembly.frames >= maxFragments) {
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
  private begin(op: number, length: number, fin: boolean, key: number): void {
    const assembly = this.assembly ?? new Assembly(op, op === OP.BINARY || this.raw);
    this.assembly = assembly;
    assembly.frames++;
    assembly.missing = length;
    assembly.key = key;
    assembly.fin = fin;
  }

  private append(assembly: Assembly, b: Buffer, from: number, to: number): boolean {
    const length = to - from;
    if (length === 0) return true;
    assembly.reserve(length, this.options.maxPayload);
    const { body, filled, key } = assembly;
    const end = filled + length;
    const or = unmaskTo(body, filled, b, from, to, key);
    assembly.key = turned(key, length);
    assembly.filled = end;
    assembly.missing -= length;
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

  /** The last frame of an assembled message is complete. */
  private complete(assembly: Assembly): boolean {
    const { body, filled, ascii, opcode } = assembly;
    this.assembly = null;
    if (!assembly.unchecked && assembly.checked !== filled) {
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
    this.receiver.onFault(fault, text);
    return used;
  }
}

/** The masking key at `at`, its first byte the most significant. */
function keyAt(b: Buffer, at: number): number {
  return (b[at] << 24) | (b[at + 1] << 16) | (b[at + 2] << 8) | b[at + 3];
}
