// Memory for long messages while they arrive. A fresh megabyte costs more in page faults than all that is done with it, so
// what nobody needs any more is used again.

const LEAST = 64 * 1024;
const MOST = 2 * 1024 * 1024;
/** So many are kept: long messages of a few clients may arrive at the same time. */
const COUNT = 4;

const spare: Buffer[] = [];

/** A Buffer of at least `size` bytes, uninitialized, with an ArrayBuffer of its own. */
export function takeMemory(size: number): Buffer {
  if (size >= LEAST) {
    // Not one that is much too large: a resource may keep the message.
    const index = spare.findIndex((bytes) => bytes.length >= size && bytes.length <= size * 2);
    if (index !== -1) return spare.splice(index, 1)[0];
  }
  return Buffer.allocUnsafeSlow(size);
}

/** Gives back what {@link takeMemory} gave, or the beginning of it: nobody reads from it any more. */
export function giveMemory(bytes: Buffer): void {
  const { byteLength } = bytes.buffer;
  if (byteLength < LEAST || byteLength > MOST || bytes.byteOffset > 0) return;
  if (spare.length === COUNT) spare.shift();
  spare.push(bytes.length === byteLength ? bytes : Buffer.from(bytes.buffer));
}
