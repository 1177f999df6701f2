/** Where settings come from: command line, environment, websock.ini. Each source becomes a map from full name to setting. */
import { printable } from '../log.ts';
import { type IniEntry, type IniFile, readIni } from './ini.ts';
import { distance, nearest } from './nearest.ts';
import { BY_NAME, envName, fullName, OF_RESOURCES, OPTIONS, REPEATED, SECTIONS } from './options.ts';
import type { Option, Repeated, Shape } from './shapes.ts';

/** A value as it was found, not yet parsed. */
export interface Setting {
  readonly text: string;
  /** In words, for a message. */
  readonly where: string;
  /** Absolute; paths are relative to it. */
  readonly base: string;
  /** From the ini and without quotes. */
  readonly bare?: boolean;
}

/** The sections that say who may do what: to pass over what is mistyped there would leave open what was meant to be closed. */
const STRICT: readonly string[] = ['auth', 'backend', 'security', 'tickets'];
/** Letters that the name of such a section may be off and still be meant for it. */
const MISTYPED = 2;

/** By full name, aliases resolved: `adress`, `limits.maxPayload`. */
export type Settings = Map<string, Setting>;

/** What is found wrong goes here, so that all of it is reported at once. */
export interface Report {
  readonly errors: string[];
  readonly warnings: string[];
}

/** One `[section.NAME]` of the ini. */
export interface NamedSection {
  readonly kind: Repeated;
  readonly name: string;
  /** In words, for a message. */
  readonly where: string;
  readonly settings: Settings;
}

const mainName = (option: Option): string => fullName(option.section, option.key);

/** Sets `option`, unless another of its spellings has set it in this source. */
function put(settings: Settings, option: Option, setting: Setting, report: Report): void {
  const name = mainName(option);
  const other = settings.get(name);
  if (other === undefined) settings.set(name, setting);
  else report.errors.push(`${setting.where}: the same option is set twice, as ${other.where} too; keep one of them`);
}

/** Why a secret may not be given on the command line, and where it goes. */
function secretAdvice(option: Option): string {
  const file =
    'fileKey' in option && option.fileKey !== undefined ? fullName(option.section, option.fileKey) : undefined;
  const place = option.section === '' ? 'websock.ini' : `[${option.section}] in websock.ini`;
  return `a secret is not taken from the command line, where every user of the host can read it; allowed: ${
    file === undefined ? '' : `--${file} FILE, `
  }the environment variable ${envName(mainName(option))}, or ${option.key}= under ${place}`;
}

/** `args`: full names and what the command line says of them. */
export function fromArgs(args: Record<string, string | boolean>, cwd: string, report: Report): Settings {
  const settings: Settings = new Map();
  for (const [name, value] of Object.entries(args)) {
    const where = `command line --${printable(name)}`;
    const option = BY_NAME.get(name);
    if (option === undefined) report.errors.push(`${where}: ${unknownOption(name)}`);
    else if (option.type === 'secret') report.errors.push(`${where}: ${secretAdvice(option)}`);
    else put(settings, option, { text: String(value), where, base: cwd }, report);
  }
  return settings;
}

/** What to say of a command line option that does not exist. `more`: further names that exist. */
export function unknownOption(name: string, more: readonly string[] = []): string {
  const spellings = new Map([...more, ...BY_NAME.keys()].map((known) => [known, `--${known}`]));
  // `--maxPayload` is nearer to what is meant than its letters are to `--limits.maxPayload`.
  for (const [known, { key }] of BY_NAME) if (!spellings.has(key)) spellings.set(key, `--${known}`);
  return `there is no such option; the nearest is ${nearest(name, spellings)}`;
}

/** The variables WEBSOCK_… of `env`; WEBSOCK_CONFIG is not an option but names the ini. */
export function fromEnv(env: NodeJS.ProcessEnv, cwd: string, report: Report): Settings {
  const settings: Settings = new Map();
  const options = new Map([...BY_NAME].map(([name, option]) => [envName(name), option]));
  for (const [name, text] of Object.entries(env)) {
    if (text === undefined || !name.startsWith('WEBSOCK_') || name === 'WEBSOCK_CONFIG') continue;
    const where = `environment ${printable(name)}`;
    const option = options.get(name);
    if (option !== undefined) {
      put(settings, option, { text, where, base: cwd }, report);
      continue;
    }
    const spellings = new Map([...options.keys(), 'WEBSOCK_CONFIG'].map((known) => [known, known]));
    for (const [known, { key }] of options) if (!spellings.has(envName(key))) spellings.set(envName(key), known);
    report.warnings.push(
      `${where}: there is no such option, it is ignored; the nearest is ${nearest(name, spellings)}`,
    );
  }
  return settings;
}

/** `[/path]` of the ini: what the resource at that path is set up by. */
export interface ResourceSection {
  readonly path: string;
  /** In words, for a message. */
  readonly where: string;
  /** As they are written, without quotes. */
  readonly settings: Readonly<Record<string, string>>;
}

/** The ini `file`, whose content is `text`; `dir` is its folder. */
export function fromIni(
  text: string,
  file: string,
  dir: string,
  report: Report,
): { settings: Settings; named: NamedSection[]; resources: ResourceSection[] } {
  const ini = readIni(text);
  for (const { line, section, key, problem } of ini.problems) {
    report.errors.push(`${placeOf(file, line, section, key)}: ${problem}`);
  }
  const settings: Settings = new Map();
  const named = new Map<string, NamedSection>();
  for (const [section, line] of ini.sections) {
    const [first, name] = section.split('.');
    const kind = REPEATED.find((one) => one.section === first);
    const where = placeOf(file, line, section);
    if (isPath(section)) continue;
    if (name !== undefined && kind !== undefined) named.set(section, { kind, name, where, settings: new Map() });
    else if (!Object.hasOwn(SECTIONS, section)) {
      const meant = STRICT.some((strict) => distance(first.slice(0, 100).toLowerCase(), strict) <= MISTYPED);
      report[meant ? 'errors' : 'warnings'].push(`${where}: ${unknownSection(section, meant)}`);
    }
  }
  for (const entry of ini.entries) {
    const where = placeOf(file, entry.line, entry.section, entry.key);
    const setting = { text: entry.text, where, base: dir, bare: entry.bare };
    const one = named.get(entry.section);
    const option = BY_NAME.get(fullName(entry.section, entry.key));
    const strict = STRICT.includes(entry.section.split('.')[0]);
    const unknown = report[strict ? 'errors' : 'warnings'];
    if (one !== undefined) {
      if (one.kind.keys.some(({ key }) => key === entry.key)) one.settings.set(entry.key, setting);
      else unknown.push(`${where}: ${unknownKey(entry, strict, one.kind.keys)}`);
    } else if (option !== undefined && option.section === entry.section) {
      put(settings, option, setting, report);
    } else if (Object.hasOwn(SECTIONS, entry.section)) {
      unknown.push(`${where}: ${unknownKey(entry, strict)}`);
    }
  }
  return { settings, named: [...named.values()], resources: resourceSections(ini, file, report) };
}

/** Whether it is a resource that a section is for. */
const isPath = (section: string): boolean => section.startsWith('/');

function resourceSections({ sections, entries }: IniFile, file: string, report: Report): ResourceSection[] {
  const found: ResourceSection[] = [];
  for (const [path, line] of sections) {
    if (!isPath(path)) continue;
    const where = placeOf(file, line, path);
    const typed = OF_RESOURCES.find((name) => path === `/${name}`);
    if (typed !== undefined)
      report.warnings.push(`${where}: it is ignored, for the resource at ${path} is set up by [${typed}]`);
    else {
      const own = entries.filter(({ section }) => section === path).map(({ key, text }) => [key, text]);
      found.push({ path, where, settings: Object.fromEntries(own) });
    }
  }
  return found;
}

/** `/x/websock.ini line 12, [limits] maxPayload` */
function placeOf(file: string, line: number, section: string, key?: string): string {
  const words = [section === '' ? '' : `[${section}]`, key === undefined ? '' : printable(key)].filter((w) => w !== '');
  return `${file} line ${line}${words.length === 0 ? '' : `, ${words.join(' ')}`}`;
}

/** @param strict it is not ignored. */
function unknownSection(section: string, strict: boolean): string {
  const known = Object.keys(SECTIONS).filter((name) => name !== '');
  const spellings = new Map(known.map((name) => [name, `[${name}]`]));
  for (const { section: name } of REPEATED) spellings.set(`${name}.NAME`, `[${name}.NAME]`);
  return `there is no such section${strict ? '' : ', it is ignored'}; the nearest is ${nearest(section, spellings)}`;
}

/**
 * Of equally near keys, those of the same section come first.
 * @param strict it is not ignored.
 * @param keys those of a repeated section.
 */
function unknownKey(entry: IniEntry, strict: boolean, keys?: readonly Shape[]): string {
  const spellings = new Map<string, string>();
  const add = (spelling: string, shown: string): void => {
    if (!spellings.has(spelling)) spellings.set(spelling, shown);
  };
  for (const { key } of keys ?? OPTIONS.filter(({ section }) => section === entry.section)) add(key, key);
  for (const [name, { section, key }] of keys === undefined ? BY_NAME : []) {
    const shown = section === entry.section ? key : `${key} ${section === '' ? 'at the top' : `in [${section}]`}`;
    add(name, shown);
    add(key, shown);
  }
  return `there is no such key${strict ? '' : ', it is ignored'}; the nearest is ${nearest(entry.key, spellings)}`;
}
