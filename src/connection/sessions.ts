import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Pool } from './kept.ts';
import type { Limits } from './limits.ts';
import type { Log } from '../log.ts';
import type { Secret, Session } from './session.ts';

/** Characters of base64url that a session is found by, and that nobody else knows. */
const KEY = 16;
const PROOF = 32;

/** A new secret: 96 bits to find a session by, 192 that prove who asks for it. */
export function makeSecret(): Secret {
  const text = randomBytes(((KEY + PROOF) * 3) / 4).toString('base64url');
  return { key: text.slice(0, KEY), proof: text.slice(KEY) };
}

/** All sessions, with a connection or without; a bound on those without, and on what is kept for all together. */
export class Sessions implements Pool {
  /** That are kept for all of them. */
  bytes = 0;
  /** Whether a session outlives its connection: not when the daemon stops and keeps none. */
  lasting = true;
  private readonly limits: Limits;
  private readonly log: Log;
  private readonly byKey = new Map<string, Session>();
  /** Those without a connection, the one that has waited longest first. */
  private readonly waiting = new Set<Session>();
  /** Who waits until they are quiet. */
  private readonly waiters: (() => void)[] = [];

  constructor(limits: Limits, log: Log) {
    this.limits = limits;
    this.log = log;
  }

  get size(): number {
    return this.byKey.size;
  }

  /** How many wait for their clients. */
  get detached(): number {
    return this.waiting.size;
  }

  /** Those without a connection whose handler is in flight. */
  get busy(): Session[] {
    return [...this.waiting].filter(({ isBusy }) => isBusy);
  }

  /** Resolves when none of those is left; with connections, these are to be waited for. */
  async quiet(): Promise<void> {
    // oxlint-disable-next-line no-await-in-loop -- until there is none
    while (this.busy.length > 0) await new Promise<void>((done) => this.waiters.push(done));
  }

  /** A handler has ended, or the session that it is of. */
  settled(): void {
    for (const go of this.waiters.splice(0)) go();
  }

  [Symbol.iterator](): Iterator<Session> {
    return this.byKey.values();
  }

  add(session: Session): void {
    this.byKey.set(session.secret.key, session);
  }

  delete(session: Session): void {
    this.byKey.delete(session.secret.key);
    this.waiting.delete(session);
    this.settled();
  }

  /** The session that `secret` is of, and that can be come back to. How far it is right takes no time to tell. */
  find({ key, proof }: Secret): Session | null {
    const session = this.byKey.get(key);
    if (session === undefined) return null;
    const right = timingSafeEqual(digest(session.secret.proof), digest(proof));
    return right && session.stands ? session : null;
  }

  attached(session: Session): void {
    this.waiting.delete(session);
  }

  /** A session is without a connection. The one that has waited longest may have to go for it. */
  waits(session: Session): void {
    this.waiting.add(session);
    if (this.waiting.size <= this.limits.values.maxSessions) return;
    const [oldest] = this.waiting;
    const { text } = this.limits.over('maxSessions');
    this.log.warn(`${oldest.who}: over ${this.limits.optionOf('maxSessions')}: ${text}`, {
      id: oldest.id,
      limit: 'maxSessions',
    });
    oldest.giveUp(text);
  }

  /** Too much is kept: those that keep most drop what is oldest, to one level, until an eighth of `maxKept` is free. */
  relieve(): void {
    const { maxKept } = this.limits.values;
    this.log.warn(
      `over [dialog] maxKept: ${this.bytes} bytes are kept for ${this.size} sessions: those that keep most drop some`,
      {
        limit: 'maxKept',
      },
    );
    const sessions = [...this.byKey.values()].toSorted((a, b) => a.size - b.size);
    let room = maxKept - maxKept / 8;
    let left = sessions.length;
    for (const { size } of sessions) {
      if (size * left > room) break;
      room -= size;
      left--;
    }
    for (const session of sessions.slice(sessions.length - left)) session.trim(room / left);
  }

  /** The daemon stops, and keeps none: those that wait end now, the others with their connections. */
  stop(code: number, reason: string): void {
    this.lasting = false;
    for (const session of this.waiting) session.end(code, reason);
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
