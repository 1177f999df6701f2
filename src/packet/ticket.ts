import { createHmac, timingSafeEqual } from 'node:crypto';

/** What a ticket is good for: feedback to one client, for some time (PROTOCOL.md §5). */
export interface Ticket {
  /** Of the client that it is for. One that no client can have makes it good for no feedback, but for what a resource knows by it: `job:ID`, at `/jobs`. */
  readonly uuid: string;
  /** Unix time in seconds: from then on it is good for nothing. */
  readonly expires: number;
}

/** The form of a ticket begins its text, and is signed with it: another form will begin in another way. */
const FORM = 'wst1.';
/** What the secret is called in a ticket: its HMAC of a text that no ticket begins with. */
const NAME_BYTES = 4;
const NAME_OF = 'name of the secret';
const EXPIRES_BYTES = 6;
const MAC_BYTES = 32;
/** Bytes. What `ready` tells has 36; the text of a ticket must fit into headers and first lines. */
const UUID_MOST = 64;
/** Seconds. */
const DEFAULT_TTL = 600;

/** Its bytes before the uuid. */
const FIXED_BYTES = NAME_BYTES + EXPIRES_BYTES;

/**
 * Makes tickets and reads them. The text of one is `wst1.` and then, in base64url: the name of the secret (4 bytes), when it
 * expires (6 bytes, big-endian), the uuid (UTF-8), and the HMAC-SHA256 of all that (RFC 2104). Nothing in it has to be escaped
 * in a header, a URL or a shell.
 */
export class Tickets {
  private readonly secret: string | Buffer;
  private readonly name: Buffer;
  private readonly maxTtl: number;
  private readonly now: () => number;

  /**
   * @param secret what signs; who knows it can make tickets.
   * @param maxTtl the most seconds that a ticket may be good for.
   * @param now milliseconds of Unix time.
   */
  constructor(secret: string | Buffer, maxTtl: number, now: () => number = () => Date.now()) {
    this.secret = secret;
    this.name = createHmac('sha256', secret).update(NAME_OF).digest().subarray(0, NAME_BYTES);
    this.maxTtl = maxTtl;
    this.now = now;
  }

  /** Whether `text` has the form of a ticket, good or not: no key begins like this by chance. */
  static isOne(text: string): boolean {
    return text.startsWith(FORM);
  }

  /**
   * A ticket for feedback to `uuid`.
   * @param ttl seconds that it is good for; Infinity: the most; default 600, or the most where that is less.
   * @throws RangeError if one of them cannot be in a ticket; its message is for who asked.
   */
  make(uuid: string, ttl = Math.min(DEFAULT_TTL, this.maxTtl)): { ticket: string; expires: number } {
    if (ttl === Infinity) return this.make(uuid, this.maxTtl);
    if (!Number.isInteger(ttl) || ttl < 1 || ttl > this.maxTtl) {
      throw new RangeError(`ttl is not a whole number of seconds from 1 to ${this.maxTtl}`);
    }
    const whose = Buffer.from(uuid);
    if (whose.length === 0 || whose.length > UUID_MOST) throw new RangeError('uuid is not the uuid of a client');
    const expires = Math.floor(this.now() / 1000) + ttl;
    const time = Buffer.alloc(EXPIRES_BYTES);
    time.writeUIntBE(expires, 0, EXPIRES_BYTES);
    const claims = Buffer.concat([this.name, time, whose]);
    return { ticket: FORM + Buffer.concat([claims, this.sign(claims)]).toString('base64url'), expires };
  }

  /** What a ticket says, expired or not; null: it is none, or was signed by somebody else. Where it differs takes no time. */
  read(text: string): Ticket | null {
    const bytes = bytesOf(text);
    if (bytes === null) return null;
    const claims = bytes.subarray(0, -MAC_BYTES);
    if (!timingSafeEqual(bytes.subarray(-MAC_BYTES), this.sign(claims))) return null;
    return { uuid: claims.toString('utf8', FIXED_BYTES), expires: claims.readUIntBE(NAME_BYTES, EXPIRES_BYTES) };
  }

  /** Whether `text` has all that a ticket has, and names another secret: this daemon's it cannot have been meant to guess. */
  isForeign(text: string): boolean {
    const name = bytesOf(text)?.subarray(0, NAME_BYTES);
    return name !== undefined && !name.equals(this.name);
  }

  isExpired({ expires }: Ticket): boolean {
    return this.now() >= expires * 1000;
  }

  private sign(claims: Buffer): Buffer {
    return createHmac('sha256', this.secret).update(FORM).update(claims).digest();
  }
}

/** The bytes of a ticket, or null if `text` has not the form of one. */
function bytesOf(text: string): Buffer | null {
  if (!Tickets.isOne(text)) return null;
  const bytes = Buffer.from(text.slice(FORM.length), 'base64url');
  const uuid = bytes.length - FIXED_BYTES - MAC_BYTES;
  if (uuid < 1 || uuid > UUID_MOST) return null;
  // Buffer passes over what is no base64url: one ticket has one text.
  return FORM + bytes.toString('base64url') === text ? bytes : null;
}
