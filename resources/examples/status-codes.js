/**
 * Every close code, and what it means (RFC 6455 §7.4, the registry of the IANA, and the daemon's own). `how` is what this page does to be
 * closed with it: it asks the daemon, or it is none that a Close frame may hold.
 * @type {readonly { code: number, meaning: string, how?: 'leave' | 'refuse' | 'none' }[]}
 */
export const CODES = [
  { code: 1000, meaning: 'Normal: what it was for is done' },
  { code: 1001, meaning: 'Going away: the daemon stops, or the page is left' },
  { code: 1002, meaning: 'Protocol error: a frame that RFC 6455 forbids' },
  { code: 1003, meaning: 'Unsupported data: binary where only text is taken, for example' },
  { code: 1004, meaning: 'Reserved: nobody may send it', how: 'none' },
  { code: 1005, meaning: 'No code: the Close frame was empty. Never sent, only reported', how: 'leave' },
  {
    code: 1006,
    meaning: 'No Close frame: the link was lost, or the handshake refused. Never sent, only reported',
    how: 'refuse',
  },
  { code: 1007, meaning: 'Invalid data: text that is not UTF-8, or not a valid packet' },
  { code: 1008, meaning: 'Policy: not allowed, or too fast' },
  { code: 1009, meaning: 'Too big: a message longer than the other side takes' },
  { code: 1010, meaning: 'A client misses an extension that it needs' },
  { code: 1011, meaning: 'Internal error: the resource failed' },
  { code: 1012, meaning: 'Restart: come back soon' },
  { code: 1013, meaning: 'Try again later: full, or this client reads too slowly' },
  { code: 1014, meaning: 'Bad gateway: for proxies, this daemon sends none', how: 'none' },
  { code: 1015, meaning: 'TLS failed. Never sent; browsers report 1006 in its place', how: 'none' },
  { code: 3000, meaning: 'Unauthorized. 3000 to 3999 are registered by libraries' },
  { code: 3003, meaning: 'Forbidden' },
  { code: 3008, meaning: 'Timeout' },
  { code: 4000, meaning: 'Yours: 4000 to 4999 mean what both sides agree on' },
  { code: 4404, meaning: 'websock: no such resource' },
  { code: 4408, meaning: 'websock: no sign of life in time, or a message that does not end' },
  { code: 4429, meaning: 'websock: too many connections from one address' },
];
