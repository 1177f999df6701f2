import { isAscii } from 'node:buffer';
import type { Receiver } from '../../src/wire/engine.ts';

/** Bytes from their hex form; spaces are for the reader. */
export function hex(text: string): Buffer {
  const digits = text.replaceAll(/\s+/g, '');
  if (!/^(?:[0-9a-f]{2})*$/i.test(digits)) throw new Error(`not hex: ${text}`);
  return Buffer.from(digits, 'hex');
}

export interface FrameOptions {
  op?: number;
  payload?: string | Buffer;
  fin?: boolean;
  /** The three reserved bits, 0 to 7. */
  rsv?: number;
  /** Masking key; null: an unmasked frame. */
  key?: readonly number[] | null;
}

/** Text as UTF-8; bytes as they are. */
export function bytesOf(content: string | Buffer): Buffer {
  return typeof content === 'string' ? Buffer.from(content) : content;
}

const KEY = [0x37, 0xfa, 0x21, 0x3d] as const; // RFC 6455 §5.7

/** A frame as a client sends it (RFC 6455 §5.2), by the plainest possible code. */
export function frame(options: FrameOptions = {}): Buffer {
  const { op = 1, fin = true, rsv = 0, key = KEY } = options;
  const payload = bytesOf(options.payload ?? '');
  const head = [(fin ? 0x80 : 0) | (rsv << 4) | op];
  const mask = key === null ? 0 : 0x80;
  if (payload.length < 126) head.push(mask | payload.length);
  else if (payload.length < 65536) head.push(mask | 126, payload.length >> 8, payload.length & 255);
  else {
    const length = Buffer.alloc(8);
    length.writeBigUInt64BE(BigInt(payload.length));
    head.push(mask | 127, ...length);
  }
  if (key === null) return Buffer.concat([Buffer.from(head), payload]);
  return Buffer.concat([Buffer.from([...head, ...key]), payload.map((byte, i) => byte ^ key[i % 4])]);
}

/** A Close frame of a client. */
export function clientClose(code?: number, reason = ''): Buffer {
  if (code === undefined) return frame({ op: 8 });
  return frame({ op: 8, payload: Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason)]) });
}

/** A frame that the server sent. */
export interface ServerFrame {
  readonly op: number;
  readonly payload: Buffer;
  /** RSV1 is set. */
  readonly compressed?: true;
}

/** A frame that may be one of several of its message. */
export interface ServerFragment extends ServerFrame {
  readonly fin: boolean;
}

/**
 * The frames in what a server sent. Throws where they are not whole, masked, fragmented or longer than they need be.
 * @param extended RSV1 may be set on data frames.
 */
export function serverFrames(bytes: Buffer, extended = false): ServerFrame[] {
  return serverFragments(bytes, extended).map(({ fin, ...found }) => {
    if (!fin || found.op === 0) throw new Error(`a fragment with opcode ${found.op}, FIN ${fin}`);
    return found;
  });
}

/** The same, where messages may be fragmented. */
export function serverFragments(bytes: Buffer, extended = false): ServerFragment[] {
  const found: ServerFragment[] = [];
  let at = 0;
  while (at < bytes.length) {
    const first = bytes[at];
    const compressed = extended && (first & 0xf8) === 0xc0;
    if ((first & 0x70) !== 0 && !compressed) throw new Error(`a frame begins with ${first.toString(16)} at ${at}`);
    let length = bytes[at + 1];
    at += 2;
    if (length > 127) throw new Error('a frame of the server is masked');
    if (length === 126) {
      length = bytes.readUInt16BE(at);
      at += 2;
      if (length < 126) throw new Error('a length that is not minimal');
    } else if (length === 127) {
      length = Number(bytes.readBigUInt64BE(at));
      at += 8;
      if (length < 65536) throw new Error('a length that is not minimal');
    }
    if (at + length > bytes.length) throw new Error('the last frame is not whole');
    const payload = bytes.subarray(at, at + length);
    found.push({ op: first & 15, fin: first > 127, payload, ...(compressed ? { compressed } : {}) });
    at += length;
  }
  return found;
}

/** What an engine found, in order. Payloads are in latin1, so that a difference can be read. */
export type Found =
  | { readonly message: string; readonly binary: boolean }
  | { readonly ping: string }
  | { readonly pong: string }
  | { readonly close: number; readonly reason: string }
  | { readonly fault: string };

/** A receiver that writes down what it is given, and asks to be held where `holds` says so. */
export class Recorder implements Receiver {
  readonly found: Found[] = [];
  /** The texts of faults. */
  readonly texts: string[] = [];
  /** Asked after each message: whether to hold. */
  holds: () => boolean = () => false;
  held = false;
  /** Called in each message, with its number. */
  inMessage: (index: number) => void = () => {};
  inPing: () => void = () => {};
  private readonly owned: { index: number; bytes: Buffer; binary: boolean }[] = [];

  onMessage(b: Buffer, start: number, end: number, binary: boolean, ascii: boolean, owned: boolean): boolean {
    if (this.held) throw new Error('a message while held');
    const bytes = b.subarray(start, end);
    if (ascii && !isAscii(bytes)) throw new Error('ascii is said of what is not');
    const index = this.found.length;
    this.found.push({ message: bytes.toString('latin1'), binary });
    // What is said to be ours must still be there at the end.
    if (owned) this.owned.push({ index, bytes, binary });
    this.inMessage(index);
    this.held = this.holds();
    return !this.held;
  }

  onPing(payload: Buffer): void {
    this.found.push({ ping: payload.toString('latin1') });
    this.inPing();
  }

  onPong(payload: Buffer): void {
    this.found.push({ pong: payload.toString('latin1') });
  }

  onCloseFrame(code: number, reason: string): void {
    this.found.push({ close: code, reason });
  }

  onFault(fault: string, text: string): void {
    this.found.push({ fault });
    this.texts.push(text);
  }

  /** Everything found, owned messages as they are now. */
  all(): Found[] {
    const found = [...this.found];
    for (const { index, bytes, binary } of this.owned) found[index] = { message: bytes.toString('latin1'), binary };
    return found;
  }
}
