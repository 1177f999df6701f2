import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { HttpPeer } from '../connection/context.ts';
import { isReserved } from '../connection/route.ts';
import { excerpt } from '../log.ts';
import type { Refusal } from '../wire/head.ts';
import { refusalResponse } from '../wire/handshake.ts';
import { answerConsole, isConsolePath } from './console.ts';
import { Exchange, HttpConnection, type HttpContext, TEXT } from './exchange.ts';
import { answerGet } from './get.ts';
import { answerPost, foreign } from './post.ts';

const ALLOW = 'GET, HEAD, POST, OPTIONS';
const ALLOW_OWN = 'GET, HEAD, OPTIONS';

/** RFC 9112 §3.2; of several, node:http shows the first alone. HTTP/1.0 needs none. */
function hasOneHost(request: IncomingMessage): boolean {
  const { rawHeaders, httpVersion } = request;
  let count = 0;
  for (let i = 0; i < rawHeaders.length; i += 2)
    if (rawHeaders[i].length === 4 && /^host$/i.test(rawHeaders[i])) count++;
  return count === 1 || (count === 0 && httpVersion !== '1.1');
}

/** The plain-HTTP side of the port: a node:http server that never listens, and takes streams handed over. */
export class HttpSide {
  private readonly context: HttpContext;
  private readonly server: Server;
  private readonly connections = new Map<Duplex, HttpConnection>();
  private draining = false;

  constructor(context: HttpContext) {
    this.context = context;
    const { maxHead } = context.limits.values;
    this.server = createServer({
      maxHeaderSize: maxHead,
      keepAliveTimeout: context.keepAliveTimeout * 1000,
      requireHostHeader: false, // refused here, with a text
    });
    // Node would drop the headers above its own number, and with them what they say; ours is counted below.
    this.server.maxHeadersCount = 0;
    // Else node:http ends a connection when its client's FIN comes, before the answer. Not in its types.
    Object.assign(this.server, { httpAllowHalfOpen: true });
    this.server.on('request', (request, response) => this.onRequest(request, response, false));
    this.server.on('checkContinue', (request, response) => this.onRequest(request, response, true));
    this.server.on('checkExpectation', (request, response) => this.onRequest(request, response, false));
    this.server.on('connect', (_request, stream) => {
      // node:http has taken its listeners off.
      stream.on('error', (error) => this.onClientError(error, stream));
      this.refuseMethod(stream);
    });
    this.server.on('clientError', (error: NodeJS.ErrnoException, stream) => this.onClientError(error, stream));
  }

  /** Serves a stream that speaks HTTP. */
  take(stream: Socket, peer: HttpPeer): void {
    const connection = new HttpConnection(stream, peer, this.context, (late) => this.onLate(late));
    this.connections.set(stream, connection);
    stream.once('close', () => {
      connection.left();
      this.connections.delete(stream);
    });
    connection.await('head', this.context.limits.values.headTimeout);
    this.server.emit('connection', stream);
    stream.resume();
  }

  /** Answers what is in flight and takes no more. @returns when the last connection is gone. */
  async stop(): Promise<void> {
    this.draining = true;
    const gone = [...this.connections.values()].map((connection) => {
      const { stream, response } = connection;
      connection.last = true;
      // Half-open, an idle client could keep the stop waiting.
      if (response === null) stream.destroySoon();
      return new Promise<void>((done) => {
        if (stream.destroyed) done();
        else stream.once('close', () => done());
      });
    });
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
    if (connection.last) return;
    const { maxAhead } = this.context.limits.values;
    if (connection.requests.ahead > maxAhead) return; // that it is one too many, the one before it is told
    const tooMany = connection.requests.ahead === maxAhead;
    connection.requests.add(() => this.answer(connection, request, response, expectsContinue, tooMany));
  }

  private answer(
    connection: HttpConnection,
    request: IncomingMessage,
    response: ServerResponse,
    expectsContinue: boolean,
    tooMany: boolean,
  ): void {
    if (connection.broken !== null && !request.complete) {
      this.endBroken(connection.stream, connection.broken); // it broke off while others were answered
      return;
    }
    connection.response = response;
    connection.rest();
    request.once('end', () => {
      if (connection.awaited === 'body') connection.rest();
    });
    response.once('close', () => {
      connection.response = null;
      if (connection.stream.destroyed) return;
      connection.account();
      // Idle time is kept by node:http, but not the time of the next head.
      connection.await('head', this.context.keepAliveTimeout + this.context.limits.values.headTimeout);
      if (connection.last) connection.requests.stop();
      connection.requests.done();
    });
    const exchange = new Exchange(this.context, connection, request, response);
    if (tooMany) {
      exchange.refuse({ status: 429, text: this.context.limits.over('maxAhead').text });
      return;
    }
    const paid = connection.pay(0, 1);
    if (paid === null) this.dispatch(exchange, expectsContinue);
    else void paid.then((over) => this.goOn(exchange, expectsContinue, over));
  }

  /** What was sent before is paid for, or never will be. */
  private goOn(exchange: Exchange, expectsContinue: boolean, over: 'messageRate' | 'byteRate' | null): void {
    if (exchange.connection.stream.destroyed) return;
    if (over === null) this.dispatch(exchange, expectsContinue);
    else exchange.tooFast(over);
  }

  private dispatch(exchange: Exchange, expectsContinue: boolean): void {
    const { request, headers } = exchange;
    const misdirected = exchange.judgeHost();
    const { expect = '100-continue' } = headers;
    if (this.draining) {
      exchange.refuse({ status: 503, text: 'the daemon is stopping', headers: { 'Retry-After': '5' } });
    } else if (request.rawHeaders.length / 2 > this.context.limits.values.maxHeaders) {
      exchange.refuse({ status: 431, text: this.context.limits.over('maxHeaders').text });
    } else if (!hasOneHost(request)) {
      exchange.refuse({ status: 400, text: 'one Host header is required' });
    } else if (misdirected !== null) {
      exchange.refuse(misdirected);
    } else if (expect.toLowerCase() !== '100-continue') {
      exchange.refuse({ status: 417, text: 'the only expectation known is 100-continue' });
    } else if (isReserved(exchange.path)) this.own(exchange, expectsContinue);
    else if (request.method === 'POST') void answerPost(this.context, exchange, expectsContinue);
    else if (request.method === 'GET' || request.method === 'HEAD') void answerGet(this.context, exchange);
    else if (request.method === 'OPTIONS') this.preflight(exchange, ALLOW, 'POST');
    else exchange.refuse({ status: 405, text: `${request.method} is not served`, headers: { Allow: ALLOW } });
  }

  /** What is below `/_websock/`. */
  private own(exchange: Exchange, expectsContinue: boolean): void {
    const { path } = exchange;
    const { method = '' } = exchange.request;
    const asset = this.context.assets.get(path);
    const isConsole = asset?.forConsole ?? isConsolePath(this.context, path);
    if (isConsole) answerConsole(this.context, exchange, expectsContinue);
    else if (asset === undefined && this.context.assets.has(`${path}/`)) {
      exchange.refuse({ status: 308, text: `it is at ${path}/`, headers: { Location: `${path}/` } }); // as people type it
    } else if (asset === undefined) exchange.refuse({ status: 404, text: `no such page: ${excerpt(path)}` });
    else if (method === 'GET' || method === 'HEAD') exchange.serve(asset);
    else if (method === 'OPTIONS') this.preflight(exchange, ALLOW_OWN, 'GET, HEAD');
    else exchange.refuse({ status: 405, text: `${method} is not served here`, headers: { Allow: ALLOW_OWN } });
  }

  /** @param methods those that a page may use. */
  private preflight(exchange: Exchange, allow: string, methods: string): void {
    const { origin, response } = exchange;
    if (origin !== '' && !exchange.originAllowed) {
      exchange.refuse(foreign(origin));
      return;
    }
    exchange.allowOrigin();
    response.writeHead(204, {
      Allow: allow,
      'Access-Control-Allow-Methods': methods,
      'Access-Control-Allow-Headers': 'Authorization, Content-Type, Idempotency-Key, Ident',
      'Access-Control-Max-Age': '600',
    });
    response.end();
    exchange.request.resume();
  }

  /** Somebody has not done what was waited for. */
  private onLate(connection: HttpConnection): void {
    const { peer, stream, response, awaited } = connection;
    const { limits, log } = this.context;
    if (awaited === 'leave') {
      stream.destroy();
      return;
    }
    if (awaited === 'taken' && connection.moves) {
      connection.await('taken', limits.values.writeTimeout);
      return;
    }
    const { bodyTimeout, minBodyRate } = limits.values;
    if (awaited === 'body' && minBodyRate > 0 && connection.received >= minBodyRate * bodyTimeout) {
      connection.await('body', bodyTimeout);
      connection.prolonged = true;
      return;
    }
    const body = connection.prolonged ? 'minBodyRate' : 'bodyTimeout';
    const limit = ({ head: 'headTimeout', body, taken: 'writeTimeout' } as const)[awaited];
    const { text } = limits.over(limit);
    log.info(`#${peer.id} ${peer.ip} HTTP: over ${limit}: ${text}: closed`, { id: peer.id, ip: peer.ip, limit });
    if (response !== null && !response.headersSent) {
      connection.await('leave', limits.values.closeTimeout);
      response.writeHead(408, { 'Content-Type': TEXT, 'Content-Length': text.length + 1, Connection: 'close' });
      response.end(`${text}\n`, () => stream.destroy());
    } else stream.destroy();
  }

  /** CONNECT, which node:http hands over raw, and methods that it does not know. */
  private refuseMethod(stream: Duplex): void {
    const connection = this.connections.get(stream);
    const who = connection === undefined ? 'HTTP client' : `#${connection.peer.id} ${connection.peer.ip}`;
    this.context.log.info(`${who} refused: 405 method not served`, { id: connection?.peer.id, status: 405 });
    this.endRaw(stream, { status: 405, text: 'the method is not served', headers: { Allow: ALLOW } });
  }

  /** Once for each connection: what follows on what cannot be read cannot be read either. */
  private onClientError(error: NodeJS.ErrnoException, stream: Duplex): void {
    const connection = this.connections.get(stream);
    if (connection === undefined || connection.broken !== null) return;
    connection.broken = error;
    const { peer, response, requests } = connection;
    this.context.log.info(`#${peer.id} ${peer.ip} HTTP error: ${error.message}`, { id: peer.id, reason: error.code });
    if (error.code === 'ECONNRESET') return;
    // Those before it are answered before it is.
    if (response?.req.complete === true) requests.add(() => this.endBroken(stream, error));
    else this.endBroken(stream, error);
  }

  private endBroken(stream: Duplex, { code }: NodeJS.ErrnoException): void {
    if (code === 'HPE_INVALID_METHOD') this.refuseMethod(stream);
    else if (code === 'HPE_HEADER_OVERFLOW') {
      this.context.limits.over('maxHead');
      this.endRaw(stream, { status: 431, text: 'the request head is too large' });
    } else this.endRaw(stream, { status: 400, text: 'not a valid HTTP request' });
  }

  /** A response past node:http, and the end of the connection. */
  private endRaw(stream: Duplex, refusal: Refusal): void {
    const connection = this.connections.get(stream);
    connection?.await('leave', this.context.limits.values.closeTimeout);
    if (!stream.writable) return;
    // Whose body cannot be read may have been answered already.
    if (connection?.response?.headersSent === true) stream.end();
    else stream.end(refusalResponse(refusal), 'latin1');
    stream.resume();
  }
}
