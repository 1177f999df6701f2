import type { Readable } from 'node:stream';

/**
 * The requests of one connection, answered one after the other. What a client sends ahead waits, and no more of it is read
 * until it is answered: what it has in the making is one request, and those of the one read that was under way.
 */
export class InOrder {
  private readonly stream: Readable;
  private waiting: (() => void)[] = [];
  private busy = false;
  private insists = false;

  constructor(stream: Readable) {
    this.stream = stream;
  }

  /** How many are waiting behind the one that is being answered. */
  get ahead(): number {
    return this.waiting.length;
  }

  /** Answers a request when those before it are answered. @param answer ends with a call of {@link done}. */
  add(answer: () => void): void {
    if (this.busy) {
      this.waiting.push(answer);
      this.insist();
      this.stream.pause();
    } else {
      this.busy = true;
      answer();
    }
  }

  /** The answer is out. */
  done(): void {
    const next = this.waiting.shift();
    this.busy = next !== undefined;
    // The body of the last may not have come yet.
    if (this.waiting.length === 0) this.stream.resume();
    next?.();
  }

  /** The connection is gone. */
  stop(): void {
    this.waiting = [];
  }

  /** node:http resumes its streams at the end of each request: they are paused again. Behind its own listener, which reads on. */
  private insist(): void {
    if (this.insists) return;
    this.insists = true;
    this.stream.on('resume', () => {
      if (this.waiting.length > 0) this.stream.pause();
    });
  }
}
