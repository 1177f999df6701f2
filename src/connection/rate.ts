import { type Deadline, type Deadlines, TICKS } from '../transport/deadlines.ts';
import type { LimitValues } from './limits.ts';

/** Who may not go on until what it has sent is paid for. */
interface Payer {
  /** It is paid for. */
  onPaid(): void;
}

/**
 * How fast one client sends: two token buckets, one for messages and one for bytes, that hold what may come in a second. Who has
 * sent more is not listened to until it is paid for; who would have to wait for longer than `[limits] rateGrace`, because
 * he goes on or has sent that much at once, is over the limit. Then what is slowed down is a burst, not a habit.
 */
export class Rate implements Deadline {
  slot: number | null = null;
  before: Deadline | null = null;
  after: Deadline | null = null;
  /** The limit that it has been over for too long, by the last `spend`. */
  over: 'messageRate' | 'byteRate' | null = null;
  private readonly deadlines: Deadlines;
  private readonly values: LimitValues;
  private readonly payer: Payer;
  private messages: number;
  private bytes: number;
  /** Messages counted so far. */
  private counted = 0;
  /** When the buckets were filled last. In ticks: to read the clock for each chunk would cost more than to count. */
  private tick: number;
  /** The tick at which it went over; null: it is within its rate. */
  private since: number | null = null;

  private constructor(deadlines: Deadlines, values: LimitValues, payer: Payer) {
    this.deadlines = deadlines;
    this.values = values;
    this.payer = payer;
    this.messages = values.messageRate;
    this.bytes = values.byteRate;
    this.tick = deadlines.read();
  }

  /** null: there is no such limit. */
  static create(deadlines: Deadlines, values: LimitValues, payer: Payer): Rate | null {
    return values.messageRate === 0 && values.byteRate === 0 ? null : new Rate(deadlines, values, payer);
  }

  /**
   * Takes what has come.
   * @param total messages, frames of any kind, or lines, since the beginning.
   * @returns whether the client may go on; if not, it is `over`, or `onPaid` follows.
   */
  spend(bytes: number, total: number): boolean {
    const { deadlines, values } = this;
    // While nothing is armed nobody keeps the tick.
    this.fill(deadlines.size === 0 ? deadlines.read() : deadlines.tick);
    // Of what has no limit the bucket stays as it is, empty and not overdrawn.
    if (values.messageRate > 0) this.messages -= total - this.counted;
    if (values.byteRate > 0) this.bytes -= bytes;
    this.counted = total;
    if (!this.isOver) return true;
    this.fill(deadlines.read());
    if (!this.isOver) return true;
    const messageTime = values.messageRate === 0 ? 0 : -this.messages / values.messageRate;
    const byteTime = values.byteRate === 0 ? 0 : -this.bytes / values.byteRate;
    const wait = Math.max(messageTime, byteTime);
    this.since ??= this.tick;
    if ((this.tick - this.since) / TICKS + wait > values.rateGrace) {
      this.over = messageTime < byteTime ? 'byteRate' : 'messageRate';
    } else deadlines.arm(this, wait);
    return false;
  }

  /** As {@link spend}, for who does not count from the beginning. */
  spendMore(bytes: number, messages: number): boolean {
    return this.spend(bytes, this.counted + messages);
  }

  stop(): void {
    this.deadlines.disarm(this);
  }

  expire(): void {
    this.payer.onPaid();
  }

  private get isOver(): boolean {
    return this.messages < 0 || this.bytes < 0;
  }

  private fill(tick: number): void {
    if (tick <= this.tick) return;
    const { messageRate, byteRate } = this.values;
    const seconds = (tick - this.tick) / TICKS;
    this.tick = tick;
    this.messages = Math.min(messageRate, this.messages + seconds * messageRate);
    this.bytes = Math.min(byteRate, this.bytes + seconds * byteRate);
    // Who goes on as fast as he may is at the bottom all the time; who has rested is as good as new.
    if (this.messages >= messageRate / 2 && this.bytes >= byteRate / 2) this.since = null;
  }
}
