import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '../..');

export interface DaemonOptions {
  /** Lines of websock.ini; `adress` defaults to one free port of 127.0.0.1. */
  ini?: string;
  args?: string[];
  env?: Record<string, string>;
  /** Files of the resources folder, by name; default: the bundled three. */
  resources?: Record<string, string>;
}

/** The built daemon in a process of its own, with a folder of its own. */
export class RunningDaemon {
  readonly dir: string;
  readonly child: ChildProcess;
  /** Everything that it wrote to stdout and stderr. */
  out = '';
  private readonly waiters = new Set<() => void>();
  private readonly exit: Promise<number | null>;

  constructor(dir: string, child: ChildProcess) {
    this.dir = dir;
    this.child = child;
    const take = (chunk: Buffer): void => {
      this.out += chunk.toString();
      for (const look of this.waiters) look();
    };
    child.stdout?.on('data', take);
    child.stderr?.on('data', take);
    this.exit = once(child, 'close').then(([code]) => {
      for (const look of this.waiters) look();
      return code as number | null;
    });
  }

  /** The first match of `pattern` in what it wrote, as soon as it is there. */
  async said(pattern: RegExp): Promise<RegExpExecArray> {
    return new Promise((done, fail) => {
      const look = (): void => {
        const match = pattern.exec(this.out);
        if (match === null && this.child.exitCode === null) return;
        this.waiters.delete(look);
        if (match === null) fail(new Error(`the daemon ended without saying ${pattern}:\n${this.out}`));
        else done(match);
      };
      this.waiters.add(look);
      look();
    });
  }

  /** The port of its first TCP listener. */
  get port(): number {
    return Number(/Server initialized on \w+ \S*:(\d+)/.exec(this.out)?.[1]);
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** Ends it. @returns its exit code. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (this.child.exitCode === null) this.child.kill(signal);
    return this.exit;
  }

  /** Ends it and removes its folder: for `afterAll`. */
  async dispose(): Promise<void> {
    await this.stop('SIGKILL');
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** Resolves with the exit code when it ends by itself. */
  ended(): Promise<number | null> {
    return this.exit;
  }
}

/** Starts `node dist/run.js -console` and returns at once; see {@link startDaemon}. */
export function spawnDaemon(options: DaemonOptions = {}): RunningDaemon {
  const dir = mkdtempSync(join(tmpdir(), 'websock-'));
  let { ini = '' } = options;
  if (!/^(?:adress|address)=/m.test(ini)) ini = `adress='ws://127.0.0.1:0'\n${ini}`;
  let resources = join(ROOT, 'resources');
  if (options.resources !== undefined) {
    resources = join(dir, 'resources');
    for (const [name, text] of Object.entries(options.resources)) {
      mkdirSync(dirname(join(resources, name)), { recursive: true });
      writeFileSync(join(resources, name), text);
    }
  }
  writeFileSync(join(dir, 'websock.ini'), `resources='${resources}'\n${ini}`);
  const args = [join(ROOT, 'dist/run.js'), '-console', ...(options.args ?? [])];
  const env = { PATH: process.env.PATH ?? '', ...options.env };
  return new RunningDaemon(dir, spawn(process.execPath, args, { cwd: dir, env, stdio: ['ignore', 'pipe', 'pipe'] }));
}

/** Starts the daemon and waits until it serves. */
export async function startDaemon(options: DaemonOptions = {}): Promise<RunningDaemon> {
  const daemon = spawnDaemon(options);
  await daemon.said(/Starting server\.\.\.[^]*Registered resource : \S+\n/);
  return daemon;
}
