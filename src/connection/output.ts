import { NEXT } from '../packet/packet.ts';
import type { TransportSocket } from '../transport/transport.ts';
import type { Engine } from '../wire/engine.ts';
import { giveMemory } from '../wire/spare.ts';
import { encodeData, encodeMessage, type Outgoing, STRING_LIMIT } from './encode.ts';
import type { FragmentOutput } from './fragments.ts';
import { type Gather, SHARED_LEAST, Slab } from './gather.ts';
import { Held } from './held.ts';
import { Owing, type OutputContext, type OutputOwner } from './owing.ts';

/** What gathers under a cork before it is written all the same: a frame that is longer leaves at once. */
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

/**
 * The one writer of a socket: encodes messages, gathers what one chunk of input causes into one write, and bounds what
 * waits for a client that does not read.
 */
export class Output extends Owing implements FragmentOutput {
  readonly engine: Engine;
  ended = false;
  /** What is to be written at the end of the chunk; null: nothing. */
  private gather: Gather | null = null;
  /** What may not be written yet; null: everything may. */
  private held: Held | null = null;
  /** Messages in fragments that wait for a change. */
  private waiters: (() => void)[] | null = null;

  constructor(socket: TransportSocket, engine: Engine, context: OutputContext, owner: OutputOwner) {
    super(socket, context, owner);
    this.engine = engine;
  }

  /** Bytes not yet taken by the kernel. */
  get waiting(): number {
    return this.socket.pending + (this.gather?.size ?? 0) + (this.held?.bytes ?? 0);
  }

  get kept(): number {
    return this.held?.bytes ?? 0;
  }

  /** A message of the client has arrived. @param hold keep everything until its `next` has gone. */
  arrived(hold: boolean): void {
    if (!hold) return;
    this.held ??= new Held();
    this.held.awaitNext();
  }

  /** Everything waits for the `next` of a message that has arrived. */
  get awaitsNext(): boolean {
    return this.held?.awaitsNext ?? false;
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
    return !this.ended;
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
      return !this.ended;
    }
    const frame = encodeMessage(engine, data, binary, data === cork.ascii);
    if (typeof frame === 'string') this.write(frame);
    else this.writeLong(frame);
    return !this.ended;
  }

  /** A message that goes to many: its bytes are shared. @returns whether it was queued. @throws CompressionError */
  share(outgoing: Outgoing): boolean {
    if (!this.admit()) return false;
    const frame = outgoing.frameFor(this.engine);
    if (frame.length <= SHARED_LEAST || typeof frame === 'string' || this.held !== null) return this.frame(frame);
    // Behind others that wait nothing is gained by gathering, and what is not copied is in memory once, for all.
    if (frame.length <= GATHER_LIMIT && this.socket.pending === 0) return this.frame(frame);
    this.gathering().addShared(frame);
    this.flush(frame);
    return !this.ended;
  }

  /** The `next` of the oldest message that has none yet. */
  next(packet: string): void {
    // Not `admit`: what the message brought about, however long, must not cost it its `next`. And not compressed: it goes
    // before frames that are held, which with context takeover it would refer to.
    if (this.ended) return;
    const frame = packet === NEXT ? nextFrame(this.engine) : encodeMessage(this.engine, packet, false);
    const { held } = this;
    if (held === null) {
      this.write(frame);
      return;
    }
    held.addNext(frame);
    if (held.fragmented) this.watchHeld(held);
    else this.release(false);
  }

  /** A control frame, as the engine made it; '' is none. */
  control(frame: string): void {
    if (frame !== '' && this.admit()) this.write(frame);
  }

  /** The last things to be written: a `close` packet or null, a Close frame or '', the FIN. */
  finish(packet: string | null, closeFrame: string): void {
    if (this.ended) return;
    // In the middle of a message only control frames may follow (RFC 6455 §5.4): what waits behind it is lost.
    if (this.held?.fragmented !== true) {
      this.release(true);
      if (packet !== null) this.write(encodeMessage(this.engine, packet, false));
    }
    if (closeFrame !== '') this.write(closeFrame);
    this.end();
  }

  /** Writes what was gathered. @param shared it ends with this long frame, which others are sent too. */
  flush(shared: Buffer | null = null): void {
    const { gather } = this;
    if (gather === null) return;
    this.gather = null;
    const { size } = gather;
    gather.writeTo(this.socket, this.ended);
    const { cork } = this.context;
    cork.give(gather);
    if (cork.active) cork.burst(size);
    this.watch(size, shared);
  }

  /** The socket is gone. */
  dispose(): void {
    this.ended = true;
    this.context.deadlines.disarm(this);
    this.gather = this.held = null;
    this.forgive();
    this.wake();
  }

  // ---- messages in fragments

  takesFragment(begun: boolean): boolean {
    return this.ended || ((begun || this.held === null) && !this.isFull);
  }

  change(): Promise<void> {
    return new Promise((done) => {
      this.waiters ??= [];
      this.waiters.push(done);
    });
  }

  fragment(frame: Buffer, begun: boolean): void {
    if (!begun) {
      this.held = new Held();
      this.held.fragmented = true;
    }
    this.writeLong(frame);
  }

  complete(): boolean {
    const { held } = this;
    if (held === null) return false; // all has ended
    this.context.cork.during(null, () => {
      this.write(this.engine.lastFragment);
      held.fragmented = false;
      this.release(false);
    });
    if (!this.isFull) this.owner.onRelief();
    return true;
  }

  /** The socket has drained. */
  drained(): void {
    this.account();
    this.wake();
    const { held } = this;
    if (held === null || !held.fragmented || !this.isMuch(held.bytes)) this.owner.onRelief();
  }

  // ---- how it is written

  protected frame(frame: string | Buffer): boolean {
    const { held } = this;
    if (held === null) this.write(frame);
    else {
      held.add(frame);
      this.watchHeld(held);
    }
    return !this.ended;
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

  /** Writes what nobody else has; its memory is used again if the kernel has taken it. */
  private writeLong(frame: Buffer): void {
    this.write(frame);
    if (frame.length > GATHER_LIMIT && this.socket.pending === 0) giveMemory(frame);
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
    this.held = null;
    this.flush();
    this.socket.end();
    this.wake();
  }

  /** Writes what waits for nothing any more. @param all a `next` that is awaited will not come. */
  private release(all: boolean): void {
    const { held } = this;
    if (held === null || held.fragmented) return;
    const frames = held.take(all);
    if (!held.awaitsNext) this.held = null;
    for (const frame of frames) if (!this.ended) this.write(frame);
    this.account();
    this.wake();
  }

  private wake(): void {
    const { waiters } = this;
    if (waiters === null) return;
    this.waiters = null;
    for (const go of waiters) go();
  }

  /** What was sent before waits for this client. */
  protected get isBehind(): boolean {
    return this.socket.behind || this.held?.fragmented === true;
  }

  /** More waits behind a message in fragments: a `next` too, which no limit keeps out. */
  private watchHeld(held: Held): void {
    this.account();
    if (held.fragmented && this.isMuch(held.bytes)) this.owner.onBacklog();
  }
}
