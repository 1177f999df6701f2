import type { Socket } from 'node:net';
import type { Guards } from '../auth/auth.ts';
import type { Log } from '../log.ts';
import type { Tickets } from '../packet/ticket.ts';
import type { Entrance, TransportSocket } from '../transport/transport.ts';
import type { Compression } from '../wire/compression.ts';
import type { Access } from './access.ts';
import type { Admission } from './admission.ts';
import type { Attempts } from './attempts.ts';
import type { Cork } from './cork.ts';
import type { Deadlines } from '../transport/deadlines.ts';
import type { Debts } from './debts.ts';
import type { Heartbeat } from './heartbeat.ts';
import type { InTurn } from './inturn.ts';
import type { Limits, LimitValues } from './limits.ts';
import type { Live } from './live.ts';
import type { Registry } from './registry.ts';
import type { Sessions } from './sessions.ts';
import type { Stalls } from './stalls.ts';
import type { Routes } from './route.ts';

/** A connection that speaks HTTP, handed over to the plain-HTTP side. */
export interface HttpPeer {
  /** The socket ID. */
  readonly id: number;
  /** Address of the peer itself, proxy or not. */
  readonly ip: string;
  /** It is what a PROXY header says: see TransportSocket. */
  readonly proxied: boolean;
  readonly secure: boolean;
  readonly entrance: Entrance;
  /** Grows as it takes what it is sent: see TransportSocket. */
  taken(): number;
}

export function peerOf(id: number, socket: TransportSocket): HttpPeer {
  const { ip, proxied, secure, entrance } = socket;
  return { id, ip, proxied, secure, entrance, taken: () => socket.taken };
}

/** Takes a stream that speaks HTTP; the bytes already read stand in front of it again. */
type HandOver = (stream: Socket, peer: HttpPeer) => void;

/** What all connections share; made once, by the daemon. */
export interface ConnectionContext {
  readonly log: Log;
  readonly limits: Limits;
  readonly values: LimitValues;
  readonly deadlines: Deadlines;
  readonly heartbeat: Heartbeat;
  readonly cork: Cork;
  /** What waits to be sent, of all clients together. */
  readonly debts: Debts;
  readonly access: Access;
  readonly admission: Admission;
  /** Who has shown wrong secrets. */
  readonly attempts: Attempts;
  readonly tickets: Tickets;
  /** `[auth]`: what each path asks of its clients. */
  readonly guards: Guards;
  readonly registry: Registry;
  /** Web clients that outlive their connections. */
  readonly sessions: Sessions;
  readonly routes: Routes;
  /** `[security] webIdent`: a web client may name itself. */
  readonly webIdent: boolean;
  /** What compresses, if any resource wants it; null: none does. */
  readonly compression: Compression | null;
  readonly handOver: HandOver;
  /** Reports of clients that have gone, one after the other: one whose resource closes others does not nest. */
  readonly reports: InTurn;
  /** Who holds the event loop. */
  readonly stalls: Stalls;
  /** Connections that are not gone, and whose request has come: a stop waits for them. */
  readonly live: Live;
  /** Those whose request has not come yet. */
  readonly waiting: Live;
  /** The last socket ID given. */
  lastId: number;
  /** The daemon stops: nobody new comes in. */
  draining: boolean;
}
