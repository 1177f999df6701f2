import type { Client } from '../connection/client.ts';
import type { Outgoing } from '../connection/encode.ts';
import type { Member } from '../connection/registry.ts';

/**
 * The seam of fan-out: who gets a message. One file of this folder implements it for each way; local.ts is the default.
 * Each method that sends returns how many clients the message was queued for.
 */
export interface Hub {
  /** To the clients of kind `websocket` in `app`, `except` one. */
  broadcast(app: string, outgoing: Outgoing, except: number | undefined): number;
  /** To the client with `uuid`, in whatever app. */
  toUuid(uuid: string, outgoing: Outgoing): number;
  /** To the clients of any kind in `app` that are called `ident`. */
  toIdent(app: string, ident: string, outgoing: Outgoing): number;
  /** To the clients of any kind in `app` that are in one of `rooms`, once each, but not those whose socket ID is in `except`. */
  toRooms(app: string, rooms: readonly string[], outgoing: Outgoing, except: ReadonlySet<number>): number;
  /** How many clients {@link toRooms} is for. */
  countRooms(app: string, rooms: readonly string[], except: ReadonlySet<number>): number;
  /** Those clients, in a new array. */
  clientsInRooms(app: string, rooms: readonly string[], except: ReadonlySet<number>): Client[];
}

/** Where a hub finds the clients of this daemon. */
export interface Members {
  webClients(app: string): ReadonlySet<Member>;
  withUuid(uuid: string): Member | undefined;
  withIdent(app: string, ident: string): ReadonlySet<Member>;
  inRoom(app: string, room: string): ReadonlySet<Member>;
}
