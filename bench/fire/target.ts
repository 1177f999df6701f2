/** The daemon under fire: as it is installed, with resources that tell how it is. */
import { closeSync, fstatSync, openSync, readdirSync, readSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { BenchError, temporaryFolder } from '../processes.ts';
import { DAEMON, freePort, makeCertificate, start } from '../servers.ts';
import type { Vitals } from './resources/vitals.ts';
import { FIRST } from './child.ts';
import { frame, ServerReader, upgrade } from './wire.ts';

export interface TargetOptions {
  /** null: any. */
  readonly cpu: number | null;
  /** Lines of websock.ini. */
  readonly ini?: string;
  /** There is a certificate; `all`: the first listener speaks TLS, too. */
  readonly tls?: 'all' | 'more';
  /** Further listeners on 127.0.0.1, without their ports: `ws+wss://127.0.0.1`; `?` and what follows comes behind the port. */
  readonly more?: readonly string[];
  /** How many files it may open. */
  readonly files?: number;
  readonly host?: string;
  /** Its speed is looked at: it runs before all other work on the machine, where one may ask for that. */
  readonly first?: true;
}

/** One line of the log. */
export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** {@link Vitals}, and what the system says of the process. */
export interface Health extends Vitals {
  /** Open file descriptors. */
  readonly files: number;
}

/** Milliseconds that an answer may take from a daemon that is being shot at. */
const PATIENCE = 30_000;
const MiB = 1 << 20;

export class Target {
  readonly port: number;
  /** Those of the further listeners. */
  readonly morePorts: readonly number[];
  readonly pid: number;
  private readonly socket: Socket;
  private readonly log: Log;
  private readonly end: () => Promise<unknown>;
  private readonly waiting: ((vitals: Vitals) => void)[] = [];

  private constructor(
    port: number,
    morePorts: readonly number[],
    pid: number,
    log: Log,
    socket: Socket,
    end: () => Promise<unknown>,
  ) {
    this.port = port;
    this.morePorts = morePorts;
    this.pid = pid;
    this.log = log;
    this.socket = socket;
    this.end = end;
    const reader = new ServerReader((op, payload) => {
      if (op === 1) this.waiting.shift()?.(JSON.parse(payload.toString()) as Vitals);
      else if (op === 9) socket.write(frame(payload, { op: 10 }));
    });
    socket.on('data', (chunk: Buffer) => reader.push(chunk));
    socket.on('error', () => socket.destroy());
    socket.write(upgrade('/vitals'));
  }

  static async start(options: TargetOptions): Promise<Target> {
    const { cpu, ini = '', tls, more = [], files, host = '127.0.0.1', first } = options;
    const folder = temporaryFolder();
    const port = await freePort();
    const morePorts: number[] = [];
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    for (const _ of more) morePorts.push(await freePort());
    const certificate = tls !== undefined ? await makeCertificate() : null;
    if (tls !== undefined && certificate === null)
      throw new BenchError('there is no certificate: apt-get install openssl');
    const config = join(folder, 'websock.ini');
    const logfile = join(folder, 'websock.log');
    const addresses = [`${tls === 'all' ? 'ws+wss' : 'ws'}://${host}:${port}`];
    for (const [i, url] of more.entries()) addresses.push(url.replace(/(?=\?|$)/, `:${morePorts[i]}`));
    const lines = [`adress=${addresses.join(',')}`, `logfile=${logfile}`, `resources=${import.meta.dirname}/resources`];
    for (const [name, file] of Object.entries(certificate ?? {})) lines.push(`${name}=${file}`);
    // One file: what was logged is read as it grows.
    writeFileSync(config, `${lines.join('\n')}\n${ini}\n[log]\nmaxSize=0\ndaily=false\nrotate=external\n`);
    const command = [...(first ? FIRST : []), process.execPath, '--expose-gc', DAEMON, '--config', config];
    const server = await start(command, port, { cpu, files });
    const socket = connect(port, '127.0.0.1');
    const target = new Target(port, morePorts, server.pid, new Log(logfile), socket, () => server.stop());
    await target.health();
    return target;
  }

  /** Whether its process is there. */
  get lives(): boolean {
    try {
      process.kill(this.pid, 0);
      return true;
    } catch {
      return false;
    }
  }

  /** Its open file descriptors: to ask costs it nothing. */
  get files(): number {
    return readdirSync(`/proc/${this.pid}/fd`).length;
  }

  /** @throws BenchError if it does not answer. */
  async health(): Promise<Health> {
    const answered = new Promise<Vitals>((done) => this.waiting.push(done));
    this.socket.write(frame('?'));
    let late: NodeJS.Timeout | undefined;
    let gone: (() => void) | undefined;
    try {
      const vitals = await Promise.race([
        answered,
        new Promise<never>((_, fail) => {
          const why = (text: string): void => fail(new BenchError(`${text}\n${this.trouble().join('\n')}`));
          late = setTimeout(() => why(`the daemon does not answer within ${PATIENCE} ms`), PATIENCE);
          gone = () => why('the daemon has closed the connection that asks how it is');
          this.socket.once('close', gone);
        }),
      ]);
      return { ...vitals, files: this.files };
    } finally {
      clearTimeout(late);
      if (gone !== undefined) this.socket.off('close', gone);
    }
  }

  /** Resolves when `isSo` is true of its descriptors. @returns milliseconds that it took; NaN: it was not so within `seconds`. */
  async filesUntil(isSo: (files: number) => boolean, seconds: number): Promise<number> {
    const began = performance.now();
    while (!isSo(this.files)) {
      if (performance.now() - began > seconds * 1000) return Number.NaN;
      // oxlint-disable-next-line no-await-in-loop -- one look after the other
      await new Promise((done) => setTimeout(done, 20));
    }
    return performance.now() - began;
  }

  /** The lines that were logged since this was last asked. */
  logged(): LogLine[] {
    return this.log.more();
  }

  /** Errors that were logged, ever; and lines that are none. */
  trouble(): string[] {
    this.log.more();
    return this.log.trouble;
  }

  async stop(): Promise<void> {
    this.socket.removeAllListeners('close');
    this.socket.destroy();
    await this.end();
  }
}

/** A log file that grows. */
class Log {
  /** Lines at level error, and lines that are no JSON: at most so many as a reader wants to see. */
  readonly trouble: string[] = [];
  private readonly path: string;
  private at = 0;
  private rest = '';

  constructor(path: string) {
    this.path = path;
  }

  more(): LogLine[] {
    const lines: LogLine[] = [];
    const file = openSync(this.path, 'r');
    try {
      const { size } = fstatSync(file);
      while (this.at < size) {
        const bytes = Buffer.alloc(Math.min(MiB, size - this.at));
        const count = readSync(file, bytes, 0, bytes.length, this.at);
        if (count === 0) break;
        this.at += count;
        this.take(bytes.toString('latin1', 0, count), lines);
      }
    } finally {
      closeSync(file);
    }
    return lines;
  }

  private take(text: string, lines: LogLine[]): void {
    const parts = (this.rest + text).split('\n');
    this.rest = parts.pop() ?? '';
    for (const part of parts) {
      let line: LogLine | null = null;
      try {
        line = JSON.parse(Buffer.from(part, 'latin1').toString()) as LogLine;
      } catch {
        this.note(`a line of the log is no JSON: ${part}`);
      }
      if (line?.level === 'error') this.note(`the daemon logged an error: ${line.msg}`);
      if (line !== null) lines.push(line);
    }
  }

  private note(text: string): void {
    if (this.trouble.length < 20) this.trouble.push(text.slice(0, 500));
  }
}
