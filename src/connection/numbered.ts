import type { Engine } from '../wire/engine.ts';
import { escaped } from '../packet/envelope.ts';
import type { FragmentOutput, MessageSource } from './fragments.ts';
import type { KeptMessages } from './kept.ts';
import type { Output } from './output.ts';

/** The session whose client is sent a message in fragments. */
interface Numbering {
  readonly kept: KeptMessages;
  readonly isGone: boolean;
  /** null: it has no connection. */
  readonly currentOutput: Output | null;
  send(data: string, binary: boolean, compress: boolean): boolean;
}

/**
 * One message in fragments to a client with a session: it counts with its first fragment, by whatever connection the client has then.
 * It is not kept, for it may be longer than memory should hold: without a connection it is lost at once.
 */
export class NumberedOutput implements FragmentOutput {
  private readonly session: Numbering;
  /** Where the message has begun, or is to. */
  private output: Output | null = null;
  private lost = false;

  constructor(session: Numbering) {
    this.session = session;
  }

  get engine(): Engine {
    return this.begunAt.engine;
  }

  get ended(): boolean {
    return this.lost || this.begunAt.ended;
  }

  takesFragment(begun: boolean): boolean {
    const { session } = this;
    if (!begun) {
      this.output = session.currentOutput;
      if (this.output === null) {
        this.lost = true;
        if (!session.isGone) session.kept.add(null, false);
        return true;
      }
    }
    return this.begunAt.takesFragment(begun);
  }

  change(): Promise<void> {
    return this.begunAt.change();
  }

  fragment(frame: Buffer, begun: boolean): void {
    if (!begun) this.session.kept.add(null, false);
    this.begunAt.fragment(frame, begun);
  }

  complete(): boolean {
    return this.begunAt.complete();
  }

  send(data: string, binary: boolean, compress: boolean): boolean {
    return this.session.send(data, binary, compress);
  }

  private get begunAt(): Output {
    if (this.output === null) throw new Error('a message in fragments that has not begun');
    return this.output;
  }
}

/** The same pieces; of a text that begins with an LF, with one more. */
export async function* escapedPieces(
  source: MessageSource,
  binary: boolean | undefined,
): AsyncGenerator<string | Uint8Array> {
  let isText = binary === undefined ? undefined : !binary;
  let begun = false;
  for await (const piece of source) {
    isText ??= typeof piece === 'string';
    if (!begun && isText && piece.length > 0 && startsWithLf(piece)) yield '\n';
    begun ||= piece.length > 0;
    yield piece;
  }
}

function startsWithLf(piece: string | Uint8Array): boolean {
  const first = typeof piece === 'string' ? piece.slice(0, 1) : Buffer.from(piece.slice(0, 1));
  return escaped(first).length > 1;
}
