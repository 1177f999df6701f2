/** `websock init`: a folder to begin with. */
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { iniText } from '../config/initext.ts';
import { WebsockError } from '../errors.ts';
import { type Command, readCommand } from './options.ts';
import { unitText } from './unit.ts';

const PACKAGE = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');
const RUN = join(PACKAGE, 'dist/run.js');

export const INIT: Command = {
  name: 'init',
  usage: '[dir]',
  about: `Makes what an installation begins with, in dir (default: here):

  websock.ini         every option with its default and what it means
  resources/          /, /web, /php and /jobs, and greet.mjs, an app of your own to change
  test/               the test of greet.mjs: node --test
  websock.service     a unit for systemd; its first lines say how to install it
  node_modules/       a link to this websock, for the tests and your editor

A file that is there already is left as it is.`,
  flags: {},
  notes: 'Exit codes: 0 all is there, 1 something could not be written, 2 this command line is wrong.',
};

/**
 * Runs it.
 * @throws WebsockError
 */
export function init(argv: readonly string[]): number {
  const { positionals } = readCommand(INIT, argv);
  if (positionals.length > 1) throw new WebsockError('WEBSOCK_CONFIG', 'give one folder, or none: [dir]');
  const dir = resolve(positionals[0] ?? '.');
  const files = new NewFiles(dir);
  try {
    fill(files);
  } catch (error) {
    const { message, path = dir } = error as NodeJS.ErrnoException;
    throw new WebsockError('WEBSOCK_START', `${path} cannot be written: ${message}`, { cause: error });
  }
  // npx calls it by its name, too, where there is none to call it by afterwards.
  const isInstalled = basename(process.argv[1]) === 'websock' && process.env.npm_command !== 'exec';
  const websock = isInstalled ? 'websock' : `node ${RUN}`;
  const where = dir === resolve('.') ? '' : `cd ${dir} && `;
  process.stdout.write(`\nRun it:   ${where}${websock} -console\nTest it:  ${where}node --test\n`);
  return 0;
}

function fill(files: NewFiles): void {
  files.write('websock.ini', iniText());
  for (const name of ['default.ts', 'web.ts', 'php.ts', 'jobs.ts'])
    copyResource(files, join(PACKAGE, 'resources', name));
  for (const name of readdirSync(join(PACKAGE, 'resources/lib')).toSorted()) {
    files.write(`resources/lib/${name}`, textOf(`resources/lib/${name}`));
  }
  copyResource(files, join(PACKAGE, 'init/resources/greet.mjs'));
  files.write('test/greet.test.mjs', textOf('init/test/greet.test.mjs'));
  const places = { node: process.execPath, run: RUN, ini: join(files.dir, 'websock.ini'), package: PACKAGE };
  files.write('websock.service', unitText(textOf('systemd/websock.service'), places));
  linkPackage(files);
}

function textOf(name: string): string {
  return readFileSync(join(PACKAGE, name), 'utf8');
}

/** Another file of that name, in another language, has the same path: it would keep one of the two from being served. */
function copyResource(files: NewFiles, from: string): void {
  const name = basename(from);
  const stem = basename(from, extname(from));
  const folder = join(files.dir, 'resources');
  const present = existsSync(folder) ? readdirSync(folder) : [];
  const other = present.find((one) => one !== name && basename(one, extname(one)) === stem && extname(one) !== '');
  if (other === undefined) files.write(`resources/${name}`, readFileSync(from, 'utf8'));
  else files.say('left', `resources/${name}`, `${other} is there`);
}

/** Lets `import 'websock'` find this very package, where nothing else is installed. */
function linkPackage(files: NewFiles): void {
  const name = 'node_modules/websock';
  const path = join(files.dir, name);
  try {
    const found = dirname(createRequire(join(files.dir, 'any.js')).resolve('websock/package.json'));
    files.say('left', name, `import 'websock' finds ${found}`);
  } catch {
    // It is not installed there: that is what is asked here.
    mkdirSync(dirname(path), { recursive: true });
    symlinkSync(realpathSync(PACKAGE), path);
    files.say('made', name, `a link to ${PACKAGE}`);
  }
}

/** Files that are written where there is none. */
class NewFiles {
  readonly dir: string;

  constructor(dir: string) {
    this.dir = dir;
  }

  write(name: string, text: string): void {
    const path = join(this.dir, name);
    mkdirSync(dirname(path), { recursive: true });
    try {
      writeFileSync(path, text, { flag: 'wx' });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      this.say('left', name, 'it was there');
      return;
    }
    this.say('made', name);
  }

  say(what: 'made' | 'left', name: string, why?: string): void {
    process.stdout.write(`${what}  ${name}${why === undefined ? '' : `: ${why}`}\n`);
  }
}
