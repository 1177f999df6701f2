import { lookup } from 'node:dns/promises';
import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import { connect, createServer, isIP, type Server, type Socket } from 'node:net';
import type { Server as TlsServer } from 'node:tls';
import { messageOf, WebsockError } from '../errors.ts';
import type { Log } from '../log.ts';
import { refusalResponse } from '../wire/handshake.ts';
import { formatEndpoint, type ListenAddress } from './address.ts';
import { peerAddress, StreamSocket } from './socket.ts';
import { createTlsServer, type TlsOptions } from './tls.ts';
import type { Accept, Listener, Transport } from './transport.ts';

/** First byte of a TLS record that holds a handshake (RFC 8446 §5.1); no HTTP method and no path begins with it. */
const TLS_HANDSHAKE = 0x16;

const NOT_TLS = refusalResponse({ status: 400, text: 'this port speaks TLS: use wss:// or https://' });

export interface NetOptions {
  /** Seconds of silence before TCP keep-alive probes. */
  readonly keepAlive: number;
  /** Length of the kernel's queue of connections not yet accepted. */
  readonly backlog: number;
  /** undefined: no listener may ask for TLS. */
  readonly tls: TlsOptions | undefined;
}

/** A listener's way in, and who waits there: sockets whose first byte, or TLS handshake, is still to come. */
class Door {
  readonly address: ListenAddress;
  readonly accept: Accept;
  readonly waiting = new Map<string, Socket>();

  constructor(address: ListenAddress, accept: Accept) {
    this.address = address;
    this.accept = accept;
  }
}

/** What a socket and the TLS socket on top of it have in common. */
function keyOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`;
}

/** Plain and TLS listeners on the public API of node:net and node:tls. */
export class NetTransport implements Transport {
  private readonly options: NetOptions;
  private readonly log: Log;

  constructor(options: NetOptions, log: Log) {
    this.options = options;
    this.log = log;
  }

  async listen(address: ListenAddress, accept: Accept): Promise<Listener> {
    const servers: Server[] = [];
    const endpoints: string[] = [];
    const door = new Door(address, accept);
    if (address.path !== undefined) {
      await removeStale(address.path);
      const server = this.server(door);
      await bind(server, address, { path: address.path, backlog: this.options.backlog });
      if (address.mode !== undefined) chmodSync(address.path, address.mode);
      servers.push(server);
      endpoints.push(address.path);
    } else {
      await this.listenTcp(door, servers, endpoints);
    }
    for (const server of servers) this.reportErrors(server, address);
    const close = async (): Promise<void> => {
      const closed = Promise.all(servers.map((server) => new Promise<void>((done) => server.close(() => done()))));
      // Nobody knows them yet: who is still to speak, or in the middle of a TLS handshake, is not waited for.
      for (const socket of door.waiting.values()) socket.destroy();
      await closed;
    };
    return { endpoints, address, close };
  }

  /** A name may stand for several addresses: each that this machine has is listened on, on one port. */
  private async listenTcp(door: Door, servers: Server[], endpoints: string[]): Promise<void> {
    const { address } = door;
    let port = address.port;
    let failure: unknown;
    for (const host of await resolve(address)) {
      const server = this.server(door);
      try {
        await bind(server, address, { host, port, backlog: this.options.backlog });
      } catch (error) {
        // localhost may name ::1 where IPv6 is off; a port that is taken is never passed over.
        const { code = '' } = (error as { cause?: { code?: string } }).cause ?? {};
        if (code !== 'EADDRNOTAVAIL' && code !== 'EAFNOSUPPORT') {
          await Promise.all(servers.map((open) => new Promise<void>((done) => open.close(() => done()))));
          throw error;
        }
        failure = error;
        continue;
      }
      const bound = server.address();
      if (bound !== null && typeof bound === 'object') port = bound.port;
      servers.push(server);
      endpoints.push(formatEndpoint(host, port));
    }
    if (servers.length === 0) throw failure;
  }

  private server(door: Door): Server {
    const tls = door.address.security === 'plain' ? undefined : this.tlsServer(door);
    const server = createServer({
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: this.options.keepAlive * 1000,
    });
    server.on('connection', (socket) => {
      if (tls === undefined) this.give(socket, door, false);
      else this.sniff(socket, door, tls);
    });
    return server;
  }

  private give(socket: Socket, door: Door, secure: boolean): void {
    const { address, accept } = door;
    door.waiting.delete(keyOf(socket));
    const ip = peerAddress(socket, address.path !== undefined);
    if (ip !== null) accept(new StreamSocket(socket, ip, secure));
    else {
      this.log.debug(`a client of ${address.url} left before it had an address`);
      socket.on('error', (error) => this.log.debug(`a client without an address: ${error.message}`));
      socket.destroy();
    }
  }

  private tlsServer(door: Door): TlsServer {
    const { tls } = this.options;
    if (tls === undefined) throw new Error('a TLS listener without a certificate');
    return createTlsServer(
      tls,
      (socket) => this.give(socket, door, true),
      (socket, why) => {
        const from = socket.remoteAddress ?? 'a client that left';
        this.log.info(`TLS handshake with ${from} failed: ${why}`, { ip: socket.remoteAddress, reason: why });
      },
    );
  }

  /** Looks at the first byte: TLS, or plain text where that is served too, or a client at the wrong door. */
  private sniff(socket: Socket, door: Door, tls: TlsServer): void {
    const { address } = door;
    const key = keyOf(socket);
    door.waiting.set(key, socket);
    const late = setTimeout(
      () => {
        this.log.info(`${socket.remoteAddress} sent nothing on ${address.url}`, { ip: socket.remoteAddress });
        socket.destroy();
      },
      (this.options.tls?.timeout ?? 0) * 1000,
    );
    const onEnd = (): void => void socket.end();
    const onError = (error: Error): void => {
      this.log.debug(`${socket.remoteAddress} left before it sent a byte: ${error.message}`);
    };
    socket.on('error', onError);
    socket.once('close', () => {
      clearTimeout(late);
      if (door.waiting.get(key) === socket) door.waiting.delete(key);
    });
    socket.once('end', onEnd);
    socket.once('readable', () => {
      const first: Buffer | null = socket.read(1);
      if (first === null) return;
      clearTimeout(late);
      socket.off('error', onError);
      socket.off('end', onEnd);
      socket.unshift(first);
      if (first[0] === TLS_HANDSHAKE) tls.emit('connection', socket);
      else if (address.security === 'both') this.give(socket, door, false);
      else this.refusePlain(socket, address);
    });
  }

  private refusePlain(socket: Socket, address: ListenAddress): void {
    this.log.info(`${socket.remoteAddress} spoke plain text on ${address.url}: refused`, { ip: socket.remoteAddress });
    const gone = setTimeout(() => socket.destroy(), 1000);
    socket.on('error', (error) => this.log.debug(`${socket.remoteAddress}: ${error.message}`));
    socket.once('close', () => clearTimeout(gone));
    socket.end(NOT_TLS, 'latin1');
    socket.resume();
  }

  /** Said once for each kind of trouble: a full table of open files fails for every client that comes. */
  private reportErrors(server: Server, address: ListenAddress): void {
    const said = new Set<string>();
    server.on('error', (error: NodeJS.ErrnoException) => {
      const code = error.code ?? 'error';
      if (said.has(code)) return;
      said.add(code);
      const hint = code === 'EMFILE' || code === 'ENFILE' ? '; raise the limit of open files (LimitNOFILE=)' : '';
      this.log.error(`cannot accept clients on ${address.url}: ${error.message}${hint}`, { code });
    });
  }
}

async function resolve(address: ListenAddress): Promise<string[]> {
  const host = address.host ?? '';
  if (host === '*') return ['::'];
  if (isIP(host.split('%')[0]) !== 0) return [host];
  try {
    const found = await lookup(host, { all: true });
    return [...new Set(found.map((entry) => entry.address))];
  } catch (error) {
    throw startError(address, error, `the host name '${host}' is not known`);
  }
}

function bind(
  server: Server,
  address: ListenAddress,
  where: { host?: string; port?: number; path?: string; backlog: number },
): Promise<void> {
  return new Promise((done, fail) => {
    server.once('error', (error) => fail(startError(address, error)));
    server.listen(where, () => {
      server.removeAllListeners('error');
      done();
    });
  });
}

/** What keeps a listener from listening, and what to do, in one line. */
function startError(address: ListenAddress, error: unknown, what?: string): WebsockError {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  const place = address.path ?? `port ${address.port}`;
  const why: Record<string, string> = {
    EADDRINUSE:
      address.path === undefined
        ? `${place} is taken by another program: stop that one, or choose another port in 'adress'`
        : `${place} is taken by another program, or is a file and no socket: choose another path in 'adress'`,
    // libuv says EACCES of a Unix socket whose folder does not exist, too.
    EACCES:
      address.path === undefined
        ? `no permission for ${place}: choose a port above 1023, or give the program CAP_NET_BIND_SERVICE (systemd/README.md)`
        : `${place} cannot be made: its folder does not exist, or this user may not write to it`,
    EADDRNOTAVAIL: `this machine has no address '${address.host}': correct 'adress'`,
  };
  return new WebsockError(
    'WEBSOCK_START',
    `cannot listen on ${address.url}: ${what ?? why[code] ?? messageOf(error)}`,
    {
      cause: error,
    },
  );
}

/** A file that is no socket refuses connections too: it stays. */
function unlinkSocket(path: string): void {
  try {
    if (lstatSync(path).isSocket()) unlinkSync(path);
  } catch {
    // Then the bind fails, and says why.
  }
}

/** Removes a Unix socket that a dead daemon has left; one that somebody answers on is taken. */
function removeStale(path: string): Promise<void> {
  return new Promise((done) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      done();
    });
    probe.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') unlinkSocket(path);
      done();
    });
  });
}
