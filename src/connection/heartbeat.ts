import type { Kind } from './client.ts';
import { type Deadline, type Deadlines, TICKS } from '../transport/deadlines.ts';
import type { LimitName, LimitValues } from './limits.ts';

/** A client whose signs of life are looked for. */
export interface Watched extends Deadline {
  /** Tick at which something came from it last; {@link PINGED}: nothing since it was pinged. */
  seen: number;
  readonly kind: Kind;
  /** Whether it is listened to, and has been sent nothing that it has still to read: only then is its silence its own. */
  readonly heard: boolean;
  ping(payload: Buffer): boolean;
  exceeded(limit: LimitName): void;
}

/** As `seen`: no tick is negative. */
const PINGED = -1;
const NO_BYTES = Buffer.alloc(0);

/**
 * Notices who has gone without a word (RFC 6455 §5.5.2): web clients are pinged when they are silent, and closed when they stay
 * so; of other clients, who cannot be asked, only `[limits] idleTimeout` speaks. What is sent to a client says nothing of it.
 *
 * It costs a client one number, which each read sets, and the deadline that it has anyway: that is looked at when it is up and
 * not moved by what comes in.
 */
export class Heartbeat {
  private readonly deadlines: Deadlines;
  private readonly values: LimitValues;

  constructor(deadlines: Deadlines, values: LimitValues) {
    this.deadlines = deadlines;
    this.values = values;
  }

  /** From now on it has its time for the next sign of life, whatever was armed for it before. */
  watch(client: Watched): void {
    const patience = this.patienceFor(client);
    if (patience === 0) this.deadlines.disarm(client);
    else this.deadlines.arm(client, patience);
    client.seen = this.deadlines.tick;
  }

  /** The time that `watch` gave is up. */
  check(client: Watched): void {
    const { deadlines, values } = this;
    const patience = this.patienceFor(client);
    const left = patience - (deadlines.tick - client.seen) / TICKS;
    if (!client.heard) this.watch(client);
    else if (client.seen === PINGED) client.exceeded('heartbeatTimeout');
    else if (left > 0) deadlines.arm(client, left);
    else if (client.kind === 'tcp') client.exceeded('idleTimeout');
    else {
      client.seen = PINGED;
      deadlines.arm(client, values.heartbeatTimeout);
      client.ping(NO_BYTES);
    }
  }

  /** Seconds that it may be silent before it is pinged or closed; 0: for ever. */
  private patienceFor({ kind }: Watched): number {
    return kind === 'tcp' ? this.values.idleTimeout : this.values.heartbeatInterval;
  }
}
