/**
 * The daemon under fire: hostile and broken clients beside honest ones. Each script says what it saw and what must hold;
 * the exit code is 1 where something did not.
 *
 *   npm run fire                      all scripts
 *   npm run fire -- slowloris churn   these
 *   npm run fire -- --help
 */
import { parseArgs } from 'node:util';
import { description, twoCpus } from '../machine.ts';
import { BenchError, bindProcess } from '../processes.ts';
import { Child } from './child.ts';
import { blackhole } from './blackhole.ts';
import { churn } from './churn.ts';
import { files } from './files.ts';
import { fuzz } from './fuzz.ts';
import { idle } from './idle.ts';
import { kill9 } from './kill9.ts';
import { limits } from './limits.ts';
import { slowloris } from './slowloris.ts';
import type { Context, Scenario } from './scenario.ts';

const SCENARIOS: readonly Scenario[] = [slowloris, idle, churn, fuzz, limits, kill9, blackhole, files];

const USAGE = `npm run fire -- [script …] [options]

A script is a name of --list, or how names begin. Default: all of them.

  --secs S       how long the main part of each lasts, in seconds (each has its own default)
  --cases N      of fuzz (1000000)
  --seed N       of fuzz (a new one, which is printed)
  --from N       of fuzz: the first connection, to repeat what went wrong (0)
  --quick        each of them small, on whatever CPUs there are
  --list         the scripts
`;

interface Options {
  readonly words: readonly string[];
  readonly secs: number | undefined;
  readonly cases: number | undefined;
  readonly seed: number;
  readonly from: number | undefined;
  readonly quick: boolean;
  readonly list: boolean;
  readonly help: boolean;
}

function readOptions(args: string[]): Options {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      secs: { type: 'string' },
      cases: { type: 'string' },
      seed: { type: 'string' },
      from: { type: 'string' },
      quick: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const number = (name: 'secs' | 'cases' | 'seed' | 'from', least: number, most: number): number | undefined => {
    if (values[name] === undefined) return undefined;
    const value = Number(values[name]);
    const isOne = value >= least && value <= most && (name === 'secs' || Number.isInteger(value));
    if (!isOne) throw new BenchError(`--${name}: allowed: ${least} to ${most}`);
    return value;
  };
  const seed = number('seed', 0, 2 ** 31 - 1) ?? Math.floor(Math.random() * 2 ** 31);
  const secs = number('secs', 0.1, 86_400);
  return { ...values, words: positionals, secs, seed, cases: number('cases', 1, 1e9), from: number('from', 0, 1e9) };
}

function chosen(words: readonly string[]): readonly Scenario[] {
  const unknown = words.filter((word) => !SCENARIOS.some(({ name }) => name.startsWith(word)));
  if (unknown.length > 0)
    throw new BenchError(`no script is called, or begins with, ${unknown.join(', ')}: see --list`);
  return SCENARIOS.filter(({ name }) => words.length === 0 || words.some((word) => name.startsWith(word)));
}

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  const scenarios = chosen(options.words);
  if (options.help) say(USAGE);
  else if (options.list) say(SCENARIOS.map(({ name, title }) => `${name.padEnd(12)} ${title}`).join('\n'));
  else await fire(options, scenarios);
}

async function fire(options: Options, scenarios: readonly Scenario[]): Promise<void> {
  const [serverCpu, loadCpu] = options.quick ? [null, null] : await twoCpus();
  const failed: string[] = [];
  say(`${description()}${options.quick ? '' : `. Daemon on CPU ${serverCpu}, clients on CPU ${loadCpu}`}.`);
  for (const scenario of scenarios) {
    say(`\n${scenario.name}: ${scenario.title}`);
    const context: Context = {
      ...options,
      serverCpu,
      loadCpu,
      say,
      claim: (text, holds) => {
        say(`  ${holds ? 'ok    ' : 'FAILED'} ${text}`);
        if (!holds) failed.push(`${scenario.name}: ${text}`);
      },
      skip: (why) => say(`  skipped: ${why}`),
    };
    try {
      // oxlint-disable-next-line no-await-in-loop -- one at a time
      await scenario.run(context);
    } catch (error) {
      if (!(error instanceof BenchError)) throw error;
      context.claim(error.message, false);
    } finally {
      Child.endAll();
    }
  }
  say(failed.length === 0 ? '\nAll of it holds.' : `\nFAILED:\n  ${failed.join('\n  ')}`);
  if (failed.length > 0) process.exitCode = 1;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

bindProcess();
process.on('exit', () => Child.endAll());
try {
  await main();
} catch (error) {
  const isUsers = error instanceof BenchError || (error as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS');
  process.stderr.write(`fire: ${isUsers ? (error as Error).message : String((error as Error).stack)}\n`);
  process.exitCode = 2;
}
// A daemon that is left over from what failed would keep this process waiting.
process.exit();
