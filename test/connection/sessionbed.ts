import type { Callbacks } from '../../src/connection/route.ts';
import { type ContextOptions, type FakeContext, type FakeResource, FakeSocket } from '../support/fakes.ts';
import { frame } from '../support/frames.ts';
import { answer, head, openerBed, type OpenerBedOptions } from './openerbed.ts';
import { inWords } from './bed.ts';

interface Packet {
  opcode: string;
  [field: string]: unknown;
}

/** One connection of a client that speaks websock.2, on a fake socket. */
class SessionPeer {
  readonly socket: FakeSocket;
  /** The head of the response. */
  readonly head: string;
  /** `ready` or `resumed`; undefined: it was refused. */
  readonly first: Packet | undefined;
  /** What came with it. */
  private early: string[];

  constructor(socket: FakeSocket) {
    this.socket = socket;
    const { head: text, words } = answer(socket);
    this.head = text;
    this.first = words[0]?.startsWith('\n') ? packetIn(words[0]) : undefined;
    this.early = words.slice(1);
  }

  get session(): string {
    return String(this.first?.session);
  }

  /** What has come since the last call: messages as they are, packets of the dialog with their LF, and as {@link inWords}. */
  heard(): string[] {
    const words = [...this.early, ...inWords(this.socket.drop())];
    this.early = [];
    return words;
  }

  /** The same, of `next` packets the ids alone. */
  short(): string[] {
    return this.heard().map((word) => word.replace(/^\n\{"opcode":"next","fyi":"","id":(\d+)\}$/, 'next $1'));
  }

  /** Sends messages, each in a chunk of its own. */
  say(id: number, text: string | Buffer, more: object = {}): void {
    const header = `${JSON.stringify({ id, ...more })}\n`;
    const payload = Buffer.concat([Buffer.from(header), Buffer.from(text as string)]);
    this.socket.say(frame({ op: typeof text === 'string' ? 1 : 2, payload }));
  }

  raw(text: string | Buffer): void {
    this.socket.say(frame({ op: typeof text === 'string' ? 1 : 2, payload: text }));
  }

  ack(received: number): void {
    this.raw(`\n{"opcode":"ack","received":${received}}`);
  }

  /** The connection is lost. */
  cut(): void {
    this.socket.reader.onClose(null);
  }
}

function packetIn(word: string): Packet {
  return JSON.parse(word) as Packet;
}

export interface SessionBed {
  readonly context: FakeContext;
  readonly resource: FakeResource;
  /** Another connection, with these subprotocols. */
  connect(protocols?: string, more?: Connecting): SessionPeer;
  /** Another connection that comes back to `session`. */
  resume(session: string, received: number, more?: Connecting): SessionPeer;
}

interface Connecting {
  ip?: string;
  fields?: Record<string, string>;
  target?: string;
  /** Bytes behind the handshake. */
  rest?: Buffer;
}

export interface SessionBedOptions extends ContextOptions {
  callbacks?: Partial<Callbacks>;
  route?: OpenerBedOptions['route'];
}

export function sessionBed(options: SessionBedOptions = {}): SessionBed {
  let bed: ReturnType<typeof openerBed> | null = null;
  const connect: SessionBed['connect'] = (protocols = 'websock.2', more = {}) => {
    const socket = Object.assign(new FakeSocket(), { ip: more.ip ?? '127.0.0.1' });
    const one = openerBed({ ...options, socket, ...(bed === null ? {} : { context: bed.context }) });
    bed ??= one;
    const request = Buffer.from(head({ 'Sec-WebSocket-Protocol': protocols, ...more.fields }, more.target));
    one.socket.say(Buffer.concat([request, more.rest ?? Buffer.alloc(0)]));
    return new SessionPeer(one.socket);
  };
  // A first one, that the context and the resource are those of.
  connect('none').cut();
  const { context, resource } = bed as unknown as ReturnType<typeof openerBed>;
  resource.calls.length = 0;
  context.log.lines.length = 0;
  return {
    context,
    resource,
    connect,
    resume: (session, received, more) => connect(`websock.2, websock.resume.${session}.${received}`, more),
  };
}
