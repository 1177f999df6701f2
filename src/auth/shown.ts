import type { Headers } from '../wire/head.ts';
import type { Auth, Shown } from './auth.ts';

/** A subprotocol that begins so is no subprotocol but a token: a browser can send one in no other header. */
const PREFIX = 'websock.token.';

/** The subprotocols of `offered` that are such, without the tokens among them. */
export function withoutTokens(offered: readonly string[]): string[] {
  return offered.filter((name) => !name.startsWith(PREFIX));
}

/**
 * What a request shows: the token of `?token=`, or of Authorization, or of a subprotocol, whichever comes first. So a
 * backend, whose key is in Authorization, can show a token in its query.
 * @param bearer what Authorization, or the first line of a line client, holds.
 */
export function shownBy(
  { headers, query }: { readonly headers: Headers; readonly query: URLSearchParams },
  bearer: string | undefined,
  offered: readonly string[],
): Shown {
  const inProtocol = offered.find((name) => name.startsWith(PREFIX) && name !== PREFIX)?.slice(PREFIX.length);
  // An empty one is none.
  return { token: query.get('token') || (bearer ?? inProtocol), cookie: headers.cookie };
}

/**
 * Takes the token out of the query of a client that was authenticated: a resource has no use for it, and may show its query to
 * others. @returns whether there was one.
 */
export function forgetToken(query: URLSearchParams, { mode }: Auth): boolean {
  if (mode === 'php-session' || !query.has('token')) return false;
  query.delete('token');
  return true;
}

/** The value of the first cookie called `name` in a Cookie header (RFC 6265 §4.2.1), as it stands: PHP takes the first too. */
export function cookieOf(header: string | undefined, name: string): string | undefined {
  for (const pair of header?.split(';') ?? []) {
    const at = pair.indexOf('=');
    if (at !== -1 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim();
  }
  return undefined;
}
