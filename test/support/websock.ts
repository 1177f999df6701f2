import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { type Done, run } from './commands.ts';
import { ROOT, RunningDaemon } from './daemon.ts';

export const RUN: string = join(ROOT, 'dist/run.js');

/** Runs a command of websock to its end. @param input what it reads from stdin, and then the end. */
export function websock(
  args: readonly string[],
  input: string | Buffer = '',
  env: NodeJS.ProcessEnv = {},
): Promise<Done> {
  return run(process.execPath, [RUN, ...args], input, { env: { PATH: process.env.PATH, ...env } });
}

/** Starts one whose stdin stays open; what it says can be waited for. Nothing else of a daemon is there. */
export function startWebsock(...args: string[]): RunningDaemon {
  return new RunningDaemon('', spawn(process.execPath, [RUN, ...args], { stdio: ['pipe', 'pipe', 'pipe'] }));
}
