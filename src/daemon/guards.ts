import { readFileSync, statSync } from 'node:fs';
import type { Guard, Guards } from '../auth/auth.ts';
import { JwtGuard } from '../auth/jwt.ts';
import { isSecret, readKeys, type VerifyingKey } from '../auth/keys.ts';
import { SessionGuard } from '../auth/session.ts';
import { TOKENS_MOST, TokenGuard } from '../auth/token.ts';
import { type Config, readableByAll } from '../config/load.ts';
import type { Values } from '../config/options.ts';
import { messageOf, type WebsockError } from '../errors.ts';
import { GUESSABLE, guessable } from './secrets.ts';

const COOKIE_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/; // RFC 6265 §4.1.1

/** The guards of `[auth]` and of each `[auth.NAME]`. */
export class PathGuards implements Guards {
  /** Of single paths; null: nothing is asked there. */
  private readonly named: ReadonlyMap<string, Guard | null>;
  private readonly general: Guard | null;

  constructor(general: Guard | null, named: ReadonlyMap<string, Guard | null>) {
    this.general = general;
    this.named = named;
  }

  of(path: string): Guard | null {
    const guard = this.named.get(path);
    return guard === undefined ? this.general : guard;
  }
}

/** A section and how to speak of it. */
interface Section {
  readonly values: Values['auth'];
  readonly maxSession: number;
  readonly warnings: string[];
  readonly where: (key: string) => string;
  readonly error: (key: string, problem: string, allowed?: string) => WebsockError;
}

/**
 * Makes the guards, reading the files that their sections name.
 * @param warnings one line each is added for what can be used but should not.
 * @throws WebsockError WEBSOCK_CONFIG that names the option, where it was set, and what is wrong.
 */
export function makeGuards(config: Config, warnings: string[]): PathGuards {
  const { auth, named, limits } = config.values;
  const sectionOf = (name: string, values: Values['auth']): Section => ({
    values,
    maxSession: limits.maxSession,
    warnings,
    where: (key) => config.where(`${name}.${key}`),
    error: (key, problem, allowed) => config.error(`${name}.${key}`, problem, allowed),
  });
  const general = guardOf(sectionOf('auth', auth));
  const byPath = new Map<string, Guard | null>();
  const modes = new Set([auth.mode]);
  for (const { name, path, ...values } of named.auth) {
    const section = sectionOf(`auth.${name}`, values);
    const guard = guardOf(section);
    modes.add(values.mode);
    if (path.length === 0) throw section.error('path', "found ''", 'paths such as /chat, separated by commas');
    for (const one of path) {
      if (!/^\/[^\s?#]*$/.test(one))
        throw section.error('path', `found '${one}'`, 'paths such as /chat, separated by commas');
      if (byPath.has(one)) throw section.error('path', `${one} stands in another [auth.NAME] too; keep one of them`);
      byPath.set(one, guard);
    }
  }
  const { allowedOrigins } = config.values.security;
  if (modes.has('php-session') && allowedOrigins.includes('*')) {
    const where = config.where('security.allowedOrigins');
    warnings.push(`${where}: with mode=php-session in [auth] a page of any site acts in the name of who looks at it`);
  }
  return new PathGuards(general, byPath);
}

function guardOf(section: Section): Guard | null {
  switch (section.values.mode) {
    case 'token':
      return tokenGuard(section);
    case 'jwt':
      return jwtGuard(section);
    case 'php-session':
      return sessionGuard(section);
    default:
      warnIfMeant(section);
      return null;
  }
}

/** Somebody may have thought that a token is enough to be asked for. */
function warnIfMeant({ values, warnings, error }: Section): void {
  for (const key of ['tokens', 'tokenFile', 'keyFile', 'savePath'] as const) {
    if (values[key] !== '') warnings.push(error(key, 'it is not used, and nothing is asked for: mode is none').message);
  }
}

function tokenGuard(section: Section): Guard {
  const { tokens, tokenFile, backends } = section.values;
  const key = tokenFile === '' ? 'tokens' : 'tokenFile';
  if (tokenFile !== '' && tokens !== '') throw section.error(key, 'tokens is set as well; keep one of them');
  const separator = tokenFile === '' ? ',' : '\n';
  const text = tokenFile === '' ? tokens : readOf(section, 'tokenFile', tokenFile).toString();
  const list = text
    .split(separator)
    .map((token) => token.trim())
    .filter((token) => token !== '' && !token.startsWith('#'));
  let guard: Guard;
  try {
    guard = new TokenGuard(list, backends);
  } catch (error) {
    const allowed = `1 to ${TOKENS_MOST} tokens of letters, digits, - . _ and ~, ${tokenFile === '' ? 'separated by commas' : 'one in a line'}`;
    throw section.error(key, messageOf(error), allowed);
  }
  if (tokenFile !== '') warnIfReadable(section, tokenFile);
  if (list.some((token) => token.length < GUESSABLE)) section.warnings.push(guessable(section.where(key), 'a token'));
  return guard;
}

function jwtGuard(section: Section): Guard {
  const { keyFile } = section.values;
  if (keyFile === '')
    throw section.error('keyFile', "found ''", 'a file with a public key or a secret: mode=jwt needs one');
  const bytes = readOf(section, 'keyFile', keyFile);
  let keys: VerifyingKey[];
  try {
    keys = readKeys(bytes);
  } catch (error) {
    const allowed =
      'a public key as PEM, JWK or JWKS (RSA of 2048 bits or more, or EC P-256), or a secret of at least 32 bytes in one line';
    throw section.error('keyFile', `${keyFile}: ${messageOf(error)}`, allowed);
  }
  if (isSecret(keys)) warnIfReadable(section, keyFile);
  return new JwtGuard(keys, section.values);
}

function sessionGuard(section: Section): Guard {
  const { values, maxSession } = section;
  const { sessionKey, cookieName } = values;
  if (sessionKey === '') {
    throw section.error(
      'sessionKey',
      "found ''",
      'a key of the session that has to be true, such as user: mode=php-session needs one',
    );
  }
  if (!COOKIE_NAME.test(cookieName)) throw section.error('cookieName', `found '${cookieName}'`, 'the name of a cookie');
  let guard: SessionGuard;
  try {
    guard = new SessionGuard({ ...values, maxSession });
  } catch (error) {
    throw section.error(
      'savePath',
      messageOf(error),
      'an absolute path, N;/path or N;MODE;/path: mode=php-session needs one',
    );
  }
  if (!statSync(guard.folder, { throwIfNoEntry: false })?.isDirectory()) {
    throw section.error('savePath', `${guard.folder} is not a folder`);
  }
  return guard;
}

function readOf(section: Section, key: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw section.error(key, `${file} cannot be read: ${messageOf(error)}`);
  }
}

function warnIfReadable({ warnings }: Section, file: string): void {
  const warning = readableByAll(file);
  if (warning !== null) warnings.push(warning);
}
