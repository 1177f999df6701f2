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

// C0, DEL, C1 and the two Unicode line separators: what could start a new line or steer a terminal.
// oxlint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;

/** `text` with its control characters written as `\xNN`, so that no client can forge a line of the log. */
export function printable(text: string): string {
  return text.replace(CONTROL, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
