/**
 * Loads the configuration: command line, environment, websock.ini and default, in this order, into typed values.
 *
 * Paths given in the ini, and default paths, are relative to the folder of the ini (without an ini: to the package's
 * folder); paths from the command line and the environment are relative to the working directory. '' stays ''.
 */
import { isUtf8 } from 'node:buffer';
import { readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { messageOf, WebsockError } from '../errors.ts';
import { printable } from '../log.ts';
import { BY_NAME, fullName, OF_RESOURCES, OPTIONS, REPEATED, type Values } from './options.ts';
import type { Option, Shape, Value } from './shapes.ts';
import {
  fromArgs,
  fromEnv,
  fromIni,
  type NamedSection,
  type Report,
  type ResourceSection,
  type Setting,
  type Settings,
} from './sources.ts';
import { allowedText, parseValue } from './values.ts';

/** Where to look. */
export interface ConfigSources {
  /** The ini to load, relative to `cwd`; it must exist. Default: WEBSOCK_CONFIG (must exist), or the first that exists of
   * `cwd`/websock.ini and `packageDir`/websock.ini, or none. */
  readonly file?: string;
  /** The command line: full name -> value. Default: empty. */
  readonly args?: Readonly<Record<string, string | boolean>>;
  /** Default: empty; the environment of the process is not looked at. */
  readonly env?: NodeJS.ProcessEnv;
  /** Absolute. */
  readonly cwd: string;
  /** Absolute: the folder of websock's package.json. */
  readonly packageDir: string;
}

/** A loaded configuration. */
export interface Config {
  readonly values: Values;
  /** The ini that was read, absolute; undefined: none. */
  readonly file: string | undefined;
  /** What relative paths of the ini and the defaults are relative to. */
  readonly dir: string;
  /** One line each, for the log. */
  readonly warnings: readonly string[];
  /** The sections `[/path]` of the ini. */
  readonly resources: readonly ResourceSection[];
  /** Where the value of `limits.maxPayload` or `tls.NAME.host` comes from, in words. */
  where(name: string): string;
  /** The error to throw when a value that could be parsed turns out not to be usable. */
  error(name: string, problem: string, allowed?: string): WebsockError;
}

/**
 * Loads it all.
 *
 * @throws WebsockError WEBSOCK_CONFIG: everything found wrong, one line each
 */
export function loadConfig(sources: ConfigSources): Config {
  const { args = {}, env = {}, cwd, packageDir } = sources;
  const report: Report = { errors: [], warnings: [] };
  const ini = findIni(sources.file, env, cwd, packageDir);
  const dir = ini === undefined ? packageDir : dirname(ini.file);
  const found =
    ini === undefined ? { settings: new Map(), named: [], resources: [] } : fromIni(ini.text, ini.file, dir, report);
  const loader = new Loader(report, dir);
  const top = loader.options([fromArgs(args, cwd, report), fromEnv(env, cwd, report), found.settings]);
  const named = loader.named(found.named);
  if (ini !== undefined && holdsSecret(found.settings, found.named)) warnIfReadable(ini.file, report);
  if (report.errors.length > 0) throw new WebsockError('WEBSOCK_CONFIG', report.errors.join('\n'));
  const where = (name: string): string => loader.places.get(name) ?? unset(name, ini?.file);
  return {
    // The table is where both this object and the type come from; no type can follow the loop that built it.
    values: { ...top, named } as unknown as Values,
    file: ini?.file,
    dir,
    warnings: report.warnings,
    resources: found.resources,
    where,
    error: (name, problem, allowed) =>
      new WebsockError('WEBSOCK_CONFIG', complaint(where(name), printable(problem), allowed)),
  };
}

/**
 * What the resource at `path` is set up by: the values of a section of the table, or the texts of its own section.
 * @returns a frozen object without a prototype: what is not in it is undefined, whatever its name.
 */
export function settingsOf(
  config: Pick<Config, 'values' | 'resources'>,
  path: string,
): Readonly<Record<string, Value>> {
  const typed = OF_RESOURCES.find((name) => path === `/${name}`);
  const own = typed === undefined ? config.resources.find((one) => one.path === path)?.settings : config.values[typed];
  return Object.freeze(Object.assign(Object.create(null) as Record<string, Value>, own));
}

/** Where a value would be set that is the default. */
function unset(name: string, file: string | undefined): string {
  if (file === undefined) return `default of ${name}`;
  const dot = name.lastIndexOf('.');
  return `${file}, ${dot === -1 ? '' : `[${name.slice(0, dot)}] `}${name.slice(dot + 1)} (not set)`;
}

function complaint(where: string, problem: string, allowed?: string): string {
  return `${where}: ${problem}${allowed === undefined ? '' : `; allowed: ${allowed}`}`;
}

/** Parses settings by their rows, noting where each value came from. */
class Loader {
  /** Full name -> where its value comes from. Names of defaults are not in it. */
  readonly places = new Map<string, string>();
  readonly #report: Report;
  readonly #dir: string;

  constructor(report: Report, dir: string) {
    this.#report = report;
    this.#dir = dir;
  }

  /** All options of the table, nested by section. `order`: the sources, the strongest first. */
  options(order: readonly Settings[]): Record<string, Value | Record<string, Value>> {
    const top: Record<string, Value> = {};
    const sections: Record<string, Record<string, Value>> = {};
    const set = (option: Option, value: Value): void => {
      if (option.section === '') top[option.key] = value;
      else (sections[option.section] ??= {})[option.key] = value;
    };
    const get = (name: string): Setting | undefined => order.find((settings) => settings.has(name))?.get(name);
    for (const option of OPTIONS as readonly Option[]) {
      const name = fullName(option.section, option.key);
      set(option, this.#value(option, name, get(name)));
    }
    for (const option of OPTIONS as readonly Option[]) {
      if (option.type !== 'secret' || option.fileKey === undefined) continue;
      const values = option.section === '' ? top : sections[option.section];
      values[option.key] = this.#secret(
        option,
        String(values[option.key]),
        String(values[option.fileKey]),
        option.fileKey,
      );
    }
    return { ...top, ...sections };
  }

  /** The repeated sections: kind -> its sections, in the order of the file. */
  named(found: readonly NamedSection[]): Record<string, Record<string, Value>[]> {
    const named: Record<string, Record<string, Value>[]> = {};
    for (const { section } of REPEATED) named[section] = [];
    for (const { kind, name, where, settings } of found) {
      const values: Record<string, Value> = { name };
      for (const shape of kind.keys) {
        const full = `${kind.section}.${name}.${shape.key}`;
        const setting = settings.get(shape.key);
        values[shape.key] = this.#value(shape, full, setting);
        if (setting !== undefined) continue;
        this.places.set(full, where);
        const required = 'required' in shape && shape.required === true;
        if (required) this.#report.errors.push(complaint(where, `${shape.key} is missing`, allowedText(shape)));
      }
      named[kind.section].push(values);
    }
    return named;
  }

  #value(shape: Shape, name: string, setting: Setting | undefined): Value {
    if (setting === undefined) return this.#resolved(shape, this.#dir, defaultOf(shape));
    this.places.set(name, setting.where);
    const textual =
      shape.type === 'string' || shape.type === 'path' || shape.type === 'secret' || shape.type === 'list';
    if (textual && setting.bare && /^(true|false|null)$/.test(setting.text)) {
      // ini makes true, false and null of them; a file of that name is hardly what was meant either.
      const problem = 'a bare true, false or null; put it into quotes if it is meant as text';
      this.#report.errors.push(complaint(setting.where, problem, allowedText(shape)));
      return defaultOf(shape);
    }
    const parsed = parseValue(shape, setting.text);
    if ('value' in parsed) return this.#resolved(shape, setting.base, parsed.value);
    const problem = shape.type === 'secret' ? 'it holds a control character' : `found ${quoted(parsed.bad)}`;
    this.#report.errors.push(complaint(setting.where, problem, allowedText(shape)));
    return defaultOf(shape);
  }

  #resolved(shape: Shape, base: string, value: Value): Value {
    return shape.type === 'path' && value !== '' ? resolve(base, String(value)) : value;
  }

  /** The secret: `own`, what the option itself says, or else the content of `file` (absolute, or ''), which `fileKey` says. */
  #secret(option: Option, own: string, file: string, fileKey: string): string {
    if (file === '') return own;
    const name = fullName(option.section, option.key);
    const where = this.places.get(fullName(option.section, fileKey)) ?? '';
    const { errors } = this.#report;
    if (own !== '') {
      errors.push(complaint(where, `${option.key} is set as well (${this.places.get(name)}); keep one of them`));
      return own;
    }
    this.places.set(name, `${where} (${file})`);
    try {
      const secret = readFileSync(file, 'utf8').trim();
      if (secret === '') errors.push(complaint(where, `${file} is empty`, 'a file of one line, the secret'));
      else if (printable(secret) !== secret) {
        errors.push(complaint(where, `${file} holds more than one line of text`, 'a file of one line, the secret'));
      } else warnIfReadable(file, this.#report);
      return secret;
    } catch (error) {
      errors.push(complaint(where, `${file} cannot be read: ${messageOf(error)}`));
      return '';
    }
  }
}

function defaultOf(shape: Shape): Value {
  return typeof shape.default === 'object' ? [...shape.default] : shape.default;
}

/** For a message: in quotes, control characters made visible, and not longer than a line. */
function quoted(text: string): string {
  return `'${printable(text.length > 100 ? `${text.slice(0, 100)}…` : text)}'`;
}

function holdsSecret(settings: Settings, named: readonly NamedSection[]): boolean {
  const isSecret = (type: string | undefined, text: string | undefined): boolean => type === 'secret' && text !== '';
  return (
    [...settings].some(([name, { text }]) => isSecret(BY_NAME.get(name)?.type, text)) ||
    named.some((one) => one.kind.keys.some(({ key, type }) => isSecret(type, one.settings.get(key)?.text ?? '')))
  );
}

function warnIfReadable(file: string, report: Report): void {
  const warning = readableByAll(file);
  if (warning !== null) report.warnings.push(warning);
}

/** What to say of a file that holds a secret and that everybody can read; null: nothing. */
export function readableByAll(file: string): string | null {
  // Windows has no such permission bits: there, every file looks readable by all.
  if (process.platform === 'win32' || (statSync(file).mode & 0o004) === 0) return null;
  return `${file}: it holds a secret and every user of this host can read it; chmod o-r ${file}`;
}

/** The ini to use and its text; undefined: there is none. */
function findIni(
  file: string | undefined,
  env: NodeJS.ProcessEnv,
  cwd: string,
  packageDir: string,
): { file: string; text: string } | undefined {
  const named = env['WEBSOCK_CONFIG'];
  const candidates: { path: string; source?: string }[] =
    file !== undefined
      ? [{ path: resolve(cwd, file), source: 'command line --config' }]
      : named !== undefined && named !== ''
        ? [{ path: resolve(cwd, named), source: 'environment WEBSOCK_CONFIG' }]
        : [{ path: resolve(cwd, 'websock.ini') }, { path: resolve(packageDir, 'websock.ini') }];
  for (const { path, source } of candidates) {
    const text = readText(path, source);
    if (text !== undefined) return { file: path, text };
  }
  return undefined;
}

/** `source`: who named the file; without one it need not be there, and undefined is returned. */
function readText(file: string, source?: string): string | undefined {
  const complain = (problem: string, cause?: unknown): WebsockError =>
    new WebsockError(
      'WEBSOCK_CONFIG',
      `${source === undefined ? '' : `${source}: `}${file} cannot be read: ${problem}`,
      { cause },
    );
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
    const missing = code === 'ENOENT' || code === 'ENOTDIR';
    if (missing && source === undefined) return undefined;
    throw complain(missing ? 'there is no such file' : messageOf(error), error);
  }
  if (!isUtf8(bytes)) throw complain('it is not UTF-8');
  return bytes.toString();
}
