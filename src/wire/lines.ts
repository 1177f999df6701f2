import { isUtf8 } from 'node:buffer';
import type { Engine } from './engine.ts';
import { HeldDecoder } from './held.ts';

const LF = 10;
const CR = 13;
const SPACE = 32;
const NO_BYTES = Buffer.alloc(0);
/** Bytes that are reserved at least for a line that comes in pieces. */
const LEAST = 64;
const LINE_END = /[\r\n]/g;

/** One message per line of UTF-8, LF or CRLF (PROTOCOL.md §6). There are no control frames and no binary messages. */
export class LineEngine extends HeldDecoder implements Engine {
  /** The beginning of a line whose end has not come yet: `line[0..filled)`. */
  private line: Buffer = NO_BYTES;
  private filled = 0;

  get framing(): string {
    return 'lines';
  }

  get compressor(): null {
    return null;
  }

  get hasClose(): boolean {
    return false;
  }

  get suffix(): string {
    return '\n';
  }

  /** A line has no fragments to its reader: it comes in as many writes. */
  get lastFragment(): string {
    return '\n';
  }

  protected run(b: Buffer): number {
    const n = b.length;
    let i = 0;
    while (i < n) {
      const lf = b.indexOf(LF, i);
      const end = lf === -1 ? n : lf;
      // A CR at the end is not part of the line, nor of its length.
      if (this.filled + end - i > this.options.maxPayload + 1) return this.tooLong();
      if (lf === -1) {
        this.keep(b, i, n);
        return n;
      }
      const from = i;
      i = lf + 1;
      let goOn: boolean;
      if (this.filled === 0) goOn = this.message(b, from, end, false);
      else {
        this.keep(b, from, end);
        goOn = this.keptLine();
      }
      if (!goOn) return this.stopped ? n : i;
    }
    return n;
  }

  end(): void {
    if (this.stopped || this.isHeld) return;
    if (this.filled > 0) this.keptLine();
    this.stop();
  }

  override get midway(): boolean {
    return (this.filled > 0 && !this.isHeld) || super.midway;
  }

  override stop(): void {
    super.stop();
    this.line = NO_BYTES;
    this.filled = 0;
  }

  private keep(b: Buffer, from: number, to: number): void {
    const need = this.filled + to - from;
    if (need > this.line.length) {
      // The beginning is all of it as a rule: room for more is made when more has come.
      const ahead =
        this.filled === 0 ? 0 : Math.min(Math.max(this.line.length * 2, LEAST), this.options.maxPayload + 1);
      const larger = Buffer.allocUnsafeSlow(Math.max(need, ahead));
      this.line.copy(larger, 0, 0, this.filled);
      this.line = larger;
    }
    b.copy(this.line, this.filled, from, to);
    this.filled = need;
  }

  private keptLine(): boolean {
    const { line, filled } = this;
    this.line = NO_BYTES;
    this.filled = 0;
    return this.message(line, 0, filled, true);
  }

  private message(b: Buffer, start: number, lineEnd: number, owned: boolean): boolean {
    this.frames++;
    const end = lineEnd > start && b[lineEnd - 1] === CR ? lineEnd - 1 : lineEnd;
    if (end - start > this.options.maxPayload) {
      this.tooLong();
      return false;
    }
    const prefix = this.options.rawPrefix;
    const rawStart =
      prefix !== null &&
      end - start >= prefix.length &&
      b.compare(prefix, 0, prefix.length, start, start + prefix.length) === 0;
    if (!this.raw && !rawStart && !isUtf8(b.subarray(start, end))) {
      this.stop();
      this.receiver.onFault('utf8', 'a line is not UTF-8');
      return false;
    }
    return this.deliver(b, start, end, false, false, owned);
  }

  private tooLong(): number {
    this.stop();
    this.receiver.onFault('maxPayload', `a line of more than ${this.options.maxPayload} bytes`);
    return 0;
  }

  prefix(): string {
    return '';
  }

  fragmentPrefix(): string {
    return '';
  }

  /** A line end inside a message would end it: JSON has them only as white space, so a space says the same. */
  clean(text: string): string {
    return text.includes('\n') || text.includes('\r') ? text.replace(LINE_END, ' ') : text;
  }

  cleanBytes(bytes: Buffer): Buffer {
    if (!bytes.includes(LF) && !bytes.includes(CR)) return bytes;
    return Buffer.from(bytes.map((c) => (c === LF || c === CR ? SPACE : c)));
  }

  closeFrame(): string {
    return '';
  }

  pingFrame(): string {
    return '';
  }

  pongFrame(): string {
    return '';
  }
}
