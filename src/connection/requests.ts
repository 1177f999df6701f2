import { randomInt } from 'node:crypto';
import type { Log } from '../log.ts';
import type { NextFields, Packet } from '../packet/packet.ts';
import { type Deadline, type Deadlines, deadlineOf } from '../transport/deadlines.ts';
import type { Limits } from './limits.ts';

/** Numbers of requests have 48 bits: nobody guesses one that is another client's. */
const NUMBERS = 2 ** 48 - 1;
/** Answers that were told ahead of their turn and are remembered until it comes; of others their `next` says that nobody waited for them. */
const EARLY_MOST = 1024;

/** Why `client.request` got no answer. */
export class RequestError extends Error {
  /**
   * `timeout`: none came in time. `closed`: the client has gone, is being closed, or cannot be asked (a POST). `limit`: more requests than
   * `[limits] maxRequests` wait for answers of it. `refused`: it has answered with an error, which is the message.
   */
  readonly code: 'timeout' | 'closed' | 'limit' | 'refused';

  constructor(code: RequestError['code'], message: string) {
    super(message);
    this.name = 'RequestError';
    this.code = code;
  }
}

/** The client, as the requests to it need it. */
export interface RequestHost {
  readonly id: number;
  readonly who: string;
  /** It is neither closed nor about to be. */
  readonly answers: boolean;
  send(data: string, binary: false): boolean;
  /** An answer is waited for, perhaps by the handler in flight. */
  onAsked(): void;
  /** None is any more. */
  onAnswered(): void;
}

interface RequestContext {
  readonly limits: Limits;
  readonly log: Log;
  readonly deadlines: Pick<Deadlines, 'arm' | 'disarm'>;
}

interface Waiting {
  readonly done: (answer: Packet) => void;
  readonly fail: (error: RequestError) => void;
  readonly deadline: Deadline;
}

/** An answer. */
interface Answer extends Packet {
  readonly opcode: 'answer';
  readonly request: number;
}

/** The requests to one client, and its answers (PROTOCOL.md §10). Made when it is asked for the first time. */
export class Requests {
  /** Nothing of it will be answered any more. */
  closed = false;
  private readonly context: RequestContext;
  private readonly host: RequestHost;
  private readonly waiting = new Map<number, Waiting>();
  /** Answered by messages that were looked at ahead of their turn. */
  private readonly early = new Set<number>();

  constructor(context: RequestContext, host: RequestHost) {
    this.context = context;
    this.host = host;
  }

  /** An answer is waited for. */
  get open(): boolean {
    return this.waiting.size > 0;
  }

  /**
   * Sends a request.
   * @param timeout milliseconds.
   * @throws TypeError, RangeError for what is none.
   */
  ask(packet: Packet, timeout: number): Promise<Packet> {
    if (typeof packet?.opcode !== 'string') throw new TypeError('a request is a packet: an object with an opcode');
    if ('request' in packet) throw new TypeError('a packet that is a request has no field "request" of its own');
    if (!(timeout > 0 && timeout < Number.POSITIVE_INFINITY)) {
      throw new RangeError(`a request has a timeout of some milliseconds, not ${timeout}`);
    }
    const promise = new Promise<Packet>((done, fail) => this.send(packet, timeout, { done, fail }));
    // Who does not wait for the answer need not hear that there is none.
    promise.catch(() => undefined);
    return promise;
  }

  private send(packet: Packet, timeout: number, { done, fail }: Pick<Waiting, 'done' | 'fail'>): void {
    const { host, waiting } = this;
    const { limits, log, deadlines } = this.context;
    if (this.closed || !host.answers) {
      fail(gone());
      return;
    }
    if (waiting.size >= limits.values.maxRequests) {
      limits.refuse('maxRequests', host, log);
      fail(new RequestError('limit', limits.describe('maxRequests').text));
      return;
    }
    let number = randomInt(1, NUMBERS);
    while (waiting.has(number) || this.early.has(number)) number = randomInt(1, NUMBERS);
    const text = JSON.stringify({ ...packet, request: number });
    const deadline = deadlineOf(() => {
      const late = new RequestError('timeout', `no answer to ${packet.opcode} within ${timeout / 1000} s`);
      this.settle(number, (one) => one.fail(late));
    });
    waiting.set(number, { done, fail, deadline });
    deadlines.arm(deadline, timeout / 1000);
    if (host.send(text, false)) host.onAsked();
    else this.settle(number, (one) => one.fail(gone()));
  }

  /**
   * A message, when it is its turn.
   * @returns null: it is no answer; else what its `next` says.
   */
  take(message: string | Buffer): NextFields | true | null {
    const answer = answerIn(message);
    if (answer === null) return null;
    return this.early.delete(answer.request) || this.answer(answer) || { error: 'no such request' };
  }

  /** A message that waits for its turn: if it is an answer, who waits for that is told now. */
  foresee(message: Buffer): void {
    const answer = answerIn(message);
    if (answer === null || !this.answer(answer)) return;
    this.early.add(answer.request);
    if (this.early.size <= EARLY_MOST) return;
    for (const oldest of this.early) {
      this.early.delete(oldest);
      return;
    }
  }

  /** No answer will come any more. */
  close(): void {
    this.closed = true;
    for (const number of this.waiting.keys()) this.settle(number, (one) => one.fail(gone()));
  }

  /** @returns whether it was waited for. */
  private answer(answer: Answer): boolean {
    const { error } = answer;
    return this.settle(answer.request, ({ done, fail }) => {
      if (typeof error === 'string') fail(new RequestError('refused', error));
      else done(answer);
    });
  }

  private settle(number: number, tell: (waiting: Waiting) => void): boolean {
    const one = this.waiting.get(number);
    if (one === undefined) return false;
    this.waiting.delete(number);
    this.context.deadlines.disarm(one.deadline);
    tell(one);
    if (!this.open) this.host.onAnswered();
    return true;
  }
}

function gone(): RequestError {
  return new RequestError('closed', 'the client has gone, or cannot be asked');
}

/** The answer that a message is; null: it is none. */
function answerIn(message: string | Buffer): Answer | null {
  // Most are none, and need not be parsed for that.
  if (!message.includes('"answer"')) return null;
  try {
    const packet = JSON.parse(message as string) as Answer;
    return packet.opcode === 'answer' && Number.isSafeInteger(packet.request) ? packet : null;
  } catch {
    return null; // no JSON, or null
  }
}
