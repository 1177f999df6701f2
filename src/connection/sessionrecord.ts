import { isDeepStrictEqual } from 'node:util';
import type { Auth } from '../auth/auth.ts';
import type { Log } from '../log.ts';
import { type Identity, sinceNow, sinceOf, unixOf } from './client.ts';
import type { ConnectionContext } from './context.ts';
import type { KeptMessage } from './kept.ts';
import { Pass } from './pass.ts';
import { acceptsWeb } from './route.ts';
import { Session } from './session.ts';

/** What brings a session back to life in another daemon, as JSON. Of the head of its request nothing is kept: it may hold secrets. */
interface SessionRecord {
  readonly key: string;
  readonly proof: string;
  readonly uuid: string;
  readonly ident: string;
  readonly path: string;
  readonly scheme: 'ws' | 'wss';
  readonly ip: string;
  readonly query: string;
  /** When its last connection came, in Unix milliseconds. */
  readonly connected?: number;
  readonly auth?: Auth;
  /** When its authentication ends, in seconds since 1970. */
  readonly expires?: number;
  readonly data?: unknown;
  readonly rooms?: readonly string[];
  /** It was asked something: what comes of that is not for its resource. */
  readonly asked?: boolean;
  /** The highest id that was handled. */
  readonly handled: number;
  /** The message that was being handled; 0: none. */
  readonly unsure: number;
  readonly nexts: readonly (readonly [number, string])[];
  readonly sent: number;
  readonly acked: number;
  readonly messages: readonly StoredMessage[];
}

/** null is one that was too long to be kept; of a binary one the bytes are in base64. */
type StoredMessage = { readonly text?: string; readonly base64?: string; readonly compress?: boolean } | null;

/** What is kept of a session for another daemon, as one line of JSON. */
export function recordOf(session: Session, log: Log, maxData: number): string {
  const { secret, identity, client, kept, nexts, settled, lastId, unsure } = session;
  const { uuid, ident, path, scheme, ip, query, pass, since } = identity;
  const data = dataOf(session, log, maxData);
  const record: SessionRecord = {
    ...secret,
    uuid,
    ident,
    path,
    scheme: scheme === 'wss' ? 'wss' : 'ws',
    ip,
    query,
    connected: unixOf(since),
    auth: jsonOf(pass?.auth)?.value,
    expires: pass?.expires,
    data,
    rooms: client.rooms.size === 0 ? undefined : [...client.rooms],
    asked: client.requests === null ? undefined : true,
    handled: settled,
    unsure: lastId > settled ? lastId : unsure > settled ? unsure : 0,
    nexts: nexts.all,
    sent: kept.sent,
    acked: kept.acked,
    messages: kept.all.map(stored),
  };
  return JSON.stringify(record);
}

/** What a plugin keeps of the client, if it may be written; else undefined, and the log says why. */
function dataOf({ id, who, client }: Session, log: Log, most: number): unknown {
  if (client.data === undefined) return undefined;
  const held = jsonOf(client.data, most);
  if (held === undefined) {
    log.debug(`${who}: its client.data is not kept: JSON does not hold it unchanged`, { id });
  } else if (held.bytes > most) {
    const text = `its client.data is not kept: it has ${held.bytes} bytes`;
    log.warn(`${who}: over [dialog] maxData: ${text}`, { id, limit: 'maxData' });
    return undefined;
  }
  return held?.value;
}

/**
 * The value and the bytes of its JSON, if that holds it unchanged; else undefined.
 * @param most bytes from which on it is not compared, which takes long.
 */
function jsonOf<Value>(value: Value, most = Infinity): { value: Value; bytes: number } | undefined {
  try {
    const json = JSON.stringify(value) as string | undefined;
    if (json === undefined) return undefined;
    const bytes = Buffer.byteLength(json);
    return bytes > most || isDeepStrictEqual(JSON.parse(json), value) ? { value, bytes } : undefined;
  } catch {
    return undefined; // a circle, a BigInt, a getter that throws
  }
}

function stored({ data, binary, compress }: KeptMessage): StoredMessage {
  if (data === null) return null;
  return binary
    ? { base64: Buffer.from(data as string).toString('base64'), compress }
    : { text: data.toString(), compress };
}

/**
 * Lets a session of the daemon before this one wait for its client.
 * @param line as {@link recordOf} has made it.
 * @returns null, or why it cannot go on.
 */
export function restoreSession(context: ConnectionContext, line: string): string | null {
  const record = readRecord(line);
  if (record === null) return 'its record is damaged';
  const route = context.routes.find(record.path);
  if (route === undefined || !route.dialog || !acceptsWeb(route)) return `${record.path} has no sessions any more`;
  const { uuid, ident, scheme, ip, query, connected, auth, expires, data, handled } = record;
  const identity: Identity = {
    id: ++context.lastId,
    uuid,
    ident,
    path: route.path,
    scheme,
    kind: 'websocket',
    ip,
    headers: {},
    query,
    ticket: null,
    pass: auth === undefined ? null : new Pass({ auth, ident, expires }),
    since: connected === undefined ? sinceNow() : sinceOf(connected),
  };
  const secret = { key: record.key, proof: record.proof };
  const session = new Session(context, context.sessions, { secret, route, identity, data }, true);
  session.lastId = session.settled = handled;
  session.unsure = record.unsure;
  for (const [id, packet] of record.nexts) session.nexts.add(id, packet);
  session.kept.restore(record.sent, record.acked, record.messages.map(unstored));
  context.sessions.add(session);
  session.restore();
  for (const room of record.rooms ?? []) session.client.join(room);
  if (record.asked === true) session.client.answering();
  return null;
}

function unstored(message: StoredMessage): Omit<KeptMessage, 'bytes'> {
  if (message === null) return { data: null, binary: false, compress: undefined };
  const { text, base64, compress } = message;
  const binary = base64 !== undefined;
  return { data: binary ? Buffer.from(base64, 'base64') : (text ?? ''), binary, compress };
}

const isText = (value: unknown): boolean => typeof value === 'string';
const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
const isNext = (value: unknown): boolean =>
  Array.isArray(value) && value.length === 2 && isCount(value[0]) && isText(value[1]);
const isMessage = (value: unknown): boolean => {
  if (value === null) return true;
  if (typeof value !== 'object') return false;
  const { text, base64 } = value as { text?: unknown; base64?: unknown };
  return base64 === undefined ? isText(text) : isText(base64);
};
const isListOf = (is: (value: unknown) => boolean) => (value: unknown) => Array.isArray(value) && value.every(is);

/** What each field of a record is; the optional ones may be anything, for they are the resource's, or made by us. */
const FIELDS: Partial<Record<keyof SessionRecord, (value: unknown) => boolean>> = {
  key: isText,
  proof: isText,
  uuid: isText,
  ident: isText,
  path: isText,
  scheme: (value) => value === 'ws' || value === 'wss',
  ip: isText,
  query: isText,
  rooms: (value) => value === undefined || isListOf(isText)(value),
  handled: isCount,
  unsure: isCount,
  nexts: isListOf(isNext),
  sent: isCount,
  acked: isCount,
  messages: isListOf(isMessage),
};

function readRecord(line: string): SessionRecord | null {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return null; // cut off, or written over
  }
  if (typeof value !== 'object' || value === null) return null;
  const record = value as Record<string, unknown>;
  return Object.entries(FIELDS).every(([name, is]) => is(record[name])) ? (value as SessionRecord) : null;
}
