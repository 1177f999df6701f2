import { isUtf8 } from 'node:buffer';
import { CLOSE, WebsockError } from '../errors.ts';

/** A JSON object with an `opcode` (PROTOCOL.md §5). */
export interface Packet {
  /** What it is about. */
  opcode: string;
  /** What else it says. */
  [field: string]: unknown;
}

/** What may stand in a `next` beside its opcode and `fyi` (PROTOCOL.md §4). */
export interface NextFields {
  /** How many clients a feedback or broadcast was queued for. */
  delivered?: number;
  /** Why the message had no effect. */
  error?: string;
  /** What the resource adds. */
  [field: string]: unknown;
}

/** Whom a feedback is for; null: nobody. A uuid counts only as a text, an ident also as a safe integer, by its digits. */
export function addresseeOf({ uuid, ident }: Packet): { uuid: string } | { ident: string } | null {
  if (typeof uuid === 'string' && uuid !== '') return { uuid };
  const name = Number.isSafeInteger(ident) ? String(ident) : ident;
  return typeof name === 'string' && name !== '' ? { ident: name } : null;
}

/** The `next` of a message whose handler had nothing to add. */
export const NEXT = '{"opcode":"next","fyi":""}';

/** A `next` with more in it; no field can make another packet of it. */
export function nextPacket(fields: NextFields): string {
  const { delivered } = fields;
  // The one that nearly all of them are.
  if (Number.isSafeInteger(delivered) && Object.keys(fields).length === 1) {
    return `{"opcode":"next","fyi":"","delivered":${delivered}}`;
  }
  return JSON.stringify(Object.assign({ opcode: '', fyi: '' }, fields, { opcode: 'next' }));
}

export function readyPacket(uuid: string): string {
  return `{"opcode":"ready","uuid":"${uuid}"}`;
}

export function closePacket(error: string): string {
  return JSON.stringify({ opcode: 'close', error });
}

/**
 * The packet in a message.
 * @throws WebsockError WEBSOCK_PACKET (close code 1007) that says what is wrong with it.
 */
export function parsePacket(message: string | Buffer): Packet {
  if (typeof message !== 'string' && !isUtf8(message)) throw invalid('it is not UTF-8');
  let value: unknown;
  try {
    value = JSON.parse(message as string);
  } catch {
    throw invalid('it is not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid('it is not a JSON object');
  if (typeof (value as Packet).opcode !== 'string') throw invalid('its "opcode" is not a string');
  return value as Packet;
}

function invalid(why: string): WebsockError {
  return new WebsockError('WEBSOCK_PACKET', `not a valid packet: ${why}`, { closeCode: CLOSE.INVALID });
}
