import { excerpt } from '../log.ts';
import { type Ticket, Tickets } from '../packet/ticket.ts';
import type { Refusal } from '../wire/head.ts';
import type { Access, Provenance } from './access.ts';
import type { Attempts } from './attempts.ts';

interface Judges {
  readonly access: Access;
  readonly attempts: Attempts;
  readonly tickets: Tickets;
}

/** A client of kind `tcp` that asks to come in. */
interface Asking {
  readonly from: Provenance;
  /** What it showed as `Bearer`, or undefined. */
  readonly shown: string | undefined;
  /** Whether its address may earn trust: not for what comes from a page. */
  readonly byAddress: boolean;
  readonly path: string;
  /** Of that path; undefined: there is none. */
  readonly route: { readonly tickets: boolean } | undefined;
}

/** It may come in: as a backend, or for what its ticket is good for. */
export interface Admitted {
  readonly ticket: Ticket | null;
  /** What it showed beyond that, which may be the token that `[auth]` asks for; undefined: its key or ticket was all. */
  readonly beyond: string | undefined;
}

/** Whether a client of kind `tcp` may come in: by its address, the backend's key, or a ticket (PROTOCOL.md §2). */
export function judgeBackend(judges: Judges, asking: Asking): Refusal | Admitted {
  const { access, attempts } = judges;
  const { from, shown, byAddress } = asking;
  // Who shows a ticket is held to it, wherever it comes from: so a script finds out at home what it will hear abroad.
  if (shown !== undefined && Tickets.isOne(shown)) return judgeTicket(judges, asking, shown);
  const byAddressAlone = access.judgeBackend(from, undefined, byAddress);
  // Then its key is not compared: who comes in with a wrong one must not learn whether it was right.
  if (byAddressAlone === null) return { ticket: null, beyond: shown };
  if (shown === undefined) return byAddressAlone;
  const blocked = attempts.refusal(from.ip);
  if (blocked !== null) return blocked;
  const refusal = access.judgeBackend(from, shown, false);
  if (refusal === null) return { ticket: null, beyond: undefined };
  // 403: there is no key that could be guessed.
  if (refusal.status === 401) attempts.failed(from.ip);
  return refusal;
}

function judgeTicket({ attempts, tickets }: Judges, { from, path, route }: Asking, shown: string): Refusal | Admitted {
  const blocked = attempts.refusal(from.ip);
  if (blocked !== null) return blocked;
  const headers = { 'WWW-Authenticate': 'Bearer' };
  const ticket = tickets.read(shown);
  if (ticket === null) {
    // Of a daemon that has ended, scripts still show theirs.
    if (!tickets.isForeign(shown)) attempts.failed(from.ip);
    const text = 'the ticket is damaged, or not of this daemon: without [tickets] secret they end when it does';
    return { status: 401, text, headers };
  }
  // From here on it is no guess, and does not count as one.
  if (tickets.isExpired(ticket)) return { status: 401, text: 'the ticket has expired: ask for another', headers };
  if (route?.tickets === true) return { ticket, beyond: undefined };
  return { status: 403, text: `${excerpt(path)} takes no tickets: its resource has no static tickets` };
}
