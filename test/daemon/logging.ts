import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, jest } from '@jest/globals';
import { type Logger, type LoggerOptions, openLogger } from '../../src/daemon/logger.ts';

export const DEFAULTS: LoggerOptions = {
  console: true,
  logfile: '',
  level: 'info',
  rotate: 'external',
  maxSize: 0,
  daily: false,
  keep: 5,
};
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** A folder for each test of a file that imports this. */
export let folder: string;
/** Where `open` logs to: `websock.log` in it, unless `logAt` says otherwise. */
export let logfile: string;
let opened: Logger[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'websock-log-'));
  logfile = join(folder, 'websock.log');
  opened = [];
});

afterEach(async () => {
  jest.useRealTimers();
  jest.restoreAllMocks();
  await Promise.all(opened.map((log) => log.close()));
  rmSync(folder, { recursive: true });
});

export function logAt(path: string): void {
  logfile = path;
}

/** A stream that keeps what it is given. */
export class Collected extends Writable {
  text = '';

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }

  get lines(): string[] {
    return this.text.split('\n').slice(0, -1);
  }
}

export async function open(options: Partial<LoggerOptions> = {}) {
  const stdout = new Collected();
  const stderr = new Collected();
  const log = await openLogger({ ...DEFAULTS, console: false, logfile, ...options }, { stdout, stderr });
  opened.push(log);
  return { log, stdout, stderr };
}

/** Resolves when the condition holds; the log has no event for what happens on disk. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const end = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`waited 10 s in vain: ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function parse(line: string): Record<string, unknown> {
  const value: unknown = JSON.parse(line);
  if (typeof value !== 'object' || value === null) throw new Error(`not a record: ${line}`);
  return Object.fromEntries(Object.entries(value));
}

export function records(file: string): Record<string, unknown>[] {
  const content = readFileSync(file, 'utf8');
  if (content !== '') expect(content.endsWith('\n')).toBe(true);
  return content.split('\n').slice(0, -1).map(parse);
}

export const messages = (file: string) => records(file).map(({ msg }) => String(msg));
export const sorted = (names: Iterable<string>) =>
  [...names].toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true }));
export const listing = () => sorted(readdirSync(folder));
export const descriptors = () => readdirSync('/proc/self/fd').length;
export const numbers = (count: number) => Array.from({ length: count }, (_, i) => `line ${i}`);

/** Runs a program that finds `openLogger` and `options`, in a process of its own. */
export function program(options: Partial<LoggerOptions>, body: string, env: Record<string, string> = {}): ChildProcess {
  const source = `
    import { createJiti } from 'jiti';
    const { openLogger } = await createJiti(${JSON.stringify(`file://${ROOT}`)}).import('./src/daemon/logger.ts');
    const options = ${JSON.stringify({ ...DEFAULTS, ...options })};
    ${body}`;
  return spawn(process.execPath, ['--input-type=module', '-e', source], { cwd: ROOT, env: { ...process.env, ...env } });
}

export async function ended(child: ChildProcess): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const [stdout, stderr] = await Promise.all([
    child.stdout && !child.stdout.destroyed ? text(child.stdout) : '',
    child.stderr ? text(child.stderr) : '',
    child.exitCode === null ? once(child, 'close') : null,
  ]);
  return { code: child.exitCode, stdout, stderr };
}
