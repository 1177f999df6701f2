import type { Guard } from '../auth/auth.ts';
import { bearer, saysBrowser } from '../connection/access.ts';
import type { HttpRequest } from '../connection/httprequest.ts';
import { acceptsWeb, type Route } from '../connection/route.ts';
import { CLOSE, CLOSE_CODES, closeCodeOf, describeThrown, messageOf, traceOf } from '../errors.ts';
import { excerpt, printable } from '../log.ts';
import { Tickets } from '../packet/ticket.ts';
import type { Refusal } from '../wire/head.ts';
import { hasToken } from '../wire/handshake.ts';
import { asked, authenticate } from './authenticate.ts';
import type { Exchange, HttpContext } from './exchange.ts';
import { LATE } from './intime.ts';
import { Responder } from './reply.ts';

const FAILED = 500;

/** Answers a GET or HEAD of a path that may be a resource's (PROTOCOL.md §7). Never rejects. */
export async function answerGet(context: HttpContext, exchange: Exchange): Promise<void> {
  const { path, headers } = exchange;
  if (hasToken(headers.upgrade, 'websocket')) {
    exchange.refuse({ status: 426, text: 'a WebSocket handshake must be the first request of its connection' });
    return;
  }
  const route = context.routes.find(path);
  if (route !== undefined && (await answeredBy(context, exchange, route))) return;
  exchange.refuse(whatItIs(excerpt(path), route));
}

/** What is said of a resource that does not answer itself. */
export function whatItIs(name: string, route: Route | undefined): Refusal {
  if (route === undefined) return { status: 404, text: `no such resource: ${name}` };
  if (!acceptsWeb(route)) return { status: 404, text: `${name} is not for browsers: POST a message to it` };
  const post = route.accepts.has('tcp') || route.accepts.has('ssl') ? ', or POST a message to it' : '';
  const text = `${name} is a resource: connect with WebSocket${post}`;
  return { status: 426, text, headers: { Upgrade: 'websocket' } };
}

/** Lets a resource answer. @returns whether the request is answered; false: the resource leaves it to us. */
async function answeredBy(context: HttpContext, exchange: Exchange, { resource }: Route): Promise<boolean> {
  const { stalls, limits } = context;
  const response = new Responder((reply) => exchange.reply(reply));
  try {
    if (resource.onRequest === undefined) return false;
    const request = await judge(context, exchange);
    if ('status' in request) {
      exchange.refuse(request);
      return true;
    }
    const began = stalls.begin();
    let given: ReturnType<typeof resource.onRequest>;
    try {
      given = resource.onRequest(request, response);
    } finally {
      stalls.end(began, exchange);
    }
    const returned = await asked(context, exchange, 'onRequest', given);
    if (returned !== LATE) return response.finish(returned);
    if (!response.sent) exchange.refuse({ status: 504, text: limits.over('handlerTimeout').text });
    return true;
  } catch (error) {
    thrown(context, exchange, response, error);
    return true;
  } finally {
    response.close();
  }
}

/** `onRequest` has thrown, or answered what cannot be sent: that is told to its client alone. */
function thrown({ log }: HttpContext, exchange: Exchange, { sent }: Responder, error: unknown): void {
  const { id, who } = exchange;
  const refusal = refusalFor(error);
  if (refusal.status === FAILED || sent) {
    const what = sent ? 'onRequest failed, its client was answered already' : refusal.text;
    log.error(`${who}: ${what}: ${describeThrown(error)}`, { id, stack: traceOf(error) });
  }
  if (!sent) exchange.refuse(refusal);
}

/** What a client is told of what `onRequest` has thrown: the status of its close code, if it has one (PROTOCOL.md §8), else 500. */
export function refusalFor(error: unknown): Refusal {
  const status = CLOSE_CODES.get(closeCodeOf(error) ?? CLOSE.FAILED)?.status ?? FAILED;
  // A close that is none of a failure is no answer to a request.
  if (status < 400 || status === FAILED) return { status: FAILED, text: 'the resource failed' };
  return { status, text: printable(messageOf(error)) };
}

/** Why a request does not get to the resource, or what that is asked. */
async function judge(context: HttpContext, exchange: Exchange): Promise<Refusal | HttpRequest> {
  const { admission, guards } = context;
  const { headers, from, path, connection } = exchange;
  // Behind a proxy each request may be another client's.
  const rate = from.ip === connection.peer.ip ? null : admission.arrive(from.ip);
  if (rate !== null) return admission.describe(rate);
  const guard = guards.of(path);
  const trust = judgeTrust(context, exchange, guard);
  if (trust !== null && typeof trust === 'object') return trust;
  const query = new URLSearchParams(exchange.query);
  const free = guard === null || (trust === 'key' && !guard.backends);
  const pass = free ? null : await authenticate(context, exchange, guard, query, bearer(headers.authorization));
  if (pass !== null && 'status' in pass) return pass;
  return {
    method: exchange.request.method === 'HEAD' ? 'HEAD' : 'GET',
    path,
    query,
    headers,
    ip: from.ip,
    secure: connection.secure,
    auth: pass?.auth ?? null,
    trusted: trust !== null,
  };
}

/**
 * Whether a request is a backend's, and by what.
 * @returns null: it is not; a refusal for who shows a wrong key.
 */
function judgeTrust(
  { access, attempts }: HttpContext,
  exchange: Exchange,
  guard: Guard | null,
): 'address' | 'key' | null | Refusal {
  const { headers, from, origin } = exchange;
  // A GET of a page need not say where it comes from: a stranger's page, under a name of its own that leads here, would have what
  // the address of its visitor has. No page reaches a Unix socket.
  const here = from.ip === 'unix' || access.namesOwnHost(exchange);
  const byAddress = here && origin === '' && !saysBrowser(headers);
  if (access.judgeBackend(from, undefined, byAddress) === null) return 'address';
  const shown = bearer(headers.authorization);
  // What Authorization shows may be the guard's. Who shows a ticket may do by it what a ticket is good for, which is not this.
  const readsBearer = guard !== null && guard.mode !== 'php-session';
  if (shown === undefined || readsBearer || Tickets.isOne(shown)) return null;
  const blocked = attempts.refusal(from.ip);
  if (blocked !== null) return blocked;
  const refusal = access.judgeBackend(from, shown, false);
  if (refusal === null) return 'key';
  // 403: there is no key that could be guessed, and the resource may have a use for it.
  if (refusal.status === 403) return null;
  attempts.failed(from.ip);
  return refusal;
}
