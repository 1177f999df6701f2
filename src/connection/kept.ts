import type { LimitValues } from './limits.ts';

/** What the bookkeeping of a message or a `next` takes, about: so much each counts beside its bytes. */
const EACH = 64;

/** What is kept for all sessions together. */
export interface Pool {
  bytes: number;
  /** It is more than `maxKept`: those that keep most drop what is oldest. */
  relieve(): void;
}

type Bounds = Pick<LimitValues, 'keepPackets' | 'keepBytes' | 'maxKept' | 'maxNexts'>;
type KeepLimit = 'keepPackets' | 'keepBytes' | 'maxKept';

/** A message that was sent to a session's client, as it is to be sent again. */
export interface KeptMessage {
  /** null: it was too long to be kept. */
  readonly data: string | Buffer | null;
  readonly binary: boolean;
  readonly compress: boolean | undefined;
  /** That count against the bounds. */
  readonly bytes: number;
}

/** The messages that were sent to one session's client and that it has not acknowledged, the oldest first; counted from 1. */
export class KeptMessages {
  /** How many were sent in all. */
  sent = 0;
  /** How many of them the client is known to have. */
  acked = 0;
  /** Of those that are kept. */
  bytes = 0;
  private readonly bounds: Bounds;
  private readonly pool: Pool;
  private readonly onDrop: (limit: KeepLimit) => void;
  private messages: KeptMessage[] = [];

  /** @param onDrop hears of each message that is not kept for a bound. */
  constructor(bounds: Bounds, pool: Pool, onDrop: (limit: KeepLimit) => void) {
    this.bounds = bounds;
    this.pool = pool;
    this.onDrop = onDrop;
  }

  get all(): readonly KeptMessage[] {
    return this.messages;
  }

  /**
   * One more is sent.
   * @param data is not written to any more; null: it is not to be kept.
   * @param length of it in bytes, where that is known.
   */
  add(data: string | Buffer | null, binary: boolean, compress?: boolean, length = lengthOf(data)): void {
    const { keepPackets, keepBytes, maxKept } = this.bounds;
    const tooLong = length + EACH > keepBytes;
    if (tooLong) this.onDrop('keepBytes');
    this.sent++;
    const bytes = tooLong ? EACH : length + EACH;
    this.messages.push({ data: tooLong ? null : data, binary, compress, bytes });
    this.grow(bytes);
    while (this.messages.length > keepPackets) this.drop('keepPackets');
    while (this.bytes > keepBytes) this.drop('keepBytes');
    if (this.pool.bytes > maxKept) this.pool.relieve();
  }

  /** The client has received so many in all, which is no more than were sent. */
  forget(received: number): void {
    if (received <= this.acked) return;
    this.acked = received;
    const known = received - (this.sent - this.messages.length);
    if (known <= 0) return;
    for (const { bytes } of this.messages.splice(0, known)) this.grow(-bytes);
  }

  /**
   * The client is back and has received so many. What is left to be sent are `all`.
   * @returns how many of those that it has not received are lost.
   */
  resume(received: number): number {
    this.forget(received);
    for (const { data, bytes } of this.messages) if (data === null) this.grow(-bytes);
    this.messages = this.messages.filter(({ data }) => data !== null);
    return this.sent - received - this.messages.length;
  }

  /** What another daemon has kept. */
  restore(sent: number, acked: number, messages: readonly Omit<KeptMessage, 'bytes'>[]): void {
    for (const { data, binary, compress } of messages) this.add(data, binary, compress);
    this.sent = sent;
    this.acked = acked;
  }

  clear(): void {
    this.grow(-this.bytes);
    this.messages = [];
  }

  /** Drops the oldest, if there is one. */
  drop(limit: KeepLimit): void {
    const oldest = this.messages.shift();
    if (oldest === undefined) return;
    this.grow(-oldest.bytes);
    if (oldest.data !== null) this.onDrop(limit);
  }

  private grow(bytes: number): void {
    this.bytes += bytes;
    this.pool.bytes += bytes;
  }
}

function lengthOf(data: string | Buffer | null): number {
  return data === null ? 0 : Buffer.byteLength(data);
}

/** The last `next` packets of one session that say more than that a message was handled, by the id of it. */
export class KeptNexts {
  private readonly bounds: Bounds;
  private readonly pool: Pool;
  private readonly packets = new Map<number, string>();
  bytes = 0;

  constructor(bounds: Bounds, pool: Pool) {
    this.bounds = bounds;
    this.pool = pool;
  }

  /** The message with `id`, one more than the one before, was handled. @param packet null: there is nothing to say of it. */
  add(id: number, packet: string | null): void {
    const { maxNexts, keepBytes, maxKept } = this.bounds;
    this.delete(id - maxNexts);
    if (packet === null) return;
    this.packets.set(id, packet);
    this.grow(packet.length + EACH);
    while (this.bytes > keepBytes) this.drop();
    if (this.pool.bytes > maxKept) this.pool.relieve();
  }

  /** Drops the oldest, if there is one. */
  drop(): void {
    for (const oldest of this.packets.keys()) {
      this.delete(oldest);
      return;
    }
  }

  /** The packet for a message that was handled; undefined: there is nothing to say of it, or it is forgotten. */
  get(id: number): string | undefined {
    return this.packets.get(id);
  }

  get all(): readonly (readonly [number, string])[] {
    return [...this.packets];
  }

  clear(): void {
    this.grow(-this.bytes);
    this.packets.clear();
  }

  private delete(id: number): void {
    const packet = this.packets.get(id);
    if (packet === undefined) return;
    this.packets.delete(id);
    this.grow(-packet.length - EACH);
  }

  private grow(bytes: number): void {
    this.bytes += bytes;
    this.pool.bytes += bytes;
  }
}
