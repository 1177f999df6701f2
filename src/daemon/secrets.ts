import type { Config } from '../config/load.ts';
import { Tickets } from '../packet/ticket.ts';

/** Characters that a secret has to have that signs what strangers get to see. */
const SECRET_LEAST = 32;
/** Shorter keys and tokens are guessed in time. */
export const GUESSABLE = 16;
/** What a header and the first line of a line client can hold, and nobody reads in two ways. */
const SHOWABLE = /^[!-~]+$/;

/**
 * Looks into the key of `[backend]` and the secret of `[tickets]`.
 * @returns one line each for what can be used but should not.
 * @throws WebsockError WEBSOCK_CONFIG, which shows neither.
 */
export function checkSecrets(config: Config): string[] {
  const { backend, tickets } = config.values;
  const { secret } = tickets;
  if (secret !== '' && secret.length < SECRET_LEAST) {
    // Whoever has a ticket can try secrets against its signature, without asking us.
    const allowed = `${SECRET_LEAST} or more: openssl rand -hex 32`;
    throw config.error('tickets.secret', `it has ${secret.length} characters`, allowed);
  }
  const { key } = backend;
  if (key === '') return [];
  if (!SHOWABLE.test(key) || Tickets.isOne(key)) {
    const problem = Tickets.isOne(key) ? 'it would be taken for a ticket' : 'no client can show it';
    throw config.error(
      'backend.key',
      problem,
      'letters, digits and signs of ASCII, no blanks, not beginning as a ticket',
    );
  }
  return key.length < GUESSABLE ? [guessable(config.where('backend.key'), 'a key')] : [];
}

/** The warning about a key or token that is too short. */
export function guessable(where: string, what: string): string {
  return `${where}: ${what} of less than ${GUESSABLE} characters can be guessed: openssl rand -hex 32 makes one that cannot`;
}
