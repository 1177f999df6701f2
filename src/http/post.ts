import { bearer, saysBrowser } from '../connection/access.ts';
import { judgeBackend } from '../connection/backend.ts';
import { sinceNow } from '../connection/client.ts';
import { guardOf } from '../connection/examine.ts';
import type { Pass } from '../connection/pass.ts';
import {
  type Additions,
  type Callbacks,
  type HandshakeRequest,
  readAnswer,
  type Route,
  schemeOf,
} from '../connection/route.ts';
import { describeThrown, traceOf } from '../errors.ts';
import { excerpt } from '../log.ts';
import { closePacket } from '../packet/packet.ts';
import type { Ticket } from '../packet/ticket.ts';
import type { Refusal } from '../wire/head.ts';
import { asked, authenticate } from './authenticate.ts';
import { type Body, BodyError, parseBody, readBody } from './body.ts';
import type { Exchange, HttpContext } from './exchange.ts';
import { digestOf, KEY_RULE, keyOf } from './idempotency.ts';
import { LATE } from './intime.ts';
import { type Answer, type AnswerRoom, Poster } from './poster.ts';

/** Not of the draft, but what others call it; a page has to be allowed to see it. */
const REPLAYED = { 'Idempotent-Replayed': 'true', 'Access-Control-Expose-Headers': 'Idempotent-Replayed' };

/** Where a POST goes, what authentication and `onHandshake` gave, and the ticket that let it in. */
interface Target {
  readonly route: Route;
  readonly additions: Additions;
  readonly ticket: Ticket | null;
  readonly pass: Pass | null;
  /** What it is known again by; null: it has no Idempotency-Key. */
  readonly request: string | null;
}

/**
 * Answers a POST (PROTOCOL.md §7). Never rejects.
 * @param expectsContinue the client waits for a 100 before it sends its body.
 */
export async function answerPost(context: HttpContext, exchange: Exchange, expectsContinue: boolean): Promise<void> {
  try {
    const target = await judge(context, exchange);
    if ('status' in target) {
      exchange.answer(target.status, closePacket(target.text), ` ${target.text}`, target.headers);
      return;
    }
    const length = Number(exchange.headers['content-length'] ?? 0);
    if (expectsContinue && length <= context.limits.values.maxPayload) exchange.response.writeContinue();
    const answer = await deliver(context, exchange, target);
    if (typeof answer === 'string') exchange.tooFast(answer);
    else if (answer.replayed !== true) exchange.answer(answer.status, answer.body, answer.note);
    else exchange.answer(answer.status, answer.body, `, again${answer.note}`, REPLAYED);
  } catch (error) {
    const { id, who } = exchange;
    context.log.error(`${who}: ${describeThrown(error)}`, { id, stack: traceOf(error) });
    exchange.answer(500, closePacket('the resource failed'), ' the resource failed');
  }
}

/** Why a POST is refused before its body is read, or where it goes. */
async function judge(context: HttpContext, exchange: Exchange): Promise<Refusal | Target> {
  const { admission, limits, routes } = context;
  const { headers, from, path, origin, query } = exchange;
  const fromPage = origin !== '' || saysBrowser(headers);
  const { forConsole } = exchange;
  if (fromPage && !forConsole && !exchange.originAllowed) return foreign(origin);
  // Behind a proxy each request may be another client's.
  const rate = from.ip === exchange.connection.peer.ip ? null : admission.arrive(from.ip);
  if (rate !== null) return admission.describe(rate);
  const route = routes.find(path);
  const shown = bearer(headers.authorization);
  const verdict = forConsole
    ? { ticket: null, beyond: undefined }
    : judgeBackend(context, { from, shown, byAddress: !fromPage, path, route });
  if ('status' in verdict) return verdict;
  const limit = admission.refusal(from.ip);
  if (limit !== null) return { status: limit === 'maxPerIP' ? 429 : 503, text: limits.over(limit).text };
  const request = handshakeOf(exchange, verdict.ticket);
  if (route === undefined) return { status: 404, text: `no such resource: ${excerpt(path)}` };
  if (!route.accepts.has(request.scheme)) {
    return {
      status: 404,
      text: `${excerpt(path)} takes no POST: it is for WebSocket clients (see its static accepts)`,
    };
  }
  const guard = guardOf(context.guards, path, request.kind);
  // What every client is asked, unless it is a backend by its address or key alone.
  const pass = guard === null ? null : await authenticate(context, exchange, guard, request.query, verdict.beyond);
  if (pass !== null && 'status' in pass) return pass;
  const known = recognise(context, exchange, query);
  if (typeof known === 'object' && known !== null) return known;
  const given = await asked(
    context,
    exchange,
    'onHandshake',
    ask(context, exchange, route, { ...request, auth: pass?.auth ?? null }),
  );
  if (given === LATE) return { status: 504, text: limits.over('handlerTimeout').text };
  const answer = readAnswer(given);
  return 'status' in answer ? answer : { route, additions: answer, ticket: verdict.ticket, pass, request: known };
}

/**
 * What a POST with an Idempotency-Key is known again by: its path, its key, where it comes from and what it shows.
 * @param query as it came, with a token that was taken out of it.
 * @returns null: it has no key.
 */
function recognise({ guards, idempotency }: HttpContext, exchange: Exchange, query: string): string | Refusal | null {
  const { headers, from, path } = exchange;
  const field = headers['idempotency-key'];
  if (field === undefined || !idempotency.enabled) return null;
  const key = keyOf(field);
  if (key === null) return { status: 400, text: KEY_RULE };
  // Others' cookies change as they like.
  const cookie = guards.of(path)?.mode === 'php-session' ? headers.cookie : undefined;
  return digestOf(path, key, from.ip, query, headers.authorization ?? '', headers.ident ?? '', cookie ?? '');
}

/** Calls `onHandshake`. */
function ask(
  { stalls }: HttpContext,
  exchange: Exchange,
  { resource }: Route,
  request: HandshakeRequest,
): ReturnType<NonNullable<Callbacks['onHandshake']>> {
  if (resource.onHandshake === undefined) return undefined;
  const began = stalls.begin();
  try {
    return resource.onHandshake(request);
  } finally {
    stalls.end(began, exchange);
  }
}

/** A page that may not connect. */
export function foreign(origin: string): Refusal {
  const page = origin === '' ? 'another site' : excerpt(origin);
  return { status: 403, text: `pages of ${page} are not allowed: see [security] allowedOrigins` };
}

function handshakeOf({ path, query, headers, from, connection }: Exchange, ticket: Ticket | null): HandshakeRequest {
  const scheme = schemeOf('tcp', connection.peer.secure);
  return {
    path,
    query: new URLSearchParams(query),
    headers,
    ip: from.ip,
    scheme,
    kind: 'tcp',
    ticket,
    protocols: [],
    auth: null,
  };
}

/**
 * Reads the body and has it handled.
 * @returns the answer, or the limit that its connection is over.
 */
async function deliver(
  context: HttpContext,
  exchange: Exchange,
  target: Target,
): Promise<Answer | 'messageRate' | 'byteRate'> {
  const { limits } = context;
  const { connection, request } = exchange;
  const { maxPayload, maxChunks } = limits.values;
  let body: Body;
  let bytes: Buffer;
  connection.await('body', limits.values.bodyTimeout);
  request.on('data', (chunk: Buffer) => {
    connection.received += chunk.length;
  });
  try {
    bytes = await readBody(request, maxPayload);
    body = parseBody(bytes, exchange.headers['content-type'] ?? '', maxChunks);
  } catch (error) {
    if (!(error instanceof BodyError)) throw error;
    if (error.limit !== undefined) limits.over(error.limit);
    return { status: error.status, note: ` ${error.message}`, body: closePacket(error.message) };
  }
  // The request itself was paid for when it came.
  const over = await connection.pay(bytes.length, Math.max(0, body.messages.length - 1));
  if (over !== null) return over;
  if (target.request === null) return handle(context, exchange, target, body);
  const content = digestOf(exchange.headers['content-type'] ?? '', bytes);
  return context.idempotency.once(target.request, content, exchange.who, () => handle(context, exchange, target, body));
}

/** Hands the messages of a body to the resource, one after the other. */
async function handle(context: HttpContext, exchange: Exchange, target: Target, body: Body): Promise<Answer> {
  const answers: Answer[] = [];
  const room: AnswerRoom = { bytes: 0 };
  for (const text of body.messages) {
    const message = target.route.textAsBuffer && typeof text === 'string' ? Buffer.from(text) : text;
    const poster = posterOf(context, exchange, target, room);
    // oxlint-disable-next-line no-await-in-loop -- one at a time and in order, as for every client
    answers.push(await poster.handle(message, { binary: body.binary, buffered: false, again: false }));
  }
  if (!body.many) return answers[0];
  return {
    status: 200,
    note: `, ${answers.length} messages`,
    body: `[${answers.map((answer) => answer.body).join(',')}]`,
  };
}

function posterOf(
  context: HttpContext,
  exchange: Exchange,
  { route, additions, ticket, pass }: Target,
  room: AnswerRoom,
): Poster {
  const { scheme, kind, headers, ip, path, query } = handshakeOf(exchange, ticket);
  const { id } = exchange.connection.peer;
  const own = ticket === null ? (headers.ident ?? query.get('ident') ?? '') : '';
  const ident = additions.ident ?? pass?.ident ?? own;
  const since = sinceNow();
  const identity = { id, uuid: '', ident, path, scheme, kind, ip, headers, query: exchange.query, ticket, pass, since };
  return new Poster(context, route, identity, additions.data, room);
}
