import { CLOSE } from '../errors.ts';
import { inDialog } from '../packet/envelope.ts';
import { closePacket } from '../packet/packet.ts';
import type { Reader, TransportSocket } from '../transport/transport.ts';
import type { Engine, Receiver } from '../wire/engine.ts';
import { looksAhead, resume } from './ahead.ts';
import { type Identity, LinkedClient } from './client.ts';
import { logLeft, logOpen, meaningOf } from './connectionlog.ts';
import type { ConnectionContext } from './context.ts';
import type { Deadline } from '../transport/deadlines.ts';
import { Dialog, type DialogHost } from './dialog.ts';
import type { Watched } from './heartbeat.ts';
import type { LimitName } from './limits.ts';
import type { Stoppable } from './live.ts';
import { Output } from './output.ts';
import type { OutputOwner } from './owing.ts';
import { Rate } from './rate.ts';
import type { Member } from './registry.ts';
import type { Route } from './route.ts';
import { ScriptOutput } from './script.ts';
import { Sender } from './sender.ts';
import type { Session } from './session.ts';
import { blame } from './thrown.ts';

/** A life goes down this list, and never up. */
const Phase = {
  OPEN: 0,
  /** To be closed when the handler in flight has ended; nothing is read. */
  CLOSING: 1,
  /** Everything is written, the FIN included; what still comes in is thrown away. */
  CLOSED: 2,
} as const;
type Phase = (typeof Phase)[keyof typeof Phase];

/** A connection whose handshake is done: the one reader and writer of its socket. */
export class Connection extends Sender implements Reader, Watched, OutputOwner, DialogHost, Member, Stoppable {
  // Its one deadline, by its state: the time of a handler in flight, the time to leave, or that of its next sign of life.
  slot: number | null = null;
  before: Deadline | null = null;
  after: Deadline | null = null;
  seen = 0;
  previous: Stoppable | null = null;
  next: Stoppable | null = null;
  readonly client: LinkedClient;
  readonly identity: Identity;
  readonly engine: Engine;
  readonly output: Output;
  protected readonly context: ConnectionContext;
  private readonly socket: TransportSocket;
  protected readonly route: Route;
  readonly dialog: Dialog;
  protected readonly session: Session | null;
  private phase: Phase = Phase.OPEN;
  /** Too much waits to be sent to this client: nothing more of it is read. */
  private backlog = false;
  /** How fast it may send; null: as it likes. */
  private readonly rate: Rate | null;
  /** It has sent faster than that: nothing more of it is read until that is paid for. */
  private throttled = false;
  private reading = true;
  /** The peer has sent its FIN. */
  private ended = false;
  private closeCode = 0;
  private closeReason = '';

  constructor(
    context: ConnectionContext,
    socket: TransportSocket,
    route: Route,
    identity: Identity,
    makeEngine: (receiver: Receiver) => Engine,
    data: unknown,
    session: Session | null = null,
  ) {
    super();
    this.context = context;
    this.socket = socket;
    this.route = route;
    this.identity = identity;
    this.session = session;
    this.client = session?.client ?? new LinkedClient(identity, this, data);
    this.dialog = session?.dialog ?? new Dialog(this, route, context);
    this.engine = makeEngine(this.dialog);
    this.rate = Rate.create(context.deadlines, context.values, this);
    this.output = this.isScript
      ? new ScriptOutput(socket, this.engine, context, this)
      : new Output(socket, this.engine, context, this);
  }

  get app(): string {
    return this.route.app;
  }
  get isGone(): boolean {
    return this.phase === Phase.CLOSED;
  }

  /**
   * Begins: the opening has been written, `rest` was read behind the client's.
   * @param ended the peer's FIN has come already.
   */
  start(rest: Buffer, ended: boolean): void {
    const { cork, stalls } = this.context;
    this.context.live.add(this);
    if (this.session === null) {
      this.context.registry.add(this);
      this.identity.pass?.begin(this.context.deadlines, (code, reason) => this.close(code, reason));
    } else this.session.attach(this);
    logOpen(this.context.log, this, this.identity, this.session?.how ?? 'open');
    this.socket.reader = this;
    this.context.heartbeat.watch(this);
    if (this.output instanceof ScriptOutput) this.output.startPacing();
    const corked = cork.begin(this.output);
    const began = stalls.begin();
    try {
      this.dialog.open();
      this.lookAhead();
      if (this.dialog.busy && !this.listens) this.engine.hold();
      if (this.open && rest.length > 0) this.engine.decode(rest);
    } finally {
      if (corked) cork.end();
    }
    stalls.end(began, this);
    if (this.rate !== null) this.pay(this.rate, rest.length);
    if (ended) this.onEnd();
    this.steer();
  }

  // ---- reading

  onBytes(chunk: Buffer): void {
    if (this.phase !== Phase.OPEN) return;
    // Not `during`: this is the hot path, and a closure for each chunk would be garbage.
    const { cork, deadlines, stalls } = this.context;
    this.seen = deadlines.tick;
    const corked = cork.begin(this.output);
    const began = stalls.begin();
    try {
      this.engine.decode(chunk);
    } catch (error) {
      this.onThrown(error); // the decoder's place in the bytes is lost
    } finally {
      if (corked) cork.end();
    }
    stalls.end(began, this);
    if (this.rate !== null) this.pay(this.rate, chunk.length);
    this.dialog.timeMessage();
  }

  onBehind(): void {
    this.output.watch();
  }

  onDrain(): void {
    if (this.phase === Phase.OPEN) this.dialog.notice({ type: 'drain' });
    this.output.drained();
  }

  onEnd(): void {
    this.ended = true;
    this.onLast(CLOSE.ABNORMAL, true);
    this.goOn();
  }

  onFinish(): void {
    // Everything is out: from here on the peer has its time to leave.
    if (this.slot === null) this.context.deadlines.arm(this, this.context.values.closeTimeout);
  }

  onClose(error: Error | null): void {
    this.phase = Phase.CLOSED;
    this.engine.stop();
    this.context.deadlines.disarm(this);
    this.rate?.stop();
    this.output.dispose();
    this.context.live.delete(this);
    const { stalls } = this.context;
    if (stalls.last === this) stalls.last = null;
    if (this.session === null) this.dialog.cut();
    this.dialog.timeMessage();
    this.leave(CLOSE.ABNORMAL, error === null ? 'the connection ended without a Close frame' : error.message, true);
    if (this.session === null || !this.session.inherits(this)) this.context.admission.leave(this.identity.ip);
  }

  /** A reason not to read is gone: what was kept is handled first, then the socket is read again. */
  goOn(): void {
    if (!this.ready && !this.listens) return;
    const { cork, stalls } = this.context;
    const began = stalls.begin();
    cork.during(this.output, () => {
      resume(this);
      if (this.ended && this.ready) this.engine.end();
      if (this.ended && this.ready) this.endedByPeer();
    });
    stalls.end(began, this);
    if (this.rate !== null) this.pay(this.rate, 0);
    this.steer();
  }

  get open(): boolean {
    return this.phase === Phase.OPEN;
  }

  get ready(): boolean {
    return this.phase === Phase.OPEN && !this.dialog.busy && !this.backlog && !this.throttled;
  }

  get listens(): boolean {
    return this.phase === Phase.OPEN && this.dialog.busy && !this.backlog && !this.throttled && looksAhead(this);
  }

  get answers(): boolean {
    return this.open && !this.ended;
  }

  get heard(): boolean {
    return this.ready && this.socket.pending === 0;
  }

  /** Lets the socket be read, or not, as the state asks for. */
  steer(): void {
    this.dialog.timeMessage();
    const wanted = this.phase === Phase.CLOSED || this.ready || this.listens;
    if (wanted === this.reading) return;
    this.reading = wanted;
    if (wanted) this.socket.resume();
    else this.socket.pause();
  }

  /** The peer's FIN, everything it sent handled: how line clients leave; a WebSocket client owes a Close frame first. */
  private endedByPeer(): void {
    if (!this.engine.hasClose) this.depart(CLOSE.NORMAL, 'the client has ended', null);
    else this.depart(CLOSE.ABNORMAL, 'the client ended without a Close frame', null, CLOSE.NORMAL);
  }

  // ---- what the dialog tells

  onBusy(): void {
    // Closed meanwhile, it has the time to leave that was armed then.
    if (this.phase !== Phase.CLOSED) this.context.deadlines.arm(this, this.context.values.handlerTimeout);
    this.steer();
  }

  onSettled(): void {
    if (this.phase !== Phase.CLOSED) this.context.heartbeat.watch(this);
  }

  onHandled(): void {
    if (this.phase === Phase.CLOSING) this.depart(this.closeCode, this.closeReason, this.closeReason);
  }

  onPeerClose(code: number, reason: string): void {
    this.depart(code, reason, null);
  }

  /** It closes this client alone: with its own code, if it is one of ours, else with 1011. */
  onThrown(error: unknown): void {
    const { code, reason } = blame(error, this, this.context.log, this.dialog);
    this.fail(code, reason);
  }

  // ---- how fast it sends

  private pay(rate: Rate, bytes: number): void {
    if (this.phase !== Phase.OPEN || rate.spend(bytes, this.engine.frames)) return;
    if (rate.over !== null) {
      this.exceeded(rate.over);
      return;
    }
    this.throttled = true;
    this.steer();
  }

  onPaid(): void {
    this.throttled = false;
    this.goOn();
  }

  // ---- what its output tells

  onSlow(limit: 'sendQueue' | 'maxSendMemory' | 'writeTimeout', owed: number): void {
    const { pace } = this.output;
    const text = `${this.context.limits.describe(limit).text} (${owed} bytes owed${pace === '' ? '' : `, ${pace}`})`;
    if (this.phase !== Phase.CLOSED) {
      this.exceeded(limit, text);
      return;
    }
    this.context.limits.over(limit);
    this.context.limits.warn(limit, this, this.context.log, `${text}: destroyed`);
    this.socket.destroy();
  }

  onDrop(owed: number): void {
    this.context.log.info(`${this.who}: ${owed} bytes wait for it: messages that may be dropped are`, { id: this.id });
  }

  onRelief(): void {
    if (!this.backlog) return;
    this.backlog = false;
    this.goOn();
  }

  onBacklog(): void {
    if (this.backlog || this.phase !== Phase.OPEN) return;
    this.backlog = true;
    this.steer();
  }

  // ---- closing

  /** From the resource, or whoever else knows the client: a handler in flight ends first. */
  close(code: number, reason: string): void {
    if (this.phase !== Phase.OPEN) return;
    if (!this.dialog.handling && !this.dialog.busy) {
      this.depart(code, reason, reason);
      return;
    }
    this.phase = Phase.CLOSING;
    this.closeCode = code;
    this.closeReason = reason;
    this.client.requests?.close();
    this.steer();
  }

  destroy(): void {
    this.socket.destroy();
  }

  expire(): void {
    if (this.phase !== Phase.CLOSED) {
      // The handler of a session has its time whatever becomes of this connection.
      if (this.dialog.busy && this.session === null) this.exceeded('handlerTimeout');
      else this.context.heartbeat.check(this);
      return;
    }
    const { text } = this.context.limits.over('closeTimeout');
    this.context.log.debug(`${this.who}: ${text}: destroyed`, { id: this.id });
    this.socket.destroy();
  }

  fail(code: number, reason: string): false {
    if (this.phase === Phase.CLOSED) return false;
    this.depart(code, reason, reason);
    // It has its time from now on, whatever it is owed and does not read.
    this.context.deadlines.arm(this, this.context.values.closeTimeout);
    return false;
  }

  /** A limit was gone over. @param text for the log, where there is more to say than the client is told. */
  exceeded(limit: LimitName, text?: string): false {
    const { limits, log } = this.context;
    const over = limits.over(limit);
    limits.warn(limit, this, log, text ?? over.text);
    return this.fail(over.code, over.text);
  }

  /**
   * Writes the last words and the FIN, and waits for the peer to leave.
   * @param error text of the `close` packet; null: the client ended it, and is told nothing.
   */
  private depart(code: number, reason: string, error: string | null, frameCode = code): void {
    if (this.phase === Phase.CLOSED) return;
    this.phase = Phase.CLOSED;
    this.engine.stop();
    const announced = this.route.dialog && error !== null && code !== CLOSE.NORMAL;
    const words = announced ? closePacket(error === '' ? meaningOf(code) : error) : null;
    const packet = this.session === null || words === null ? words : inDialog(words);
    // What it is owed goes out first, as long as it reads: `onFinish` begins its time to leave.
    this.context.deadlines.disarm(this);
    this.output.finish(packet, this.engine.closeFrame(frameCode, reason));
    this.leave(code, reason, error === null);
    this.steer();
  }

  /** Its client has come back to its session by another connection. */
  abandon(why: string): void {
    this.phase = Phase.CLOSED;
    this.engine.stop();
    this.leave(CLOSE.ABNORMAL, why, false);
    this.socket.destroy();
  }

  /** Nobody finds it any more; the resource hears of it, once. With a session it may be found, and wait. */
  private leave(code: number, reason: string, byClient: boolean): void {
    const { context, session, identity, dropped } = this;
    const { registry, log, reports } = context;
    if (session === null ? registry.clients.get(this.id) !== this.client : !session.has(this)) return;
    const waits = session?.survives(code, byClient) ?? false;
    logLeft(log, this, identity, { code, reason, byClient, dropped, waits });
    if (session !== null) {
      session.left(code, reason, waits);
      return;
    }
    registry.remove(this);
    this.dialog.cut();
    this.client.requests?.close();
    identity.pass?.end();
    reports.run(() => this.dialog.closed(code, reason));
  }
}
