/** The table of all limits in SECURITY.md, from the table of options. */
import { OPTIONS, SECTIONS } from './options.ts';
import type { Option } from './shapes.ts';
import { allowedText, formatValue } from './values.ts';

const BEGIN = '<!-- limits: written by npm run ini -->';
const END = '<!-- end of the limits -->';
/** Sections whose numbers bound nothing. */
const OTHERS = new Set(['compression']);

/** Every option that bounds something: a number of bytes, seconds or things. */
export function limitOptions(): Option[] {
  const options: readonly Option[] = OPTIONS;
  const bounds = options.filter(({ type }) => type === 'size' || type === 'seconds' || type === 'integer');
  // In the order of websock.ini, where a section is in one piece.
  return Object.keys(SECTIONS).flatMap((name) => bounds.filter(({ section }) => section === name && !OTHERS.has(name)));
}

/**
 * `text` with the table that is between its two marks written anew.
 * @throws Error if the marks are not there.
 */
export function withLimits(text: string): string {
  const start = text.indexOf(BEGIN);
  const end = text.indexOf(END);
  if (start === -1 || end < start) throw new Error(`no ${BEGIN} … ${END}`);
  const rows = limitOptions().map((option) =>
    cells(`\`[${option.section}] ${option.key}\``, defaultText(option), allowedText(option), option.help),
  );
  const table = [cells('option', 'default', 'may be', 'what it bounds'), '|---|---|---|---|', ...rows].join('\n');
  return `${text.slice(0, start)}${BEGIN}\n\n${table}\n\n${text.slice(end)}`;
}

function defaultText(option: Option): string {
  if (option.default === 0 && 'zero' in option && option.zero !== undefined) return option.zero;
  const unit =
    option.type === 'seconds' ? ' s' : 'unit' in option && option.unit !== undefined ? ` ${option.unit}` : '';
  return formatValue(option, option.default) + unit;
}

function cells(...texts: string[]): string {
  return `| ${texts.map((text) => text.replaceAll('|', String.raw`\|`)).join(' | ')} |`;
}
