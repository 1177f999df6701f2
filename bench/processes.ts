/** What the bench starts: it ends with the bench, however that ends. */
import { type ChildProcess, spawn, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Something that is to be told to the user in its own words. */
export class BenchError extends Error {}

/** Milliseconds that a server has to end when it is asked to. */
const PATIENCE = 5000;

const children = new Set<ChildProcess>();
const folders = new Set<string>();

/** Ends all children and removes all folders, whatever the end is: also Ctrl+C and an error that nobody caught. */
export function bindProcess(): void {
  process.on('exit', () => {
    for (const child of children) child.kill('SIGKILL');
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  });
  process.on('SIGINT', () => process.exit(130));
  process.on('SIGTERM', () => process.exit(143));
}

/** A new folder, removed at the end. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'websock-bench-'));
  folders.add(folder);
  return folder;
}

/** A program that runs, and what it has written so far. */
export class Program {
  readonly child: ChildProcess;
  out = '';
  err = '';
  /** Its exit code once it has ended; null for a signal. */
  code: number | null | undefined;
  readonly ended: Promise<void>;

  constructor([command, ...args]: readonly string[], options: SpawnOptions = {}) {
    this.child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    children.add(this.child);
    this.child.stdout?.on('data', (chunk: Buffer) => (this.out += chunk.toString()));
    this.child.stderr?.on('data', (chunk: Buffer) => (this.err += chunk.toString()));
    this.ended = once(this.child, 'close').then(
      ([code]) => this.end(code as number | null),
      (error: Error) => {
        this.err += error.message;
        this.end(127);
      },
    );
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  async stop(): Promise<void> {
    if (this.code !== undefined) return;
    this.child.kill('SIGTERM');
    const late = setTimeout(() => this.child.kill('SIGKILL'), PATIENCE);
    await this.ended;
    clearTimeout(late);
  }

  private end(code: number | null): void {
    this.code = code;
    children.delete(this.child);
  }
}

/** Runs a program to its end. @returns whether its exit code was 0, and what it wrote. */
export async function run(command: readonly string[]): Promise<{ ok: boolean; out: string; err: string }> {
  const program = new Program(command);
  await program.ended;
  return { ok: program.code === 0, out: program.out, err: program.err };
}
