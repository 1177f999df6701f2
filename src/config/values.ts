/** Text to values and back: what each type of option accepts, and how that is said to a person. */
import ipaddr from 'ipaddr.js';
import { printable } from '../log.ts';
import type { Shape, Value } from './shapes.ts';

const UNITS = [
  ['GiB', 1024 ** 3],
  ['MiB', 1024 ** 2],
  ['KiB', 1024],
] as const;

type NumberShape = Extract<Shape, { min: number }>;

/** What became of a text: its value, or the part of it that cannot be used. */
type Parsed = { readonly value: Value } | { readonly bad: string };

/** The value that `text` stands for, by the rules of `shape`. Paths are left as they are written. */
export function parseValue(shape: Shape, text: string): Parsed {
  switch (shape.type) {
    case 'boolean':
      return text === 'true' || text === 'false' ? { value: text === 'true' } : { bad: text };
    case 'enum': {
      const value = shape.values.find((one) => String(one) === text);
      return value === undefined ? { bad: text } : { value };
    }
    case 'integer':
    case 'size':
    case 'seconds':
      return parseNumber(shape, text);
    case 'list':
      return parseList(shape, text);
    default:
      // Text. A line break or a NUL in any of these is an accident that would show up far from here.
      return printable(text) !== text || (shape.required && text.trim() === '') ? { bad: text } : { value: text };
  }
}

function parseNumber(shape: NumberShape, text: string): Parsed {
  const value = toNumber(shape.type, text);
  if (value === undefined) return { bad: text };
  const taken = (value >= shape.min && value <= shape.max) || (value === 0 && shape.zero !== undefined);
  return taken ? { value } : { bad: text };
}

function toNumber(type: NumberShape['type'], text: string): number | undefined {
  if (type === 'size') {
    const match = /^(\d{1,15}) ?(KiB|MiB|GiB)?$/.exec(text);
    if (match === null) return undefined;
    return Number(match[1]) * (UNITS.find(([unit]) => unit === match[2])?.[1] ?? 1);
  }
  return (type === 'seconds' ? /^\d{1,15}(\.\d{1,15})?$/ : /^\d{1,15}$/).test(text) ? Number(text) : undefined;
}

function parseList(shape: Extract<Shape, { type: 'list' }>, text: string): Parsed {
  if (text.trim() === '') return { value: [] };
  const items = text.split(',').map((item) => item.trim());
  const bad = items.find(
    (item) =>
      item === '' ||
      printable(item) !== item ||
      (shape.values !== undefined && !shape.values.includes(item)) ||
      (shape.items === 'range' && !isRange(item)),
  );
  return bad === undefined ? { value: items } : { bad };
}

/** Whether `text` is an address (`10.0.0.1`, `::1`) or a range of addresses (`10.0.0.0/8`). */
function isRange(text: string): boolean {
  const [address, , more] = text.split('/');
  if (more !== undefined || address.includes('%')) return false;
  // The short forms of IPv4 (`10.1` for 10.0.0.1) surprise more often than they serve.
  if (!address.includes(':') && !ipaddr.IPv4.isValidFourPartDecimal(address)) return false;
  return text === address ? ipaddr.isValid(text) : ipaddr.isValidCIDR(text);
}

/** How a value is written in websock.ini, without quotes: `1MiB`, `same,loopback`. */
export function formatValue(shape: Shape, value: Value | readonly string[]): string {
  if (shape.type === 'size' && typeof value === 'number') return formatSize(value);
  return Array.isArray(value) ? value.join(',') : String(value);
}

/** `bytes` in the largest unit that leaves no rest. */
export function formatSize(bytes: number): string {
  const unit = UNITS.find(([, size]) => bytes >= size && bytes % size === 0);
  return unit === undefined ? String(bytes) : `${bytes / unit[1]}${unit[0]}`;
}

/** What the option accepts, in words. */
export function allowedText(shape: Shape): string {
  switch (shape.type) {
    case 'boolean':
      return 'true or false';
    case 'enum':
      return anyOf(shape.values.map(String));
    case 'integer':
      return rangeText(shape, `${shape.min} to ${shape.max}${shape.unit === undefined ? '' : ` ${shape.unit}`}`);
    case 'size':
      return rangeText(shape, `${formatSize(shape.min)} to ${formatSize(shape.max)}`);
    case 'seconds':
      return rangeText(shape, `${shape.min} to ${shape.max} seconds`);
    case 'list':
      if (shape.values !== undefined) return `any of ${shape.values.join(', ')}, separated by commas`;
      if (shape.items === 'range') return 'addresses and ranges as in 10.0.0.0/8, separated by commas';
      return 'a list separated by commas';
    case 'path':
      return shape.required ? 'a path' : 'a path, or empty';
    default:
      return shape.required ? 'text' : 'text, or empty';
  }
}

function rangeText(shape: NumberShape, range: string): string {
  return shape.zero === undefined ? range : `0 (${shape.zero}), or ${range}`;
}

function anyOf(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}
