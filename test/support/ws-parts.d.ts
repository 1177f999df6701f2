import type { Duplex, Writable } from 'node:stream';

/** The two halves of ws, which it exports and its types leave out. */
declare module 'ws' {
  export class Receiver extends Writable {
    constructor(options?: { extensions?: Record<string, unknown>; isServer?: boolean; maxPayload?: number });
    on(event: 'message', listener: (data: Buffer, binary: boolean) => void): this;
    on(event: 'ping' | 'pong', listener: (data: Buffer) => void): this;
    on(event: 'conclude', listener: (code: number, reason: Buffer) => void): this;
    on(event: string, listener: (...values: never[]) => void): this;
  }
  export class Sender {
    constructor(socket: Duplex, extensions?: Record<string, unknown>, generateMask?: (key: Buffer) => void);
    ping(data: Buffer, mask: boolean, done: () => void): void;
    pong(data: Buffer, mask: boolean, done: () => void): void;
    close(code: number | undefined, reason: string, mask: boolean, done: () => void): void;
    send(
      data: Buffer | string,
      options: { binary: boolean; fin: boolean; mask: boolean; compress: boolean },
      done: () => void,
    ): void;
  }
}
