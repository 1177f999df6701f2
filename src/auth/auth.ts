import type { Refusal } from '../wire/head.ts';
import type { PhpValue } from './unserialize.ts';

/** What the authentication of its path found of a client (`[auth]` of websock.ini): what a resource sees as `client.auth`. */
export type Auth =
  /** It has shown one of the tokens: which one, nobody is told. */
  | { readonly mode: 'token' }
  /** The claims of its JWT (RFC 7519 §4), whose signature and times are right. */
  | { readonly mode: 'jwt'; readonly claims: Readonly<Record<string, unknown>> }
  /** What PHP keeps in its session; objects have no class here, only their properties. */
  | { readonly mode: 'php-session'; readonly session: Readonly<Record<string, PhpValue>> };

/** What a client shows of itself. */
export interface Shown {
  /** A token or JWT, wherever it stood. */
  readonly token: string | undefined;
  /** The Cookie header. */
  readonly cookie: string | undefined;
}

/** It may come in. */
export interface Granted {
  readonly auth: Auth;
  /** What it is called; undefined: its authentication does not name it. */
  readonly ident?: string;
  /** When that ends, in seconds since 1970; undefined: never. */
  readonly expires?: number;
}

/** It may not. */
export interface Denied {
  readonly refusal: Refusal;
  /** What it has shown may have been guessed: too many of these, and its address has to wait. */
  readonly guessed?: boolean;
  /** The limit that was gone over. */
  readonly limit?: 'maxSession';
  /** For the log, what the client is not told. Never a secret. */
  readonly detail?: string;
}

export type Verdict = Granted | Denied;

/** What a path asks of its clients. */
export interface Guard {
  readonly mode: Auth['mode'];
  /** It is asked of backends too, those that may come in by their address or key. */
  readonly backends: boolean;
  /** What it asks for could be found by trying: an address that was wrong too often has to wait. */
  readonly guessable: boolean;
  /** Never rejects for what a client shows. */
  judge(shown: Shown): Verdict | Promise<Verdict>;
}

/** The guards of all paths. */
export interface Guards {
  /** null: the path asks for nothing. */
  of(path: string): Guard | null;
}

/** Longest ident: it is looked up, sent and logged. */
const IDENT_MOST = 256;

/** The ident that a claim or a key of a session gives: a text that is not too long, or a whole number; else undefined. */
export function identOf(value: unknown): string | undefined {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value);
  return typeof value === 'string' && value !== '' && value.length <= IDENT_MOST ? value : undefined;
}

/** 401 for who should show a token or JWT (RFC 6750 §3). @param wrong what is wrong with the one that it has shown. */
export function bearerRefusal(wrong?: string): Refusal {
  const challenge = wrong === undefined ? '' : `, error="invalid_token", error_description="${wrong}"`;
  const text =
    wrong ?? 'show a token: Authorization: Bearer TOKEN, ?token=TOKEN, or the subprotocol websock.token.TOKEN';
  return { status: 401, text, headers: { 'WWW-Authenticate': `Bearer realm="websock"${challenge}` } };
}
