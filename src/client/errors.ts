import { describeClose } from './close.ts';

/** The connection is closed for good. */
export class ClosedError extends Error {
  override name = 'ClosedError';
  /** Of the close (PROTOCOL.md §8), or the HTTP status of a refusal where that can be seen. */
  readonly code: number;
  /** What the daemon said, or the network; '' if nothing. */
  readonly reason: string;

  constructor(code: number, reason: string) {
    super(`closed for good: ${code} ${describeClose(code)}${reason === '' ? '' : ` (${reason})`}`);
    this.code = code;
    this.reason = reason;
  }
}

/** Nobody has to wait for a promise that fails with the connection: onstate tells of that. */
export function quiet<Value>(promise: Promise<Value>): Promise<Value> {
  promise.catch(() => undefined);
  return promise;
}

/** The connection was lost before the message was acknowledged: it may or may not have been handled. */
export class LostError extends Error {
  override name = 'LostError';
  constructor() {
    super('the connection was lost: it may or may not have been handled');
  }
}

/** Too much waits to be sent, or to be acknowledged: see `queue` of the options. */
export class QueueFullError extends Error {
  override name = 'QueueFullError';
  constructor(messages: number, bytes: number) {
    super(`the queue is full: ${messages} messages, ${bytes} bytes wait`);
  }
}

/** Longer than the daemon takes a message, in pieces too. */
export class TooLongError extends Error {
  override name = 'TooLongError';
  constructor(bytes: number, most: number) {
    super(`a message of ${bytes} bytes: the daemon takes ${most}`);
  }
}
