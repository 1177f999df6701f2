/** A connection in any state, as the daemon's stop sees it. */
export interface Stoppable {
  /** Its neighbours among the connections that live; written by {@link Live} alone. */
  previous: Stoppable | null;
  next: Stoppable | null;
  /** Goes as PROTOCOL.md §4 says of a stop. */
  stop(code: number, reason: string): void;
  /** The stop's time has run out: goes with its last words, whatever is in flight. */
  cut(code: number, reason: string): void;
  /** Goes at once. */
  destroy(): void;
}

/**
 * The connections that are not gone: a stop waits for them. A list of their own links, for a Set would hash each of them, and
 * the tables that it outgrows keep alive, until the next collection of the whole heap, who has long gone.
 */
export class Live implements Iterable<Stoppable> {
  size = 0;
  private first: Stoppable | null = null;
  private last: Stoppable | null = null;

  /** Who has been in it for longest. */
  get oldest(): Stoppable | null {
    return this.last;
  }

  add(connection: Stoppable): void {
    connection.next = this.first;
    if (this.first === null) this.last = connection;
    else this.first.previous = connection;
    this.first = connection;
    this.size++;
  }

  /** Does nothing to one that is not in it. */
  delete(connection: Stoppable): void {
    const { previous, next } = connection;
    if (previous === null && this.first !== connection) return;
    if (previous === null) this.first = next;
    else previous.next = next;
    if (next === null) this.last = previous;
    else next.previous = previous;
    connection.previous = connection.next = null;
    this.size--;
  }

  /** Those that are in it now: whoever is told to go may leave the list at once. */
  [Symbol.iterator](): Iterator<Stoppable> {
    const all: Stoppable[] = [];
    for (let connection = this.first; connection !== null; connection = connection.next) all.push(connection);
    return all.values();
  }
}
