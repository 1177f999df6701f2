import { CLOSE, messageOf } from '../errors.ts';
import { CompressionError } from '../wire/codec.ts';
import type { Engine } from '../wire/engine.ts';
import type { ClientLink, Identity, Kind } from './client.ts';
import type { ConnectionContext } from './context.ts';
import type { Outgoing } from './encode.ts';
import { type MessageSource, sendInFragments, sendWhole } from './fragments.ts';
import type { Output } from './output.ts';
import { logStray } from './thrown.ts';

/** The half of a connection that whoever has its client, or routes to it, sends by. */
export abstract class Sender implements ClientLink {
  abstract readonly identity: Identity;
  abstract readonly engine: Engine;
  abstract readonly output: Output;
  protected abstract readonly context: ConnectionContext;

  /** Not closed, nor about to be. */
  abstract get open(): boolean;
  /** Nothing is sent to it any more. */
  abstract get isGone(): boolean;
  /** What a resource, or the source of a message, has thrown. */
  abstract onThrown(error: unknown): void;
  /** Closes at once, whatever is in flight. */
  abstract fail(code: number, reason: string): false;
  abstract close(code: number, reason: string): void;

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

  ping(payload: Buffer): boolean {
    if (!this.open || this.identity.kind !== 'websocket') return false;
    this.output.control(this.engine.pingFrame(payload));
    return true;
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
