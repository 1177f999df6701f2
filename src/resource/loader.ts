import { readdirSync } from 'node:fs';
import { basename, extname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createJiti } from 'jiti';
import { messageOf, stackOf } from '../errors.ts';
import { type MountOptions, mount } from './mount.ts';
import { Router } from './router.ts';

const EXTENSIONS = new Set(['.ts', '.js', '.mjs', '.cjs']);
const NOT_RESOURCES = /\.(?:d|test|spec)\.[cm]?[jt]s$/;
/** Seconds that a file may take to load: a top-level `await` that never ends must not keep the daemon from starting. */
const LOAD_TIMEOUT = 10;

/**
 * Where what was made of resources in TypeScript is kept: beside our own code, for who can write there needs no such way. Where
 * nobody may, as under systemd, each start makes it anew, which takes 0.3 s.
 */
const CACHE = fileURLToPath(new URL('../../dist/.resources', import.meta.url));

/** A file that is not served, and why. */
export interface Refused {
  readonly file: string;
  /** With the line, where it is known. */
  readonly why: string;
}

export interface LoadOptions extends MountOptions {
  /** The folder; its subfolders are not looked into. */
  readonly folder: string;
  /** Those of its files that are loaded; default: all that should be resources. */
  readonly files?: readonly string[];
  /** What is served already; default: nothing. */
  readonly router?: Router;
  /** What `import 'websock'` gives, in whatever folder the file lies. */
  readonly api: Readonly<Record<string, unknown>>;
}

/**
 * Loads the resources of a folder: the default export of each `.ts`, `.js`, `.mjs` and `.cjs` file in it, in the order of their
 * names. What is wrong with one does not keep the others from being served.
 * @throws Error if the folder cannot be read.
 */
export async function loadResources(options: LoadOptions): Promise<{ router: Router; refused: Refused[] }> {
  const { folder, files = resourceFiles(folder), router = new Router() } = options;
  const refused: Refused[] = [];
  const owners = new Map<string, string>();
  const jiti = createJiti(join(folder, sep), {
    fsCache: CACHE,
    moduleCache: false,
    virtualModules: { websock: options.api },
  });
  for (const name of files) {
    const file = join(folder, name);
    try {
      const exported = await inTime(jiti.import(file, { default: true }));
      const route = mount(exported, pathOfFile(name), options);
      if (!router.add(route)) {
        throw new Error(`its path ${route.path} is taken by ${owners.get(route.path) ?? 'another resource'}`);
      }
      owners.set(route.path, name);
    } catch (error) {
      refused.push({ file, why: describe(error, file) });
    }
  }
  return { router, refused };
}

/** The files of a folder that should be resources. @throws Error if it cannot be read. */
export function resourceFiles(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => !entry.isDirectory() && EXTENSIONS.has(extname(entry.name)))
    .map((entry) => entry.name)
    .filter((name) => !NOT_RESOURCES.test(name) && !name.startsWith('.'))
    .toSorted();
}

/** `default.ts` is `/`, `web.ts` is `/web`. */
function pathOfFile(name: string): string {
  const stem = basename(name, extname(name));
  return stem === 'default' ? '/' : `/${stem}`;
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
  const stack = stackOf(error) ?? '';
  const at = stack.indexOf(`${file}:`);
  const line = at === -1 ? undefined : /^\d+/.exec(stack.slice(at + file.length + 1))?.[0];
  return line === undefined ? text : `${text} (line ${line})`;
}
