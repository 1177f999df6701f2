import { type Client, roomOf, type SendOptions } from '../connection/client.ts';
import { Outgoing } from '../connection/encode.ts';
import type { Hub } from '../hub/hub.ts';
import type { Packet } from '../packet/packet.ts';

/** The clients in one or more rooms of an app. Who is in several of them gets a message once. */
export interface RoomTarget {
  /** How many clients they are now. */
  readonly size: number;
  /** Who they are now, each once: a new array each time, in which those stay who leave later. */
  readonly clients: Client[];
  /** The same without some clients, given as they are or by socket ID; this one stays as it is. */
  except(...clients: (Client | number)[]): RoomTarget;
  /** Sends one message to all of them: encoded and compressed once. @returns how many it was queued for. */
  send(data: string | Buffer, options?: SendOptions): number;
  /** Sends a packet as JSON text. @returns as {@link send}. @throws TypeError for what JSON cannot hold. */
  sendPacket(packet: Packet, options?: Omit<SendOptions, 'binary'>): number;
}

/** @throws TypeError where one of `rooms` is none, or there are none. */
export function roomTarget(hub: Hub, app: string, rooms: readonly unknown[]): RoomTarget {
  if (rooms.length === 0) throw new TypeError('to which room? There is none: to(room), to(room, room)');
  return new Rooms(hub, app, rooms.map(roomOf), new Set());
}

class Rooms implements RoomTarget {
  private readonly hub: Hub;
  private readonly app: string;
  private readonly rooms: readonly string[];
  private readonly excepted: ReadonlySet<number>;

  constructor(hub: Hub, app: string, rooms: readonly string[], excepted: ReadonlySet<number>) {
    this.hub = hub;
    this.app = app;
    this.rooms = rooms;
    this.excepted = excepted;
  }

  get size(): number {
    return this.hub.countRooms(this.app, this.rooms, this.excepted);
  }

  get clients(): Client[] {
    return this.hub.clientsInRooms(this.app, this.rooms, this.excepted);
  }

  except(...clients: (Client | number)[]): RoomTarget {
    const ids = clients.map((client) => (typeof client === 'number' ? client : client.id));
    return new Rooms(this.hub, this.app, this.rooms, new Set([...this.excepted, ...ids]));
  }

  send(data: string | Buffer, options: SendOptions = {}): number {
    const { binary = typeof data !== 'string', compress, droppable } = options;
    const outgoing = new Outgoing(data, binary, compress, droppable);
    return this.hub.toRooms(this.app, this.rooms, outgoing, this.excepted);
  }

  sendPacket(packet: Packet, options?: Omit<SendOptions, 'binary'>): number {
    return this.send(JSON.stringify(packet), options);
  }
}
