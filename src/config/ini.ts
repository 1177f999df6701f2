/**
 * The lines of websock.ini, checked one by one. The package `ini` never complains: it skips, cuts or converts what it does
 * not understand. Whatever it would lose in that way is a problem here that names the line. The values themselves are
 * decoded by it.
 */
import { unsafe } from 'ini';
import { printable } from '../log.ts';

export interface IniEntry {
  /** `''`, `limits`, `tls.NAME`, `/path`. */
  readonly section: string;
  readonly key: string;
  /** From 1. */
  readonly line: number;
  readonly text: string;
  /** Written without quotes. */
  readonly bare: boolean;
}

interface IniProblem {
  readonly line: number;
  readonly section: string;
  /** undefined: the line has no key to name. */
  readonly key?: string;
  readonly problem: string;
}

export interface IniFile {
  /** Every section that is opened, with the line of its first header. */
  readonly sections: ReadonlyMap<string, number>;
  readonly entries: readonly IniEntry[];
  readonly problems: readonly IniProblem[];
}

const OWN_LINE = 'a comment goes on a line of its own';
/** Names that mean something to JavaScript's objects; ini drops the first in silence. */
const RESERVED = new Set(['__proto__', 'constructor', 'prototype']);
/** All but the tab. ini's pattern for a line does not match the last two, so it would skip the line. */
// oxlint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f\u2028\u2029]/;

type Header = { readonly name: string } | { readonly problem: string };
type Line =
  | { readonly key?: string; readonly problem: string }
  | (Pick<IniEntry, 'text' | 'bare'> & { readonly key: string });

/** Reads the text of an ini file. A BOM and CRLF are taken. It does not know which sections and keys there should be. */
export function readIni(text: string): IniFile {
  const sections = new Map<string, number>();
  const entries: IniEntry[] = [];
  const problems: IniProblem[] = [];
  const keys = new Map<string, { section: string; key: string; line: number }>();
  // undefined after a header that cannot be used: whose the keys below it are is not known.
  let section: string | undefined = '';
  for (const [index, content] of text
    .replace(/^\uFEFF/, '')
    .split(/\r\n|\n|\r/)
    .entries()) {
    const line = index + 1;
    if (/^\s*([;#]|$)/.test(content)) continue;
    if (/^\s*\[/.test(content)) {
      const header = readHeader(content);
      if ('problem' in header) problems.push({ line, section: '', problem: header.problem });
      else if (!sections.has(header.name)) sections.set(header.name, line);
      section = 'name' in header ? header.name : undefined;
      continue;
    }
    const found = readLine(content);
    if ('problem' in found) problems.push({ line, section: section ?? '', key: found.key, problem: found.problem });
    if (found.key === undefined || section === undefined) continue;
    const id = JSON.stringify([section, found.key]);
    const first = keys.get(id);
    if (first !== undefined) {
      problems.push({ line, section, key: found.key, problem: `it is set in line ${first.line} already` });
    } else {
      keys.set(id, { section, key: found.key, line });
      if (!('problem' in found)) entries.push({ section, line, ...found });
    }
  }
  for (const one of keys.values()) {
    const clash = clashOf(one, sections);
    if (clash !== undefined) problems.push({ ...one, problem: clash });
  }
  return { sections, entries, problems: problems.toSorted((a, b) => a.line - b.line) };
}

/** `[limits]`, `[tls.NAME]`, `[/path]`. */
function readHeader(content: string): Header {
  const name = /^\[([^\]]*)\]\s*$/.exec(content)?.[1].trim();
  if (name === undefined) {
    if (/^\s/.test(content)) return { problem: 'a section begins at the start of its line, without spaces before [' };
    if (!content.includes(']')) return { problem: 'the section is never closed: ] is missing' };
    return { problem: `text after the section: ${OWN_LINE}` };
  }
  if (name === '') return { problem: 'the section has no name' };
  const parts = name.split('.');
  if (parts.some((part) => RESERVED.has(part))) return { problem: `[${name}] cannot be the name of a section` };
  if (/^\/[\w/~%@:+!$&()*,-]*$/.test(name)) return { name };
  // ini would take off quotes, read \ and ; in its own way, and make one more level of every dot.
  if (parts.length > 2 || !parts.every((part) => /^[\w-]+$/.test(part))) {
    return {
      problem: `[${printable(name)}] cannot be the name of a section; allowed: letters, digits, _ and -, and one dot as in [tls.NAME]; or a path, as in [/chat], without a dot`,
    };
  }
  return { name };
}

/** `key=value`. */
function readLine(content: string): Line {
  if (CONTROL.test(content)) return { problem: 'the line holds a control character' };
  const at = content.indexOf('=');
  if (at < 0) return { problem: 'the line has no =; allowed: key=value, [section], or a comment after ;' };
  const key = content.slice(0, at).trim();
  if (key === '') return { problem: 'there is no key before the =' };
  if (RESERVED.has(key)) return { problem: `${key} cannot be a key` };
  if (key.endsWith('[]')) {
    return { problem: `${key} would be an array; allowed: ${key.slice(0, -2)}= once, with a list separated by commas` };
  }
  // In a key, too, ini would take off quotes, cut at ; and #, and read \ in its own way.
  if (/[;#\\'"[\]]/.test(key)) return { problem: 'the key holds one of ; # \\ \' " [ ]' };
  const raw = content.slice(at + 1).trim();
  const problem = /^['"]/.test(raw) ? quotedProblem(raw) : bareProblem(raw);
  if (problem !== undefined) return { key, problem };
  const decoded: unknown = unsafe(raw);
  // In single quotes ini makes a number of '12' and null of 'null': what was written there is meant as it stands.
  const text = typeof decoded === 'string' ? decoded : raw.slice(1, -1);
  return { key, text, bare: !/^['"]/.test(raw) };
}

function quotedProblem(raw: string): string | undefined {
  const quote = raw[0];
  const whole = quote === "'" ? /^'[^']*'/.exec(raw)?.[0] : /^"(?:[^"\\]|\\.)*"/.exec(raw)?.[0];
  if (whole === undefined) return `the value begins with ${quote}, and no ${quote} ends it`;
  if (whole !== raw) {
    const holds =
      quote === "'" ? "a value that holds ' goes into double quotes" : 'a " inside the value is written \\"';
    return `text after the closing ${quote}: ${OWN_LINE}, and ${holds}`;
  }
  if (quote === "'") {
    if (!/^'\s*"(?:[^"\\]|\\.)*"\s*'$/.test(raw)) return undefined;
    return 'ini would take off both pairs of quotes; a value that is itself in " is written "\\"so\\""';
  }
  try {
    JSON.parse(raw);
    return undefined;
  } catch {
    return 'what is in double quotes is read as JSON, and it is not valid JSON: a \\ is written \\\\, or use single quotes';
  }
}

function bareProblem(raw: string): string | undefined {
  const sign = /^(?:[^;#\\]|\\.|\\$)*([;#])/.exec(raw)?.[1];
  if (sign === undefined) return undefined;
  return `${sign} outside quotes would cut the value off there: put the value into quotes; ${OWN_LINE}`;
}

/** ini keeps only one of a key and a section (or the first part of a section's name) that are called the same. */
function clashOf(of: { section: string; key: string }, sections: ReadonlyMap<string, number>): string | undefined {
  const name = of.section === '' ? of.key : `${of.section}.${of.key}`;
  for (const [section, line] of sections) {
    if (section === name || section.startsWith(`${name}.`)) return `[${section}] in line ${line} has the same name`;
  }
  return undefined;
}
