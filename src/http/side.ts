import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Access, Provenance } from '../connection/access.ts';
import { bearer } from '../connection/access.ts';
import type { Admission } from '../connection/admission.ts';
import type { HttpPeer } from '../connection/context.ts';
import type { Deadline, Deadlines } from '../connection/deadlines.ts';
import type { Limits } from '../connection/limits.ts';
import { type HandshakeAnswer, type HandshakeRequest, type Route, type Routes, schemeOf } from '../connection/route.ts';
import { describeThrown } from '../errors.ts';
import { type Log, printable } from '../log.ts';
import { closePacket } from '../packet/packet.ts';
import { hasToken, type Headers, parseTarget, type Refusal } from '../wire/handshake.ts';
import { BodyError, parseBody, readBody } from './body.ts';
import { type Answer, Poster } from './poster.ts';

export interface HttpContext {
  readonly log: Log;
  readonly limits: Limits;
  readonly deadlines: Deadlines;
  readonly access: Access;
  readonly admission: Admission;
  readonly routes: Routes;
  /** Seconds that a request's body may take. */
  readonly bodyTimeout: number;
  /** Seconds that a kept-alive connection may be idle. */
  readonly keepAliveTimeout: number;
}

const ALLOW = 'GET, HEAD, POST, OPTIONS';
const TEXT = 'text/plain; charset=utf-8';
const JSON_TYPE = 'application/json';

/** A connection that speaks HTTP: at any time one deadline keeps it moving. */
class HttpConnection implements Deadline {
  slot: Set<Deadline> | null = null;
  readonly peer: HttpPeer;
  readonly stream: Socket;
  /** A request is being answered. */
  response: ServerResponse | null = null;
  private readonly onLate: (connection: HttpConnection) => void;

  constructor(stream: Socket, peer: HttpPeer, onLate: (connection: HttpConnection) => void) {
    this.stream = stream;
    this.peer = peer;
    this.onLate = onLate;
  }

  expire(): void {
    this.onLate(this);
  }
}

/** A request, with what has been found out about it. */
interface Exchange {
  readonly connection: HttpConnection;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly path: string;
  readonly query: string;
  readonly headers: Headers;
  readonly from: Provenance;
}

/** What `onHandshake` gave beside a refusal. */
type Additions = Exclude<HandshakeAnswer, undefined | void | { status: number }>;

/** The plain-HTTP side of the port: a node:http server that never listens, and takes streams handed over. */
export class HttpSide {
  private readonly context: HttpContext;
  private readonly server: Server;
  private readonly connections = new Map<Duplex, HttpConnection>();
  private draining = false;

  constructor(context: HttpContext) {
    this.context = context;
    const { maxHead } = context.limits.values;
    this.server = createServer({ maxHeaderSize: maxHead, keepAliveTimeout: context.keepAliveTimeout * 1000 });
    this.server.on('request', (request, response) => this.onRequest(request, response, false));
    this.server.on('checkContinue', (request, response) => this.onRequest(request, response, true));
    this.server.on('clientError', (error: NodeJS.ErrnoException, stream) => this.onClientError(error, stream));
  }

  /** Serves a stream that speaks HTTP. */
  take(stream: Socket, peer: HttpPeer): void {
    const connection = new HttpConnection(stream, peer, (late) => this.onLate(late));
    this.connections.set(stream, connection);
    stream.once('close', () => {
      this.context.deadlines.disarm(connection);
      this.connections.delete(stream);
    });
    this.context.deadlines.arm(connection, this.context.limits.values.headTimeout);
    this.server.emit('connection', stream);
    stream.resume();
  }

  /** Answers what is in flight and takes no more. @returns when the last connection is gone. */
  async stop(): Promise<void> {
    this.draining = true;
    const gone = [...this.connections.values()].map(
      ({ stream, response }) =>
        new Promise<void>((done) => {
          stream.once('close', () => done());
          // Half-open, an idle client could keep the stop waiting.
          if (response === null) stream.destroySoon();
        }),
    );
    await Promise.all(gone);
  }

  /** Ends every connection at once. */
  destroy(): void {
    for (const stream of this.connections.keys()) stream.destroy();
  }

  private onRequest(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void {
    const connection = this.connections.get(request.socket);
    if (connection === undefined) {
      request.socket.destroy();
      return;
    }
    const { deadlines } = this.context;
    connection.response = response;
    deadlines.arm(connection, this.context.bodyTimeout);
    request.once('end', () => {
      // Once the answer is written, its own deadline runs.
      if (!response.writableEnded) deadlines.disarm(connection);
    });
    response.once('close', () => {
      connection.response = null;
      if (connection.stream.destroyed) return;
      // Idle time is kept by node:http, but not the time of the next head.
      deadlines.arm(connection, this.context.keepAliveTimeout + this.context.limits.values.headTimeout);
    });
    const headers = headersOf(request);
    const { path, query } = parseTarget(request.url ?? '/');
    const from = this.context.access.locate(connection.peer.ip, headers);
    const exchange = { connection, request, response, path, query, headers, from };
    if (this.draining)
      this.refuse(exchange, { status: 503, text: 'the daemon is stopping', headers: { 'Retry-After': '5' } });
    else if (request.rawHeaders.length / 2 > this.context.limits.values.maxHeaders) this.tooManyHeaders(exchange);
    else if (request.method === 'POST') this.post(exchange, expectsContinue);
    else if (request.method === 'GET' || request.method === 'HEAD') this.get(exchange);
    else if (request.method === 'OPTIONS') this.preflight(exchange);
    else this.refuse(exchange, { status: 405, text: `${request.method} is not served`, headers: { Allow: ALLOW } });
  }

  private tooManyHeaders(exchange: Exchange): void {
    const { text } = this.context.limits.over('maxHeaders');
    this.refuse(exchange, { status: 431, text });
  }

  private get(exchange: Exchange): void {
    const { path, headers } = exchange;
    if (hasToken(headers.upgrade, 'websocket')) {
      this.refuse(exchange, { status: 426, text: 'a WebSocket handshake must be the first request of its connection' });
      return;
    }
    const route = this.context.routes.find(path);
    if (route === undefined) {
      this.refuse(exchange, { status: 404, text: `no such resource: ${printable(path)}` });
      return;
    }
    const post = route.accepts.has('tcp') || route.accepts.has('ssl') ? ', or POST a message to it' : '';
    const text = `${printable(path)} is a resource: connect with WebSocket${post}`;
    this.refuse(exchange, { status: 426, text, headers: { Upgrade: 'websocket' } });
  }

  private preflight(exchange: Exchange): void {
    const { headers, response } = exchange;
    const { origin = '', host } = headers;
    if (origin !== '' && !this.context.access.originAllowed(origin, host)) {
      this.refuse(exchange, { status: 403, text: originText(origin) });
      return;
    }
    this.allowOrigin(exchange);
    response.writeHead(204, {
      Allow: ALLOW,
      'Access-Control-Allow-Methods': 'POST',
      'Access-Control-Allow-Headers': 'Authorization, Content-Type, Ident',
      'Access-Control-Max-Age': '600',
    });
    response.end();
  }

  // ---- POST

  private post(exchange: Exchange, expectsContinue: boolean): void {
    this.postRefusal(exchange)
      .then(async (refusal) => {
        if ('status' in refusal) {
          this.answer(exchange, { status: refusal.status, body: closePacket(refusal.text) }, refusal.headers);
          return;
        }
        if (expectsContinue) exchange.response.writeContinue();
        this.answer(exchange, await this.deliver(exchange, refusal));
      })
      .catch((error: unknown) => {
        const { id } = exchange.connection.peer;
        this.context.log.error(
          `#${id} ${exchange.from.ip} POST ${printable(exchange.path)}: ${describeThrown(error)}`,
          { id },
        );
        this.answer(exchange, { status: 500, body: closePacket('the resource failed') });
      });
  }

  /** Why a POST is refused before its body is read, or the route and what `onHandshake` gave. */
  private async postRefusal(exchange: Exchange): Promise<Refusal | { route: Route; additions: Additions }> {
    const { access, admission, limits, routes } = this.context;
    const { headers, from, path } = exchange;
    const { origin = '', host } = headers;
    const fromPage = origin !== '' || headers['sec-fetch-site'] === 'cross-site';
    if (fromPage && !access.originAllowed(origin, host)) return { status: 403, text: originText(origin) };
    const refusal = access.judgeBackend(from, bearer(headers.authorization), !fromPage);
    if (refusal !== null) return refusal;
    const limit = admission.refusal(from.ip);
    if (limit !== null) return { status: limit === 'maxPerIP' ? 429 : 503, text: limits.over(limit).text };
    const route = routes.find(path);
    const scheme = schemeOf('tcp', exchange.connection.peer.secure);
    if (route === undefined || !route.accepts.has(scheme)) {
      return { status: 404, text: `no such resource: ${printable(path)}` };
    }
    const answer = await route.resource.onHandshake?.(this.handshake(exchange));
    if (typeof answer !== 'object' || answer === null) return { route, additions: {} };
    if ('status' in answer) return { status: answer.status, text: answer.body ?? 'refused by the resource' };
    return { route, additions: answer };
  }

  private handshake(exchange: Exchange): HandshakeRequest {
    const { path, headers, from } = exchange;
    const scheme = schemeOf('tcp', exchange.connection.peer.secure);
    return {
      path,
      query: new URLSearchParams(exchange.query),
      headers,
      ip: from.ip,
      scheme,
      kind: 'tcp',
      protocols: [],
    };
  }

  /** Reads the body and hands its messages to the resource, one after the other. */
  private async deliver(exchange: Exchange, target: { route: Route; additions: Additions }): Promise<Answer> {
    const { limits } = this.context;
    const { maxPayload, maxChunks } = limits.values;
    let body: ReturnType<typeof parseBody>;
    try {
      const bytes = await readBody(exchange.request, maxPayload);
      body = parseBody(bytes, exchange.headers['content-type'] ?? '', maxChunks);
    } catch (error) {
      if (!(error instanceof BodyError)) throw error;
      if (error.status === 413) limits.over('maxPayload');
      return { status: error.status, body: closePacket(error.message) };
    }
    const answers: Answer[] = [];
    for (const text of body.messages) {
      const message = target.route.textAsBuffer && typeof text === 'string' ? Buffer.from(text) : text;
      const poster = this.poster(exchange, target);
      // oxlint-disable-next-line no-await-in-loop -- one at a time and in order, as for every client
      answers.push(await poster.handle(message, { binary: body.binary, buffered: false }));
    }
    if (!body.many) return answers[0];
    return { status: 200, body: `[${answers.map((answer) => answer.body).join(',')}]` };
  }

  private poster(exchange: Exchange, { route, additions }: { route: Route; additions: Additions }): Poster {
    const { limits, log, deadlines } = this.context;
    const { scheme, kind, headers, ip, path, query } = this.handshake(exchange);
    const ident = additions.ident ?? headers.ident ?? query.get('ident') ?? '';
    const identity = {
      id: exchange.connection.peer.id,
      uuid: '',
      ident,
      path,
      scheme,
      kind,
      ip,
      headers,
      query: exchange.query,
    };
    const { handlerTimeout, sendQueue } = limits.values;
    return new Poster(
      { log, deadlines, handlerTimeout, sendQueue, over: (limit) => limits.over(limit) },
      route,
      identity,
      additions.data,
    );
  }

  // ---- answering

  private answer(exchange: Exchange, { status, body }: Answer, headers: Headers = {}): void {
    const { id } = exchange.connection.peer;
    const { ip } = exchange.from;
    const path = printable(exchange.path);
    const why = status === 200 ? '' : ` ${body}`;
    this.context.log.info(`#${id} ${ip} POST ${path}: ${status}${why}`, { id, ip, path, kind: 'tcp', status });
    this.write(exchange, status, JSON_TYPE, `${body}\n`, headers, status >= 400 && !exchange.request.complete);
  }

  /** PROTOCOL.md §3: a complete response, one line of text, and the end of the connection. */
  private refuse(exchange: Exchange, refusal: Refusal): void {
    const { id } = exchange.connection.peer;
    const { ip } = exchange.from;
    const path = printable(exchange.path);
    const method = exchange.request.method ?? '';
    this.context.log.info(`#${id} ${ip} ${method} ${path} refused: ${refusal.status} ${refusal.text}`, {
      id,
      ip,
      path,
      status: refusal.status,
    });
    this.write(exchange, refusal.status, TEXT, `${refusal.text}\n`, refusal.headers ?? {}, true);
  }

  private write(
    exchange: Exchange,
    status: number,
    type: string,
    body: string,
    headers: Headers,
    close: boolean,
  ): void {
    const { response, connection } = exchange;
    if (response.headersSent || connection.stream.destroyed) return;
    this.context.deadlines.arm(connection, this.context.limits.values.writeTimeout);
    this.allowOrigin(exchange);
    const connectionHeader = close || this.draining ? { Connection: 'close' } : {};
    response.writeHead(status, {
      ...headers,
      'Content-Type': type,
      'Content-Length': Buffer.byteLength(body),
      ...connectionHeader,
    });
    response.end(body);
    // What is left of a body that nobody wants is read and dropped, until its time is up.
    exchange.request.resume();
  }

  /** Lets a page read the answer, if its origin is allowed to connect. */
  private allowOrigin({ headers, response }: Exchange): void {
    const { origin = '', host } = headers;
    response.setHeader('Vary', 'Origin');
    if (origin !== '' && this.context.access.originAllowed(origin, host)) {
      response.setHeader('Access-Control-Allow-Origin', origin);
    }
  }

  private onLate(connection: HttpConnection): void {
    const { peer, stream, response } = connection;
    this.context.limits.over('headTimeout');
    this.context.log.info(`#${peer.id} ${peer.ip} HTTP: too slow, closed`, { id: peer.id, ip: peer.ip });
    if (response !== null && !response.headersSent) {
      const text = 'the request took too long\n';
      response.writeHead(408, { 'Content-Type': TEXT, 'Content-Length': text.length, Connection: 'close' });
      response.end(text, () => stream.destroy());
      this.context.deadlines.arm(connection, this.context.limits.values.closeTimeout);
    } else stream.destroy();
  }

  private onClientError(error: NodeJS.ErrnoException, stream: Duplex): void {
    const connection = this.connections.get(stream);
    const who = connection === undefined ? 'HTTP client' : `#${connection.peer.id} ${connection.peer.ip}`;
    this.context.log.info(`${who} HTTP error: ${error.message}`, { id: connection?.peer.id, reason: error.code });
    const tooLarge = error.code === 'HPE_HEADER_OVERFLOW';
    const status = tooLarge ? '431 Request Header Fields Too Large' : '400 Bad Request';
    if (stream.writable && error.code !== 'ECONNRESET') {
      const text = tooLarge ? 'the request head is too large\n' : 'not a valid HTTP request\n';
      stream.end(
        `HTTP/1.1 ${status}\r\nContent-Type: ${TEXT}\r\nContent-Length: ${text.length}\r\nConnection: close\r\n\r\n${text}`,
      );
    }
    if (connection !== undefined) this.context.deadlines.arm(connection, this.context.limits.values.closeTimeout);
  }
}

function originText(origin: string): string {
  const page = origin === '' ? 'another site' : printable(origin);
  return `pages of ${page} are not allowed: see [security] allowedOrigins`;
}

/** Node's headers, each as one text. */
function headersOf(request: IncomingMessage): Headers {
  const headers: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries(request.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return headers;
}
