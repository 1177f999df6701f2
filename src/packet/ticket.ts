import { createHmac, timingSafeEqual } from 'node:crypto';

/** What a ticket is good for: feedback to one client, for some time (PROTOCOL.md §5). */
export interface Ticket {
  readonly uuid: string;
  /** Unix time in seconds: from then on it is good for nothing. */
  readonly expires: number;
}

/** The form of a ticket begins its text, and is signed with it: another form will begin in another way. */
const FORM = 'wst1.';
const EXPIRES_BYTES = 6;
const MAC_BYTES = 32;
/** Bytes. What `ready` tells has 36; the text of a ticket must fit into headers and first lines. */
const UUID_MOST = 64;
/** Seconds. */
const DEFAULT_TTL = 600;

/**
 * Makes tickets and reads them. The text of one is `wst1.` and then, in base64url: when it expires (6 bytes, big-endian), the
 * uuid (UTF-8), and the HMAC-SHA256 of all that (RFC 2104). Nothing in it has to be escaped in a header, a URL or a shell.
 */
export class Tickets {
  private readonly secret: string | Buffer;
  private readonly maxTtl: number;
  private readonly now: () => number;

  /**
   * @param secret what signs; who knows it can make tickets.
   * @param maxTtl the most seconds that a ticket may be good for.
   * @param now milliseconds of Unix time.
   */
  constructor(secret: string | Buffer, maxTtl: number, now: () => number = () => Date.now()) {
    this.secret = secret;
    this.maxTtl = maxTtl;
    this.now = now;
  }

  /** Whether `text` has the form of a ticket, good or not: no key begins like this by chance. */
  static isOne(text: string): boolean {
    return text.startsWith(FORM);
  }

  /**
   * A ticket for feedback to `uuid`.
   * @param ttl seconds that it is good for; default 600, or the most where that is less.
   * @throws RangeError if one of them cannot be in a ticket; its message is for who asked.
   */
  make(uuid: string, ttl = Math.min(DEFAULT_TTL, this.maxTtl)): { ticket: string; expires: number } {
    if (!Number.isInteger(ttl) || ttl < 1 || ttl > this.maxTtl) {
      throw new RangeError(`ttl is not a whole number of seconds from 1 to ${this.maxTtl}`);
    }
    const name = Buffer.from(uuid);
    if (name.length === 0 || name.length > UUID_MOST) throw new RangeError('uuid is not the uuid of a client');
    const expires = Math.floor(this.now() / 1000) + ttl;
    const time = Buffer.alloc(EXPIRES_BYTES);
    time.writeUIntBE(expires, 0, EXPIRES_BYTES);
    const claims = Buffer.concat([time, name]);
    return { ticket: FORM + Buffer.concat([claims, this.sign(claims)]).toString('base64url'), expires };
  }

  /** What a ticket says, expired or not; null: it is none, or was signed by somebody else. Where it differs takes no time. */
  read(text: string): Ticket | null {
    if (!Tickets.isOne(text)) return null;
    const bytes = Buffer.from(text.slice(FORM.length), 'base64url');
    const end = bytes.length - MAC_BYTES;
    if (end <= EXPIRES_BYTES || end > EXPIRES_BYTES + UUID_MOST) return null;
    // Buffer passes over what is no base64url: one ticket has one text.
    if (FORM + bytes.toString('base64url') !== text) return null;
    const claims = bytes.subarray(0, end);
    if (!timingSafeEqual(bytes.subarray(end), this.sign(claims))) return null;
    return { uuid: claims.toString('utf8', EXPIRES_BYTES), expires: claims.readUIntBE(0, EXPIRES_BYTES) };
  }

  isExpired({ expires }: Ticket): boolean {
    return this.now() >= expires * 1000;
  }

  private sign(claims: Buffer): Buffer {
    return createHmac('sha256', this.secret).update(FORM).update(claims).digest();
  }
}
