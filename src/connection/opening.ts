import { headEnd, type Refusal } from '../wire/head.ts';

/** What the first bytes of a connection say (PROTOCOL.md §2). */
export type Opening =
  /** Not enough yet. */
  | { readonly type: 'more' }
  /** A TLS ClientHello on a listener that speaks plain text. */
  | { readonly type: 'tls' }
  /** A line client; `length` bytes were its first line. */
  | { readonly type: 'line'; readonly target: string; readonly key: string | undefined; readonly length: number }
  /** An HTTP request head of `length` bytes, in latin1. */
  | { readonly type: 'head'; readonly text: string; readonly length: number }
  /** Nothing that is served here; `http`: it is owed an HTTP response. */
  | { readonly type: 'refused'; readonly http: boolean; readonly refusal: Refusal };

const MORE: Opening = { type: 'more' };
const LINE = /^(?:GET )?(\/\S*)(?: bearer (\S+))?$/i;
const HTTP_LINE = / HTTP\/\d\.\d$/;

/** Reads the first `bytes` of a connection, all that have come so far; a head may have `maxHead` of them. */
export function readOpening(bytes: Buffer, maxHead: number): Opening {
  if (bytes[0] === 0x16) return { type: 'tls' };
  // A string is searched faster than bytes are. One byte too many tells of too many.
  const text = bytes.toString('latin1', 0, Math.min(bytes.length, maxHead + 1));
  const lf = text.indexOf('\n');
  if (lf === -1 || lf > maxHead) {
    return bytes.length > maxHead ? refused(true, 414, `the first line is longer than ${maxHead} bytes`) : MORE;
  }
  const lineEnd = lf > 0 && bytes[lf - 1] === 13 ? lf - 1 : lf;
  if (!HTTP_LINE.test(text.slice(0, lineEnd))) {
    const match = LINE.exec(bytes.toString('utf8', 0, lineEnd));
    if (match !== null) return { type: 'line', target: match[1], key: match[2], length: lf + 1 };
    return refused(false, 400, 'the first line is neither GET /path nor an HTTP request');
  }
  // The empty line that ends the head may end with the very first LF.
  const end = headEnd(text, lf);
  if (end === -1 ? bytes.length > maxHead : end > maxHead) {
    return refused(true, 431, `the request head is longer than ${maxHead} bytes`);
  }
  if (end === -1) return MORE;
  // A part of the text would keep all of it, and it is kept as long as its client stays.
  const head = end === text.length ? text : bytes.toString('latin1', 0, end);
  return { type: 'head', text: head, length: end };
}

function refused(http: boolean, status: number, text: string): Opening {
  return { type: 'refused', http, refusal: { status, text } };
}
