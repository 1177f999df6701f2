import { randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import { type } from 'node:os';
import { type Config, settingsOf } from '../config/load.ts';
import { Access } from '../connection/access.ts';
import { Admission } from '../connection/admission.ts';
import { Attempts } from '../connection/attempts.ts';
import type { ConnectionContext } from '../connection/context.ts';
import { Cork } from '../connection/cork.ts';
import { Debts } from '../connection/debts.ts';
import { Heartbeat } from '../connection/heartbeat.ts';
import { InTurn } from '../connection/inturn.ts';
import { Limits } from '../connection/limits.ts';
import { Live } from '../connection/live.ts';
import { Reception } from '../connection/reception.ts';
import { Registry } from '../connection/registry.ts';
import { recordOf, restoreSession } from '../connection/sessionrecord.ts';
import { Sessions } from '../connection/sessions.ts';
import { Stalls } from '../connection/stalls.ts';
import { CLOSE, messageOf, stackOf, WebsockError } from '../errors.ts';
import { readAssets } from '../http/assets.ts';
import { EXAMPLES_FOLDER, EXAMPLES_INDEX } from '../http/examples.ts';
import { Idempotency } from '../http/idempotency.ts';
import { HttpSide } from '../http/side.ts';
import { LocalHub } from '../hub/local.ts';
import * as api from '../index.ts';
import type { Log } from '../log.ts';
import { Tickets } from '../packet/ticket.ts';
import { type LoadOptions, loadResources, type Refused } from '../resource/loader.ts';
import { Router } from '../resource/router.ts';
import { ResourceServer, type ServerContext } from '../resource/server.ts';
import { takesDirect } from '../transport/address.ts';
import { Deadlines } from '../transport/deadlines.ts';
import { ProxyGate } from '../transport/proxied.ts';
import { chooseTransport, type TransportChoice } from '../transport/selftest.ts';
import { NetTransport } from '../transport/tcp.ts';
import type { Listener } from '../transport/transport.ts';
import { Compression } from '../wire/compression.ts';
import { chooseCodec } from '../wire/probe.ts';
import { CertificateWatch } from './certificates.ts';
import { examplesOf } from './examples.ts';
import { OpenFiles } from './openfiles.ts';
import { makePlan, type Plan } from './plan.ts';
import { StateFile } from './statefile.ts';

/** Milliseconds that the last words of connections cut off have to get out. */
const LAST_WORDS = 250;

/** Everything that one daemon is made of, and its life: load, start, stop. */
export class Daemon {
  readonly plan: Plan;
  router = new Router();
  refused: Refused[] = [];
  /** What should not be as it is, one line each; known when it is loaded. */
  readonly warnings: string[];
  private readonly config: Config;
  private readonly log: Log;
  private readonly registry = new Registry();
  private readonly deadlines = new Deadlines();
  private readonly limits: Limits;
  private readonly access: Access;
  private readonly admission: Admission;
  private readonly tickets: Tickets;
  private readonly gate: ProxyGate;
  private readonly certificates: CertificateWatch | null;
  private readonly openFiles: OpenFiles;
  /** Where sessions outlive the daemon; null: nowhere. */
  private readonly state: StateFile | null;
  /** The names of the examples that are served. */
  private examples: string[] = [];
  private listeners: Listener[] = [];
  private context: ConnectionContext | null = null;
  private http: HttpSide | null = null;

  /** @throws WebsockError WEBSOCK_CONFIG */
  constructor(config: Config, log: Log) {
    const { security, backend, tickets, dialog } = config.values;
    this.config = config;
    this.log = log;
    this.plan = makePlan(config);
    this.warnings = [...this.plan.warnings];
    const { tls } = this.plan;
    this.certificates = tls === undefined ? null : new CertificateWatch(config, tls.certificates, log);
    this.limits = new Limits(this.plan.limits);
    this.openFiles = new OpenFiles(this.plan.openFiles, log, () => this.admission.connected);
    this.access = new Access({ ...security, ...backend });
    if (tickets.secret === '') log.debug('Tickets end with this daemon: [tickets] secret is not set');
    this.tickets = new Tickets(tickets.secret === '' ? randomBytes(32) : tickets.secret, tickets.maxTtl);
    this.gate = new ProxyGate(
      {
        trusts: (ip) => this.access.isProxy(ip),
        deadlines: this.deadlines,
        timeout: this.plan.limits.proxyTimeout,
        late: () => this.limits.over('proxyTimeout').text,
      },
      log,
    );
    this.admission = new Admission(this.limits, { log, isProxy: (ip) => this.access.isProxy(ip) });
    const { resume, stateFile, maxState } = dialog;
    this.state = resume === 0 || stateFile === '' ? null : new StateFile({ file: stateFile, most: maxState, log });
    const problem = this.state?.problem ?? null;
    if (problem !== null) {
      this.warnings.push(`${config.where('dialog.stateFile')}: sessions will end with the daemon: ${problem}`);
    }
  }

  /**
   * Loads the resources; those that cannot be served are in `refused`.
   * @throws WebsockError WEBSOCK_CONFIG if there is no folder, or nothing in it that can be served.
   */
  async load(): Promise<void> {
    const { config } = this;
    const { values } = config;
    const folder = values.resources;
    if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) {
      throw config.error('resources', `${folder} is not a folder`);
    }
    const server: ServerContext = {
      registry: this.registry,
      hub: new LocalHub(this.registry),
      log: this.log,
      webMay: new Set(values.security.webMay),
      tickets: this.tickets,
      settingsOf: (path) => settingsOf(config, path),
    };
    const serverFor = (path: string, app: string): ResourceServer => new ResourceServer(server, path, app);
    const { limits, compression } = values;
    const options = { api, values: limits, compression, serverFor };
    const examples = examplesOf(config);
    const loaded = await loadResources({ ...options, folder }).catch((cause: unknown) => {
      throw config.error('resources', messageOf(cause));
    });
    this.router = loaded.router;
    this.refused = loaded.refused;
    await this.loadExamples(examples, options);
    for (const { file, why } of this.refused) this.log.error(`Resource refused : ${file}: ${why}`, { file });
    if (this.router.all().length === 0) throw config.error('resources', `no resource in ${folder} can be served`);
    for (const { path, where } of config.resources) {
      if (this.router.find(path) === undefined)
        this.warnings.push(`${where}: there is no resource at ${path}, so nobody reads it`);
    }
    for (const { name, path } of values.named.auth) {
      const idle = path.filter((one) => this.router.find(one) === undefined);
      const where = config.where(`auth.${name}.path`);
      for (const one of idle) this.warnings.push(`${where}: there is no resource at ${one}, so nothing is asked there`);
    }
  }

  /** Loads examples beside what there is: a path that is taken stays whose it is. */
  private async loadExamples(names: readonly string[], options: Omit<LoadOptions, 'folder'>): Promise<void> {
    const { router } = this;
    const free = names.filter((name) => router.find(`/${name}`) === undefined);
    const where = this.config.where('examples');
    for (const name of names) {
      if (free.includes(name)) continue;
      this.warnings.push(`${where}: the example ${name} is not served, for there is a resource at /${name}`);
    }
    if (free.length === 0) return;
    const files = free.map((name) => `${name}.ts`);
    const { refused } = await loadResources({ ...options, folder: EXAMPLES_FOLDER, files, router });
    this.refused.push(...refused);
    this.examples = free.filter((name) => router.find(`/${name}`) !== undefined);
  }

  /**
   * What serves plain listeners.
   * @throws WebsockError WEBSOCK_START if it is the one that was asked for and does not work here.
   */
  async chooseTransport(): Promise<TransportChoice> {
    return chooseTransport(this.plan.addresses.some(takesDirect) ? this.config.values.transport : 'net');
  }

  /**
   * Listens, and serves until `stop`.
   * @throws WebsockError WEBSOCK_START if an address cannot be had, or the transport that was asked for.
   */
  async start(): Promise<void> {
    const { values } = this.config;
    const { name, intake, why } = await this.chooseTransport();
    if (why === null) this.log.info(`Transport: ${name}`);
    else this.log.warn(`Transport: ${name}, for ${why}`);
    const { log, limits, deadlines, access, admission, tickets } = this;
    const attempts = new Attempts(limits);
    const debts = new Debts(limits, log);
    const stalls = new Stalls(log, values.log.stallWarn);
    const http = new HttpSide({
      log,
      limits,
      deadlines,
      debts,
      access,
      admission,
      attempts,
      tickets,
      guards: this.plan.guards,
      stalls,
      routes: this.router,
      assets: readAssets(values.http.console, this.examples),
      idempotency: new Idempotency({ limits, log, deadlines, resume: values.dialog.resume }),
      keepAliveTimeout: values.http.keepAliveTimeout,
    });
    const context: ConnectionContext = {
      log,
      limits,
      values: limits.values,
      deadlines,
      heartbeat: new Heartbeat(deadlines, limits.values),
      cork: new Cork(),
      debts,
      access,
      admission,
      attempts,
      tickets,
      guards: this.plan.guards,
      registry: this.registry,
      sessions: new Sessions(limits, log),
      routes: this.router,
      webIdent: values.security.webIdent,
      compression: this.compression(),
      handOver: (stream, peer) => http.take(stream, peer),
      reports: new InTurn(),
      stalls,
      live: new Live(),
      waiting: new Live(),
      lastId: 0,
      draining: false,
    };
    this.http = http;
    this.context = context;
    this.restoreSessions(context);
    await this.openListeners(context, intake);
    stalls.start();
    this.announce();
    this.certificates?.start();
    this.openFiles.start();
  }

  /** @throws WebsockError WEBSOCK_START if an address cannot be had. */
  private async openListeners(context: ConnectionContext, intake: TransportChoice['intake']): Promise<void> {
    const { gate, log, deadlines } = this;
    const { values } = this.config;
    const reception = new Reception(context);
    const { tls } = this.plan;
    const options = { ...values.tcp, tls, gate, lobby: reception, deadlines };
    const transport = new NetTransport(options, log, intake);
    try {
      for (const address of this.plan.addresses) {
        // oxlint-disable-next-line no-await-in-loop -- the first that fails is the one to be told of
        this.listeners.push(await transport.listen(address, reception.accept));
      }
    } catch (error) {
      // For the one that will find its address free.
      this.keepSessions(context, CLOSE.GOING_AWAY, 'daemon stopping');
      await this.close();
      throw error;
    }
  }

  /** Reads the certificates again: those that connect from now on get what is in their files. Nobody is disconnected. */
  reload(): void {
    this.certificates?.reload();
  }

  /**
   * Stops as PROTOCOL.md §4 says, within `[stop] timeout`.
   * @returns how many connections had to be cut off.
   */
  async stop(): Promise<number> {
    const { context, http } = this;
    if (context === null || http === null) return 0;
    const { code } = this.config.values.stop;
    const reason = code === 1012 ? 'daemon restarting' : 'daemon stopping';
    context.draining = true;
    this.certificates?.stop();
    this.openFiles.stop();
    this.log.info(`Stopping server, connections: ${context.admission.connected}`);
    const left = await this.drain(context, http, code, reason);
    this.keepSessions(context, code, reason);
    return left;
  }

  /** Lets everybody go. @returns how many connections had to be cut off. */
  private async drain(context: ConnectionContext, http: HttpSide, code: number, reason: string): Promise<number> {
    const { timeout } = this.config.values.stop;
    const closed = this.close();
    const answered = http.stop();
    if (this.state === null) context.sessions.stop(code, reason);
    for (const connection of [...context.waiting, ...context.live]) connection.stop(code, reason);
    for (const { client } of context.sessions) client.requests?.close();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((done) => {
      timer = setTimeout(() => done(true), timeout * 1000);
    });
    // Who has lost its connection in the middle of a handler may be answered by the next daemon.
    const quiet = context.sessions.quiet();
    const isLate = await Promise.race([Promise.all([closed, answered, quiet]).then(() => false), late]);
    clearTimeout(timer);
    if (!isLate) return 0;
    const left = context.admission.connected;
    const { length } = context.sessions.busy;
    const others = length === 0 ? '' : `, nor handlers of ${length} clients without one`;
    this.log.warn(`${left} connections did not end within [stop] timeout = ${timeout} s: cut off${others}`);
    http.destroy();
    for (const connection of [...context.waiting, ...context.live]) connection.cut(code, reason);
    await Promise.race([closed, new Promise((done) => setTimeout(done, LAST_WORDS))]);
    for (const connection of [...context.waiting, ...context.live]) connection.destroy();
    return left;
  }

  /** Writes the sessions for the next daemon; those that cannot be end. */
  private keepSessions(context: ConnectionContext, code: number, reason: string): void {
    const { sessions } = context;
    if (this.state === null || sessions.size === 0) return;
    const { stateFile, maxData } = this.config.values.dialog;
    // What is short first: who is owed much does not cost others their place.
    const all = [...sessions].filter((session) => session.stands).toSorted((a, b) => a.kept.bytes - b.kept.bytes);
    const lines = function* (log: Log): Generator<string> {
      for (const session of all) yield recordOf(session, log, maxData);
    };
    const written = this.state.write(lines(this.log));
    const kept = new Set(all.filter((_, place) => written.has(place)));
    const lost = [...sessions].filter((session) => !kept.has(session));
    for (const session of lost) session.end(code, reason);
    const more = lost.length === 0 ? '' : `; ${lost.length} are closed, or have no room in it`;
    this.log.info(`Sessions kept: ${kept.size}, in ${stateFile}${more}`);
  }

  /** Takes over the sessions of the daemon before this one. */
  private restoreSessions(context: ConnectionContext): void {
    const lines = this.state?.take() ?? [];
    if (lines.length === 0) return;
    const problems = lines.map((line) => restoreSession(context, line)).filter((problem) => problem !== null);
    for (const problem of new Set(problems))
      this.log.warn(`A session of the daemon before is not restored: ${problem}`);
    this.log.info(`Sessions restored: ${lines.length - problems.length} of ${lines.length}`);
  }

  /** Resolves when no listener is left and every connection that one of them accepted is gone. */
  private async close(): Promise<void> {
    await Promise.all(this.listeners.map((listener) => listener.close()));
  }

  /** zlib, if any resource compresses: by its handle where the self-test finds it usable. */
  private compression(): Compression | null {
    if (this.router.all().every((route) => route.compression === null)) return null;
    const { codec, why } = chooseCodec();
    if (why !== null) {
      this.log.warn(`compression is slower, and without context takeover: zlib's handle is not usable here: ${why}`);
    }
    return new Compression(codec);
  }

  private announce(): void {
    for (const { endpoints, address } of this.listeners) {
      const scheme = address.security === 'plain' ? '' : ' ssl://';
      for (const endpoint of endpoints)
        this.log.info(`Server initialized on ${type()} ${endpoint}${scheme}`, { endpoint });
    }
    this.log.info('Starting server...');
    for (const { path } of this.router.all()) this.log.info(`Registered resource : ${path}`, { path });
    const url = browsable(this.listeners);
    if (url !== null && this.config.values.http.console) this.log.info(`Console : ${url}/_websock/`);
    if (this.examples.length > 0)
      this.log.info(`Examples : ${url ?? ''}${EXAMPLES_INDEX} (${this.examples.join(', ')})`);
  }
}

/** What a browser on this machine calls the first of the listeners that it can reach; null: none. */
function browsable(listeners: readonly Listener[]): string | null {
  const listener = listeners.find(({ address }) => address.host !== undefined && !address.proxyProtocol);
  if (listener === undefined) return null;
  const { address, endpoints } = listener;
  const { host = '' } = address;
  const everywhere = host === '0.0.0.0' || host === '::';
  const name = everywhere ? 'localhost' : host.includes(':') ? `[${host}]` : host;
  return `http${address.security === 'tls' ? 's' : ''}://${name}:${endpoints[0].split(':').at(-1)}`;
}

/** What ends the program: the error's own words, or for an error that is a bug of ours, its stack. */
export function lastWords(error: unknown): { text: string; exitCode: number } {
  if (error instanceof WebsockError) return { text: error.message, exitCode: error.exitCode };
  const text = stackOf(error) ?? messageOf(error);
  return { text, exitCode: 1 };
}
