import type { Socket } from 'node:net';
import type { Log } from '../log.ts';
import { type ProxyClient, readProxyHeader } from '../wire/proxy.ts';
import { deadlineOf, type Deadlines } from './deadlines.ts';
import { peerAddress } from './socket.ts';

/** A client that the proxy's header does not name: health checks, and what comes to the proxy by a Unix socket. */
const UNNAMED: ProxyClient = { ip: 'unknown', port: 0 };

interface GateOptions {
  /** Whether the peer at `ip` may say whom it speaks for. */
  trusts(ip: string): boolean;
  readonly deadlines: Deadlines;
  /** Seconds that it may take to say so. */
  readonly timeout: number;
  /** Counts one that took longer. @returns what the log says of it. */
  late(): string;
}

/** The way into listeners with `proxyProtocol=true`: only proxies come in, and say first whom they speak for. */
export class ProxyGate {
  /** Connections that were closed here, but for those that were late. */
  readonly refused = { untrusted: 0, malformed: 0 };
  private readonly options: GateOptions;
  private readonly log: Log;

  constructor(options: GateOptions, log: Log) {
    this.options = options;
    this.log = log;
  }

  /**
   * Reads the header, puts what has come behind it back, and gives the client to `take`. A socket without one is destroyed.
   * @param url of the listener.
   */
  read(socket: Socket, url: string, take: (client: ProxyClient) => void): void {
    const { options, log } = this;
    const ip = peerAddress(socket.remoteAddress, false);
    const onError = (error: Error): void => log.debug(`${ip} on ${url}: ${error.message}`);
    socket.on('error', onError);
    if (ip === null) {
      log.debug(`a client of ${url} left before it had an address`);
      socket.destroy();
      return;
    }
    const refuse = (text: string, level: 'warn' | 'debug' = 'warn'): void => {
      log[level](`${ip} ${text}: closed`, { ip });
      socket.destroy();
    };
    if (!options.trusts(ip)) {
      this.refused.untrusted++;
      refuse(`is no trusted proxy and connects to ${url}: see [security] trustedProxies`);
      return;
    }
    let bytes: Buffer = Buffer.alloc(0);
    const malformed = (why: string): void => {
      this.refused.malformed++;
      refuse(`sends no PROXY header that can be read on ${url}: ${why}`);
    };
    const { deadlines } = options;
    const late = deadlineOf(() => refuse(`on ${url}: ${options.late()}`));
    deadlines.arm(late, options.timeout);
    const onEnd = (): void => {
      // Proxies look whether we are there, and leave without a word.
      if (bytes.length === 0) refuse(`says nothing on ${url}`, 'debug');
      else malformed('it ends in the middle');
    };
    const onClose = (): void => deadlines.disarm(late);
    const onReadable = (): void => {
      const chunk: Buffer | null = socket.read();
      if (chunk === null) return;
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
      const header = readProxyHeader(bytes);
      if (header.type === 'more') return;
      deadlines.disarm(late);
      socket.off('readable', onReadable).off('end', onEnd).off('close', onClose);
      if (header.type === 'malformed') {
        malformed(header.why);
        return;
      }
      socket.off('error', onError);
      if (header.length < bytes.length) socket.unshift(bytes.subarray(header.length));
      take(header.client ?? UNNAMED);
    };
    socket.on('readable', onReadable).on('end', onEnd).on('close', onClose);
  }
}
