import type { Packet } from 'websock';
import type { Report, ReportKind } from './jobtypes.ts';
import { Refused } from './jobstore.ts';

/** An id: a UUID of version 4, which nobody can guess. */
export const ID = /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/;
/** What follows a text that was cut. */
const ELLIPSIS = '…';
/** Arrays and objects of a result that may be within each other: what writes JSON ends where the stack does. */
const LEVELS = 100;

/** A text, and how many bytes of it were cut off. */
export interface CutText {
  readonly text: string | undefined;
  readonly cut: number;
}

/** The fields of a form are texts, and those that are left empty say nothing. */
const isGiven = (value: unknown): boolean => value !== undefined && value !== null && value !== '';

/**
 * The id in a field; in capital letters it is the same.
 * @returns undefined: none was given.
 * @throws Refused
 */
export function readId(value: unknown, field: string): string | undefined {
  if (!isGiven(value)) return undefined;
  const id = typeof value === 'string' ? value.toLowerCase() : '';
  if (!ID.test(id)) throw new Refused(`${field} is not the id of a job, a UUID of version 4, which has 36 characters`);
  return id;
}

/**
 * Seconds, as a number or, in a form, a text.
 * @returns whatever else it is as it is: for who makes the ticket to refuse.
 */
export function readTtl(value: unknown): number | undefined {
  if (!isGiven(value)) return undefined;
  return (typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : value) as number;
}

/**
 * A text of at most `most` bytes; what is longer is cut at a character.
 * @throws Refused if it is no text.
 */
export function readText(value: unknown, field: string, most: number): CutText {
  if (value === undefined || value === null) return { text: undefined, cut: 0 };
  if (typeof value !== 'string') throw new Refused(`${field} is not a text`);
  if (value.length * 3 <= most) return { text: value, cut: 0 };
  const bytes = Buffer.from(value);
  if (bytes.length <= most) return { text: value, cut: 0 };
  let end = most - Buffer.byteLength(ELLIPSIS);
  // Not within a character: its further bytes begin with 10.
  while ((bytes[end] & 0xc0) === 0x80) end--;
  return { text: bytes.toString('utf8', 0, end) + ELLIPSIS, cut: bytes.length - end };
}

/**
 * The report in a packet.
 * @param kind its opcode.
 * @param most bytes of a text, and of the result as JSON.
 * @throws Refused
 */
export function readReport(kind: ReportKind, packet: Packet, most: number): { report: Report; cut: number } {
  const { text, cut } = readText(packet.text, 'text', most);
  const percent = kind === 'progress' ? readPercent(packet.percent) : undefined;
  if (kind === 'progress' && percent === undefined && text === undefined) {
    throw new Refused('progress needs percent, a number from 0 to 100, or text');
  }
  if (kind === 'log' && text === undefined) throw new Refused('log needs text');
  const result = kind === 'done' ? readResult(packet.result, most) : undefined;
  return { report: { kind, percent, text, result }, cut };
}

function readPercent(value: unknown): number | undefined {
  if (!isGiven(value)) return undefined;
  const isNumeric = typeof value === 'number' || (typeof value === 'string' && /^\d{1,3}(?:\.\d{1,20})?$/.test(value));
  const percent = isNumeric ? Number(value) : Number.NaN;
  if (percent >= 0 && percent <= 100) return percent;
  throw new Refused('percent is not a number from 0 to 100');
}

function readResult(value: unknown, most: number): unknown {
  if (value === undefined) return undefined;
  if (isDeeper(value, LEVELS)) {
    throw new Refused(`result is nested too deep, ${LEVELS} levels at most: the job is not done yet`);
  }
  const bytes = Buffer.byteLength(JSON.stringify(value));
  if (bytes > most) {
    throw new Refused(`result has ${bytes} bytes as JSON, [jobs] maxText allows ${most}: the job is not done yet`);
  }
  return value;
}

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((inner) => isDeeper(inner, levels - 1));
}
