import type { Deadline, Deadlines } from '../transport/deadlines.ts';

/** What {@link inTime} resolves to when the promise has not settled. */
export const LATE = Symbol('late');

class Timeout implements Deadline {
  slot: number | null = null;
  before: Deadline | null = null;
  after: Deadline | null = null;
  readonly expire: () => void;
  constructor(expire: () => void) {
    this.expire = expire;
  }
}

/**
 * What `promise` settles with, or LATE after `seconds`.
 * @param onStray hears of a rejection that comes later than that.
 */
export function inTime<Value>(
  promise: Promise<Value>,
  deadlines: Deadlines,
  seconds: number,
  onStray: (error: unknown) => void,
): Promise<Value | typeof LATE> {
  return new Promise((done, fail) => {
    let late = false;
    const timeout = new Timeout(() => {
      late = true;
      done(LATE);
    });
    deadlines.arm(timeout, seconds);
    promise.then(
      (value) => {
        deadlines.disarm(timeout);
        done(value);
      },
      (error: unknown) => {
        deadlines.disarm(timeout);
        if (late) onStray(error);
        // oxlint-disable-next-line prefer-promise-reject-errors -- passed on as the resource threw it
        else fail(error);
      },
    );
  });
}
