import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';

const NO_BYTES = Buffer.alloc(0);
/** Bytes that are reserved at least when a body comes in pieces. */
const LEAST = 1024;

/** The messages in the body of a POST. */
export interface Body {
  readonly messages: readonly (string | Buffer)[];
  readonly binary: boolean;
  /** Answered with a list, one for each message. */
  readonly many: boolean;
}

/** A body that cannot be taken. */
export class BodyError extends Error {
  readonly status: number;
  /** The limit that it goes over. */
  readonly limit: 'maxPayload' | 'maxChunks' | undefined;
  constructor(status: number, message: string, limit?: 'maxPayload' | 'maxChunks') {
    super(message);
    this.status = status;
    this.limit = limit;
  }
}

/**
 * Reads a body of at most `limit` bytes.
 * @throws BodyError 413 as soon as it is known to be larger, 400 if the client leaves before its end.
 */
export function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  const tooLarge = new BodyError(413, `a body of more than ${limit} bytes`, 'maxPayload');
  if (Number(request.headers['content-length'] ?? 0) > limit) return Promise.reject(tooLarge);
  return new Promise((done, fail) => {
    let body: Buffer = NO_BYTES;
    let length = 0;
    request.on('data', (chunk: Buffer) => {
      const filled = length;
      length += chunk.length;
      if (length > limit) fail(tooLarge);
      else if (filled === 0) body = chunk;
      else {
        if (length > body.length) body = enlarged(body, filled, length, limit);
        chunk.copy(body, filled);
      }
    });
    // No larger than it is: a resource may keep it.
    request.once('end', () => done(length === body.length ? body : Buffer.from(body.subarray(0, length))));
    request.once('close', () => fail(new BodyError(400, 'the body ended early')));
  });
}

/**
 * The first `filled` bytes in memory for `needed`, and for as many again. The chunks are not kept till the end: of a body that comes
 * byte by byte each would cost two hundred times what it holds, and every collection of garbage its time.
 */
function enlarged(bytes: Buffer, filled: number, needed: number, limit: number): Buffer {
  const larger = Buffer.allocUnsafeSlow(Math.min(limit, Math.max(LEAST, 2 * needed)));
  bytes.copy(larger, 0, 0, filled);
  return larger;
}

/**
 * What a body says, by its content type (PROTOCOL.md §7).
 * @param maxMessages most messages in one body.
 * @throws BodyError 400 if text is not UTF-8, 413 if it holds too many messages.
 */
export function parseBody(bytes: Buffer, contentType: string, maxMessages: number): Body {
  const type = contentType.split(';')[0].trim().toLowerCase();
  if (type === 'application/octet-stream') return { messages: [bytes], binary: true, many: false };
  if (!isUtf8(bytes)) throw new BodyError(400, 'the body is not UTF-8');
  const text = bytes.toString();
  if (type === 'application/x-ndjson') {
    const messages = text.split(/\r?\n/).filter((line) => line.trim() !== '');
    if (messages.length > maxMessages)
      throw new BodyError(413, `more than ${maxMessages} lines in one body`, 'maxChunks');
    return { messages, binary: false, many: true };
  }
  // `curl -d '{…}'` sends JSON under this type; no form begins with a brace.
  const isForm = type === 'application/x-www-form-urlencoded' && !text.trimStart().startsWith('{');
  return { messages: [isForm && text !== '' ? formPacket(text) : text], binary: false, many: false };
}

/** The fields of a form as a JSON object; a name that comes several times has a list. */
function formPacket(text: string): string {
  const fields: Record<string, string | string[]> = Object.create(null);
  for (const [name, value] of new URLSearchParams(text)) {
    const before = fields[name];
    if (before === undefined) fields[name] = value;
    else if (typeof before === 'string') fields[name] = [before, value];
    else before.push(value);
  }
  return JSON.stringify(fields);
}
