/** PROTOCOL.md §8, for people. */
const WORDS: Readonly<Record<number, string>> = {
  1000: 'closed as agreed',
  1001: 'the daemon is stopping, or the page has gone',
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

/** What a close code means, in words. */
export function describeClose(code: number): string {
  return WORDS[code] ?? `closed with code ${code}`;
}
