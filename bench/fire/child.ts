/** Clients live in processes of their own: what they do must not be taken for the daemon's doing, and they can be killed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pinned } from '../machine.ts';
import { BenchError } from '../processes.ts';

const JITI = createRequire(import.meta.url)
  .resolve('jiti/package.json')
  .replace(/package\.json$/, 'lib/jiti-cli.mjs');

interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

/** Runs what is measured before all other work on the machine, where one may ask for that. */
export const FIRST: readonly string[] = process.getuid?.() === 0 ? ['chrt', '--rr', '1'] : [];

/** A process that runs a file of `children/` and does what it is asked for. */
export class Child {
  private static readonly all = new Set<ChildProcess>();
  readonly process: ChildProcess;
  private readonly waiting = new Map<number, { done: (result: unknown) => void; fail: (error: Error) => void }>();
  private last = 0;

  /**
   * @param name of the file, without its ending.
   * @param within a command that the process is run by, such as `ip netns exec`.
   */
  constructor(name: string, cpu: number | null, within: readonly string[] = []) {
    const file = join(import.meta.dirname, 'children', `${name}.ts`);
    const [command, ...args] = [...within, ...pinned(cpu), process.execPath, JITI, file];
    this.process = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    Child.all.add(this.process);
    this.process.on('message', (answer) => this.take(answer as Answer));
    const ended = (why: string): void => {
      Child.all.delete(this.process);
      for (const { fail } of this.waiting.values()) fail(new BenchError(`${name}: ${why}`));
      this.waiting.clear();
    };
    this.process.on('error', (error) => ended(error.message));
    this.process.on('exit', (code, signal) => ended(`it ended with ${code ?? signal}`));
  }

  /** Ends those that are left. */
  static endAll(): void {
    for (const child of Child.all) child.kill('SIGKILL');
  }

  /** @throws BenchError if it fails, or ends before it has answered. */
  async ask<Result>(what: object): Promise<Result> {
    const id = ++this.last;
    return new Promise<Result>((done, fail) => {
      this.waiting.set(id, { done: done as (result: unknown) => void, fail });
      this.process.send({ id, what });
    });
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const ended = new Promise((done) => this.process.once('exit', done));
    this.process.kill(signal);
    await ended;
  }

  private take({ id, result, error }: Answer): void {
    const waiting = this.waiting.get(id);
    this.waiting.delete(id);
    if (error === undefined) waiting?.done(result);
    else waiting?.fail(new BenchError(error));
  }
}

/** In the child: does what is asked for, until whoever asks is gone. */
export function serve(act: (what: never) => unknown): void {
  process.on('message', (message) => {
    const { id, what } = message as { id: number; what: never };
    const answer = (rest: Omit<Answer, 'id'>): void => void process.send?.({ id, ...rest });
    Promise.resolve()
      .then(() => act(what))
      .then(
        (result) => answer({ result }),
        (error: unknown) => answer({ error: String((error as Error).stack ?? error) }),
      );
  });
  process.on('disconnect', () => process.exit());
}
