import { isUtf8 } from 'node:buffer';
import type { Readable } from 'node:stream';
import { WebsockError } from '../errors.ts';

/** Bytes of one line: more than any daemon takes by default, and an end to what has none. */
const LONGEST = 64 * 1024 * 1024;

/**
 * The lines of a stream, without their ends; empty ones are left out.
 * @returns pairs of a line's number, from 1 on, and its text.
 * @throws WebsockError if a line is not UTF-8, or does not end.
 */
export async function* linesOf(input: Readable): AsyncGenerator<[number, string]> {
  let number = 0;
  let parts: Buffer[] = [];
  let length = 0;
  const finish = (last: Buffer): string => {
    const whole = Buffer.concat([...parts, last]);
    parts = [];
    length = 0;
    number++;
    if (!isUtf8(whole)) throw new WebsockError('WEBSOCK_START', `line ${number} is not UTF-8`);
    return whole.toString().replace(/\r$/, '');
  };
  for await (const chunk of input as AsyncIterable<Buffer>) {
    let start = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      const line = finish(chunk.subarray(start, end));
      start = end + 1;
      if (line !== '') yield [number, line];
    }
    parts.push(chunk.subarray(start));
    length += chunk.length - start;
    if (length > LONGEST) throw new WebsockError('WEBSOCK_START', `line ${number + 1} has more than ${LONGEST} bytes`);
  }
  if (length === 0) return;
  const line = finish(Buffer.alloc(0));
  if (line !== '') yield [number, line];
}
