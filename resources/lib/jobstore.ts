import type { Job } from './job.ts';
import type { JobSettings } from './jobtypes.ts';

/** Why a packet had no effect; its text is for its sender. */
export class Refused extends Error {}

/** What time has brought about. */
export interface Due {
  /** Those of which nothing has been heard for too long. */
  readonly stalled: Job[];
  /** Unix milliseconds until which nothing more is due; null: nothing is. */
  readonly next: number | null;
}

/** The jobs of backends, or those of web clients. Each group is in the order of the last reports, the oldest first. */
class Share {
  /** Waiting or running. */
  readonly live = new Set<Job>();
  readonly stalled = new Set<Job>();
  readonly ended = new Set<Job>();

  get groups(): Set<Job>[] {
    return [this.live, this.stalled, this.ended];
  }
  get size(): number {
    return this.live.size + this.stalled.size + this.ended.size;
  }

  /** The one that nobody has reported yet, for longest. */
  get unreported(): Job | undefined {
    for (const group of [this.stalled, this.live]) {
      for (const job of group) if (!job.reported) return job;
    }
    return undefined;
  }
}

/** All jobs, bounded in number and in time. Web clients, of whom nobody knows who they are, have a share, and what they do takes nothing of backends. */
export class JobStore {
  private readonly settings: JobSettings;
  private readonly all = new Map<string, Job>();
  private readonly web = new Share();
  private readonly backends = new Share();
  /** Never reported, and opened by web clients that have gone. */
  private readonly abandoned = new Set<Job>();
  /** Of the web clients that are open the jobs that have not ended, by socket ID. */
  private readonly opened = new Map<number, Set<Job>>();

  constructor(settings: JobSettings) {
    this.settings = settings;
  }

  find(id: string): Job | undefined {
    return this.all.get(id);
  }

  /** The newest first. */
  newest(): Job[] {
    return [...this.all.values()].toReversed();
  }

  /** How many jobs a web client has opened that have not ended. */
  openedBy(opener: number): number {
    return this.opened.get(opener)?.size ?? 0;
  }

  /** Makes a job. Where there are too many, another goes. @throws Refused if none can. */
  add(job: Job): void {
    this.makeRoom(job);
    this.all.set(job.id, job);
    this.shareOf(job).live.add(job);
    if (!job.opener) return;
    const opened = this.opened.get(job.opener) ?? new Set();
    this.opened.set(job.opener, opened.add(job));
  }

  /** A web client has gone: its jobs of which nobody has heard are the first to go. It may be a page that is loaded again. */
  left(opener: number): void {
    for (const job of this.opened.get(opener) ?? []) if (!job.reported) this.abandoned.add(job);
    this.opened.delete(opener);
  }

  /** It was reported: it stands last in its group, whichever that is now. */
  moved(job: Job): void {
    this.leave(job);
    this.abandoned.delete(job);
    const { ended, live } = this.shareOf(job);
    (job.hasEnded ? ended : live).add(job);
    if (job.hasEnded) this.disown(job);
  }

  /** Looks what has stalled, and forgets what is too old. */
  due(now: number): Due {
    const { stalled, keepTime } = this.settings;
    const silent: Job[] = [];
    const deadlines: number[] = [];
    for (const share of [this.backends, this.web]) {
      for (const job of takeUntil(share.live, now - stalled * 1000)) {
        job.stall();
        share.stalled.add(job);
        silent.push(job);
      }
      for (const group of [share.stalled, share.ended]) {
        for (const job of takeUntil(group, now - keepTime * 1000)) this.remove(job);
        deadlines.push(deadlineOf(group, keepTime));
      }
      deadlines.push(deadlineOf(share.live, stalled));
    }
    const next = Math.min(...deadlines);
    return { stalled: silent, next: next === Infinity ? null : next };
  }

  /** @throws Refused */
  private makeRoom({ isWeb }: Job): void {
    const { keep } = this.settings;
    const half = Math.ceil(keep / 2);
    const isOver = isWeb && this.web.size >= half;
    if (!isOver && this.all.size < keep) return;
    const goes = isWeb ? this.leastOfWeb(half) : this.least();
    if (goes !== undefined) {
      this.remove(goes);
    } else if (isOver) {
      throw new Refused(
        `${half} jobs of web clients are waiting or running, half of [jobs] keep: there can be no more`,
      );
    } else if (isWeb) {
      throw new Refused(`${keep} jobs are known, all that [jobs] keep allows, and none of web clients that could go`);
    } else {
      throw new Refused(`${keep} jobs are waiting or running, [jobs] keep allows no more`);
    }
  }

  /** What goes for a job of a web client: of backends only what has ended, and only above their half. */
  private leastOfWeb(half: number): Job | undefined {
    const { web, backends } = this;
    const tooMany = this.web.size < half ? firstOf(backends.ended) : undefined;
    return firstOf(this.abandoned) ?? firstOf(web.ended) ?? firstOf(web.stalled) ?? tooMany;
  }

  /** What goes for a job of a backend: what runs for a web client only where else it would be refused. */
  private least(): Job | undefined {
    const { web, backends } = this;
    return (
      firstOf(this.abandoned) ??
      firstOf(web.ended) ??
      web.unreported ??
      firstOf(web.stalled) ??
      firstOf(backends.ended) ??
      firstOf(backends.stalled) ??
      firstOf(web.live)
    );
  }

  private shareOf({ isWeb }: Job): Share {
    return isWeb ? this.web : this.backends;
  }

  private remove(job: Job): void {
    this.leave(job);
    this.abandoned.delete(job);
    this.disown(job);
    this.all.delete(job.id);
  }

  private leave(job: Job): void {
    for (const group of this.shareOf(job).groups) group.delete(job);
  }

  /** It counts no more for who has opened it. */
  private disown(job: Job): void {
    if (!job.opener) return;
    const opened = this.opened.get(job.opener);
    opened?.delete(job);
    if (opened?.size === 0) this.opened.delete(job.opener);
  }
}

function firstOf(group: Set<Job>): Job | undefined {
  const [first] = group;
  return first;
}

/** Takes out of a group those whose last report was at `until` or before. */
function takeUntil(group: Set<Job>, until: number): Job[] {
  const taken: Job[] = [];
  for (const job of group) {
    if (job.changed > until) break;
    group.delete(job);
    taken.push(job);
  }
  return taken;
}

/** When something is due of the first of a group, `seconds` after its last report; Infinity: there is none. */
function deadlineOf(group: Set<Job>, seconds: number): number {
  const first = firstOf(group);
  return first === undefined ? Infinity : first.changed + seconds * 1000;
}
