/** What a message is answered with when it was handled. */
export interface Next {
  /** Of feedback and broadcast: the clients that it was queued for. */
  readonly delivered?: number;
  /** Why it had no effect. */
  readonly error?: string;
  /** What the resource added. */
  readonly [field: string]: unknown;
}

/** Opcodes, and the fields of their packets: `{ feedback: { message: string } }`. */
export type PacketMap = Record<string, { readonly [field: string]: unknown }>;

/** The packet of an opcode. */
export type PacketOf<Packets, Opcode extends keyof Packets> = Packets[Opcode] & { readonly opcode: Opcode };

/** Any packet. */
export type AnyPacket<Packets> = { [Opcode in keyof Packets]: PacketOf<Packets, Opcode> }[keyof Packets];

/** What can be sent: a packet goes as JSON, text as text, bytes as a binary message. */
export type Message = { readonly opcode: string } | string | Uint8Array | ArrayBuffer;

/** `waiting`: for the next attempt. `closed`: for good. */
export type State = 'connecting' | 'open' | 'waiting' | 'closed';

/** Why a connection is in its state. */
export interface StateDetail {
  /** Of the close, or the HTTP status of a refusal where that can be seen; 0: neither. */
  readonly code: number;
  /** What the daemon said, or the network; '' if nothing. */
  readonly reason: string;
  /** What the code means; '' if there is none. */
  readonly words: string;
  /** To come back, since one held: 1 is the first, 0: none was needed. */
  readonly attempt: number;
  /** Milliseconds until it is made. */
  readonly delay: number;
}

/** Milliseconds, messages and bytes; each has a default. */
export interface Options {
  /** Messages that are sent before the first of them is acknowledged. Default 16. */
  readonly pipeline?: number;
  /** What may wait, sent and not acknowledged included: over it `send` rejects. Default 1000 messages, 1 MiB; one message alone may be longer. */
  readonly queue?: { readonly messages?: number; readonly bytes?: number };
  /** Further subprotocols. */
  readonly protocols?: readonly string[];
  /** For `[auth]`: a token, or what gives one, asked at each attempt. */
  readonly token?: string | (() => string | Promise<string>);
  /** The delay before an attempt: by chance, up to `min` at first, then twice that and so on, up to `max`. Default 500 and 30000. */
  readonly backoff?: { readonly min?: number; readonly max?: number };
  /** Silence after which the daemon is asked whether it is there; an attempt is given up after it. Default 25000. */
  readonly pingInterval?: number;
  /** Silence after that, until the link is taken for dead. Default 10000. */
  readonly pingTimeout?: number;
  /** false: without a session, by the plain dialog. Default true. */
  readonly resume?: boolean;
  /**
   * Whether messages that may have been handled are sent again, where the daemon does not know the session any more. Default: with
   * sessions yes, marked `again` for the resource to see; without them no, `send` rejects with LostError.
   */
  readonly again?: boolean;
  /** Default: the global one. */
  readonly WebSocket?: new (
    url: string,
    protocols: string[],
  ) => object;
}
