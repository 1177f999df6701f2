import { CLOSE_CODES } from '../errors.ts';
import { excerpt, type Log } from '../log.ts';
import type { Identity } from './client.ts';
import type { Runner } from './stalls.ts';

/** What the log says of a connection that is open. @param how `open`, or what else has begun. */
export function logOpen(log: Log, { who, id }: Runner, identity: Identity, how: string): void {
  if (!log.wants('info')) return;
  const { ip, path, kind, scheme, ident } = identity;
  const name = ident === '' ? '' : ` ident ${excerpt(ident)}`;
  log.info(`${who} ${kind} ${scheme}${name}: ${how}`, { id, ip, path, kind, scheme });
}

/** How a connection has ended. */
interface Ending {
  readonly code: number;
  readonly reason: string;
  readonly byClient: boolean;
  /** Messages to it that were dropped. */
  readonly dropped: number;
  /** It can be come back to. */
  readonly waits: boolean;
}

export function logLeft(log: Log, { who, id }: Runner, { ip, path }: Identity, ending: Ending): void {
  if (!log.wants('info')) return;
  const { code, reason, byClient, dropped, waits } = ending;
  // Of a client's own code its name is said: the meaning is what it would mean coming from us.
  const meaning = byClient ? (CLOSE_CODES.get(code)?.name ?? '') : meaningOf(code);
  const lost = dropped === 0 ? '' : `; ${dropped} messages to it were dropped`;
  const session = waits ? '; its session waits' : '';
  const text = `${byClient ? 'closed by the client' : 'closed'}: ${code} ${reason === '' ? meaning : reason}${lost}${session}`;
  log.info(`${who} ${text}`, { id, ip, path, code, reason });
}

/** What a close code means, for a person. */
export function meaningOf(code: number): string {
  return CLOSE_CODES.get(code)?.meaning ?? `code ${code}`;
}
