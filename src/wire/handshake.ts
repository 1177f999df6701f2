import { hash } from 'node:crypto';
import { parseExtensions } from './extensions.ts';

/** Header fields by their lower-case names; repeated fields are joined with `, ` (RFC 9110 §5.3). */
export type Headers = Readonly<Record<string, string>>;

/** The head of an HTTP request: request line and header fields. */
export interface RequestHead {
  readonly method: string;
  /** Without the query, as it was sent. */
  readonly path: string;
  /** Without the `?`. */
  readonly query: string;
  /** `1.0`, `1.1`. */
  readonly version: string;
  readonly headers: Headers;
}

/** A refusal before the upgrade (PROTOCOL.md §3): a complete HTTP response. */
export interface Refusal {
  readonly status: number;
  /** One line that says what is wrong, and what would be right. */
  readonly text: string;
  readonly headers?: Headers;
}

const STATUS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  413: 'Content Too Large',
  414: 'URI Too Long',
  426: 'Upgrade Required',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
};

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'; // RFC 6455 §1.3
const REQUEST_LINE = /^([A-Z]+) ([!-~\u0080-\u00ff]+) HTTP\/(\d\.\d)$/;
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/; // RFC 9110 §5.6.2
// oxlint-disable-next-line no-control-regex
const BAD_VALUE = /[\u0000-\u0008\u000a-\u001f\u007f]/; // RFC 9110 §5.5
const KEY = /^[+/0-9A-Za-z]{22}==$/; // base64 of 16 bytes
const ABSOLUTE = /^(?:https?|wss?):\/\/[^/?#]*/i;

/**
 * Where the head ends: the index after its empty line, or -1 if that has not come yet. LF alone ends a line too.
 */
export function headEnd(bytes: Buffer, from = 0): number {
  for (let lf = bytes.indexOf(10, from); lf !== -1; lf = bytes.indexOf(10, lf + 1)) {
    if (bytes[lf + 1] === 10) return lf + 2;
    if (bytes[lf + 1] === 13 && bytes[lf + 2] === 10) return lf + 3;
  }
  return -1;
}

/**
 * Parses a request head (RFC 9112 §2 to §5).
 * @param text the head in latin1, with or without its empty line.
 * @param maxHeaders most header fields taken.
 */
export function parseHead(text: string, maxHeaders: number): RequestHead | Refusal {
  const lines = text.split('\n');
  const requestLine = trimCr(lines[0]);
  const match = REQUEST_LINE.exec(requestLine);
  if (match === null) return { status: 400, text: 'the request line is not METHOD TARGET HTTP/1.1' };
  const headers: Record<string, string> = Object.create(null);
  let count = 0;
  for (let i = 1; i < lines.length; i++) {
    const line = trimCr(lines[i]);
    if (line === '') break;
    const colon = line.indexOf(':');
    const name = line.slice(0, colon);
    if (colon < 1 || !TOKEN.test(name)) return { status: 400, text: `header line ${i} is not NAME: VALUE` };
    const value = line.slice(colon + 1).trim();
    if (BAD_VALUE.test(value)) return { status: 400, text: `header line ${i} holds a control character` };
    if (++count > maxHeaders) return { status: 431, text: `more than ${maxHeaders} header fields` };
    const key = name.toLowerCase();
    headers[key] = key in headers ? `${headers[key]}, ${value}` : value;
  }
  // Not percent-encoded, as no browser would send it: then it is UTF-8.
  const target = Buffer.from(match[2], 'latin1').toString();
  return { method: match[1], ...parseTarget(target), version: match[3], headers };
}

function trimCr(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line;
}

/** Path and query of a request target, in origin or absolute form (RFC 9112 §3.2). */
export function parseTarget(target: string): { path: string; query: string } {
  const local = ABSOLUTE.test(target) ? target.replace(ABSOLUTE, '') : target;
  const mark = local.indexOf('?');
  const path = mark === -1 ? local : local.slice(0, mark);
  return { path: path === '' ? '/' : path, query: mark === -1 ? '' : local.slice(mark + 1) };
}

/** Whether the comma-separated `value` holds `token`, in any case. */
export function hasToken(value: string | undefined, token: string): boolean {
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
  // RFC 6455 §9.1: what is not of its grammar fails the connection, whether anything in it would be used or not.
  const extensions = h['sec-websocket-extensions'];
  if (extensions !== undefined && parseExtensions(extensions) === null) {
    return missing('Sec-WebSocket-Extensions is not a list of extensions');
  }
  if (h['sec-websocket-version'] !== '13') {
    return { status: 426, text: 'only WebSocket version 13 is spoken', headers: { 'Sec-WebSocket-Version': '13' } };
  }
  return null;
}

/** Sec-WebSocket-Accept for a Sec-WebSocket-Key (RFC 6455 §4.2.2). */
export function acceptKey(key: string): string {
  return hash('sha1', key + GUID, 'base64');
}

/** The subprotocols that the client offers, most wanted first. */
export function offeredProtocols(headers: Headers): string[] {
  const offered = headers['sec-websocket-protocol'];
  if (offered === undefined) return [];
  return offered
    .split(',')
    .map((name) => name.trim())
    .filter((name) => TOKEN.test(name));
}

/** The size that a script client's 101 is padded to, and its first frame: each is one of its reads (PROTOCOL.md §3). */
export const SCRIPT_READ = 1024;
const SCRIPT_HEAD_LIMIT = 1000;
const PAD = 'X-Pad: ';

/**
 * The server's opening handshake (RFC 6455 §4.2.2), in latin1.
 * @param headers what a resource adds; names and values that HTTP does not allow are left out.
 * @param pad fill it with an `X-Pad` header to exactly 1024 bytes, leaving out added headers that do not fit.
 * @returns the response and the names of the headers that were left out.
 */
export function switchingProtocols(
  key: string,
  protocol: string | undefined,
  headers: Headers,
  pad: boolean,
): { text: string; omitted: string[] } {
  let text = `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptKey(key)}\r\n`;
  const omitted: string[] = [];
  const chosen = protocol === undefined ? {} : { 'Sec-WebSocket-Protocol': protocol };
  for (const [name, value] of Object.entries({ ...chosen, ...headers })) {
    const line = `${name}: ${value}\r\n`;
    const fits = !pad || text.length + line.length + 2 <= SCRIPT_HEAD_LIMIT;
    if (TOKEN.test(name) && validValue(value) && fits) text += line;
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
