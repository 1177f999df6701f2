/** The client's side of the wire, as plain as can be: what the honest and the hostile clients of this folder are made of. */

export interface FrameOptions {
  /** Opcode; default: text. */
  readonly op?: number;
  readonly fin?: boolean;
  /** The three reserved bits, 0 to 7. */
  readonly rsv?: number;
}

const KEY = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);

/** The header of a masked frame that announces `length` bytes. */
export function frameHeader(length: number | bigint, { op = 1, fin = true, rsv = 0 }: FrameOptions = {}): Buffer {
  let header: Buffer;
  if (length < 126) header = Buffer.from([0, Number(length)]);
  else if (length < 65536) {
    header = Buffer.from([0, 126, 0, 0]);
    header.writeUInt16BE(Number(length), 2);
  } else {
    header = Buffer.alloc(10);
    header[1] = 127;
    header.writeBigUInt64BE(BigInt(length), 2);
  }
  header[0] = (fin ? 0x80 : 0) | (rsv << 4) | op;
  header[1] |= 0x80;
  return Buffer.concat([header, KEY]);
}

/** A whole masked frame. */
export function frame(content: string | Buffer, options: FrameOptions = {}): Buffer {
  const payload = Buffer.from(content as string);
  const header = frameHeader(payload.length, options);
  for (let i = 0; i < payload.length; i++) payload[i] ^= KEY[i & 3];
  return Buffer.concat([header, payload]);
}

/** A WebSocket handshake. @param extra header lines, each with its CRLF. */
export function upgrade(path: string, extra = ''): string {
  const fixed = 'Host: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n';
  return `GET ${path} HTTP/1.1\r\n${fixed}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${extra}\r\n`;
}

/** Opcodes that a server may send: RFC 6455 §5.2. */
const OPCODES = new Set([0, 1, 2, 8, 9, 10]);

/** Splits what a server sends into its handshake's head and its frames. */
export class ServerReader {
  /** The head of the response, once it is whole. */
  head = '';
  /** What no server may send: the first of it. */
  wrong = '';
  private bytes: Buffer = Buffer.alloc(0);
  private readonly onFrame: (op: number, payload: Buffer) => void;

  constructor(onFrame: (op: number, payload: Buffer) => void) {
    this.onFrame = onFrame;
  }

  push(chunk: Buffer): void {
    this.bytes = this.bytes.length === 0 ? chunk : Buffer.concat([this.bytes, chunk]);
    if (this.head === '') {
      const end = this.bytes.indexOf('\r\n\r\n');
      if (end === -1) return;
      this.head = this.bytes.toString('latin1', 0, end);
      this.bytes = this.bytes.subarray(end + 4);
    }
    // What follows another answer are no frames.
    if (!this.head.startsWith('HTTP/1.1 101 ')) return;
    for (;;) {
      const { bytes } = this;
      if (bytes.length < 2) return;
      this.judge(bytes[0], bytes[1]);
      let length = bytes[1] & 127;
      let at = 2;
      if (length === 126) {
        if (bytes.length < 4) return;
        length = bytes.readUInt16BE(2);
        at = 4;
      } else if (length === 127) {
        if (bytes.length < 10) return;
        length = Number(bytes.readBigUInt64BE(2));
        at = 10;
      }
      if (bytes.length < at + length) return;
      this.bytes = bytes.subarray(at + length);
      this.onFrame(bytes[0] & 15, bytes.subarray(at, at + length));
    }
  }

  /** The first two bytes of a frame. RSV1 may be set only on data, where permessage-deflate was agreed upon. */
  private judge(first: number, second: number): void {
    const op = first & 15;
    const compressed = op === 1 || op === 2 ? this.head.includes('permessage-deflate') : false;
    const isRight = OPCODES.has(op) && second < 128 && (first & (compressed ? 0x30 : 0x70)) === 0;
    const isWhole = op < 8 || (first > 127 && second < 126);
    if (this.wrong === '' && !(isRight && isWhole)) this.wrong = `a frame that begins with ${first}, ${second}`;
  }
}
