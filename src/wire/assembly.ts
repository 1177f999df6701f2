import type { Inflation } from './inflation.ts';
import { turned } from './mask.ts';
import { giveMemory, takeMemory } from './spare.ts';

const NO_BYTES = Buffer.alloc(0);

/**
 * A message reserves at most so many times the bytes that have come of it: a header may announce what never comes. So much
 * that a long one is rarely moved.
 */
const RESERVE = 32;

/** A message that does not lie whole in one chunk, as far as it has come; an idle connection has none. */
export class Assembly {
  readonly opcode: number;
  /** If it came compressed (RFC 7692 §6.2): what it is inflated into, in place of `body`. */
  readonly inflation: Inflation | null;
  /** Its bytes are `body[0..filled)`. */
  body: Buffer = NO_BYTES;
  /** Bytes that have come, compressed ones too. */
  filled = 0;
  frames = 0;
  ascii = true;
  /** `body` is UTF-8 up to here. */
  checked = 0;
  /** Not text, or text that is not to be checked. */
  unchecked: boolean;
  /** Of the frame whose payload is arriving: bytes still to come (-1: no such frame), its key from the next byte on, its FIN. */
  missing = -1;
  key = 0;
  fin = false;

  constructor(opcode: number, unchecked: boolean, inflation: Inflation | null) {
    this.opcode = opcode;
    this.inflation = inflation;
    this.unchecked = unchecked;
  }

  /** Makes room for `more` bytes, and for those that are announced as far as they deserve it. */
  reserve(more: number, maxPayload: number): void {
    const need = this.filled + more;
    if (need <= this.body.length) return;
    // What comes in this frame is known; if others follow, doubling keeps the copying linear.
    const announced = this.filled + this.missing;
    const ahead = this.fin ? announced : Math.min(maxPayload, Math.max(announced, this.body.length * 2));
    const larger = takeMemory(Math.min(ahead, need * RESERVE));
    this.body.copy(larger, 0, 0, this.filled);
    giveMemory(this.body);
    this.body = larger;
  }

  /** So many bytes of the frame have come: its key turns with them. */
  advance(length: number): void {
    this.key = turned(this.key, length);
    this.filled += length;
    this.missing -= length;
  }
}
