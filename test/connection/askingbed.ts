import type { Client } from '../../src/connection/client.ts';
import type { Callbacks } from '../../src/connection/route.ts';
import { type Bed, type BedOptions, openBed } from './bed.ts';

/** The `next` of an answer that nobody waits for. */
export const LATE = '{"opcode":"next","fyi":"","error":"no such request"}';

/** Promises that wait for nothing more have settled. */
export const settle = async (): Promise<void> => {
  // oxlint-disable-next-line no-await-in-loop -- one after the other
  for (let i = 0; i < 20; i++) await Promise.resolve();
};

/** A bed whose resource echoes, and asks its client at `ask`; what came of it is in `results`. */
export interface AskingBed extends Bed {
  readonly client: Client;
  readonly results: string[];
  /** Asks from outside of a handler. @returns the number of the request. */
  readonly ask: (fields?: object, timeout?: number) => number;
  /** The numbers of the requests among words that were heard. */
  readonly numbers: (words: string[]) => number[];
}

export function asking(options: BedOptions = {}): AskingBed {
  const results: string[] = [];
  const note = (promise: Promise<unknown>): Promise<void> =>
    promise.then(
      (answer) => void results.push(JSON.stringify(answer).replace(/"request":\d+/, '"request":N')),
      (error: { name: string; code?: string; message: string }) =>
        void results.push(`${error.name} ${error.code}: ${error.message}`),
    );
  const onData: Callbacks['onData'] = async (client, message) => {
    if (String(message) === 'ask') await note(client.request({ opcode: 'q' }));
    else client.send(String(message));
  };
  const bed = openBed({ ...options, callbacks: { onData, ...options.callbacks } });
  bed.heard();
  const { client } = bed.connection;
  const numbers = (words: string[]): number[] =>
    words.flatMap((word) => (word.includes('"request"') ? [(JSON.parse(word) as { request: number }).request] : []));
  const ask = (fields: object = {}, timeout?: number): number => {
    void note(client.request({ opcode: 'q', ...fields }, timeout === undefined ? {} : { timeout }));
    return numbers(bed.heard())[0];
  };
  return { ...bed, client, results, ask, numbers };
}

/** An answer, as it is sent. */
export const answer = (request: number | undefined, fields: object = {}): string =>
  JSON.stringify({ opcode: 'answer', request, ...fields });
