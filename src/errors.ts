/**
 * Every close code and every coded error, in one place.
 *
 * The close codes of {@link CLOSE} are what frames, `close` packets, log lines and the documentation speak of
 * (PROTOCOL.md §8; RFC 6455 §7.4.1 for those below 4000).
 */
interface CloseCode {
  /** Short name, as in RFC 6455 where it has one. */
  readonly name: string;
  /** What it means, for a person. */
  readonly meaning: string;
  /** The HTTP status that a POST gets where a WebSocket client gets this code (PROTOCOL.md §7). */
  readonly status: number;
}

export const CLOSE = {
  NORMAL: 1000,
  GOING_AWAY: 1001,
  PROTOCOL: 1002,
  UNSUPPORTED: 1003,
  NO_STATUS: 1005,
  ABNORMAL: 1006,
  INVALID: 1007,
  POLICY: 1008,
  TOO_BIG: 1009,
  FAILED: 1011,
  RESTART: 1012,
  TRY_LATER: 1013,
  NO_RESOURCE: 4404,
  TIMEOUT: 4408,
  TOO_MANY: 4429,
} as const;

export const CLOSE_CODES: ReadonlyMap<number, CloseCode> = new Map<number, CloseCode>([
  [CLOSE.NORMAL, { name: 'normal', meaning: 'normal', status: 200 }],
  [CLOSE.GOING_AWAY, { name: 'going away', meaning: 'daemon stopping', status: 503 }],
  [CLOSE.PROTOCOL, { name: 'protocol error', meaning: 'protocol error', status: 400 }],
  [CLOSE.UNSUPPORTED, { name: 'unsupported data', meaning: 'data type not accepted', status: 415 }],
  [CLOSE.NO_STATUS, { name: 'no status', meaning: 'the Close frame held no code', status: 200 }],
  [CLOSE.ABNORMAL, { name: 'abnormal', meaning: 'the connection ended without a Close frame', status: 400 }],
  [CLOSE.INVALID, { name: 'invalid data', meaning: 'not UTF-8, or not a valid packet', status: 400 }],
  [CLOSE.POLICY, { name: 'policy', meaning: 'policy (origin, rate)', status: 403 }],
  [CLOSE.TOO_BIG, { name: 'too large', meaning: 'too large', status: 413 }],
  [CLOSE.FAILED, { name: 'internal error', meaning: 'the resource failed', status: 500 }],
  [CLOSE.RESTART, { name: 'restart', meaning: 'restart, come back', status: 503 }],
  [CLOSE.TRY_LATER, { name: 'try again later', meaning: 'full, or too slow to read', status: 503 }],
  [CLOSE.NO_RESOURCE, { name: 'no such resource', meaning: 'no such resource', status: 404 }],
  [
    CLOSE.TIMEOUT,
    { name: 'timeout', meaning: 'no answer to pings / idle, or a message that does not end', status: 408 },
  ],
  [CLOSE.TOO_MANY, { name: 'too many', meaning: 'too many connections from one address', status: 429 }],
]);

/** What kind of error it is, and how the program ends when it gets through to the command line. */
const EXIT = {
  /** A value of the configuration or the command line cannot be used. */
  WEBSOCK_CONFIG: 2,
  /** The daemon could not run: port taken, no permission. */
  WEBSOCK_START: 1,
  /** A client's message is not what PROTOCOL.md §5 asks for. */
  WEBSOCK_PACKET: 1,
} as const;

/** An error of websock's own: its message is made for the person who reads it, without a stack. */
export class WebsockError extends Error {
  /** Stable name of the kind of error. */
  readonly code: keyof typeof EXIT;
  /** If a resource throws it: the code its client is closed with, instead of 1011. */
  readonly closeCode: number | undefined;

  constructor(code: keyof typeof EXIT, message: string, options: { closeCode?: number; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'WebsockError';
    this.code = code;
    this.closeCode = options.closeCode;
  }

  /** Exit code of the program where this error ends it. */
  get exitCode(): number {
    return EXIT[this.code];
  }
}

/** A property of whatever was thrown: plugins may throw anything, with getters that throw themselves. */
function propertyOf(error: unknown, name: 'name' | 'message' | 'stack' | 'closeCode'): unknown {
  try {
    return (error as Record<string, unknown> | null | undefined)?.[name];
  } catch {
    return undefined; // it tells nothing of itself
  }
}

/** The message of whatever was thrown; errors of another realm are no `instanceof Error`. */
export function messageOf(error: unknown): string {
  const message = propertyOf(error, 'message');
  if (typeof message === 'string') return message;
  try {
    return String(error);
  } catch {
    return 'something that cannot be shown as text';
  }
}

/** The stack of whatever was thrown, if it has one. */
export function stackOf(error: unknown): string | undefined {
  const stack = propertyOf(error, 'stack');
  return typeof stack === 'string' ? stack : undefined;
}

/** The close code that an error asks for, if it is one of ours that may be sent; whoever's copy of the class it is. */
export function closeCodeOf(error: unknown): number | undefined {
  const code = propertyOf(error, 'closeCode');
  if (typeof code !== 'number' || code === CLOSE.NO_STATUS || code === CLOSE.ABNORMAL) return undefined;
  return CLOSE_CODES.has(code) ? code : undefined;
}

/** Where an error was thrown: the frames of its stack, as they stand there. */
export function framesOf(error: unknown): string[] {
  const stack = stackOf(error) ?? '';
  // It begins with the message, which may hold lines that look like frames.
  const message = messageOf(error);
  const at = message === '' ? -1 : stack.indexOf(message);
  const lines = stack.slice(at === -1 ? 0 : at + message.length).split('\n');
  return lines.filter((line) => /^\s*at /.test(line));
}

/** Characters of an error's message that are logged: where it was thrown must have room behind it. */
const LOGGABLE = 1000;

/** What a log may say of an error: the message of a SyntaxError quotes what could not be parsed, a client's payload. */
function loggable(error: unknown): string {
  if (propertyOf(error, 'name') === 'SyntaxError') return 'SyntaxError';
  const message = messageOf(error);
  return message.length > LOGGABLE ? `${message.slice(0, LOGGABLE)}…` : message;
}

/**
 * A plugin's error and where it was thrown, for the one who wrote it.
 * @param at the frame to name; default: the first that is not Node's.
 */
export function describeThrown(error: unknown, at?: string): string {
  // Not where the language gave up: where somebody called it.
  const frames = framesOf(error);
  const frame = at ?? frames.find((line) => !/\(<anonymous>\)|\bnode:/.test(line)) ?? frames[0];
  return frame === undefined ? loggable(error) : `${loggable(error)} (${frame.trim()})`;
}

/** The stack of a plugin's error, for the log. */
export function traceOf(error: unknown): string | undefined {
  const frames = framesOf(error);
  return frames.length === 0 ? undefined : [loggable(error).replaceAll('\n', ' '), ...frames].join('\n');
}
