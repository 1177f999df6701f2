/** Something with gathered output. */
interface Gatherer {
  flush(): void;
}

/**
 * While a chunk of input is handled, output gathers: what the chunk causes at one client leaves in one write, its
 * sender's `next` packets and the receivers of its broadcasts alike.
 */
export class Cork {
  active = false;
  private dirty: Gatherer[] = [];

  /** Remembers who has to be flushed at the end. */
  add(gatherer: Gatherer): void {
    this.dirty.push(gatherer);
  }

  /** Begins to gather. @returns whether it did: false inside another chunk, whose end will flush. */
  begin(): boolean {
    if (this.active) return false;
    this.active = true;
    return true;
  }

  /** Gathers what `action` causes. */
  during(action: () => void): void {
    const corked = this.begin();
    try {
      action();
    } finally {
      if (corked) this.end();
    }
  }

  /** Writes everything that was gathered. */
  end(): void {
    this.active = false;
    const { dirty } = this;
    if (dirty.length === 0) return;
    this.dirty = [];
    for (const gatherer of dirty) gatherer.flush();
  }
}
