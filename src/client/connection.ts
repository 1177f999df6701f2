import { type AnswerHandler, Answers } from './answers.ts';
import { Backoff } from './backoff.ts';
import { describeClose, fateOf } from './close.ts';
import { ClosedError, quiet } from './errors.ts';
import { type Bounds, type Payload, payloadOf } from './framing.ts';
import { call, type Handler, Inbox, type Packet, parsePacket } from './inbox.ts';
import { Opcodes } from './opcodes.ts';
import { Outbox } from './outbox.ts';
import { Receipts } from './receipts.ts';
import { attachSignals, makeSocket, type Socket, subprotocols, urlOf } from './socket.ts';
import type { AnyPacket, Message, Next, Options, PacketMap, PacketOf, State, StateDetail } from './types.ts';

const SESSIONS = 'websock.2';
/** Milliseconds that a message may be handled for, meanwhile the plain dialog is silent: the daemon's default. */
const HANDLER_TIME = 60_000;
/** What the daemon says when it closes with 1008, and another token helps. */
const EXPIRED = 'the token has expired';

/** A connection that comes back, and what is sent and received by it over its life. Made by {@link connect}. */
export class Connection<Packets extends Record<keyof Packets, object> = PacketMap>
  extends Opcodes
  implements AsyncIterable<AnyPacket<Packets>>
{
  /** Resolves when it is open for the first time; rejects with ClosedError if it is closed for good before. */
  readonly ready: Promise<{ readonly uuid: string }>;
  /** What is no packet: other text, binary messages. */
  onmessage: ((data: string | ArrayBuffer) => void) | null = null;
  /** It has another state, for the reason that the detail gives. */
  onstate: ((state: State, detail: StateDetail) => void) | null = null;
  /** So many messages to this client had to be dropped by the daemon while it was away. */
  onlost: ((count: number) => void) | null = null;
  /**
   * It is back. `resumed`: as the one it was, with the same uuid, and `lost` messages were dropped. Else as a new one, with another
   * uuid, and what was sent to it in between is not known (`lost` is null).
   */
  onresumed: ((how: { readonly resumed: boolean; readonly lost: number | null }) => void) | null = null;

  private readonly options: Options;
  private readonly url: string;
  private readonly outbox: Outbox;
  /** @internal */
  protected readonly inbox: Inbox;
  private readonly answers = new Answers((answer, uuid) => this.reply(answer, uuid));
  private readonly backoff: Backoff;
  private readonly receipts = new Receipts((received) => {
    if (received > 0) this.write(`\n{"opcode":"ack","received":${received}}`);
  });
  private readonly pingInterval: number;
  private readonly pingTimeout: number;
  private readonly detach: () => void;
  private now: State = 'connecting';
  private name = '';
  private settle: { done: (ready: { uuid: string }) => void; fail: (error: Error) => void } | null = null;
  private socket: Socket | null = null;
  /** Of attempts, all of them: what belongs to an earlier one is not listened to. */
  private turn = 0;
  private failure: ClosedError | null = null;
  /** What the last `close` packet said. */
  private said = '';
  private session = false;
  private secret = '';
  private openedAt = 0;
  /** When something last came, and when the daemon was then asked whether it is there; 0: it was not. */
  private heard = 0;
  private pinged = 0;
  /** Of the attempt, the next attempt, or the next look at the link. */
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(url: string | URL, options: Options) {
    super();
    const { pipeline = 16, queue = {}, again, pingInterval = 25_000, pingTimeout = 10_000 } = options;
    const { messages = 1000, bytes = 1 << 20 } = queue;
    this.options = options;
    this.url = urlOf(url);
    this.outbox = new Outbox({ pipeline, messages, bytes, again });
    this.inbox = new Inbox(messages);
    this.backoff = new Backoff(options.backoff);
    this.pingInterval = pingInterval;
    this.pingTimeout = pingTimeout;
    this.ready = quiet(
      new Promise((done, fail) => {
        this.settle = { done, fail };
      }),
    );
    this.detach = attachSignals((away) => this.look(away));
    this.attempt();
  }

  /** '' before it is open for the first time; another one after a return that is none. */
  get uuid(): string {
    return this.name;
  }

  /** What it is doing. */
  get state(): State {
    return this.now;
  }

  /** Packets that who iterates was too slow for. */
  get dropped(): number {
    return this.inbox.dropped;
  }

  /**
   * Sends a message, now or when it is connected.
   * @param options `again`: see the options of the connection; for this message.
   * @returns what it was acknowledged with. Rejects with ClosedError, LostError, QueueFullError or TooLongError.
   */
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- a packet may have any other fields
  send<One extends Message>(message: One, { again }: { readonly again?: boolean } = {}): Promise<Next> {
    if (this.failure !== null) return quiet(Promise.reject<Next>(this.failure));
    const promise = this.outbox.push(payloadOf(message), again);
    this.pump();
    return promise;
  }

  /** Closes for good, at once. @param code 1000, or 3000 to 4999. */
  close(code = 1000, reason = ''): void {
    if (this.failure !== null) return;
    this.socket?.close(code, reason);
    this.finish(code, reason);
  }

  /** Calls `handler` with every packet of an opcode, or with `*` of any, and with its text as it came. @returns what ends that. */
  on(opcode: '*', handler: Handler<AnyPacket<Packets>>): () => void;
  on<Opcode extends keyof Packets>(opcode: Opcode, handler: Handler<PacketOf<Packets, Opcode>>): () => void;
  on(opcode: PropertyKey, handler: Handler<never>): () => void {
    return this.inbox.on(String(opcode), handler as Handler);
  }

  /** The next packet of an opcode: as a promise, which rejects with ClosedError, or for `handler`. @returns for that: what calls it off. */
  once<Opcode extends keyof Packets>(opcode: Opcode): Promise<PacketOf<Packets, Opcode>>;
  once<Opcode extends keyof Packets>(opcode: Opcode, handler: Handler<PacketOf<Packets, Opcode>>): () => void;
  once(opcode: PropertyKey, handler?: Handler<never>): unknown {
    const name = String(opcode);
    return handler === undefined ? this.inbox.next(name) : this.inbox.once(name, handler as Handler);
  }

  /**
   * Answers what the daemon asks with packets of an opcode (`client.request` of a resource), which then come to no other handler: by what
   * `handler` returns, or its promise resolves to. What it throws is a refusal, and its message is told. As soon as there is one such handler, requests
   * of other opcodes are refused, too. @returns what ends that.
   */
  answer<Opcode extends keyof Packets>(opcode: Opcode, handler: AnswerHandler<PacketOf<Packets, Opcode>>): () => void {
    return this.answers.on(String(opcode), handler as unknown as AnswerHandler);
  }

  /** All packets, from now on: or, if it begins when `ready` resolves, from the first. Ends with the connection. */
  [Symbol.asyncIterator](): AsyncIterableIterator<AnyPacket<Packets>> {
    return this.inbox.iterate() as unknown as AsyncIterableIterator<AnyPacket<Packets>>;
  }

  // ---- connecting

  private attempt(): void {
    const turn = ++this.turn;
    this.heard = Date.now();
    this.enter('connecting');
    this.arm(this.pingInterval, () => this.lose(4408, 'no answer'));
    const { token } = this.options;
    if (typeof token !== 'function') {
      this.dial(token);
      return;
    }
    const mine = (goOn: () => void): void => {
      if (turn === this.turn) goOn();
    };
    new Promise<string>((done) => done(token())).then(
      (found) => mine(() => this.dial(found)),
      (error: unknown) => mine(() => this.lose(1006, `no token: ${String(error)}`)),
    );
  }

  private dial(token: string | undefined): void {
    const { turn, options, secret } = this;
    const session = options.resume === false ? [] : [SESSIONS];
    if (secret !== '') session.push(`websock.resume.${secret}.${this.receipts.received}`);
    try {
      this.socket = makeSocket(options.WebSocket, this.url, subprotocols(session, options.protocols, token));
    } catch (error) {
      this.finish(1006, String(error));
      return;
    }
    const { socket } = this;
    const mine = () => turn === this.turn;
    socket.addEventListener('message', ({ data }) => mine() && this.receive(data, socket.protocol === SESSIONS));
    socket.addEventListener('close', ({ code, reason }) => mine() && this.lose(code, reason));
    // `ws` alone tells what the handshake was refused with.
    socket.on?.('unexpected-response', (_, { statusCode, statusMessage }) => {
      const status = [401, 403, 404].includes(statusCode) ? statusCode : 1006;
      if (mine()) this.lose(status, `HTTP ${statusCode} ${statusMessage}`);
    });
  }

  /** A signal of the browser: the network has changed, or somebody looks. @param away it has gone. */
  private look(away: boolean): void {
    if (this.now === 'open') this.ping();
    else if (this.now === 'waiting' && !away) {
      this.backoff.attempts = 1;
      this.attempt();
    }
  }

  private opened(how: { resumed: boolean; lost: number | null }): void {
    this.openedAt = Date.now();
    this.arm(this.pingInterval, () => this.check());
    const { settle } = this;
    this.settle = null;
    this.enter('open');
    if (settle !== null) {
      settle.done({ uuid: this.name });
      setTimeout(() => this.inbox.settle(), 0);
    } else {
      if (how.lost !== null && how.lost > 0) call(this.onlost, how.lost);
      call(this.onresumed, how);
    }
    this.pump();
  }

  // ---- receiving

  private receive(data: string | ArrayBuffer, session: boolean): void {
    this.heard = Date.now();
    this.pinged = 0;
    let content = data;
    if (session && typeof content === 'string' && content.startsWith('\n')) {
      content = content.slice(1);
      if (content.startsWith('{')) {
        this.control(parsePacket(content), session);
        return;
      }
    }
    const packet = typeof content === 'string' ? parsePacket(content) : null;
    if (session) this.receipts.count();
    else if (this.control(packet, session)) return;
    if (packet === null) call(this.onmessage, content);
    else if (!this.answers.take(packet, this.name)) this.inbox.deliver(packet, content as string);
  }

  /** Sends an answer of the client that had this uuid: whoever asked that is not there any more where it has another. */
  private reply(answer: Message, uuid: string): Promise<unknown> {
    if (this.failure !== null || uuid !== this.name) return Promise.resolve();
    const sent = this.outbox.push(payloadOf(answer), undefined, true);
    this.pump();
    return sent;
  }

  /** @returns whether it was one of the dialog's packets. */
  private control(packet: Packet | null, session: boolean): boolean {
    switch (packet?.opcode) {
      case 'ready':
        if (this.now === 'open') return false;
        this.begin(packet, session);
        return true;
      case 'resumed':
        if (!session) return false;
        this.receipts.agree(this.receipts.received + (packet.lost as number));
        this.outbox.resume();
        this.opened({ resumed: true, lost: packet.lost as number });
        return true;
      case 'next':
        this.outbox.acknowledge(packet);
        this.pump();
        return true;
      case 'close':
        this.said = String(packet.error);
        return true;
      default:
        return false;
    }
  }

  /** A new session, or the plain dialog. */
  private begin(packet: Packet, session: boolean): void {
    this.name = String(packet.uuid);
    this.session = session;
    this.secret = session ? String(packet.session) : '';
    this.receipts.agree(0);
    this.outbox.restart(session, session ? (packet as unknown as Bounds) : undefined);
    this.opened({ resumed: false, lost: null });
  }

  // ---- sending

  private pump(): void {
    // Of a socket that is closing nothing arrives: then it waits for the next one, and is known not to have been sent.
    if (this.now !== 'open' || this.isClosing) return;
    const take = (): Payload[] | null => this.outbox.take(() => this.receipts.take());
    for (let frames = take(); frames !== null; frames = take()) {
      for (const frame of frames) this.write(frame);
    }
  }

  /** The daemon has said that it closes, and `close` is not heard of yet. */
  private get isClosing(): boolean {
    return this.socket !== null && this.socket.readyState > 1;
  }

  private write(frame: Payload): void {
    // A browser would complain.
    if (!this.isClosing) this.socket?.send(frame);
  }

  // ---- the link

  private arm(delay: number, then: () => void): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(then, delay);
  }

  /** Looks whether something has come in time. */
  private check(): void {
    const now = Date.now();
    // The plain dialog answers nothing while it handles a message, and to give up would lose that.
    const handling = !this.session && this.outbox.busy ? HANDLER_TIME : 0;
    const due = this.pinged === 0 ? this.heard + this.pingInterval : this.pinged + this.pingTimeout + handling;
    if (now < due) this.arm(due - now, () => this.check());
    else if (this.pinged === 0) this.ping();
    else this.lose(4408, 'no answer to a ping');
  }

  private ping(): void {
    if (this.pinged > 0) return;
    this.pinged = Date.now();
    if (this.session) this.write('\n{"opcode":"ping"}');
    else {
      // An empty message goes no further, and gets its `next`.
      this.outbox.owe();
      this.write('');
    }
    this.arm(this.pingTimeout, () => this.check());
  }

  // ---- leaving

  /** The connection, or the attempt at one, has ended. @param code of the close, or an HTTP status. */
  private lose(code: number, text: string): void {
    const { socket, options, outbox } = this;
    const reason = this.said || text;
    const wasOpen = this.now === 'open';
    this.leave();
    socket?.close(4408); // if it is not closed yet, the daemon keeps the session
    if (code === 1011) {
      outbox.fail();
      this.secret = ''; // that session has ended
    }
    if (!this.session) outbox.restart(false);
    const renews = code === 1008 && reason === EXPIRED && typeof options.token === 'function';
    const fate = renews ? 'backoff' : fateOf(code);
    if (fate === 'end') {
      this.finish(code, reason);
      return;
    }
    const delay = this.backoff.next(fate, wasOpen ? Date.now() - this.openedAt : 0);
    this.arm(delay, () => this.attempt());
    this.enter('waiting', code, reason, delay);
  }

  /** Nothing of the socket is listened to any more. */
  private leave(): void {
    this.turn++;
    this.socket = null;
    this.said = '';
    clearTimeout(this.timer);
    this.receipts.stop();
  }

  private finish(code: number, reason: string): void {
    const error = new ClosedError(code, reason);
    this.leave();
    this.detach();
    this.failure = error;
    this.settle?.fail(error);
    this.settle = null;
    this.outbox.end(error);
    this.enter('closed', code, reason);
    this.inbox.end(error);
  }

  private enter(state: State, code = 0, reason = '', delay = 0): void {
    this.now = state;
    const words = code === 0 ? '' : describeClose(code);
    call(this.onstate, state, { code, reason, words, attempt: this.backoff.attempts, delay });
  }
}
