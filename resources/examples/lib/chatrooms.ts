import { excerpt, type FileHead, MOST, Refusal } from './chatreading.ts';

/** A message as everybody in its room gets it. */
export interface Message {
  /** When it came (Unix ms), made unique: later ones are greater, over restarts too. */
  readonly id: number;
  /** Who wrote it: see `readAuthor`; and what he was called then. */
  readonly author: string;
  readonly name: string;
  text: string;
  /** The names in it that notify somebody. */
  mentions: string[];
  /** When it was changed last. */
  edited?: number;
  /** `text` is '' if that was deleted. */
  readonly quote?: { readonly id: number; readonly name: string; text: string };
  readonly file?: FileHead & { readonly size: number };
}

/** A room as JSON holds it. */
export interface Room {
  readonly name: string;
  /** The last ones, oldest first. */
  readonly messages: Message[];
}

/** The rooms and what was said in them. `all` is plain JSON, so that somebody's `client.data` can carry it over a restart. */
export class Rooms {
  /** That which was used longest ago first. Always this one array. */
  readonly all: Room[] = [];
  private lastId = 0;
  /** The bytes of files, by the id of their message, oldest first. A restart forgets them. */
  private readonly files = new Map<number, Uint8Array>();
  private fileBytes = 0;
  /** Bytes of messages, as JSON: of each, of those of each room, and of all. */
  private readonly sizes = new Map<Message, number>();
  private readonly roomSizes = new Map<Room, number>();
  private said = 0;

  /** What the daemon before this one knew. */
  restore(rooms: Room[]): void {
    this.all.push(...rooms);
    for (const room of rooms) {
      for (const message of room.messages) this.measure(room, message);
      this.lastId = Math.max(this.lastId, ...room.messages.map(({ id }) => id));
    }
    this.shrink();
  }

  /**
   * The room of a name, made if there is none.
   * @param isEmpty whether nobody is in a room: where there are too many, the longest forgotten of these goes.
   * @param onGone told which went.
   * @throws Refusal where somebody is in every one of them.
   */
  open(name: string, isEmpty: (room: string) => boolean, onGone: (room: string) => void): void {
    const at = this.all.findIndex((one) => one.name === name);
    if (at >= 0) {
      this.all.push(...this.all.splice(at, 1));
      return;
    }
    if (this.all.length >= MOST.rooms) {
      const forgotten = this.all.find((one) => isEmpty(one.name));
      if (forgotten === undefined)
        throw new Refusal(`there are ${MOST.rooms} rooms with people in them: enter one of those`);
      this.remove(forgotten);
      onGone(forgotten.name);
    }
    this.all.push({ name, messages: [] });
  }

  has(name: string): boolean {
    return this.all.some((one) => one.name === name);
  }

  /** The room that somebody is in, so it is there. */
  of({ room }: { room: string }): Room {
    const found = this.all.find(({ name }) => name === room);
    if (found === undefined) throw new Error(`the room ${room} is gone, with somebody in it`);
    return found;
  }

  add(room: Room, message: Omit<Message, 'id'>, bytes?: Buffer): Message {
    this.lastId = Math.max(Date.now(), this.lastId + 1);
    const added = { id: this.lastId, ...message };
    room.messages.push(added);
    if (room.messages.length > MOST.history) this.forgetOldest(room);
    this.measure(room, added);
    this.shrink();
    if (bytes !== undefined) this.keep(added.id, bytes);
    return added;
  }

  /** @throws Refusal */
  find(room: Room, id: number): Message {
    const message = room.messages.find((one) => one.id === id);
    if (message === undefined) throw new Refusal(`it is not among the last messages of ${room.name} any more`);
    return message;
  }

  /** What is shown of a message that is answered. @throws Refusal */
  quote(room: Room, answered: number): NonNullable<Message['quote']> {
    const { id, name, text, file } = this.find(room, answered);
    return { id, name, text: excerpt(file?.name ?? text) };
  }

  edit(room: Room, message: Message, text: string, mentions: string[]): void {
    message.text = text;
    message.mentions = mentions;
    message.edited = Date.now();
    this.measure(room, message);
    this.requote(room, message.id, excerpt(text));
    this.shrink();
  }

  /** It is gone from quotes as well. */
  delete(room: Room, message: Message): void {
    room.messages.splice(room.messages.indexOf(message), 1);
    this.forget(room, message);
    this.requote(room, message.id, '');
  }

  /** @throws Refusal */
  fileOf({ id, file }: Message): Uint8Array {
    const bytes = this.files.get(id);
    if (file === undefined) throw new Refusal('that message is no file');
    if (bytes === undefined) throw new Refusal(`${file.name} is not kept any more: ask for it to be sent again`);
    return bytes;
  }

  private keep(id: number, bytes: Buffer): void {
    // A copy: a part of a message keeps all the memory that it came in.
    this.files.set(id, new Uint8Array(bytes));
    this.fileBytes += bytes.length;
    for (const oldest of this.files.keys()) {
      if (this.fileBytes <= MOST.files) break;
      this.drop(oldest);
    }
  }

  private requote(room: Room, id: number, text: string): void {
    for (const message of room.messages) {
      if (message.quote?.id !== id) continue;
      message.quote.text = text;
      this.measure(room, message);
    }
  }

  /** It is new, or other than it was. */
  private measure(room: Room, message: Message): void {
    this.count(room, message, Buffer.byteLength(JSON.stringify(message)) + 1);
  }

  private count(room: Room, message: Message, bytes: number): void {
    const more = bytes - (this.sizes.get(message) ?? 0);
    this.sizes.set(message, bytes);
    this.roomSizes.set(room, (this.roomSizes.get(room) ?? 0) + more);
    this.said += more;
  }

  /** Who says much pushes out what was said in his room, and not in those where little is. */
  private shrink(): void {
    while (this.said > MOST.said) {
      const [[fullest]] = [...this.roomSizes].toSorted(([, a], [, b]) => b - a);
      this.forgetOldest(fullest);
    }
  }

  private forgetOldest(room: Room): void {
    this.forget(room, room.messages.shift() as Message);
  }

  private forget(room: Room, message: Message): void {
    this.count(room, message, 0);
    this.sizes.delete(message);
    this.drop(message.id);
  }

  private drop(id: number): void {
    this.fileBytes -= this.files.get(id)?.length ?? 0;
    this.files.delete(id);
  }

  private remove(room: Room): void {
    for (const message of room.messages) this.forget(room, message);
    this.roomSizes.delete(room);
    this.all.splice(this.all.indexOf(room), 1);
  }
}
