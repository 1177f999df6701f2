import { Gather, Slab } from './gather.ts';

/** Something with gathered output. */
interface Gatherer {
  flush(): void;
}

/** Whose chunk it is. */
interface Causer {
  /** What it has sent so far has brought about much. */
  onBurst(): void;
}

/** Bytes that a chunk may have brought about before its next message waits for the next turn of the event loop. */
const BURST = 1 << 18;

/** So many empty gathers are kept for the next chunk. */
const SPARE_MOST = 1024;

/**
 * While a chunk of input is handled, output gathers: what the chunk causes at one client leaves in one write, its
 * sender's `next` packets and the receivers of its broadcasts alike.
 */
export class Cork {
  active = false;
  /** The text that a resource is handling just now, if every character of it is ASCII: to send it on, nothing need be counted. */
  ascii: string | null = null;
  /** Memory of the message that a resource has borrowed and is handling just now. */
  private lent: ArrayBufferLike | null = null;
  /** Something that was sent of it is still to be written. */
  private kept = false;
  /** What the gathers write their frames into. */
  private readonly slab = new Slab();
  private readonly spare: Gather[] = [];
  /** Who has to be flushed at the end. Nearly always it is one, who needs no list. */
  private first: Gatherer | null = null;
  private others: Gatherer[] = [];
  private causer: Causer | null = null;
  /** Bytes that were written before the end of the chunk. */
  private wrote = 0;

  /** Remembers who has to be flushed at the end. */
  add(gatherer: Gatherer): void {
    if (this.first === null) this.first = gatherer;
    else this.others.push(gatherer);
  }

  /** An empty gather; to be given back with {@link give} when it is empty again. */
  take(): Gather {
    return this.spare.pop() ?? new Gather(this.slab);
  }

  give(gather: Gather): void {
    if (this.spare.length < SPARE_MOST) this.spare.push(gather);
  }

  /** A resource borrows a message: nobody writes to its memory as long as it does, so what is sent of it need not be copied. */
  lend(memory: ArrayBufferLike): void {
    this.lent = memory;
    this.kept = false;
  }

  isLent(bytes: Buffer): boolean {
    return bytes.buffer === this.lent;
  }

  /** What was sent of the memory lent has not been written yet. */
  keep(): void {
    this.kept = true;
  }

  /** The resource has returned. @returns whether the memory may be used again. */
  takeBack(): boolean {
    this.lent = null;
    return !this.kept;
  }

  /** Begins to gather what `causer` brings about. @returns whether it did: false inside another chunk, whose end will flush. */
  begin(causer: Causer | null): boolean {
    if (this.active) return false;
    this.active = true;
    this.causer = causer;
    this.wrote = 0;
    return true;
  }

  /** So many bytes were written before the end of the chunk. However long the message is that they are of, it is the next that waits. */
  burst(wrote: number): void {
    if (this.wrote >= BURST) this.causer?.onBurst();
    this.wrote += wrote;
  }

  /** Gathers what `action` causes. */
  during(causer: Causer | null, action: () => void): void {
    const corked = this.begin(causer);
    try {
      action();
    } finally {
      if (corked) this.end();
    }
  }

  /** Writes everything that was gathered. */
  end(): void {
    this.active = false;
    this.causer = null;
    const { first, others } = this;
    if (first === null) return;
    this.first = null;
    if (others.length > 0) this.others = [];
    first.flush();
    for (const gatherer of others) gatherer.flush();
  }
}
