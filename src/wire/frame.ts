// Frames as the server sends them (RFC 6455 §5.2): never masked. Headers and control frames are latin1
// strings, one character a byte: a short reply leaves as one string, header included, without a Buffer of its own.

export const OP = { CONTINUATION: 0, TEXT: 1, BINARY: 2, CLOSE: 8, PING: 9, PONG: 10 } as const;

const FIN = 0x80;
const RSV1 = 0x40;

function shortHeaders(opcode: number): string[] {
  return Array.from({ length: 126 }, (_, length) => String.fromCharCode(FIN | opcode, length));
}
const SHORT_TEXT = shortHeaders(OP.TEXT);
const SHORT_BINARY = shortHeaders(OP.BINARY);

/** The header of an unfragmented, unmasked frame of `length` bytes with the opcode text or binary. */
export function dataHeader(length: number, binary: boolean): string {
  if (length < 126) return (binary ? SHORT_BINARY : SHORT_TEXT)[length];
  return longHeader(FIN | (binary ? OP.BINARY : OP.TEXT), length);
}

/** The header of a fragment that does not end its message (RFC 6455 §5.4). */
export function fragmentHeader(length: number, opcode: number): string {
  return length < 126 ? String.fromCharCode(opcode, length) : longHeader(opcode, length);
}

/** The empty frame that ends a message in fragments. */
export const LAST_FRAGMENT = String.fromCharCode(FIN | OP.CONTINUATION, 0);

function longHeader(first: number, length: number): string {
  if (length < 65536) return String.fromCharCode(first, 126, length >> 8, length & 255);
  const high = Math.floor(length / 4294967296);
  const low = length >>> 0;
  return String.fromCharCode(
    first,
    127,
    high >>> 24,
    (high >> 16) & 255,
    (high >> 8) & 255,
    high & 255,
    low >>> 24,
    (low >> 16) & 255,
    (low >> 8) & 255,
    low & 255,
  );
}

/**
 * Writes the header of an unfragmented frame with RSV1, a compressed message (RFC 7692 §6), in front of its payload
 * `b[at..at + length)`. @returns where it begins.
 */
export function putCompressedHeader(b: Buffer, at: number, length: number, binary: boolean): number {
  const size = length < 126 ? 2 : length < 65536 ? 4 : 10;
  const start = at - size;
  b[start] = FIN | RSV1 | (binary ? OP.BINARY : OP.TEXT);
  if (size === 2) b[start + 1] = length;
  else if (size === 4) {
    b[start + 1] = 126;
    b.writeUInt16BE(length, start + 2);
  } else {
    b[start + 1] = 127;
    b.writeUInt32BE(Math.floor(length / 4294967296), start + 2);
    b.writeUInt32BE(length >>> 0, start + 6);
  }
  return start;
}

/** A Ping or Pong frame with a payload of at most 125 bytes (RFC 6455 §5.5). */
export function controlFrame(opcode: number, payload: Buffer): string {
  const bytes = payload.length > 125 ? payload.subarray(0, 125) : payload;
  return String.fromCharCode(FIN | opcode, bytes.length) + bytes.toString('latin1');
}

/** A Close frame (RFC 6455 §5.5.1). 1005 stands for one without a code; a reason is cut at a character to 123 bytes. */
export function closeFrame(code: number, reason: string): string {
  if (code === 1005) return String.fromCharCode(FIN | OP.CLOSE, 0);
  let bytes = Buffer.from(reason);
  if (bytes.length > 123) {
    let end = 123;
    while ((bytes[end] & 0xc0) === 0x80) end--;
    bytes = bytes.subarray(0, end);
  }
  return String.fromCharCode(FIN | OP.CLOSE, bytes.length + 2, code >> 8, code & 255) + bytes.toString('latin1');
}

/** Whether a Close frame may carry `code` (RFC 6455 §7.4, and the codes registered with IANA since: 1012 to 1014). */
export function validCloseCode(code: number): boolean {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}
