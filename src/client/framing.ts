import type { Message } from './types.ts';

/** What a daemon takes. */
export interface Bounds {
  /** Bytes of one message on the wire. */
  readonly maxPayload: number;
  /** Bytes, and number, of the pieces of one message. */
  readonly maxBuffer: number;
  readonly maxChunks: number;
}

/** The daemon's defaults: what the plain dialog does not say. */
export const USUAL: Bounds = { maxPayload: 1 << 20, maxBuffer: 1 << 24, maxChunks: 10_000 };

export type Payload = string | Uint8Array;

/** A message, as far as it shows on the wire. */
export interface Framed {
  readonly data: Payload;
  /** Bytes. */
  readonly size: number;
  /** 0: without a session. */
  id: number;
  /** It may have been handled before. */
  repeated: boolean;
}

/** Most bytes of a header (PROTOCOL.md §9). */
const HEADER = 256;
const encoder = new TextEncoder();

/** A message as it is sent: as it is now, whatever becomes of it. */
export function payloadOf(message: Message): Payload {
  if (typeof message === 'string') return message;
  return 'opcode' in message ? JSON.stringify(message) : new Uint8Array(message).slice();
}

/** Bytes that a payload has on the wire. */
export function sizeOf(data: Payload): number {
  return typeof data === 'string' ? encoder.encode(data).length : data.length;
}

/** Most bytes that the daemon takes, in one or in pieces. */
export function mostOf({ maxPayload, maxBuffer, maxChunks }: Bounds): number {
  return Math.max(maxPayload - HEADER, Math.min(maxBuffer, maxChunks * roomOf(maxPayload)));
}

/** The messages on the wire that a message is in a session. @param ack how many have been received; 0: not said. */
export function sessionFrames({ data, size, id, repeated }: Framed, { maxPayload }: Bounds, ack: number): Payload[] {
  const pieces = size > maxPayload - HEADER ? cut(data, size, roomOf(maxPayload)) : [data];
  return pieces.map((piece, index) => {
    const more = index < pieces.length - 1 || undefined;
    const header = { id, more, again: repeated || undefined, ack: (index === 0 && ack) || undefined };
    return join(`${JSON.stringify(header)}\n`, piece);
  });
}

/** The messages on the wire that a message is in the plain dialog; each of them gets a `next`. */
export function plainFrames({ data, size }: Framed, { maxPayload }: Bounds): Payload[] {
  // A text that begins like this would begin a message in pieces.
  const ambiguous = typeof data === 'string' && data.startsWith('bufferON');
  return size > maxPayload || ambiguous ? ['bufferON', ...cut(data, size, roomOf(maxPayload)), 'bufferOFF'] : [data];
}

/** Bytes of one piece: a character that does not fit may take three of it. */
function roomOf(maxPayload: number): number {
  return Math.max(16, maxPayload - HEADER - 3);
}

/** Pieces of about the same size: none of them can be taken for a word of the protocol. */
function cut(data: Payload, size: number, room: number): Payload[] {
  const each = Math.ceil(size / Math.ceil(size / room)) + 3;
  const pieces: Payload[] = [];
  const space = new Uint8Array(each);
  for (let at = 0; at < data.length; ) {
    const read = typeof data === 'string' ? encoder.encodeInto(data.slice(at, at + each), space).read : each;
    pieces.push(data.slice(at, at + read));
    at += read;
  }
  return pieces;
}

function join(header: string, payload: Payload): Payload {
  if (typeof payload === 'string') return header + payload;
  const bytes = new Uint8Array(header.length + payload.length);
  encoder.encodeInto(header, bytes);
  bytes.set(payload, header.length);
  return bytes;
}
