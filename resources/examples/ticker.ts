import { type Client, type Notice, Resource } from 'websock';

/** Milliseconds between two ticks. */
const EVERY = 250;
/** What a heavy tick holds beside the prices: so much that a slow reader soon has some waiting. */
const BALLAST = '.'.repeat(512 * 1024);
/** Clients that may have heavy ticks at a time. */
const MOST_HEAVY = 5;

/**
 * `/ticker`: prices, made up, for everybody who is there, four times a second. A tick is worth nothing late, so it is droppable: who has
 * not taken what came before does not get it, sees a gap in the numbers (`n`), and is not waited for.
 *
 * With `?heavy` each tick is 512 KiB long, to see that happen. Clients of every kind may come: `nc` gets a tick a line.
 */
export default class Ticker extends Resource {
  private readonly prices: Record<string, number> = { Amber: 120, Copper: 86, Ivory: 240, Slate: 35 };
  private n = 0;
  /** One for all; null while nobody is there. */
  private timer: NodeJS.Timeout | null = null;

  onOpen(client: Client): void {
    const heavy = client.query.has('heavy');
    if (heavy && this.to('heavy').size >= MOST_HEAVY) {
      client.close(1013, `${MOST_HEAVY} clients have heavy ticks already`);
      return;
    }
    client.join(heavy ? 'heavy' : 'light');
    this.start();
  }

  override onOther(_client: Client, notice: Notice): void {
    // Over a restart of the daemon it is still in its room, but this resource is new.
    if (notice.type === 'resumed') this.start();
  }

  private start(): void {
    this.timer ??= setInterval(() => this.tick(), EVERY).unref();
  }

  private tick(): void {
    const [light, heavy] = [this.to('light'), this.to('heavy')];
    if (light.size + heavy.size === 0 && this.timer !== null) {
      clearInterval(this.timer);
      this.timer = null;
      return;
    }
    for (const name of Object.keys(this.prices)) this.prices[name] = walk(this.prices[name]);
    const tick = { opcode: 'tick', n: ++this.n, prices: this.prices };
    light.sendPacket(tick, { droppable: true });
    if (heavy.size > 0) heavy.sendPacket({ ...tick, ballast: BALLAST }, { droppable: true });
  }
}

/** The next price after one: by chance up to 1 % more or less, in cents, and never worthless. */
function walk(price: number): number {
  return Math.max(1, Math.round(price * (99 + 2 * Math.random())) / 100);
}
