import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** Whole numbers from a seed, the same each time (a linear congruential generator). */
export function numbersFrom(seed: number): (most: number) => number {
  let state = seed >>> 0;
  return (most) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return 1 + Math.floor((state / 0x1_0000_0000) * most);
  };
}

/** A way to a server on which connections are cut after so many bytes, in the middle of whatever they are. */
export class CutProxy {
  /** How many were cut. */
  cuts = 0;
  /** Connections that came. */
  connections = 0;
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();
  private waiters: (() => void)[] = [];

  private constructor(target: number, allowances: number[]) {
    this.server = createServer({ noDelay: true }, (client) => {
      this.connections++;
      const upstream = connect({ port: target, host: '127.0.0.1', noDelay: true });
      let isCut = false;
      const end = (): void => {
        client.destroy();
        upstream.destroy();
      };
      // Of a connection that is made: while the server is away many are tried.
      let left = Infinity;
      upstream.once('connect', () => (left = allowances.shift() ?? Infinity));
      const pass = (from: Socket, to: Socket): void => {
        this.sockets.add(from);
        from.on('error', end);
        from.on('close', () => {
          this.sockets.delete(from);
          // It has ended by itself, so another one is to be cut.
          if (!isCut && left < Infinity) allowances.unshift(left);
          left = Infinity;
          // What has come is passed on all the same: the Close frame of a daemon that stops.
          to.end();
        });
        from.on('data', (chunk: Buffer) => {
          if (isCut) return;
          to.write(chunk.subarray(0, left));
          left -= chunk.length;
          if (left > 0) return;
          isCut = true;
          this.cuts++;
          // The part that was passed on is to arrive: it is the worst that can happen.
          to.end(end);
          from.destroy();
          for (const done of this.waiters.splice(0)) done();
        });
      };
      pass(client, upstream);
      pass(upstream, client);
    });
  }

  /**
   * @param target port of 127.0.0.1.
   * @param allowances bytes, of both directions together, after which the first connections are cut; those behind are not.
   */
  static async open(target: number, allowances: number[]): Promise<CutProxy> {
    const proxy = new CutProxy(target, [...allowances]);
    proxy.server.listen(0, '127.0.0.1');
    await once(proxy.server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Resolves when so many connections have been cut. */
  async cut(count: number): Promise<void> {
    // oxlint-disable-next-line no-await-in-loop
    while (this.cuts < count) await new Promise<void>((done) => this.waiters.push(done));
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
    await once(this.server, 'close');
  }
}
