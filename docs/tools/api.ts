/**
 * Makes docs/API.md from the docstrings of the public API: `npm run api`. With `--check` it writes nothing. What is wrong is said
 * on stderr, a line each, and makes the exit code 1: a public name without a docstring, a type that nobody can import, a link that
 * leads nowhere, and with `--check` a file that is not current. `--entry FILE` looks at another module than ours, and for its
 * docstrings alone.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Application, type DeclarationReflection, Logger, LogLevel } from 'typedoc';
import { render } from './render.ts';
import { dropPrivate, undocumented } from './undocumented.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const FILE = join(ROOT, 'docs/API.md');
const PREFACE = `# The API

Made from the docstrings by \`npm run api\`: change those. How to use it all is in [resources/README.md](../resources/README.md) and
[src/client/README.md](../src/client/README.md).`;

/** What can be imported, by the name that it is imported by. */
const MODULES = new Map([
  ['src/index.ts', 'websock'],
  ['src/testing.ts', 'websock/testing'],
  ['src/client/index.ts', 'websock/client'],
]);
/** How test clients are made and kept: nothing that who tests a resource has to name. */
const PRIVATE = [
  'src/connection/registry.ts:Member',
  'src/connection/client.ts:ClientLink',
  'src/connection/requests.ts:RequestHost',
];

/** Keeps what typedoc complains of. */
class Complaints extends Logger {
  readonly texts: string[] = [];
  override log(message: string, level: LogLevel): void {
    if (level >= LogLevel.Warn) this.texts.push(message);
  }
  protected override addContext(message: string, _level: unknown, ..._where: unknown[]): string {
    return message;
  }
}

async function read(
  files: string[],
  internal: string[],
): Promise<{ modules: DeclarationReflection[]; problems: string[] }> {
  const app = await Application.bootstrap({
    // Wherever the sources come from, an archive for one.
    disableGit: true,
    sourceLinkTemplate: '{path}',
    entryPoints: files.map((file) => resolve(ROOT, file)),
    tsconfig: join(ROOT, 'docs/tools/tsconfig.json'),
    readme: 'none',
    basePath: ROOT,
    alwaysCreateEntryPointModule: true,
    excludePrivate: true,
    excludeInternal: true,
    excludeExternals: true,
    sort: ['source-order'],
    intentionallyNotExported: internal,
    validation: {
      notExported: true,
      invalidLink: true,
      notDocumented: false,
      unusedMergeModuleWith: false,
      rewrittenLink: false,
    },
  });
  const complaints = new Complaints();
  app.logger = complaints;
  const project = await app.convert();
  if (project === undefined) return { modules: [], problems: complaints.texts };
  dropPrivate(
    project,
    internal.map((name) => name.split(':')[1]),
  );
  app.validate(project);
  const modules = files.map((file) => moduleOf(project.children ?? [], file));
  return {
    modules,
    problems: [...complaints.texts, ...modules.flatMap(undocumented).map((name) => `no docstring: ${name}`)],
  };
}

/** The module that a file is, called as who imports it does. */
function moduleOf(found: readonly DeclarationReflection[], file: string): DeclarationReflection {
  const module = found.find(({ sources }) => sources?.[0]?.fullFileName === resolve(ROOT, file));
  if (module === undefined) throw new Error(`typedoc has no module for ${file}`);
  module.name = MODULES.get(file) ?? module.name;
  return module;
}

const { values } = parseArgs({ options: { check: { type: 'boolean' }, entry: { type: 'string' } } });
const { modules, problems } = await (values.entry === undefined
  ? read([...MODULES.keys()], PRIVATE)
  : read([values.entry], []));
if (values.entry === undefined && problems.length === 0) {
  const made = render(modules, PREFACE);
  if (values.check !== true) writeFileSync(FILE, made);
  else if (readFileSync(FILE, 'utf8') !== made) problems.push('docs/API.md is not current: npm run api');
}
for (const problem of problems) process.stderr.write(`${problem}\n`);
process.exitCode = problems.length > 0 ? 1 : 0;
