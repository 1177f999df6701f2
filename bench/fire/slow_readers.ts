/**
 * A broadcast to 1000 clients of which 100 never read, beside the same to the 900 alone, by turns.
 *
 *   npm run slow-readers -- --rounds 3
 *
 * wsload publishes, and reads as the 900: the next message is sent when all of them have the one before, each compared byte by byte.
 * The 100 are here: they open, and read nothing until the daemon has closed them. Says what it saw and what must hold; the exit code is 1
 * where something did not.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { description, pinned, twoCpus } from '../machine.ts';
import { BenchError, bindProcess, Program, temporaryFolder } from '../processes.ts';
import { Wsload } from '../wsload.ts';

const USAGE = `npm run slow-readers -- [options]

  --rounds N     how often each is measured (3)
  --secs S       how long, in seconds, after one second of warm-up (8)
  --size BYTES   of a message (16384)
  --readers N    (900)
  --stuck N      (100)
`;
const DAEMON = resolve(import.meta.dirname, '../../dist/run.js');
const FILES = 4000;
const MiB = 1 << 20;
/** What the daemon may take more than without those who do not read: what is queued for them is in memory once. */
const ROOM = 64 * MiB;
/** Milliseconds for what takes none. */
const PATIENCE = 15_000;
const HANDSHAKE = [
  'GET /bcast HTTP/1.1',
  'Host: localhost',
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Version: 13',
  '\r\n',
].join('\r\n');

interface Options {
  readonly rounds: number;
  readonly secs: number;
  readonly size: number;
  readonly readers: number;
  readonly stuck: number;
}

/** @returns null where help was asked for. */
function readOptions(): Options | null {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '3' },
      secs: { type: 'string', default: '8' },
      size: { type: 'string', default: '16384' },
      readers: { type: 'string', default: '900' },
      stuck: { type: 'string', default: '100' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return null;
  const number = (name: 'rounds' | 'secs' | 'size' | 'readers' | 'stuck'): number => {
    const value = Number(values[name]);
    if (!(value > 0) || !Number.isFinite(value)) throw new BenchError(`--${name}: allowed: a number above 0`);
    return value;
  };
  const [rounds, secs, size] = [number('rounds'), number('secs'), number('size')];
  return { rounds, secs, size, readers: number('readers'), stuck: number('stuck') };
}

let failures = 0;

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function claim(text: string, holds: boolean): void {
  say(`  ${holds ? 'ok    ' : 'FAILED'} ${text}`);
  if (!holds) failures++;
}

const mib = (bytes: number): string => `${(bytes / MiB).toFixed(1)} MiB`;

/** Resident memory of a process in bytes: `VmRSS`, or `VmHWM`, the most since `forgetPeak`. */
function memory(pid: number, field: 'VmRSS' | 'VmHWM'): number {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1]) * 1024;
}

function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

async function until(what: string, holds: () => boolean): Promise<void> {
  const late = performance.now() + PATIENCE;
  while (!holds()) {
    if (performance.now() > late) throw new BenchError(`${what} does not happen within ${PATIENCE} ms`);
    await new Promise((done) => setTimeout(done, 20)); // oxlint-disable-line no-await-in-loop -- it is asked for
  }
}

/** The daemon on a CPU of its own, with its log in `out`. */
async function startDaemon(cpu: number): Promise<{ program: Program; port: number }> {
  const config = join(temporaryFolder(), 'websock.ini');
  writeFileSync(config, "adress='ws://127.0.0.1:0'\nlogfile=''\nconsole=true\n[limits]\ncloseTimeout=60\n");
  const args = [DAEMON, '--config', config, '--resources', resolve(import.meta.dirname, '../resources')];
  // The endpoint is an info line; of the others there would be two for each client.
  const program = new Program([...pinned(cpu, FILES), process.execPath, ...args, '--logLevel', 'info'], {
    env: { PATH: process.env.PATH },
  });
  const endpoint = /Server initialized on \w+ 127\.0\.0\.1:(\d+)/;
  await until('the start of the daemon', () => endpoint.test(program.out) || program.code !== undefined);
  const port = Number(endpoint.exec(program.out)?.[1]);
  if (Number.isNaN(port)) throw new BenchError(`the daemon does not start: ${program.err}${program.out}`);
  return { program, port };
}

/** A client that has been let in, and reads nothing from then on. */
async function stuckClient(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  await new Promise<void>((done, fail) => {
    socket.once('error', fail);
    socket.once('data', () => done());
    socket.write(HANDSHAKE);
  });
  socket.pause();
  return socket;
}

/** Lets it read at last. @returns how many messages it was sent, and the code of the Close frame at their end; 0 for none. */
async function wake(socket: Socket): Promise<{ messages: number; code: number }> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  await new Promise<void>((done) => {
    socket.once('end', done);
    socket.once('close', () => done());
    socket.resume();
  });
  socket.destroy();
  const bytes = Buffer.concat(chunks);
  let messages = 0;
  for (let at = 0; at + 2 <= bytes.length; messages++) {
    const short = bytes[at + 1];
    const [header, length] =
      short < 126
        ? [2, short]
        : short === 126
          ? [4, bytes.readUInt16BE(at + 2)]
          : [10, Number(bytes.readBigUInt64BE(at + 2))];
    if ((bytes[at] & 15) === 8) return { messages, code: bytes.readUInt16BE(at + header) };
    at += header + length;
  }
  return { messages, code: 0 };
}

interface Figure {
  readonly rate: number;
  readonly before: number;
  readonly peak: number;
}

/** What is measured, and with what. */
interface Bench {
  readonly options: Options;
  readonly program: Program;
  readonly port: number;
  /** Broadcasts to those who read, for the time of a figure. @throws BenchError where a message is missing, or another than was sent. */
  readonly measure: (name: string) => Promise<Figure>;
}

/** Builds the load, starts the daemon. */
async function prepare(options: Options): Promise<Bench> {
  const { secs, size, readers, stuck } = options;
  const [serverCpu, loadCpu] = await twoCpus();
  const wsload = await Wsload.build();
  const { program, port } = await startDaemon(serverCpu);
  const { pid } = program;
  say(`${description()}. Daemon on CPU ${serverCpu}, clients on CPU ${loadCpu}.`);
  say(`Broadcasts of ${size} B to ${readers} clients, ${secs} s; by turns with ${stuck} more that read nothing.\n`);
  const load = ['--path', '/bcast', '--mode', 'broadcast', '--verify'];
  const args = [...load, '--conns', String(readers), '--size', String(size)];
  const measure = async (name: string): Promise<Figure> => {
    forgetPeak(pid);
    const before = memory(pid, 'VmRSS');
    const { result } = await wsload.run({ port, pid, cpu: loadCpu, files: FILES, secs, warmup: 1, args });
    const figure = { rate: result.deliveries_per_s ?? 0, before, peak: memory(pid, 'VmHWM') };
    const { rate, peak } = figure;
    say(`${name}: ${Math.round(rate)} deliveries/s; resident ${mib(before)} before, ${mib(peak)} at most`);
    return figure;
  };
  return { options, program, port, measure };
}

/** The figure with those who read nothing among the clients, and what becomes of them. */
async function withStuck({ options, program, port, measure }: Bench, name: string): Promise<Figure> {
  const { readers, stuck } = options;
  const from = program.out.length;
  const said = (pattern: RegExp): string[] => {
    const lines = program.out.slice(from).split('\n');
    return lines.filter((line) => pattern.test(line));
  };
  const sleepers: Socket[] = [];
  /* oxlint-disable no-await-in-loop -- one after the other */
  while (sleepers.length < stuck) sleepers.push(await stuckClient(port));
  const figure = await measure(name);
  // On a machine that is busy it takes more messages than were sent.
  for (let tries = 0; said(/ closed: 1013 /).length < stuck && tries < 10; tries++) await measure('  and again');
  /* oxlint-enable no-await-in-loop */
  claim(`each of the ${readers} got every message, as it was sent`, true);
  const owed = said(/over \[limits\] \w+: .* bytes owed/);
  const closed = said(/ closed: 1013 /).length;
  if (owed.length > 0) say(`  the log: ${owed[0].replace(/^.*?WARN /, '')}`);
  claim(
    `${closed} of ${stuck} were closed with 1013, and the log says what each was owed`,
    closed === stuck && owed.length === stuck,
  );
  const ends = await Promise.all(sleepers.map(wake));
  const all = ends.every(({ code }) => code === 1013);
  claim('awake, each of them finds a Close frame with 1013 at the end of what it was sent', all);
  return figure;
}

async function main(): Promise<void> {
  const options = readOptions();
  if (options === null) {
    say(USAGE);
    return;
  }
  const bench = await prepare(options);
  /** Without those who do not read, and with them. */
  const pairs: [Figure, Figure][] = [];
  for (let round = 1; round <= options.rounds; round++) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    pairs.push([await bench.measure(`round ${round}, without`), await withStuck(bench, `round ${round}, with   `)]);
  }
  await bench.program.stop();
  const ratios = pairs.map(([without, during]) => during.rate / without.rate).toSorted((a, b) => a - b);
  const median = ratios[ratios.length >> 1].toFixed(2);
  say(`\nwith / without: ${ratios.map((ratio) => ratio.toFixed(2)).join(', ')}; median ${median}`);
  // Until a kernel is full, who will not read cannot be told from who does: so many more are written to.
  const { readers, stuck } = options;
  const share = (readers / (readers + stuck)).toFixed(2);
  say(`(${share} is a write as fast as ever: as long as the kernel takes it, ${stuck} clients more are written to)`);
  const grown = Math.max(...pairs.map(([without, during]) => during.peak - without.peak));
  claim(`the daemon took ${mib(Math.max(0, grown))} more for them, at most ${mib(ROOM)}`, grown <= ROOM);
  if (failures > 0) process.exitCode = 1;
}

bindProcess();
try {
  await main();
} catch (error) {
  const isUsers = error instanceof BenchError || (error as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS');
  process.stderr.write(`slow-readers: ${isUsers ? (error as Error).message : String((error as Error).stack)}\n`);
  process.exitCode = 2;
}
// A daemon that is left over from what failed would keep this process waiting.
process.exit();
