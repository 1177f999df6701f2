import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

export const ROOT = resolve(import.meta.dirname, '../..');
/** Milliseconds after which what was not said is not going to be. */
const PATIENCE = 45_000;
/** Set by the project `net` of jest.config.mjs; the default is the daemon's own. */
const { WEBSOCK_TRANSPORT } = process.env;
const TRANSPORT: Record<string, string> = WEBSOCK_TRANSPORT === undefined ? {} : { WEBSOCK_TRANSPORT };
const INITIALIZED = /Server initialized on \w+ (\S+)/g;

export interface DaemonOptions {
  /** Lines of websock.ini; `adress` defaults to one free port of 127.0.0.1. */
  ini?: string;
  args?: string[];
  env?: Record<string, string>;
  /** Files of the resources folder, by name; default: the bundled four. */
  resources?: Record<string, string>;
  /** Files beside the bundled four, by name. */
  extra?: Record<string, string>;
  /** Its limit of open files; default: that of the test. */
  openFiles?: number;
  /** Options of Node itself. */
  nodeArgs?: string[];
  /** Default: a new folder, removed by `dispose`. */
  dir?: string;
}

/** `said` was not. */
class NotSaid extends Error {}

/** The built daemon in a process of its own, with a folder of its own. */
export class RunningDaemon {
  readonly dir: string;
  readonly child: ChildProcess;
  /** Everything that it wrote to stdout and stderr. */
  out = '';
  /** What of it went to stderr. */
  err = '';
  private readonly waiters = new Set<() => void>();
  private readonly exit: Promise<number | null>;
  private gone = false;

  constructor(dir: string, child: ChildProcess) {
    this.dir = dir;
    this.child = child;
    const take = (chunk: Buffer): void => {
      this.out += chunk.toString();
      for (const look of this.waiters) look();
    };
    child.stdout?.on('data', take);
    child.stderr?.on('data', (chunk: Buffer) => {
      this.err += chunk.toString();
      take(chunk);
    });
    this.exit = once(child, 'close').then(([code]) => {
      this.gone = true;
      for (const look of this.waiters) look();
      return code as number | null;
    });
  }

  /**
   * The first match of `pattern` in what it wrote, as soon as it is there.
   * @param from where in `out` to begin: `daemon.out.length` for what is written from now on.
   */
  async said(pattern: RegExp, from = 0): Promise<RegExpExecArray> {
    return new Promise((done, fail) => {
      const finish = (end: () => void): void => {
        clearTimeout(late);
        this.waiters.delete(look);
        end();
      };
      const look = (): void => {
        const match = pattern.exec(this.out.slice(from));
        if (match !== null) finish(() => done(match));
        else if (this.gone) finish(() => fail(new NotSaid(`the daemon ended without saying ${pattern}:\n${this.out}`)));
      };
      const late = setTimeout(
        () => finish(() => fail(new NotSaid(`the daemon does not say ${pattern}:\n${this.out}`))),
        PATIENCE,
      );
      this.waiters.add(look);
      look();
    });
  }

  /** What it listens on: `127.0.0.1:8096`, `[::1]:8096`, `/tmp/socket`. */
  get endpoints(): string[] {
    return [...this.out.matchAll(INITIALIZED)].map((match) => match[1]);
  }

  /** The port of its first TCP listener. */
  get port(): number {
    return this.ports[0];
  }

  /** The ports of its TCP listeners, in the order of `adress`. */
  get ports(): number[] {
    return this.endpoints.filter((endpoint) => !endpoint.startsWith('/')).map((e) => Number(e.split(':').at(-1)));
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** The lines of its log file, parsed. */
  logged(file = 'log/websock.log'): Record<string, unknown>[] {
    const text = readFileSync(join(this.dir, file), 'utf8');
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  /** Ends it. @returns its exit code. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (!this.gone) this.child.kill(signal);
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

/** A new folder below the system's one for such things. */
export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'websock-'));
}

/** The text of a file in test/fixtures. */
export function fixture(name: string): string {
  return readFileSync(join(ROOT, 'test/fixtures', name), 'utf8');
}

/** Starts `node dist/run.js -console` and returns at once; see {@link startDaemon}. */
export function spawnDaemon(options: DaemonOptions = {}): RunningDaemon {
  const dir = options.dir ?? temporaryFolder();
  let { ini = '' } = options;
  if (!/^(?:adress|address)=/m.test(ini)) ini = `adress='ws://127.0.0.1:0'\n${ini}`;
  writeFileSync(join(dir, 'websock.ini'), `resources='${resourcesFolder(dir, options)}'\n${ini}`);
  const args = [...(options.nodeArgs ?? []), join(ROOT, 'dist/run.js'), '-console', ...(options.args ?? [])];
  const env = { PATH: process.env.PATH ?? '', ...TRANSPORT, ...options.env };
  const { openFiles } = options;
  const [program, ...first] =
    openFiles === undefined
      ? [process.execPath]
      : ['sh', '-c', `ulimit -n ${openFiles}; exec "$0" "$@"`, process.execPath];
  return new RunningDaemon(
    dir,
    spawn(program, [...first, ...args], { cwd: dir, env, stdio: ['ignore', 'pipe', 'pipe'] }),
  );
}

function resourcesFolder(dir: string, { resources, extra }: DaemonOptions): string {
  const bundled = join(ROOT, 'resources');
  if (resources === undefined && extra === undefined) return bundled;
  const folder = join(dir, 'resources');
  mkdirSync(folder, { recursive: true });
  if (resources === undefined) {
    for (const name of ['default.ts', 'web.ts', 'php.ts', 'jobs.ts', 'lib']) {
      if (existsSync(join(bundled, name))) cpSync(join(bundled, name), join(folder, name), { recursive: true });
    }
  }
  for (const [name, text] of Object.entries({ ...resources, ...extra })) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

/** Starts the daemon and waits until it serves. */
export async function startDaemon(options: DaemonOptions = {}): Promise<RunningDaemon> {
  const daemon = spawnDaemon(options);
  try {
    await daemon.said(/Starting server\.\.\.[^]*Registered resource : \S+\n/);
  } catch (error) {
    await daemon.dispose();
    throw error;
  }
  return daemon;
}
