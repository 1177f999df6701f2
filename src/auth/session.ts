import { constants } from 'node:fs';
import { type FileHandle, open, realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Denied, type Guard, identOf, type Shown, type Verdict } from './auth.ts';
import { cookieOf } from './shown.ts';
import { type PhpValue, readSession, SerializationError, type Serializer } from './unserialize.ts';

/** The options of the mode `php-session`. */
export interface SessionOptions {
  readonly backends: boolean;
  /** PHP's `session.save_path`: `/path`, `N;/path` or `N;MODE;/path`. */
  readonly savePath: string;
  /** PHP's `session.serialize_handler`. */
  readonly serializer: Serializer;
  /** PHP's `session.name`. */
  readonly cookieName: string;
  /** What PHP must hold to be true: `user`, or `user.id` for a key within it. */
  readonly sessionKey: string;
  /** What names the client, likewise; '': nothing. */
  readonly identKey: string;
  /** Largest file that is read, in bytes. */
  readonly maxSession: number;
}

const SAVE_PATH = /^(?:(\d{1,2});(?:[0-7]{1,4};)?)?(\/.*)$/;
/** What PHP makes ids of; with `sess_` in front it is the name of a file. */
const ID = /^[A-Za-z0-9,-]{1,250}$/;
/** A pipe or device of that name is not waited for, a link not followed. Windows has neither. */
const OPEN_FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOFOLLOW ?? 0);
/** What `open` says of a name that is no session of ours. */
const NO_SESSION = new Set(['ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG', 'EISDIR']);
/** Milliseconds after which a file that could not be read is read again: PHP may have been writing it. */
const AGAIN = 50;

/** A file that is not read: it is too large. */
class TooLarge extends Error {}

/** The mode `php-session`: whoever has the cookie of a PHP session in which a key is true. */
export class SessionGuard implements Guard {
  readonly mode = 'php-session';
  /** Nobody finds 128 bits by trying; but one page with an old cookie that connects again and again would shut out its whole office. */
  readonly guessable = false;
  readonly backends: boolean;
  private readonly options: SessionOptions;
  readonly folder: string;
  private readonly levels: number;

  /** @throws Error if `savePath` is not of PHP's form. */
  constructor(options: SessionOptions) {
    const match = SAVE_PATH.exec(options.savePath);
    if (match === null) throw new Error(`found '${options.savePath}'`);
    this.options = options;
    this.backends = options.backends;
    this.levels = Number(match[1] ?? 0);
    this.folder = match[2];
  }

  async judge({ cookie }: Shown): Promise<Verdict> {
    const { cookieName, sessionKey, identKey } = this.options;
    const id = cookieOf(cookie, cookieName);
    if (id === undefined || id === '') return this.unknown('log in first: there is no session');
    if (!ID.test(id) || id.length <= this.levels) return this.unknown('that is no session');
    let session: Record<string, PhpValue> | null;
    try {
      session = await this.load(id);
    } catch (error) {
      return this.failed(error);
    }
    if (session === null) return this.unknown('there is no such session');
    if (!isTrue(valueAt(session, sessionKey))) {
      return { refusal: { status: 403, text: 'the session does not allow it: log in first' } };
    }
    return {
      auth: { mode: 'php-session', session },
      ident: identKey === '' ? undefined : identOf(valueAt(session, identKey)),
    };
  }

  /** RFC 9110 §15.5.2 asks for a challenge; no standard has one for cookies. */
  private unknown(text: string): Denied {
    const challenge = `Cookie realm="websock", cookie-name="${this.options.cookieName}"`;
    return { refusal: { status: 401, text, headers: { 'WWW-Authenticate': challenge } } };
  }

  /** No message of an error is shown: it would name the file, and with it the session. */
  private failed(error: unknown): Denied {
    const refusal = { status: 500, text: 'the session cannot be read' };
    if (error instanceof TooLarge) return { refusal, limit: 'maxSession' };
    if (error instanceof SerializationError) {
      return { refusal, detail: `not as ${this.options.serializer} writes it: ${error.message}` };
    }
    return { refusal, detail: (error as NodeJS.ErrnoException).code ?? 'an error' };
  }

  /** The content of a session; null: there is none. @throws TooLarge, SerializationError, or what the system says. */
  private async load(id: string): Promise<Record<string, PhpValue> | null> {
    try {
      const session = await this.read(id);
      // PHP empties a file that gets shorter before it writes it.
      if (session === null || Object.keys(session).length > 0) return session;
    } catch (error) {
      if (!(error instanceof SerializationError)) throw error;
    }
    await new Promise((done) => setTimeout(done, AGAIN));
    return this.read(id);
  }

  private async read(id: string): Promise<Record<string, PhpValue> | null> {
    const below = Array.from(id.slice(0, this.levels));
    const path = join(await realpath(this.folder), ...below, `sess_${id}`);
    let file: FileHandle;
    try {
      // The last name is not followed where it is a link (O_NOFOLLOW); the folders between could be links, too.
      if (this.levels > 0 && (await realpath(dirname(path))) !== dirname(path)) return null;
      file = await open(path, OPEN_FLAGS);
    } catch (error) {
      if (NO_SESSION.has((error as NodeJS.ErrnoException).code ?? '')) return null;
      throw error;
    }
    try {
      const stat = await file.stat();
      if (!stat.isFile()) return null;
      if (stat.size > this.options.maxSession) throw new TooLarge();
      return readSession(await contentOf(file, stat.size), this.options.serializer);
    } finally {
      await file.close();
    }
  }
}

/** The first `size` bytes of a file, however large it has grown meanwhile. */
async function contentOf(file: FileHandle, size: number): Promise<Buffer> {
  const bytes = Buffer.alloc(size);
  let length = 0;
  while (length < size) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const { bytesRead } = await file.read(bytes, length, size - length, length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return bytes.subarray(0, length);
}

/** What stands at `key` in a session, `user` or `user.id`; undefined: nothing. */
function valueAt(session: Record<string, PhpValue>, key: string): PhpValue | undefined {
  let value: PhpValue | undefined = session;
  for (const name of key.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    // Of a list its items, not what JavaScript adds to them.
    if (Array.isArray(value)) value = /^\d+$/.test(name) ? value[Number(name)] : undefined;
    else value = value[name];
  }
  return value;
}

/** Whether PHP takes it for true. */
function isTrue(value: PhpValue | undefined): boolean {
  if (Array.isArray(value)) return value.length > 0;
  return value !== '0' && Boolean(value);
}
