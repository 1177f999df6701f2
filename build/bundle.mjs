// What the compiler leaves to do: the program and the browser's library as a few files each, and the console's page.
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

const common = { bundle: true, logLevel: 'warning' };

/** The library for pages: an ES module, and a classic script. */
async function library() {
  const entryPoints = ['src/client/index.ts'];
  const options = { ...common, entryPoints, minify: true, target: 'es2020' };
  await build({ ...options, format: 'esm', outfile: 'dist/client/client.js' });
  await build({ ...options, format: 'iife', globalName: 'websock', outfile: 'dist/client/client.classic.js' });
}

/**
 * The program. As modules of their own, its files and those of its dependencies take half of a start: to find, read and
 * parse some seven hundred. It lies one folder below dist/, as its modules do: what they name relative to themselves is there.
 * Not in it are what has files of its own to load (jiti), and what is only read or seldom needed (uplot, ws).
 */
async function program() {
  const { metafile } = await build({
    ...common,
    entryPoints: ['src/run.ts'],
    outdir: 'dist',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    splitting: true,
    chunkNames: 'program/[name]-[hash]',
    external: ['jiti', 'uplot', 'ws'],
    // Dependencies in CommonJS ask for Node's own modules.
    banner: {
      js: "import { createRequire as toRequire } from 'node:module';\nconst require = toRequire(import.meta.url);",
    },
    sourcemap: true,
    sourcesContent: false,
    metafile: true,
  });
  const packages = Object.keys(metafile.inputs).flatMap(
    (file) => /^node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? [],
  );
  writeFileSync('dist/program/LICENSES.txt', [...new Set(packages)].toSorted().map(licence).join('\n\n'));
}

/** What those ask for whose code goes along. */
function licence(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const file = readdirSync(folder).find((one) => /^licen[cs]e/i.test(one));
  return `${name} ${version}, ${license}\n\n${file === undefined ? '' : readFileSync(join(folder, file), 'utf8').trim()}\n`;
}

/** The console, as it is. */
function page() {
  cpSync('src/console', 'dist/console', { recursive: true, filter: (file) => !/\.(?:ts|json)$/.test(file) });
}

await Promise.all([library(), program()]);
page();
