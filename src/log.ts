/** What a log line may carry beside its text, as fields of the JSON line in the file. Never a payload, key or cookie. */
export type LogFields = Record<string, string | number | boolean | undefined>;

/** The levels, most severe first. */
export const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Where every layer writes its lines. daemon/logger.ts is the real one. */
export interface Log {
  error(text: string, fields?: LogFields): void;
  warn(text: string, fields?: LogFields): void;
  info(text: string, fields?: LogFields): void;
  debug(text: string, fields?: LogFields): void;
  /** Whether lines of this level are kept: where one is written for every connection, it is not composed for nothing. */
  wants(level: LogLevel): boolean;
}

/** A log of nothing. */
export const SILENT: Log = { error() {}, warn() {}, info() {}, debug() {}, wants: () => false };

/** What could start a new line, steer a terminal or turn what follows around, and halves of characters. */
const UNSAFE = new RegExp(
  [
    String.raw`[\u0000-\u001f\u007f-\u009f]`, // C0, DEL, C1
    String.raw`[\u2028\u2029]`, // line and paragraph separator
    String.raw`[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]`, // bidirectional controls (UAX #9 §2)
    String.raw`[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]`, // surrogates without the other half
  ].join('|'),
  'g',
);
/** How much of a thing that a client named is repeated to it, or logged. */
const SHOWN = 200;

function escape(c: string): string {
  const code = c.charCodeAt(0).toString(16);
  return code.length > 2 ? `\\u${code.padStart(4, '0')}` : `\\x${code.padStart(2, '0')}`;
}

/** `text` with its control characters written as `\xNN` or `\uNNNN`, so that no client can forge a line of the log. */
export function printable(text: string): string {
  return text.replace(UNSAFE, escape);
}

/** The beginning of a text that may be long, printable: at most `most` characters, and `…` in place of the rest. */
export function excerpt(text: string, most = SHOWN): string {
  const safe = printable(text.slice(0, most));
  return safe.length > most || text.length > most ? `${safe.slice(0, most)}…` : safe;
}
