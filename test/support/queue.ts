/** Milliseconds after which what has not come is not going to. */
const PATIENCE = 45_000;

/** Things that arrive, and those who wait for them, in order. */
export class Queue<Item> {
  private readonly items: Item[] = [];
  private readonly waiters: { done: (item: Item) => void; fail: (error: Error) => void }[] = [];
  private failure: Error | null = null;

  /** How many have arrived that nobody has taken. */
  get length(): number {
    return this.items.length;
  }

  push(item: Item): void {
    const waiter = this.waiters.shift();
    if (waiter === undefined) this.items.push(item);
    else waiter.done(item);
  }

  /** Nothing more will arrive: whoever waits for it fails. */
  end(why: string): void {
    this.failure ??= new Error(why);
    for (const waiter of this.waiters.splice(0)) waiter.fail(this.failure);
  }

  /** The next one. Fails where nothing more can arrive. */
  async take(): Promise<Item> {
    if (this.items.length > 0) return this.items.shift() as Item;
    if (this.failure !== null) throw this.failure;
    return new Promise((done, fail) => {
      const waiter = {
        done: (item: Item): void => {
          clearTimeout(late);
          done(item);
        },
        fail: (error: Error): void => {
          clearTimeout(late);
          fail(error);
        },
      };
      const late = setTimeout(() => {
        this.waiters.splice(this.waiters.indexOf(waiter), 1);
        fail(new Error('nothing arrives'));
      }, PATIENCE);
      this.waiters.push(waiter);
    });
  }
}
