import type { Deadline, Deadlines } from '../transport/deadlines.ts';

/** The time that a message has from its first byte to its last: bytes that trickle for ever are no life. */
export class MessageTime implements Deadline {
  slot: number | null = null;
  before: Deadline | null = null;
  after: Deadline | null = null;
  private readonly deadlines: Deadlines;
  private readonly onLate: () => void;
  /** Which message it runs for: how many were complete before it. */
  private message = -1;

  constructor(deadlines: Deadlines, onLate: () => void) {
    this.deadlines = deadlines;
    this.onLate = onLate;
  }

  /** Begins with the first read that ends in a message, and goes on with the next of the same one. */
  run(message: number, seconds: number): void {
    if (this.slot !== null && this.message === message) return;
    this.message = message;
    this.deadlines.arm(this, seconds);
  }

  stop(): void {
    this.deadlines.disarm(this);
  }

  expire(): void {
    this.onLate();
  }
}
