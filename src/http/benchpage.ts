/** GET and HEAD of resources on a test bench: without a network, but answered as the daemon does it. */
import type { HttpRequest } from '../connection/httprequest.ts';
import type { Route } from '../connection/route.ts';
import { messageOf } from '../errors.ts';
import type { Refusal } from '../wire/head.ts';
import { refusalFor, whatItIs } from './get.ts';
import { type Reply, Responder } from './reply.ts';

/** A GET or HEAD; what is left out gets a default. */
export interface RequestOptions
  extends Partial<Pick<HttpRequest, 'method' | 'headers' | 'ip' | 'secure' | 'auth' | 'trusted'>> {
  /** Without the `?`; default: none. That of `method` is GET, of `ip` 127.0.0.1, of `secure` and `trusted` false, of `auth` null. */
  readonly query?: string;
}

/** What a GET or HEAD was answered with. */
export interface RequestAnswer {
  /** Of HTTP. */
  readonly status: number;
  /** Content-Type; null: there is no body. */
  readonly type: string | null;
  /** Those that the resource has given, by lower-case names, and `x-content-type-options`. */
  readonly headers: Reply['headers'];
  /** As it was sent; '' for HEAD. */
  readonly body: string | Buffer;
}

/**
 * Asks the resource of a route for its page.
 * @param path what was asked for, where there is no route.
 * @param log takes a line for what the resource has thrown.
 */
export async function askForPage(
  route: Route | undefined,
  path: string,
  options: RequestOptions,
  log: (line: string) => void,
): Promise<RequestAnswer> {
  const { method = 'GET', query = '', headers = {}, ip = '127.0.0.1' } = options;
  const { secure = false, auth = null, trusted = false } = options;
  const name = route?.path ?? path;
  let reply: Reply | undefined;
  const response = new Responder((given) => {
    reply = given;
  });
  const request = { method, path: name, query: new URLSearchParams(query), headers, ip, secure, auth, trusted };
  try {
    response.finish(await route?.resource.onRequest?.(request, response));
  } catch (error) {
    log(`${method} ${name}: ${messageOf(error)}`);
    reply ??= plain(refusalFor(error));
  }
  response.close();
  const { body, ...rest } = reply ?? plain(whatItIs(name, route));
  return { ...rest, body: method === 'HEAD' ? '' : body };
}

/** As the daemon words it. */
function plain({ status, text }: Refusal): Reply {
  return { status, type: 'text/plain; charset=utf-8', headers: {}, body: `${text}\n` };
}
