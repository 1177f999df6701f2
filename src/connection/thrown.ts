import { CLOSE, closeCodeOf, describeThrown, messageOf, traceOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Runner } from './stalls.ts';

/**
 * A callback of `runner`, or the source of a message to it, has thrown: that closes this client alone.
 * @param dialog tells the resource of what is a failure of its, and no verdict on the client.
 * @returns what it is closed with: the error's own code, if it is one of ours, else 1011.
 */
export function blame(
  error: unknown,
  runner: Runner,
  log: Log,
  dialog: { failed(error: unknown): void },
): { code: number; reason: string } {
  const code = closeCodeOf(error);
  if (code !== undefined) return { code, reason: messageOf(error) };
  log.error(`${runner.who}: the resource failed: ${describeThrown(error)}`, { id: runner.id, stack: traceOf(error) });
  dialog.failed(error);
  return { code: CLOSE.FAILED, reason: 'the resource failed' };
}

/** A callback has thrown that nobody waits for any more. */
export function logStray(log: Log, runner: Runner, callback: string, error: unknown): void {
  log.error(`${runner.who}: ${callback} failed, its client was closed already: ${describeThrown(error)}`, {
    id: runner.id,
    stack: traceOf(error),
  });
}
