import type { JWTPayload } from 'jose';
import { bearerRefusal, type Denied, type Guard, identOf, type Shown, type Verdict } from './auth.ts';
import type { VerifyingKey } from './keys.ts';

/** The options of the mode `jwt`. */
export interface JwtOptions {
  readonly backends: boolean;
  /** '': any. */
  readonly audience: string;
  /** '': any. */
  readonly issuer: string;
  /** A token without `exp` is refused. */
  readonly requireExpiry: boolean;
  /** The claim that names the client; '': none. */
  readonly identClaim: string;
}

type Jose = typeof import('jose');

const WRONG = 'the token is wrong';

/** The mode `jwt`: whoever shows a token that one of the keys has signed (RFC 7519). */
export class JwtGuard implements Guard {
  readonly mode = 'jwt';
  readonly guessable = true;
  readonly backends: boolean;
  private readonly keys: readonly VerifyingKey[];
  private readonly options: JwtOptions;
  /** Loaded where it is used alone: that takes 20 ms. */
  private readonly jose: Promise<Jose> = import('jose');

  /** @param keys at least one. */
  constructor(keys: readonly VerifyingKey[], options: JwtOptions) {
    this.keys = keys;
    this.options = options;
    this.backends = options.backends;
  }

  async judge({ token }: Shown): Promise<Verdict> {
    if (token === undefined) return { refusal: bearerRefusal() };
    const jose = await this.jose;
    let denied: Denied = { refusal: bearerRefusal(WRONG), guessed: true, detail: 'no key is for such a token' };
    for (const one of this.keys) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- nearly always the first that is tried is the one
        const claims = await this.verify(jose, token, one);
        if (claims === null) continue;
        return { auth: { mode: 'jwt', claims }, ident: this.identIn(claims), expires: claims.exp };
      } catch (error) {
        denied = denialOf(jose, error);
        if (denied.guessed !== true) break; // the signature was right
      }
    }
    return denied;
  }

  private identIn(claims: JWTPayload): string | undefined {
    const { identClaim } = this.options;
    return identClaim !== '' && Object.hasOwn(claims, identClaim) ? identOf(claims[identClaim]) : undefined;
  }

  /** @returns null if the token's header names another algorithm or key. @throws JOSEError if it is not right. */
  private async verify(
    { errors, jwtVerify }: Jose,
    token: string,
    { algorithm, id, key }: VerifyingKey,
  ): Promise<JWTPayload | null> {
    const { audience, issuer, requireExpiry } = this.options;
    let fits = true;
    const choose = ({ kid }: { kid?: string }): typeof key => {
      fits = id === undefined || kid === undefined || kid === id;
      if (!fits) throw new errors.JWKSNoMatchingKey();
      return key;
    };
    try {
      const { payload } = await jwtVerify(token, choose, {
        algorithms: [algorithm],
        ...(audience === '' ? {} : { audience }),
        ...(issuer === '' ? {} : { issuer }),
        requiredClaims: requireExpiry ? ['exp'] : [],
      });
      return payload;
    } catch (error) {
      if (!fits || error instanceof errors.JOSEAlgNotAllowed) return null;
      throw error;
    }
  }
}

/** jose looks at the claims when the signature was found right: who gets so far has guessed nothing. */
function denialOf({ errors }: Jose, error: unknown): Denied {
  if (error instanceof errors.JWTExpired) return { refusal: bearerRefusal('the token has expired') };
  if (error instanceof errors.JWTClaimValidationFailed) {
    const { claim, reason } = error; // the claim is one that we have asked for
    if (reason === 'missing') return { refusal: bearerRefusal(`the token has no ${claim}`) };
    if (claim === 'nbf') return { refusal: bearerRefusal('the token is not valid yet') };
    return { refusal: bearerRefusal(`the ${claim} of the token is not accepted here`) };
  }
  // Of any other its message may hold what the client sent.
  if (error instanceof errors.JOSEError) return { refusal: bearerRefusal(WRONG), guessed: true, detail: error.code };
  throw error;
}
