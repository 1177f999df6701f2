/**
 * The seam between bytes and messages. One file of this folder implements it for each way to frame messages:
 * rfc6455.ts (WebSocket) and lines.ts (newline-delimited text). Pure: no sockets, no timers, no logger.
 */

/** What can be wrong with a peer's bytes. The connection turns it into a close code, a reason, a log line and a counter. */
export type Fault = 'protocol' | 'utf8' | 'deflate' | 'maxPayload' | 'maxFragments';

/** Who takes what an engine finds in the bytes; called in the order of the wire. */
export interface Receiver {
  /**
   * One whole message: `bytes[start..end)`. They belong to the receiver only until it returns, unless `owned`.
   * `ascii`: every byte is below 0x80. Text has been checked for UTF-8 already, unless `Engine.raw` was set or the
   * message starts with `EngineOptions.rawPrefix`.
   * @returns false to be given nothing more until `Engine.resume()`.
   */
  onMessage(bytes: Buffer, start: number, end: number, binary: boolean, ascii: boolean, owned: boolean): boolean;
  onPing(payload: Buffer): void;
  onPong(payload: Buffer): void;
  /** `code` is 1005 where the Close frame held none. */
  onCloseFrame(code: number, reason: string): void;
  /** The peer broke a rule: nothing of it is decoded from here on. */
  onFault(fault: Fault, text: string): void;
}

/** Shared by all connections of a resource; never changed while one of them lives. */
export interface EngineOptions {
  /** Largest message, in bytes. */
  readonly maxPayload: number;
  /** Most frames in one message; 0: no limit. */
  readonly maxFragments: number;
  /** Text that starts with these (ASCII) bytes is handed over unchecked; null: all text is checked. */
  readonly rawPrefix: Buffer | null;
}

/** Compresses what is sent, where that was agreed upon (RFC 7692). */
export interface MessageCompressor {
  /** Frames of one message with one key are the same; '': they are for one connection alone. */
  readonly key: string;
  /**
   * @param always compress it however short it is.
   * @returns the frame of the message, compressed; null: it is to be sent as it is, too short or not getting any shorter.
   * @throws CompressionError if it can be made in no way.
   */
  frame(data: string | Buffer, binary: boolean, always: boolean): string | Buffer | null;
}

export interface Engine {
  /** Who takes what it finds. */
  receiver: Receiver;
  /** Name of the framing: what is encoded for one engine serves every engine of the same name. */
  readonly framing: string;
  /** It has Close frames: a peer that ends without one is at fault. */
  readonly hasClose: boolean;
  /** What compresses the messages that are sent; null: nothing does. */
  readonly compressor: MessageCompressor | null;
  /** Text is handed over unchecked while this is true (pieces of a message may be cut inside a character). */
  raw: boolean;
  /** Frames of any kind, or lines, that have come so far. */
  readonly frames: number;
  /** A message, or a control frame outside of one, has begun and is not complete; not while what came is held. */
  readonly midway: boolean;
  /** Grows with each that is complete. */
  readonly completed: number;

  /** Takes the next bytes of the peer. They may be overwritten here; what is kept after the return has been copied. */
  decode(chunk: Buffer): void;
  /** Keeps what comes, as if a receiver had returned false. */
  hold(): void;
  /** Goes on after a receiver had returned false. */
  resume(): void;
  /** The peer has sent its FIN: what can still be made a message is handed over. */
  end(): void;
  /** Nothing more is decoded. */
  stop(): void;

  /** What stands before `length` bytes of payload, as a latin1 string. */
  prefix(length: number, binary: boolean): string;
  /** What stands after a payload. */
  readonly suffix: string;
  /** What stands before a fragment of `length` bytes, `begun`: not the first of its message. The last fragment is `lastFragment`. */
  fragmentPrefix(length: number, binary: boolean, begun: boolean): string;
  /** What ends a message in fragments: an empty fragment, as a latin1 string. */
  readonly lastFragment: string;
  /** `text` as this framing can carry it. */
  clean(text: string): string;
  /** `bytes` as this framing can carry them. */
  cleanBytes(bytes: Buffer): Buffer;
  /** A whole Close, Ping or Pong frame as a latin1 string; '' where the framing has none. */
  closeFrame(code: number, reason: string): string;
  pingFrame(payload: Buffer): string;
  pongFrame(payload: Buffer): string;
}
