import {
  closeSync,
  constants,
  accessSync,
  fsyncSync,
  lstatSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';

/** What the first line of the file says: another form will say something else. */
const FORM = 'websock sessions 1';
/** Lines that do not fit, until no more are looked at: to make each takes time, and a stop has little. */
const MOST_MISSES = 100;
/** Milliseconds: who has been gone for so long is not waited for any more. */
const TOO_OLD = 3_600_000;

interface StateOptions {
  /** Absolute. */
  readonly file: string;
  /** Bytes that it may have. */
  readonly most: number;
  readonly log: Log;
  /** Milliseconds of Unix time. */
  readonly now?: () => number;
}

/** The file that takes sessions from one daemon to the next, a line of text for each: written by a stop, removed by a start. */
export class StateFile {
  private readonly file: string;
  private readonly most: number;
  private readonly log: Log;
  private readonly now: () => number;

  constructor({ file, most, log, now = () => Date.now() }: StateOptions) {
    this.file = file;
    this.most = most;
    this.log = log;
    this.now = now;
  }

  /** Why nothing can be written, or null. */
  get problem(): string | null {
    try {
      accessSync(dirname(this.file), constants.W_OK);
      return null;
    } catch (error) {
      return messageOf(error);
    }
  }

  /** What a stop has written, if there is anything that can be used; the file is removed. */
  take(): string[] {
    const { file, log } = this;
    try {
      const stat = lstatSync(file, { throwIfNoEntry: false });
      if (stat === undefined) return [];
      const { size, uid } = stat;
      const foreign = uid !== 0 && uid !== (process.getuid?.() ?? uid);
      if (!stat.isFile() || foreign) {
        log.warn(`${file} is ${foreign ? "another user's" : 'no file'}: it is not used`);
        return [];
      }
      const text = size > this.most ? '' : readFileSync(file, 'utf8');
      // Before anything is used of it: what is used twice would be handled twice.
      rmSync(file);
      if (size > this.most) {
        log.warn(`${file} is longer than [dialog] maxState = ${this.most} bytes: its sessions are forgotten`);
        return [];
      }
      return this.lines(text);
    } catch (error) {
      log.error(`${file} cannot be read and removed, so its sessions are forgotten: ${messageOf(error)}`);
      return [];
    }
  }

  private lines(text: string): string[] {
    const [first, ...lines] = text.split('\n');
    const [form, written] = first.split(' at ');
    const age = this.now() - Date.parse(written ?? '');
    const end = lines.pop();
    if (form !== FORM || end !== '' || !(age < TOO_OLD)) {
      const why = form === FORM && end === '' ? 'is older than an hour' : 'is not one of this daemon, or damaged';
      this.log.warn(`${this.file} ${why}: its sessions are forgotten`);
      return [];
    }
    return lines;
  }

  /**
   * Writes the file anew, whole or not at all, for nobody else to read.
   * @param lines one at a time, without line ends. One that does not fit is passed over, for those behind it may; of a hundred no more are asked for.
   * @returns which of them are in it, by their place.
   */
  write(lines: Iterable<string>): ReadonlySet<number> {
    const { file, most, log } = this;
    const temporary = `${file}.tmp`;
    try {
      rmSync(temporary, { force: true });
      const fd = openSync(temporary, 'wx', 0o600);
      const written = new Set<number>();
      try {
        let bytes = writeSync(fd, `${FORM} at ${new Date(this.now()).toISOString()}\n`);
        let place = 0;
        for (const line of lines) {
          const next = Buffer.from(`${line}\n`);
          if (bytes + next.length <= most) {
            for (let at = 0; at < next.length; ) at += writeSync(fd, next, at);
            bytes += next.length;
            written.add(place);
          } else if (place - written.size === MOST_MISSES) break;
          place++;
        }
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
      renameSync(temporary, file);
      return written;
    } catch (error) {
      log.error(`${file} cannot be written, so all sessions end: ${messageOf(error)}`);
      try {
        rmSync(temporary, { force: true });
      } catch {
        // It is not ours, or of what kept it from being written: that has been said.
      }
      return new Set();
    }
  }
}
