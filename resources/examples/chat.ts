import { type Client, type NextFields, type Notice, type Packet, Resource } from 'websock';
import { type Guest, People, type Person } from './lib/chatpeople.ts';
import {
  excerpt,
  MOST,
  mentionsIn,
  Outside,
  readAuthor,
  readFile,
  readId,
  readName,
  readNote,
  readRoom,
  readStatus,
  readText,
  Refusal,
  type Status,
} from './lib/chatreading.ts';
import { type Message, Rooms } from './lib/chatrooms.ts';
import { Pace } from './lib/pace.ts';

type Answer = NextFields | undefined;

const LOBBY = 'lobby';
/** Milliseconds until everybody hears how many are in the rooms where this has changed: else each would cost so much as there are people. */
const COUNT_AFTER = 500;
/** What costs most: lists of people and rooms are sent, or everybody is told. */
const MOVES = new Set(['enter', 'join', 'rooms']);

/**
 * `/chat`: people with nicknames in rooms, who write to their room or to one another. The page is chat.html.
 *
 * What is asked for is a packet; its `next` says `error` where it was not done, and why. First comes
 * `enter` with `name`, `room` and `key`. Then `join` (`room`), `rename` (`name`), `status` (`status`, `note`), `say` (`text`, `quote`),
 * `edit` (`id`, `text`), `delete` (`id`), `tell` (`to`, `text`), `typing`, `file` (`id`), `rooms`; and files, as binary messages.
 *
 * People hear of their room: `room` (all of it, when they come in), `message`, `edited`, `deleted`, `person`, `left`, `people`, `typing`; of
 * what is for them: `private`, `mention`; and of all rooms: `rooms`, `count`.
 */
export default class Chat extends Resource {
  static override accepts = ['ws', 'wss'] as const;

  private readonly rooms = new Rooms();
  private readonly people = new People();
  private readonly pace = new Pace(MOST.burst, MOST.perSecond);
  private readonly moves = new Pace(MOST.moves, MOST.movesPerSecond);
  /** The rooms that another number of people is in, or that are gone. */
  private readonly recount = new Set<string>();
  private readonly noted = new Map<string, number>();
  private adopted = false;

  private readonly actions: Readonly<Record<string, (guest: Guest, packet: Packet) => Answer>> = {
    join: (guest, { room }) => this.join(guest, readRoom(room)),
    rename: (guest, { name }) => this.rename(guest, readName(name)),
    status: (guest, { status, note }) => this.setStatus(guest, readStatus(status), readNote(note)),
    say: (guest, { text, quote }) => this.say(guest, readText(text), quote === undefined ? undefined : readId(quote)),
    edit: (guest, { id, text }) => this.edit(guest, this.own(guest, readId(id)), readText(text)),
    delete: (guest, { id }) => this.delete(guest, this.own(guest, readId(id))),
    tell: (guest, { to, text }) => this.tell(guest, readName(to), readText(text)),
    typing: (guest) => this.typing(guest),
    file: (guest, { id }) => this.giveFile(guest, readId(id)),
    rooms: (guest) => this.listRooms(guest),
  };

  override onData(client: Client, message: string | Buffer): Answer {
    this.adopt(client);
    if (!this.pace.take(client.id)) {
      this.note('fast', `#${client.id} ${client.ip} sends more than ${MOST.perSecond} messages a second`);
      return { error: `too fast: ${MOST.perSecond} messages a second, please` };
    }
    try {
      if (typeof message !== 'string') return this.takeFile(this.guest(client), message);
      const packet = this.getPacket(message);
      if (MOVES.has(packet.opcode) && !this.moves.take(client.id)) {
        throw new Refusal(`too fast: ${MOST.movesPerSecond} of these a second, please`);
      }
      if (packet.opcode === 'enter') return this.enter(client, packet);
      const action = Object.hasOwn(this.actions, packet.opcode) ? this.actions[packet.opcode] : undefined;
      if (action === undefined) throw new Refusal('the chat does not know this opcode');
      return action(this.guest(client), packet);
    } catch (error) {
      if (error instanceof Outside) return { error: error.message, enter: true };
      if (error instanceof Refusal) return { error: error.message };
      throw error;
    }
  }

  override onOther(client: Client, notice: Notice): void {
    if (notice.type !== 'detached' && notice.type !== 'resumed') return;
    this.adopt(client);
    if (!this.isGuest(client)) return;
    this.tellRoom(client.data.room, { opcode: 'person', person: this.shown(client) });
    // Who was here before the restart and has not come back is not among them.
    if (notice.type === 'resumed' && notice.restarted) {
      client.sendPacket({ opcode: 'people', people: this.peopleIn(client.data.room) });
    }
  }

  override onClose(client: Client): void {
    this.adopt(client);
    this.pace.forget(client.id);
    this.moves.forget(client.id);
    if (!this.isGuest(client)) return;
    this.people.remove(client);
    this.carry();
    this.gone(client, client.data.room);
  }

  // ---- coming and going

  private enter(client: Client, packet: Packet): Answer {
    const [author, name, room] = [readAuthor(packet.key), readName(packet.name), readRoom(packet.room ?? LOBBY)];
    const before = this.people.by(author);
    if (this.isGuest(client) && before !== client) throw new Refusal('you are in already, with another key');
    this.checkName(name, author);
    if (before === client) {
      this.people.rename(before, name);
      return this.join(before, room);
    }
    this.letIn(client, before);
    this.open(room, author);
    const { status, note } = before?.data ?? { status: 'here' as const, note: '' };
    const guest = client as Guest;
    guest.data = { author, name, room, status, note };
    if (before !== undefined) {
      // The page was loaded again, or its network was lost without a word: it is the same person.
      this.people.remove(before);
      this.tellRoom(before.data.room, { opcode: 'left', author });
      before.close(1000, 'you have come in from another page');
    }
    this.people.add(guest);
    this.carry();
    return this.arrive(guest);
  }

  /** @throws Refusal where there are too many people, in all or of his address. */
  private letIn({ ip }: Client, before: Guest | undefined): void {
    if (before === undefined && this.people.size >= MOST.people)
      throw this.full(`the chat is full: ${MOST.people} people`);
    if (before?.ip !== ip && this.people.from(ip) >= MOST.perAddress)
      throw this.full(`there are ${MOST.perAddress} people from ${ip} already`);
  }

  private join(guest: Guest, room: string): Answer {
    this.open(room, guest.data.author);
    const before = guest.data.room;
    if (room !== before) {
      guest.leave(before);
      this.people.move(guest, room);
      this.gone(guest, before);
    }
    return this.arrive(guest);
  }

  private arrive(guest: Guest): Answer {
    const { room } = guest.data;
    guest.join(room);
    const { messages } = this.rooms.of(guest.data);
    guest.sendPacket({
      opcode: 'room',
      room,
      you: this.shown(guest),
      people: this.peopleIn(room),
      messages,
      most: MOST,
    });
    this.listRooms(guest);
    this.tellRoom(room, { opcode: 'person', person: this.shown(guest) }, guest);
    this.count(room);
    return undefined;
  }

  private gone({ data }: Guest, room: string): void {
    this.tellRoom(room, { opcode: 'left', author: data.author });
    this.count(room);
  }

  /**
   * Makes sure that there is a room for somebody.
   * @throws Refusal where there are too many rooms, or too many people in this one.
   */
  private open(room: string, author: string): void {
    const isHere = this.people.by(author)?.data.room === room;
    if (!isHere && this.people.in(room).size >= MOST.inRoom) throw this.full(`${room} is full: ${MOST.inRoom} people`);
    this.rooms.open(
      room,
      (name) => name !== LOBBY && this.people.in(name).size === 0,
      (gone) => this.count(gone),
    );
  }

  private full(why: string): Refusal {
    this.note('full', `somebody is not let in: ${why}`);
    return new Refusal(why);
  }

  /** A line in the log, of each kind one a minute: nobody fills it. */
  private note(kind: string, text: string): void {
    const now = Date.now();
    if (now - (this.noted.get(kind) ?? -Infinity) < 60_000) return;
    this.noted.set(kind, now);
    this.log(text);
  }

  // ---- after a restart

  /**
   * Who was here before it is a client already, with what `client.data` has kept.
   * @param one of whom something is heard first: he is none any more if it is that he has gone.
   */
  private adopt(one: Client): void {
    if (this.adopted) return;
    this.adopted = true;
    for (const client of new Set([...this.server.clients.values(), one])) {
      if (client.path !== one.path || client.data === undefined) continue;
      const guest = client as Guest;
      this.people.add(guest);
      if (guest.data.rooms !== undefined) this.rooms.restore(guest.data.rooms);
      delete guest.data.rooms;
    }
    for (const { data } of this.people.all) this.open(data.room, data.author);
    this.carry();
  }

  /** The daemon keeps `client.data` over a restart, and nothing else of ours: so the first of us carries what was said. */
  private carry(): void {
    const [first] = this.people.all;
    if (first !== undefined) first.data.rooms = this.rooms.all;
  }

  // ---- people

  private rename(guest: Guest, name: string): Answer {
    this.checkName(name, guest.data.author);
    this.people.rename(guest, name);
    this.tellRoom(guest.data.room, { opcode: 'person', person: this.shown(guest) });
    return undefined;
  }

  private setStatus(guest: Guest, status: Status, note: string): Answer {
    Object.assign(guest.data, { status, note });
    this.tellRoom(guest.data.room, { opcode: 'person', person: this.shown(guest) });
    return undefined;
  }

  private typing(guest: Guest): Answer {
    const { room, author } = guest.data;
    const others = this.to(room).except(guest);
    others.send(JSON.stringify({ opcode: 'typing', author }), { droppable: true });
    return undefined;
  }

  private checkName(name: string, author: string): void {
    const other = this.people.named(name);
    if (other !== undefined && other.data.author !== author)
      throw new Refusal(`${other.data.name} is here already: take another name`);
  }

  // ---- what is said

  private say(guest: Guest, text: string, quoted?: number): Answer {
    const room = this.rooms.of(guest.data);
    const quote = quoted === undefined ? undefined : this.rooms.quote(room, quoted);
    const { author, name } = guest.data;
    const mentioned = this.mentionedIn(text);
    const mentions = mentioned.map(({ data }) => data.name);
    const message = this.rooms.add(room, { author, name, text, mentions, ...(quote && { quote }) });
    this.tellRoom(room.name, { opcode: 'message', room: room.name, message });
    this.notify(guest, message, mentioned);
    return { id: message.id };
  }

  private edit(guest: Guest, message: Message, text: string): Answer {
    if (message.file !== undefined) throw new Refusal('a file cannot be edited: delete it, and send another');
    const room = this.rooms.of(guest.data);
    const before = message.mentions;
    const mentioned = this.mentionedIn(text);
    this.rooms.edit(
      room,
      message,
      text,
      mentioned.map(({ data }) => data.name),
    );
    this.tellRoom(room.name, { opcode: 'edited', room: room.name, message });
    this.notify(
      guest,
      message,
      mentioned.filter(({ data }) => !before.includes(data.name)),
    );
    return undefined;
  }

  private delete(guest: Guest, message: Message): Answer {
    const room = this.rooms.of(guest.data);
    this.rooms.delete(room, message);
    this.tellRoom(room.name, { opcode: 'deleted', room: room.name, id: message.id });
    return undefined;
  }

  /** To one person, in whatever room. Nobody keeps it. */
  private tell(guest: Guest, to: string, text: string): Answer {
    const other = this.people.named(to);
    if (other === undefined) throw new Refusal(`${to} is not here`);
    if (other === guest) throw new Refusal('that is you');
    const { author, name } = guest.data;
    const packet = { opcode: 'private', at: Date.now(), author, name, to: other.data.name, text };
    other.sendPacket(packet);
    guest.sendPacket(packet);
    return undefined;
  }

  /** Who is mentioned and in another room does not see the message: he is told of it. */
  private notify(guest: Guest, { id, text }: Message, mentioned: Guest[]): void {
    const { name, room } = guest.data;
    const packet = { opcode: 'mention', id, room, name, text: excerpt(text) };
    for (const other of mentioned) if (other.data.room !== room) other.sendPacket(packet);
  }

  private mentionedIn(text: string): Guest[] {
    const named = mentionsIn(text).slice(0, MOST.mentions);
    const found = named.map((name) => this.people.named(name)).filter((other) => other !== undefined);
    return [...new Set(found)];
  }

  // ---- files

  private takeFile(guest: Guest, message: Buffer): Answer {
    const { head, bytes } = readFile(message);
    const { author, name } = guest.data;
    const room = this.rooms.of(guest.data);
    const file = { ...head, size: bytes.length };
    const added = this.rooms.add(room, { author, name, text: '', mentions: [], file }, bytes);
    this.tellRoom(room.name, { opcode: 'message', room: room.name, message: added });
    return { id: added.id };
  }

  /** Those who want it ask for it: so it waits for nobody, and pushes no message out of what a session keeps. */
  private giveFile(guest: Guest, id: number): Answer {
    const message = this.rooms.find(this.rooms.of(guest.data), id);
    const bytes = this.rooms.fileOf(message);
    guest.send(Buffer.concat([Buffer.from(`${JSON.stringify({ id, ...message.file })}\n`), bytes]));
    return undefined;
  }

  // ---- telling

  private tellRoom(room: string, packet: Packet, except?: Guest): void {
    const to = this.to(room);
    (except === undefined ? to : to.except(except)).sendPacket(packet);
  }

  private listRooms(guest: Guest): Answer {
    const rooms = this.rooms.all.map(({ name }) => ({ name, people: this.people.in(name).size }));
    guest.sendPacket({ opcode: 'rooms', rooms });
    return undefined;
  }

  private count(room: string): void {
    if (this.recount.size === 0) setTimeout(() => this.tellCounts(), COUNT_AFTER).unref();
    this.recount.add(room);
  }

  /** To everybody, for the list of rooms: the next one makes up for one that was dropped. */
  private tellCounts(): void {
    for (const room of this.recount) {
      const people = this.rooms.has(room) ? this.people.in(room).size : null;
      this.server.broadcast(JSON.stringify({ opcode: 'count', room, people }), { droppable: true });
    }
    this.recount.clear();
  }

  // ---- looking up

  private guest(client: Client): Guest {
    if (!this.isGuest(client)) throw new Outside('enter first');
    return client;
  }

  /** Who was replaced by another page of his is none any more. */
  private isGuest(client: Client): client is Guest {
    const author = (client.data as Person | undefined)?.author;
    return author !== undefined && this.people.by(author) === client;
  }

  /** @throws Refusal */
  private own(guest: Guest, id: number): Message {
    const message = this.rooms.find(this.rooms.of(guest.data), id);
    if (message.author !== guest.data.author) throw new Refusal('only who wrote a message can change it');
    return message;
  }

  private peopleIn(room: string): object[] {
    return Array.from(this.people.in(room), (guest) => this.shown(guest));
  }

  private shown({ data, detached }: Guest): object {
    const { author, name, status, note } = data;
    return { author, name, status, note, connected: !detached };
  }
}
