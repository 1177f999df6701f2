import { hash } from 'node:crypto';
import { parseExtensions } from './extensions.ts';
import { BAD_VALUE, type Headers, type Refusal, type RequestHead, TOKEN } from './head.ts';

const STATUS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  413: 'Content Too Large',
  414: 'URI Too Long',
  421: 'Misdirected Request',
  426: 'Upgrade Required',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
};

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'; // RFC 6455 §1.3
const KEY = /^[+/0-9A-Za-z]{22}==$/; // base64 of 16 bytes

/** No header fields. */
export const NONE: Headers = {};

/** Whether the comma-separated `value` holds `token`, in any case. */
export function hasToken(value: string | undefined, token: string): boolean {
  // Nearly always it is the only one, and then all of the value.
  if (value?.length === token.length) return value.toLowerCase() === token;
  return value?.split(',').some((part) => part.trim().toLowerCase() === token) ?? false;
}

/** Whether a request asks for the WebSocket protocol at all; if so, {@link checkUpgrade} says whether rightly. */
export function wantsUpgrade(head: RequestHead): boolean {
  return hasToken(head.headers.upgrade, 'websocket') || 'sec-websocket-key' in head.headers;
}

function missing(what: string): Refusal {
  return { status: 400, text: `not a WebSocket handshake: ${what}` };
}

/** What RFC 6455 §4.2.1 requires of the client's opening handshake, as far as PROTOCOL.md §3 insists on it. */
export function checkUpgrade(head: RequestHead): Refusal | null {
  const h = head.headers;
  if (head.method !== 'GET') return { status: 405, text: 'a WebSocket handshake is a GET', headers: { Allow: 'GET' } };
  if (head.version !== '1.1') return missing(`HTTP/1.1 is required, not HTTP/${head.version}`);
  if (h.host === undefined || h.host === '' || h.host.includes(',')) return missing('one Host header is required');
  if (!hasToken(h.upgrade, 'websocket')) return missing('"Upgrade: websocket" is required');
  if (!hasToken(h.connection, 'upgrade')) return missing('"Connection: Upgrade" is required');
  if (!KEY.test(h['sec-websocket-key'] ?? '')) return missing('Sec-WebSocket-Key must be 16 bytes in base64');
  if (h['sec-websocket-version'] !== '13') {
    return { status: 426, text: 'only WebSocket version 13 is spoken', headers: { 'Sec-WebSocket-Version': '13' } };
  }
  if (!isListOf(TOKEN, h['sec-websocket-protocol'])) return missing('Sec-WebSocket-Protocol must be a list of tokens');
  // What is not of its grammar fails the connection, whether anything in it would be used or not.
  const extensions = h['sec-websocket-extensions'];
  if (extensions !== undefined && parseExtensions(extensions) === null) {
    return missing('Sec-WebSocket-Extensions is not a list of extensions as in RFC 6455 section 9.1');
  }
  return null;
}

/** Whether a field, if it is there, is a list of one or more of these. */
function isListOf(pattern: RegExp, value: string | undefined): boolean {
  if (value === undefined) return true;
  const elements = elementsOf(value);
  return elements.length > 0 && elements.every((element) => pattern.test(element));
}

/** The elements of a list; empty ones do not count (RFC 9110 §5.6.1.2). */
function elementsOf(list: string): string[] {
  return list
    .split(',')
    .map((element) => element.trim())
    .filter((element) => element !== '');
}

/** Sec-WebSocket-Accept for a Sec-WebSocket-Key (RFC 6455 §4.2.2). */
export function acceptKey(key: string): string {
  return hash('sha1', key + GUID, 'base64');
}

/** The subprotocols that a client offers whose handshake is one, most wanted first. */
export function offeredProtocols(headers: Headers): string[] {
  const offered = headers['sec-websocket-protocol'];
  return offered === undefined ? [] : elementsOf(offered);
}

/** The size that a script client's 101 is padded to, and its first frame: each is one of its reads (PROTOCOL.md §3). */
export const SCRIPT_READ = 1024;
const SCRIPT_HEAD_LIMIT = 1000;
const PAD = 'X-Pad: ';

/** What the handshake says itself, once (RFC 6455 §4.2.2, §11.3), and what has no place in a 101 (RFC 9110 §8.6). */
const HANDSHAKE_FIELD = /^(?:upgrade|connection|sec-websocket-.*|content-length|transfer-encoding)$/i;

/**
 * The server's opening handshake (RFC 6455 §4.2.2), in latin1.
 * @param headers what a resource adds; names and values that HTTP does not allow are left out, and so is what is the
 * handshake's to say.
 * @param pad fill it with an `X-Pad` header to exactly 1024 bytes, leaving out added headers that do not fit.
 * @param extension what was agreed upon, for Sec-WebSocket-Extensions.
 * @returns the response and the names of the headers that were left out.
 */
export function switchingProtocols(
  key: string,
  protocol: string | undefined,
  headers: Headers,
  pad: boolean,
  extension = '',
): { text: string; omitted: string[] } {
  let text = `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptKey(key)}\r\n`;
  const omitted: string[] = [];
  if (extension !== '') text += `Sec-WebSocket-Extensions: ${extension}\r\n`;
  if (protocol === undefined && headers === NONE && !pad) return { text: `${text}\r\n`, omitted };
  const chosen = protocol === undefined ? {} : { 'Sec-WebSocket-Protocol': protocol };
  for (const [name, value] of Object.entries({ ...chosen, ...headers, ...chosen })) {
    const line = `${name}: ${value}\r\n`;
    const fits = !pad || text.length + line.length + 2 <= SCRIPT_HEAD_LIMIT;
    const mayAdd = name in chosen || !HANDSHAKE_FIELD.test(name);
    if (mayAdd && TOKEN.test(name) && validValue(value) && fits) text += line;
    else omitted.push(name);
  }
  if (pad) text += `${PAD.padEnd(SCRIPT_READ - text.length - 4, '-')}\r\n`;
  return { text: `${text}\r\n`, omitted };
}

/** A plugin in plain JavaScript may give anything. */
function validValue(value: unknown): boolean {
  return (
    typeof value === 'string' &&
    !BAD_VALUE.test(value) &&
    Buffer.byteLength(value, 'latin1') === Buffer.byteLength(value)
  );
}

/** A refusal as the bytes of an HTTP response, in latin1. */
export function refusalResponse(refusal: Refusal): string {
  const body = `${refusal.text}\n`;
  const fields = { ...refusal.headers, 'Content-Type': 'text/plain; charset=utf-8' };
  let head = `HTTP/1.1 ${refusal.status} ${STATUS[refusal.status] ?? 'Refused'}\r\n`;
  for (const [name, value] of Object.entries(fields)) head += `${name}: ${value}\r\n`;
  const bytes = Buffer.from(body);
  return `${head}Content-Length: ${bytes.length}\r\nConnection: close\r\n\r\n${bytes.toString('latin1')}`;
}
