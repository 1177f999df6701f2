import { validateHeaderName, validateHeaderValue } from 'node:http';
import type { HttpResponse, ReplyOptions } from '../connection/httprequest.ts';

/** A complete answer of a resource. */
export interface Reply {
  readonly status: number;
  /** null: there is no body, and no length of one. */
  readonly type: string | null;
  /** By lower-case names. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: string | Buffer;
}

/** Whoever is not allowed a body is not told of one (RFC 9110 §8.6). */
const WITHOUT_BODY = new Set([204, 304]);
/** What the connection is to come to is ours to say; `content-type` is an option. */
const OURS = new Set([
  'connection',
  'content-length',
  'content-type',
  'keep-alive',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** What a resource answers a request by: it checks the answer, and passes it on. */
export class Responder implements HttpResponse {
  sent = false;
  private readonly pass: (reply: Reply) => void;

  /** @param pass takes the answer, once. */
  constructor(pass: (reply: Reply) => void) {
    this.pass = pass;
  }

  send(body: string | Buffer = '', options: ReplyOptions = {}): void {
    if (this.sent) throw new Error('the request was answered already');
    const reply = replyOf(body, options);
    this.sent = true;
    this.pass(reply);
  }

  /** It is answered in another way: what comes now comes too late. */
  close(): void {
    this.sent = true;
  }

  /**
   * Sends what `onRequest` has returned.
   * @returns whether the request is answered.
   * @throws what `send` throws; TypeError for what is no answer.
   */
  finish(returned: unknown): boolean {
    if (typeof returned === 'string' || returned instanceof Uint8Array) this.send(returned as string | Buffer);
    else if (returned !== undefined && returned !== null) {
      throw new TypeError(
        `onRequest returned ${typeof returned}: return a string, a Buffer or nothing, or call response.send`,
      );
    }
    return this.sent;
  }
}

/** Plugins in plain JavaScript may give anything. */
function replyOf(body: string | Buffer, { status = 200, type, headers = {} }: ReplyOptions): Reply {
  if (typeof body !== 'string' && !(body instanceof Uint8Array)) {
    throw new TypeError('send takes a string or a Buffer; for JSON: JSON.stringify, and type application/json');
  }
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw new RangeError(`status ${String(status)} may not be sent: use 200 to 599`);
  }
  const bare = WITHOUT_BODY.has(status);
  if (bare && body.length > 0) throw new RangeError(`status ${status} has no body`);
  const kind = type ?? (typeof body === 'string' ? 'text/html; charset=utf-8' : 'application/octet-stream');
  validateHeaderValue('content-type', kind);
  return { status, type: bare ? null : kind, headers: fieldsOf(headers), body };
}

function fieldsOf(given: NonNullable<ReplyOptions['headers']>): Reply['headers'] {
  const fields: Record<string, string | readonly string[]> = Object.create(null);
  for (const [name, value] of Object.entries(given)) {
    const lower = name.toLowerCase();
    validateHeaderName(name);
    if (OURS.has(lower))
      throw new TypeError(
        `the header ${name} is the daemon's to send${lower === 'content-type' ? ': give it as type' : ''}`,
      );
    for (const one of [value].flat()) {
      if (typeof one !== 'string')
        throw new TypeError(`the header ${name} is ${typeof one}: give a string, or a list of them`);
      validateHeaderValue(name, one);
    }
    fields[lower] = value;
  }
  fields['x-content-type-options'] = 'nosniff';
  return fields;
}
