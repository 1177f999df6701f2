import { isUtf8 } from 'node:buffer';

/** Header fields by their lower-case names; repeated fields are joined with `, ` (RFC 9110 §5.3). */
export type Headers = Readonly<Record<string, string>>;

/** The head of an HTTP request: request line and header fields. */
export interface RequestHead {
  /** All of it, in latin1. */
  readonly text: string;
  readonly method: string;
  /** What a target in absolute form names, which counts for more than Host (RFC 9112 §3.2.2); '' in origin form. */
  readonly authority: string;
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

const REQUEST_LINE = /^([A-Z]+) ([!-~\u0080-\u00ff]+) HTTP\/(\d\.\d)$/;
export const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/; // RFC 9110 §5.6.2
// oxlint-disable-next-line no-control-regex
export const BAD_VALUE = /[\u0000-\u0008\u000a-\u001f\u007f]/; // RFC 9110 §5.5
// oxlint-disable-next-line no-control-regex
const BAD_HEAD = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]|\r(?!\n)/;
const ABSOLUTE = /^(?:https?|wss?):\/\/([^/?#]*)/i;
// oxlint-disable-next-line no-control-regex
const NOT_ASCII = /[^\u0000-\u007f]/;

/** Names as most clients spell them: to be found here saves looking into them. */
const KNOWN = new Map(
  [
    'Host',
    'Upgrade',
    'Connection',
    'Sec-WebSocket-Key',
    'Sec-WebSocket-Version',
    'Sec-WebSocket-Extensions',
    'Sec-WebSocket-Protocol',
    'Origin',
    'User-Agent',
    'Accept',
    'Accept-Encoding',
    'Accept-Language',
    'Cache-Control',
    'Pragma',
    'Cookie',
    'Authorization',
    'Content-Type',
    'Content-Length',
    'Client-Type',
    'Ident',
    'X-Forwarded-For',
    'X-Forwarded-Proto',
    'X-Forwarded-Host',
    'X-Real-IP',
    'Forwarded',
    'Via',
    'Sec-Fetch-Dest',
    'Sec-Fetch-Mode',
    'Sec-Fetch-Site',
  ].flatMap((name) => [[name, name.toLowerCase()] as const, [name.toLowerCase(), name.toLowerCase()] as const]),
);

/** Where the head ends: the index after its empty line, or -1 if that has not come yet. LF alone ends a line too. */
export function headEnd(text: string, from = 0): number {
  const crlf = text.indexOf('\n\r\n', from);
  const lf = text.indexOf('\n\n', from);
  if (lf !== -1 && (crlf === -1 || lf < crlf)) return lf + 2;
  return crlf === -1 ? -1 : crlf + 3;
}

/**
 * Parses a request head (RFC 9112 §2 to §5).
 * @param text the head in latin1, with or without its empty line.
 * @param maxHeaders most header fields taken.
 */
export function parseHead(text: string, maxHeaders: number): RequestHead | Refusal {
  const lf = text.indexOf('\n');
  const match = REQUEST_LINE.exec(text.slice(0, trimmed(text, 0, lf === -1 ? text.length : lf)));
  if (match === null) return { status: 400, text: 'the request line is not METHOD TARGET HTTP/1.1' };
  const headers: Record<string, string> = Object.create(null);
  const refusal = readFields(text, headers, maxHeaders);
  if (refusal !== null) return refusal;
  const [, method, target, version] = match;
  // Not percent-encoded, as no browser would send it: then it is UTF-8.
  const readable = NOT_ASCII.test(target) ? utf8Of(target) : target;
  if (readable === null) return { status: 400, text: 'the request target is not UTF-8' }; // RFC 6455 §8.1
  const { authority, path, query } = parseTarget(readable);
  return { text, method, authority, path, query, version, headers };
}

/** The text whose bytes are the characters of `latin1`, or null. */
function utf8Of(latin1: string): string | null {
  const bytes = Buffer.from(latin1, 'latin1');
  return isUtf8(bytes) ? bytes.toString() : null;
}

/** The header fields of a head that {@link parseHead} has taken. */
export function fieldsOf(text: string): Headers {
  const headers: Record<string, string> = Object.create(null);
  readFields(text, headers, Number.POSITIVE_INFINITY);
  return headers;
}

function readFields(text: string, headers: Record<string, string>, maxHeaders: number): Refusal | null {
  const suspicious = BAD_HEAD.test(text);
  let count = 0;
  for (let start = text.indexOf('\n') + 1; start > 0; ) {
    const lf = text.indexOf('\n', start);
    const end = trimmed(text, start, lf === -1 ? text.length : lf);
    if (end === start) break;
    count++;
    const colon = text.indexOf(':', start);
    const name = colon > start && colon < end ? text.slice(start, colon) : '';
    let key = KNOWN.get(name);
    if (key === undefined) {
      if (!TOKEN.test(name)) return { status: 400, text: `header line ${count} is not NAME: VALUE` };
      key = name.toLowerCase();
    }
    const value = text.slice(colon + 1, end).trim();
    if (suspicious && BAD_VALUE.test(value)) {
      return { status: 400, text: `header line ${count} holds a control character` };
    }
    if (count > maxHeaders) return { status: 431, text: `more than ${maxHeaders} header fields` };
    const before = headers[key];
    headers[key] = before === undefined ? value : `${before}, ${value}`;
    start = lf + 1;
  }
  return null;
}

/** The end of the line `text[start..end)`, without a CR. */
function trimmed(text: string, start: number, end: number): number {
  return end > start && text.charCodeAt(end - 1) === 13 ? end - 1 : end;
}

/** The parts of a request target, in origin or absolute form (RFC 9112 §3.2). */
export function parseTarget(target: string): { authority: string; path: string; query: string } {
  const absolute = target.startsWith('/') ? null : ABSOLUTE.exec(target);
  const local = absolute === null ? target : target.slice(absolute[0].length);
  const mark = local.indexOf('?');
  const path = mark === -1 ? local : local.slice(0, mark);
  const authority = absolute?.[1] ?? '';
  return { authority, path: path === '' ? '/' : path, query: mark === -1 ? '' : local.slice(mark + 1) };
}
