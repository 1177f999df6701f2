import { type ClosedError, quiet } from './errors.ts';

/** A packet, whatever is in it. */
export interface Packet {
  /** What it is about. */
  readonly opcode: string;
  /** What else it says. */
  readonly [field: string]: unknown;
}

/** What `on` and `once` call with a packet. `text`: the packet as it came, where integers are whole that JavaScript rounds. */
export type Handler<One = Packet> = (packet: One, text: string) => void;

interface Waiter {
  readonly done: (result: IteratorResult<Packet>) => void;
  readonly fail: (error: Error) => void;
}

/** The packet in a text; null: it is none. */
export function parsePacket(text: string): Packet | null {
  try {
    const value = JSON.parse(text) as Packet | null;
    return typeof value?.opcode === 'string' ? value : null;
  } catch {
    return null;
  }
}

/** Calls what a user gave; what it throws is an error that nobody caught, of the page or program, not ours. */
export function call<Args extends unknown[]>(handler: ((...args: Args) => void) | null, ...args: Args): void {
  try {
    handler?.(...args);
  } catch (error) {
    void Promise.reject(error);
  }
}

/** Hands packets to handlers, and to who iterates. */
export class Inbox {
  /** Packets that who iterates was too slow for. */
  dropped = 0;
  private readonly most: number;
  private readonly handlers = new Map<string, Set<Handler>>();
  private readonly onEnd = new Set<(error: ClosedError) => void>();
  private readonly buffer: Packet[] = [];
  private waiters: Waiter[] = [];
  /** Somebody iterates, or may still begin to. */
  private collects = true;
  private iterators = 0;
  private ended: ClosedError | null = null;

  /** @param most packets that wait for who iterates. */
  constructor(most: number) {
    this.most = most;
  }

  on(opcode: string, handler: Handler): () => void {
    const handlers = this.handlers.get(opcode) ?? new Set();
    this.handlers.set(opcode, handlers.add(handler));
    return () => void handlers.delete(handler);
  }

  once(opcode: string, handler: Handler): () => void {
    const off = this.on(opcode, (packet, text) => {
      off();
      handler(packet, text);
    });
    return off;
  }

  next(opcode: string): Promise<Packet> {
    if (this.ended !== null) return quiet(Promise.reject(this.ended));
    return quiet(
      new Promise<Packet>((done, fail) => {
        this.onEnd.add(fail);
        this.once(opcode, (packet) => {
          this.onEnd.delete(fail);
          done(packet);
        });
      }),
    );
  }

  deliver(packet: Packet, text: string): void {
    for (const opcode of [packet.opcode, '*']) {
      // A copy: a handler may add another one, for the next packet.
      const handlers = [...(this.handlers.get(opcode) ?? [])];
      for (const handler of handlers) call(handler, packet, text);
    }
    const waiter = this.waiters.shift();
    if (waiter !== undefined) waiter.done({ value: packet, done: false });
    else if (this.collects && this.buffer.push(packet) > this.most) {
      this.buffer.shift();
      this.dropped++;
    }
  }

  /** Who waited for the connection has had the time to iterate. */
  settle(): void {
    if (this.iterators > 0) return;
    this.collects = false;
    this.buffer.length = 0;
  }

  iterate(): AsyncIterableIterator<Packet> {
    this.iterators++;
    this.collects = true;
    let over = false;
    const iterator: AsyncIterableIterator<Packet> = {
      next: () => {
        const packet = over ? undefined : this.buffer.shift();
        if (packet !== undefined) return Promise.resolve({ value: packet, done: false });
        if (!over && this.ended === null) return new Promise((done, fail) => this.waiters.push({ done, fail }));
        const failure = over || this.ended?.code === 1000 ? null : this.ended;
        over = true;
        return failure === null ? Promise.resolve({ value: undefined, done: true }) : Promise.reject(failure);
      },
      return: () => {
        if (!over) this.iterators--;
        over = true;
        this.settle();
        return Promise.resolve({ value: undefined, done: true });
      },
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  end(error: ClosedError): void {
    this.ended = error;
    for (const fail of this.onEnd) fail(error);
    for (const { done, fail } of this.waiters.splice(0)) {
      if (error.code === 1000) done({ value: undefined, done: true });
      else fail(error);
    }
  }
}
