import type { Client, Scheme, SendOptions } from '../connection/client.ts';
import type { Callbacks, Handled, MessageInfo, Notice } from '../connection/route.ts';
import { type Packet, parsePacket } from '../packet/packet.ts';
import type { CompressionSettings } from '../wire/deflate.ts';
import type { RoomTarget } from './rooms.ts';
import type { Server } from './server.ts';

/**
 * A comfortable base class for resources: the required methods, empty, and what most of them do. A class that extends
 * nothing serves as well, if it has `onData`, `onClose`, `onError` and `onOther`.
 */
export class Resource implements Callbacks {
  /** The path it is registered for; default: the file's name, `default` being `/`. */
  static path?: string;
  /** Whom it takes; default: all four. */
  static accepts?: readonly Scheme[];
  /** Whose broadcasts its clients hear; default: its own path. */
  static app?: string;
  /**
   * Takes scripts, lines and posts that show a ticket; default false. They may do what `server.may` allows, and nothing but
   * that: a resource that takes them asks it before it does anything for a client of kind `tcp`.
   */
  static tickets?: boolean;
  /** ready, next, bufferON/bufferOFF and close packets; default true. False: a plain message socket. */
  static dialog?: boolean;
  /** `buffer`: text is handed out as Buffer, checked for UTF-8 but not decoded; default `string`. */
  static text?: 'string' | 'buffer';
  /** `borrowed`: a Buffer handed out is valid until `onData` returns, not to be written to, and not copied; default `owned`. */
  static buffers?: 'owned' | 'borrowed';
  /**
   * Compress messages with web clients that offer it (RFC 7692); default: what `[compression]` says. An object is `true`,
   * with its own `threshold` (bytes), `level` (1 fast to 9 small) and `contextTakeover`.
   */
  static compression?: boolean | Partial<CompressionSettings>;

  /** The daemon; set before the first client comes. */
  protected server!: Server;

  /** Called once, at the start. */
  registerServer(server: Server): void {
    this.server = server;
  }

  /** A message. What it returns, or its promise resolves to, is added to the message's `next`. */
  onData(_client: Client, _message: string | Buffer, _info: MessageInfo): Handled | Promise<Handled> {
    return undefined;
  }

  /** The client has gone; `code` is 1006 where it went without a Close frame. */
  onClose(_client: Client, _code: number, _reason: string): void | Promise<void> {}

  /** Something that a callback of this resource threw; the client is closed with 1011 next. */
  onError(_client: Client, _error: unknown): void | Promise<void> {}

  /** What is no message: see {@link Notice}. */
  onOther(_client: Client, _notice: Notice): void | Promise<void> {}

  /**
   * The packet in a message.
   * @throws an error that, left alone, closes the client with 1007 and says why.
   */
  getPacket(message: string | Buffer): Packet {
    return parsePacket(message);
  }

  /** Sends a message back to its sender, as text. */
  echo(client: Client, message: string | Buffer): boolean {
    return client.send(message, { binary: false });
  }

  /** Sends a text to every other client of kind `websocket` in this app. @returns for how many it was queued. */
  broadcast(client: Client, message: string | Buffer, options?: Omit<SendOptions, 'binary'>): number {
    return this.server.broadcast(message, { ...options, except: client.id, binary: false });
  }

  /**
   * Sends `message` to whom the packet in it names by `uuid` or `ident`.
   * @returns for how many clients it was queued.
   */
  feedback(
    _client: Client,
    packet: Packet,
    message?: string | Buffer,
    options?: Pick<SendOptions, 'droppable'>,
  ): number {
    return this.server.feedback(packet, { ...options, text: message });
  }

  /** The clients of this app that are in one of some rooms: `this.to('news').except(client).send(text)`. @throws TypeError for what is no room. */
  to(...rooms: string[]): RoomTarget {
    return this.server.to(...rooms);
  }

  /** Closes a client: see `client.close`. */
  close(client: Client, code?: number, reason?: string): void {
    client.close(code, reason);
  }

  /** Writes a line to the daemon's log. */
  log(text: string): void {
    this.server.log(text);
  }
}
