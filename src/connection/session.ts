import { CLOSE } from '../errors.ts';
import { nextOf, resumedPacket } from '../packet/envelope.ts';
import { type Deadline, deadlineOf } from '../transport/deadlines.ts';
import type { Engine } from '../wire/engine.ts';
import { type Identity, LinkedClient } from './client.ts';
import type { Admission } from './admission.ts';
import type { DialogContext } from './dialog.ts';
import type { InTurn } from './inturn.ts';
import type { Pool } from './kept.ts';
import type { LimitName } from './limits.ts';
import type { Output } from './output.ts';
import type { Member } from './registry.ts';
import type { Route } from './route.ts';
import { SessionDialog, type SessionHost } from './sessiondialog.ts';
import { type SendingConnection, type SendingContext, SessionSender } from './sessionsender.ts';
import { blame, logStray } from './thrown.ts';

/** What a client shows to come back: 16 characters to find its session by, and 32 that nobody else knows. */
export interface Secret {
  readonly key: string;
  readonly proof: string;
}

/** A connection, as its session needs it. */
export interface SessionConnection extends SendingConnection {
  readonly identity: Identity;
  readonly engine: Engine;
  readonly open: boolean;
  readonly ready: boolean;
  /** Its client has come back by another one: it is destroyed. */
  abandon(why: string): void;
  goOn(): void;
  onHandled(): void;
  onPeerClose(code: number, reason: string): void;
  onThrown(error: unknown): void;
  close(code: number, reason: string): void;
  fail(code: number, reason: string): false;
  exceeded(limit: LimitName, text?: string): false;
}

export interface SessionContext extends DialogContext, SendingContext {
  readonly admission: Admission;
  readonly reports: InTurn;
  /** The daemon stops. */
  readonly draining: boolean;
}

/** Where all sessions are. */
interface SessionSet extends Pool {
  /** Whether a session outlives its connection. */
  readonly lasting: boolean;
  delete(session: Session): void;
  /** It has a connection. */
  attached(session: Session): void;
  /** It has none. */
  waits(session: Session): void;
  /** A handler of its has ended. */
  settled(): void;
}

/** Close codes of a client that has done with its session. */
const LEAVING = new Set<number>([CLOSE.NORMAL, CLOSE.GOING_AWAY, CLOSE.NO_STATUS]);
/** Codes of ours that a client may come back from. */
const RETURNING = new Set<number>([CLOSE.GOING_AWAY, CLOSE.ABNORMAL, CLOSE.RESTART, CLOSE.TRY_LATER, CLOSE.TIMEOUT]);

/**
 * A web client that speaks `websock.2`, over all its connections (PROTOCOL.md §9): who it is to its resource and to others, what was
 * handled of its messages, and what it has still to be sent. While it has no connection it waits, for `[dialog] resume` seconds.
 */
export class Session extends SessionSender implements Member, SessionHost, Deadline {
  slot: number | null = null;
  before: Deadline | null = null;
  after: Deadline | null = null;
  readonly secret: Secret;
  readonly route: Route;
  readonly client: LinkedClient;
  readonly dialog: SessionDialog;
  /** Of its newest connection. */
  identity: Identity;
  lastId = 0;
  /** The highest id of a message that was handled. */
  settled = 0;
  /** The message that was being handled when the daemon before this one stopped; 0: none. */
  unsure = 0;
  protected readonly context: SessionContext;
  protected connection: SessionConnection | null = null;
  private readonly sessions: SessionSet;
  private readonly handler: Deadline;
  /** The one before, while its socket is not gone: its place among the connections is then the session's. */
  private previous: SessionConnection | null = null;
  private hasPlace = false;
  /** It has had a connection. */
  private begun: boolean;
  /** It comes from the daemon before this one, and has not returned yet. */
  private restarted: boolean;
  /** `settled`, when its connection began: of later ones it is told as they are handled. */
  private told = 0;
  /** Messages that it has lost, as it is told when it returns. */
  private lost = 0;
  /** What it is to be closed with; null: nothing. */
  private closing: { readonly code: number; readonly reason: string } | null = null;

  /** @param restarted it comes from the daemon before this one, and waits. */
  constructor(
    context: SessionContext,
    sessions: SessionSet,
    who: { secret: Secret; route: Route; identity: Identity; data: unknown },
    restarted = false,
  ) {
    super(context.limits, sessions);
    this.context = context;
    this.sessions = sessions;
    this.secret = who.secret;
    this.route = who.route;
    this.identity = who.identity;
    this.restarted = this.begun = restarted;
    this.client = new LinkedClient(who.identity, this, who.data);
    this.dialog = new SessionDialog(this, who.route, context);
    this.handler = deadlineOf(() => this.onHandlerLate());
  }

  /** It can be come back to. */
  get stands(): boolean {
    return !this.ended && this.closing === null;
  }
  /** A handler of its is in flight. */
  get isBusy(): boolean {
    return this.dialog.busy || this.dialog.handling;
  }

  // ---- its connections

  /**
   * Whether a client that has received so many messages in all can come back to it.
   * @returns null, or why not.
   */
  refusal(received: number): string | null {
    const { acked, sent } = this.kept;
    if (received > sent) return `it has received ${received} messages, and was sent ${sent}`;
    return received < acked ? `it has received ${received} messages, and once had ${acked}` : null;
  }

  /** Its client is back, from `ip`: a connection that still stands is not its any more. */
  takeOver(ip: string): void {
    this.connection?.abandon(`its session was taken over from ${ip}`);
  }

  /** The client is back, and has received so many messages. @returns the packet that it is told so by. */
  resume(received: number): string {
    this.lost = this.kept.resume(received);
    return resumedPacket(this.uuid, this.lastId, this.lost);
  }

  /** Has a connection from now on, the first or another one. */
  attach(connection: SessionConnection): void {
    const { context } = this;
    this.givePlace();
    this.identity.pass?.end();
    this.identity = connection.identity;
    this.client.moved(connection.identity);
    this.connection = connection;
    this.told = this.settled;
    this.overflowed = false;
    context.deadlines.disarm(this);
    // The pieces of a text may be cut inside a character: it is checked when it is whole.
    connection.engine.raw = true;
    if (!this.begun) context.registry.add(this);
    this.sessions.attached(this);
    this.identity.pass?.begin(context.deadlines, (code, reason) => this.close(code, reason));
  }

  onConnected(): boolean {
    if (!this.begun) {
      this.begun = true;
      return true;
    }
    this.replay();
    if (this.connection === null) return false; // lost again
    const { lost, restarted } = this;
    this.restarted = false;
    this.dialog.notice({ type: 'resumed', lost, restarted });
    return false;
  }

  /** Whether `connection` is the one that it has. */
  has(connection: SessionConnection): boolean {
    return this.connection === connection;
  }

  /** What becomes of its client, for the log. */
  get how(): string {
    if (!this.begun) return 'open, with a session';
    return this.lost === 0 ? 'resumed' : `resumed, ${this.lost} messages to it were lost`;
  }

  /** Whether it outlives a connection that ends so. @param byClient the client has ended it, or lost it. */
  survives(code: number, byClient: boolean): boolean {
    return this.stands && this.sessions.lasting && (byClient ? !LEAVING.has(code) : RETURNING.has(code));
  }

  /** Its connection has ended, and nothing is sent by it any more. @param waits it is waited for. */
  left(code: number, reason: string, waits: boolean): void {
    this.previous = this.connection;
    this.droppedBefore = this.dropped;
    this.connection = null;
    this.dialog.cut();
    this.dialog.timeMessage();
    if (!waits) {
      this.end(code, reason);
      return;
    }
    this.wait();
    this.context.reports.run(() => this.dialog.notice({ type: 'detached' }));
  }

  /** Waits for its client, from now on. */
  wait(): void {
    this.context.deadlines.arm(this, this.context.values.resume);
    this.sessions.waits(this);
  }

  /** The socket of a connection is gone. @returns whether its place among the connections is still needed. */
  inherits(connection: SessionConnection): boolean {
    if (this.previous !== connection) return false;
    this.previous = null;
    if (this.ended) return false;
    this.hasPlace = true;
    this.context.admission.keepPlace();
    return true;
  }

  /** It comes from the daemon before this one: it is found, counted and waits. */
  restore(): void {
    const { registry, admission, deadlines } = this.context;
    registry.add(this);
    admission.restore(this.identity.ip);
    this.hasPlace = true;
    this.wait();
    this.identity.pass?.begin(deadlines, (code, reason) => this.close(code, reason));
  }

  private givePlace(): void {
    this.previous = null;
    if (!this.hasPlace) return;
    this.hasPlace = false;
    this.context.admission.givePlace(this.identity.ip);
  }

  /** Its client has not come back in time. */
  expire(): void {
    this.giveUp(`it did not come back within ${this.context.values.resume} s`);
  }

  /** It waits, and is not waited for any more. */
  giveUp(why: string): void {
    this.context.log.info(`${this.who} session ended: ${why}`, { id: this.id });
    this.end(CLOSE.ABNORMAL, why);
  }

  /** Nobody finds it any more; the resource hears of it, once. */
  end(code: number, reason: string): void {
    if (this.ended) return;
    this.ended = true;
    const { context } = this;
    this.givePlace();
    context.deadlines.disarm(this);
    context.deadlines.disarm(this.handler);
    this.sessions.delete(this);
    context.registry.remove(this);
    this.identity.pass?.end();
    this.kept.clear();
    this.nexts.clear();
    this.dialog.end();
    this.client.requests?.close();
    if (context.stalls.last === this) context.stalls.last = null;
    context.reports.run(() => this.dialog.closed(code, reason));
  }

  // ---- what its dialog tells

  get engine(): Engine {
    return this.present.engine;
  }
  get output(): Output {
    return this.present.output;
  }
  get ready(): boolean {
    return this.connection?.ready ?? false;
  }
  get open(): boolean {
    return !this.ended && (this.connection === null || this.connection.open);
  }
  get answers(): boolean {
    return this.stands && this.open && !this.context.draining;
  }

  /** What reads or writes is the work of a connection. */
  private get present(): SessionConnection {
    if (this.connection === null) throw new Error('a session without a connection neither reads nor writes');
    return this.connection;
  }

  isUnsure(id: number): boolean {
    return id === this.unsure;
  }

  acknowledged(received: number): boolean {
    if (received > this.kept.sent) {
      return this.fail(CLOSE.PROTOCOL, `${received} messages are acknowledged, and ${this.kept.sent} were sent`);
    }
    this.kept.forget(received);
    return true;
  }

  onNext(id: number, packet: string | undefined): void {
    if (this.ended) return;
    this.settled = id;
    this.nexts.add(id, packet ?? null);
    this.connection?.output.next(packet ?? nextOf(id));
  }

  onRepeated(id: number): void {
    if (id <= this.told) this.connection?.output.next(this.nexts.get(id) ?? nextOf(id));
  }

  onBusy(): void {
    if (this.ended) return;
    this.context.deadlines.arm(this.handler, this.context.values.handlerTimeout);
    this.connection?.steer();
  }

  onSettled(): void {
    this.context.deadlines.disarm(this.handler);
    this.sessions.settled();
  }

  onHandled(): void {
    if (this.connection !== null) this.connection.onHandled();
    else if (this.closing !== null && !this.isBusy) this.end(this.closing.code, this.closing.reason);
  }

  goOn(): void {
    this.connection?.goOn();
  }

  private onHandlerLate(): void {
    this.exceeded('handlerTimeout');
  }

  onPeerClose(code: number, reason: string): void {
    this.connection?.onPeerClose(code, reason);
  }

  onThrown(error: unknown): void {
    if (this.ended) {
      this.onStray('a callback', error);
      return;
    }
    this.closing ??= { code: CLOSE.FAILED, reason: '' };
    if (this.connection !== null) {
      this.connection.onThrown(error);
      return;
    }
    const { code, reason } = blame(error, this, this.context.log, this.dialog);
    this.end(code, reason);
  }

  onStray(callback: string, error: unknown): void {
    logStray(this.context.log, this, callback, error);
  }

  /** From the resource, or whoever else knows the client: a handler in flight ends first. */
  close(code: number, reason: string): void {
    if (!this.stands) return;
    this.closing = { code, reason };
    this.client.requests?.close();
    if (this.connection !== null) this.connection.close(code, reason);
    else if (!this.isBusy) this.end(code, reason);
  }

  fail(code: number, reason: string): false {
    if (this.connection !== null) return this.connection.fail(code, reason);
    this.end(code, reason);
    return false;
  }

  exceeded(limit: LimitName, text?: string): false {
    if (this.connection !== null) return this.connection.exceeded(limit, text);
    const { limits, log } = this.context;
    const over = limits.over(limit);
    limits.warn(limit, this, log, over.text);
    this.end(over.code, over.text);
    return false;
  }
}
