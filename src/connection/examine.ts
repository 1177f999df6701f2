import type { Denied, Guard, Guards, Shown, Verdict } from '../auth/auth.ts';
import type { Log } from '../log.ts';
import type { Refusal } from '../wire/head.ts';
import type { Attempts } from './attempts.ts';
import type { Kind } from './client.ts';
import type { Limits } from './limits.ts';
import { Pass } from './pass.ts';
import { promiseOf } from './route.ts';

/** What `examine` needs of a context. */
interface Examining {
  readonly attempts: Attempts;
  readonly limits: Limits;
  readonly log: Log;
}

/** The guard that a client of `kind` has to pass at `path`, or null: backends have shown who they are (PROTOCOL.md §2). */
export function guardOf(guards: Guards, path: string, kind: Kind): Guard | null {
  const guard = guards.of(path);
  return guard !== null && (kind === 'websocket' || guard.backends) ? guard : null;
}

/** Whether a client of `kind` may name itself at `path`: where web clients are authenticated, that names them or nobody. */
export function mayNameItself(guards: Guards, path: string, kind: Kind, webIdent: boolean): boolean {
  return kind === 'tcp' || (webIdent && guards.of(path) === null);
}

/**
 * Lets `guard` judge what a client shows.
 * @param who for the log.
 * @returns its pass, or why it may not come in.
 */
export function examine(
  context: Examining,
  guard: Guard,
  shown: Shown,
  { id, ip, who }: { readonly id: number; readonly ip: string; readonly who: string },
): Refusal | Pass | Promise<Refusal | Pass> {
  const refusal = (): Refusal | null => (guard.guessable ? context.attempts.refusal(ip) : null);
  const early = refusal();
  if (early !== null) return early;
  const conclude = (verdict: Verdict): Refusal | Pass => {
    // Others may have been tried while this one was looked at.
    const late = refusal();
    if (late !== null) return late;
    if ('auth' in verdict) return new Pass(verdict);
    report(context, guard, verdict, { id, ip, who });
    return verdict.refusal;
  };
  const verdict = guard.judge(shown);
  const promise = promiseOf(verdict);
  return promise === null ? conclude(verdict as Verdict) : promise.then(conclude);
}

function report(
  { attempts, limits, log }: Examining,
  { mode }: Guard,
  { guessed, limit, detail, refusal }: Denied,
  { id, ip, who }: { readonly id: number; readonly ip: string; readonly who: string },
): void {
  if (guessed === true) attempts.failed(ip);
  const over = limit === undefined ? undefined : `over [limits] ${limit}: ${limits.over(limit).text}`;
  const why = over ?? detail;
  if (why !== undefined) log[refusal.status >= 500 ? 'error' : 'info'](`${who}: ${mode}: ${why}`, { id, ip, limit });
}
