/** How a job is told in words. Times are in milliseconds. */

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/**
 * `5 s`, `3 min 12 s`, `2 h 5 min`, `3 d 4 h`.
 * @param {number} milliseconds
 */
export function durationText(milliseconds) {
  const time = Math.max(0, milliseconds);
  if (time < MINUTE) return `${Math.floor(time / SECOND)} s`;
  const [large, name, small, smallName] =
    time < HOUR ? [MINUTE, 'min', SECOND, 's'] : time < DAY ? [HOUR, 'h', MINUTE, 'min'] : [DAY, 'd', HOUR, 'h'];
  return `${Math.floor(time / large)} ${name} ${Math.floor((time % large) / small)} ${smallName}`;
}

/**
 * The time of day, with the date where that is another one.
 * @param {number} at
 * @param {number} now
 */
export function clockText(at, now) {
  const date = new Date(at);
  const time = date.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: '2-digit' });
  return date.toDateString() === new Date(now).toDateString() ? time : `${date.toLocaleDateString()} ${time}`;
}

/** @param {number | null} percent */
export function percentText(percent) {
  return percent === null ? '' : `${Math.round(percent * 10) / 10} %`;
}

/**
 * It does not change with every second, for it may be read out.
 * @param {import('../lib/jobtypes.ts').JobSummary} job
 */
export function stateText({ state, opened, changed, ended }) {
  const took = durationText((ended ?? changed) - opened);
  switch (state) {
    case 'running':
      return 'Running';
    case 'stalled':
      return 'Stalled: nothing is heard of it';
    case 'done':
      return `Done in ${took}`;
    case 'failed':
      return `Failed after ${took}`;
    default:
      return 'Waiting for its first report';
  }
}

/** What goes into a report of each kind, as curl takes it. */
const FIELDS = {
  progress: "-d percent=50 -d text='half of it'",
  log: "-d text='a line for the log'",
  done: "-d text='all of it'",
  failed: "-d text='what went wrong'",
};

/**
 * One report as a shell types it.
 * @param {string} kind
 * @param {{ id: string, ticket: string | null, url: string }} job
 */
export function commandText(kind, { id, ticket, url }) {
  const fields = FIELDS[/** @type {keyof typeof FIELDS} */ (kind)];
  if (ticket === null) return `curl -d opcode=${kind} -d job=${id} ${fields} ${url}`;
  return `curl -H 'Authorization: Bearer ${ticket}' -d opcode=${kind} ${fields} ${url}`;
}
