import { isUtf8 } from 'node:buffer';
import { CLOSE } from '../errors.ts';
import { type Header, isControl, nextOf, PONG, readControl, readHeader } from '../packet/envelope.ts';
import { Pieces } from '../packet/pieces.ts';
import { Dialog, type DialogContext, type DialogHost } from './dialog.ts';
import type { Handled, MessageInfo, Route } from './route.ts';

/** The session, as its dialog needs it. */
export interface SessionHost extends DialogHost {
  /** The highest id of a message that was handled, or is being handled. */
  lastId: number;
  /** Whether the message with `id` may have been handled in part, by the daemon before this one. */
  isUnsure(id: number): boolean;
  /** The client has its first connection, or another one. */
  onConnected(): boolean;
  /** The client has received so many messages. @returns false: it cannot have, and is closed. */
  acknowledged(received: number): boolean;
  /** A message was handled. @param packet its `next`; undefined: there is nothing to say of it. */
  onNext(id: number, packet: string | undefined): void;
  /** A message that was handled, or is being handled, has come again. */
  onRepeated(id: number): void;
}

const INFO_TEXT: MessageInfo = { binary: false, buffered: false, again: false };
const INFO_BINARY: MessageInfo = { binary: true, buffered: false, again: false };

/**
 * The messages of one client over all connections of its session, each with an id and handled once (PROTOCOL.md §9). A handler
 * in flight outlives the connection that its message came by.
 */
export class SessionDialog extends Dialog {
  private readonly session: SessionHost;
  /** A message in pieces, as far as it has come by this connection. */
  private parts: { readonly id: number; readonly pieces: Pieces } | null = null;

  constructor(session: SessionHost, route: Route, context: DialogContext) {
    super(session, route, context);
    this.session = session;
  }

  override open(): void {
    if (this.session.onConnected()) super.open();
  }

  /** Its connection is lost, and with it what came of a message. What is in flight goes on. */
  override cut(): void {
    this.parts = null;
  }

  /** The session has ended. */
  end(): void {
    this.parts = null;
    this.busy = false;
  }

  override onMessage(b: Buffer, start: number, end: number, binary: boolean, ascii: boolean, owned: boolean): boolean {
    if (!binary && isControl(b, start, end)) return this.control(b, start, end);
    const { session } = this;
    const header = readHeader(b, start, end);
    if (typeof header === 'string') return session.fail(CLOSE.PROTOCOL, header);
    const { id, ack } = header;
    if (ack !== undefined && !session.acknowledged(ack)) return false;
    if (this.parts !== null && this.parts.id !== id) {
      return session.fail(CLOSE.PROTOCOL, `message ${id} inside of message ${this.parts.id}, which is not complete`);
    }
    if (id <= session.lastId) {
      if (!header.more) session.onRepeated(id);
      return session.ready;
    }
    if (id !== session.lastId + 1) {
      return session.fail(CLOSE.PROTOCOL, `message ${id} follows message ${session.lastId}`);
    }
    const from = start + header.length;
    if (header.more || this.parts !== null) return this.part(header, b, from, end, binary);
    if (!binary && !ascii && !isUtf8(b.subarray(from, end))) {
      return session.fail(CLOSE.INVALID, 'a text message is not UTF-8');
    }
    const bytes = b.subarray(from, end);
    const raw = binary || this.route.textAsBuffer;
    const message = !raw ? bytes.toString() : owned || this.route.borrowed ? bytes : Buffer.from(bytes);
    return this.accept(header, message, binary, false);
  }

  /** What comes twice has been looked at, and control packets have no turn. */
  override foresee(b: Buffer, start: number, end: number, binary: boolean): boolean {
    if (binary) return false;
    if (isControl(b, start, end)) {
      this.control(b, start, end);
      return true;
    }
    const header = readHeader(b, start, end);
    if (typeof header === 'string' || header.more || header.id <= this.session.lastId) return false;
    this.session.client.requests?.foresee(b.subarray(start + header.length, end));
    return false;
  }

  private control(b: Buffer, start: number, end: number): boolean {
    const { session } = this;
    const packet = readControl(b, start, end);
    if (typeof packet === 'string') return session.fail(CLOSE.PROTOCOL, packet);
    if (packet.opcode === 'ack') return session.acknowledged(packet.received) && session.ready;
    session.output.next(PONG);
    return session.ready;
  }

  /** A piece of a message: not the last one, or behind others. */
  private part(header: Header, b: Buffer, from: number, end: number, binary: boolean): boolean {
    const { session } = this;
    this.parts ??= { id: header.id, pieces: new Pieces(this.context.values) };
    const { pieces } = this.parts;
    const over = pieces.add(b, from, end, binary);
    if (over !== null) return session.exceeded(over);
    if (header.more) return session.ready;
    this.parts = null;
    const whole = pieces.join();
    if (whole === null) return session.fail(CLOSE.INVALID, 'the joined pieces of a text message are not UTF-8');
    const message = pieces.binary || this.route.textAsBuffer ? whole : whole.toString();
    return this.accept(header, message, pieces.binary, true);
  }

  /** A whole message that has not been handled yet. */
  private accept({ id, again }: Header, message: string | Buffer, binary: boolean, buffered: boolean): boolean {
    const { session } = this;
    if (!session.open) return false;
    session.lastId = id;
    if (message.length === 0) {
      session.onNext(id, undefined);
      return session.ready;
    }
    const marked = again || session.isUnsure(id);
    const plain = binary ? INFO_BINARY : INFO_TEXT;
    return this.handle(message, marked || buffered ? { binary, buffered, again: marked } : plain, false);
  }

  protected override done(fields: Handled): void {
    const { session } = this;
    const { lastId } = session;
    let packet: string | undefined;
    try {
      if (typeof fields === 'object' && fields !== null) packet = nextOf(lastId, fields);
    } catch (error) {
      session.onThrown(error); // what JSON cannot hold
      return;
    }
    session.onNext(lastId, packet);
    session.onHandled();
  }
}
