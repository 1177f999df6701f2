import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Engine } from '../wire/engine.ts';
import { encodeFragment } from './encode.ts';

/** The pieces of one message, as they come: an array, a generator, a `Readable` of node:stream, a `ReadableStream`. */
export type MessageSource = Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>;

/** The longest fragment: a longer piece is several. What waits for a client grows by no more than this at a time. */
const FRAGMENT_MOST = 65536;

/** What a message in fragments is written to. */
export interface FragmentOutput {
  readonly engine: Engine;
  /** Nothing is written any more. */
  readonly ended: boolean;
  /** Whether a fragment may be written now, `begun`: not the first of its message. True as well where all has ended. */
  takesFragment(begun: boolean): boolean;
  /** Resolves when that may have changed. */
  change(): Promise<void>;
  /** Writes a fragment. With the first begins the message: others wait until `complete`. */
  fragment(frame: Buffer, begun: boolean): void;
  /** Ends the message. @returns whether all of it was queued. */
  complete(): boolean;
  send(data: string, binary: boolean, compress: boolean): boolean;
}

/** One message in the pieces of its source. */
class Message {
  private readonly source: MessageSource;
  private type: boolean | undefined;

  /** @param binary undefined: as its first piece is. */
  constructor(source: MessageSource, binary: boolean | undefined) {
    this.source = source;
    this.type = binary;
  }

  get binary(): boolean {
    return this.type ?? false;
  }

  /** Its bytes, in parts of at most FRAGMENT_MOST and none that is empty; each is the source's own when the next is asked for. */
  async *parts(): AsyncGenerator<Buffer> {
    /** A surrogate pair that was cut between two pieces of text. */
    let half = '';
    for await (const piece of this.source) {
      this.type ??= typeof piece !== 'string';
      if (typeof piece === 'string') {
        const text = half + piece;
        const end = endsInHalf(text) ? text.length - 1 : text.length;
        half = text.slice(end);
        yield* cut(Buffer.from(text.slice(0, end)));
      } else {
        if (!(piece instanceof Uint8Array)) throw new TypeError('a piece of a message is a string or a Buffer');
        yield* cut(Buffer.from(half));
        half = '';
        yield* cut(Buffer.from(piece.buffer, piece.byteOffset, piece.length));
      }
    }
    yield* cut(Buffer.from(half));
  }
}

/** Whether its last character is the first half of a surrogate pair. */
function endsInHalf(text: string): boolean {
  return (text.charCodeAt(text.length - 1) & 0xfc00) === 0xd800;
}

function* cut(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += FRAGMENT_MOST) yield bytes.subarray(at, at + FRAGMENT_MOST);
}

/**
 * Sends a message in fragments (RFC 6455 §5.4), as its pieces come and as the client takes them. It takes its place among the
 * client's messages when its first piece has come.
 * @param onBroken hears what the source has thrown in the middle of the message, which cannot be completed any more.
 * @returns whether all of it was queued; false if the client was closed meanwhile.
 * @throws what the source throws.
 */
export async function sendInFragments(
  output: FragmentOutput,
  source: MessageSource,
  binary: boolean | undefined,
  onBroken: (error: unknown) => void,
): Promise<boolean> {
  const message = new Message(source, binary);
  let begun = false;
  // oxlint-disable no-await-in-loop -- one fragment after the other
  try {
    for await (const part of message.parts()) {
      // A client that takes all of it as it comes must not keep the others waiting.
      if (begun) await nextTurn();
      while (!output.takesFragment(begun)) await output.change();
      if (output.ended) return false;
      output.fragment(encodeFragment(output.engine, part, message.binary, begun), begun);
      begun = true;
    }
  } catch (error) {
    if (begun && !output.ended) onBroken(error);
    throw error;
  }
  // oxlint-enable no-await-in-loop
  return begun ? output.complete() : output.send('', message.binary, false);
}

/**
 * Sends a message as one to a client that can be sent no fragments: its pieces are collected.
 * @param most bytes that may be collected.
 * @throws RangeError if they are more; what the source throws.
 */
export async function sendWhole(
  client: { readonly isGone: boolean; send(data: Buffer, binary: boolean, compress: boolean): boolean },
  source: MessageSource,
  binary: boolean | undefined,
  most: number,
): Promise<boolean> {
  const message = new Message(source, binary);
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of message.parts()) {
    if (client.isGone) return false;
    length += part.length;
    if (length > most) {
      throw new RangeError(
        `this client takes a message as a whole: its pieces may have [limits] sendQueue = ${most} bytes`,
      );
    }
    parts.push(Buffer.from(part));
  }
  return client.send(Buffer.concat(parts, length), message.binary, false);
}
