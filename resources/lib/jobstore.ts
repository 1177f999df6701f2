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

/** All jobs, bounded in number and in time. Each group is in the order of the last reports, the oldest first. */
export class JobStore {
  private readonly settings: JobSettings;
  private readonly all = new Map<string, Job>();
  /** Waiting or running. */
  private readonly live = new Set<Job>();
  private readonly stalled = new Set<Job>();
  private readonly ended = new Set<Job>();

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
    let count = 0;
    for (const job of this.live) if (job.opener === opener) count++;
    for (const job of this.stalled) if (job.opener === opener) count++;
    return count;
  }

  /**
   * Makes a job. Where there are too many, the one that ended first goes, or else the one that is stalled for longest.
   * @throws Refused if all of them are waiting or running.
   */
  add(job: Job): void {
    const { keep } = this.settings;
    if (this.all.size >= keep) {
      const [oldest] = this.ended.size > 0 ? this.ended : this.stalled;
      if (oldest === undefined) throw new Refused(`${keep} jobs are waiting or running, [jobs] keep allows no more`);
      this.remove(oldest);
    }
    this.all.set(job.id, job);
    this.live.add(job);
  }

  /** It was reported: it stands last in its group, whichever that is now. */
  moved(job: Job): void {
    this.leave(job);
    (job.hasEnded ? this.ended : this.live).add(job);
  }

  /** Looks what has stalled, and forgets what is too old. */
  due(now: number): Due {
    const { stalled, keepTime } = this.settings;
    const silent = takeUntil(this.live, now - stalled * 1000);
    for (const job of silent) {
      job.state = 'stalled';
      this.stalled.add(job);
    }
    for (const group of [this.stalled, this.ended]) {
      for (const job of takeUntil(group, now - keepTime * 1000)) this.all.delete(job.id);
    }
    const deadlines = [
      deadlineOf(this.live, stalled),
      deadlineOf(this.stalled, keepTime),
      deadlineOf(this.ended, keepTime),
    ].filter((deadline) => deadline !== null);
    return { stalled: silent, next: deadlines.length === 0 ? null : Math.min(...deadlines) };
  }

  private remove(job: Job): void {
    this.leave(job);
    this.all.delete(job.id);
  }

  private leave(job: Job): void {
    for (const group of [this.live, this.stalled, this.ended]) group.delete(job);
  }
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

/** When something is due of the first of a group, `seconds` after its last report. */
function deadlineOf(group: Set<Job>, seconds: number): number | null {
  const [first] = group;
  return first === undefined ? null : first.changed + seconds * 1000;
}
