import { link, lstat, mkdir, readdir, readlink, rename, rm, stat, symlink, unlink } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';

const ENDING = /^(?:(\d{4}-\d\d-\d\d)\.)?(\d{1,16})$/;

export interface NumberedOptions {
  /** Absolute path of the name that leads to the current file. */
  readonly path: string;
  /** Whether a new file is begun at midnight, local time. */
  readonly daily: boolean;
  /** How many files stay beside the current one. */
  readonly keep: number;
  /** Takes what is worth a line in the log. */
  readonly note: (text: string) => void;
}

interface Numbered {
  readonly name: string;
  readonly date: string;
  readonly number: number;
}

/**
 * The files of `rotate=internal`: `websock.2021-07-14.3.log` (with `daily`) or `websock.3.log`, beside the name
 * `websock.log` that leads to the current one.
 *
 * pino-roll numbers and rolls them. The link and the removal of old files are done here: pino-roll's link is always
 * called `current.log`, and its removal happens on a roll only and takes files of others with it (`websock-1.log`).
 */
export class NumberedFiles {
  /** What pino-roll is to be given: always with an extension, since it guesses one otherwise. */
  readonly file: string;
  readonly #options: NumberedOptions;
  readonly #folder: string;
  readonly #prefix: string;
  readonly #suffix: string;

  constructor(options: NumberedOptions) {
    this.#options = options;
    const { path } = options;
    // pino-roll does not take an extension of less than two letters for one.
    this.file = extname(path).length > 2 ? path : `${path}.log`;
    this.#folder = dirname(path);
    this.#suffix = extname(this.file);
    this.#prefix = `${basename(this.file, this.#suffix)}.`;
  }

  /**
   * Sees to it that the name `logfile` is free for the link: a plain file that stands there is kept under another name.
   *
   * @throws Error if something else stands there, that is not websock's to move: a folder, a device, another's link.
   */
  async prepare(): Promise<void> {
    const { path, note } = this.#options;
    await mkdir(this.#folder, { recursive: true });
    const found = await orNull(lstat(path));
    if (found === null) return;
    if (found.isSymbolicLink()) {
      const target = await readlink(path);
      if (!this.isNumbered(target)) throw new Error(`it is a link to ${target}, which rotate=internal would replace`);
      // pino-roll cannot number in a folder that holds a link to nowhere: it would start again at 1.
      if ((await orNull(stat(path))) === null) await unlink(path);
      return;
    }
    if (!found.isFile()) throw new Error('it is not a file');
    note(`Log file ${path} of an earlier rotate=external kept as ${await moveAway(path)}`);
  }

  /** Leads the name `logfile` to `current`, and removes the oldest files but `keep`. */
  async follow(current: string): Promise<void> {
    await this.prepare();
    const { path } = this.#options;
    const name = basename(current);
    const fresh = `${path}.link-${process.pid}`;
    await rm(fresh, { force: true });
    await symlink(name, fresh);
    // Renamed, so that there is no moment without the name.
    await rename(fresh, path);
    for (const old of await this.#surplus(name)) await orNull(unlink(join(this.#folder, old)));
  }

  /** Whether `name` (without a folder) is that of a numbered file of this log. */
  isNumbered(name: string): boolean {
    return this.#parse(name) !== null;
  }

  async #surplus(current: string): Promise<string[]> {
    const files: Numbered[] = [];
    for (const entry of await readdir(this.#folder, { withFileTypes: true })) {
      const numbered = entry.isFile() && entry.name !== current ? this.#parse(entry.name) : null;
      if (numbered) files.push(numbered);
    }
    // Those from before `daily` was switched on or off cannot be compared by name with those since: they go first.
    const before = ({ date }: Numbered) => (date !== '') !== this.#options.daily;
    files.sort(
      (a, b) => Number(before(b)) - Number(before(a)) || compare(a.date, b.date) || compare(a.number, b.number),
    );
    return files.slice(0, Math.max(0, files.length - this.#options.keep)).map(({ name }) => name);
  }

  #parse(name: string): Numbered | null {
    if (!name.startsWith(this.#prefix) || !name.endsWith(this.#suffix)) return null;
    const match = ENDING.exec(name.slice(this.#prefix.length, -this.#suffix.length));
    return match && { name, date: match[1] ?? '', number: Number(match[2]) };
  }
}

function compare<T extends string | number>(a: T, b: T): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** Gives the file at `path` the first free name; what has that name already stays as it is. */
async function moveAway(path: string): Promise<string> {
  for (let n = 1; ; n++) {
    const kept = `${path}.kept-${n}`;
    try {
      // Not rename: that would overwrite.
      await link(path, kept);
    } catch (error) {
      if (codeOf(error) === 'EEXIST') continue;
      throw error;
    }
    await unlink(path);
    return kept;
  }
}

/** What is promised, or null if there is no such file. */
export async function orNull<T>(promise: Promise<T>): Promise<T | null> {
  try {
    return await promise;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  }
}

/** The code of a system error, such as `ENOSPC`. */
export function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}
