import { closeSync, openSync } from 'node:fs';
import { devNull } from 'node:os';
import type { Log } from '../log.ts';

/** Open files that are not clients: listeners, log, resources, and what plugins open. */
export const SPARE_FILES = 64;
/** Where no limit is known. */
const MANY_FILES = 1_048_576;
/** Milliseconds between two looks. */
const INTERVAL = 1000;
/** So many must be free for it to be over: else each client that leaves would end it, and the next begin it anew. */
const CALM = 8;

/** How many files this process may have open. */
export function openFilesLimit(): number {
  const report = process.report.getReport() as { userLimits?: { open_files?: { soft?: number | string } } };
  const soft = Number(report.userLimits?.open_files?.soft);
  return Number.isFinite(soft) ? soft : MANY_FILES;
}

/** The most connections that leave {@link SPARE_FILES} of `limit` for all else. */
export function clientsWithin(limit: number): number {
  return Math.max(limit - SPARE_FILES, 1);
}

/**
 * Says when no file can be opened any more, and when that is over, once each. Nobody else does: libuv accepts the clients
 * that come then and closes them at once, without a word to them or to us.
 */
export class OpenFiles {
  private readonly limit: number;
  private readonly log: Log;
  private readonly connections: () => number;
  private readonly whyNot: typeof whyNotOpened;
  private timer: NodeJS.Timeout | undefined;
  private full = false;

  /**
   * @param connections how many there are now: it tells whether clients have taken the files, or somebody else
   * @param whyNot for tests
   */
  constructor(limit: number, log: Log, connections: () => number, whyNot = whyNotOpened) {
    this.limit = limit;
    this.log = log;
    this.connections = connections;
    this.whyNot = whyNot;
  }

  start(): void {
    this.timer = setInterval(() => this.look(), INTERVAL).unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private look(): void {
    const code = this.whyNot(this.full ? CALM : 1);
    if (this.full === (code !== null)) return;
    this.full = code !== null;
    if (code === null) this.log.info('files can be opened again: new clients are let in');
    else this.complain(code);
  }

  private complain(code: string): void {
    const whose = code === 'ENFILE' ? 'this host has as many as it may' : `limit of this process ${this.limit}`;
    this.log.error(
      `no file can be opened any more (${whose}; connections ${this.connections()}): new clients are cut off, the others served; ` +
        'raise the limit (LimitNOFILE=, ulimit -n), lower maxClients, or see what resources keep open',
      { code },
    );
  }
}

/** Opens `count` files, and closes them. @returns EMFILE or ENFILE if there is no room for them, or null. */
function whyNotOpened(count: number): string | null {
  const opened: number[] = [];
  try {
    while (opened.length < count) opened.push(openSync(devNull, 'r'));
    return null;
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    // What else may be wrong with that path is found out after there was room.
    return code === 'EMFILE' || code === 'ENFILE' ? code : null;
  } finally {
    for (const file of opened) closeSync(file);
  }
}
