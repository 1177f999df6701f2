import { CLOSE, messageOf } from '../errors.ts';
import { CompressionError } from '../wire/codec.ts';
import type { Engine } from '../wire/engine.ts';
import { lookAhead } from './ahead.ts';
import type { ClientLink, Identity, Kind, LinkedClient } from './client.ts';
import type { ConnectionContext } from './context.ts';
import type { Dialog } from './dialog.ts';
import type { Outgoing } from './encode.ts';
import { type MessageSource, sendInFragments, sendWhole } from './fragments.ts';
import type { Output } from './output.ts';
import { type RequestHost, Requests } from './requests.ts';
import { enterRoom } from './rooms.ts';
import type { Route } from './route.ts';
import type { Session } from './session.ts';
import { logStray } from './thrown.ts';

/** The half of a connection that whoever has its client, or routes to it, sends by. */
export abstract class Sender implements ClientLink, RequestHost {
  abstract readonly identity: Identity;
  abstract readonly engine: Engine;
  abstract readonly output: Output;
  protected abstract readonly context: ConnectionContext;
  abstract readonly client: LinkedClient;
  abstract readonly app: string;
  abstract readonly dialog: Dialog;
  protected abstract readonly route: Route;
  /** What its client has beyond this connection; null: nothing. */
  protected abstract readonly session: Session | null;

  /** Whether the next message may be handled now. */
  abstract get ready(): boolean;
  /** Whether it is read while a handler is in flight, for the sake of an answer. */
  abstract get listens(): boolean;
  /** It is open, and its client may still send something. */
  abstract get answers(): boolean;
  /** Not closed, nor about to be. */
  abstract get open(): boolean;
  /** Nothing is sent to it any more. */
  abstract get isGone(): boolean;
  /** What a resource, or the source of a message, has thrown. */
  abstract onThrown(error: unknown): void;
  /** Closes at once, whatever is in flight. */
  abstract fail(code: number, reason: string): false;
  abstract close(code: number, reason: string): void;
  abstract goOn(): void;
  /** Lets the socket be read, or not, as the state asks for. */
  abstract steer(): void;

  get id(): number {
    return this.identity.id;
  }
  get uuid(): string {
    return this.identity.uuid;
  }
  get ident(): string {
    return this.identity.ident;
  }
  get kind(): Kind {
    return this.identity.kind;
  }
  get byUuid(): boolean {
    return !this.isScript;
  }

  /** `#id ip path`, for the log. */
  get who(): string {
    return `#${this.id} ${this.identity.ip} ${this.identity.path}`;
  }

  get detached(): boolean {
    return false;
  }

  get bufferedAmount(): number {
    return this.output.waiting;
  }

  /** A client of kind `tcp` that speaks WebSocket. */
  protected get isScript(): boolean {
    return this.identity.kind === 'tcp' && this.engine.hasClose;
  }

  get dropped(): number {
    return this.output.dropped;
  }

  send(data: string | Buffer, binary: boolean, compress?: boolean, droppable = false): boolean {
    if (this.isGone || (droppable && this.output.drops())) return false;
    try {
      return this.output.send(data, binary, compress);
    } catch (error) {
      return this.unsent(error);
    }
  }

  sendFragmented(source: MessageSource, binary: boolean | undefined): Promise<boolean> {
    // Scripts take unfragmented frames alone (PROTOCOL.md §4). And what bufferOFF brings about follows its `next`, which may
    // be waiting for this very message to be queued.
    if (this.isScript || this.output.awaitsNext) {
      return sendWhole(this, source, binary, this.context.values.sendQueue);
    }
    return sendInFragments(this.output, source, binary, (error) => this.onThrown(error));
  }

  deliver(outgoing: Outgoing): boolean {
    if (this.isGone || (outgoing.droppable && this.output.drops())) return false;
    try {
      return this.output.share(outgoing);
    } catch (error) {
      return this.unsent(error);
    }
  }

  enter(room: string, has: number): boolean {
    return enterRoom(this.context, this, room, has);
  }

  exit(room: string): void {
    this.context.registry.exit(this, room);
  }

  answering(): Requests {
    if (!this.route.dialog) throw new TypeError('at a resource with dialog = false no client can be asked');
    const requests = new Requests(this.context, this);
    this.dialog.asked(requests);
    return requests;
  }

  lookAhead(): void {
    lookAhead(this, this.context.values.maxPayload);
  }

  onAsked(): void {
    this.lookAhead();
    if (this.listens) this.goOn();
  }

  onAnswered(): void {
    this.steer();
  }

  onLast(code: number, byClient: boolean): void {
    // With a session it may still answer by another connection.
    if (!(this.session?.survives(code, byClient) ?? false)) this.client.requests?.close();
  }

  ping(payload: Buffer): boolean {
    if (!this.open || this.identity.kind !== 'websocket') return false;
    this.output.control(this.engine.pingFrame(payload));
    return true;
  }

  stop(code: number, reason: string): void {
    this.close(code, reason);
  }

  cut(code: number, reason: string): void {
    this.fail(code, reason);
  }

  onStray(callback: string, error: unknown): void {
    logStray(this.context.log, this, callback, error);
  }

  /** A message that could not be compressed ends this client, not whoever sent it. */
  private unsent(error: unknown): false {
    if (!(error instanceof CompressionError)) throw error;
    this.context.log.error(`${this.who}: a message to it was not sent: ${messageOf(error)}`, { id: this.identity.id });
    return this.fail(CLOSE.FAILED, 'a message could not be compressed');
  }
}
