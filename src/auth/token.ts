import { createHash, timingSafeEqual } from 'node:crypto';
import { bearerRefusal, type Guard, type Shown, type Verdict } from './auth.ts';

/** Most tokens of one guard: each handshake is compared with all of them. */
export const TOKENS_MOST = 256;
/** They fit into a header, a query and the name of a subprotocol as they are. */
const TOKEN = /^[\w.~-]+$/;

const GRANTED: Verdict = { auth: Object.freeze({ mode: 'token' }) };

/** The mode `token`: whoever shows one of a few secrets. */
export class TokenGuard implements Guard {
  readonly mode = 'token';
  readonly guessable = true;
  readonly backends: boolean;
  private readonly digests: readonly Buffer[];

  /** @throws Error, which shows none of them, if there are no tokens, too many, or one that is not of the letters allowed. */
  constructor(tokens: readonly string[], backends: boolean) {
    if (tokens.length === 0) throw new Error('there is no token');
    if (tokens.length > TOKENS_MOST) throw new Error(`${tokens.length} tokens are too many`);
    const bad = tokens.findIndex((token) => !TOKEN.test(token));
    if (bad !== -1) throw new Error(`token ${bad + 1} holds something else than letters, digits, - . _ and ~`);
    this.digests = tokens.map(digest);
    this.backends = backends;
  }

  judge({ token }: Shown): Verdict {
    if (token === undefined) return { refusal: bearerRefusal() };
    return this.matches(token) ? GRANTED : { refusal: bearerRefusal('the token is wrong'), guessed: true };
  }

  /** Takes the same time whatever `token` is, and whichever it equals. */
  private matches(token: string): boolean {
    const shown = digest(token);
    let found = false;
    for (const known of this.digests) found = timingSafeEqual(known, shown) || found;
    return found;
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
