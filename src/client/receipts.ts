/** Messages received, and milliseconds, after which the daemon is told at the latest. */
const MESSAGES = 32;
const TIME = 1000;

/** How many messages of a session have been received, and whether the daemon knows: it keeps them until then. */
export class Receipts {
  received = 0;
  private told = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly tell: (received: number) => void;

  /** @param tell tells the daemon. */
  constructor(tell: (received: number) => void) {
    this.tell = tell;
  }

  /** A message has come. */
  count(): void {
    this.received++;
    if (this.received - this.told >= MESSAGES) this.tell(this.take());
    else this.timer ??= setTimeout(() => this.tell(this.take()), TIME);
  }

  /** How many the daemon is to be told of; it will be. 0: it knows. */
  take(): number {
    this.stop();
    if (this.told === this.received) return 0;
    this.told = this.received;
    return this.received;
  }

  /** The daemon knows: it has said so, or begins to count. */
  agree(received: number): void {
    this.received = received;
    this.told = received;
  }

  /** There is nobody to be told. */
  stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }
}
