import type { Writable } from 'node:stream';
import { pino } from 'pino';
import { messageOf } from '../errors.ts';
import { LOG_LEVELS, type Log, type LogFields, type LogLevel, printable, excerpt } from '../log.ts';
import { LogFile } from './logfile.ts';

export interface LoggerOptions {
  /** Whether lines go to stdout. */
  readonly console: boolean;
  /** Absolute path of the file with JSON lines; '': none. */
  readonly logfile: string;
  /** The least severe level that is logged, on both ways. */
  readonly level: LogLevel;
  /** `internal`: numbered files, `logfile` leads to the current one. `external`: exactly `logfile`, for logrotate. */
  readonly rotate: 'internal' | 'external';
  /** `internal` only: bytes from which on the next file is begun; 0: no limit. */
  readonly maxSize: number;
  /** `internal` only: whether a new file is begun at midnight, local time. */
  readonly daily: boolean;
  /** `internal` only: how many old files stay beside the current one. */
  readonly keep: number;
}

/** The daemon's log. None of its methods throws or rejects, whatever happens to the file and to stdout. */
export interface Logger extends Log {
  /** For SIGHUP. `rotate=external`: opens `logfile` anew, by its name. `rotate=internal`: nothing. */
  reopen(): void;
  /** Resolves when all that was logged is on disk and on stdout. What is logged after the call is dropped. */
  close(): Promise<void>;
  /** For a crash: all that was logged is in the file when it returns. A reader of stdout is not waited for. */
  flushSync(): void;
}

/** Where the console lines, and the complaints about the log itself, go. */
export interface LogStreams {
  readonly stdout: Writable;
  readonly stderr: Writable;
}

/** Bytes that may wait for the reader of stdout; what comes then is dropped. */
const MAX_WAITING = 16 * 1024 * 1024;
/** Milliseconds that `close` waits for the reader of stdout: one that sleeps must not keep the daemon from stopping. */
const PATIENCE = 2000;

/** Characters of one text of a line: a plugin may have put all that a client sent into it. */
const LONGEST = 8192;

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const WORDS: Record<LogLevel, string> = { error: 'ERROR ', warn: 'WARN ', info: '', debug: 'DEBUG ' };

/**
 * Opens the daemon's log. A file that cannot be written: one line on stderr, and it is tried again every second.
 *
 * @param options rows of the option table: ini keys `console`, `logfile`, `logLevel` and those of the log's section
 * @param streams default: the process's own
 */
export async function openLogger(options: LoggerOptions, streams: LogStreams = process): Promise<Logger> {
  const logger = new DaemonLogger(options, streams);
  await logger.open();
  return logger;
}

class DaemonLogger implements Logger {
  readonly #threshold: number;
  readonly #clock = new Clock();
  readonly #console: ConsoleLines | null;
  readonly #file: LogFile | null;
  readonly #json: pino.Logger;
  readonly #stderr: Writable;
  #closed: Promise<void> | null = null;

  constructor(options: LoggerOptions, { stdout, stderr }: LogStreams) {
    this.#threshold = LOG_LEVELS.indexOf(options.level);
    this.#stderr = stderr;
    stderr.on('error', nowhereLeft);
    const complain = (text: string) => stderr.write(`websock: ${printable(text)}\n`);
    this.#console = options.console ? new ConsoleLines(stdout, complain) : null;
    const note = (text: string) => this.warn(text);
    this.#file = options.logfile ? new LogFile({ ...options, path: options.logfile, note, complain }) : null;
    this.#json = pino(
      {
        level: 'debug',
        base: null,
        timestamp: () => `,"time":"${this.#clock.iso()}"`,
        formatters: { level: (label) => ({ level: label }) },
      },
      { write: (line: string) => this.#file?.write(line) },
    );
  }

  async open(): Promise<void> {
    await this.#file?.open();
  }

  error(text: string, fields?: LogFields): void {
    this.#log('error', text, fields);
  }

  warn(text: string, fields?: LogFields): void {
    this.#log('warn', text, fields);
  }

  info(text: string, fields?: LogFields): void {
    this.#log('info', text, fields);
  }

  debug(text: string, fields?: LogFields): void {
    this.#log('debug', text, fields);
  }

  wants(level: LogLevel): boolean {
    return LOG_LEVELS.indexOf(level) <= this.#threshold;
  }

  reopen(): void {
    this.#file?.reopen();
  }

  flushSync(): void {
    this.#file?.flushSync();
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  #log(level: LogLevel, text: string, fields: LogFields | undefined): void {
    if (this.#closed || !this.wants(level)) return;
    const line = excerpt(text, LONGEST);
    this.#console?.write(this.#clock.rfc2822(), WORDS[level] + line);
    if (this.#file) this.#json[level](fields === undefined ? {} : safe(fields), line);
  }

  async #close(): Promise<void> {
    await Promise.all([this.#file?.close(), this.#console?.close()]);
    this.#stderr.off('error', nowhereLeft);
  }
}

/** Fields as they may stand in a file that is read in a terminal. The lines of a stack stay lines. */
function safe(fields: LogFields): LogFields {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => {
      if (typeof value !== 'string') return [name, value];
      if (name !== 'stack') return [name, excerpt(value, LONGEST)];
      return [name, value.slice(0, LONGEST).split('\n').map(printable).join('\n')];
    }),
  );
}

/** Hears errors of stderr: there is no place left where they could be said, and unheard they would end the daemon. */
function nowhereLeft(): void {}

/** Lines for a stream that may be closed at its other end, or not be read. */
class ConsoleLines {
  readonly #stream: Writable;
  readonly #fail: (error: unknown) => void;
  #broken = false;
  #lost = 0;

  constructor(stream: Writable, complain: (text: string) => void) {
    this.#stream = stream;
    // A stream does not come back from an error: writing on would only make more of them.
    this.#fail = (error) => {
      if (!this.#broken) complain(`no console lines any more: stdout failed: ${messageOf(error)}. The daemon goes on.`);
      this.#broken = true;
    };
    stream.on('error', this.#fail);
  }

  write(date: string, text: string): void {
    if (this.#broken) return;
    if (this.#stream.writableLength > MAX_WAITING) {
      this.#lost++;
      return;
    }
    if (this.#lost > 0) {
      this.#stream.write(`${date}; WARN ${this.#lost} lines are missing here: stdout was not read\n`);
      this.#lost = 0;
    }
    this.#stream.write(`${date}; ${text}\n`);
  }

  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      if (this.#broken) return resolve();
      const timer = setTimeout(resolve, PATIENCE);
      this.#stream.write('', () => {
        clearTimeout(timer);
        resolve();
      });
    });
    this.#stream.off('error', this.#fail);
  }
}

/** The time as the two outputs write it; what is the same for a second is formatted once a second. */
class Clock {
  #second = Number.NaN;
  #rfc2822 = '';
  #iso = '';

  /** Such as `Wed, 14 Jul 2021 09:04:35 +0200` (RFC 2822 §3.3), local time. */
  rfc2822(): string {
    this.#tick(Date.now());
    return this.#rfc2822;
  }

  /** Such as `2021-07-14T07:04:35.123Z` (ISO 8601). */
  iso(): string {
    const now = Date.now();
    this.#tick(now);
    return `${this.#iso}.${pad(now % 1000, 3)}Z`;
  }

  #tick(now: number): void {
    const second = Math.floor(now / 1000);
    if (second === this.#second) return;
    this.#second = second;
    const date = new Date(now);
    const day = `${DAYS[date.getDay()]}, ${pad(date.getDate())} ${MONTHS[date.getMonth()]} ${date.getFullYear()}`;
    const time = `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
    const east = -date.getTimezoneOffset();
    const zone = `${east < 0 ? '-' : '+'}${pad(Math.trunc(Math.abs(east) / 60))}${pad(Math.abs(east) % 60)}`;
    this.#rfc2822 = `${day} ${time} ${zone}`;
    this.#iso = date.toISOString().slice(0, 19);
  }
}

function pad(value: number, digits = 2): string {
  return String(value).padStart(digits, '0');
}
