import { fstatSync, openSync, writeSync } from 'node:fs';
import { lstat, readlink, stat, unlink } from 'node:fs/promises';
import { pino } from 'pino';
import pinoRoll from 'pino-roll';
import { messageOf } from '../errors.ts';
import { codeOf, NumberedFiles, type NumberedOptions, orNull } from './numbered.ts';

declare module 'sonic-boom' {
  // Two fields that its own types leave out.
  interface SonicBoom {
    /** The open file, or -1 while there is none. */
    readonly fd: number;
    /** The path that `fd` was opened by. */
    readonly file: string | null;
  }
}

/** A SonicBoom: what pino and pino-roll write files with. */
type FileStream = ReturnType<typeof pino.destination>;

/** `daily` and `keep` have a meaning with `rotate=internal` only. */
export interface LogFileOptions extends NumberedOptions {
  /** `internal`: numbered files, `path` leads to the current one. `external`: exactly `path`. */
  readonly rotate: 'internal' | 'external';
  /** `internal` only: bytes from which on the next file is begun; 0: no limit. */
  readonly maxSize: number;
  /** Takes what cannot be said in the log: one line for stderr. */
  readonly complain: (text: string) => void;
}

/** Characters that may wait for a file that cannot be written, or not fast enough; what comes then is lost. */
const MAX_WAITING = 16 * 1024 * 1024;
/** Characters that are handed to the file at once, if more are waiting. */
const CHUNK = 64 * 1024;
/** Milliseconds from a failure to the next attempt, and between two looks whether the file is still there. */
const RETRY = 1000;
/** Milliseconds that a crash waits for what the thread pool is just writing. */
const CRASH_PATIENCE = 250;

/**
 * A file that takes lines: a bounded queue, and behind it the stream that writes them, which can be replaced at any
 * time.
 *
 * One chunk at a time is with the stream (a SonicBoom), and what it did not confirm goes back into the queue when it
 * fails. So nothing rests on what SonicBoom does after an error: its `reopen` closes a file twice after one that
 * failed, and its `flushSync` never returns from a full disk.
 */
export class LogFile {
  readonly #options: LogFileOptions;
  readonly #numbered: NumberedFiles;
  readonly #chunkSize: number;
  readonly #queue: string[] = [];
  /** Characters in the queue and in the chunk. */
  #waiting = 0;
  #chunk = '';
  #chunkBytes = 0;
  #chunkDone = 0;
  #stream: FileStream | null = null;
  /** Size in bytes that the file has if only this process writes it. */
  #size = 0;
  #opening: Promise<void> | null = null;
  #retry: NodeJS.Timeout | undefined;
  #looked = 0;
  #reopen = false;
  /** The numbered file that was opened last; '' with `rotate=external`. */
  #current = '';
  #failing = false;
  #linkFailing = false;
  #lost = 0;
  /** What runs beside the writing: closing an old stream, links, removal of old files. Never rejects. */
  #chores: Promise<unknown> = Promise.resolve();
  #closed: Promise<void> | null = null;
  #idle: (() => void) | null = null;

  constructor(options: LogFileOptions) {
    this.#options = options;
    this.#numbered = new NumberedFiles(options);
    this.#chunkSize = Math.min(CHUNK, options.maxSize || CHUNK);
  }

  /** Resolves when lines are written and `path` leads to them, or it has been said why not; never rejects. */
  async open(): Promise<void> {
    await this.#open();
    await this.#chores;
  }

  /** Takes a line, with its line feed. After `close` it is dropped. */
  write(line: string): void {
    if (this.#closed) return;
    if (this.#waiting + line.length > MAX_WAITING) {
      this.#lost++;
      this.#complain(new Error('it takes lines too slowly'));
      return;
    }
    this.#waiting += line.length;
    const last = this.#queue.length - 1;
    if (last >= 0 && this.#queue[last].length + line.length <= this.#chunkSize) this.#queue[last] += line;
    else this.#queue.push(line);
    this.#pump();
  }

  /** With `rotate=external`: goes on in a file newly opened by its name. Otherwise nothing. */
  reopen(): void {
    if (this.#options.rotate === 'internal' || this.#closed) return;
    this.#reopen = true;
    if (this.#stream) this.#pump();
    else void this.#open();
  }

  /** Resolves when all lines are on disk and the file closed, or it has been said why they cannot be; never rejects. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  /** Writes all lines before it returns: for a process that ends now. If that fails they are lost, and it says so. */
  flushSync(): void {
    // While the file cannot be written there is no use in trying.
    if (this.#waiting === 0 || (!this.#stream && this.#failing)) return;
    try {
      // Between two files there is no stream.
      const fd = this.#stream?.fd ?? openSync(this.#current || this.#options.path, 'a');
      this.#flushChunk(fd);
      for (let text = this.#queue.shift(); text !== undefined; text = this.#queue.shift()) {
        this.#waiting -= text.length;
        this.#writeSync(fd, Buffer.from(text));
      }
    } catch (error) {
      this.#complain(error);
    }
  }

  /** Waits for the chunk, which is with the thread pool or, while the file rolls, still in the stream. */
  #flushChunk(fd: number): void {
    if (this.#chunk === '') return;
    const size = this.#size + this.#chunkBytes - this.#chunkDone;
    const sleeper = new Int32Array(new SharedArrayBuffer(4));
    const end = Date.now() + CRASH_PATIENCE;
    // Nothing but the size tells that it was written, since no callback runs before this returns.
    while (fstatSync(fd).size < size && Date.now() < end) Atomics.wait(sleeper, 0, 0, 5);
    // Better twice than lost.
    if (fstatSync(fd).size < size) this.#writeSync(fd, this.#unconfirmed());
  }

  #writeSync(fd: number, bytes: Buffer): void {
    for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
    this.#size += bytes.length;
  }

  #open(): Promise<void> {
    this.#opening ??= this.#openNow().finally(() => {
      this.#opening = null;
      this.#pump();
    });
    return this.#opening;
  }

  async #openNow(): Promise<void> {
    clearTimeout(this.#retry);
    try {
      const stream = await this.#create();
      await opened(stream);
      this.#stream = stream;
      stream.on('error', (error) => stream === this.#stream && this.#fail(error));
      stream.on('write', (bytes: number) => stream === this.#stream && this.#wrote(bytes));
      stream.on('ready', () => this.#begun(stream));
      this.#begun(stream);
    } catch (error) {
      this.#fail(error);
    }
  }

  async #create(): Promise<FileStream> {
    const { path, rotate, maxSize, daily } = this.#options;
    if (rotate === 'internal') {
      await this.#numbered.prepare();
      const days = daily ? { frequency: 'daily' as const, dateFormat: 'yyyy-MM-dd' } : {};
      return pinoRoll({ file: this.#numbered.file, size: maxSize ? `${maxSize}b` : undefined, ...days, mkdir: true });
    }
    const found = await orNull(lstat(path));
    if (found?.isSymbolicLink() && this.#numbered.isNumbered(await readlink(path))) await unlink(path);
    const target = found && (await orNull(stat(path)));
    // A FIFO would hold a thread until somebody reads it.
    if (target && !target.isFile() && !target.isCharacterDevice()) throw new Error('it is not a file');
    const stream = pino.destination({ dest: path, sync: false, mkdir: true });
    // pino flushes its files when the process exits, and throws if one is not open yet. This takes the hook off.
    stream.emit('close');
    return stream;
  }

  /** A file is open: the first one of its stream, or the next one after a roll, which may be while the stream ends. */
  #begun(stream: FileStream): void {
    try {
      this.#size = fstatSync(stream.fd).size;
    } catch (error) {
      if (stream === this.#stream) this.#fail(error);
      return;
    }
    const { file } = stream;
    if (this.#options.rotate === 'external' || file === null) return;
    this.#current = file;
    this.#chores = this.#chores.then(() => this.#follow(file));
  }

  async #follow(file: string): Promise<void> {
    // Files may roll faster than links are made: what counts is the last one.
    if (file !== this.#current) return;
    try {
      await this.#numbered.follow(file);
      this.#linkFailing = false;
    } catch (error) {
      const { path, complain } = this.#options;
      // A folder that is gone is noticed, and made again, when the next line is written.
      if (this.#linkFailing || codeOf(error) === 'ENOENT') return;
      this.#linkFailing = true;
      complain(`${path} does not lead to ${file}, or old files stay: ${messageOf(error)}. Logging goes on.`);
    }
  }

  /** Hands the next chunk to the stream, if it has none. */
  #pump(): void {
    if (this.#chunk !== '') return;
    if (!this.#stream) {
      if (!this.#opening) this.#idle?.();
      return;
    }
    if (this.#reopen && !this.#closed) {
      this.#reopen = false;
      this.#chores = Promise.all([this.#chores, this.#end(this.#stream)]);
      void this.#open();
      return;
    }
    const chunk = this.#queue.shift();
    if (chunk === undefined) {
      this.#idle?.();
      return;
    }
    this.#chunk = chunk;
    this.#chunkBytes = Buffer.byteLength(chunk);
    this.#chunkDone = 0;
    this.#stream.write(chunk);
  }

  #wrote(bytes: number): void {
    this.#size += bytes;
    this.#chunkDone += bytes;
    // Not at once: first the stream finishes its write, and pino-roll rolls where that is due.
    if (this.#chunkDone >= this.#chunkBytes) queueMicrotask(() => this.#confirmed());
  }

  #confirmed(): void {
    this.#waiting -= this.#chunk.length;
    this.#chunk = '';
    this.#look();
    // Only now: a disk, or a queue, that is full but for a few bytes would be complained about again at once.
    if (this.#failing && this.#stream && this.#queue.length === 0) {
      this.#failing = false;
      const lost = this.#lost;
      this.#lost = 0;
      const missing = lost > 0 ? `; ${lost} lines are missing in it` : '';
      this.#options.note(`The log file ${this.#options.path} is written again${missing}`);
    }
    this.#pump();
  }

  /** A file that was deleted takes lines all the same: they would be nowhere. */
  #look(): void {
    const now = Date.now();
    if (!this.#stream || now - this.#looked < RETRY) return;
    this.#looked = now;
    try {
      if (fstatSync(this.#stream.fd).nlink === 0) throw new Error('it was deleted, with its last lines');
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Gives up the stream, not the lines, and tries again later. */
  #fail(error: unknown): void {
    const stream = this.#stream;
    this.#stream = null;
    if (stream) discard(stream);
    if (this.#chunk !== '') {
      const rest = this.#unconfirmed().toString();
      this.#waiting += rest.length - this.#chunk.length;
      if (rest !== '') this.#queue.unshift(rest);
      this.#chunk = '';
    }
    this.#complain(error);
    if (!this.#closed) this.#retry = setTimeout(() => void this.#open(), RETRY).unref();
    this.#pump();
  }

  #unconfirmed(): Buffer {
    return Buffer.from(this.#chunk).subarray(this.#chunkDone);
  }

  #complain(error: unknown): void {
    if (this.#failing) return;
    this.#failing = true;
    const { path, complain } = this.#options;
    const why = `${messageOf(error)}. ${remedy(error)}`;
    complain(`cannot write the log file ${path}: ${why}. It is tried again every second; the daemon goes on.`);
  }

  async #close(): Promise<void> {
    clearTimeout(this.#retry);
    if (!this.#stream) await this.#open();
    await new Promise<void>((resolve) => {
      this.#idle = resolve;
      this.#pump();
    });
    if (this.#stream) await this.#end(this.#stream);
    await this.#chores;
  }

  /** Closes a stream when it has written what it was given; never rejects. */
  async #end(stream: FileStream): Promise<void> {
    if (stream === this.#stream) this.#stream = null;
    try {
      await new Promise<void>((resolve, reject) => {
        stream.once('close', resolve);
        stream.once('error', reject);
        stream.end();
      });
    } catch (error) {
      discard(stream);
      this.#complain(error);
    }
  }
}

/** Resolves when the stream's file is open. */
function opened(stream: FileStream): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.once('ready', resolve);
    // Stays for ever: a stream that was given up may still emit errors, and without a listener they would be thrown.
    stream.on('error', (error) => {
      if (stream.fd < 0) discard(stream);
      reject(error);
    });
  });
}

function discard(stream: FileStream): void {
  if (stream.fd >= 0) stream.destroy();
  // A file that was never open cannot close, but pino-roll's timer stops at nothing else.
  else stream.emit('close');
}

/** What to do about it, for the operator. */
function remedy(error: unknown): string {
  switch (codeOf(error)) {
    case 'ENOSPC':
    case 'EDQUOT':
      return 'Make room on its disk';
    case 'EACCES':
    case 'EPERM':
      return `Let user ${process.getuid?.() ?? ''} write there, or set another logfile=`;
    case 'EMFILE':
    case 'ENFILE':
      return 'Raise the limit of open files (LimitNOFILE=)';
    default:
      return 'Set logfile= to a file in a folder that can be written';
  }
}
