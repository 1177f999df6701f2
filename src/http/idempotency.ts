import { createHash } from 'node:crypto';
import { Quiet } from '../connection/addresses.ts';
import type { Limits } from '../connection/limits.ts';
import type { Log } from '../log.ts';
import { closePacket } from '../packet/packet.ts';
import type { Deadline, Deadlines } from '../transport/deadlines.ts';
import type { Answer } from './poster.ts';

/** A string of RFC 9651 §3.3.3 without what it escapes, or what is in one, bare. */
const KEY = /^(?:"(?<quoted>[ !#-[\]-~]{1,256})"|(?<bare>[\w!#$%&'*+.^`|~:/=-]{1,256}))$/;
/** Nothing has come of what is answered with these: it may be tried again. */
const WITHOUT_EFFECT = new Set([400, 401, 403, 413, 429, 503]);

export const KEY_RULE =
  'Idempotency-Key: one string of 1 to 256 printable ASCII characters, in quotes, without " and \\';

/** The key that an Idempotency-Key field holds, quoted or not; null: it is none. */
export function keyOf(field: string): string | null {
  const { quoted, bare } = KEY.exec(field.trim())?.groups ?? {};
  return quoted ?? bare ?? null;
}

/** 256 bits that stand for all of `parts`, each of which may be as long as it likes. */
export function digestOf(...parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest('base64');
}

/** A POST that was handled. */
interface Handled {
  readonly body: string;
  /** Milliseconds of the clock. */
  readonly until: number;
}

/** A POST that is being handled. */
interface Running {
  readonly body: string;
  readonly answer: Promise<Answer>;
}

interface Context {
  readonly limits: Limits;
  readonly log: Log;
  readonly deadlines: Deadlines;
  /** Seconds. */
  readonly resume: number;
}

/**
 * What was answered to POSTs with an Idempotency-Key, for as long as a client may come back (PROTOCOL.md §7). Three things are
 * bounded: how many are remembered, how long one answer is, and how long all are. Who is not remembered is handled again; whose
 * answer alone is gone is told so.
 */
export class Idempotency implements Deadline {
  slot: number | null = null;
  before: Deadline | null = null;
  after: Deadline | null = null;
  /** Bytes of all answers that are kept. */
  bytes = 0;
  private readonly running = new Map<string, Running>();
  /** Oldest first, as all are kept for the same time. */
  private readonly handled = new Map<string, Handled>();
  /** Of those whose answer is still there, oldest first. */
  private readonly answers = new Map<string, Answer>();
  private readonly context: Context;
  private readonly now: () => number;
  private readonly quiet = { maxAnswers: new Quiet(), maxAnswerMemory: new Quiet() };

  /** @param now milliseconds of a clock that never goes back. */
  constructor(context: Context, now: () => number = () => performance.now()) {
    this.context = context;
    this.now = now;
  }

  /** Whether Idempotency-Key means anything. */
  get enabled(): boolean {
    return this.context.resume > 0;
  }

  /** How many POSTs are remembered. */
  get size(): number {
    return this.handled.size;
  }

  /**
   * Handles a POST, or answers it as the same one was answered before.
   * @param request stands for who asks, at which path, with which key.
   * @param body stands for what is asked.
   * @param who for the log.
   */
  async once(request: string, body: string, who: string, handle: () => Promise<Answer>): Promise<Answer> {
    this.forgetOld();
    const before = this.running.get(request) ?? this.handled.get(request);
    if (before === undefined) return this.first(request, body, who, handle);
    if (before.body !== body) return refusal(422, 'this Idempotency-Key was used with another body');
    const answer = 'answer' in before ? await before.answer : this.answers.get(request);
    if (answer !== undefined) return { ...answer, replayed: true };
    return refusal(409, 'it has been handled before, but its answer is not kept any more');
  }

  /** The oldest is to be forgotten. */
  expire(): void {
    this.forgetOld();
    const [oldest] = this.handled.values();
    if (oldest !== undefined) this.context.deadlines.arm(this, (oldest.until - this.now()) / 1000);
  }

  private async first(request: string, body: string, who: string, handle: () => Promise<Answer>): Promise<Answer> {
    const promise = handle();
    this.running.set(request, { body, answer: promise });
    try {
      const answer = await promise;
      if (answer.handled || !WITHOUT_EFFECT.has(answer.status)) this.keep(request, body, who, answer);
      return answer;
    } finally {
      this.running.delete(request);
    }
  }

  private keep(request: string, body: string, who: string, answer: Answer): void {
    const { limits, log, resume, deadlines } = this.context;
    const { maxAnswers, maxAnswer, maxAnswerMemory } = limits.values;
    this.handled.set(request, { body, until: this.now() + resume * 1000 });
    const length = lengthOf(answer);
    if (length <= maxAnswer) {
      this.answers.set(request, answer);
      this.bytes += length;
    } else {
      const { text } = limits.over('maxAnswer');
      log.info(`${who}: over [http] maxAnswer: ${text}: it is not kept`, { limit: 'maxAnswer' });
    }
    while (this.handled.size > maxAnswers) this.makeRoom('maxAnswers', this.handled);
    while (this.bytes > maxAnswerMemory) this.makeRoom('maxAnswerMemory', this.answers);
    if (this.slot === null) deadlines.arm(this, resume);
  }

  /** Drops the oldest of `from`, before its time. */
  private makeRoom(limit: 'maxAnswers' | 'maxAnswerMemory', from: ReadonlyMap<string, unknown>): void {
    const [oldest] = from.keys();
    if (limit === 'maxAnswers') this.handled.delete(oldest);
    this.dropAnswer(oldest);
    const { text } = this.context.limits.over(limit);
    const since = this.quiet[limit].news(this.now());
    if (since === null) return;
    const others = since === 0 ? '' : ` (and ${since} others since that was last said)`;
    this.context.log.warn(`POST: over [http] ${limit}: ${text}: the oldest is dropped${others}`, { limit });
  }

  private forgetOld(): void {
    const now = this.now();
    for (const [request, { until }] of this.handled) {
      if (until > now) return;
      this.handled.delete(request);
      this.dropAnswer(request);
    }
  }

  private dropAnswer(request: string): void {
    const answer = this.answers.get(request);
    if (answer === undefined) return;
    this.answers.delete(request);
    this.bytes -= lengthOf(answer);
  }
}

function lengthOf(answer: Answer): number {
  return Buffer.byteLength(answer.body);
}

function refusal(status: number, text: string): Answer {
  return { status, note: ` ${text}`, body: closePacket(text) };
}
