/** The load generator: built from wsload.c, run once for each figure. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { busySeconds, pinned } from './machine.ts';
import { BenchError, Program, run } from './processes.ts';

const BIN = join(import.meta.dirname, 'bin');
/** What wsload can do beside plain WebSocket, and what that needs. */
const EXTRAS = {
  tls: { header: 'openssl/ssl.h', flags: ['-DWITH_TLS'], libraries: ['-lssl', '-lcrypto'], debian: 'libssl-dev' },
  deflate: { header: 'zlib.h', flags: ['-DWITH_DEFLATE'], libraries: ['-lz'], debian: 'zlib1g-dev' },
} as const;
/** Seconds that all connections may take to be there. */
const CONNECT_TIMEOUT = 15;
/** Seconds over all that was asked for after which a load is ended: it has limits of its own, this is for bugs of it. */
const GRACE = 10;

/** One line of wsload, as far as it is read here. */
export interface Result {
  readonly msgs_per_s?: number;
  readonly deliveries_per_s?: number;
  readonly handshakes_per_s?: number;
  readonly rss_per_conn?: number;
  readonly client_cpu: number;
  readonly server_cpu: number;
  readonly errors: number;
  readonly verify_errors?: number;
  readonly first_error?: string;
}

export interface LoadOptions {
  readonly port: number;
  readonly pid: number;
  readonly cpu: number;
  readonly files?: number;
  readonly secs: number;
  readonly warmup: number;
  /** Further arguments; they come last, and so they count. */
  readonly args: readonly string[];
}

/** Builds a C file of this folder into bench/bin. @throws BenchError if it cannot be built. */
export async function compile(
  name: string,
  flags: readonly string[] = [],
  libraries: readonly string[] = [],
): Promise<string> {
  mkdirSync(BIN, { recursive: true });
  const output = join(BIN, name);
  const source = join(import.meta.dirname, `${name}.c`);
  const { ok, err } = await run(['gcc', '-O2', '-Wall', '-Wextra', ...flags, '-o', output, source, ...libraries]);
  if (!ok) throw new BenchError(`${name}.c cannot be built: apt-get install gcc libc6-dev\n${err.trim()}`);
  return output;
}

export class Wsload {
  /** What it cannot do, and what to install. */
  readonly lacks: Readonly<Partial<Record<keyof typeof EXTRAS, string>>>;
  private readonly path: string;

  private constructor(path: string, lacks: Wsload['lacks']) {
    this.path = path;
    this.lacks = lacks;
  }

  /** @throws BenchError if there is no compiler. */
  static async build(): Promise<Wsload> {
    const flags: string[] = [];
    const libraries: string[] = [];
    const lacks: Partial<Record<keyof typeof EXTRAS, string>> = {};
    for (const name of ['tls', 'deflate'] as const) {
      const extra = EXTRAS[name];
      // oxlint-disable-next-line no-await-in-loop -- two short ones
      const { ok } = await run(['gcc', '-E', '-include', extra.header, '-x', 'c', '/dev/null']);
      if (ok) {
        flags.push(...extra.flags);
        libraries.push(...extra.libraries);
      } else lacks[name] = `wsload is built without it: apt-get install ${extra.debian}`;
    }
    return new Wsload(await compile('wsload', flags, libraries), lacks);
  }

  /**
   * @returns wsload's result, and how much of the CPUs other processes took meanwhile (1: one CPU).
   * @throws BenchError that says what went wrong: no result, errors, wrong replies.
   */
  async run(options: LoadOptions): Promise<{ result: Result; other: number }> {
    const { port, pid, cpu, files, secs, warmup, args } = options;
    const times = ['--secs', String(secs), '--warmup', String(warmup), '--timeout', String(CONNECT_TIMEOUT)];
    const command = [this.path, '--port', String(port), '--server-pid', String(pid), ...times, ...args];
    const busy = busySeconds();
    const began = performance.now();
    const program = new Program([...pinned(cpu, files), ...command], {
      timeout: (secs + warmup + CONNECT_TIMEOUT + GRACE) * 1000,
      killSignal: 'SIGKILL',
    });
    await program.ended;
    const elapsed = (performance.now() - began) / 1000;
    const result = parse(program);
    const wrong = result.errors + (result.verify_errors ?? 0);
    if (wrong > 0 || program.code !== 0) throw new BenchError(`${wrong} errors, first: ${result.first_error}`);
    const own = result.client_cpu + result.server_cpu;
    return { result, other: Math.max(0, (busySeconds() - busy) / elapsed - own) };
  }
}

function parse({ out, err, code }: Program): Result {
  try {
    return JSON.parse(out) as Result;
  } catch {
    throw new BenchError(`wsload gave no result (exit code ${code}): ${err.trim() || out.trim()}`);
  }
}
