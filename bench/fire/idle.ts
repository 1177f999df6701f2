import { type Entrant, entrants, measure, type Context as BenchContext } from '../measure.ts';
import { filesRefused, twoCpus } from '../machine.ts';
import { BenchError } from '../processes.ts';
import { chosen, type Scenario as BenchScenario } from '../scenarios.ts';
import { abilities } from '../servers.ts';
import { Wsload } from '../wsload.ts';
import type { Scenario } from './scenario.ts';

/** What one client takes at most, as a part of what it takes in `ws`. A net.Socket alone is most of that: with it they are about the same. */
const MOST = 0.9;

export const idle: Scenario = {
  name: 'idle',
  title: '10,000 idle clients held, memory for each, beside ws (the scenario idle of the bench)',
  async run({ quick, secs = quick ? 1 : 5, say, claim, skip }) {
    const [scenario] = chosen(['idle']).scenarios;
    const clients = quick ? 500 : 10_000;
    const load = `--mode idle --conns ${clients} --secs ${secs}`;
    const small: BenchScenario = { ...scenario, load, files: clients + 200 };
    const [serverCpu, loadCpu] = await twoCpus();
    const why = await filesRefused(clients + 200);
    if (why !== null) {
      skip(why);
      return;
    }
    const context: BenchContext = {
      rounds: 1,
      secs,
      level: 'warn',
      smoke: false,
      serverCpu,
      loadCpu,
      wsload: await Wsload.build(),
      abilities: await abilities(),
      certificate: null,
    };
    const figures = new Map<Entrant, number>();
    for (const entrant of entrants(small, context)) {
      const { label } = entrant.row;
      try {
        // oxlint-disable-next-line no-await-in-loop -- one server at a time
        const { value } = await measure(entrant, small, context);
        figures.set(entrant, value);
        say(`  ${label}: ${clients} held, ${Math.round(value)} bytes each`);
      } catch (error) {
        if (!(error instanceof BenchError)) throw error;
        // A few hundred may all find room in the free pages of the heap.
        if (quick && error.message === 'no bytes') say(`  ${label}: ${error.message}`);
        else claim(`${label}: ${error.message}`, false);
      }
    }
    const ws = [...figures].find(([{ row }]) => row.peer === 'ws')?.[1] ?? Number.NaN;
    for (const [{ row }, value] of figures) {
      const text = `${row.label}: ${(value / ws).toFixed(2)} × ws`;
      if (row.peer !== null) continue;
      // Of a few hundred the pages of the heap say more than the clients.
      if (quick || row.label.includes('net')) say(`  ${text}`);
      else claim(`${text}, at most ${MOST}`, value / ws <= MOST);
    }
  },
};
