/** Numbers that a seed decides. */
export class Dice {
  private state: number;

  constructor(...seeds: readonly number[]) {
    this.state = 0x9e3779b9;
    for (const seed of seeds) {
      this.state = (this.state ^ seed) >>> 0;
      this.next();
      this.next();
    }
  }

  /** 32 bits (splitmix32). */
  next(): number {
    this.state = (this.state + 0x9e3779b9) >>> 0;
    let z = this.state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  }

  /** 0 to `end` - 1. */
  below(end: number): number {
    return end <= 0 ? 0 : this.next() % end;
  }

  chance(part: number): boolean {
    return this.next() < part * 4294967296;
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)];
  }

  /** Mostly small, now and then up to `most`. */
  size(most: number): number {
    return this.below(Math.min(most, 2 ** this.below(Math.ceil(Math.log2(most)) + 1)) + 1);
  }

  bytes(length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length);
    for (let i = 0; i < length; i++) bytes[i] = this.next();
    return bytes;
  }
}
