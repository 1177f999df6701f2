/**
 * The bench: websock and its peers by turns, the server on one CPU, the load on another.
 *
 *   npm run bench                      all scenarios
 *   npm run bench -- echo32 wss        these
 *   npm run bench -- --help
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type Context, type Entrant, entrants, measure } from './measure.ts';
import { description, filesRefused, twoCpus } from './machine.ts';
import { BenchError, bindProcess } from './processes.ts';
import { chosen, type Scenario, SCENARIOS } from './scenarios.ts';
import { abilities, type LogLevel, makeCertificate } from './servers.ts';
import { detailTable, type Outcome, remarks, type Row, targetTable } from './table.ts';
import { Wsload } from './wsload.ts';

const USAGE = `npm run bench -- [scenario …] [options]

A scenario is a name of --list, or how names begin: echo, wss. Default: all of them.

  --rounds N     how often each server is measured (3)
  --secs S       how long, in seconds, after 1 s of warm-up (3)
  --level L      logLevel of websock: error, warn, info or debug (warn; ws logs nothing)
  --smoke        every scenario once and shortly, against ws alone: less than a minute in all
  --json FILE    write every figure there, too
  --list         the scenarios
`;
/** Seconds that a smoke run may take: what is not measured then is not measured. */
const SMOKE_LIMIT = 50;

interface Options {
  readonly words: readonly string[];
  readonly rounds: number;
  readonly secs: number;
  readonly level: LogLevel;
  readonly smoke: boolean;
  readonly list: boolean;
  readonly help: boolean;
  readonly json?: string;
}

function readOptions(args: string[]): Options {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      rounds: { type: 'string' },
      secs: { type: 'string' },
      level: { type: 'string', default: 'warn' },
      smoke: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
      json: { type: 'string' },
    },
  });
  const { smoke, level } = values;
  const rounds = Number(values.rounds ?? (smoke ? 1 : 3));
  const secs = Number(values.secs ?? (smoke ? 0.6 : 3));
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 1000) throw new BenchError('--rounds: allowed: 1 to 1000');
  if (!(secs >= 0.1 && secs <= 3600)) throw new BenchError('--secs: allowed: 0.1 to 3600');
  if (!['error', 'warn', 'info', 'debug'].includes(level)) {
    throw new BenchError('--level: allowed: error, warn, info, debug');
  }
  return { ...values, words: positionals, rounds, secs, level: level as LogLevel };
}

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  const { scenarios, unknown } = chosen(options.words);
  if (unknown.length > 0)
    throw new BenchError(`no scenario is called, or begins with, ${unknown.join(', ')}: see --list`);
  if (options.help) say(USAGE);
  else if (options.list) say(SCENARIOS.map(({ name, title }) => `${name.padEnd(18)} ${title}`).join('\n'));
  else await bench(options, scenarios);
}

async function bench(options: Options, scenarios: readonly Scenario[]): Promise<void> {
  const [serverCpu, loadCpu] = await twoCpus();
  const { rounds, secs, smoke } = options;
  const context: Context = {
    ...options,
    serverCpu,
    loadCpu,
    wsload: await Wsload.build(),
    abilities: await abilities(),
    certificate: scenarios.some(({ tls }) => tls) ? await makeCertificate() : null,
  };
  const about = `${description()}. ${rounds} × ${secs} s each, server on CPU ${serverCpu}, load on CPU ${loadCpu}.`;
  say(`${about}\n`);
  const outcomes: Outcome[] = [];
  for (const scenario of scenarios.filter((one) => !smoke || one.smoke !== false)) {
    // oxlint-disable-next-line no-await-in-loop -- one server at a time
    const outcome = { scenario, rows: await compare(scenario, context) };
    outcomes.push(outcome);
    if (!smoke) say(`${detailTable(outcome)}\n`);
  }
  // Where there are details, what is to be said of them has been said.
  say([targetTable(outcomes), ...(smoke ? remarks(outcomes) : [])].join('\n\n'));
  if (options.json !== undefined) {
    const results = outcomes.map(({ scenario, rows }) => ({ scenario: scenario.name, rows }));
    writeFileSync(options.json, `${JSON.stringify({ about, rounds, secs, results }, null, 2)}\n`);
  }
  const hasFailed = outcomes.some(({ rows }) => rows.some(({ failed }) => failed !== undefined));
  if (hasFailed && !smoke) process.exitCode = 1;
}

/** Measures all servers of a scenario, by turns. */
async function compare(scenario: Scenario, context: Context): Promise<Row[]> {
  const all = entrants(scenario, context);
  const why = await unable(scenario, context);
  for (const { row } of all) if (why !== null) row.absent ??= why;
  for (let round = 1; round <= context.rounds; round++) {
    // Up and down the list, so that no server always follows the same one.
    for (const entrant of round % 2 === 1 ? all : all.toReversed()) {
      if (context.smoke && performance.now() / 1000 > SMOKE_LIMIT) entrant.row.absent ??= `${SMOKE_LIMIT} s are over`;
      if (entrant.row.absent !== undefined || entrant.row.failed !== undefined) continue;
      // oxlint-disable-next-line no-await-in-loop -- one server at a time
      await once(entrant, scenario, context);
      tell(`${scenario.name}, round ${round} of ${context.rounds}: ${entrant.row.label}: ${last(entrant.row)}`);
    }
  }
  return all.map(({ row }) => row);
}

async function once(entrant: Entrant, scenario: Scenario, context: Context): Promise<void> {
  try {
    entrant.row.runs.push(await measure(entrant, scenario, context));
  } catch (error) {
    if (!(error instanceof BenchError)) throw error;
    entrant.row.failed = error.message;
  }
}

/** Why this machine, or this build, cannot run a scenario; null: it can. */
async function unable({ files, tls, deflate }: Scenario, context: Context): Promise<string | null> {
  const { wsload, abilities: can, certificate } = context;
  if (tls && wsload.lacks.tls !== undefined) return wsload.lacks.tls;
  if (tls && certificate === null) return 'there is no certificate: apt-get install openssl';
  if (deflate && wsload.lacks.deflate !== undefined) return wsload.lacks.deflate;
  if (deflate && !can.deflate) return 'this build of websock has no option compression.enabled';
  return files === undefined ? null : filesRefused(files);
}

function last({ runs, failed }: Row): string {
  return failed === undefined ? String(Math.round(runs.at(-1)?.value ?? 0)) : `FAILED: ${failed}`;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Progress: not part of the table. */
function tell(text: string): void {
  process.stderr.write(`${text}\n`);
}

bindProcess();
try {
  await main();
} catch (error) {
  const isUsers = error instanceof BenchError || (error as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS');
  tell(isUsers ? `bench: ${(error as Error).message}` : String((error as Error).stack));
  process.exitCode = 2;
}
