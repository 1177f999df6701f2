/** What is measured: the daemon as it is installed, and its peers. Each lives for one figure, alone. */
import { connect, createServer } from 'node:net';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { pinned } from './machine.ts';
import { BenchError, Program, run, temporaryFolder } from './processes.ts';
import type { Peer, Transport } from './scenarios.ts';
import { compile } from './wsload.ts';

const ROOT = resolve(import.meta.dirname, '..');
export const DAEMON = join(ROOT, 'dist/run.js');
const PEERS = join(import.meta.dirname, 'peers');
/** Milliseconds that a server may take until it accepts. */
const START_TIMEOUT = 15_000;
/** Below what the system gives to clients, so that no connection of theirs has the port. */
const FIRST_PORT = 21_000;

export type LogLevel = 'error' | 'warn' | 'info' | 'debug';

type Env = Readonly<Record<string, string>>;

/** What a server is started with. */
export interface ServerOptions {
  /** null: any. */
  readonly cpu: number | null;
  readonly files?: number;
  /** For TLS; null: plain. */
  readonly certificate: { readonly certFile: string; readonly pkFile: string } | null;
  readonly deflate?: boolean;
}

export interface Server {
  readonly port: number;
  readonly pid: number;
  /** Ends it. @returns the warnings and errors that it has logged. */
  stop(): Promise<string[]>;
}

/** What this build of the daemon, and what is installed, can do. */
export interface Abilities {
  /** It can be asked for a transport; else it is on `net`. */
  readonly transport: boolean;
  readonly deflate: boolean;
  /** Why there is no `ws+n`; null: there is. */
  readonly noNative: string | null;
}

/** @throws BenchError if the daemon is not built. */
export async function abilities(): Promise<Abilities> {
  const { ok, out, err } = await run([process.execPath, DAEMON, '--help']);
  if (!ok) throw new BenchError(`the daemon is not built: npm run build\n${err.trim()}`);
  return {
    transport: /^ +--transport\b/m.test(out),
    deflate: /--compression\.enabled\b/.test(out),
    noNative: noNative(),
  };
}

function noNative(): string | null {
  try {
    const { mask } = createRequire(import.meta.url)('bufferutil') as { mask: unknown };
    // Without its binary it is JavaScript as that of ws.
    return String(mask).includes('[native code]') ? null : 'bufferutil has no binary for this machine';
  } catch {
    return 'bufferutil is not installed: npm ci';
  }
}

/** Makes the certificate of the wss scenarios. @returns null without openssl. */
export async function makeCertificate(): Promise<ServerOptions['certificate']> {
  const folder = temporaryFolder();
  const certFile = join(folder, 'cert.pem');
  const pkFile = join(folder, 'key.pem');
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '30'];
  const about = ['-subj', '/CN=localhost', '-keyout', pkFile, '-out', certFile];
  const { ok } = await run(['openssl', 'req', '-x509', ...kind, ...about]);
  return ok ? { certFile, pkFile } : null;
}

export async function startWebsock(
  options: ServerOptions & { transport: Transport | null; level: LogLevel },
): Promise<Server> {
  const { transport, level, certificate, deflate } = options;
  const folder = temporaryFolder();
  const port = await freePort();
  const config = join(folder, 'websock.ini');
  const logfile = join(folder, 'websock.log');
  writeFileSync(config, '');
  const args = ['--config', config, '--logfile', logfile, '--logLevel', level];
  args.push('--resources', join(import.meta.dirname, 'resources'));
  args.push('--adress', `${certificate === null ? 'ws' : 'wss'}://127.0.0.1:${port}`);
  if (transport !== null && transport !== 'tls') args.push('--transport', transport);
  if (deflate) args.push('--compression.enabled', 'true');
  return start([process.execPath, DAEMON, ...args, ...certificateArgs(options)], port, options, () =>
    warnings(logfile),
  );
}

/** Built when it is first wanted. */
let epollEcho: Promise<string> | undefined;

export async function startPeer(peer: Peer, options: ServerOptions): Promise<Server> {
  const port = await freePort();
  const to = ['--port', String(port)];
  if (peer === 'C') return start([await (epollEcho ??= compile('epoll_echo')), String(port)], port, options);
  if (peer === 'net') return start([process.execPath, join(PEERS, 'net.mjs'), ...to], port, options);
  const command = [process.execPath, join(PEERS, 'ws.mjs'), ...to, ...certificateArgs(options)];
  if (options.deflate) command.push('--deflate');
  const env: Env = peer === 'ws' ? { WS_NO_BUFFER_UTIL: '1', WS_NO_UTF_8_VALIDATE: '1' } : {};
  return start(command, port, options, () => [], env);
}

function certificateArgs({ certificate }: ServerOptions): string[] {
  return Object.entries(certificate ?? {}).flatMap(([name, file]) => [`--${name}`, file]);
}

/** Starts a program that listens on `port`. @throws BenchError if it does not accept in time. */
export async function start(
  command: readonly string[],
  port: number,
  { cpu, files }: Pick<ServerOptions, 'cpu' | 'files'>,
  logged: () => string[] = () => [],
  env: Env = {},
): Promise<Server> {
  // An environment of its own: WEBSOCK_… and NODE_OPTIONS of the user would change what is measured.
  const program = new Program([...pinned(cpu, files), ...command], { env: { PATH: process.env.PATH, ...env } });
  const stop = async (): Promise<string[]> => {
    await program.stop();
    return logged();
  };
  try {
    await accepts(port, program);
  } catch (error) {
    await stop();
    throw error;
  }
  return { port, pid: program.pid, stop };
}

/** Resolves when the server accepts. There is no event to wait for: at logLevel=warn the daemon says nothing. */
async function accepts(port: number, program: Program): Promise<void> {
  const late = performance.now() + START_TIMEOUT;
  /* oxlint-disable no-await-in-loop -- one try after the other */
  while (!(await canConnect(port))) {
    const said = `${program.err}${program.out}`.trim();
    if (program.code !== undefined) throw new BenchError(`it does not start (exit code ${program.code}): ${said}`);
    if (performance.now() > late) throw new BenchError(`it does not accept within ${START_TIMEOUT} ms: ${said}`);
    await new Promise((done) => setTimeout(done, 20));
  }
  /* oxlint-enable no-await-in-loop */
}

function canConnect(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => done(true)).on('error', () => done(false));
    socket.on('connect', () => socket.destroy());
  });
}

/** Not where another run on this machine begins. */
let lastPort = FIRST_PORT + Math.floor(Math.random() * 5000);

export async function freePort(): Promise<number> {
  for (;;) {
    const port = ++lastPort;
    // oxlint-disable-next-line no-await-in-loop -- one try after the other
    if (await isFree(port)) return port;
    if (port > FIRST_PORT + 10_000) throw new BenchError(`no port from ${FIRST_PORT} on is free`);
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((done) => {
    const server = createServer();
    server.on('error', () => done(false));
    server.listen(port, '127.0.0.1', () => server.close(() => done(true)));
  });
}

/** The messages of the log's lines that are warnings or errors. */
function warnings(logfile: string): string[] {
  if (!existsSync(logfile)) return [];
  const lines = readFileSync(logfile, 'utf8').split('\n');
  return lines
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { level: LogLevel; msg: string })
    .filter(({ level }) => level === 'warn' || level === 'error')
    .map(({ level, msg }) => `it logged ${level}: ${msg}`);
}
