import type { Engine, EngineOptions, Receiver } from './engine.ts';

/**
 * What the engines share: a decode loop that can be held after any message and goes on later with the bytes it kept.
 */
export abstract class HeldDecoder
  implements Pick<Engine, 'receiver' | 'raw' | 'frames' | 'completed' | 'decode' | 'hold' | 'resume' | 'stop'>
{
  raw = false;
  frames = 0;
  completed = 0;
  receiver: Receiver;
  protected readonly options: EngineOptions;
  protected stopped = false;
  /** Bytes that could not be decoded yet: the beginning of a frame, or everything after the message that held us. */
  private kept: Buffer | null = null;
  private held = false;

  constructor(receiver: Receiver, options: EngineOptions) {
    this.receiver = receiver;
    this.options = options;
  }

  /** Decodes `chunk`; returns the index of the first byte that it could not use yet. Stops when `deliver` says so. */
  protected abstract run(chunk: Buffer): number;

  decode(chunk: Buffer): void {
    if (this.stopped) return;
    let bytes = chunk;
    if (this.kept !== null) {
      bytes = Buffer.concat([this.kept, chunk]);
      this.kept = null;
    }
    if (this.held) {
      this.kept = bytes === chunk ? Buffer.from(chunk) : bytes;
      return;
    }
    const used = this.run(bytes);
    if (used < bytes.length && !this.stopped) this.kept = Buffer.from(bytes.subarray(used));
  }

  get midway(): boolean {
    return this.kept !== null && !this.held;
  }

  hold(): void {
    this.held = true;
  }

  resume(): void {
    if (!this.held) return;
    this.held = false;
    const bytes = this.kept;
    if (bytes === null || this.stopped) return;
    this.kept = null;
    // What was kept is ours: it is decoded where it lies, and a remainder stays there as long as it is to be held.
    const used = this.run(bytes);
    if (used === bytes.length || this.stopped) return;
    const rest = bytes.subarray(used);
    // Not held any more, it is the beginning of a frame: a few bytes that must not hold on to all of them.
    this.kept = this.held ? rest : Buffer.from(rest);
  }

  stop(): void {
    this.stopped = true;
    this.kept = null;
  }

  /** Hands a message over. @returns whether the loop may go on. */
  protected deliver(b: Buffer, start: number, end: number, binary: boolean, ascii: boolean, owned: boolean): boolean {
    this.completed++;
    if (!this.receiver.onMessage(b, start, end, binary, ascii, owned)) this.held = true;
    return !this.held && !this.stopped;
  }

  protected get isHeld(): boolean {
    return this.held;
  }

  protected takeKept(): Buffer | null {
    const bytes = this.kept;
    this.kept = null;
    return bytes;
  }
}
