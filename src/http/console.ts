import type { Route } from '../connection/route.ts';
import { excerpt } from '../log.ts';
import type { Refusal } from '../wire/head.ts';
import type { Exchange, HttpContext } from './exchange.ts';
import { CONSOLE_HEADERS } from './headers.ts';
import { answerPost } from './post.ts';

const PAGE = '/_websock/';
/** As people type it. */
const WITHOUT_SLASH = '/_websock';
/** What the console's page is told of the daemon. */
const ABOUT = '/_websock/about.json';
/** In front of the path of a resource: where the console's page posts to it. */
const POST_TO = '/_websock/post/';

/** What the browser asks its user by. Whatever user name is taken. */
const CHALLENGE = { 'WWW-Authenticate': 'Basic realm="websock: any user name, the backend key", charset="UTF-8"' };

/** Whether a path is the console's, beside those of its files; if there is the console. */
export function isConsolePath({ assets }: HttpContext, path: string): boolean {
  return assets.has(PAGE) && (path === WITHOUT_SLASH || path === ABOUT || path.startsWith(POST_TO));
}

/**
 * Answers what only the console asks for, and its files.
 * @param expectsContinue as for {@link answerPost}.
 */
export function answerConsole(context: HttpContext, exchange: Exchange, expectsContinue: boolean): void {
  const { path, request } = exchange;
  const { method = '' } = request;
  exchange.forConsole = true;
  const refusal = judgeConsole(context, exchange);
  const asset = context.assets.get(path);
  const posts = path.startsWith(POST_TO);
  const allow = posts ? 'POST' : 'GET, HEAD';
  if (refusal !== null) exchange.refuse(refusal);
  else if (!allow.split(', ').includes(method)) {
    exchange.refuse({ status: 405, text: `${excerpt(method)} is not served here`, headers: { Allow: allow } });
  } else if (path === WITHOUT_SLASH) {
    exchange.refuse({ status: 308, text: `the console is at ${PAGE}`, headers: { Location: PAGE } });
  } else if (asset !== undefined) exchange.serve(asset);
  else if (!posts)
    exchange.answer(200, about(context, exchange), '', { ...CONSOLE_HEADERS, 'Cache-Control': 'no-store' });
  else {
    const foreign = judgePage(exchange);
    if (foreign !== null) exchange.refuse(foreign);
    else {
      // Its visitor is trusted, so from here on it is the request of a backend.
      exchange.path = path.slice(POST_TO.length - 1);
      void answerPost(context, exchange, expectsContinue);
    }
  }
}

/**
 * Whether the console may be seen: from loopback, as far as the daemon trusts that, or with the backend's key.
 * @returns null, or why not.
 */
function judgeConsole({ access, attempts }: HttpContext, exchange: Exchange): Refusal | null {
  const { from, headers } = exchange;
  // As for backends: the key of who needs none is not compared. No page reaches a Unix socket.
  const isHere = from.ip === 'unix' || access.namesOwnHost(exchange);
  if (isHere && access.isTrustedLoopback(from)) return null;
  const shown = basicPassword(headers.authorization);
  const blocked = shown === undefined ? null : attempts.refusal(from.ip);
  if (blocked !== null) return blocked;
  const refusal = access.judgeBackend(from, shown, false);
  if (refusal === null) return null;
  if (refusal.status === 403) {
    return {
      status: 403,
      text: `the console is not for ${from.ip}: open it on the daemon's own host, as localhost, or set [backend] key`,
    };
  }
  if (shown === undefined) {
    return {
      status: 401,
      text: 'the console asks for the backend key, as the password of any user name',
      headers: CHALLENGE,
    };
  }
  attempts.failed(from.ip);
  return { status: 401, text: 'the backend key is wrong', headers: CHALLENGE };
}

/**
 * Whether the console's page has sent a POST: it is the only page of this host and port. Its visitor may see the console, so
 * it may do what backends do; the page of anybody else, which the same visitor has open, may not.
 * @returns null, or why it is not.
 */
function judgePage({ origin, headers, connection }: Exchange): Refusal | null {
  const site = headers['sec-fetch-site'] ?? 'same-origin';
  const host = (headers.host ?? '').toLowerCase();
  // What comes in plain text may have come to a proxy with TLS.
  const own = [`https://${host}`, ...(connection.secure ? [] : [`http://${host}`])];
  if (site === 'same-origin' && own.includes(origin.toLowerCase())) return null;
  return { status: 403, text: "here the console's own page posts: post to the path of the resource" };
}

/** What the console's page is told: the resources that there are, and what it takes to reach them. */
function about({ routes, access }: HttpContext, { from, headers, connection }: Exchange): string {
  const page = `${connection.secure ? 'https' : 'http'}://${headers.host}`;
  return JSON.stringify({
    /** Whether pages of this host may connect: `[security] allowedOrigins`. */
    pages: access.originAllowed(page, headers.host),
    /** Whether commands from where the page is have to show the backend's key. */
    key: !access.isTrustedLoopback(from),
    resources: [...routes.all()].map(({ path, app, accepts, dialog }: Route) => ({
      path,
      app,
      accepts: [...accepts],
      dialog,
    })),
  });
}

/** The password in an Authorization header, or undefined. */
function basicPassword(authorization: string | undefined): string | undefined {
  const encoded = /^basic +([\w+/=-]+)$/i.exec(authorization ?? '')?.[1];
  if (encoded === undefined) return undefined;
  const [, password] = /^[^:]*:(.*)$/s.exec(Buffer.from(encoded, 'base64').toString()) ?? [];
  return password;
}
