/**
 * The models of test/wire/fuzz.test.ts, for as long as one likes: run after run, each with a new seed, until one fails.
 *
 *   npm run soak -- --minutes 10
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { parseArgs } from 'node:util';

const USAGE = `npm run soak -- [options]

  --minutes N    for how long; a run that has begun is finished (10)
  --runs N       how often each model is run with one seed (50000)
`;
const JEST = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', 'node_modules/jest/bin/jest.js'];
const TEST = 'test/wire/fuzz.test.ts';
/** Milliseconds: as long as it takes. A model that hangs is seen by the seed that is not followed by another. */
const TEST_TIMEOUT = 24 * 3600 * 1000;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '10' },
      runs: { type: 'string', default: '50000' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return;
  }
  const minutes = positive('--minutes', values.minutes);
  const runs = Math.ceil(positive('--runs', values.runs));
  const end = performance.now() + minutes * 60_000;
  let batches = 0;
  do {
    const seed = Math.floor(Math.random() * 2 ** 31);
    process.stdout.write(`seed ${seed}: ${runs} runs of each model\n`);
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    if (!(await passes(seed, runs))) {
      process.stdout.write(`seed ${seed} FAILED. To repeat it:\n`);
      process.stdout.write(`  WEBSOCK_SEED=${seed} WEBSOCK_RUNS=${runs} npm test -- ${TEST}\n`);
      process.exitCode = 1;
      return;
    }
    batches++;
  } while (performance.now() < end);
  process.stdout.write(`${batches} seeds, ${batches * runs} runs of each model, no failure\n`);
}

async function passes(seed: number, runs: number): Promise<boolean> {
  const env = { ...process.env, WEBSOCK_SEED: String(seed), WEBSOCK_RUNS: String(runs) };
  const args = [...JEST, TEST, `--testTimeout=${TEST_TIMEOUT}`];
  const child = spawn(process.execPath, args, { cwd: new URL('..', import.meta.url), env, stdio: 'inherit' });
  const kill = (): void => void child.kill('SIGKILL');
  process.on('exit', kill);
  const [code] = (await once(child, 'close')) as [number | null];
  process.off('exit', kill);
  return code === 0;
}

/** @throws Error for anything else. */
function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0) || !Number.isFinite(value)) throw new Error(`${name}: allowed: a number above 0`);
  return value;
}

process.on('SIGINT', () => process.exit(130));
process.on('SIGTERM', () => process.exit(143));
try {
  await main();
} catch (error) {
  process.stderr.write(`soak: ${(error as Error).message}\n`);
  process.exitCode = 2;
}
