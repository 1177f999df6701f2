import { type ClosedError, LostError, QueueFullError, quiet, TooLongError } from './errors.ts';
import {
  type Bounds,
  type Framed,
  mostOf,
  type Payload,
  plainFrames,
  sessionFrames,
  sizeOf,
  USUAL,
} from './framing.ts';
import type { Next } from './types.ts';

/** A message until it is acknowledged. */
interface Entry extends Framed {
  /** Whether it may be sent again to a daemon that may have handled it; undefined: as the options say. */
  readonly again: boolean | undefined;
  /** It is an answer: of no use to anybody but who has asked, and not to wait behind what may itself wait for it. */
  readonly answers: boolean;
  /** Its handler has failed once. */
  failed: boolean;
  readonly resolve: (next: Next) => void;
  readonly reject: (error: Error) => void;
  readonly promise: Promise<Next>;
}

export interface OutboxOptions {
  readonly pipeline: number;
  readonly messages: number;
  readonly bytes: number;
  readonly again: boolean | undefined;
}

/** What was given to be sent and is not acknowledged, in order: at its head what is under way, behind that what waits. */
export class Outbox {
  private readonly options: OutboxOptions;
  private readonly entries: Entry[] = [];
  /** How many are under way. */
  private sent = 0;
  private bytes = 0;
  private lastId = 0;
  /** In the plain dialog: for whom each `next` to come is; null: for nobody, the last of several is its message's. */
  private owed: (Entry | null)[] = [];
  private session = false;
  private bounds = USUAL;

  constructor(options: OutboxOptions) {
    this.options = options;
  }

  /** Whether something is under way. */
  get busy(): boolean {
    return this.sent > 0;
  }

  push(data: Payload, again: boolean | undefined, answers = false): Promise<Next> {
    const size = sizeOf(data);
    const { messages, bytes } = this.options;
    if (!answers && (this.entries.length >= messages || (this.bytes > 0 && this.bytes + size > bytes))) {
      return Promise.reject(new QueueFullError(this.entries.length, this.bytes));
    }
    let settle: Pick<Entry, 'resolve' | 'reject'> = {} as Entry;
    const promise = new Promise<Next>((resolve, reject) => {
      settle = { resolve, reject };
    });
    this.bytes += size;
    const entry = { data, size, id: 0, repeated: false, again, answers, failed: false, promise, ...settle };
    // Before the first that has never been sent and is none.
    const at = answers ? this.entries.findIndex((one, i) => i >= this.sent && one.id === 0 && !one.answers) : -1;
    this.entries.splice(at === -1 ? this.entries.length : at, 0, entry);
    return promise;
  }

  /** What may go now: the messages on the wire of the next message in the window; null: none. @param ack asked once one does: see sessionFrames. */
  take(ack: () => number): Payload[] | null {
    while (this.sent < this.entries.length) {
      const entry = this.entries[this.sent];
      if (this.sent >= this.options.pipeline && !entry.answers) return null;
      const most = mostOf(this.bounds);
      if (entry.size > most) {
        this.remove(entry).reject(new TooLongError(entry.size, most));
        continue;
      }
      this.sent++;
      if (this.session) {
        entry.id ||= ++this.lastId;
        return sessionFrames(entry, this.bounds, ack());
      }
      const frames = plainFrames(entry, this.bounds);
      this.owed.push(...frames.slice(1).map(() => null), entry);
      return frames;
    }
    return null;
  }

  /** A message of the plain dialog goes out that is nobody's, and gets a `next`. */
  owe(): void {
    this.owed.push(null);
  }

  /** A `next` has come. */
  acknowledge(next: Next): void {
    const { id } = next;
    const entry = this.session ? this.entries.find((one) => one.id === id) : this.owed.shift();
    if (entry === undefined || entry === null) return;
    this.sent--;
    this.remove(entry).resolve(next);
  }

  /** The handler of what is under way has failed: it may be tried once more, not for ever. */
  fail(): void {
    const [first] = this.entries;
    if (this.sent === 0) return;
    if (first.failed) {
      this.sent--;
      this.remove(first).reject(new LostError());
    } else first.failed = true;
  }

  /** The session goes on: what is under way goes again, as it was. */
  resume(): void {
    this.sent = 0;
  }

  /**
   * Whoever is there now knows nothing of what is under way: it goes again, or is lost.
   * @param session whether he can be told that it goes again.
   */
  restart(session: boolean, bounds: Bounds = USUAL): void {
    const { sent } = this;
    this.sent = 0;
    this.lastId = 0;
    this.owed = [];
    this.session = session;
    this.bounds = bounds;
    [...this.entries].forEach((entry, i) => {
      if (i < sent) {
        entry.id = 0;
        entry.repeated = true;
      }
      const goes = i >= sent || (entry.again ?? this.options.again ?? session);
      if (entry.answers || !goes) this.remove(entry).reject(new LostError());
    });
  }

  /** Nothing more goes out. */
  end(error: ClosedError): void {
    this.sent = 0;
    for (const { promise, reject } of this.entries.splice(0)) {
      void quiet(promise);
      reject(error);
    }
  }

  private remove(entry: Entry): Entry {
    this.entries.splice(this.entries.indexOf(entry), 1);
    this.bytes -= entry.size;
    return entry;
  }
}
