import { escaped } from '../packet/envelope.ts';
import type { ClientLink, Identity, Kind, LinkedClient } from './client.ts';
import type { Debts } from './debts.ts';
import type { Outgoing } from './encode.ts';
import { type MessageSource, sendInFragments } from './fragments.ts';
import { KeptMessages, KeptNexts, type Pool } from './kept.ts';
import type { Limits } from './limits.ts';
import { escapedPieces, NumberedOutput } from './numbered.ts';
import type { Output } from './output.ts';
import type { Registry } from './registry.ts';
import { type RequestHost, Requests } from './requests.ts';
import { enterRoom } from './rooms.ts';
import type { Route } from './route.ts';
import type { SessionDialog } from './sessiondialog.ts';
import type { Log } from '../log.ts';
import type { Deadlines } from '../transport/deadlines.ts';

/** A connection, as its session sends by it. */
export interface SendingConnection {
  readonly output: Output;
  readonly bufferedAmount: number;
  readonly dropped: number;
  send(data: string | Buffer, binary: boolean, compress?: boolean): boolean;
  deliver(outgoing: Outgoing): boolean;
  ping(payload: Buffer): boolean;
  readonly listens: boolean;
  lookAhead(): void;
  onAsked(): void;
  steer(): void;
}

export interface SendingContext {
  readonly log: Log;
  readonly limits: Limits;
  readonly debts: Debts;
  readonly registry: Registry;
  readonly deadlines: Deadlines;
}

/** The half of a session that whoever has its client, or routes to it, sends by: what is sent is kept until the client has it. */
export abstract class SessionSender implements ClientLink, RequestHost {
  abstract readonly identity: Identity;
  abstract readonly route: Route;
  abstract readonly client: LinkedClient;
  abstract readonly dialog: SessionDialog;
  abstract readonly answers: boolean;
  readonly kind: Kind = 'websocket';
  readonly byUuid = true;
  readonly kept: KeptMessages;
  readonly nexts: KeptNexts;
  protected abstract readonly context: SendingContext;
  /** null: it waits. */
  protected abstract readonly connection: SendingConnection | null;
  /** Droppable messages that were dropped before this connection. */
  protected droppedBefore = 0;
  /** It has been logged that messages are dropped. */
  protected overflowed = false;
  protected ended = false;
  /** What was kept is being sent again: what comes meanwhile has its turn behind it. */
  private replaying = false;

  /** @param pool of all sessions. */
  constructor({ values }: Limits, pool: Pool) {
    this.kept = new KeptMessages(values, pool, (limit) => this.onOverflow(limit));
    this.nexts = new KeptNexts(values, pool);
  }

  abstract close(code: number, reason: string): void;
  /** What the source of a message has thrown. */
  abstract onThrown(error: unknown): void;

  get id(): number {
    return this.identity.id;
  }
  get uuid(): string {
    return this.identity.uuid;
  }
  get ident(): string {
    return this.identity.ident;
  }
  get app(): string {
    return this.route.app;
  }
  get who(): string {
    return `#${this.id} ${this.identity.ip} ${this.identity.path}`;
  }
  get detached(): boolean {
    return this.connection === null;
  }
  get bufferedAmount(): number {
    return this.connection?.bufferedAmount ?? this.kept.bytes;
  }

  get dropped(): number {
    return this.droppedBefore + (this.connection?.dropped ?? 0);
  }

  get isGone(): boolean {
    return this.ended;
  }

  send(data: string | Buffer, binary: boolean, compress?: boolean, droppable = false): boolean {
    if (this.ended || (droppable && this.drops())) return false;
    const message = binary ? data : escaped(data);
    this.kept.add(typeof message === 'string' ? message : Buffer.from(message), binary, compress);
    if (!this.replaying) this.connection?.send(message, binary, compress);
    return !this.ended;
  }

  deliver(outgoing: Outgoing): boolean {
    if (this.ended || (outgoing.droppable && this.drops())) return false;
    const message = outgoing.escaped;
    this.kept.add(message.lasting, message.binary, message.compress, message.length);
    if (!this.replaying) this.connection?.deliver(message);
    return !this.ended;
  }

  /** Sends what is kept. For lack of memory that may close others, whose resources tell this client of it. */
  protected replay(): void {
    const { kept } = this;
    this.replaying = true;
    try {
      let batch = kept.all.slice();
      while (batch.length > 0) {
        const { sent } = kept;
        for (const { data, binary, compress } of batch) {
          if (data !== null) this.connection?.send(data, binary, compress);
        }
        const more = kept.sent - sent;
        batch = more === 0 ? [] : kept.all.slice(-more);
      }
    } finally {
      this.replaying = false;
    }
  }

  /** Whether a message that may be dropped is: late it is worth nothing, so it is not kept. */
  private drops(): boolean {
    if (this.connection !== null) return this.connection.output.drops();
    this.droppedBefore++;
    this.context.debts.dropped++;
    return true;
  }

  /** It is numbered with its first piece, but not kept. */
  sendFragmented(source: MessageSource, binary: boolean | undefined): Promise<boolean> {
    const output = new NumberedOutput(this);
    return sendInFragments(output, escapedPieces(source, binary), binary, (error) => this.onThrown(error));
  }

  /** Where a message may begin now; null: nowhere, it waits. */
  get currentOutput(): Output | null {
    return this.connection?.output ?? null;
  }

  enter(room: string, has: number): boolean {
    return enterRoom(this.context, this, room, has);
  }

  exit(room: string): void {
    this.context.registry.exit(this, room);
  }

  answering(): Requests {
    const requests = new Requests(this.context, this);
    this.dialog.asked(requests);
    return requests;
  }

  get listens(): boolean {
    return this.connection?.listens ?? false;
  }

  lookAhead(): void {
    this.connection?.lookAhead();
  }

  onAsked(): void {
    this.connection?.onAsked();
  }

  onAnswered(): void {
    this.connection?.steer();
  }

  ping(payload: Buffer): boolean {
    return this.connection?.ping(payload) ?? false;
  }

  /** Bytes that are kept for it. */
  get size(): number {
    return this.kept.bytes + this.nexts.bytes;
  }

  /** Drops what is oldest until no more than so many bytes are kept: it keeps more than others. */
  trim(most: number): void {
    while (this.size > most) {
      if (this.nexts.bytes > this.kept.bytes) this.nexts.drop();
      else this.kept.drop('maxKept');
    }
  }

  private onOverflow(limit: 'keepPackets' | 'keepBytes' | 'maxKept'): void {
    const { limits, log } = this.context;
    const { text } = limits.over(limit);
    if (this.overflowed) return;
    this.overflowed = true;
    log.warn(`${this.who}: over ${limits.optionOf(limit)}: ${text}: what is dropped is lost with its connection`, {
      id: this.id,
      limit,
    });
  }
}
