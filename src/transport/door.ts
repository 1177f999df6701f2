import type { Socket } from 'node:net';
import type { ProxyClient } from '../wire/proxy.ts';
import type { ListenAddress } from './address.ts';
import { type Deadlines, TICKS } from './deadlines.ts';
import { peerAddress } from './socket.ts';
import type { Accept, Lobby } from './transport.ts';

/** What a socket and the TLS socket on top of it have in common. */
function keyOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort} ${socket.localAddress}`;
}

interface Waiting {
  readonly socket: Socket;
  /** The tick that it came in. */
  readonly since: number;
}

/** A listener's way in, and who waits there: sockets whose PROXY header, first byte, or TLS handshake is still to come. */
export class Door {
  readonly address: ListenAddress;
  readonly accept: Accept;
  private readonly waiting = new Map<string, Waiting>();
  /** Whom those are from of which a proxy has said so. */
  private readonly clients = new Map<string, ProxyClient>();
  /** By what address the lobby has counted them. */
  private readonly counted = new Map<string, string>();
  private readonly lobby: Lobby | undefined;
  private readonly deadlines: Deadlines;

  constructor(address: ListenAddress, accept: Accept, lobby: Lobby | undefined, deadlines: Deadlines) {
    this.address = address;
    this.accept = accept;
    this.lobby = lobby;
    this.deadlines = deadlines;
  }

  /**
   * One waits, if there is room; who has waited longest makes it. When it closes it waits no more.
   * @returns whether it may; one that waits already may go on.
   */
  enter(socket: Socket): boolean {
    const { lobby, waiting } = this;
    const key = keyOf(socket);
    if (waiting.get(key)?.socket === socket) return true;
    const since = this.deadlines.read();
    const ip = peerAddress(socket.remoteAddress, false);
    if (lobby !== undefined && ip !== null) {
      while (lobby.full && this.sendAway(lobby, 'maxClients', since - TICKS));
      if (!lobby.enter(ip)) return false;
      this.counted.set(key, ip);
      if (lobby.most > 0 && waiting.size >= lobby.most) this.sendAway(lobby, 'maxHandshakes', since);
    }
    waiting.set(key, { socket, since });
    socket.once('close', () => {
      if (waiting.get(key)?.socket === socket) this.leave(key);
    });
    return true;
  }

  /** A proxy has said whom it is from. @returns whether that client may wait. */
  identify(socket: Socket, client: ProxyClient): boolean {
    const key = keyOf(socket);
    const ip = this.counted.get(key);
    this.clients.set(key, client);
    if (ip === undefined) return true;
    this.counted.set(key, client.ip);
    return this.lobby?.move(ip, client.ip) ?? true;
  }

  /** It waits no longer: it is given away. @returns whom it is from, and whether it was counted. */
  release(socket: Socket): { client: ProxyClient | undefined; counted: boolean } {
    const key = keyOf(socket);
    const client = this.clients.get(key);
    this.waiting.delete(key);
    this.clients.delete(key);
    return { client, counted: this.counted.delete(key) };
  }

  /** It took too long. */
  late(socket: Socket): void {
    this.lobby?.over('tlsTimeout', this.ipOf(socket) ?? '');
  }

  /** Address of the client that a socket is from, for the log. */
  ipOf(socket: Socket): string | undefined {
    return this.clients.get(keyOf(socket))?.ip ?? socket.remoteAddress;
  }

  /** Nobody knows them yet: they all go. */
  clear(): void {
    for (const { socket } of this.waiting.values()) socket.destroy();
  }

  /** Who has waited longest goes, if it came in that tick or before. @returns whether it did. */
  private sendAway(lobby: Lobby, limit: 'maxClients' | 'maxHandshakes', tick: number): boolean {
    const oldest = this.waiting.entries().next().value;
    if (oldest === undefined || oldest[1].since > tick) return false;
    const [key, { socket }] = oldest;
    lobby.over(limit, this.counted.get(key) ?? '');
    this.leave(key);
    socket.destroy();
    return true;
  }

  private leave(key: string): void {
    const ip = this.counted.get(key);
    this.waiting.delete(key);
    this.clients.delete(key);
    this.counted.delete(key);
    if (ip !== undefined) this.lobby?.leave(ip);
  }
}
