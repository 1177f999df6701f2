import type { TransportSocket } from '../transport/transport.ts';

const SIZE = 128 * 1024;
/**
 * Where frames begin in a slab: not at the start of its page, where the memory that sockets read into begins too. A copy whose
 * target lies a few bytes further into its page than its source takes many times as long (4K aliasing).
 */
const BASE = 2048;
/** Up to so many bytes leave as a string: no view of the slab has to be made, and none can keep it in use. */
const STRING_MOST = 4096;
/** A Buffer longer than this is not copied to stand behind something else: who are sent it share it. */
export const SHARED_LEAST = 4096;
const NO_BYTES = Buffer.alloc(0);

/** Memory for the frames that leave within one chunk of input: used again and again, as long as the kernel takes them at once. */
export class Slab {
  /** More than this does not fit. */
  static readonly MOST = SIZE - BASE;
  bytes: Buffer = NO_BYTES;
  /** The first free byte. */
  top = SIZE;
  /** How many gathers have frames in `bytes`. */
  users = 0;
  /** A socket still reads from `bytes`: it is not to be written over. */
  lent = false;

  /** Takes `length` bytes. @returns where they begin in `bytes`, which may be another one than before. */
  take(length: number): number {
    if (this.top + length > SIZE) {
      this.bytes = Buffer.allocUnsafeSlow(SIZE);
      this.top = BASE;
      this.users = 0;
      this.lent = false;
    }
    const at = this.top;
    this.top += length;
    return at;
  }

  /** A gather's frames in `bytes` have been written; `pending`: the kernel has not taken them all. */
  give(bytes: Buffer, pending: boolean): void {
    if (bytes !== this.bytes) return;
    if (pending) this.lent = true;
    if (--this.users === 0 && !this.lent) this.top = BASE;
  }
}

/** The frames that one chunk of input brings about at one client: they leave in one write. */
export class Gather {
  /** Bytes that wait here. */
  size = 0;
  private readonly slab: Slab;
  /** What stands before the tail. The tail is `text`, or `bytes[from..to)` of the slab. */
  private readonly pieces: (string | Buffer)[] = [];
  private text = '';
  private bytes: Buffer = NO_BYTES;
  private from = 0;
  private to = 0;

  constructor(slab: Slab) {
    this.slab = slab;
  }

  /** Adds a frame, or a part of one, as a latin1 string. */
  addText(text: string): void {
    this.size += text.length;
    if (this.to > 0 && this.extend(text.length)) this.bytes.write(text, this.to - text.length, 'latin1');
    else {
      this.closeRange();
      this.text += text;
    }
  }

  /** Adds a frame whose payload is copied; at most {@link Slab.MOST} bytes in all. */
  addCopy(prefix: string, payload: Buffer, suffix: string): void {
    const { length } = payload;
    let at = this.room(prefix.length + length + suffix.length);
    const { bytes } = this;
    for (let i = 0; i < prefix.length; i++) bytes[at++] = prefix.charCodeAt(i);
    if (length < 48) for (let i = 0; i < length; i++) bytes[at + i] = payload[i];
    else bytes.set(payload, at);
    if (suffix !== '') bytes.write(suffix, at + length, 'latin1');
  }

  /** Adds a frame with a payload of text, `length` bytes in UTF-8. */
  addUtf8(prefix: string, payload: string, length: number, suffix: string): void {
    const at = this.room(prefix.length + length + suffix.length);
    const { bytes } = this;
    bytes.write(prefix, at, 'latin1');
    bytes.write(payload, at + prefix.length, 'utf8');
    if (suffix !== '') bytes.write(suffix, at + prefix.length + length, 'latin1');
  }

  /** Adds bytes that nobody changes any more. */
  addShared(bytes: Buffer): void {
    if (this.size > 0 && bytes.length <= SHARED_LEAST) {
      this.addCopy('', bytes, '');
      return;
    }
    this.size += bytes.length;
    this.closeText();
    this.closeRange();
    this.pieces.push(bytes);
  }

  /** Writes everything, and is empty again. @param last nothing follows but the FIN: it need not wait for that. */
  writeTo(socket: TransportSocket, last: boolean): void {
    const { pieces, text, bytes, from, to } = this;
    this.size = 0;
    this.text = '';
    if (to > 0) {
      this.from = this.to = 0;
      this.bytes = NO_BYTES;
      const short = to - from <= STRING_MOST;
      const tail = short ? bytes.toString('latin1', from, to) : bytes.subarray(from, to);
      if (pieces.length > 0) socket.writeAll([...pieces, tail]);
      else if (typeof tail === 'string' && !last) socket.writeSoon(tail);
      else socket.write(tail);
      this.slab.give(bytes, !short && socket.pending > 0);
    } else if (pieces.length === 0) {
      if (last) socket.write(text);
      else socket.writeSoon(text);
    } else if (text === '' && pieces.length === 1) socket.write(pieces[0]);
    else socket.writeAll(text === '' ? [...pieces] : [...pieces, text]);
    if (pieces.length > 0) pieces.length = 0;
  }

  /** Room for `length` bytes behind what is here. @returns where it begins in `this.bytes`. */
  private room(length: number): number {
    this.size += length;
    const { text } = this;
    if (this.to > 0 && this.extend(length)) return this.to - length;
    this.closeRange();
    // Text that came before stands in front, in the same piece.
    const before = text.length > 0 && text.length + length <= Slab.MOST ? text.length : 0;
    if (before > 0) this.text = '';
    else this.closeText();
    const at = this.slab.take(before + length);
    this.slab.users++;
    this.bytes = this.slab.bytes;
    this.from = at;
    this.to = at + before + length;
    if (before > 0) this.bytes.write(text, at, 'latin1');
    return at + before;
  }

  /** Makes the range in the slab longer, if nobody else has taken the bytes behind it. */
  private extend(length: number): boolean {
    const { slab } = this;
    if (this.bytes !== slab.bytes || this.to !== slab.top || this.to + length > SIZE) return false;
    slab.top += length;
    this.to += length;
    return true;
  }

  private closeText(): void {
    if (this.text === '') return;
    this.pieces.push(this.text);
    this.text = '';
  }

  private closeRange(): void {
    if (this.to === 0) return;
    // Copied: the slab may be used again before this is written.
    const { bytes, from, to } = this;
    const short = to - from <= STRING_MOST;
    this.pieces.push(short ? bytes.toString('latin1', from, to) : Buffer.from(bytes.subarray(from, to)));
    this.slab.give(bytes, false);
    this.from = this.to = 0;
    this.bytes = NO_BYTES;
  }
}
