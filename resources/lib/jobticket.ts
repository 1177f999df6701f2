import type { Ticket } from 'websock';
import { ID } from './jobpackets.ts';

/** What the uuid in the ticket of a job begins with: no client has such a one. So it is good for no feedback, nor that of a page for a job. */
const OF_JOB = 'job:';
/** What follows the id where a web client has opened the job. */
const BY_WEB = ':web';

/** What a ticket says of its job. */
export interface Ticketed {
  /** Its id. */
  readonly id: string;
  /** Whether a web client has opened it. */
  readonly isWeb: boolean;
}

/** For whom the ticket of a job is made: `job:ID`, or `job:ID:web`. */
export const ticketUuid = ({ id, isWeb }: Ticketed): string => OF_JOB + id + (isWeb ? BY_WEB : '');

/** @returns null: it is the ticket of no job. */
export function readTicket({ uuid }: Ticket): Ticketed | null {
  if (!uuid.startsWith(OF_JOB)) return null;
  const isWeb = uuid.endsWith(BY_WEB);
  const id = uuid.slice(OF_JOB.length, isWeb ? -BY_WEB.length : undefined);
  return ID.test(id) ? { id, isWeb } : null;
}
