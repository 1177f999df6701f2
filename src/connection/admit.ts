import { readySession } from '../packet/envelope.ts';
import type { TransportSocket } from '../transport/transport.ts';
import type { Candidate } from './candidate.ts';
import { Connection } from './connection.ts';
import type { ConnectionContext } from './context.ts';
import type { Additions, Route } from './route.ts';
import { Session } from './session.ts';
import { makeSecret } from './sessions.ts';
import type { Runner } from './stalls.ts';

/**
 * Lets a candidate in, to the resource that it asks for: writes the opening.
 * @param opener what it was until now: its socket ID, and what the log calls it.
 * @param additions what the resource has answered.
 * @param old the session that it comes back to.
 */
export function admit(
  context: ConnectionContext,
  socket: TransportSocket,
  candidate: Candidate,
  { id, who }: Runner,
  additions: Additions,
  old: Session | null,
): Connection {
  const { log } = context;
  const route = candidate.route as Route; // who asks for none is not let in
  const extension = candidate.negotiate(context);
  if (extension !== '') log.debug(`${who}: ${extension}`, { id });
  const ident = candidate.ident(context, additions.ident);
  const identity = candidate.identity({ id: old?.id ?? id, uuid: old?.uuid, ident });
  let session = old;
  let packet = old?.resume(candidate.received ?? 0);
  if (old === null && candidate.getsSession(context, additions)) {
    const secret = makeSecret();
    session = new Session(context, context.sessions, { secret, route, identity, data: additions.data });
    context.sessions.add(session);
    const { resume, maxPayload, maxBuffer, maxChunks } = context.values;
    const terms = { uuid: identity.uuid, session: secret.key + secret.proof, resume, maxPayload, maxBuffer, maxChunks };
    packet = readySession(terms, candidate.received !== null);
  }
  const omitted = candidate.welcome(socket, identity.uuid, additions, packet);
  if (omitted.length > 0) {
    log.warn(`${who}: headers left out of the 101, invalid or too long: ${omitted.join(', ')}`, { id });
  }
  return new Connection(context, socket, route, identity, candidate.engine(context), additions.data, session);
}

/**
 * The session that a candidate comes back to, which has no other connection any more; null: none that it can have.
 * The arguments are those of {@link admit}.
 */
export function comeBack(
  context: ConnectionContext,
  candidate: Candidate,
  { id, who }: Runner,
  additions: Additions,
): Session | null {
  const { received } = candidate;
  if (received === null || !candidate.getsSession(context, additions)) return null;
  const session = candidate.session(context);
  const why =
    session === null
      ? 'there is none that it can have'
      : session.ident === candidate.ident(context, additions.ident)
        ? session.refusal(received)
        : 'it would be called by another name';
  if (session === null || why !== null) {
    context.log.info(`${who}: the session that it asks for is not resumed: ${why}`, { id });
    return null;
  }
  session.takeOver(candidate.request.ip);
  // Its resource hears of that, and may have closed it.
  if (!session.stands) return null;
  context.log.debug(`${who}: it comes back to the session of #${session.id}`, { id });
  return session;
}
