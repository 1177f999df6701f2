/**
 * Reads what PHP's serialize() has written, and its session files: data alone. Objects become their properties; no class
 * is looked for and nothing is called. What PHP would refuse is refused.
 */
import { isUtf8 } from 'node:buffer';

/** A value of PHP. An array whose keys are 0, 1, 2 … is a list; any other, and every object, an object without a prototype. */
export type PhpValue = null | boolean | number | string | PhpValue[] | { [key: string]: PhpValue };

/** Whose `session.serialize_handler` it was. */
export type Serializer = 'php' | 'php_serialize';

/** Text that is not of the form that serialize() gives. */
export class SerializationError extends Error {}

/** Arrays and objects within each other. PHP's own limit is 4096; our stack is not PHP's. */
const DEPTH_MOST = 64;
/** Characters of the longest number. */
const NUMBER_MOST = 32;

type Entries = { isList: boolean; fields: Record<string, PhpValue> };

/**
 * The variables of a session.
 * @param bytes the content of its file.
 * @throws SerializationError
 */
export function readSession(bytes: Buffer, serializer: Serializer): Record<string, PhpValue> {
  const reader = new Reader(bytes);
  const session: Record<string, PhpValue> = Object.create(null);
  if (bytes.length === 0) return session; // of a session that has just begun
  if (serializer === 'php_serialize') {
    const value = reader.value();
    if (!reader.atEnd) throw reader.error('there is more behind the value');
    if (value === null || typeof value !== 'object') throw reader.error('it is no array');
    return Object.assign(session, value);
  }
  while (!reader.atEnd) {
    const name = reader.through('|', bytes.length);
    session[name] = reader.value();
  }
  return session;
}

/** One pass over the bytes of serialized values: the lengths in them are of bytes. */
class Reader {
  private readonly bytes: Buffer;
  private at = 0;
  private depth = 0;
  /** What a reference can refer to, by its number less one; undefined: not complete yet, or not known. */
  private readonly slots: (PhpValue | undefined)[] = [];
  /** The numbers of references are not known any more. */
  private lost = false;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  get atEnd(): boolean {
    return this.at === this.bytes.length;
  }

  error(what: string): SerializationError {
    return new SerializationError(`${what}, at byte ${this.at}`);
  }

  value(): PhpValue {
    const type = this.take(1);
    if (type === 'R') return this.reference();
    const slot = this.slots.push(undefined) - 1;
    const value = this.valueOf(type);
    this.slots[slot] = value;
    return value;
  }

  /** The text up to `mark`, which is passed over; at most `most` bytes of it. */
  through(mark: string, most: number): string {
    const end = this.bytes.indexOf(mark, this.at, 'latin1');
    if (end === -1 || end - this.at > most) throw this.error(`no ${mark}`);
    const text = this.text(end - this.at);
    this.at += mark.length;
    return text;
  }

  private valueOf(type: string): PhpValue {
    switch (type) {
      case 'N':
        this.expect(';');
        return null;
      case 'b':
        return this.matched(/^[01]$/, 'no boolean') === '1';
      case 'i':
        return this.integer();
      case 'd':
        return this.float();
      case 's':
      case 'E': // an enum's case, as its text: Suit:Hearts
        return this.string(';');
      case 'a': {
        const { isList, fields } = this.entries();
        return isList ? Object.values(fields) : fields;
      }
      case 'O':
        this.string(':'); // its class, which is nothing to us
        this.at--;
        return this.entries().fields;
      case 'C':
        return this.opaque();
      case 'r':
        return this.reference();
      default:
        throw this.error('no type of value');
    }
  }

  /** `:COUNT:{KEY VALUE …}` */
  private entries(): Entries {
    const count = this.count();
    this.expect('{');
    if (++this.depth > DEPTH_MOST) throw this.error(`more than ${DEPTH_MOST} arrays or objects within each other`);
    const fields: Record<string, PhpValue> = Object.create(null);
    let isList = true;
    for (let i = 0; i < count; i++) {
      const key = this.key();
      isList = isList && key === String(i);
      fields[key] = this.value();
    }
    this.expect('}');
    this.depth--;
    return { isList, fields };
  }

  private key(): string {
    const type = this.take(1);
    if (type === 'i') return String(this.integer());
    if (type !== 's') throw this.error('no key');
    // Of a property that is not public the class, or *, stands in front of its name, between two NULs.
    // oxlint-disable-next-line no-control-regex
    return this.string(';').replace(/^\u0000[^\u0000]+\u0000/, '');
  }

  /** `:CONTENT` that an object of a class has written in its own way: nothing of it is known, nor how many references it has. */
  private opaque(): PhpValue {
    this.string(':');
    this.at--;
    const length = this.count();
    this.expect('{');
    this.skip(length);
    this.expect('}');
    this.lost = true;
    return Object.create(null);
  }

  /** What was there before, by its number; null for an object that holds itself. */
  private reference(): PhpValue {
    const number = Number(this.matched(/^\d+$/, 'no reference'));
    return (this.lost ? undefined : this.slots[number - 1]) ?? null;
  }

  private integer(): number | string {
    const text = this.matched(/^[+-]?\d+$/, 'no integer');
    const number = Number(text);
    return Number.isSafeInteger(number) ? number : text; // as its digits, for they are all that is sure
  }

  private float(): number {
    const text = this.matched(/^(?:[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|-?INF|NAN)$/, 'no float');
    return Number(text.replace('INF', 'Infinity').replace('NAN', 'NaN'));
  }

  /** `:LENGTH:"TEXT"` and `end`. */
  private string(end: string): string {
    const length = this.count();
    this.expect('"');
    const text = this.text(length);
    this.expect(`"${end}`);
    return text;
  }

  /** `:NUMBER:` */
  private count(): number {
    this.expect(':');
    const text = this.through(':', NUMBER_MOST);
    if (!/^\d+$/.test(text)) throw this.error('no length');
    return Number(text);
  }

  /** `:TEXT;` */
  private matched(pattern: RegExp, problem: string): string {
    this.expect(':');
    const text = this.through(';', NUMBER_MOST);
    if (!pattern.test(text)) throw this.error(problem);
    return text;
  }

  private take(length: number): string {
    if (length > this.bytes.length - this.at) throw this.error('it ends early');
    return this.bytes.toString('latin1', this.at, (this.at += length));
  }

  private expect(text: string): void {
    if (this.take(text.length) !== text) throw this.error(`no ${text}`);
  }

  private skip(length: number): void {
    if (length > this.bytes.length - this.at) throw this.error('it ends early');
    this.at += length;
  }

  /** As UTF-8, or as latin1 where it is not: PHP's strings are bytes. */
  private text(length: number): string {
    const start = this.at;
    this.skip(length);
    const bytes = this.bytes.subarray(start, this.at);
    return bytes.toString(isUtf8(bytes) ? 'utf8' : 'latin1');
  }
}
