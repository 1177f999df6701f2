import { CLOSE } from '../errors.ts';
import type { Log } from '../log.ts';
import { Quiet } from './addresses.ts';

interface LimitRow {
  readonly code: number;
  readonly text: (limit: number) => string;
  /** What it is called in websock.ini; default: its name in `[limits]`. */
  readonly option?: string;
}

/** What a client hears that goes over a limit: close code and text. One row for each limit. */
const ROWS = {
  maxPayload: {
    code: CLOSE.TOO_BIG,
    text: (n: number) => `a message of more than ${n} bytes; long ones go in pieces, between bufferON and bufferOFF`,
  },
  maxBuffer: { code: CLOSE.TOO_BIG, text: (n: number) => `a message in pieces of more than ${n} bytes` },
  maxChunks: { code: CLOSE.TOO_BIG, text: (n: number) => `a message of more than ${n} pieces` },
  maxFragments: { code: CLOSE.TOO_BIG, text: (n: number) => `a message of more than ${n} frames` },
  maxHead: { code: CLOSE.TOO_BIG, text: (n: number) => `a request head of more than ${n} bytes` },
  maxHeaders: { code: CLOSE.TOO_BIG, text: (n: number) => `a request of more than ${n} header fields` },
  headTimeout: { code: CLOSE.TIMEOUT, text: (n: number) => `no complete request within ${n} s` },
  proxyTimeout: { code: CLOSE.TIMEOUT, text: (n: number) => `no complete PROXY header within ${n} s` },
  messageTimeout: { code: CLOSE.TIMEOUT, text: (n: number) => `a message that was not complete within ${n} s` },
  maxAhead: { code: CLOSE.POLICY, text: (n: number) => `more than ${n} requests were sent ahead of their answers` },
  bodyTimeout: {
    code: CLOSE.TIMEOUT,
    text: (n: number) => `no complete body within ${n} s`,
    option: '[http] bodyTimeout',
  },
  minBodyRate: {
    code: CLOSE.TIMEOUT,
    text: (n: number) => `a body that comes with less than ${n} bytes a second`,
    option: '[http] minBodyRate',
  },
  maxAnswers: {
    code: CLOSE.TRY_LATER,
    text: (n: number) => `more than ${n} POSTs with an Idempotency-Key within [dialog] resume`,
    option: '[http] maxAnswers',
  },
  maxAnswer: {
    code: CLOSE.TOO_BIG,
    text: (n: number) => `an answer of more than ${n} bytes`,
    option: '[http] maxAnswer',
  },
  maxAnswerMemory: {
    code: CLOSE.TRY_LATER,
    text: (n: number) => `answers of more than ${n} bytes to POSTs with an Idempotency-Key`,
    option: '[http] maxAnswerMemory',
  },
  closeTimeout: { code: CLOSE.ABNORMAL, text: (n: number) => `it did not leave within ${n} s` },
  handlerTimeout: { code: CLOSE.FAILED, text: (n: number) => `the resource took longer than ${n} s` },
  writeTimeout: { code: CLOSE.TRY_LATER, text: (n: number) => `too slow to read: nothing taken for ${n} s` },
  maxClients: { code: CLOSE.TRY_LATER, text: () => 'Too many connections' },
  maxPerIP: { code: CLOSE.TOO_MANY, text: () => 'Too many connections from: ' },
  maxAttempts: { code: CLOSE.POLICY, text: () => 'too many wrong keys, tokens or tickets from your address' },
  maxSession: { code: CLOSE.FAILED, text: (n: number) => `a session of more than ${n} bytes` },
  maxSendMemory: {
    code: CLOSE.TRY_LATER,
    text: (n: number) => `too slow to read: more than ${n} bytes were waiting for all clients`,
  },
  heartbeatTimeout: {
    code: CLOSE.TIMEOUT,
    text: (n: number) => `no answer to a ping within ${n} s`,
    option: '[heartbeat] timeout',
  },
  messageRate: { code: CLOSE.POLICY, text: (n: number) => `more than ${n} messages a second` },
  byteRate: { code: CLOSE.POLICY, text: (n: number) => `more than ${n} bytes a second` },
  idleTimeout: { code: CLOSE.TIMEOUT, text: (n: number) => `nothing was sent for ${n} s` },
  maxHandshakes: {
    code: CLOSE.TRY_LATER,
    text: (n: number) => `more than ${n} connections whose request has not come yet`,
  },
  tlsTimeout: { code: CLOSE.TIMEOUT, text: (n: number) => `no complete TLS handshake within ${n} s` },
  connectRate: {
    code: CLOSE.TOO_MANY,
    text: (n: number) => `more than ${n} connections a second from one address`,
  },
  connectRateAll: { code: CLOSE.TRY_LATER, text: (n: number) => `more than ${n} connections a second` },
  maxSessions: {
    code: CLOSE.ABNORMAL,
    text: (n: number) => `more than ${n} sessions were waiting for their clients`,
    option: '[dialog] maxSessions',
  },
  keepPackets: {
    code: CLOSE.ABNORMAL,
    text: (n: number) => `more than ${n} messages were kept for one session`,
    option: '[dialog] keepPackets',
  },
  keepBytes: {
    code: CLOSE.ABNORMAL,
    text: (n: number) => `more than ${n} bytes of messages were kept for one session`,
    option: '[dialog] keepBytes',
  },
  maxKept: {
    code: CLOSE.ABNORMAL,
    text: (n: number) => `more than ${n} bytes were kept for all sessions`,
    option: '[dialog] maxKept',
  },
  maxRequests: {
    code: CLOSE.POLICY,
    text: (n: number) => `more than ${n} requests that wait for answers of one client`,
  },
  maxRooms: { code: CLOSE.POLICY, text: (n: number) => `in more than ${n} rooms` },
  sendQueue: { code: CLOSE.TRY_LATER, text: (n: number) => `too slow to read: more than ${n} bytes were waiting` },
} as const satisfies Record<string, LimitRow>;

export type LimitName = keyof typeof ROWS;

/** What is no limit that anybody hears of, but says when one begins to run, or what is forgotten without a word. */
type PatienceName = 'heartbeatInterval' | 'rateGrace' | 'resume' | 'maxNexts';

/** Their values: bytes, counts, and seconds. 0 means none where the option says so. */
export type LimitValues = Readonly<Record<LimitName | PatienceName, number>>;

/** The limits of the daemon, and how often each was gone over. */
export class Limits {
  readonly values: LimitValues;
  /** Times that a client went over each limit since the start. */
  readonly counters: Record<LimitName, number>;
  private readonly quiet = new Map<LimitName, Quiet>();

  constructor(values: LimitValues) {
    this.values = values;
    this.counters = Object.fromEntries(Object.keys(ROWS).map((name) => [name, 0])) as Record<LimitName, number>;
  }

  /** Counts that `name` was gone over. @returns what the client is closed with. */
  over(name: LimitName): { code: number; text: string } {
    this.counters[name]++;
    return this.describe(name);
  }

  /** Counts that a client would have gone over `name`: it is refused that, and not closed. The log hears of it once a minute. */
  refuse(name: LimitName, { id, who }: { readonly id: number; readonly who: string }, log: Log): void {
    const { text } = this.over(name);
    const quiet = this.quiet.get(name) ?? new Quiet();
    this.quiet.set(name, quiet);
    const unsaid = quiet.news(performance.now());
    if (unsaid === null) return;
    const more = unsaid === 0 ? '' : ` (and ${unsaid} times since the last such line)`;
    this.warn(name, { id, who }, log, `${text}: refused${more}`);
  }

  /** Logs that a client went over `name`. */
  warn(name: LimitName, { id, who }: { readonly id: number; readonly who: string }, log: Log, text: string): void {
    log.warn(`${who}: over ${this.optionOf(name)}: ${text}`, { id, limit: name });
  }

  /** What a limit is called in websock.ini: `[limits] maxPayload`. */
  optionOf(name: LimitName): string {
    const row: LimitRow = ROWS[name];
    return row.option ?? `[limits] ${name}`;
  }

  /** Close code and text of a limit. */
  describe(name: LimitName): { code: number; text: string } {
    const row: LimitRow = ROWS[name];
    return { code: row.code, text: row.text(this.values[name]) };
  }
}
