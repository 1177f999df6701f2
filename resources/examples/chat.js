import { connect } from '/_websock/client.js';
import { Composer, Pending } from './chat-composer.js';
import { Files, packFile } from './chat-files.js';
import { make, makeButton, Messages } from './chat-messages.js';
import { People, RoomList } from './chat-people.js';
import { byId, followState } from './example.js';

/**
 * @typedef {import('./chat-messages.js').Message} Message
 * @typedef {import('./chat-messages.js').Private} Private
 * @typedef {import('./chat-people.js').Person} Person
 * @typedef {{ opcode: string, [field: string]: unknown }} Packet
 * @typedef {{ name: number, room: number, note: number, text: number, file: number }} Most
 * @typedef {{
 *   room: { room: string, you: Person, people: Person[], messages: Message[], most: Most },
 *   rooms: { rooms: { name: string, people: number }[] },
 *   count: { room: string, people: number | null },
 *   message: { room: string, message: Message },
 *   edited: { room: string, message: Message },
 *   deleted: { room: string, id: number },
 *   private: Private,
 *   mention: { id: number, room: string, name: string, text: string },
 *   person: { person: Person },
 *   people: { people: Person[] },
 *   left: { author: string },
 *   typing: { author: string },
 * }} Packets
 */

const form = (/** @type {string} */ id) => /** @type {HTMLFormElement} */ (byId(id));
const field = (/** @type {string} */ id, /** @type {string} */ name) =>
  /** @type {HTMLInputElement} */ (form(id).elements.namedItem(name));

/** Who one is: kept as long as the tab, so that to load the page again is not to leave. */
const self = {
  name: sessionStorage.getItem('chat.name') ?? '',
  room: sessionStorage.getItem('chat.room') ?? 'lobby',
  /** Nobody else can be who knows this. */
  key: sessionStorage.getItem('chat.key') ?? makeKey(),
};
/** Names, rooms and texts may be so long; the server says it. @type {Most | undefined} */
let most;
/** Mentions and private messages since the page was last looked at. */
let unseen = 0;

const link = connect('/chat');
const connection = /** @type {import('/_websock/client.js').Connection<Packets>} */ (/** @type {unknown} */ (link));
followState(link);

const composer = new Composer({
  send: (text, { quote, edit, to }) => {
    const packet =
      to !== undefined
        ? { opcode: 'tell', to, text }
        : edit !== undefined
          ? { opcode: 'edit', id: edit.id, text }
          : { opcode: 'say', text, quote: quote?.id };
    void pending.add(text, () => ask(packet));
  },
  typing: () => {
    if (connection.state === 'open') void ask({ opcode: 'typing' });
  },
  sendFile: (file) => void pending.add(file.name, () => sendFile(file)),
  names: () => people.names,
  last: () => messages.lastOwn(),
});
const pending = new Pending(() => messages.toEnd());
const files = new Files((id) => ask({ opcode: 'file', id }));
const messages = new Messages({
  act: (what, message) => {
    if (what === 'delete') void pending.add('Delete a message', () => ask({ opcode: 'delete', id: message.id }));
    else composer.write({ [what]: message });
  },
  write: (to) => composer.write({ to }),
  showFile: (message, place, live) => files.offer(message, place, live),
});
const people = new People({
  mention: (name) => {
    showPanes(false);
    composer.mention(name);
  },
  write: (to) => {
    showPanes(false);
    composer.write({ to });
  },
});
const rooms = new RoomList((room) => void join(room));

// ---- what comes

connection.on('room', ({ room, you, people: here, messages: said, most: limits }) => {
  self.name = you.name;
  self.room = room;
  remember();
  most = limits;
  messages.me = you;
  people.me = you.author;
  rooms.here = room;
  byId('room').textContent = room;
  showSelf(you);
  people.show(here);
  messages.show(room, said);
  showChat(true);
});
connection.on('rooms', (packet) => rooms.show(packet.rooms));
connection.on('count', (packet) => rooms.count(packet.room, packet.people));
connection.on('message', ({ room, message }) => {
  if (room !== self.room) return;
  people.types(message.author, false);
  messages.put(message, true);
  if (message.author === messages.me.author || !message.mentions.includes(self.name)) return;
  notice(`${message.name} mentions you`, message.text);
});
connection.on('edited', ({ room, message }) => {
  if (room === self.room) messages.put(message, true);
});
connection.on('deleted', ({ room, id }) => {
  if (room !== self.room) return;
  messages.remove(id);
  composer.forget(id);
});
connection.on('private', (message) => {
  messages.putPrivate(message);
  if (message.author !== messages.me.author) notice(`${message.name} writes to you`, message.text);
});
connection.on('mention', ({ room, name, text }) => {
  notice(`${name} mentions you in ${room}`, text);
  alert(`${name} mentions you in ${room}: ${text}`, room);
});
connection.on('person', ({ person }) => {
  people.put(person);
  if (person.author === people.me) showSelf(person);
});
connection.on('people', (packet) => people.show(packet.people));
connection.on('left', ({ author }) => people.remove(author));
connection.on('typing', ({ author }) => people.types(author, true));
// oxlint-disable-next-line unicorn/prefer-add-event-listener -- it has no other
connection.onmessage = (data) => {
  if (data instanceof ArrayBuffer) files.receive(data);
};

// ---- coming in, and coming back

/** @type {Promise<string | undefined> | null} */
let entering = null;

/** Comes in, once at a time. @returns what speaks against it. */
function enter() {
  entering ??= send({ opcode: 'enter', key: self.key, name: self.name, room: self.room })
    .then(({ error }) => {
      if (error === undefined) return undefined;
      showChat(false);
      byId('door-error').textContent = error;
      return error;
    })
    .finally(() => {
      entering = null;
    });
  return entering;
}

connection.onresumed = ({ resumed }) => {
  if (self.name === '') return;
  // Nobody knows this page any more, where it was away for too long: it comes in anew. Else only the counts may be old.
  if (resumed) void ask({ opcode: 'rooms' });
  else void enter();
};
connection.onlost = () => {
  files.lost();
  if (self.name !== '') void enter();
};

/**
 * Sends a packet, or a file; whoever is not known any more comes in first.
 * @param {Packet | ArrayBuffer} message
 * @returns {Promise<string | undefined>} what speaks against it.
 */
async function ask(message) {
  const next = await send(message);
  if (next.enter !== true) return next.error;
  return (await enter()) ?? (await send(message)).error;
}

/**
 * @param {Packet | ArrayBuffer} message
 * @returns {Promise<{ error?: string, enter?: unknown }>}
 */
async function send(message) {
  try {
    // What may have been handled is not said twice.
    return await connection.send(message, { again: false });
  } catch (error) {
    const { name, message: words } = /** @type {Error} */ (error);
    return { error: name === 'LostError' ? 'it is not known whether this has arrived' : words };
  }
}

/** @param {File} file */
async function sendFile(file) {
  if (most !== undefined && file.size > most.file) return `a file has at most ${most.file / 1024} KiB`;
  return ask(await packFile(file, await file.arrayBuffer()));
}

/** @param {string} room */
async function join(room) {
  const error = room === self.room ? undefined : await ask({ opcode: 'join', room });
  byId('room-error').textContent = error ?? '';
  if (error === undefined) showPanes(false);
}

// ---- the page

onSubmit('door', async () => {
  self.name = field('door', 'name').value;
  self.room = field('door', 'room').value;
  byId('door-error').textContent = '';
  if ((await enter()) === undefined) field('composer', 'text').focus();
});
onSubmit('other-room', async () => {
  await join(field('other-room', 'room').value);
  if (byId('room-error').textContent === '') form('other-room').reset();
});
onSubmit('me', async () => {
  const [name, status, note] = ['name', 'status', 'note'].map((one) => field('me', one).value);
  const error = name === self.name ? undefined : await ask({ opcode: 'rename', name });
  byId('me-error').textContent = error ?? (await ask({ opcode: 'status', status, note })) ?? '';
});

/**
 * @param {string} id
 * @param {() => Promise<void>} then
 */
function onSubmit(id, then) {
  form(id).addEventListener('submit', (event) => {
    event.preventDefault();
    void then();
  });
}

/** @param {Person} you */
function showSelf({ name, status, note }) {
  self.name = name;
  messages.me = { ...messages.me, name };
  remember();
  field('me', 'name').value = name;
  field('me', 'status').value = status;
  field('me', 'note').value = note;
}

/** @param {boolean} inside */
function showChat(inside) {
  byId('chat').hidden = byId('panes').hidden = !inside;
  byId('door').hidden = inside;
  if (!inside || most === undefined) return;
  composer.limit(most.text);
  field('me', 'name').maxLength = most.name;
  field('me', 'note').maxLength = most.note;
  field('other-room', 'room').maxLength = most.room;
  messages.toEnd();
}

const arePanesOpen = () => byId('chat').classList.contains('panes');

/** On a phone, instead of the chat: @param {boolean} open */
function showPanes(open) {
  byId('chat').classList.toggle('panes', open);
  byId('panes').textContent = open ? 'Back to the chat' : 'Rooms, people';
}
byId('panes').addEventListener('click', () => showPanes(!arePanesOpen()));
document.addEventListener('keydown', ({ key, isComposing }) => {
  if (key !== 'Escape' || isComposing || !arePanesOpen()) return;
  showPanes(false);
  byId('panes').focus(); // what had it is not to be seen any more
});

/**
 * @param {string} text
 * @param {string} room
 */
function alert(text, room) {
  const item = make('li', text);
  item.append(
    makeButton('Go there', () => {
      item.remove();
      void join(room);
    }),
    makeButton('Dismiss', () => item.remove()),
  );
  const list = byId('alerts');
  list.append(item);
  if (list.childElementCount > 3) list.firstElementChild?.remove();
}

/**
 * Something is for whoever looks at this page: where he does not, he is told.
 * @param {string} title
 * @param {string} body
 */
function notice(title, body) {
  if (!document.hidden) return;
  unseen++;
  showTitle();
  if (!('Notification' in window) || Notification.permission !== 'granted') return;
  try {
    const notification = new Notification(title, { body: body.slice(0, 200), tag: 'chat' });
    notification.addEventListener('click', () => window.focus());
  } catch {
    // A phone shows those of service workers alone; the title says it as well.
  }
}

function showTitle() {
  document.title = `${unseen > 0 ? `(${unseen}) ` : ''}${self.room} · chat`;
}
document.addEventListener('visibilitychange', () => {
  if (document.hidden) return;
  unseen = 0;
  showTitle();
});

const notify = byId('notify');
notify.hidden = !('Notification' in window) || Notification.permission !== 'default';
notify.addEventListener('click', () => {
  void Notification.requestPermission().then(() => {
    notify.hidden = true;
  });
});

function makeKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(24));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function remember() {
  sessionStorage.setItem('chat.name', self.name);
  sessionStorage.setItem('chat.room', self.room);
  sessionStorage.setItem('chat.key', self.key);
  showTitle();
}

if (self.name === '') showChat(false);
else void enter();
field('door', 'name').value = self.name;
field('door', 'room').value = self.room;
