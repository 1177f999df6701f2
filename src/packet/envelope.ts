/** What stands around messages in `websock.2` (PROTOCOL.md §9): pure. */
import { type NextFields, nextPacket } from './packet.ts';

/** A text message that begins with it is no message: a packet of the dialog, or what a client controls it by. */
export const LF = 10;
/** The longest header line, LF included, and the longest control packet. */
const HEADER_MOST = 256;

/** What stands before a message of the client. */
export interface Header {
  /** Counted up by one from 1 over the life of the session. */
  readonly id: number;
  /** It is a piece, and not the last of its message. */
  readonly more: boolean;
  /** It may have been handled before, by a daemon that has forgotten. */
  readonly again: boolean;
  /** So many messages have been received in all. */
  readonly ack: number | undefined;
  /** Bytes of the line, with its LF. */
  readonly length: number;
}

/** What a client sends that is no message. */
export type Control = { readonly opcode: 'ack'; readonly received: number } | { readonly opcode: 'ping' };

/** Whether the text `b[start..end)` is a control packet. */
export function isControl(b: Buffer, start: number, end: number): boolean {
  return start < end && b[start] === LF;
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isFlag = (value: unknown): boolean => value === undefined || typeof value === 'boolean';

/** The header of the message `b[start..end)`; or, as a text, what is wrong with it. */
export function readHeader(b: Buffer, start: number, end: number): Header | string {
  const lf = b.subarray(start, Math.min(end, start + HEADER_MOST)).indexOf(LF);
  if (lf === -1) return `a message without a header: one line of JSON, of at most ${HEADER_MOST} bytes`;
  const header = objectIn(b.toString('utf8', start, start + lf));
  if (header === null) return 'the header of a message is not a JSON object';
  const { id, more, again, ack } = header;
  if (!isCount(id) || id === 0) return 'the "id" of a message is not a whole number from 1 on';
  if (!isFlag(more) || !isFlag(again)) return 'the "more" or "again" of a message is not true or false';
  if (ack !== undefined && !isCount(ack)) return 'the "ack" of a message is not a whole number';
  return { id, more: more === true, again: again === true, ack, length: lf + 1 };
}

/** The control packet `b[start..end)`; or, as a text, what is wrong with it. */
export function readControl(b: Buffer, start: number, end: number): Control | string {
  const packet = end - start > HEADER_MOST ? null : objectIn(b.toString('utf8', start + 1, end));
  if (packet === null) return `a control packet is not a JSON object of at most ${HEADER_MOST} bytes`;
  if (packet.opcode === 'ping') return { opcode: 'ping' };
  if (packet.opcode !== 'ack') return 'the "opcode" of a control packet is neither ack nor ping';
  const { received } = packet;
  return isCount(received) ? { opcode: 'ack', received } : 'the "received" of an ack is not a whole number';
}

function objectIn(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}

/** A packet of the dialog, told from messages. */
export function inDialog(packet: string): string {
  return `\n${packet}`;
}

/** A text message, told from packets of the dialog: what begins with an LF gets one more. */
export function escaped(data: string | Buffer): string | Buffer {
  if (typeof data === 'string') return data.charCodeAt(0) === LF ? `\n${data}` : data;
  return data[0] === LF ? Buffer.concat([Buffer.from('\n'), data]) : data;
}

/** What a client is told of its session. */
export interface SessionTerms {
  readonly uuid: string;
  /** What it shows to come back. */
  readonly session: string;
  /** Seconds that it has for that. */
  readonly resume: number;
  readonly maxPayload: number;
  readonly maxBuffer: number;
  readonly maxChunks: number;
}

/** @param unknown the session that was asked for is not known. */
export function readySession(terms: SessionTerms, unknown: boolean): string {
  return inDialog(JSON.stringify({ opcode: 'ready', ...terms, ...(unknown ? { resumed: false } : {}) }));
}

export function resumedPacket(uuid: string, handled: number, lost: number): string {
  return inDialog(JSON.stringify({ opcode: 'resumed', uuid, handled, lost }));
}

export const PONG = inDialog('{"opcode":"pong"}');

/** The `next` of the message with `id`. @throws TypeError for fields that JSON cannot hold. */
export function nextOf(id: number, fields?: NextFields): string {
  if (fields === undefined) return `\n{"opcode":"next","fyi":"","id":${id}}`;
  return inDialog(nextPacket({ ...fields, id }));
}
