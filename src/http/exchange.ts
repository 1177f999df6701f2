import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Guards } from '../auth/auth.ts';
import type { Access, Provenance } from '../connection/access.ts';
import type { Admission } from '../connection/admission.ts';
import type { Attempts } from '../connection/attempts.ts';
import type { HttpPeer } from '../connection/context.ts';
import type { Deadline, Deadlines } from '../transport/deadlines.ts';
import { Debt, type Debtor, type Debts } from '../connection/debts.ts';
import { Rate } from '../connection/rate.ts';
import type { Limits } from '../connection/limits.ts';
import type { Route, Routes } from '../connection/route.ts';
import type { Runner, Stalls } from '../connection/stalls.ts';
import { excerpt, type Log } from '../log.ts';
import type { Tickets } from '../packet/ticket.ts';
import { closePacket } from '../packet/packet.ts';
import { type Asset, type Assets, isNamed } from './assets.ts';
import type { Idempotency } from './idempotency.ts';
import { InOrder } from './inorder.ts';
import type { Reply } from './reply.ts';
import { type Headers, parseTarget, type Refusal } from '../wire/head.ts';

/** What all HTTP requests share; made once, by the daemon. */
export interface HttpContext {
  readonly log: Log;
  readonly limits: Limits;
  readonly deadlines: Deadlines;
  readonly debts: Debts;
  readonly access: Access;
  readonly admission: Admission;
  readonly attempts: Attempts;
  readonly tickets: Tickets;
  readonly guards: Guards;
  readonly stalls: Stalls;
  readonly routes: Routes & { all(): readonly Route[] };
  readonly assets: Assets;
  readonly idempotency: Idempotency;
  /** Seconds that a kept-alive connection may be idle. */
  readonly keepAliveTimeout: number;
}

export const TEXT = 'text/plain; charset=utf-8';
const JSON_TYPE = 'application/json';

/** What a connection is waited for: the next head, a body, that its answer is taken, that it leaves. */
export type Awaited = 'head' | 'body' | 'taken' | 'leave';

/** A connection that speaks HTTP: at any time one deadline keeps it moving. */
export class HttpConnection implements Deadline, Debtor {
  slot: number | null = null;
  before: Deadline | null = null;
  after: Deadline | null = null;
  readonly peer: HttpPeer;
  readonly stream: Socket;
  /** Its requests: it may send several ahead. */
  readonly requests: InOrder;
  /** Of the request being answered. */
  response: ServerResponse | null = null;
  /** It ends with the answer in flight, and what comes behind is not answered (RFC 9112 §9.6). */
  last = false;
  awaited: Awaited = 'head';
  /** Bytes of the body that have come since it is awaited. */
  received = 0;
  /** They were enough for the time that a body has: it has that time again. */
  prolonged = false;
  /** Why what it sends is no HTTP any more. */
  broken: NodeJS.ErrnoException | null = null;
  /** Nothing is kept from it: its answers are written. */
  readonly kept = 0;
  private readonly context: HttpContext;
  private readonly onLate: (connection: HttpConnection) => void;
  private readonly debt: Debt = new Debt(this);
  private takenBefore = 0;
  /** How fast it may send; null: as it likes. */
  private readonly rate: Rate | null;
  /** Requests that wait until what was sent is paid for. */
  private waiters: (() => void)[] = [];

  constructor(stream: Socket, peer: HttpPeer, context: HttpContext, onLate: (connection: HttpConnection) => void) {
    this.stream = stream;
    this.peer = peer;
    this.context = context;
    this.onLate = onLate;
    this.requests = new InOrder(stream);
    this.rate = Rate.create(context.deadlines, context.limits.values, this);
  }

  /** Bytes of its answer that wait for it. */
  get pending(): number {
    return this.stream.destroyed ? 0 : this.stream.writableLength;
  }

  get taken(): number {
    return this.peer.taken();
  }

  get secure(): boolean {
    return this.peer.secure;
  }

  /** Tells what waits for it. */
  account(): void {
    this.context.debts.owe(this.debt);
  }

  /** Too much waits for all clients, and it is slower than others. */
  giveUp(): void {
    const { context, peer, pending } = this;
    const { text } = context.limits.over('maxSendMemory');
    const pace = this.debt.pace(context.debts.now());
    context.log.warn(
      `#${peer.id} ${peer.ip} HTTP: over [limits] maxSendMemory: ${text} (${pending} bytes owed, ${pace}): destroyed`,
      { id: peer.id, ip: peer.ip, limit: 'maxSendMemory' },
    );
    this.stream.destroy();
  }

  /**
   * Takes what a request holds against `[limits] messageRate` and `byteRate`.
   * @returns null: it may go on. Else what resolves when it may, or with the limit that it is over.
   */
  pay(bytes: number, messages: number): Promise<Rate['over']> | null {
    const { rate } = this;
    if (rate === null || rate.spendMore(bytes, messages)) return null;
    if (rate.over !== null) return Promise.resolve(rate.over);
    return new Promise((done) => this.waiters.push(() => done(null)));
  }

  onPaid(): void {
    for (const goOn of this.waiters.splice(0)) goOn();
  }

  /** It has gone. */
  left(): void {
    this.rest();
    this.requests.stop();
    this.account();
    this.rate?.stop();
    this.onPaid();
  }

  /** It has `seconds` for `what`, from now on, whatever it was waited for before. */
  await(what: Awaited, seconds: number): void {
    this.awaited = what;
    this.received = 0;
    this.prolonged = false;
    this.takenBefore = this.taken;
    this.context.deadlines.arm(this, seconds);
  }

  /** It is waited for us. */
  rest(): void {
    this.context.deadlines.disarm(this);
  }

  /** Whether it has taken some of its answer since it is waited for. */
  get moves(): boolean {
    return this.taken !== this.takenBefore;
  }

  expire(): void {
    this.onLate(this);
  }
}

/** A request and its answer. */
export class Exchange implements Runner {
  readonly connection: HttpConnection;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** See RequestHead. */
  readonly authority: string;
  path: string;
  /** Without the `?`. */
  query: string;
  readonly headers: Headers;
  readonly from: Provenance;
  /** It is for the console: no page of another origin may read the answer. */
  forConsole = false;
  private readonly context: HttpContext;

  constructor(context: HttpContext, connection: HttpConnection, request: IncomingMessage, response: ServerResponse) {
    this.context = context;
    this.connection = connection;
    this.request = request;
    this.response = response;
    this.headers = headersOf(request);
    const { authority, path, query } = parseTarget(request.url ?? '/');
    this.authority = authority;
    this.path = path;
    this.query = query;
    this.from = context.access.locate(connection.peer.ip, this.headers, connection.peer.proxied);
  }

  /** Of a page; '' for who is no browser. */
  get origin(): string {
    return this.headers.origin ?? '';
  }

  /** Why the host that it names is not served here, or null. */
  judgeHost(): Refusal | null {
    const { ip, entrance } = this.connection.peer;
    return this.context.access.judgeHost(this, ip, entrance);
  }

  get id(): number {
    return this.connection.peer.id;
  }

  get who(): string {
    return `#${this.id} ${this.from.ip} ${this.request.method} ${excerpt(this.path)}`;
  }

  get originAllowed(): boolean {
    return this.origin !== '' && this.context.access.originAllowed(this.origin, this.headers.host);
  }

  /** Answers with JSON. @param note what the log says behind the status. */
  answer(status: number, json: string, note: string, headers: Headers = {}): void {
    this.log(`${status === 200 ? '' : 'refused: '}${status}${note}`, status);
    this.write(status, JSON_TYPE, `${json}\n`, headers, status >= 400 && !this.request.complete);
  }

  /** Answers with a file of the daemon's own, or tells who has it already that it is still the same (RFC 9110 §13.1.2). */
  serve({ type, body, etag, headers }: Asset): void {
    const all = { ...headers, ETag: etag };
    if (isNamed(etag, this.headers['if-none-match'])) {
      this.log('304', 304);
      this.write(304, null, '', all, false);
      return;
    }
    this.log('200', 200);
    this.write(200, type, body, all, false);
  }

  /** Answers as a resource has it. */
  reply({ status, type, headers, body }: Reply): void {
    this.log(String(status), status);
    // What is sent depends on the origin in any case.
    const vary = ['Origin', headers['vary'] ?? []].flat().join(', ');
    this.write(status, type, body, { ...headers, vary }, false);
  }

  /** PROTOCOL.md §3: a complete response, one line of text, and the end of the connection. */
  refuse(refusal: Refusal): void {
    this.log(`refused: ${refusal.status} ${refusal.text}`, refusal.status);
    this.write(refusal.status, TEXT, `${refusal.text}\n`, refusal.headers ?? {}, true);
  }

  /** Refuses who sends faster than a limit for too long. */
  tooFast(limit: 'messageRate' | 'byteRate'): void {
    const { limits } = this.context;
    const { text } = limits.over(limit);
    const headers = { 'Retry-After': '1' };
    if (this.request.method === 'POST') {
      this.log(`refused: 429 over ${limits.optionOf(limit)}: ${text}`, 429);
      this.write(429, JSON_TYPE, `${closePacket(text)}\n`, headers, true);
    } else this.refuse({ status: 429, text, headers });
  }

  /** Lets a page read the answer, if its origin is allowed to connect. */
  allowOrigin(): void {
    this.response.setHeader('Vary', 'Origin');
    if (this.originAllowed && !this.forConsole) this.response.setHeader('Access-Control-Allow-Origin', this.origin);
  }

  /** @param type null: there is no body. */
  private write(
    status: number,
    type: string | null,
    body: string | Buffer,
    headers: Reply['headers'],
    close: boolean,
  ): void {
    const { request, response, connection } = this;
    const { limits } = this.context;
    if (response.headersSent || connection.stream.destroyed) return;
    connection.await('taken', limits.values.writeTimeout);
    this.allowOrigin();
    connection.last ||= close;
    const closing = connection.last ? { Connection: 'close' } : {};
    const content = type === null ? {} : { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) };
    response.writeHead(status, { ...headers, ...content, ...closing });
    const unread = close && !request.complete;
    request.resume();
    if (!unread) {
      response.end(body);
      connection.account();
      return;
    }
    // The answer is all there, but a connection ended while its client still sends would reset, and the answer be lost:
    // what is left of the body is read and dropped, for as long as a client that closes is given.
    response.write(body);
    request.once('end', () => response.end());
    connection.await('leave', limits.values.closeTimeout);
  }

  private log(text: string, status: number): void {
    const { id, who } = this;
    const { ip } = this.from;
    const path = excerpt(this.path);
    const level = status === 401 || status === 403 || status === 421 || status === 429 ? 'warn' : 'info';
    this.context.log[level](`${who}: ${text}`, { id, ip, path, kind: 'tcp', status });
  }
}

/** Node's headers, each as one text. */
function headersOf(request: IncomingMessage): Headers {
  const headers: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries(request.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return headers;
}
