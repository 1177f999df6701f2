import {
  type Client,
  type HttpRequest,
  type HttpResponse,
  type NextFields,
  type Packet,
  Resource,
  type Server,
} from 'websock';
import { Job } from './lib/job.ts';
import { PAGE, PAGE_HEADERS } from './lib/jobpage.ts';
import { readId, readReport, readText, readTtl } from './lib/jobpackets.ts';
import { JobStore, Refused } from './lib/jobstore.ts';
import { readTicket, type Ticketed, ticketUuid } from './lib/jobticket.ts';
import type { JobSettings, ReportKind } from './lib/jobtypes.ts';
import { Seldom } from './lib/seldom.ts';

const OPCODES = 'open, progress, log, done, failed, watch, unwatch, list, quit';
/** Bytes of all jobs that `list` shows: more would not fit where an answer has to. */
const LIST_SIZE = 512 * 1024;
/** Milliseconds from one look at all jobs to the next, at least; and at most, for timers know no more than 24 days. */
const LOOK = { least: 1000, most: 86_400_000 };

/** `/jobs`: what runs elsewhere, and how far it is (PROTOCOL.md §5). Jobs are kept in memory, and end with the daemon. */
export default class Jobs extends Resource {
  static override path = '/jobs';
  static override tickets = true;

  private settings!: JobSettings;
  private store!: JobStore;
  private readonly seldom = new Seldom((text) => this.log(text));
  private timer: NodeJS.Timeout | undefined;
  /** Unix milliseconds. */
  private wakesAt = Infinity;

  override registerServer(server: Server): void {
    super.registerServer(server);
    this.settings = server.settings as unknown as JobSettings;
    this.store = new JobStore(this.settings);
  }

  /** The page that shows jobs: the same for everybody, it asks for its jobs by the socket. */
  onRequest(_request: HttpRequest, response: HttpResponse): void {
    response.send(PAGE, { headers: PAGE_HEADERS });
  }

  override onData(client: Client, message: string | Buffer): NextFields | undefined {
    const packet = this.getPacket(message);
    try {
      return this.handle(client, packet);
    } catch (error) {
      if (error instanceof Refused) return { error: error.message };
      throw error;
    }
  }

  override onClose(client: Client): void {
    this.store.left(client.id);
  }

  private handle(client: Client, packet: Packet): NextFields | undefined {
    switch (packet.opcode) {
      case 'open':
        return this.open(client, packet);
      case 'progress':
      case 'log':
      case 'done':
      case 'failed':
        return this.report(client, packet.opcode, packet);
      case 'watch':
        return this.watch(client, packet);
      case 'unwatch':
        client.leave(this.named(client, packet));
        return undefined;
      case 'list':
        return this.list(client);
      case 'quit':
        client.close(1000, 'quit');
        return undefined;
      default:
        throw new Refused(`no such opcode: there are ${OPCODES}`);
    }
  }

  private open(client: Client, packet: Packet): NextFields {
    const trusted = isTrusted(client);
    if (client.ticket !== null) throw new Refused('not allowed: a ticket is for reports of its job');
    if (!trusted) this.mayOpen(client);
    const { text = '', cut } = readText(packet.title, 'title', this.settings.maxText);
    const given = readId(packet.id, 'id');
    if (given !== undefined && !trusted) throw new Refused('not allowed: a web client is given the id of its job');
    const id = given ?? crypto.randomUUID();
    if (this.store.find(id) !== undefined) throw new Refused('there is a job with this id');
    const ticket = this.ticketFor({ id, isWeb: !trusted }, readTtl(packet.ttl));
    const job = this.add(id, text, trusted ? null : client.id);
    // A backend's connection is for reports: it reads the answer to each, and nothing else.
    if (!trusted) this.join(client, id);
    const told = this.packetOf(job);
    client.send(`${told.slice(0, -1)},${JSON.stringify(ticket).slice(1)}`);
    this.to(id).except(client).send(told); // who has waited for it
    return { job: id, ...this.toldOfCut(cut) };
  }

  /** @throws Refused */
  private mayOpen({ id, ip }: Client): void {
    const { perClient } = this.settings;
    if (perClient === 0) throw new Refused('not allowed: [jobs] perClient lets web clients open none');
    if (this.store.openedBy(id) < perClient) return;
    this.seldom.note('perClient', `#${id} ${ip} has opened ${perClient} jobs that have not ended ([jobs] perClient)`);
    throw new Refused(`${perClient} jobs that you have opened have not ended, [jobs] perClient allows no more`);
  }

  /** @throws Refused if it cannot be good for so long. */
  private ticketFor(job: Ticketed, ttl = Infinity): { ticket: string; expires: number } {
    try {
      return this.server.ticket(ticketUuid(job), ttl);
    } catch (error) {
      if (error instanceof RangeError) throw new Refused(error.message);
      throw error;
    }
  }

  private report(client: Client, kind: ReportKind, packet: Packet): NextFields {
    const id = this.named(client, packet);
    if (client.kind === 'websocket') throw new Refused('not allowed: reports come from backends, or with a ticket');
    const { maxText } = this.settings;
    const { report, cut } = readReport(kind, packet, maxText);
    const known = this.store.find(id);
    if (known?.hasEnded === true) {
      throw new Refused(known.state === 'done' ? 'the job is done' : 'the job has failed already');
    }
    // The daemon was restarted, or has forgotten it, or nobody has opened it: its script goes on.
    const job = known ?? this.add(id, readText(packet.title, 'title', maxText).text ?? '', openerOf(client));
    const now = Date.now();
    const told = job.take(report, this.settings, now);
    this.store.moved(job);
    this.wakeWithin(now);
    const text = known === undefined ? this.packetOf(job) : JSON.stringify({ opcode: kind, job: id, at: now, ...told });
    return { delivered: this.to(id).send(text), ...this.toldOfCut(cut) };
  }

  private watch(client: Client, packet: Packet): NextFields | undefined {
    const id = this.named(client, packet);
    this.join(client, id);
    const job = this.store.find(id);
    if (job === undefined) throw new Refused('no such job');
    client.send(this.packetOf(job));
    return undefined;
  }

  private list(client: Client): NextFields | undefined {
    if (!isTrusted(client)) throw new Refused('not allowed: a list is for backends');
    const all = this.store.newest();
    const jobs: string[] = [];
    let bytes = 0;
    for (const job of all) {
      const text = JSON.stringify(job.summary());
      bytes += Buffer.byteLength(text) + 1;
      if (bytes > LIST_SIZE) break;
      jobs.push(text);
    }
    client.send(`{"opcode":"jobs","jobs":[${jobs.join(',')}],"more":${all.length - jobs.length}}`);
    return undefined;
  }

  /**
   * The job that a packet names; who came by a ticket may leave it out, and name no other.
   * @throws Refused
   */
  private named(client: Client, packet: Packet): string {
    const { ticket } = client;
    const id = readId(packet.job, 'job');
    if (ticket === null) {
      if (id === undefined) throw new Refused('job is missing: the id of a job');
      return id;
    }
    const own = readTicket(ticket);
    if (own === null) {
      throw new Refused('not allowed: the ticket is for feedback to a page, that of a job comes with open');
    }
    if (id !== undefined && id !== own.id) throw new Refused('not allowed: the ticket is for another job');
    if (ticket.expires * 1000 <= Date.now()) throw new Refused('the ticket has expired');
    return own.id;
  }

  /** @throws Refused if there are too many. */
  private add(id: string, title: string, opener: number | null): Job {
    const now = Date.now();
    const job = new Job(id, title, opener, now);
    try {
      this.store.add(job);
    } catch (error) {
      if (error instanceof Refused) this.seldom.note(job.isWeb ? 'keep of web clients' : 'keep', error.message);
      throw error;
    }
    this.wakeWithin(now);
    return job;
  }

  /** A POST is told what is now, and is gone then. @throws Refused */
  private join(client: Client, id: string): void {
    const isPost = client.uuid === '';
    if (isPost || client.join(id)) return;
    throw new Refused(`you watch ${client.rooms.size} jobs, [limits] maxRooms allows no more: unwatch some`);
  }

  /** The packet that tells all of a job, as JSON. */
  private packetOf(job: Job): string {
    return `{"opcode":"job","at":${Date.now()},"job":${job.json()}}`;
  }

  private toldOfCut(cut: number): { cut?: number } {
    if (cut === 0) return {};
    this.seldom.note('maxText', `a text was cut: [jobs] maxText allows ${this.settings.maxText} bytes`);
    return { cut };
  }

  /** A job was opened or reported: it is looked at before anything can be due of it. */
  private wakeWithin(now: number): void {
    const { stalled, keepTime } = this.settings;
    this.wakeAt(now + Math.min(stalled, keepTime) * 1000, now);
  }

  private wakeAt(at: number, now: number): void {
    if (at >= this.wakesAt) return;
    clearTimeout(this.timer);
    this.wakesAt = at;
    this.timer = setTimeout(() => this.wake(), Math.min(at - now, LOOK.most));
    this.timer.unref();
  }

  private wake(): void {
    const now = Date.now();
    this.wakesAt = Infinity;
    const { stalled, next } = this.store.due(now);
    if (next !== null) this.wakeAt(Math.max(next, now + LOOK.least), now);
    for (const { id, changed } of stalled) this.to(id).sendPacket({ opcode: 'stalled', job: id, at: now, changed });
    if (stalled.length === 0) return;
    // Not the ids, which are all that it takes to watch.
    const named = stalled.slice(0, 5).map(({ id, title }) => `${id.slice(0, 8)}… '${title.slice(0, 60)}'`);
    const others = stalled.length > named.length ? ` and ${stalled.length - named.length} more` : '';
    this.log(`no report for ${this.settings.stalled} s of ${named.join(', ')}${others}: stalled`);
  }
}

/** By its address or the key: it may report and list everything. */
function isTrusted({ kind, ticket }: Client): boolean {
  return kind === 'tcp' && ticket === null;
}

/** Whose a job is that this client makes anew by a report: nobody gets more room by his ticket than he had. */
function openerOf({ ticket }: Client): number | null {
  return ticket !== null && readTicket(ticket)?.isWeb === true ? 0 : null;
}
