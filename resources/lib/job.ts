import type { JobSettings, JobState, JobSummary, JobView, LogLine, Report } from './jobtypes.ts';

/** One job and its last state. */
export class Job {
  readonly id: string;
  readonly title: string;
  /** Socket ID of the web client that has opened it; 0: of one that has gone since; null: a backend has. */
  readonly opener: number | null;
  readonly opened: number;
  state: JobState = 'waiting';
  changed: number;
  /** Whether there was any report of it. */
  reported = false;
  private percent: number | null = null;
  private text = '';
  private result: unknown;
  private ended: number | null = null;
  private log: LogLine[] = [];
  private logSize = 0;
  private logDropped = 0;
  /** What {@link json} has said, as long as it is true: one who asks often gets much for little. */
  private written: string | undefined;

  constructor(id: string, title: string, opener: number | null, now: number) {
    this.id = id;
    this.title = title;
    this.opener = opener;
    this.opened = now;
    this.changed = now;
  }

  get hasEnded(): boolean {
    return this.ended !== null;
  }

  /** Whether it is a web client's. */
  get isWeb(): boolean {
    return this.opener !== null;
  }

  /** Takes a report. @returns what its watchers are told of it, beside opcode, job and time. */
  take({ kind, percent, text, result }: Report, settings: JobSettings, now: number): Record<string, unknown> {
    this.changed = now;
    this.reported = true;
    this.written = undefined;
    if (kind === 'log') {
      this.state = 'running';
      this.addLine({ at: now, text: text ?? '' }, settings);
      return { text };
    }
    this.text = text ?? this.text;
    this.percent = kind === 'done' ? 100 : (percent ?? this.percent);
    if (kind === 'progress') {
      this.state = 'running';
    } else {
      this.state = kind;
      this.ended = now;
      this.result = result;
    }
    return { percent: this.percent, text: this.text, ...(result === undefined ? {} : { result }) };
  }

  /** Nothing was heard of it for too long. */
  stall(): void {
    this.state = 'stalled';
    this.written = undefined;
  }

  /** Its {@link view}, as JSON. */
  json(): string {
    this.written ??= JSON.stringify(this.view());
    return this.written;
  }

  view(): JobView {
    const { result, log, logDropped } = this;
    return { ...this.summary(), ...(result === undefined ? {} : { result }), log, logDropped };
  }

  summary(): JobSummary {
    const { id, title, state, percent, text, opened, changed, ended } = this;
    return { id, title, state, percent, text, opened, changed, ended };
  }

  /** The oldest lines go where there are too many; the newest stays, however long. */
  private addLine(line: LogLine, { maxLog, maxLogSize }: JobSettings): void {
    this.log.push(line);
    this.logSize += sizeOf(line);
    while (this.log.length > 1 && (this.log.length > maxLog || this.logSize > maxLogSize)) {
      this.logSize -= sizeOf(this.log.shift() as LogLine);
      this.logDropped++;
    }
  }
}

/** Bytes that a line has in a state, with the comma that follows it. */
function sizeOf(line: LogLine): number {
  return Buffer.byteLength(JSON.stringify(line)) + 1;
}
