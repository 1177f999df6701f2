/** The machine that is measured on. */
import { readFileSync } from 'node:fs';
import { cpus, release, type } from 'node:os';
import { BenchError, run } from './processes.ts';

/** Ticks of /proc in a second: USER_HZ, which is 100 on every Linux. */
const TICKS = 100;

/** The command that runs another on one CPU (null: on any), and with room for that many open files. */
export function pinned(cpu: number | null, files = 0): string[] {
  const room = files === 0 ? [] : ['prlimit', `--nofile=${files}:${files}`];
  return cpu === null ? room : [...room, 'taskset', '-c', String(cpu)];
}

/** @returns why a process cannot be given that many open files; null: it can. */
export async function filesRefused(files: number): Promise<string | null> {
  const { ok, err } = await run(['prlimit', `--nofile=${files}:${files}`, 'true']);
  if (ok) return null;
  return `it needs ${files} open files: run it as root, or raise the hard limit (ulimit -Hn ${files}): ${err.trim()}`;
}

/**
 * The CPU for the server and the one for the load: the first two that this process may use.
 * @throws BenchError if there are no two, or no taskset.
 */
export async function twoCpus(): Promise<[number, number]> {
  const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  const allowed = list.split(',').flatMap((part) => {
    const [first, last = first] = part.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
  if (allowed.length < 2) throw new BenchError(`it needs two CPUs, and has ${allowed.length}`);
  const { ok, err } = await run([...pinned(allowed[0]), 'true']);
  if (!ok) throw new BenchError(`taskset is missing or cannot be used: apt-get install util-linux (${err.trim()})`);
  return [allowed[0], allowed[1]];
}

/** Seconds of CPU time that the machine has spent since it started, stolen ones and interrupts included. */
export function busySeconds(): number {
  const line = /^cpu +(.+)/.exec(readFileSync('/proc/stat', 'utf8'))?.[1] ?? '';
  // user nice system idle iowait irq softirq steal; guest time is within user
  const [user, nice, system, , , irq, softirq, steal] = line.split(' ').map(Number);
  return (user + nice + system + irq + softirq + steal) / TICKS;
}

/** What a table has to name to be worth something later. */
export function description(): string {
  const models = cpus();
  const date = new Date().toISOString().slice(0, 10);
  return `${date}, Node ${process.version}, ${models.length} CPUs (${models[0].model}), ${type()} ${release()}`;
}
