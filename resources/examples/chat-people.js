import { make, makeButton } from './chat-messages.js';
import { byId } from './example.js';

/** @typedef {{ author: string, name: string, status: string, note: string, connected: boolean }} Person */

/** Milliseconds that somebody is shown to type, if nothing more comes. */
const TYPES = 5000;

/** Who is in the room, and what they do. */
export class People {
  /** @type {Map<string, Person>} */
  #people = new Map();
  /** Until when each of them types. @type {Map<string, number>} */
  #typing = new Map();
  #acts;
  /** One's own author. */
  me = '';

  /** @param {{ mention: (name: string) => void, write: (name: string) => void }} acts */
  constructor(acts) {
    this.#acts = acts;
  }

  get names() {
    return [...this.#people.values()].filter(({ author }) => author !== this.me).map(({ name }) => name);
  }

  /** @param {Person[]} people all of them. */
  show(people) {
    this.#people = new Map(people.map((person) => [person.author, person]));
    this.#typing.clear();
    this.#draw();
  }

  /** @param {Person} person who has come, or changed. */
  put(person) {
    this.#people.set(person.author, person);
    this.#draw();
  }

  /** @param {string} author */
  remove(author) {
    this.#people.delete(author);
    this.types(author, false);
    this.#draw();
  }

  /**
   * @param {string} author
   * @param {boolean} does
   */
  types(author, does) {
    if (does) this.#typing.set(author, Date.now() + TYPES);
    else this.#typing.delete(author);
    this.#drawTyping();
    if (does) setTimeout(() => this.#drawTyping(), TYPES + 100);
  }

  #drawTyping() {
    const names = [];
    for (const [author, until] of this.#typing) {
      const person = this.#people.get(author);
      if (until > Date.now() && person !== undefined) names.push(person.name);
      else this.#typing.delete(author);
    }
    const some = names.length > 3 ? 'Several people' : names.join(', ');
    byId('typing').textContent = names.length === 0 ? '' : `${some} ${names.length === 1 ? 'is' : 'are'} typing…`;
  }

  #draw() {
    const people = [...this.#people.values()].toSorted((a, b) => a.name.localeCompare(b.name));
    byId('people').replaceChildren(...people.map((person) => this.#itemOf(person)));
    byId('people-title').textContent = `Who is here (${people.length})`;
  }

  /** @param {Person} person */
  #itemOf({ author, name, status, note, connected }) {
    const own = author === this.me;
    const item = make('li', '', 'person');
    item.dataset.status = connected ? status : 'lost';
    const says = connected ? [status, note].filter((text) => text !== '' && text !== 'here') : ['connection lost'];
    item.append(make('bdi', own ? `${name} (you)` : name, 'name'), make('small', says.join(': ')));
    if (!own) {
      const acts = make('span', '', 'acts');
      acts.append(makeButton('Mention', () => this.#acts.mention(name)));
      acts.append(makeButton('Private', () => this.#acts.write(name)));
      item.append(acts);
    }
    return item;
  }
}

/** The rooms, and how many people are in each. */
export class RoomList {
  /** @type {Map<string, number>} */
  #rooms = new Map();
  #join;
  /** Which one is in. */
  here = '';

  /** @param {(room: string) => void} join */
  constructor(join) {
    this.#join = join;
  }

  /** @param {{ name: string, people: number }[]} rooms */
  show(rooms) {
    this.#rooms = new Map(rooms.map(({ name, people }) => [name, people]));
    this.#draw();
  }

  /**
   * @param {string} room
   * @param {number | null} people null: it is gone.
   */
  count(room, people) {
    if (people === null) this.#rooms.delete(room);
    else this.#rooms.set(room, people);
    this.#draw();
  }

  #draw() {
    const rooms = [...this.#rooms].toSorted(([a], [b]) => a.localeCompare(b));
    byId('rooms').replaceChildren(
      ...rooms.map(([room, people]) => {
        const button = makeButton('', () => this.#join(room));
        button.append(make('bdi', room), make('small', String(people)));
        button.setAttribute('aria-label', `${room}, ${people} here`);
        if (room === this.here) button.setAttribute('aria-current', 'true');
        const item = make('li');
        item.append(button);
        return item;
      }),
    );
  }
}
