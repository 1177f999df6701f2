import type { Auth } from '../auth/auth.ts';
import { printable } from '../log.ts';
import type { Headers, Refusal } from '../wire/head.ts';
import type { CompressionSettings } from '../wire/deflate.ts';
import type { EngineOptions } from '../wire/engine.ts';
import type { NextFields } from '../packet/packet.ts';
import type { Ticket } from '../packet/ticket.ts';
import { BUFFER_ON } from '../packet/pieces.ts';
import type { Client, Kind, Scheme } from './client.ts';
import type { HttpRequest, HttpResponse } from './httprequest.ts';

/** What `onData` learns of a message beside its content. */
export interface MessageInfo {
  /** It came as a binary message. */
  readonly binary: boolean;
  /** It came in pieces. */
  readonly buffered: boolean;
  /**
   * It may have been handled before, in whole or in part: by a daemon that was stopped in the middle of it, or that has forgotten. Clients with a
   * session alone (PROTOCOL.md §9) say so.
   */
  readonly again: boolean;
}

/** What `onOther` is told. */
export type Notice =
  /** A control frame of the client; the daemon's own heartbeat brings pongs without a payload. */
  | { readonly type: 'ping' | 'pong'; readonly payload: Buffer }
  /** The client's Close frame; `code` is 1005 where it held none. */
  | { readonly type: 'close'; readonly code: number; readonly reason: string }
  /** A message in pieces begins, or is complete. */
  | { readonly type: 'bufferON' | 'bufferOFF' }
  /** Everything that waited to be sent to this client has been taken. */
  | { readonly type: 'drain' }
  /** Its connection is lost, but its session waits for it: what it is sent is kept. */
  | { readonly type: 'detached' }
  /**
   * It is back, and has been sent what was kept. `lost`: messages that could not be kept, as it was told; `restarted`: its session comes
   * from the daemon before this one, so this resource has not seen it open.
   */
  | { readonly type: 'resumed'; readonly lost: number; readonly restarted: boolean };

/** A client that asks to come in. */
export interface HandshakeRequest {
  /** What it asks for, without the query. */
  readonly path: string;
  /** Without the `token` that `[auth]` asked for. */
  readonly query: URLSearchParams;
  /** By lower-case names; empty for line clients, which have none. */
  readonly headers: Headers;
  /** Address of the client, behind trusted proxies its own. `unix` for a Unix socket. */
  readonly ip: string;
  /** How it comes. */
  readonly scheme: Scheme;
  /** What follows from that. */
  readonly kind: Kind;
  /** The ticket that it came by; null: none. */
  readonly ticket: Ticket | null;
  /** The subprotocols it offers; a token or a session shown as one (`websock.token.…`, `websock.resume.…`) is not among them. */
  readonly protocols: readonly string[];
  /** What `[auth]` found of it; null: nothing was asked of it. */
  readonly auth: Auth | null;
}

/** What `onHandshake` may answer: nothing, a refusal, or what the connection is to carry. */
export type HandshakeAnswer =
  | undefined
  // oxlint-disable-next-line typescript/no-invalid-void-type -- a plugin that returns nothing
  | void
  /** It is refused, with an HTTP status from 400 to 599 and a text. */
  | { status: number; body?: string }
  /** It comes in: by one of the subprotocols that it offers, with header fields in the 101, as `client.ident`, with `client.data`. */
  | { protocol?: string; headers?: Headers; ident?: string; data?: unknown };

/** What `onData` may answer: fields for its `next`; or nothing, or what `send` and `sendFragmented` say, which add none. */
// oxlint-disable-next-line typescript/no-invalid-void-type -- a plugin that returns nothing
export type Handled = void | undefined | boolean | NextFields;

/** What `onRequest` may answer: a text or a Buffer, as `response.send` would; or nothing, where that was called, or nothing is to be answered. */
// oxlint-disable-next-line typescript/no-invalid-void-type -- a plugin that returns nothing
export type Requested = void | undefined | string | Buffer;

/** The callbacks of a resource. A class that has the four that are required is one. */
export interface Callbacks {
  /** Optional. A client asks to come in: whether it may, and how. */
  onHandshake?(request: HandshakeRequest): HandshakeAnswer | Promise<HandshakeAnswer>;
  /** Optional. A client is in, and has its `ready`. */
  onOpen?(client: Client): unknown;
  /** A message. What it returns, or its promise resolves to, is added to the message's `next`. */
  onData(client: Client, message: string | Buffer, info: MessageInfo): Handled | Promise<Handled>;
  /** A client has gone; `code` is 1006 where it went without a Close frame. */
  onClose(client: Client, code: number, reason: string): unknown;
  /** A callback has thrown; the client is closed with 1011 next. `error` is whatever was thrown: not every plugin throws Errors. */
  onError(client: Client, error: unknown): unknown;
  /** What is no message. */
  onOther(client: Client, notice: Notice): unknown;
  /** Optional. A GET or HEAD of its path. What it returns, or its promise resolves to, is sent as by `response.send`. */
  onRequest?(request: HttpRequest, response: HttpResponse): Requested | Promise<Requested>;
}

/** A path and what is registered for it, as far as connections need to know it. */
export interface Route {
  readonly path: string;
  /** Resources of one app hear each other's broadcasts. */
  readonly app: string;
  readonly accepts: ReadonlySet<Scheme>;
  /** Takes clients that show a ticket in place of the backend's key. */
  readonly tickets: boolean;
  /** ready, next, bufferON/bufferOFF and close packets. */
  readonly dialog: boolean;
  /** Hand text out as Buffers, checked but not decoded. */
  readonly textAsBuffer: boolean;
  /** Hand Buffers out without a copy: valid until `onData` returns. */
  readonly borrowed: boolean;
  readonly engineOptions: EngineOptions;
  /** How messages are compressed with web clients that offer it; null: not at all. */
  readonly compression: CompressionSettings | null;
  readonly resource: Callbacks;
}

/** Whether a path is the daemon's own: nothing at or below `/_websock` is ever a resource. */
export function isReserved(path: string): boolean {
  return path === '/_websock' || path.startsWith('/_websock/');
}

/** Finds the route of a path. */
export interface Routes {
  find(path: string): Route | undefined;
}

/** Whether web clients are accepted at all, in plain text or by TLS. */
export function acceptsWeb(route: Route): boolean {
  return route.accepts.has('ws') || route.accepts.has('wss');
}

export function schemeOf(kind: Kind, secure: boolean): Scheme {
  if (kind === 'websocket') return secure ? 'wss' : 'ws';
  return secure ? 'ssl' : 'tcp';
}

/** What the engines of a route with or without the dialog need. */
export function engineOptions(values: { maxPayload: number; maxFragments: number }, dialog: boolean): EngineOptions {
  const { maxPayload, maxFragments } = values;
  // Text that begins a message in pieces is not checked by the engine: its last character may be cut.
  return { maxPayload, maxFragments, rawPrefix: dialog ? BUFFER_ON : null };
}

/** The promise that a callback has answered with, whatever its make; null: it has answered at once. */
export function promiseOf<Value>(answer: Value | Promise<Value>): Promise<Value> | null {
  try {
    const then = (answer as { then?: unknown } | null | undefined)?.then;
    if (typeof then !== 'function') return null;
    // A `then` of its own is called by the language, which catches what it throws.
    return then === Promise.prototype.then ? Promise.resolve(answer) : new Promise((done) => done(answer));
  } catch (error) {
    // A getter that throws: the plugin's fault, as anything that it throws.
    return Promise.reject(error);
  }
}

/** Whether a route is asked before a client comes in. */
export function asks(route: Route): boolean {
  try {
    return route.resource.onHandshake !== undefined;
  } catch {
    return true; // a getter that throws: it is asked for again, where that is caught
  }
}

/** What an `onHandshake` may add to a connection. */
export interface Additions {
  readonly protocol?: string;
  readonly headers?: Headers;
  readonly ident?: string;
  readonly data?: unknown;
}

/**
 * What `onHandshake` has answered.
 * @throws Error that says what cannot be used of it: plugins in plain JavaScript may give anything.
 */
export function readAnswer(answer: HandshakeAnswer): Refusal | Additions {
  if (answer === undefined || answer === null) return {};
  if (typeof answer !== 'object') {
    const allowed = 'nothing to take the client, { status, body } to refuse it';
    throw new Error(`onHandshake answered ${String(answer)}: answer ${allowed}`);
  }
  if (!('status' in answer)) {
    // Read once, and here: a getter of the plugin's may throw.
    const { protocol, headers, ident, data } = answer;
    if (typeof (ident ?? '') !== 'string') throw new Error('onHandshake answered an ident that is not a string');
    if (typeof (headers ?? {}) !== 'object') throw new Error('onHandshake answered headers that are no object');
    return { protocol, headers: headers === undefined ? headers : { ...headers }, ident, data };
  }
  const { status, body = 'refused by the resource' } = answer;
  if (!Number.isInteger(status) || status < 400 || status > 599) {
    throw new Error(`onHandshake answered status ${status}: a refusal has 400 to 599`);
  }
  if (typeof body !== 'string') throw new Error('onHandshake answered a body that is not a string');
  return { status, text: printable(body.trim()) };
}
