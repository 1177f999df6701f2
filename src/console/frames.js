/** @import { Frame } from './history.js' */

/**
 * @typedef {object} Reading What a frame says.
 * @property {string} label its opcode, or what it is instead.
 * @property {string} id its number in the session; '' where it has none.
 * @property {string | Uint8Array} body what it carries.
 * @property {'dialog' | 'message' | 'note' | 'error'} tone
 */

const LF = 10;

/**
 * Reads a frame. In a session (subprotocol `websock.2`) messages of the client have a header.
 * @param {Pick<Frame, 'direction' | 'data' | 'session'>} frame
 * @returns {Reading}
 */
export function readFrame({ direction, data, session }) {
  if (direction === 'note') return { label: '', id: '', body: data, tone: 'note' };
  const { header, body, dialog } = session ? split(direction, data) : { header: null, body: data, dialog: false };
  const packet = typeof body === 'string' ? objectOf(body) : null;
  const named = header ?? (dialog ? packet : null);
  const id = typeof named?.id === 'number' ? String(named.id) : '';
  const label = labelOf(body, packet, header?.more === true);
  const isDialog = dialog || (direction === 'in' && ['ready', 'next', 'close'].includes(label));
  // Whoever sees it on a shared screen could go on with the session.
  const shown = isDialog && typeof body === 'string' ? body.replace(/("session":)"[^"]*"/, '$1"…"') : body;
  const isError = typeof packet?.error === 'string' && isDialog;
  return { label, id, body: shown, tone: isError ? 'error' : isDialog ? 'dialog' : 'message' };
}

/**
 * @param {string | Uint8Array} body
 * @param {Record<string, unknown> | null} packet
 * @param {boolean} isPiece
 */
function labelOf(body, packet, isPiece) {
  if (isPiece) return 'piece';
  if (typeof packet?.opcode === 'string') return packet.opcode;
  if (typeof body !== 'string') return 'binary';
  return /^buffer(?:ON|OFF)/.exec(body)?.[0] ?? 'text';
}

/**
 * What a frame of a session is made of.
 * @param {Frame['direction']} direction
 * @param {string | Uint8Array} data
 * @returns {{ header: Record<string, unknown> | null, body: string | Uint8Array, dialog: boolean }}
 */
function split(direction, data) {
  if (typeof data === 'string' && data.startsWith('\n')) {
    const body = data.slice(1);
    // A message whose text begins with a line end has one more in front of it.
    return { header: null, body, dialog: direction === 'out' || body.startsWith('{') };
  }
  if (direction === 'in') return { header: null, body: data, dialog: false };
  return { ...splitHeader(data), dialog: false };
}

/**
 * The header of a message in a session, and what follows.
 * @param {string | Uint8Array} data
 * @returns {{ header: Record<string, unknown> | null, body: string | Uint8Array }}
 */
export function splitHeader(data) {
  const end = typeof data === 'string' ? data.indexOf('\n') : data.indexOf(LF);
  const line =
    end < 0 ? '' : typeof data === 'string' ? data.slice(0, end) : new TextDecoder().decode(data.slice(0, end));
  const header = objectOf(line);
  return header === null ? { header, body: data } : { header, body: data.slice(end + 1) };
}

/**
 * A text as a JSON object; null: it is none.
 * @param {string} text
 * @returns {Record<string, unknown> | null}
 */
export function objectOf(text) {
  if (!/^\s*\{/.test(text)) return null;
  try {
    return JSON.parse(text);
  } catch {
    return null; // no packet: any text may be sent
  }
}

/**
 * A body on one line, for the list. Characters that would break it, or turn it round, are shown as what they are.
 * @param {string | Uint8Array} body
 */
export function oneLine(body) {
  if (typeof body !== 'string') return Array.from(body.slice(0, 64), hexOf).join(' ');
  return body.slice(0, 400).replaceAll(/[\p{Cc}\p{Bidi_Control}]/gu, (found) => ESCAPES[found] ?? codeOf(found));
}

/** @type {Record<string, string>} */
const ESCAPES = { '\n': '⏎', '\r': '␍', '\t': '⇥' };

/** @param {string} character */
const codeOf = (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;

/**
 * A body in full, for reading: JSON indented, bytes as a dump.
 * @param {string | Uint8Array} body
 */
export function inFull(body) {
  if (typeof body !== 'string') return hexDump(body);
  const packet = objectOf(body);
  return packet === null ? body : JSON.stringify(packet, null, 2);
}

/** @param {number} byte */
const hexOf = (byte) => byte.toString(16).padStart(2, '0');

/** @param {Uint8Array} bytes */
function hexDump(bytes) {
  const lines = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const row = Array.from(bytes.slice(at, at + 16));
    const text = row.map((byte) => (byte > 31 && byte < 127 ? String.fromCharCode(byte) : '·')).join('');
    lines.push(`${at.toString(16).padStart(4, '0')}  ${row.map(hexOf).join(' ').padEnd(47)}  ${text}`);
  }
  return lines.join('\n');
}

/**
 * Bytes from `de ad be ef`.
 * @param {string} text
 * @throws {Error} that says what is no byte.
 */
export function parseHex(text) {
  const digits = text.replaceAll(/\s+/g, '');
  const wrong = /[^\da-f]/i.exec(digits);
  if (wrong !== null) throw new Error(`'${wrong[0]}' is no hexadecimal digit: write bytes as 00 7f ff`);
  if (digits.length % 2 === 1) throw new Error('half a byte is left over: write two digits for each, as 00 7f ff');
  return Uint8Array.from(digits.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
}

/**
 * Cuts a text, never inside a character.
 * @param {string} text
 * @param {number} count how many pieces, if it has as many characters.
 */
export function cut(text, count) {
  const characters = Array.from(text);
  const length = Math.max(1, Math.ceil(characters.length / count));
  const pieces = [];
  for (let at = 0; at < characters.length; at += length) pieces.push(characters.slice(at, at + length).join(''));
  return pieces;
}

/**
 * Whether a frame is what is looked for: each word is in its direction, its label or its text.
 * @param {{ direction: string, label: string, text: string }} shown
 * @param {string} wanted
 */
export function matches({ direction, label, text }, wanted) {
  const all = `${direction} ${label} ${text}`.toLowerCase();
  return wanted
    .toLowerCase()
    .split(/\s+/)
    .every((word) => all.includes(word));
}

/** @param {number} bytes */
export function sizeText(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  const inKiB = bytes / 1024;
  return inKiB < 1024 ? `${inKiB.toFixed(1)} KiB` : `${(inKiB / 1024).toFixed(1)} MiB`;
}

/**
 * The time of day, to the millisecond.
 * @param {number} at milliseconds since 1970.
 */
export function timeText(at) {
  const time = new Date(at);
  const two = (/** @type {number} */ value) => String(value).padStart(2, '0');
  const day = [time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join(':');
  return `${day}.${String(time.getMilliseconds()).padStart(3, '0')}`;
}
