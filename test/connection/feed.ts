import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect } from '@jest/globals';
import { hex } from '../support/frames.ts';
import type { Bed } from './bed.ts';

/** What has been written since the last call, as hex. */
export const written = (bed: Bed): string => bed.socket.drop().toString('hex');
export const bytes = (text: string): string => hex(text).toString('hex');

/** Lets everything happen that waits for nothing but its turn. */
export async function turns(): Promise<void> {
  for (let i = 0; i < 20; i++) await nextTurn(); // oxlint-disable-line no-await-in-loop
}

/** A source whose pieces come when they are given. */
export class Feed implements AsyncIterable<string | Buffer> {
  /** How many were asked for. */
  asked = 0;
  /** It was told that no more is wanted. */
  returned = false;
  private readonly given: (() => string | Buffer | null)[] = [];
  private wake: () => void = () => {};

  async *[Symbol.asyncIterator](): AsyncGenerator<string | Buffer> {
    try {
      for (;;) {
        this.asked++;
        // oxlint-disable-next-line no-await-in-loop -- one after the other
        if (this.given.length === 0) await new Promise<void>((done) => (this.wake = done));
        const piece = (this.given.shift() as () => string | Buffer | null)();
        if (piece === null) return;
        yield piece;
      }
    } finally {
      this.returned = true;
    }
  }

  async give(...pieces: (string | Buffer)[]): Promise<void> {
    await this.next(...pieces.map((piece) => () => piece));
  }

  async end(): Promise<void> {
    await this.next(() => null);
  }

  async fail(error: unknown): Promise<void> {
    await this.next(() => {
      throw error;
    });
  }

  private async next(...pieces: (() => string | Buffer | null)[]): Promise<void> {
    this.given.push(...pieces);
    this.wake();
    await turns();
  }
}

/** A message in fragments under way: `01 01 61` has been written. */
export async function underWay(bed: Bed): Promise<{ feed: Feed; sent: Promise<boolean> }> {
  const feed = new Feed();
  const sent = bed.connection.client.sendFragmented(feed);
  await feed.give('a');
  expect(written(bed)).toBe(bytes('01 01 61'));
  return { feed, sent };
}

export const outcome = (sent: Promise<unknown>): Promise<unknown> => sent.catch((error: unknown) => String(error));
