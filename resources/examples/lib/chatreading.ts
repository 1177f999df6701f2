import { createHash } from 'node:crypto';
import { beginning, ownCopy } from './beginning.ts';

/** The most of everything that somebody can make grow. Change what you like; the page is told them. */
export const MOST = {
  /** Characters. */
  name: 24,
  room: 32,
  note: 60,
  text: 2000,
  quote: 120,
  fileName: 100,
  /** Bytes of one file, and of all that are kept. With its head one fits into `[dialog] keepBytes`, so that no session loses it. */
  file: 128 * 1024,
  files: 8 * 1024 * 1024,
  /** Names in one message that notify. */
  mentions: 10,
  /** Messages that a room keeps, and bytes of those of all rooms together, as JSON. */
  history: 50,
  said: 2 * 1024 * 1024,
  rooms: 100,
  /** People in a room, in all rooms together, and of one address: loopback too, for behind a proxy that is not trusted everybody has it. */
  inRoom: 200,
  people: 1000,
  perAddress: 50,
  /** What somebody may send at once, and each second after that. */
  burst: 60,
  perSecond: 5,
  /** How often of these he may `enter`, `join` and ask for `rooms`: these cost most. */
  moves: 12,
  movesPerSecond: 1,
} as const;

const STATUSES = ['here', 'away', 'busy'] as const;
export type Status = (typeof STATUSES)[number];

/** Something that is not done. Its message is for who asked for it: `next` tells it as `error`. */
export class Refusal extends Error {}

/** Who asks has not entered, or another page has come in as the same person. */
export class Outside extends Refusal {}

/** What nobody sees, or what turns the writing of others around. */
const UNSEEN = /[\p{C}\p{Zl}\p{Zp}]/u;
/** Some letters, signs and marks are made to be seen by nobody as well; in an emoji of a note or a text they choose its colour. */
const BLANK = /[\p{Default_Ignorable_Code_Point}\u2800]/u;
const SHOWN = /(?![\p{Default_Ignorable_Code_Point}\u2800])[\p{L}\p{N}\p{P}\p{S}]/u;
/** What texts are rid of: control characters, and those that turn around what follows. */
// oxlint-disable-next-line no-control-regex -- they are taken out
const REMOVED = /[\0-\x08\x0B-\x1F\x7F-\x9F\u202A-\u202E\u2066-\u2069]/g;
/** Writings whose letters pass for one another's. A name in one of them alone may still look like one in another. */
const WRITINGS = [/\p{Script=Latin}/u, /\p{Script=Cyrillic}/u, /\p{Script=Greek}/u];
/** Marks upon marks climb over the lines above. */
const PILE = /\p{M}{3}/u;

/**
 * A nickname: any writing, without braces, which mark mentions.
 * @throws Refusal that says what is wrong with it.
 */
export function readName(value: unknown): string {
  const { line } = readTitle(value, 'a name', MOST.name, 2 * MOST.name);
  if (/[{}]/.test(line)) throw new Refusal('a name has no braces: {name} is how it is mentioned');
  return line;
}

/** A room is called by its folded name. @throws Refusal */
export function readRoom(value: unknown): string {
  return readTitle(value, 'the name of a room', MOST.room, MOST.room).folded;
}

/** What stands beside a name; may be empty. @throws Refusal */
export function readNote(value: unknown): string {
  return value === undefined || value === '' ? '' : readLine(value, 'a note', MOST.note);
}

/** @throws Refusal */
export function readStatus(value: unknown): Status {
  const status = STATUSES.find((one) => one === value);
  if (status === undefined) throw new Refusal(`a status is one of: ${STATUSES.join(', ')}`);
  return status;
}

/** A text of several lines. @throws Refusal */
export function readText(value: unknown): string {
  if (typeof value !== 'string') throw new Refusal('a message needs a text');
  if (value.length > MOST.text) {
    throw new Refusal(`a message has at most ${MOST.text} characters, this one has ${value.length}`);
  }
  const text = value.replace(REMOVED, '').trim();
  if (!SHOWN.test(text)) throw new Refusal('the message is empty');
  return ownCopy(text);
}

/** The number of a message. @throws Refusal */
export function readId(value: unknown): number {
  if (!Number.isSafeInteger(value)) throw new Refusal('which message? It is named by its id, a number');
  return value as number;
}

/**
 * By what everybody else knows somebody: made of a key that only he knows, so that nobody else can speak as him.
 * @throws Refusal
 */
export function readAuthor(key: unknown): string {
  if (typeof key !== 'string' || !/^[\w-]{16,64}$/.test(key)) {
    throw new Refusal('a key has 16 to 64 letters, digits, - and _: choose them by chance, and keep them to yourself');
  }
  return createHash('sha256').update(key).digest('base64url').slice(0, 16);
}

export interface FileHead {
  readonly name: string;
  readonly type: string;
}

/**
 * A file is a binary message: one line of JSON, `{"name":…,"type":…}`, and its bytes.
 * @throws Refusal
 */
export function readFile(message: Buffer): { head: FileHead; bytes: Buffer } {
  const end = message.subarray(0, 1024).indexOf('\n');
  if (end < 0) throw new Refusal('a file begins with one line of JSON: {"name":…,"type":…}');
  let head: Partial<Record<keyof FileHead, unknown>> | null;
  try {
    head = JSON.parse(message.toString('utf8', 0, end)) as typeof head;
  } catch {
    throw new Refusal('the first line of a file is not JSON');
  }
  const bytes = message.subarray(end + 1);
  if (bytes.length === 0) throw new Refusal('the file is empty');
  if (bytes.length > MOST.file) {
    throw new Refusal(`a file has at most ${MOST.file / 1024} KiB, this one has ${Math.ceil(bytes.length / 1024)}`);
  }
  const name = readLine(head?.name, 'the name of a file', MOST.fileName);
  const type = typeof head?.type === 'string' && /^[\w.+-]{1,60}\/[\w.+-]{1,60}$/.test(head.type) ? head.type : '';
  return { head: { name, type: type || 'application/octet-stream' }, bytes };
}

/** The names in braces, as they are written; each once. */
export function mentionsIn(text: string): string[] {
  const found = [...text.matchAll(/\{([^{}\n]{1,48})\}/g)].map(([, name]) => name.trim());
  return [...new Set(found)];
}

/** Names are the same one if this is the same. */
export function foldName(name: string): string {
  return name.normalize('NFKC').toLowerCase().normalize('NFKC').trim().replace(/\s+/g, ' ');
}

/** The beginning of a text, in one line. */
export function excerpt(text: string): string {
  const line = text.replace(/\s+/g, ' ');
  return line.length > MOST.quote ? `${beginning(line, MOST.quote - 1)}…` : line;
}

/** What somebody or something is called: a line that can be seen, and told from others. */
function readTitle(value: unknown, what: string, most: number, mostFolded: number): { line: string; folded: string } {
  const line = readLine(value, what, most);
  const folded = foldName(line);
  if (BLANK.test(line) || !SHOWN.test(folded)) throw new Refusal(`${what} has only characters that can be seen`);
  if (folded.length > mostFolded) throw new Refusal(`${what} is too long where its characters are written out`);
  if (WRITINGS.filter((writing) => writing.test(folded)).length > 1) {
    throw new Refusal(`${what} is in one writing: Latin, Cyrillic or Greek letters, not several of them`);
  }
  return { line, folded };
}

function readLine(value: unknown, what: string, most: number): string {
  if (typeof value !== 'string' || value.trim() === '') throw new Refusal(`${what} is missing`);
  if (value.length > most) throw new Refusal(`${what} has at most ${most} characters, not ${value.length}`);
  const line = value.normalize('NFC').trim().replace(/\s+/g, ' ');
  if (UNSEEN.test(line) || PILE.test(line)) throw new Refusal(`${what} has only characters that can be seen`);
  return line;
}
