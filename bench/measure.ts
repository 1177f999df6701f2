/** Who takes part in a scenario, and how one figure is taken. */
import { BenchError } from './processes.ts';
import type { Scenario, Transport, Variant } from './scenarios.ts';
import { type Abilities, type LogLevel, type Server, type ServerOptions, startPeer, startWebsock } from './servers.ts';
import type { Row, Run } from './table.ts';
import type { Wsload } from './wsload.ts';

/** What a run of the bench rests on. */
export interface Context {
  readonly rounds: number;
  readonly secs: number;
  readonly level: LogLevel;
  readonly smoke: boolean;
  readonly serverCpu: number;
  readonly loadCpu: number;
  readonly wsload: Wsload;
  readonly abilities: Abilities;
  readonly certificate: ServerOptions['certificate'];
}

/** One server that takes part. */
export interface Entrant {
  readonly row: Row;
  readonly path: string;
  readonly check: string;
  /** It speaks no WebSocket. */
  readonly raw: boolean;
  readonly start: () => Promise<Server>;
}

/** Seconds of the run that tells whether a server answers rightly; it warms it up, too. */
const CHECK_SECS = 0.3;

/** Those of a scenario, websock first. In a smoke run: its first resource on its first transport, and ws. */
export function entrants(scenario: Scenario, context: Context): Entrant[] {
  const { abilities, smoke } = context;
  let wanted: readonly Transport[] = ['direct', 'net'];
  if (smoke) wanted = [abilities.transport ? 'direct' : 'net'];
  if (scenario.tls) wanted = ['tls'];
  const variants = smoke ? scenario.websock.slice(0, 1) : scenario.websock;
  const peers = smoke ? (['ws'] as const) : scenario.peers;
  return [
    ...variants.flatMap((variant) => wanted.map((transport) => websock(scenario, variant, transport, context))),
    ...peers.map((peer): Entrant => {
      const { path, load, check = load } = scenario;
      const row: Row = { label: peer, peer, targets: {}, runs: [] };
      if (peer === 'ws+n' && abilities.noNative !== null) row.absent = abilities.noNative;
      const raw = peer === 'net' || peer === 'C';
      return { row, path, check, raw, start: () => startPeer(peer, serverOptions(scenario, context)) };
    }),
  ];
}

function websock(scenario: Scenario, variant: Variant, transport: Transport, context: Context): Entrant {
  const canChoose = context.abilities.transport;
  const { label, path, targets, level = context.level, check = scenario.check ?? scenario.load } = variant;
  const row: Row = {
    label: `websock ${transport}${label === '' ? '' : `, ${label}`}`,
    peer: null,
    targets: ofSmoke(targets?.[transport], context),
    runs: [],
  };
  if (transport === 'direct' && !canChoose) row.absent = 'this build of websock has no option transport';
  const options = { ...serverOptions(scenario, context), level, transport: canChoose ? transport : null };
  return { row, path, check, raw: false, start: () => startWebsock(options) };
}

function ofSmoke(targets: Row['targets'] = {}, { smoke }: Context): Row['targets'] {
  return smoke && targets.ws !== undefined ? { ws: targets.ws } : targets;
}

function serverOptions({ tls, deflate, files }: Scenario, context: Context): ServerOptions {
  return { cpu: context.serverCpu, files, deflate, certificate: tls ? context.certificate : null };
}

/**
 * One figure: a fresh server, whose answers are looked at byte by byte, and then its load.
 * @throws BenchError if it does not start, errs, or logs a warning: it may have fallen back to something else.
 */
export async function measure(entrant: Entrant, scenario: Scenario, context: Context): Promise<Run> {
  const server = await entrant.start();
  const wrong: string[] = [];
  let run: Run | null = null;
  try {
    // A check leaves memory behind.
    if (scenario.less !== true) await verify(server, entrant, scenario, context);
    run = await figure(server, entrant, scenario, context);
    if (scenario.less === true) await verify(server, entrant, scenario, context);
  } catch (error) {
    if (!(error instanceof BenchError)) throw error;
    wrong.push(error.message);
  } finally {
    wrong.push(...(await server.stop()));
  }
  if (run === null || wrong.length > 0) throw new BenchError(wrong.slice(0, 3).join('; '));
  return run;
}

async function figure(server: Server, entrant: Entrant, scenario: Scenario, context: Context): Promise<Run> {
  const { secs, smoke, loadCpu: cpu, wsload } = context;
  const args = [...words(scenario.load), ...target(entrant)];
  if (smoke && typeof scenario.smoke === 'string') args.push(...words(scenario.smoke));
  const warmup = smoke ? 0.3 : 1;
  const { result, other } = await wsload.run({ ...server, cpu, files: scenario.files, secs, warmup, args });
  const value = result[scenario.metric];
  if (value === undefined || value <= 0) throw new BenchError(`no ${scenario.unit}`);
  return { value, serverCpu: result.server_cpu, clientCpu: result.client_cpu, other };
}

async function verify(server: Server, entrant: Entrant, scenario: Scenario, context: Context): Promise<void> {
  const args = ['--verify', ...words(entrant.check), ...target(entrant)];
  const { result } = await context.wsload.run({ ...server, cpu: context.loadCpu, secs: CHECK_SECS, warmup: 0, args });
  const replies = result.deliveries_per_s ?? result.msgs_per_s ?? 0;
  if (replies <= 0) throw new BenchError(`${scenario.name}: no reply came within ${CHECK_SECS} s`);
}

function target({ path, raw }: Entrant): string[] {
  return raw ? ['--raw-tcp'] : ['--path', path];
}

function words(text: string): string[] {
  return text.split(' ').filter((word) => word !== '');
}
