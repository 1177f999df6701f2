// Memory for long messages while they arrive or leave. Fresh pages cost more than all that is done with them, so what nobody
// needs any more is used again.

const LEAST = 8 * 1024;
const MOST = 2 * 1024 * 1024;
/** Sizes are rounded up to whole pages, with room for a header: a message and the frame that it is in are of one size. */
const PAGE = 4096;
const HEADER = 64;
/** Of each power of two between them so many are kept: at most 8 MiB in all. */
const COUNT = 2;

/** By the position of the highest bit of their length. */
const spare: Buffer[][] = Array.from({ length: 22 }, () => []);

/** A Buffer of at least `size` bytes, uninitialized, with an ArrayBuffer of its own. */
export function takeMemory(size: number): Buffer {
  if (size < LEAST || size > MOST) return Buffer.allocUnsafeSlow(size);
  const bit = 31 - Math.clz32(size);
  // Not one that is much too large: a resource may keep the message.
  for (let i = bit; i <= bit + 1 && i < spare.length; i++) {
    const bytes = spare[i].pop();
    if (bytes === undefined) continue;
    if (bytes.length >= size) return bytes;
    spare[i].push(bytes);
  }
  return Buffer.allocUnsafeSlow(Math.ceil((size + HEADER) / PAGE) * PAGE);
}

/** Gives back what {@link takeMemory} gave, or the beginning of it: nobody reads from it any more. */
export function giveMemory(bytes: Buffer): void {
  const { byteLength } = bytes.buffer;
  if (byteLength < LEAST || byteLength > MOST + PAGE || bytes.byteOffset > 0) return;
  const alike = spare[31 - Math.clz32(byteLength)];
  if (alike.length < COUNT) alike.push(bytes.length === byteLength ? bytes : Buffer.from(bytes.buffer));
}
