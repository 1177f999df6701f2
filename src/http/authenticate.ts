import type { Guard } from '../auth/auth.ts';
import { forgetToken, shownBy } from '../auth/shown.ts';
import { examine } from '../connection/examine.ts';
import type { Pass } from '../connection/pass.ts';
import { promiseOf } from '../connection/route.ts';
import { describeThrown, traceOf } from '../errors.ts';
import type { Refusal } from '../wire/head.ts';
import type { Exchange, HttpContext } from './exchange.ts';
import { inTime, LATE } from './intime.ts';

/**
 * Lets `guard` judge who sends a request.
 * @param query of the request: a token is taken out of it.
 * @param bearerToken what Authorization shows, as far as it is for the guard.
 */
export async function authenticate(
  context: HttpContext,
  exchange: Exchange,
  guard: Guard,
  query: URLSearchParams,
  bearerToken: string | undefined,
): Promise<Refusal | Pass> {
  const { id, who, headers } = exchange;
  const { ip } = exchange.from;
  const shown = shownBy({ headers, query }, bearerToken, []);
  const found = await asked(context, exchange, 'authentication', examine(context, guard, shown, { id, ip, who }));
  if (found === LATE) return { status: 504, text: context.limits.over('handlerTimeout').text };
  if ('auth' in found && forgetToken(query, found.auth)) exchange.query = query.toString();
  return found;
}

/**
 * Waits for what a callback, or authentication, has answered, as long as a handler may take.
 * @param what for the log, if that fails too late.
 */
export function asked<Given>(
  { deadlines, limits, log }: HttpContext,
  { id, who }: Exchange,
  what: string,
  given: Given | Promise<Given>,
): Given | Promise<Given | typeof LATE> {
  const promise = promiseOf(given);
  if (promise === null) return given;
  return inTime(promise, deadlines, limits.values.handlerTimeout, (error) => {
    log.error(`${who}: ${what} failed, too late: ${describeThrown(error)}`, { id, stack: traceOf(error) });
  });
}
