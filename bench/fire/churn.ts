import { readFileSync } from 'node:fs';
import { median } from '../table.ts';
import { Child } from './child.ts';
import type { ChurnOrder, ChurnReport } from './children/churner.ts';
import { claimQuiet, claimUnchanged, mib, type Scenario, sleep } from './scenario.ts';
import { Target } from './target.ts';

/** Part of the rate that must be reached. */
const REACHED = 0.95;
const ROOM = 8 << 20;

/** Resident memory of a process, in bytes. */
function resident(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
}

export const churn: Scenario = {
  name: 'churn',
  title: '2,000 clients a second come, are let in and leave, for a minute: memory is flat',
  async run(context) {
    const { quick, secs = quick ? 1 : 60, say, claim } = context;
    const rate = quick ? 200 : 2000;
    const target = await Target.start({ cpu: context.serverCpu, files: 4096, first: true });
    const child = new Child('churner', context.loadCpu);
    const go = (seconds: number): Promise<ChurnReport> => {
      const order: ChurnOrder = { port: target.port, rate, secs: seconds };
      return child.ask<ChurnReport>(order);
    };
    const idle = target.files;
    // Code is compiled, and caches and the heap get the size that they keep.
    await go(quick ? 0.5 : 15);
    await target.filesUntil((files) => files <= idle, 10);
    await sleep(0.5);
    const before = await target.health();
    const sizes: number[] = [];
    const sampler = setInterval(() => sizes.push(resident(target.pid)), secs * 10);
    const { cycles, secs: took, failed, errors } = await go(secs);
    clearInterval(sampler);
    await target.filesUntil((files) => files <= idle, 10);
    await sleep(0.5);
    const reached = cycles / took;
    say(`  ${cycles} cycles in ${took.toFixed(1)} s`);
    claim(`every client was let in${errors.length > 0 ? `; ${errors[0]}` : ''}`, failed === 0);
    const text = `${Math.round(reached)} cycles a second, of ${rate}`;
    if (quick) say(`  ${text}`);
    else claim(text, reached >= rate * REACHED);
    const quarter = Math.max(1, Math.trunc(sizes.length / 4));
    const early = median(sizes.slice(quarter, 2 * quarter));
    const late = median(sizes.slice(-quarter));
    const trend = `resident memory in the second and in the last quarter: ${mib(early)}, ${mib(late)}`;
    if (quick) say(`  ${trend}`);
    else claim(`${trend}: at most ${mib(ROOM)} more`, late - early <= ROOM);
    claimUnchanged(context, before, await target.health());
    claimQuiet(context, target);
    await child.kill();
    await target.stop();
  },
};
