/** PROTOCOL.md §8, and what a handshake is refused with, for people. */
const WORDS: Readonly<Record<number, string>> = {
  401: 'a token, or another one, is asked for',
  403: 'not allowed',
  404: 'there is no such resource',
  1000: 'closed as agreed',
  1001: 'the daemon is stopping',
  1002: 'protocol error',
  1003: 'this kind of data is not accepted',
  1005: 'closed without a reason',
  1006: 'the connection was lost, or refused before it was open',
  1007: 'not UTF-8, or not a valid packet',
  1008: 'not allowed, or too fast',
  1009: 'a message was too large',
  1011: 'the resource failed',
  1012: 'the daemon restarts',
  1013: 'the daemon is full, or this client reads too slowly',
  4404: 'there is no such resource',
  4408: 'no sign of life in time',
  4429: 'too many connections from this address',
};

/** What to do after a close: nothing more, come back soon but not all at once, or by and by. */
export type Fate = 'end' | 'soon' | 'backoff';

/** What a close code means, in words. */
export function describeClose(code: number): string {
  return WORDS[code] ?? `closed with code ${code}`;
}

/** What the code says of coming back. */
export function fateOf(code: number): Fate {
  if (code === 1001 || code === 1012) return 'soon';
  return [1000, 1002, 1003, 1007, 1008, 1009, 4404, 401, 403, 404].includes(code) ? 'end' : 'backoff';
}
