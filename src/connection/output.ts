import { NEXT } from '../packet/packet.ts';
import type { TransportSocket } from '../transport/transport.ts';
import type { Engine } from '../wire/engine.ts';
import { giveMemory } from '../wire/spare.ts';
import type { Cork } from './cork.ts';
import type { Deadline, Deadlines } from './deadlines.ts';
import { encodeData, encodeMessage, type Outgoing, STRING_LIMIT } from './encode.ts';
import { type Gather, Slab } from './gather.ts';
import type { LimitValues } from './limits.ts';

/** What gathers under a cork before it is written all the same. */
const GATHER_LIMIT = 16384;

/** The longest message that is copied to where frames gather; UTF-8 takes up to three bytes for a character of a string. */
const COPY_MOST = Slab.MOST / 4;

/** The frame of the `next` that nearly every message gets, by framing. */
const nextFrames = new Map<string, string | Buffer>();

function nextFrame(engine: Engine): string | Buffer {
  let frame = nextFrames.get(engine.framing);
  if (frame === undefined) {
    frame = encodeMessage(engine, NEXT, false);
    nextFrames.set(engine.framing, frame);
  }
  return frame;
}

/** Who is told what becomes of the output. */
export interface OutputOwner {
  /** The client does not read: it is to be closed. `owed`: bytes that wait for it. */
  onSlow(limit: 'sendQueue' | 'writeTimeout', owed: number): void;
  /** Too much waits: no more is to be read until `onDrain` of the socket, or `onRelief`. */
  onBacklog(): void;
  onRelief(): void;
}

export interface OutputContext {
  readonly values: LimitValues;
  readonly deadlines: Deadlines;
  readonly cork: Cork;
}

/**
 * The one writer of a socket: encodes messages, gathers what one chunk of input causes into one write, and bounds what
 * waits for a client that does not read.
 */
export class Output implements Deadline {
  slot: Set<Deadline> | null = null;
  readonly engine: Engine;
  protected readonly socket: TransportSocket;
  protected readonly context: OutputContext;
  protected readonly owner: OutputOwner;
  protected ended = false;
  /** What is to be written at the end of the chunk; null: nothing. */
  private gather: Gather | null = null;
  private held: (string | Buffer)[] | null = null;
  private heldBytes = 0;
  /** What `socket.taken` was when the write deadline was armed. */
  private taken = 0;

  constructor(socket: TransportSocket, engine: Engine, context: OutputContext, owner: OutputOwner) {
    this.socket = socket;
    this.engine = engine;
    this.context = context;
    this.owner = owner;
  }

  /** Bytes not yet taken by the kernel. */
  get waiting(): number {
    return this.socket.pending + (this.gather?.size ?? 0) + this.heldBytes;
  }

  /** A message of the client has arrived. @param hold keep everything until its `next` has gone. */
  arrived(hold: boolean): void {
    if (hold) this.held ??= [];
  }

  /** @returns whether it was queued. @throws CompressionError */
  send(data: string | Buffer, binary: boolean, compress?: boolean): boolean {
    if (!this.admit()) return false;
    const { engine } = this;
    if (engine.compressor !== null) return this.frame(encodeData(engine, data, binary, compress));
    // Frames are copied to where they gather, unless they would keep that memory: held, behind others that wait, or too long.
    if (this.held !== null || this.socket.pending > 0 || data.length > COPY_MOST) return this.sendLong(data, binary);
    if (typeof data === 'string') {
      const text = engine.clean(data);
      const length = Buffer.byteLength(text);
      const prefix = engine.prefix(length, binary);
      // Every character is ASCII, so latin1 and UTF-8 say the same.
      if (length === text.length && length < STRING_LIMIT) this.gathering().addText(prefix + text + engine.suffix);
      else this.gathering().addUtf8(prefix, text, length, engine.suffix);
    } else {
      const bytes = engine.cleanBytes(data);
      this.gathering().addCopy(engine.prefix(bytes.length, binary), bytes, engine.suffix);
    }
    this.gathered();
    return true;
  }

  private sendLong(data: string | Buffer, binary: boolean): boolean {
    const { engine, socket } = this;
    const { cork } = this.context;
    if (this.held !== null) return this.frame(encodeMessage(engine, data, binary));
    if (typeof data !== 'string' && cork.isLent(data)) {
      this.gathering().addText(engine.prefix(data.length, binary));
      this.gathering().addShared(data);
      this.flush();
      if (socket.pending > 0) cork.keep();
      return true;
    }
    const frame = encodeMessage(engine, data, binary, data === cork.ascii);
    this.write(frame);
    if (typeof frame !== 'string' && frame.length > GATHER_LIMIT && socket.pending === 0) giveMemory(frame);
    return true;
  }

  /** A message that goes to many: its bytes are shared. @returns whether it was queued. @throws CompressionError */
  share(outgoing: Outgoing): boolean {
    return this.admit() && this.frame(outgoing.frameFor(this.engine));
  }

  /** The `next` of the oldest message that has none yet. */
  next(packet: string): void {
    // Not `admit`: what the message brought about, however long, must not cost it its `next`. And not compressed: it goes
    // before frames that are held, which with context takeover it would refer to.
    if (this.ended) return;
    this.write(packet === NEXT ? nextFrame(this.engine) : encodeMessage(this.engine, packet, false));
    this.release();
  }

  /** A control frame, as the engine made it; '' is none. */
  control(frame: string): void {
    if (frame !== '' && this.admit()) this.write(frame);
  }

  /** The last things to be written: a `close` packet or null, a Close frame or '', the FIN. */
  finish(packet: string | null, closeFrame: string): void {
    if (this.ended) return;
    this.release();
    if (packet !== null) this.write(encodeMessage(this.engine, packet, false));
    if (closeFrame !== '') this.write(closeFrame);
    this.end();
  }

  /** Writes what was gathered. */
  flush(): void {
    const { gather } = this;
    if (gather === null) return;
    this.gather = null;
    gather.writeTo(this.socket);
    this.context.cork.give(gather);
    this.watch();
  }

  /** The socket is gone. */
  dispose(): void {
    this.ended = true;
    this.context.deadlines.disarm(this);
    this.gather = this.held = null;
    this.heldBytes = 0;
  }

  /** The write deadline: a peer that has taken something since it was armed has its time again. */
  expire(): void {
    const { pending, taken } = this.socket;
    if (pending === 0) return;
    if (taken === this.taken) this.owner.onSlow('writeTimeout', pending);
    else this.armWrite();
  }

  protected frame(frame: string | Buffer): boolean {
    if (this.held === null) this.write(frame);
    else {
      this.held.push(frame);
      this.heldBytes += frame.length;
    }
    return true;
  }

  /** Whether one more message may be queued; if not, the client is closed for not reading. */
  protected admit(): boolean {
    if (this.ended) return false;
    const owed = this.waiting;
    if (owed <= this.context.values.sendQueue) return true;
    this.owner.onSlow('sendQueue', owed);
    return false;
  }

  protected write(frame: string | Buffer): void {
    if (typeof frame === 'string') this.gathering().addText(frame);
    else this.gathering().addShared(frame);
    this.gathered();
  }

  /** Where the next frame goes. */
  private gathering(): Gather {
    this.gather ??= this.begin();
    return this.gather;
  }

  private begin(): Gather {
    const { cork } = this.context;
    if (cork.active) cork.add(this);
    return cork.take();
  }

  /** A frame has been added: it waits for the end of the chunk, if there is one. */
  private gathered(): void {
    const { gather } = this;
    if (gather !== null && (gather.size > GATHER_LIMIT || !this.context.cork.active)) this.flush();
  }

  /** Writes it at once. */
  protected put(data: string | Buffer): void {
    this.socket.write(data);
    this.watch();
  }

  protected end(): void {
    this.ended = true;
    this.flush();
    this.socket.end();
  }

  private release(): void {
    const { held } = this;
    if (held === null) return;
    this.held = null;
    this.heldBytes = 0;
    for (const frame of held) this.write(frame);
  }

  /** After a write: does the peer keep up? */
  private watch(): void {
    const { pending } = this.socket;
    if (pending === 0) return;
    if (this.slot === null) this.armWrite();
    if (pending > this.context.values.sendQueue / 2 && this.socket.willDrain) this.owner.onBacklog();
  }

  private armWrite(): void {
    this.taken = this.socket.taken;
    this.context.deadlines.arm(this, this.context.values.writeTimeout);
  }
}
