/** The options of `[jobs]`: the bundled resource of that name. */
import { KiB, MANY, row } from './rows.ts';
import type { Option } from './shapes.ts';

/** Seconds. */
const DAY = 86_400;

export const JOBS_OPTIONS = [
  row(
    'jobs',
    'keep',
    { type: 'integer', default: 1000, min: 1, max: 100_000, unit: 'jobs', reloadable: false },
    'The most jobs that are known. One more, and another is forgotten: of web clients, which have half of them at most, before any of a backend, and ended ones before stalled ones. If none can go, none can be opened.',
  ),
  row(
    'jobs',
    'keepTime',
    { type: 'seconds', default: DAY, min: 1, max: 366 * DAY, reloadable: false },
    'How long a job that has ended, or is stalled, is kept after the last report of it.',
  ),
  row(
    'jobs',
    'stalled',
    { type: 'seconds', default: 60, min: 0.1, max: DAY, reloadable: false },
    'How long a job that has not ended may be without a report until it is shown as stalled.',
  ),
  row(
    'jobs',
    'maxLog',
    { type: 'integer', default: 200, min: 1, max: 10_000, unit: 'lines', reloadable: false },
    'The most log lines that are kept of a job. One more, and the oldest is dropped.',
  ),
  row(
    'jobs',
    'maxLogSize',
    { type: 'size', default: 64 * KiB, min: KiB, max: 512 * KiB, reloadable: false },
    'What the log lines of a job may have together, as JSON. If it is more, the oldest are dropped. A state that is sent holds all of them.',
  ),
  row(
    'jobs',
    'maxText',
    { type: 'size', default: 4 * KiB, min: 16, max: 64 * KiB, reloadable: false },
    'The longest text of a report, or title, in bytes. What is longer is cut.',
  ),
  row(
    'jobs',
    'perClient',
    { type: 'integer', default: 20, min: 0, max: MANY, unit: 'jobs', reloadable: false },
    'The most jobs that one web client may have opened and that have not ended; who connects again begins anew, within the half of keep. 0: web clients open none.',
  ),
] as const satisfies readonly Option[];
