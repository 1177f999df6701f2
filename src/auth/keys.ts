import { createPublicKey, createSecretKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { isUtf8 } from 'node:buffer';

/** A key, and the one algorithm that it is used with: what a token's header says of itself chooses among keys, never among algorithms. */
export interface VerifyingKey {
  readonly algorithm: 'HS256' | 'RS256' | 'ES256';
  /** `kid` of a JWK; undefined: it fits tokens with any. */
  readonly id: string | undefined;
  readonly key: KeyObject;
}

/** Least bytes of a secret for HS256 (RFC 7518 §3.2). */
const SECRET_LEAST = 32;
/** Least bits of an RSA key (RFC 7518 §3.3). */
const RSA_LEAST = 2048;
/** Most keys of a JWKS: a token that names none is tried with all of its algorithm. */
const KEYS_MOST = 32;

/**
 * The keys in a file: PEM (a public key or certificate), a JWK or JWKS (RFC 7517), or else a secret in one line.
 * @throws Error that says what cannot be used; it shows nothing of the file.
 */
export function readKeys(bytes: Buffer): VerifyingKey[] {
  if (!isUtf8(bytes)) throw new Error('it is not text');
  const text = bytes.toString().trim();
  if (text.startsWith('-----BEGIN')) return [fromPem(text)];
  if (text.startsWith('{')) return fromJson(text);
  if (/[\r\n]/.test(text)) throw new Error('it holds more than one line of text');
  return [fromSecret(Buffer.from(text), undefined)];
}

/** Whether whoever can read one of these could make tokens with it. */
export function isSecret(keys: readonly VerifyingKey[]): boolean {
  return keys.some(({ key }) => key.type === 'secret');
}

function fromPem(text: string): VerifyingKey {
  // Of a private key the public one could be taken; but it should not lie here.
  if (/^-----BEGIN (?:\w+ )*PRIVATE KEY-----/m.test(text)) {
    throw new Error('it holds a private key; the daemon needs the public one alone');
  }
  return fromPublic(publicKey(text), undefined);
}

function publicKey(source: Parameters<typeof createPublicKey>[0]): KeyObject {
  try {
    return createPublicKey(source);
  } catch (error) {
    throw new Error('it holds no public key that can be read', { cause: error });
  }
}

function fromPublic(key: KeyObject, id: string | undefined): VerifyingKey {
  const { modulusLength = 0, namedCurve } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === 'rsa') {
    if (modulusLength < RSA_LEAST) throw new Error(`an RSA key of ${modulusLength} bits is too short`);
    return { algorithm: 'RS256', id, key };
  }
  if (key.asymmetricKeyType === 'ec' && namedCurve === 'prime256v1') return { algorithm: 'ES256', id, key };
  throw new Error(`a key of type ${key.asymmetricKeyType ?? 'unknown'}${namedCurve ? ` ${namedCurve}` : ''}`);
}

function fromSecret(secret: Buffer, id: string | undefined): VerifyingKey {
  if (secret.length < SECRET_LEAST) {
    throw new Error(`a secret of ${secret.length} bytes is too short for HS256: it takes ${SECRET_LEAST} or more`);
  }
  return { algorithm: 'HS256', id, key: createSecretKey(secret) };
}

/** What is looked at of a JWK. */
type Jwk = JsonWebKey & { use?: unknown; alg?: unknown; kid?: unknown };

function fromJson(text: string): VerifyingKey[] {
  let json: Jwk & { keys?: unknown };
  try {
    json = JSON.parse(text) as typeof json;
  } catch {
    throw new Error('it begins with { and is not JSON'); // whose message would quote it
  }
  if (json.keys === undefined) return [fromJwk(json)];
  if (!Array.isArray(json.keys)) throw new Error('its keys are not a list');
  if (json.keys.length > KEYS_MOST) throw new Error(`${json.keys.length} keys are too many: at most ${KEYS_MOST}`);
  const problems: string[] = [];
  // A set may hold keys for other purposes.
  const usable = json.keys.flatMap((jwk: unknown) => {
    try {
      return [fromJwk(Object(jwk) as Jwk)];
    } catch (error) {
      problems.push((error as Error).message);
      return [];
    }
  });
  if (usable.length === 0) throw new Error(`none of its keys can be used: ${problems.join(', ')}`);
  return usable;
}

function fromJwk(jwk: Jwk): VerifyingKey {
  const id = typeof jwk.kid === 'string' ? jwk.kid : undefined;
  if (jwk.use !== undefined && jwk.use !== 'sig') throw new Error('a key that is not for signatures');
  if (jwk.d !== undefined) throw new Error('a private key; the daemon needs the public one alone');
  const found =
    jwk.kty === 'oct'
      ? fromSecret(Buffer.from(typeof jwk.k === 'string' ? jwk.k : '', 'base64url'), id)
      : fromPublic(publicKey({ key: jwk, format: 'jwk' }), id);
  if (jwk.alg !== undefined && jwk.alg !== found.algorithm) throw new Error('a key for another algorithm');
  return found;
}
