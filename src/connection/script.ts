import { NEXT } from '../packet/packet.ts';
import { encodeMessage, type Outgoing } from './encode.ts';
import { Output } from './output.ts';

/** Milliseconds between two frames: a script's read takes one frame each (PROTOCOL.md §4). A timer may be 1 ms early. */
const PACE = 6;
/** So many `next` may wait for their pace before no more of the client's messages are read. */
const MAX_NEXTS = 16;
/** The largest `next` that is sure to be taken whole. */
const NEXT_LIMIT = 1000;

/**
 * The writer for script clients (PROTOCOL.md §4). They take the first frame after their message for its `next`, and one
 * frame with each read. So from the arrival of a message until its `next` has gone everything is held, a `next` goes
 * before anything that waits, and each frame is a write of its own, paced.
 */
export class ScriptOutput extends Output {
  private nexts: (string | Buffer)[] = [];
  private frames: (string | Buffer)[] = [];
  private last: (string | Buffer)[] = [];
  private queued = 0;
  /** Messages that have arrived and whose `next` has not been written. */
  private owing = 0;
  private timer: NodeJS.Timeout | null = null;
  private finishing = false;

  override get waiting(): number {
    return this.socket.pending + this.queued;
  }

  override get kept(): number {
    return this.queued;
  }

  protected override get isBehind(): boolean {
    return this.waiting > 0;
  }

  override arrived(_hold: boolean): void {
    this.owing++;
  }

  override send(data: string | Buffer, binary: boolean): boolean {
    return this.admit() && this.frame(encodeMessage(this.engine, data, binary));
  }

  override share(outgoing: Outgoing): boolean {
    return this.admit() && this.frame(outgoing.frameFor(this.engine));
  }

  override next(packet: string): void {
    if (this.ended || this.finishing) return;
    let frame = encodeMessage(this.engine, packet, false);
    if (frame.length > NEXT_LIMIT) frame = encodeMessage(this.engine, NEXT, false);
    this.nexts.push(frame);
    this.queued += frame.length;
    this.pump();
    this.account();
    if (this.isLate) this.owner.onBacklog();
  }

  override control(frame: string): void {
    if (frame !== '' && this.admit()) this.frame(frame);
  }

  /** What follows the opening goes no sooner than its pace allows. */
  startPacing(): void {
    this.timer = setTimeout(this.tick, PACE);
  }

  override finish(packet: string | null, closeFrame: string): void {
    if (this.finishing) return;
    this.finishing = true;
    // A message without its `next`: what is held for it would be taken for one.
    if (this.owing > this.nexts.length) this.frames = [];
    if (packet !== null) this.last.push(encodeMessage(this.engine, packet, false));
    if (closeFrame !== '') this.last.push(closeFrame);
    this.pump();
  }

  override flush(): void {
    // Nothing is ever gathered here: each frame is written by itself.
  }

  override dispose(): void {
    super.dispose();
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    this.nexts = this.frames = this.last = [];
    this.queued = 0;
  }

  protected override admit(): boolean {
    return !this.finishing && super.admit();
  }

  protected override frame(frame: string | Buffer): boolean {
    this.frames.push(frame);
    this.queued += frame.length;
    this.pump();
    this.account();
    if (this.isLate) this.owner.onBacklog();
    return !this.ended;
  }

  /** Too much waits for its pace: no more of the client's messages are to be read. */
  private get isLate(): boolean {
    return this.nexts.length > MAX_NEXTS || this.queued > this.context.values.sendQueue / 2;
  }

  private readonly tick = (): void => {
    this.timer = null;
    this.pump();
    this.account();
    if (this.nexts.length === 0 && !this.isLate) this.owner.onRelief();
  };

  private pump(): void {
    if (this.timer !== null || this.ended) return;
    const frame = this.take();
    if (frame === undefined) {
      if (this.finishing) this.end();
      return;
    }
    this.put(frame);
    this.timer = setTimeout(this.tick, PACE);
  }

  private take(): string | Buffer | undefined {
    const next = this.nexts.shift();
    if (next !== undefined) {
      this.owing--;
      this.queued -= next.length;
      return next;
    }
    const frame = this.owing === 0 || this.finishing ? this.frames.shift() : undefined;
    if (frame !== undefined) {
      this.queued -= frame.length;
      return frame;
    }
    return this.finishing ? this.last.shift() : undefined;
  }
}
