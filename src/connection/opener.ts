import type { Guard } from '../auth/auth.ts';
import { CLOSE, describeThrown, traceOf } from '../errors.ts';
import { excerpt } from '../log.ts';
import { closePacket } from '../packet/packet.ts';
import type { Reader, TransportSocket } from '../transport/transport.ts';
import { parseHead, type Refusal } from '../wire/head.ts';
import { checkUpgrade, refusalResponse, wantsUpgrade } from '../wire/handshake.ts';
import { admit, comeBack } from './admit.ts';
import type { RateName } from './admission.ts';
import { Bystander, DEAF } from './bystander.ts';
import { Candidate } from './candidate.ts';
import { type ConnectionContext, peerOf } from './context.ts';
import type { Deadline } from '../transport/deadlines.ts';
import type { Live, Stoppable } from './live.ts';
import { readOpening } from './opening.ts';
import { Output } from './output.ts';
import type { OutputOwner } from './owing.ts';
import type { Pass } from './pass.ts';
import { type Additions, asks, promiseOf, readAnswer } from './route.ts';
import { ScriptOutput } from './script.ts';

const NO_BYTES = Buffer.alloc(0);
/** Who may not come in, or finds no room. */
const WORTH_A_LOOK = new Set<number>([401, 403, 421, 429, CLOSE.TRY_LATER, CLOSE.TOO_MANY]);
const DRAINING: Refusal = { status: 503, text: 'the daemon is stopping', headers: { 'Retry-After': '5' } };

/** A connection until it is known what it is: then it becomes a Connection, goes to the HTTP side, or is refused. */
export class Opener extends Bystander implements Reader, Deadline, OutputOwner, Stoppable {
  slot: number | null = null;
  before: Deadline | null = null;
  after: Deadline | null = null;
  previous: Stoppable | null = null;
  next: Stoppable | null = null;
  readonly id: number;
  private readonly context: ConnectionContext;
  private readonly socket: TransportSocket;
  /** What admission counts it for: the peer, or the client behind a trusted proxy. */
  private ip: string;
  /** What has come and is not used yet; while `onBytes` runs, it may be the chunk that is only lent. */
  private bytes: Buffer = NO_BYTES;
  private state: 'reading' | 'asking' | 'leaving' | 'handed' | 'gone' = 'reading';
  private path = '';
  /** It is owed HTTP responses, not lines. */
  private http = true;
  /** Whether the log is to say at which limit it ended: of many it says so once. */
  private isNews = true;
  /** The tick that it came in. */
  readonly since: number;
  /** There is no room for it. */
  private turnedAway = false;
  /** The peer's FIN has come while the resource was asked. */
  private ended = false;
  private output: Output | null = null;
  /** Where it is: among those whose request has not come, until that has. */
  private list: Live;
  /** The rate that is exceeded by it: it is only told so. */
  private readonly over: RateName | null;

  private constructor(context: ConnectionContext, socket: TransportSocket, over: RateName | null) {
    super();
    this.context = context;
    this.socket = socket;
    this.ip = socket.ip;
    this.over = over;
    this.list = context.waiting;
    this.id = ++context.lastId;
    context.deadlines.arm(this, context.values.headTimeout);
    this.since = context.deadlines.tick;
  }

  /**
   * Begins to read a socket that admission has counted.
   * @param over the rate that is exceeded by it; admission has time to hear it out.
   */
  static take(context: ConnectionContext, socket: TransportSocket, over: RateName | null = null): void {
    const opener = new Opener(context, socket, over);
    socket.reader = opener;
    context.waiting.add(opener);
    if (context.log.wants('debug')) {
      context.log.debug(`${opener.who}: accepted`, { id: opener.id, ip: opener.ip, port: socket.port });
    }
  }

  /** It has waited longest with its request, and another one comes. */
  giveWay(limit: 'maxHandshakes' | 'maxClients'): void {
    const { admission } = this.context;
    this.list.delete(this);
    admission.gaveWay(limit, this.ip);
    admission.leave(this.ip);
    this.state = 'gone';
    this.socket.destroy();
  }

  /** Its request has come, or never will. */
  private known(): void {
    this.list.delete(this);
    this.list = this.context.live;
    this.list.add(this);
  }

  get who(): string {
    return `#${this.id} ${this.ip}${this.path === '' ? '' : ` ${excerpt(this.path)}`}`;
  }

  // ---- reading

  onBytes(chunk: Buffer): void {
    if (this.state === 'asking') this.bytes = Buffer.concat([this.bytes, chunk]);
    if (this.state !== 'reading') return;
    this.bytes = this.bytes.length === 0 ? chunk : Buffer.concat([this.bytes, chunk]);
    const opening = readOpening(this.bytes, this.context.values.maxHead);
    if (opening.type !== 'more') this.known();
    switch (opening.type) {
      case 'more':
        if (this.bytes === chunk) this.bytes = Buffer.from(chunk);
        return;
      case 'tls':
        this.log('a TLS client on a listener for plain text: use wss:// in adress');
        this.socket.destroy();
        return;
      case 'refused':
        if (opening.refusal.status === 414 || opening.refusal.status === 431) this.context.limits.over('maxHead');
        this.http = opening.http;
        this.refuse(opening.refusal);
        return;
      case 'line':
        this.bytes = this.bytes.subarray(opening.length);
        this.decide(Candidate.fromLine(this.context, this.socket, opening));
        return;
      case 'head':
        this.readHead(opening.text, opening.length);
    }
  }

  onEnd(): void {
    this.ended = true;
    // Before its head is complete, a peer that has ended has said everything, and it was nothing.
    if (this.state === 'reading') this.socket.end();
  }

  onClose(): void {
    if (this.state === 'reading' && this.bytes.length > 0) this.log('left before its request was complete');
    if (this.state !== 'gone') this.context.admission.leave(this.ip);
    if (this.state !== 'handed') this.state = 'gone';
    this.context.deadlines.disarm(this);
    this.output?.dispose();
    this.list.delete(this);
    if (this.turnedAway) this.context.admission.wentAway();
    if (this.over !== null) this.context.admission.heardOut();
  }

  private readHead(text: string, length: number): void {
    const { values, handOver } = this.context;
    const head = parseHead(text, values.maxHeaders);
    if ('status' in head) {
      if (head.status === 431) this.context.limits.over('maxHeaders');
      this.refuse(head);
      return;
    }
    this.path = head.path;
    if (this.over !== null) {
      this.refuseRate(this.over);
      return;
    }
    if (!wantsUpgrade(head)) {
      this.handed();
      handOver(this.socket.detach(this.bytes), peerOf(this.id, this.socket));
      return;
    }
    const { ip, entrance } = this.socket;
    const refusal = checkUpgrade(head) ?? this.context.access.judgeHost(head, ip, entrance);
    if (refusal !== null) {
      this.refuse(refusal);
      return;
    }
    this.bytes = length === this.bytes.length ? NO_BYTES : this.bytes.subarray(length);
    this.decide(Candidate.fromHandshake(this.context, this.socket, head));
  }

  // ---- deciding

  private decide(candidate: Candidate): void {
    const { context } = this;
    const { request, route } = candidate;
    this.http = candidate.way !== 'line';
    this.path = request.path;
    const over = this.over ?? context.admission.move(this.ip, request.ip);
    this.ip = request.ip;
    if (over !== null) {
      this.refuseRate(over);
      return;
    }
    const refusal = context.draining ? DRAINING : candidate.refusal(context);
    if (refusal !== null) {
      this.refuse(refusal);
      return;
    }
    const limit = context.admission.refusal(request.ip, candidate.session(context)?.identity.ip);
    if (limit !== null) {
      this.turnAway(candidate, limit);
      return;
    }
    if (route === undefined || !candidate.accepted) {
      // Not all of the path: the packet has to fit the padded first frame of a script client.
      this.dismiss(candidate, CLOSE.NO_RESOURCE, `no such resource: ${excerpt(request.path)}`);
      return;
    }
    const guard = candidate.guard(context);
    if (guard === null && !asks(route)) this.admit(candidate, undefined);
    else this.ask(candidate, guard);
  }

  private turnAway(candidate: Candidate, limit: 'maxClients' | 'maxPerIP'): void {
    const { limits, admission } = this.context;
    const { code, text } = limits.over(limit);
    this.isNews = admission.news(limit, this.ip) !== null;
    this.turnedAway = true;
    admission.turnAway();
    this.dismiss(candidate, code, limit === 'maxPerIP' ? text + this.ip : text);
  }

  private refuseRate(limit: RateName): void {
    this.isNews = false; // admission has said it, or has not
    this.refuse(this.context.admission.describe(limit));
  }

  /** Lets authentication and the resource decide; what comes meanwhile waits. */
  private ask(candidate: Candidate, guard: Guard | null): void {
    const { context, id, who } = this;
    this.state = 'asking';
    context.deadlines.arm(this, context.values.handlerTimeout);
    this.socket.pause();
    if (guard === null) {
      this.askResource(candidate);
      return;
    }
    const examined = (found: Refusal | Pass): void => {
      if ('status' in found) {
        this.refuse(found);
        return;
      }
      candidate.passes(found);
      this.askResource(candidate);
    };
    this.await('authentication', () => candidate.examine(context, guard, { id, who }), examined);
  }

  private askResource(candidate: Candidate): void {
    const { resource } = candidate.route ?? {};
    const answered = (verdict: Refusal | Additions): void => {
      if ('status' in verdict) this.refuse(verdict);
      else this.admit(candidate, verdict);
    };
    this.await('onHandshake', () => resource?.onHandshake?.(candidate.request), answered, readAnswer);
  }

  /**
   * Waits for an answer, unless it is there at once.
   * @param what for the log, if it fails.
   * @param read what becomes of the answer; what it throws counts as thrown by who was asked.
   */
  private await<Answer, Read = Answer>(
    what: string,
    ask: () => Answer | Promise<Answer>,
    then: (read: Read) => void,
    read: (answer: Answer) => Read = (answer) => answer as unknown as Read,
  ): void {
    const failed = (error: unknown): void => {
      const late = this.state === 'asking' ? '' : ', its client was refused or has gone already';
      this.context.log.error(`${this.who}: ${what} failed${late}: ${describeThrown(error)}`, {
        id: this.id,
        stack: traceOf(error),
      });
      if (late !== '') return;
      this.refuse({ status: 500, text: what === 'onHandshake' ? 'the resource failed' : `${what} failed` });
    };
    const answered = (answer: Answer): void => {
      if (this.state !== 'asking') return;
      let verdict: Read;
      try {
        verdict = read(answer);
      } catch (error) {
        failed(error);
        return;
      }
      then(verdict);
    };
    let answer: Answer | Promise<Answer>;
    const { stalls } = this.context;
    const began = stalls.begin();
    try {
      answer = ask();
    } catch (error) {
      failed(error);
      return;
    } finally {
      stalls.end(began, this);
    }
    const promise = promiseOf(answer);
    if (promise === null) answered(answer as Answer);
    else {
      this.bytes = Buffer.from(this.bytes); // the chunk that they lie in is gone before the answer comes
      promise.then(answered, failed);
    }
  }

  private admit(candidate: Candidate, additions: Additions = {}): void {
    const { context, socket } = this;
    const session = comeBack(context, candidate, this, additions);
    // Who has not come back after all has no place of that session's.
    const limit = session === null && candidate.received !== null ? context.admission.refusal(this.ip) : null;
    if (limit !== null) {
      this.turnAway(candidate, limit);
      return;
    }
    this.handed();
    const connection = admit(context, socket, candidate, this, additions, session);
    socket.resume();
    connection.start(this.bytes, this.ended);
    this.bytes = NO_BYTES;
  }

  private handed(): void {
    this.state = 'handed';
    this.list.delete(this);
    this.context.deadlines.disarm(this);
  }

  // ---- refusing

  /** With an HTTP response, or a `close` packet for who speaks in lines. */
  private refuse(refusal: Refusal): void {
    this.log(`refused: ${refusal.status} ${refusal.text}`, refusal.status);
    this.leaving();
    if (this.http) this.socket.write(refusalResponse(refusal));
    else this.socket.write(Buffer.from(`${closePacket(refusal.text)}\n`));
    this.socket.end();
    this.socket.resume();
  }

  /** Completes the opening, with a `close` packet in place of `ready`, then Close frame and FIN. */
  private dismiss(candidate: Candidate, code: number, error: string): void {
    this.log(`refused: ${code} ${error}`, code);
    this.leaving();
    candidate.dismiss(this.context, this.socket, error);
    const engine = candidate.engine(this.context)(DEAF);
    if (candidate.way === 'script') {
      const output = new ScriptOutput(this.socket, engine, this.context, this);
      output.startPacing();
      this.output = output;
    } else this.output = new Output(this.socket, engine, this.context, this);
    this.output.finish(null, engine.closeFrame(code, error));
    this.socket.resume();
  }

  /** From here on it is given time to read why, and to go. */
  private leaving(): void {
    if (this.list === this.context.waiting) this.known();
    this.state = 'leaving';
    this.bytes = NO_BYTES;
    this.context.deadlines.arm(this, this.context.values.closeTimeout);
  }

  private log(text: string, code = 0): void {
    const level = !this.isNews ? 'debug' : WORTH_A_LOOK.has(code) ? 'warn' : 'info';
    this.context.log[level](`${this.who} ${text}`, { id: this.id, ip: this.ip, path: excerpt(this.path), code });
  }

  // ---- what may happen to it meanwhile

  expire(): void {
    if (this.state === 'reading') {
      const { text } = this.context.limits.over('headTimeout');
      this.refuse({ status: 408, text });
    } else if (this.state === 'asking') {
      const { text } = this.context.limits.over('handlerTimeout');
      this.refuse({ status: 503, text });
    } else {
      this.context.limits.over('closeTimeout');
      this.socket.destroy();
    }
  }

  onSlow(): void {
    this.socket.destroy();
  }

  stop(): void {
    if (this.state === 'reading' && this.bytes.length === 0) this.socket.destroy();
    else if (this.state === 'reading' || this.state === 'asking') this.refuse(DRAINING);
  }

  cut(): void {
    this.socket.destroy();
  }

  destroy(): void {
    this.socket.destroy();
  }
}
