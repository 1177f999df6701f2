import { ClosedError, connect, describeClose } from './client.js';
import { cut, objectOf, splitHeader } from './frames.js';

/**
 * @typedef {'connecting' | 'open' | 'waiting' | 'closed' | 'ended'} State `ended`: as it was asked for.
 *
 * @typedef {object} Watcher Whoever looks at a connection.
 * @property {(direction: 'in' | 'out', data: string | Uint8Array, session: boolean) => void} frame
 * @property {(text: string) => void} note
 * @property {(state: State, words: string) => void} state
 * @property {(uuid: string) => void} known the connection has this UUID.
 * @property {(id: number | null) => void} sent a message has gone that gets a `next`.
 * @property {(id: number | null) => void} answered a `next` has come.
 * @property {() => void} lost no `next` will come on this connection.
 *
 * @typedef {object} Link A connection, of whatever kind.
 * @property {(message: string | Uint8Array<ArrayBuffer>, pieces: number) => Promise<void>} send in so many pieces.
 * @property {() => void} drop as a lost network would; a link that cannot be lost has none.
 * @property {() => void} close
 */

const SESSION = 'websock.2';
/** Any of an application's: the client library takes it for a lost link. */
const DROPPED = 4000;

/** What goes over a WebSocket, seen before it is handled. */
class Tap {
  /** @param {Watcher} watcher @param {boolean} dialog */
  constructor(watcher, dialog) {
    this.watcher = watcher;
    this.dialog = dialog;
    /** The newest. @type {WebSocket | null} */
    this.socket = null;
    /** A message that is to go in pieces. @type {{ text: string, pieces: number } | null} */
    this.asked = null;
    const tap = this;
    /** What makes WebSockets that are looked at. */
    this.WebSocket = class extends WebSocket {
      /** @param {string | URL} url @param {string | string[]} [protocols] */
      constructor(url, protocols) {
        super(url, protocols);
        this.binaryType = /** @type {const} */ ('arraybuffer');
        tap.socket = this;
        this.addEventListener('message', ({ data }) => tap.received(this, data));
        this.addEventListener('close', () => tap.watcher.lost());
      }

      /** @param {string | BufferSource | Blob} data @override */
      send(data) {
        for (const piece of tap.sending(this, data)) super.send(piece);
      }
    };
  }

  get isSession() {
    return this.socket?.protocol === SESSION;
  }

  /** @param {WebSocket} socket @param {string | ArrayBuffer} data */
  received(socket, data) {
    const session = socket.protocol === SESSION;
    this.watcher.frame('in', typeof data === 'string' ? data : new Uint8Array(data), session);
    if (!this.dialog || typeof data !== 'string') return;
    if (session ? !data.startsWith('\n{') : !data.startsWith('{"opcode":"next"')) return;
    const packet = objectOf(data);
    if (packet?.opcode === 'next') this.watcher.answered(session ? Number(packet.id) : null);
  }

  /**
   * What is sent in place of `data`.
   * @param {WebSocket} socket
   * @param {string | BufferSource | Blob} data
   */
  sending(socket, data) {
    const session = socket.protocol === SESSION;
    const all = typeof data === 'string' ? (session ? this.inPieces(data) : [data]) : [data];
    for (const one of all) this.sent(typeof one === 'string' ? one : bytesOf(one), session);
    return all;
  }

  /** @param {string | Uint8Array} data @param {boolean} session */
  sent(data, session) {
    this.watcher.frame('out', data, session);
    if (!this.dialog || (session && typeof data === 'string' && data.startsWith('\n'))) return;
    const { header } = session ? splitHeader(data) : { header: null };
    if (header?.more !== true) this.watcher.sent(header === null ? null : Number(header.id));
  }

  /** The client library sends what fits in one message: it is cut here. @param {string} data */
  inPieces(data) {
    const { header, body } = splitHeader(data);
    const { asked } = this;
    if (header === null || asked === null || body !== asked.text) return [data];
    this.asked = null;
    const pieces = cut(asked.text, asked.pieces);
    return pieces.map((piece, index) => {
      const more = index < pieces.length - 1 ? { more: true } : {};
      return `${JSON.stringify({ ...header, ...more })}\n${piece}`;
    });
  }
}

/** @param {BufferSource | Blob} data */
function bytesOf(data) {
  if (data instanceof Blob) throw new TypeError('a Blob is not sent here');
  return ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data);
}

/**
 * A connection to a resource with the dialog, by the client library: it comes back by itself.
 * @implements {Link}
 */
class LibraryLink {
  /** @param {string} url @param {Watcher} watcher */
  constructor(url, watcher) {
    this.tap = new Tap(watcher, true);
    this.connection = connect(url, { WebSocket: this.tap.WebSocket });
    const { connection } = this;
    watcher.state('connecting', 'Connecting …');
    connection.onstate = (state, detail) => {
      if (state === 'open') {
        watcher.known(connection.uuid);
        watcher.state('open', this.tap.isSession ? 'Connected' : 'Connected, without a session');
      } else if (state === 'connecting') watcher.state('connecting', 'Connecting …');
      else if (state === 'waiting') {
        watcher.state('waiting', `${wordsOf(detail)}. Trying again in ${secondsText(detail.delay ?? 0)}`);
      } else watcher.state(detail.code === 1000 ? 'ended' : 'closed', wordsOf(detail));
    };
    connection.onresumed = ({ lost, resumed }) => {
      if (!resumed) watcher.note('The daemon does not know the session any more: this is a new one');
      else
        watcher.note(
          lost === 0 ? 'The session goes on: nothing was lost' : `The session goes on: ${lost} messages were lost`,
        );
    };
  }

  /** @param {string | Uint8Array<ArrayBuffer>} message @param {number} pieces */
  async send(message, pieces) {
    try {
      await this.sendWhole(message, pieces);
    } catch (error) {
      // Then the state says why.
      if (!(error instanceof ClosedError)) throw error;
    }
  }

  /** @param {string | Uint8Array<ArrayBuffer>} message @param {number} pieces */
  async sendWhole(message, pieces) {
    if (pieces === 1 || typeof message !== 'string') await this.connection.send(message);
    else if (this.tap.isSession) {
      this.tap.asked = { text: message, pieces };
      await this.connection.send(message);
    } else
      await Promise.all(['bufferON', ...cut(message, pieces), 'bufferOFF'].map((one) => this.connection.send(one)));
  }

  drop() {
    this.tap.socket?.close(DROPPED, 'dropped');
  }

  close() {
    this.connection.close();
  }
}

/**
 * A connection to a resource without the dialog: a bare WebSocket.
 * @implements {Link}
 */
class BareLink {
  /** Whether it was asked to close: before it is open, that ends as a lost connection does. */
  asked = false;

  /** @param {string} url @param {Watcher} watcher */
  constructor(url, watcher) {
    this.socket = new new Tap(watcher, false).WebSocket(url);
    watcher.state('connecting', 'Connecting …');
    this.socket.addEventListener('open', () => watcher.state('open', 'Connected, to a resource without the dialog'));
    this.socket.addEventListener('close', ({ code, reason }) => {
      const over = this.asked || code === 1000 || code === 1005;
      watcher.state(over ? 'ended' : 'closed', wordsOf({ code, reason, words: describeClose(code) }));
    });
  }

  /** @param {string | Uint8Array<ArrayBuffer>} message */
  async send(message) {
    if (this.socket.readyState !== WebSocket.OPEN) throw new Error('not connected');
    this.socket.send(message);
  }

  drop() {
    this.socket.close(DROPPED, 'dropped');
  }

  close() {
    this.asked = true;
    this.socket.close(1000);
  }
}

/**
 * A resource that takes no browsers: each message is a POST, by the daemon's leave (`/_websock/post`).
 * @implements {Link}
 */
class PostLink {
  /** @param {string} path with its query. @param {Watcher} watcher */
  constructor(path, watcher) {
    this.url = `${location.origin}/_websock/post${path}`;
    this.watcher = watcher;
    watcher.state('open', 'Ready: each message is a POST');
  }

  /** @param {string | Uint8Array<ArrayBuffer>} message */
  async send(message) {
    const { watcher } = this;
    const type = typeof message === 'string' ? 'text/plain' : 'application/octet-stream';
    watcher.frame('out', message, false);
    watcher.sent(null);
    const response = await fetch(this.url, { method: 'POST', headers: { 'Content-Type': type }, body: message });
    const text = (await response.text()).trim();
    watcher.answered(null);
    watcher.frame('in', text, false);
    if (!response.ok) watcher.note(`Answered with ${response.status} ${response.statusText}`);
  }

  drop() {}

  close() {
    this.watcher.state('ended', 'Not connected');
  }
}

/**
 * The URLs are whole: the address of the page may hold a password, and what is relative to it would too.
 * @param {import('./copy.js').Resource} resource
 * @param {string} query with its `?`, or ''.
 * @param {Watcher} watcher
 * @returns {Link}
 */
export function openLink(resource, query, watcher) {
  const path = resource.path + query;
  if (!acceptsBrowsers(resource)) return new PostLink(path, watcher);
  const url = new URL(path, location.origin);
  url.protocol = url.protocol.replace('http', 'ws');
  return resource.dialog ? new LibraryLink(url.href, watcher) : new BareLink(url.href, watcher);
}

/** @param {import('./copy.js').Resource} resource */
export function acceptsBrowsers({ accepts }) {
  return accepts.includes(location.protocol === 'https:' ? 'wss' : 'ws');
}

/** @param {{ code?: number, reason?: string, words?: string }} detail */
function wordsOf({ code, reason = '', words = '' }) {
  const said = bothOf(words, reason);
  const sentence = said.charAt(0).toUpperCase() + said.slice(1);
  return code === undefined || code === 0 ? sentence : `${sentence} (${code})`;
}

/**
 * What a code means and what the daemon says of it, without saying the same twice.
 * @param {string} words
 * @param {string} reason
 */
function bothOf(words, reason) {
  const stems = reason.split(' ').map((word) => word.slice(0, 5));
  if (stems.every((stem) => words.includes(stem))) return words;
  const kind = words.replace(/^.*, or |^there is /, '');
  return reason.includes(kind) ? reason : `${words}: ${reason}`;
}

/** @param {number} milliseconds */
function secondsText(milliseconds) {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}
