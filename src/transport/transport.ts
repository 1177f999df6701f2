import type { Socket } from 'node:net';
import type { ListenAddress } from './address.ts';

/**
 * The seam between sockets and everything above: one file of this folder implements it. A transport accepts sockets,
 * ends TLS, and moves bytes; what the bytes mean is not its business.
 */
export interface Transport {
  /**
   * Listens on every address that `address` stands for.
   * @throws WebsockError WEBSOCK_START if none of them can be had (port taken, no permission), in words for the operator.
   */
  listen(address: ListenAddress, accept: Accept): Promise<Listener>;
}

/**
 * Takes a socket that was just accepted, its TLS handshake done; it must set `socket.reader` before it returns.
 * @param counted it has waited, and the Lobby has counted it: from here on it is for this to see that it leaves.
 */
export type Accept = (socket: TransportSocket, counted: boolean) => void;

/** Counts those who wait in the transport, for their first byte or in their TLS handshake: nobody above knows them yet. */
export interface Lobby {
  /** How many may wait at one listener: one more, and who has waited longest goes. 0: as many as come. */
  readonly most: number;
  /** There is no room for one more, wherever it waits: who has waited longest goes, if a second or more. */
  readonly full: boolean;
  /** One from `ip` begins to wait. @returns whether it may. */
  enter(ip: string): boolean;
  /** It turns out to be from `to`: `from` is a proxy. @returns whether it may go on waiting. */
  move(from: string, to: string): boolean;
  /** It has gone before it was accepted. */
  leave(ip: string): void;
  /** It goes for this. */
  over(limit: 'tlsTimeout' | 'maxHandshakes' | 'maxClients', ip: string): void;
}

export interface Listener {
  /** What it listens on: `127.0.0.1:8096`, `[::1]:8096`, `/run/websock.sock`; one for each address of a name. */
  readonly endpoints: readonly string[];
  readonly address: ListenAddress;
  /** Takes no more sockets; those it accepted live on. */
  close(): Promise<void>;
}

/** What a socket came in by. */
export interface Entrance {
  /**
   * A loopback address: nobody but this machine reaches it, and whatever page its browsers show. Not so a Unix socket, nor
   * a listener that asks for PROXY headers.
   */
  readonly loopback: boolean;
  /** The host in `adress`, in lower case and IPv6 without brackets; '' for a Unix socket. */
  readonly name: string;
}

/** A stream of bytes to and from one peer. */
export interface TransportSocket {
  /** The peer's address without brackets, IPv4 in its dotted form; `unix` for a Unix socket. */
  readonly ip: string;
  /** The peer's port; 0 for a Unix socket. */
  readonly port: number;
  /** A proxy has said so, in a PROXY header; of a client that it did not name, `ip` is `unknown` and `port` 0. */
  readonly proxied: boolean;
  readonly secure: boolean;
  readonly entrance: Entrance;
  reader: Reader;
  /** Bytes written that the kernel has not taken yet. */
  readonly pending: number;
  /** The kernel has been given bytes, and has not taken them all: it waits for the peer. */
  readonly behind: boolean;
  /** Grows when the kernel takes something of what was written, and only then: whether it did says whether the peer reads. */
  readonly taken: number;
  /** Whether `reader.onDrain` will be called when nothing is pending any more. */
  readonly willDrain: boolean;
  /** Writes bytes, which must not change afterwards, or a string of latin1 characters. After `end()` it is ignored. */
  write(data: Buffer | string): void;
  /**
   * Writes latin1 characters, at the latest at the end of the event loop's turn, and before whatever is written after them.
   * Until then they are not `pending`.
   */
  writeSoon(text: string): void;
  /** Writes several pieces in one go; the array must not change afterwards either. */
  writeAll(pieces: readonly (Buffer | string)[]): void;
  pause(): void;
  resume(): void;
  /** FIN, when all that was written is out. */
  end(): void;
  /** Ends it at once. */
  destroy(): void;
  /**
   * Gives the stream away, paused, with a copy of `head` put back in front. From here on it is ended or destroyed by the
   * stream's own methods, not by those of this socket; `reader` hears nothing more of it but `onClose`.
   */
  detach(head: Buffer): Socket;
}

/** The one who reads a socket. */
export interface Reader {
  /**
   * The next bytes. They are lent until it returns: the reader may write over them, the next read of any socket does.
   * What is kept must be copied.
   */
  onBytes(chunk: Buffer): void;
  /** What `writeSoon` had put off is written, and the kernel has not taken all of it: it is pending now. */
  onBehind(): void;
  /** Everything that was pending has been taken. */
  onDrain(): void;
  /** The peer's FIN. */
  onEnd(): void;
  /** After `end()`: everything that was written is out, and our FIN. */
  onFinish(): void;
  /** The socket is gone; the last call. */
  onClose(error: Error | null): void;
}
