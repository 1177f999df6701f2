/** From figures to Markdown; it reads well in a terminal, too. */
import type { Peer, Scenario, Targets } from './scenarios.ts';

/** One figure, and under which conditions it came about. CPU times are in CPUs: 1 is one that was never idle. */
export interface Run {
  readonly value: number;
  readonly serverCpu: number;
  readonly clientCpu: number;
  /** What other processes took. */
  readonly other: number;
}

/** One server in one scenario, and what was measured of it. */
export interface Row {
  readonly label: string;
  /** What it is compared with as; null: it is websock. */
  readonly peer: Peer | null;
  readonly targets: Targets;
  readonly runs: Run[];
  /** Why it does not score: it did not start, it answered wrongly, wsload saw an error. */
  failed?: string;
  /** Why it was not measured. */
  absent?: string;
}

/** All that was measured in one scenario. */
export interface Outcome {
  readonly scenario: Scenario;
  readonly rows: readonly Row[];
}

/** From this on the load, not the server, is the limit. */
const CLIENT_LIMIT = 0.95;
/** From this on what others did on the machine shows in the figure. */
const NOISE = 0.3;
const NOISY = `† Other processes took ${NOISE} of a CPU or more meanwhile`;

/** How a ratio stands to its target. */
type Verdict = 'met' | 'missed' | 'UNDER HALF';

/**
 * @param reached the ratio; it counts as it is shown, with two decimals.
 * @param less the target is not to be exceeded.
 */
export function verdict(reached: number, target: number, less = false): Verdict {
  const shown = Number(reached.toFixed(2));
  const part = less ? target / shown : shown / target;
  if (part >= 1) return 'met';
  return part >= 0.5 ? 'missed' : 'UNDER HALF';
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function valueOf({ runs }: Row): number {
  return median(runs.map(({ value }) => value));
}

/** Whether there are figures of it that count. */
function scores({ runs, failed, absent }: Row): boolean {
  return failed === undefined && absent === undefined && runs.length > 0;
}

/** The figure for each second of CPU time of the server. */
function perCpu({ runs }: Row): number {
  return median(runs.map(({ value, serverCpu }) => value / serverCpu));
}

/** How often the peer's figure goes into this one; null where one of them has none. */
function ratio(row: Row, peer: Row | undefined, of = valueOf): number | null {
  return peer !== undefined && scores(row) && scores(peer) ? of(row) / of(peer) : null;
}

/** Every figure of a scenario. */
export function detailTable(outcome: Outcome): string {
  const { scenario, rows } = outcome;
  const peers = rows.filter((row) => row.peer !== null);
  const head = ['server', scenario.unit, 'range', 'CPU server / client', 'per server CPU-s'];
  const lines = rows.map((row) => {
    if (!scores(row)) return [name(row), row.failed === undefined ? 'not measured' : '**FAILED**'];
    const values = row.runs.map(({ value }) => value);
    const server = median(row.runs.map(({ serverCpu }) => serverCpu));
    const client = median(row.runs.map(({ clientCpu }) => clientCpu));
    const load = client >= CLIENT_LIMIT ? `**${client.toFixed(2)}**` : client.toFixed(2);
    return [
      name(row),
      figure(row),
      `${number(Math.min(...values))} - ${number(Math.max(...values))} (${values.length})`,
      `${server.toFixed(2)} / ${load}`,
      scenario.less === true ? '-' : number(perCpu(row)),
      ...peers.map((peer) => ratio(row, peer)?.toFixed(2) ?? '-'),
    ];
  });
  const title = `### ${scenario.name}: ${scenario.title}`;
  const table = markdown([...head, ...peers.map(({ peer }) => `× ${peer}`)], lines);
  return [title, table, ...remarks([outcome])].join('\n\n');
}

/** The aims of the scenarios, and how far they were reached. */
export function targetTable(outcomes: readonly Outcome[]): string {
  const lines = outcomes.flatMap(({ scenario, rows }) =>
    rows.flatMap((row) =>
      Object.entries(row.targets).map(([peerName, target]) => {
        const peer = rows.find((other) => other.peer === peerName);
        const reached = ratio(row, peer);
        return [
          scenario.name,
          name(row),
          figure(row),
          `${peerName} ${figure(peer)}`,
          reached?.toFixed(2) ?? '-',
          (scenario.less === true ? null : ratio(row, peer, perCpu))?.toFixed(2) ?? '-',
          `${scenario.less === true ? '≤' : '≥'} ${target}`,
          reached === null ? missing(row, peer) : verdict(reached, target, scenario.less),
        ];
      }),
    ),
  );
  return markdown(['scenario', 'server', 'median', 'peer', 'ratio', 'by CPU', 'target', ''], lines);
}

/** The worst that can be said of two rows without a ratio. */
function missing(row: Row, peer: Row | undefined): string {
  return row.failed !== undefined || peer?.failed !== undefined ? '**FAILED**' : 'not measured';
}

function figure(row: Row | undefined): string {
  return row !== undefined && scores(row) ? number(valueOf(row)) + (isNoisy(row) ? ' †' : '') : '-';
}

function name({ label, peer }: Row): string {
  return peer === null ? `**${label}**` : label;
}

function isNoisy({ runs }: Row): boolean {
  return runs.some(({ other }) => other >= NOISE);
}

/** What has to be said beside the figures: who failed and was not measured, and what else went on. */
export function remarks(outcomes: readonly Outcome[]): string[] {
  return [
    ...named(outcomes, ({ failed }) => failed).map(([why, who]) => `**FAILED: ${who}: ${why}**`),
    ...named(outcomes, ({ absent }) => absent).map(([why, who]) => `Not measured: ${who}: ${why}`),
    ...named(outcomes, (row) => (isNoisy(row) ? NOISY : undefined)).map(([why, who]) => `${why}: ${who}`),
  ];
}

/** The rows of which something is to be said, by what that is. */
function named(outcomes: readonly Outcome[], about: (row: Row) => string | undefined): [string, string][] {
  const found = new Map<string, string[]>();
  for (const { scenario, rows } of outcomes) {
    const labels = new Map<string, string[]>();
    for (const row of rows) {
      const what = about(row)?.replaceAll(/\s*\n\s*/g, ' ');
      if (what !== undefined) labels.set(what, [...(labels.get(what) ?? []), row.label]);
    }
    for (const [what, list] of labels) {
      found.set(what, [...(found.get(what) ?? []), `${scenario.name} (${list.join('; ')})`]);
    }
  }
  return [...found].map(([what, list]) => [what, list.join(', ')]);
}

function number(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** Columns with a figure in them stand right, the others left. */
function markdown(head: readonly string[], lines: readonly (readonly string[])[]): string {
  const full = [head, ...lines].map((line) => head.map((_, column) => line[column] ?? ''));
  const widths = head.map((_, column) => Math.max(3, ...full.map((line) => line[column].length)));
  const isFigure = head.map((_, column) => lines.some((line) => /^[\d-]/.test(line[column] ?? '')));
  const row = (line: readonly string[]): string => {
    const cells = line.map((cell, column) =>
      isFigure[column] ? cell.padStart(widths[column]) : cell.padEnd(widths[column]),
    );
    return `| ${cells.join(' | ')} |`;
  };
  const rule = widths.map((width, column) => (isFigure[column] ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width)));
  return [row(full[0]), row(rule), ...full.slice(1).map(row)].join('\n');
}
