import type { Duplex, Writable } from 'node:stream';

/** The parts of ws that it exports and its types leave out. */
declare module 'ws' {
  interface Extensions {
    'permessage-deflate'?: PerMessageDeflate;
  }
  export class Receiver extends Writable {
    constructor(options?: { extensions?: Extensions; isServer?: boolean; maxPayload?: number });
    on(event: 'message', listener: (data: Buffer, binary: boolean) => void): this;
    on(event: 'ping' | 'pong', listener: (data: Buffer) => void): this;
    on(event: 'conclude', listener: (code: number, reason: Buffer) => void): this;
    on(event: string, listener: (...values: never[]) => void): this;
  }
  export class Sender {
    constructor(socket: Duplex, extensions?: Extensions, generateMask?: (key: Buffer) => void);
    ping(data: Buffer, mask: boolean, done: () => void): void;
    pong(data: Buffer, mask: boolean, done: () => void): void;
    close(code: number | undefined, reason: string, mask: boolean, done: () => void): void;
    send(
      data: Buffer | string,
      options: { binary: boolean; fin: boolean; mask: boolean; compress: boolean },
      done: () => void,
    ): void;
  }
  export class PerMessageDeflate {
    constructor(options?: PerMessageDeflateOptions & { isServer?: boolean });
    offer(): Record<string, unknown>;
    accept(configurations: Record<string, unknown>[]): Record<string, unknown>;
    cleanup(): void;
  }
  export const extension: {
    format(extensions: Record<string, unknown>): string;
    parse(header: string): Record<string, Record<string, unknown>[]>;
  };
}
