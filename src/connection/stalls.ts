import type { Log } from '../log.ts';

/** Whose handler runs: a client. */
export interface Runner {
  readonly id: number;
  /** `#id ip path`. */
  readonly who: string;
}

/** Looks at the clock between two reports that nobody's handler accounts for. */
const LOOKS = 4;

/**
 * Who holds the event loop for longer than a resource should: everybody else waits meanwhile. Handlers are timed by the chunk that
 * they are called for, not one by one, so it costs two looks at the clock for a read; reported is what has ended.
 */
export class Stalls {
  private readonly log: Log;
  /** Seconds. */
  private readonly warn: number;
  /** Milliseconds; Infinity: nothing is looked at. */
  private readonly most: number;
  private readonly clock: () => number;
  /** Milliseconds that were reported: our clock stands still in them, so that nothing is reported twice. */
  private reported = 0;
  /** Whose promise was the last to settle, if it is still there: what ran for too long may have been the rest of that handler. */
  last: Runner | null = null;

  /**
   * @param warn `[log] stallWarn`, seconds; 0: nothing is reported.
   * @param clock milliseconds of a clock that never goes back.
   */
  constructor(log: Log, warn: number, clock: () => number = () => performance.now()) {
    this.log = log;
    this.warn = warn;
    this.most = warn === 0 ? Number.POSITIVE_INFINITY : warn * 1000;
    this.clock = clock;
  }

  /** A handler is about to be called. @returns what {@link end} is to be told. */
  begin(): number {
    return this.most === Number.POSITIVE_INFINITY ? 0 : this.clock() - this.reported;
  }

  /** The handlers of `runner` have returned; those of others that were called by them have been accounted for. */
  end(began: number, runner: Runner): void {
    if (this.most === Number.POSITIVE_INFINITY) return;
    const held = this.clock() - this.reported - began;
    if (held > this.most) this.report(held, `${runner.who}: its handler`, runner.id);
  }

  /** Watches for what no handler accounts for, as long as the process runs. */
  start(): void {
    if (this.most === Number.POSITIVE_INFINITY) return;
    const pause = this.most / LOOKS;
    let before = this.begin();
    const timer = setInterval(() => {
      const now = this.begin();
      const late = now - before - pause;
      before = now;
      if (late <= this.most) return;
      const near = this.last === null ? '' : `; the last asynchronous handler to end was that of ${this.last.who}`;
      this.report(
        late,
        `not in a handler (a timer or promise of a resource, many handlers together, a busy machine${near}): something`,
      );
      before = this.begin();
    }, pause);
    timer.unref();
  }

  private report(held: number, who: string, id?: number): void {
    this.reported += held;
    const ms = Math.round(held);
    this.log.warn(
      `${who} held the event loop for ${(ms / 1000).toFixed(1)} s, and everybody waited ([log] stallWarn is ${this.warn} s)`,
      { id, ms },
    );
  }
}
