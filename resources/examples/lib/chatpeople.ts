import type { Client } from 'websock';
import { foldName, type Status } from './chatreading.ts';
import type { Room } from './chatrooms.ts';

/** What `client.data` holds of who has entered: plain JSON, so that it outlives a restart of the daemon. */
export interface Person {
  /** Known to nobody else by anything but this: see `readAuthor`. */
  readonly author: string;
  name: string;
  room: string;
  status: Status;
  note: string;
  /** One of all carries everything that was said. */
  rooms?: Room[];
}

export type Guest = Client<Person>;

const NOBODY: ReadonlySet<Guest> = new Set();

/** Who has entered, to be found without a look at all of them. Names and rooms change by `rename` and `move` alone. */
export class People {
  private readonly byAuthor = new Map<string, Guest>();
  /** By folded names. */
  private readonly byName = new Map<string, Guest>();
  /** Rooms with somebody in them. */
  private readonly byRoom = new Map<string, Set<Guest>>();

  get size(): number {
    return this.byAuthor.size;
  }

  /** Who came first is first. */
  get all(): Iterable<Guest> {
    return this.byAuthor.values();
  }

  by(author: string): Guest | undefined {
    return this.byAuthor.get(author);
  }

  named(name: string): Guest | undefined {
    return this.byName.get(foldName(name));
  }

  in(room: string): ReadonlySet<Guest> {
    return this.byRoom.get(room) ?? NOBODY;
  }

  /** How many of them have an address. It looks at all, and is for who comes in. */
  from(ip: string): number {
    let count = 0;
    for (const guest of this.all) if (guest.ip === ip) count++;
    return count;
  }

  add(guest: Guest): void {
    const { author, name, room } = guest.data;
    this.byAuthor.set(author, guest);
    this.byName.set(foldName(name), guest);
    this.comeTo(room, guest);
  }

  remove(guest: Guest): void {
    const { author, name, room } = guest.data;
    this.byAuthor.delete(author);
    this.byName.delete(foldName(name));
    this.goFrom(room, guest);
  }

  rename(guest: Guest, name: string): void {
    this.byName.delete(foldName(guest.data.name));
    guest.data.name = name;
    this.byName.set(foldName(name), guest);
  }

  move(guest: Guest, room: string): void {
    this.goFrom(guest.data.room, guest);
    guest.data.room = room;
    this.comeTo(room, guest);
  }

  private comeTo(room: string, guest: Guest): void {
    const there = this.byRoom.get(room);
    if (there === undefined) this.byRoom.set(room, new Set([guest]));
    else there.add(guest);
  }

  private goFrom(room: string, guest: Guest): void {
    const there = this.byRoom.get(room);
    there?.delete(guest);
    if (there?.size === 0) this.byRoom.delete(room);
  }
}
