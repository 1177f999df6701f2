import { randomUUID } from 'node:crypto';
import type { Auth, Guard } from '../auth/auth.ts';
import { forgetToken, shownBy, withoutTokens } from '../auth/shown.ts';
import { excerpt } from '../log.ts';
import { inDialog } from '../packet/envelope.ts';
import { closePacket, readyPacket } from '../packet/packet.ts';
import type { Ticket } from '../packet/ticket.ts';
import type { TransportSocket } from '../transport/transport.ts';
import type { PerMessageDeflate } from '../wire/compression.ts';
import type { Engine, Receiver } from '../wire/engine.ts';
import { dataHeader } from '../wire/frame.ts';
import { type Headers, parseTarget, type Refusal, type RequestHead } from '../wire/head.ts';
import { NONE, offeredProtocols, SCRIPT_READ, switchingProtocols } from '../wire/handshake.ts';
import { LineEngine } from '../wire/lines.ts';
import { WebSocketEngine } from '../wire/rfc6455.ts';
import { bearer, type Provenance, saysBrowser } from './access.ts';
import { judgeBackend } from './backend.ts';
import { Arrival, type Identity, type Kind, type Scheme } from './client.ts';
import type { ConnectionContext } from './context.ts';
import { examine, guardOf, mayNameItself } from './examine.ts';
import type { Pass } from './pass.ts';
import { headWithoutReturn, type Return, returnIn, showsReturn, withoutReturn } from './returning.ts';
import { acceptsWeb, type Additions, engineOptions, type HandshakeRequest, type Route, schemeOf } from './route.ts';
import type { Session } from './session.ts';

/** The subprotocol of clients with a session: chosen before others, and only where it is spoken. */
const SESSIONS = 'websock.2';

/** What `onHandshake` is asked about; the query is parsed for those who look at it. */
class AskedFor implements HandshakeRequest {
  readonly path: string;
  readonly headers: Headers;
  readonly ip: string;
  readonly scheme: Scheme;
  readonly kind: Kind;
  ticket: Ticket | null = null;
  auth: Auth | null = null;
  /** Without the `?`. */
  queryText: string;
  private parsed: URLSearchParams | null = null;

  constructor(target: { path: string; query: string }, headers: Headers, ip: string, scheme: Scheme, kind: Kind) {
    this.path = target.path;
    this.queryText = target.query;
    this.headers = headers;
    this.ip = ip;
    this.scheme = scheme;
    this.kind = kind;
  }

  get query(): URLSearchParams {
    this.parsed ??= new URLSearchParams(this.queryText);
    return this.parsed;
  }

  get protocols(): string[] {
    return withoutTokens(offeredProtocols(this.headers));
  }
}

/** A client that asks to come in, by a WebSocket handshake or by a line, and how to speak to it (PROTOCOL.md §2, §3). */
export class Candidate {
  readonly request: AskedFor;
  readonly route: Route | undefined;
  readonly way: 'web' | 'script' | 'line';
  private readonly target: { path: string; query: string; text?: string };
  /** Sec-WebSocket-Key; '' for line clients. */
  private readonly key: string;
  private readonly origin: Provenance;
  /** The session that it comes back to, as it says. */
  private readonly returning: Return | null;
  /** What it showed as `Bearer`; of a backend that came in by it, nothing more. */
  private shown: string | undefined;
  /** What its authentication has given it. */
  private pass: Pass | null = null;
  /** Agreed upon by `negotiate`. */
  private deflate: PerMessageDeflate | null = null;
  /** The protocol of sessions is spoken here; known by `getsSession`. */
  private sessions = false;
  private extension = '';

  private constructor(
    way: Candidate['way'],
    route: Route | undefined,
    target: { path: string; query: string; text?: string },
    origin: Provenance,
    socket: TransportSocket,
    headers: Headers,
    shown: string | undefined,
    returning: Return | null = null,
  ) {
    const kind: Kind = way === 'web' ? 'websocket' : 'tcp';
    this.way = way;
    this.route = route;
    this.origin = origin;
    this.returning = returning;
    this.target = target;
    this.key = headers['sec-websocket-key'] ?? '';
    this.shown = shown;
    this.request = new AskedFor(target, headers, origin.ip, schemeOf(kind, socket.secure), kind);
  }

  /** From a WebSocket handshake that is one. */
  static fromHandshake(context: ConnectionContext, socket: TransportSocket, asked: RequestHead): Candidate {
    const { head, returning } = hideReturn(asked);
    const { headers } = head;
    const route = context.routes.find(head.path);
    const type = headers['client-type'];
    const named = type !== undefined && /^(?:php|tcp)$/i.test(type);
    const unnamed = type === undefined && (headers.origin ?? '') === '' && !saysBrowser(headers);
    const script = named || (unnamed && route !== undefined && !acceptsWeb(route));
    const origin = context.access.locate(socket.ip, headers, socket.proxied);
    return new Candidate(
      script ? 'script' : 'web',
      route,
      head,
      origin,
      socket,
      headers,
      bearer(headers.authorization),
      returning,
    );
  }

  /** From the first line of a line client. */
  static fromLine(
    context: ConnectionContext,
    socket: TransportSocket,
    line: { target: string; key: string | undefined },
  ): Candidate {
    const target = parseTarget(line.target);
    const route = context.routes.find(target.path);
    const origin = context.access.locate(socket.ip, NONE, socket.proxied);
    return new Candidate('line', route, target, origin, socket, {}, line.key);
  }

  /** Why it may not come in at all, or null. */
  refusal(context: ConnectionContext): Refusal | null {
    if (this.way !== 'web') {
      const { origin: from, shown, route } = this;
      const { headers, path } = this.request;
      const verdict = judgeBackend(context, { from, shown, byAddress: !saysBrowser(headers), path, route });
      if ('status' in verdict) return verdict;
      this.request.ticket = verdict.ticket;
      this.shown = verdict.beyond;
      return null;
    }
    const { origin = '', host } = this.request.headers;
    if (origin === '') return null;
    if (!context.access.originAllowed(origin, host)) {
      return { status: 403, text: `pages of ${excerpt(origin)} are not allowed: see [security] allowedOrigins` };
    }
    if (this.route !== undefined && !acceptsWeb(this.route)) {
      return { status: 403, text: `${this.request.path} is not for browsers` };
    }
    return null;
  }

  /** Whether its route takes clients of its kind. */
  get accepted(): boolean {
    return this.route?.accepts.has(this.request.scheme) ?? false;
  }

  /** What it has to pass before anything else is asked, or null. */
  guard(context: ConnectionContext): Guard | null {
    return this.route === undefined ? null : guardOf(context.guards, this.route.path, this.request.kind);
  }

  /** Shows `guard` what it has. @param who for the log. @returns its pass, or why it may not come in. */
  examine(
    context: ConnectionContext,
    guard: Guard,
    who: { readonly id: number; readonly who: string },
  ): Refusal | Pass | Promise<Refusal | Pass> {
    const { request } = this;
    const shown = shownBy(request, this.shown, offeredProtocols(request.headers));
    return examine(context, guard, shown, { ...who, ip: request.ip });
  }

  /** It was examined, and may come in. */
  passes(pass: Pass): void {
    const { request } = this;
    this.pass = pass;
    request.auth = pass.auth;
    if (forgetToken(request.query, pass.auth)) request.queryText = request.query.toString();
  }

  /** @param given what `onHandshake` calls it. */
  ident(context: ConnectionContext, given: string | undefined): string {
    const { headers, kind, ticket, query } = this.request;
    // By a ticket it would get, with a name, what is meant for others of that name.
    const mayName = ticket === null && mayNameItself(context.guards, this.path, kind, context.webIdent);
    const own = mayName ? (headers.ident ?? query.get('ident') ?? '') : '';
    return given ?? this.pass?.ident ?? own;
  }

  /** The path of the route, not the same text cut out of the head. */
  private get path(): string {
    return this.route?.path ?? this.request.path;
  }

  identity({ id, uuid = makeUuid(), ident }: { id: number; uuid?: string; ident: string }): Identity {
    const { scheme, kind, ip, ticket, queryText: query } = this.request;
    const { text = '' } = this.target;
    const { pass, path } = this;
    return new Arrival({ id, uuid, ident, path, scheme, kind, ip, query, ticket, pass }, text);
  }

  /** The session that it comes back to, if it is one of this path that can be come back to. */
  session(context: ConnectionContext): Session | null {
    const session = this.returning === null ? null : context.sessions.find(this.returning.secret);
    return session?.route === this.route ? session : null;
  }

  /** How many messages it has received in all; null: it comes back to nothing. */
  get received(): number | null {
    return this.returning?.received ?? null;
  }

  engine(context: ConnectionContext): (receiver: Receiver) => Engine {
    const options = this.route?.engineOptions ?? engineOptions(context.values, true);
    if (this.way === 'line') return (receiver) => new LineEngine(receiver, options);
    const { deflate } = this;
    return (receiver) => new WebSocketEngine(receiver, options, deflate);
  }

  /**
   * Agrees upon compression, where both sides want it; script clients are never compressed (PROTOCOL.md §4).
   * @returns what the 101 will say of it; '' if nothing.
   */
  negotiate(context: ConnectionContext): string {
    const settings = this.route?.compression ?? null;
    if (this.way !== 'web' || settings === null) return '';
    const answer = context.compression?.negotiate(this.request.headers['sec-websocket-extensions'], settings) ?? null;
    if (answer === null) return '';
    this.deflate = answer.deflate;
    this.extension = answer.response;
    return answer.response;
  }

  /**
   * Opens with `ready`, if the route has the dialog.
   * @param packet what a client with a session is told in place of that.
   * @returns the headers that did not fit.
   */
  welcome(socket: TransportSocket, uuid: string, additions: Additions, packet?: string): string[] {
    return this.greet(socket, this.route?.dialog === false ? null : (packet ?? readyPacket(uuid)), additions);
  }

  /** Opens with a `close` packet in place of `ready`. */
  dismiss(context: ConnectionContext, socket: TransportSocket, error: string): void {
    const packet = closePacket(error);
    const words = this.getsSession(context, {}) ? inDialog(packet) : packet;
    this.greet(socket, this.route?.dialog === false ? null : words, {});
  }

  private greet(socket: TransportSocket, packet: string | null, additions: Additions): string[] {
    if (this.way === 'line') {
      if (packet !== null) socket.write(Buffer.from(`${packet}\n`));
      return [];
    }
    // Script clients read the 101 with one read, and `ready` with the next: see PROTOCOL.md §3.
    const pad = this.way === 'script' && !socket.secure;
    const first = packet === null ? '' : frame(packet, pad ? SCRIPT_READ - 4 : 0);
    const { headers = NONE } = additions;
    const { text, omitted } = switchingProtocols(this.key, this.protocol(additions), headers, pad, this.extension);
    if (this.way === 'script' && socket.secure) {
      socket.write(text);
      if (first !== '') socket.write(first);
    } else socket.write(text + first);
    return omitted;
  }

  /** It gets a session: it offers the protocol for that, which is spoken here, and the resource has not chosen another one. */
  getsSession(context: ConnectionContext, additions: Additions): boolean {
    this.sessions = context.values.resume > 0 && this.way === 'web' && this.route?.dialog !== false;
    return this.sessions && this.protocol(additions) === SESSIONS;
  }

  /**
   * The one that the resource names, if it was offered, else that of sessions, else the first offered. A token is told back only
   * where nothing else was offered: a browser whose subprotocols are all passed over gives up.
   */
  private protocol({ protocol: named }: Additions): string | undefined {
    const { protocols, headers } = this.request;
    if (protocols.length === 0) return offeredProtocols(headers)[0];
    const spoken = this.sessions ? protocols : protocols.filter((name) => name !== SESSIONS);
    if (named !== undefined && spoken.includes(named)) return named;
    return spoken.includes(SESSIONS) ? SESSIONS : spoken[0];
  }
}

/** The head of a request without the secret that it may hold: it is neither logged nor shown to resources. */
function hideReturn(asked: RequestHead): { head: RequestHead; returning: Return | null } {
  const { 'sec-websocket-protocol': field } = asked.headers;
  if (field === undefined || !showsReturn(field)) return { head: asked, returning: null };
  const headers = { ...asked.headers, 'sec-websocket-protocol': withoutReturn(field) };
  return { head: { ...asked, headers, text: headWithoutReturn(asked.text) }, returning: returnIn(field) };
}

/** Node joins a UUID of many strings, which stay as many as long as nobody looks into it: ten times its size. */
function makeUuid(): string {
  const uuid = randomUUID();
  uuid.charCodeAt(0);
  return uuid;
}

/** A text frame in latin1, its payload padded with blanks, which JSON does not mind, to `length` bytes. */
function frame(packet: string, length: number): string {
  const payload = Buffer.from(packet).toString('latin1').padEnd(length);
  return dataHeader(payload.length, false) + payload;
}
