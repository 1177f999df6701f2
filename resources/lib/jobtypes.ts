/** `waiting`: for its first report. `stalled`: no report for `[jobs] stalled` seconds. `done`, `failed`: it has ended. */
export type JobState = 'waiting' | 'running' | 'stalled' | 'done' | 'failed';

/** What a report says: more of what is going on, or how it ended. */
export type ReportKind = 'progress' | 'log' | 'done' | 'failed';

/** What a report has said, checked. */
export interface Report {
  readonly kind: ReportKind;
  /** 0 to 100. */
  readonly percent?: number;
  readonly text?: string;
  /** Of `done`: anything that JSON holds. */
  readonly result?: unknown;
}

/** `[jobs]` of websock.ini. */
export interface JobSettings {
  /** Jobs. */
  readonly keep: number;
  /** Seconds since the last report. */
  readonly keepTime: number;
  /** Seconds since the last report. */
  readonly stalled: number;
  /** Lines. */
  readonly maxLog: number;
  /** Bytes of all lines of a job, as JSON. */
  readonly maxLogSize: number;
  /** Bytes. */
  readonly maxText: number;
  /** Jobs that have not ended. */
  readonly perClient: number;
}

/** A line of a job's log; `at` in Unix milliseconds. */
export interface LogLine {
  readonly at: number;
  readonly text: string;
}

/** A job without its log and result, as `list` shows it. Times in Unix milliseconds. */
export interface JobSummary {
  readonly id: string;
  readonly title: string;
  readonly state: JobState;
  /** 0 to 100; null: it was never said. */
  readonly percent: number | null;
  readonly text: string;
  readonly opened: number;
  /** When it was reported last; before the first report, when it was opened. */
  readonly changed: number;
  /** null: it has not. */
  readonly ended: number | null;
}

/** A whole job, as its watchers see it (PROTOCOL.md §5). */
export interface JobView extends JobSummary {
  /** What `done` has given; left out if nothing. */
  readonly result?: unknown;
  /** The newest lines, oldest first. */
  readonly log: readonly LogLine[];
  /** Older lines that are kept no more. */
  readonly logDropped: number;
}
