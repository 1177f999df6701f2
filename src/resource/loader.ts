import { readdirSync } from 'node:fs';
import { basename, extname, join, sep } from 'node:path';
import { createJiti } from 'jiti';
import type { Scheme } from '../connection/client.ts';
import { type Callbacks, engineOptions, type Route } from '../connection/route.ts';
import { messageOf } from '../errors.ts';
import { Router } from './router.ts';
import type { Server } from './server.ts';

const EXTENSIONS = new Set(['.ts', '.js', '.mjs', '.cjs']);
const NOT_RESOURCES = /\.(?:d|test|spec)\.[cm]?[jt]s$/;
const SCHEMES: readonly Scheme[] = ['ws', 'wss', 'tcp', 'ssl'];
const REQUIRED = ['onData', 'onClose', 'onError', 'onOther'] as const;
/** Seconds that a file may take to load: a top-level `await` that never ends must not keep the daemon from starting. */
const LOAD_TIMEOUT = 10;

/** A file that is not served, and why. */
export interface Refused {
  readonly file: string;
  /** With the line, where it is known. */
  readonly why: string;
}

export interface LoadOptions {
  /** The folder; its subfolders are not looked into. */
  readonly folder: string;
  /** What `import 'websock'` gives, in whatever folder the file lies. */
  readonly api: Readonly<Record<string, unknown>>;
  /** Bounds of the messages that resources take. */
  readonly values: { readonly maxPayload: number; readonly maxFragments: number };
  /** The daemon, as the resource at `path` in `app` sees it. */
  readonly serverFor: (path: string, app: string) => Server;
}

/** A class of a resource file, as far as it can be trusted before it is checked. */
interface ResourceClass {
  new (): Callbacks & { registerServer?: (server: Server) => void };
  path?: unknown;
  accepts?: unknown;
  app?: unknown;
  dialog?: unknown;
  text?: unknown;
  buffers?: unknown;
}

/**
 * Loads every resource of a folder: the default export of each `.ts`, `.js`, `.mjs` and `.cjs` file in it, in the order of their
 * names. What is wrong with one does not keep the others from being served.
 * @throws Error if the folder cannot be read.
 */
export async function loadResources(options: LoadOptions): Promise<{ router: Router; refused: Refused[] }> {
  const router = new Router();
  const refused: Refused[] = [];
  const owners = new Map<string, string>();
  const jiti = createJiti(join(options.folder, sep), {
    fsCache: false, // a service may not write anywhere
    moduleCache: false,
    virtualModules: { websock: options.api },
  });
  const files = readdirSync(options.folder, { withFileTypes: true })
    .filter((entry) => !entry.isDirectory() && EXTENSIONS.has(extname(entry.name)))
    .map((entry) => entry.name)
    .filter((name) => !NOT_RESOURCES.test(name) && !name.startsWith('.'))
    .toSorted();
  for (const name of files) {
    const file = join(options.folder, name);
    try {
      const exported = await inTime(jiti.import(file, { default: true }));
      const route = makeRoute(exported, pathOfFile(name), options);
      const owner = owners.get(route.path);
      if (owner !== undefined) throw new Error(`its path ${route.path} is taken by ${owner}`);
      router.add(route);
      owners.set(route.path, name);
    } catch (error) {
      refused.push({ file, why: describe(error, file) });
    }
  }
  return { router, refused };
}

/** `default.ts` is `/`, `web.ts` is `/web`. */
function pathOfFile(name: string): string {
  const stem = basename(name, extname(name));
  return stem === 'default' ? '/' : `/${stem}`;
}

/**
 * Makes one instance of a class, and the route to it.
 * @throws Error that says what the class lacks.
 */
export function makeRoute(exported: unknown, defaultPath: string, options: Omit<LoadOptions, 'folder' | 'api'>): Route {
  if (!isClass(exported)) {
    throw new Error('its default export is not a class: write "export default class Name extends Resource { … }"');
  }
  const path = textOf(exported, 'path', defaultPath);
  if (!/^\/[^\s?#]*$/.test(path)) throw new Error(`its path '${path}' does not begin with / or holds a blank, ? or #`);
  const app = textOf(exported, 'app', path);
  const dialog = choiceOf(exported, 'dialog', [true, false]);
  const text = choiceOf(exported, 'text', ['string', 'buffer']);
  const buffers = choiceOf(exported, 'buffers', ['owned', 'borrowed']);
  const accepts = acceptsOf(exported);
  // Looked for on the instance: a class may also make its methods as fields, arrow functions.
  const resource = new exported();
  const lacking = REQUIRED.filter((name) => typeof resource[name] !== 'function');
  if (lacking.length > 0) throw new Error(`it has no method ${lacking.join(', ')}: write it, or extend Resource`);
  resource.registerServer?.(options.serverFor(path, app));
  return {
    path,
    app,
    accepts,
    dialog,
    textAsBuffer: text === 'buffer',
    borrowed: buffers === 'borrowed',
    engineOptions: engineOptions(options.values, dialog),
    resource,
  };
}

function isClass(value: unknown): value is ResourceClass {
  if (typeof value !== 'function') return false;
  // What an old compiler made of a class is a function with methods in its prototype.
  return /^class\b/.test(Function.prototype.toString.call(value)) || typeof value.prototype?.onData === 'function';
}

function textOf(exported: ResourceClass, name: 'path' | 'app', fallback: string): string {
  const value = exported[name];
  if (value === undefined) return fallback;
  if (typeof value !== 'string' || value === '') throw new Error(`its static ${name} is not a text`);
  return value;
}

/** The first choice is the default. */
function choiceOf<Value extends string | boolean>(
  exported: ResourceClass,
  name: 'dialog' | 'text' | 'buffers',
  choices: readonly Value[],
): Value {
  const value = exported[name] ?? choices[0];
  if (choices.includes(value as Value)) return value as Value;
  throw new Error(`its static ${name} is ${String(value)}: it may be ${choices.join(' or ')}`);
}

function acceptsOf(exported: ResourceClass): ReadonlySet<Scheme> {
  const value = exported.accepts ?? SCHEMES;
  const valid = Array.isArray(value) && value.length > 0 && value.every((scheme) => SCHEMES.includes(scheme));
  if (!valid) throw new Error(`its static accepts is ${JSON.stringify(value)}: a list of ${SCHEMES.join(', ')}`);
  return new Set(value as Scheme[]);
}

function inTime<Value>(loading: Promise<Value>): Promise<Value> {
  let timer: NodeJS.Timeout;
  const late = new Promise<never>((_, fail) => {
    timer = setTimeout(
      () => fail(new Error(`it was not loaded within ${LOAD_TIMEOUT} s: does a top-level await end?`)),
      LOAD_TIMEOUT * 1000,
    );
  });
  return Promise.race([loading, late]).finally(() => clearTimeout(timer));
}

/** What went wrong, with its line in `file`, which a stack or a parser's message tells. */
function describe(error: unknown, file: string): string {
  const text = messageOf(error)
    .replaceAll(/\s*\n\s*/g, ' ')
    .trim();
  if (text.includes(file)) return text;
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  const at = stack.indexOf(`${file}:`);
  const line = at === -1 ? undefined : /^\d+/.exec(stack.slice(at + file.length + 1))?.[0];
  return line === undefined ? text : `${text} (line ${line})`;
}
