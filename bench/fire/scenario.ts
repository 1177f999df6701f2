/** What a script of this folder is, and how it says what it saw. */
import { Child, FIRST } from './child.ts';
import type { HonestOrder, HonestReport } from './children/honest.ts';
import type { Health, Target } from './target.ts';

/** What a run is asked for. */
export interface Context {
  /** The daemon's CPU, and that of the clients; null: any. */
  readonly serverCpu: number | null;
  readonly loadCpu: number | null;
  /** Small, for a machine that is shared. */
  readonly quick: boolean;
  /** Seconds that the main part lasts; undefined: as the script thinks fit. */
  readonly secs: number | undefined;
  /** For those that throw dice. */
  readonly seed: number;
  readonly cases: number | undefined;
  readonly from: number | undefined;
  readonly say: (text: string) => void;
  /** States what must hold, and whether it does. */
  readonly claim: (text: string, holds: boolean) => void;
  /** Says why it cannot be run here. */
  readonly skip: (why: string) => void;
}

export interface Scenario {
  readonly name: string;
  readonly title: string;
  run(context: Context): Promise<void>;
}

const MiB = 1 << 20;

export function mib(bytes: number): string {
  return `${(bytes / MiB).toFixed(1)} MiB`;
}

export function ms(milliseconds: number): string {
  return `${milliseconds.toFixed(2)} ms`;
}

export async function sleep(seconds: number): Promise<void> {
  await new Promise((done) => setTimeout(done, seconds * 1000));
}

/** Handles of all kinds, timers apart: those come and go with what is armed. */
function handles(health: Health): number {
  return Object.entries(health.handles).reduce((sum, [kind, count]) => (kind === 'Timeout' ? sum : sum + count), 0);
}

/**
 * Claims that the daemon is as it was: clients, handles, descriptors and heap.
 * @param room bytes that the heap may have grown by: caches, and code that was compiled meanwhile.
 */
export function claimUnchanged({ say, claim }: Context, before: Health, after: Health, room = 2 * MiB): void {
  const line = (name: string, { clients, files, heapUsed, external, rss, ...rest }: Health): void => {
    const count = handles({ clients, files, heapUsed, external, rss, ...rest });
    say(
      `  ${name}: ${clients} clients, ${count} handles, ${files} descriptors, heap ${mib(heapUsed)}, external ${mib(external)}, RSS ${mib(rss)}`,
    );
  };
  line('before', before);
  line('after ', after);
  claim(`as many clients as before (${before.clients})`, after.clients === before.clients);
  claim(`no more handles than before (${handles(before)})`, handles(after) <= handles(before));
  claim(`as many descriptors as before (${before.files})`, after.files === before.files);
  const grown = after.heapUsed + after.external - before.heapUsed - before.external;
  claim(`heap and external memory grew by ${mib(grown)}, at most ${mib(room)}`, grown <= room);
}

/** Claims that the log holds no error, and that the daemon lives. */
export function claimQuiet({ claim, say }: Context, target: Target): void {
  const trouble = target.trouble();
  for (const line of trouble) say(`  ${line}`);
  claim('the daemon lives, and has logged no error', target.lives && trouble.length === 0);
}

/** Milliseconds below which a p99 is the scheduler's: of two that are shorter, neither is worse. */
const NOISE = 1;

/** The honest clients of a script. */
export class Honest {
  private readonly child: Child;
  private readonly context: Context;
  private clients = 0;

  private constructor(context: Context) {
    this.context = context;
    this.child = new Child('honest', context.loadCpu, FIRST);
  }

  static async start(context: Context, order: Partial<HonestOrder> & { port: number }): Promise<Honest> {
    const honest = new Honest(context);
    const all: HonestOrder = { host: '127.0.0.1', path: '/echo', clients: 100, interval: 50, ...order };
    honest.clients = all.clients;
    await honest.child.ask(all);
    // The first echoes are slow: code is compiled.
    await sleep(1);
    await honest.child.ask({ take: true });
    return honest;
  }

  /** What they saw since this was last asked. */
  async take(name: string): Promise<HonestReport> {
    const report = await this.child.ask<HonestReport>({ take: true });
    const { echoes, p50, p99, max } = report;
    this.context.say(`  ${name}: ${echoes} echoes, p50 ${ms(p50)}, p99 ${ms(p99)}, max ${ms(max)}`);
    for (const error of report.errors.slice(0, 5)) this.context.say(`    ${error}`);
    const all = `${name}: all ${this.clients} honest clients are connected, and have got every echo`;
    this.context.claim(all, report.errors.length === 0 && report.late === 0 && report.open === this.clients);
    return report;
  }

  /** Claims that what happened in between cost them no more than so many times the latency. */
  claimP99(before: HonestReport, during: HonestReport, times = 2): void {
    const limit = times * Math.max(before.p99, NOISE);
    const text = `honest p99 ${ms(before.p99)} → ${ms(during.p99)}, at most ${ms(limit)}`;
    // A few echoes on a machine that is shared say nothing of speed.
    if (this.context.quick) this.context.say(`  ${text}`);
    else this.context.claim(text, during.echoes > 0 && during.p99 <= limit);
  }

  async stop(): Promise<void> {
    await this.child.kill();
  }
}
