/** A socket that has put off a write. */
export interface PutOff {
  /** Writes it; nothing to write is no fault. */
  writeNow(): void;
}

/** Longer strings are not put off: beside such a write, what is saved is nothing. In characters. */
export const SOON_MOST = 4096;
/** So many sockets may wait. */
const MOST = 128;
/** Milliseconds after which the first of them waits no longer for the handlers of others. */
const PATIENCE = 1;

/**
 * The sockets whose short writes wait for the end of the event loop's turn, where they leave back to back. A peer on this
 * machine (a proxy, a backend) that sleeps is woken by the first of them, and still awake for the others: to wake one
 * costs as much as the write. And what a handler sends in steps, from timers and promises, leaves in one write.
 */
export class Turn {
  private readonly now: () => number;
  private waiting: PutOff[] = [];
  private since = 0;
  private armed = false;

  /** @param now milliseconds of a clock that never goes back. */
  constructor(now: () => number = () => performance.now()) {
    this.now = now;
  }

  /** One that has just put off a write, and is not waiting. */
  add(socket: PutOff): void {
    const { waiting } = this;
    waiting.push(socket);
    if (waiting.length === 1) {
      this.since = this.now();
      if (this.armed) return;
      this.armed = true;
      setImmediate(this.end);
    } else if (waiting.length >= MOST || this.now() - this.since >= PATIENCE) this.writeAll();
  }

  private readonly end = (): void => {
    this.armed = false;
    this.writeAll();
  };

  private writeAll(): void {
    const { waiting } = this;
    // Nobody is added meanwhile: writing calls nobody back but to say that a socket is behind.
    for (const socket of waiting) socket.writeNow();
    waiting.length = 0;
  }
}

/** That of this process: its sockets share the turns of one event loop. */
export const turn: Turn = new Turn();
