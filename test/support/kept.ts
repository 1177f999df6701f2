/** The memory that small buffers share: not of the same size on every version of Node, nor always what `poolSize` says. */
const POOL = Buffer.from('small').buffer.byteLength;

/**
 * The bytes that an engine keeps of what it was given: all buffers and strings that can be reached from it, each buffer
 * with all the memory that it holds on to, but for small ones, which share theirs.
 * @param notIts what it refers to and does not own.
 */
export function keptBytes(engine: object, ...notIts: readonly object[]): number {
  return weigh(engine, [...notIts, engine]);
}

function weigh(owner: object, seen: object[]): number {
  let sum = 0;
  for (const value of Object.values(owner) as unknown[]) {
    if (typeof value === 'string') sum += value.length;
    if (typeof value !== 'object' || value === null || seen.includes(value)) continue;
    seen.push(value);
    if (!ArrayBuffer.isView(value)) sum += weigh(value, seen);
    else if (value.buffer.byteLength === POOL) sum += value.byteLength;
    else if (!seen.includes(value.buffer)) {
      seen.push(value.buffer);
      sum += value.buffer.byteLength;
    }
  }
  return sum;
}
