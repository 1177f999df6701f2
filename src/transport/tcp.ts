import { lookup } from 'node:dns/promises';
import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import { type AddressInfo, connect, createServer, isIP, type Server, type Socket } from 'node:net';
import type { Server as TlsServer } from 'node:tls';
import { messageOf, WebsockError } from '../errors.ts';
import type { Log } from '../log.ts';
import { refusalResponse } from '../wire/handshake.ts';
import { formatEndpoint, isLoopback, type ListenAddress, takesDirect } from './address.ts';
import { deadlineOf, type Deadlines } from './deadlines.ts';
import { Door } from './door.ts';
import type { ProxyGate } from './proxied.ts';
import { peerAddress, StreamSocket } from './socket.ts';
import { createTlsServer, type TlsOptions } from './tls.ts';
import type { Accept, Entrance, Listener, Lobby, Transport, TransportSocket } from './transport.ts';

/** First byte of a TLS record that holds a handshake (RFC 8446 §5.1); no HTTP method and no path begins with it. */
const TLS_HANDSHAKE = 0x16;

const NOT_TLS = refusalResponse({ status: 400, text: 'this port speaks TLS: use wss:// or https://' });

export interface NetOptions {
  /** Seconds of silence before TCP keep-alive probes. */
  readonly keepAlive: number;
  /** Length of the kernel's queue of connections not yet accepted. */
  readonly backlog: number;
  /** For those who have to speak by a time. */
  readonly deadlines: Deadlines;
  /** undefined: no listener may ask for TLS. */
  readonly tls: TlsOptions | undefined;
  /** For listeners with `proxyProtocol=true`; undefined: there are none. */
  readonly gate?: ProxyGate;
  /** Counts who waits; undefined: nobody counts them. */
  readonly lobby?: Lobby;
}

/**
 * Takes what a server accepts in place of its `connection` event, from when it listens.
 *
 * @param entrance of all its sockets
 * @param keepAlive seconds, see {@link NetOptions}
 * @param accept takes each socket; null stands for one whose peer had reset it before it was asked for its address
 * @returns what resolves, after `server.close()`, when every socket that was taken is gone
 */
export type Intake = (
  server: Server,
  entrance: Entrance,
  keepAlive: number,
  accept: (socket: TransportSocket | null) => void,
) => () => Promise<void>;

/** A server that listens. */
interface Opened {
  readonly server: Server;
  readonly endpoint: string;
  /** See {@link Intake}. */
  readonly gone: () => Promise<void>;
}

/** Plain and TLS listeners on the public API of node:net and node:tls, but for what an Intake takes. */
export class NetTransport implements Transport {
  private readonly options: NetOptions;
  private readonly log: Log;
  private readonly intake: Intake | null;

  /** @param intake for the listeners that speak plain text alone; null: net.Socket for all. */
  constructor(options: NetOptions, log: Log, intake: Intake | null = null) {
    this.options = options;
    this.log = log;
    this.intake = intake;
  }

  async listen(address: ListenAddress, accept: Accept): Promise<Listener> {
    const { lobby, deadlines } = this.options;
    const door = new Door(address, accept, lobby, deadlines);
    let opened: Opened[];
    if (address.path !== undefined) {
      await removeStale(address.path);
      opened = [await this.open(door, { path: address.path })];
      if (address.mode !== undefined) chmodSync(address.path, address.mode);
    } else opened = await this.openTcp(door);
    const close = async (): Promise<void> => {
      const closed = closeAll(opened);
      // Nobody knows them yet: who is still to speak, or in the middle of a TLS handshake, is not waited for.
      door.clear();
      await closed;
    };
    return { endpoints: opened.map(({ endpoint }) => endpoint), address, close };
  }

  /** A name may stand for several addresses: each that this machine has is listened on, on one port. */
  private async openTcp(door: Door): Promise<Opened[]> {
    const opened: Opened[] = [];
    let { port } = door.address;
    let failure: unknown;
    for (const host of await resolve(door.address)) {
      try {
        const one = await this.open(door, { host, port });
        port = portOf(one.server);
        opened.push(one);
      } catch (error) {
        // localhost may name ::1 where IPv6 is off; a port that is taken is never passed over.
        const { code = '' } = (error as { cause?: { code?: string } }).cause ?? {};
        if (code !== 'EADDRNOTAVAIL' && code !== 'EAFNOSUPPORT') {
          await closeAll(opened);
          throw error;
        }
        failure = error;
      }
    }
    if (opened.length === 0) throw failure;
    return opened;
  }

  private async open(door: Door, where: { host: string; port: number } | { path: string }): Promise<Opened> {
    const { address } = door;
    const { backlog, keepAlive } = this.options;
    const intake = takesDirect(address) ? this.intake : null;
    const entrance = entranceOf(address, 'host' in where ? where.host : '');
    const server = createServer({
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: keepAlive * 1000,
    });
    let gone = async (): Promise<void> => {}; // net.Server waits for its sockets itself
    await bind(server, address, { ...where, backlog }, () => {
      if (intake === null) this.takeAll(server, door, entrance);
      else gone = intake(server, entrance, keepAlive, (socket) => this.admit(socket, door, false));
    });
    this.reportErrors(server, address);
    const endpoint = 'path' in where ? where.path : formatEndpoint(where.host, portOf(server));
    return { server, endpoint, gone };
  }

  private takeAll(server: Server, door: Door, entrance: Entrance): void {
    const tls = door.address.security === 'plain' ? undefined : this.tlsServer(door, entrance);
    const take = (socket: Socket): void => {
      if (tls === undefined) this.give(socket, door, entrance, false);
      else this.sniff(socket, door, entrance, tls);
    };
    server.on('connection', door.address.proxyProtocol ? (socket) => this.identify(socket, door, take) : take);
  }

  /** Whom it is from stands before everything else, a TLS hello included. */
  private identify(socket: Socket, door: Door, take: (socket: Socket) => void): void {
    const { gate } = this.options;
    if (gate === undefined) throw new Error('a listener for the PROXY protocol without a gate');
    if (!door.enter(socket)) {
      socket.destroy();
      return;
    }
    gate.read(socket, door.address.url, (client) => {
      if (door.identify(socket, client)) take(socket);
      else socket.destroy();
    });
  }

  private give(socket: Socket, door: Door, entrance: Entrance, secure: boolean): void {
    const { address } = door;
    const { client, counted } = door.release(socket);
    // Where a proxy has to say so, its own address is nobody's.
    const ip = address.proxyProtocol
      ? (client?.ip ?? null)
      : peerAddress(socket.remoteAddress, address.path !== undefined);
    if (ip === null) {
      socket.on('error', (error) => this.log.debug(`a client without an address: ${error.message}`));
      socket.destroy();
    }
    this.admit(ip === null ? null : new StreamSocket(socket, ip, secure, entrance, client?.port), door, counted);
  }

  private admit(socket: TransportSocket | null, door: Door, counted: boolean): void {
    if (socket !== null) door.accept(socket, counted);
    else this.log.debug(`a client of ${door.address.url} left before it had an address`);
  }

  private tlsServer(door: Door, entrance: Entrance): TlsServer {
    const { tls } = this.options;
    if (tls === undefined) throw new Error('a TLS listener without a certificate');
    return createTlsServer(
      tls,
      (socket) => this.give(socket, door, entrance, true),
      (socket, why, late) => {
        if (late) door.late(socket);
        const ip = door.ipOf(socket);
        this.log.info(`TLS handshake with ${ip ?? 'a client that left'} failed: ${why}`, { ip, reason: why });
      },
    );
  }

  /** Looks at the first byte: TLS, or plain text where that is served too, or a client at the wrong door. */
  private sniff(socket: Socket, door: Door, entrance: Entrance, tls: TlsServer): void {
    const { address } = door;
    const { deadlines, tls: { timeout = 0 } = {} } = this.options;
    if (!door.enter(socket)) {
      socket.destroy();
      return;
    }
    const late = deadlineOf(() => {
      const ip = door.ipOf(socket);
      door.late(socket);
      this.log.info(`${ip} sent nothing on ${address.url}`, { ip });
      socket.destroy();
    });
    deadlines.arm(late, timeout);
    const onEnd = (): void => void socket.end();
    const onError = (error: Error): void => {
      this.log.debug(`${door.ipOf(socket)} left before it sent a byte: ${error.message}`);
    };
    socket.on('error', onError);
    socket.once('close', () => deadlines.disarm(late));
    socket.once('end', onEnd);
    socket.once('readable', () => {
      const first: Buffer | null = socket.read(1);
      if (first === null) return;
      deadlines.disarm(late);
      socket.off('error', onError);
      socket.off('end', onEnd);
      socket.unshift(first);
      if (first[0] === TLS_HANDSHAKE) {
        // A peer's FIN ends a handshake; only a stream that is secure can be half-open.
        socket.allowHalfOpen = false;
        tls.emit('connection', socket);
      } else if (address.security === 'both') this.give(socket, door, entrance, false);
      else this.refusePlain(socket, door);
    });
  }

  private refusePlain(socket: Socket, door: Door): void {
    const ip = door.ipOf(socket);
    this.log.info(`${ip} spoke plain text on ${door.address.url}: refused`, { ip });
    const { deadlines } = this.options;
    const gone = deadlineOf(() => socket.destroy());
    deadlines.arm(gone, 1);
    socket.on('error', (error) => this.log.debug(`${ip}: ${error.message}`));
    socket.once('close', () => deadlines.disarm(gone));
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

/** @param host the address that is listened on; '' for a Unix socket. */
function entranceOf({ host: name = '', proxyProtocol }: ListenAddress, host: string): Entrance {
  // Where a PROXY header is asked for, no page gets a word in.
  return { name: name.toLowerCase(), loopback: isLoopback(host) && !proxyProtocol };
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

async function closeAll(opened: readonly Opened[]): Promise<void> {
  const closed = opened.map(({ server }) => new Promise<void>((done) => server.close(() => done())));
  await Promise.all(closed);
  await Promise.all(opened.map(({ gone }) => gone()));
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
  begin: () => void,
): Promise<void> {
  return new Promise((done, fail) => {
    server.once('error', (error) => fail(startError(address, error)));
    server.listen(where, () => {
      server.removeAllListeners('error');
      try {
        begin(); // before the loop turns: nobody has been accepted yet
        done();
      } catch (error) {
        server.close();
        fail(error);
      }
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
