/** Frames of one client that wait until a message in fragments is complete, or a `next` has gone, or both. */
export class Held {
  /** How many wait. */
  bytes = 0;
  /** A message in fragments is under way: no other may begin (RFC 6455 §5.4). */
  fragmented = false;
  private frames: (string | Buffer)[] = [];
  /** The frames from here on are to follow a `next`; -1: none is. */
  private mark = -1;

  /** Whether frames are to follow a `next` that has not come yet. */
  get awaitsNext(): boolean {
    return this.mark !== -1;
  }

  /** What is added from now on follows the `next` to come. */
  awaitNext(): void {
    if (this.mark === -1) this.mark = this.frames.length;
  }

  add(frame: string | Buffer): void {
    this.frames.push(frame);
    this.bytes += frame.length;
  }

  /** Adds a `next`: the one awaited goes before what is to follow it. */
  addNext(frame: string | Buffer): void {
    this.frames.splice(this.mark === -1 ? this.frames.length : this.mark, 0, frame);
    this.bytes += frame.length;
    this.mark = -1;
  }

  /** Takes out the frames that are to follow no `next`; `all`: it will not come. */
  take(all: boolean): (string | Buffer)[] {
    if (all) this.mark = -1;
    const free = this.frames.splice(0, this.mark === -1 ? this.frames.length : this.mark);
    for (const frame of free) this.bytes -= frame.length;
    if (this.mark !== -1) this.mark = 0;
    return free;
  }
}
