import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, extname, isAbsolute } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Headers } from '../wire/head.ts';
import { EXAMPLES_INDEX, exampleIndex, examplePages } from './examples.ts';
import { CONSOLE_HEADERS, PAGE_HEADERS } from './headers.ts';

/** A file that the daemon serves below `/_websock/`. */
interface AssetRow {
  /** All of the path of the URL. */
  readonly path: string;
  /** Relative to the folder of the package; or of a package that it depends on. */
  readonly file: string;
  readonly type: string;
  readonly headers: Headers;
}

/** A file as it is served: read once, at start. */
export interface Asset {
  readonly type: string;
  readonly body: Buffer;
  /** By its content, in quotes. */
  readonly etag: string;
  readonly headers: Headers;
  /** For whoever may see the console alone. */
  readonly forConsole: boolean;
}

/** By path. */
export type Assets = ReadonlyMap<string, Asset>;

const PAGE = 'text/html; charset=utf-8';
const SCRIPT = 'text/javascript; charset=utf-8';
const STYLE = 'text/css; charset=utf-8';
/** By the end of a file's name. */
const TYPES: Readonly<Record<string, string>> = {
  '.html': PAGE,
  '.js': SCRIPT,
  '.css': STYLE,
  '.svg': 'image/svg+xml',
};
/** Pages of every site load it, isolated ones too; it is asked for each time, for the next daemon may have another. */
const LIBRARY: Headers = {
  'Cache-Control': 'no-cache',
  'Cross-Origin-Resource-Policy': 'cross-origin',
  'X-Content-Type-Options': 'nosniff',
};

const FOLDER = 'dist/console';

/** The page of /jobs, which looks as the console does. */
const JOBS_FILES = [
  ...['palette.css', 'theme.css', 'icon.svg'].map((name) => `${FOLDER}/${name}`),
  ...['jobs.css', 'jobs.js', 'jobcard.js', 'jobmemory.js', 'jobwords.js'].map((name) => `resources/pages/${name}`),
];

const ROWS: readonly AssetRow[] = [
  { path: '/_websock/client.js', file: 'dist/client/client.js', type: SCRIPT, headers: LIBRARY },
  { path: '/_websock/client.classic.js', file: 'dist/client/client.classic.js', type: SCRIPT, headers: LIBRARY },
  ...JOBS_FILES.map((file) => {
    return { path: `/_websock/${basename(file)}`, file, type: TYPES[extname(file)], headers: PAGE_HEADERS };
  }),
];

/** What the console is made of (src/console). */
function consoleRows(): AssetRow[] {
  const own = readdirSync(urlOf(FOLDER)).flatMap((name): AssetRow[] => {
    const type = TYPES[extname(name)];
    const path = `/_websock/${name === 'index.html' ? '' : name}`;
    const isForAll = ROWS.some((row) => row.path === path);
    return type === undefined || isForAll ? [] : [{ path, file: `${FOLDER}/${name}`, type, headers: CONSOLE_HEADERS }];
  });
  const { resolve } = createRequire(import.meta.url);
  return [
    ...own,
    { path: '/_websock/uplot.js', file: resolve('uplot/dist/uPlot.esm.js'), type: SCRIPT, headers: CONSOLE_HEADERS },
    { path: '/_websock/uplot.css', file: resolve('uplot/dist/uPlot.min.css'), type: STYLE, headers: CONSOLE_HEADERS },
  ];
}

/**
 * Reads the files, those of the library, of the console and of examples.
 * @param console whether there is one.
 * @param examples the names of those that are served.
 * @throws Error if one of them is not there: the package was not built.
 */
export function readAssets(console: boolean, examples: readonly string[]): Assets {
  const assets = new Map<string, Asset>();
  const add = ({ path, type, headers }: Omit<AssetRow, 'file'>, body: Buffer, forConsole = false): void => {
    const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
    assets.set(path, { type, body, etag, headers, forConsole });
  };
  for (const row of ROWS) add(row, readFileSync(urlOf(row.file)));
  if (console) for (const row of consoleRows()) add(row, readFileSync(urlOf(row.file)), true);
  if (examples.length > 0) {
    for (const { path, file } of examplePages(examples)) {
      add({ path, type: TYPES[extname(file)], headers: PAGE_HEADERS }, readFileSync(file));
    }
    add({ path: EXAMPLES_INDEX, type: PAGE, headers: PAGE_HEADERS }, Buffer.from(exampleIndex(examples)));
  }
  return assets;
}

/** Of a file of the package, or an absolute path. */
function urlOf(file: string): URL {
  return isAbsolute(file) ? pathToFileURL(file) : new URL(`../../${file}`, import.meta.url);
}

/** Whether an If-None-Match header names an ETag; weak or not does not matter to it (RFC 9110 §13.1.2). */
export function isNamed(etag: string, header = ''): boolean {
  return header.trim() === '*' || header.split(',').some((one) => one.trim().replace(/^W\//, '') === etag);
}
