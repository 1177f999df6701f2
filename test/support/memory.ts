import { readFileSync, writeFileSync } from 'node:fs';

function field(pid: number, name: string): number {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  const kib = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1];
  if (kib === undefined) throw new Error(`no ${name} in /proc/${pid}/status`);
  return Number(kib) * 1024;
}

/** Resident memory of a process, in bytes. */
export function residentOf(pid: number): number {
  return field(pid, 'VmRSS');
}

/** The most that it has been since {@link forgetPeak}. */
export function peakOf(pid: number): number {
  return field(pid, 'VmHWM');
}

export function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}
