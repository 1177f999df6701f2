import { type ClientLink, type Identity, LinkedClient } from '../connection/client.ts';
import type { Deadlines } from '../transport/deadlines.ts';
import type { Debts } from '../connection/debts.ts';
import { type MessageSource, sendWhole } from '../connection/fragments.ts';
import type { Limits } from '../connection/limits.ts';
import { RequestError } from '../connection/requests.ts';
import { type Handled, type MessageInfo, promiseOf, type Route } from '../connection/route.ts';
import type { Runner, Stalls } from '../connection/stalls.ts';
import { CLOSE, CLOSE_CODES, closeCodeOf, describeThrown, messageOf, traceOf } from '../errors.ts';
import { excerpt, type Log } from '../log.ts';
import { inTime, LATE } from './intime.ts';
import { closePacket, NEXT, nextPacket } from '../packet/packet.ts';

/** What a POST is answered with. */
export interface Answer {
  readonly status: number;
  /** JSON. */
  readonly body: string;
  /** What the log says of it. */
  readonly note: string;
  /** It was handled, although its status is one of those that say it was not. */
  readonly handled?: true;
  /** It is the answer to an earlier POST with the same Idempotency-Key. */
  readonly replayed?: true;
}

/** What is in the answer of one request so far: its messages share the room. */
export interface AnswerRoom {
  bytes: number;
}

interface PosterContext {
  readonly log: Log;
  readonly debts: Debts;
  readonly deadlines: Deadlines;
  readonly limits: Limits;
  readonly stalls: Stalls;
}

/** The client behind one message of a POST: what the resource sends to it becomes the answer (PROTOCOL.md §7). */
export class Poster implements ClientLink, Runner {
  readonly detached = false;
  dropped = 0;
  private readonly context: PosterContext;
  private readonly route: Route;
  private readonly client: LinkedClient;
  private readonly packets: string[] = [];
  private readonly room: AnswerRoom;
  private closed: { code: number; reason: string; overflow?: true } | null = null;

  constructor(context: PosterContext, route: Route, identity: Identity, data: unknown, room: AnswerRoom) {
    this.context = context;
    this.room = room;
    this.route = route;
    this.client = new LinkedClient(identity, this, data);
  }

  get bufferedAmount(): number {
    return this.room.bytes;
  }

  get isGone(): boolean {
    return this.closed !== null;
  }

  get id(): number {
    return this.client.id;
  }

  get who(): string {
    return `#${this.client.id} ${this.client.ip} POST ${this.client.path}`;
  }

  /** Hands the message to the resource. */
  async handle(message: string | Buffer, info: MessageInfo): Promise<Answer> {
    if (message.length === 0) return this.answer(undefined);
    let result: Handled | typeof LATE;
    try {
      result = await this.wait(this.call(message, info));
    } catch (error) {
      return this.thrown(error);
    }
    if (result === LATE) {
      const { text } = this.context.limits.over('handlerTimeout');
      this.context.log.warn(`${this.who}: over [limits] handlerTimeout: ${text}`, {
        id: this.client.id,
        limit: 'handlerTimeout',
      });
      return this.end(504, text);
    }
    try {
      return this.answer(result ?? undefined);
    } catch (error) {
      return this.thrown(error); // what JSON cannot hold
    }
  }

  send(data: string | Buffer, binary: boolean, _compress?: boolean, droppable = false): boolean {
    if (this.closed !== null) return false;
    if (this.room.bytes > this.context.limits.values.sendQueue) {
      if (droppable) {
        this.dropped++;
        this.context.debts.dropped++;
        return false;
      }
      const { text } = this.context.limits.over('sendQueue');
      this.closed = { code: CLOSE.TRY_LATER, reason: text, overflow: true };
      return false;
    }
    const packet = binary
      ? JSON.stringify({ opcode: 'binary', base64: Buffer.from(data as Buffer).toString('base64') })
      : jsonOf(data.toString());
    this.packets.push(packet);
    this.room.bytes += Buffer.byteLength(packet);
    return true;
  }

  sendFragmented(source: MessageSource, binary: boolean | undefined): Promise<boolean> {
    return sendWhole(this, source, binary, this.context.limits.values.sendQueue);
  }

  ping(): boolean {
    return false;
  }

  /** Nobody finds it, in no room either. */
  enter(): boolean {
    return false;
  }

  exit(): void {}

  answering(): never {
    throw new RequestError('closed', 'a POST cannot be asked: it has one message, and one answer');
  }

  close(code: number, reason: string): void {
    this.closed ??= { code, reason };
  }

  private call(message: string | Buffer, info: MessageInfo): Handled | Promise<Handled> {
    const { stalls } = this.context;
    const began = stalls.begin();
    try {
      return this.route.resource.onData(this.client, message, info);
    } finally {
      stalls.end(began, this);
    }
  }

  private wait(answer: Handled | Promise<Handled>): Handled | Promise<Handled | typeof LATE> {
    const promise = promiseOf(answer);
    if (promise === null) return answer;
    const { deadlines, limits } = this.context;
    return inTime(promise, deadlines, limits.values.handlerTimeout, (error) =>
      this.log(error, 'onData failed, its client was answered already'),
    );
  }

  private thrown(error: unknown): Answer {
    const closeCode = closeCodeOf(error);
    const row = closeCode === undefined ? undefined : CLOSE_CODES.get(closeCode);
    if (row !== undefined) return this.end(row.status, messageOf(error));
    this.log(error, 'the resource failed');
    try {
      const result = this.route.resource.onError(this.client, error);
      promiseOf(result)?.then(undefined, (second: unknown) => this.log(second, 'onError failed'));
    } catch (second) {
      this.log(second, 'onError failed');
    }
    return this.end(500, 'the resource failed');
  }

  private answer(fields: Handled): Answer {
    if (this.closed !== null && this.closed.code !== CLOSE.NORMAL) {
      const { code, reason, overflow } = this.closed;
      const row = CLOSE_CODES.get(code);
      const answer = this.end(row?.status ?? 400, reason === '' ? (row?.meaning ?? `closed with ${code}`) : reason);
      return overflow === true ? { ...answer, handled: true } : answer;
    }
    const given = typeof fields === 'object' ? fields : null;
    const next = given === null ? NEXT : nextPacket(given);
    this.closed ??= { code: CLOSE.NORMAL, reason: '' };
    const delivered = given?.delivered;
    const error = given?.error;
    const note =
      (delivered === undefined ? '' : `, delivered ${String(delivered)}`) +
      // It had no effect: whoever looks for the reason looks here.
      (typeof error === 'string' ? `, ${excerpt(error)}` : '');
    return { status: 200, note, body: `${next.slice(0, -1)},"packets":[${this.packets.join(',')}]}` };
  }

  private end(status: number, error: string): Answer {
    this.closed = { code: CLOSE.NORMAL, reason: '' };
    return { status, note: ` ${error}`, body: closePacket(error) };
  }

  private log(error: unknown, what: string): void {
    this.context.log.error(`${this.who}: ${what}: ${describeThrown(error)}`, {
      id: this.client.id,
      stack: traceOf(error),
    });
  }
}

/** A message as it stands in JSON: JSON text as it is, for its big integers must survive; any other as a string. */
function jsonOf(text: string): string {
  try {
    JSON.parse(text);
    return text;
  } catch {
    return JSON.stringify(text);
  }
}
