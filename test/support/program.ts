import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { test } from '@jest/globals';

type Test = (title: string, body: () => void | Promise<void>, timeout?: number) => void;

/**
 * The `test` for what needs a program of the system: `const it = withProgram('php', 'php-cli')`.
 *
 * Where the program is missing, the test is skipped with a title that says what to install; with CI=true it fails.
 *
 * @param program its name on the PATH
 * @param debianPackage the package of Debian that holds it
 */
export function withProgram(program: string, debianPackage: string): Test {
  return isInstalled(program) ? test : without(program, debianPackage);
}

/** The same for what needs a file that a package brings, a module of a program. */
export function withFile(path: string, debianPackage: string): Test {
  return existsSync(path) ? test : without(path, debianPackage);
}

/** The same for what needs an extension of PHP, as it is configured. */
export function withPhpExtension(name: string, debianPackage: string): Test {
  const { status } = spawnSync('php', ['-r', `exit(extension_loaded('${name}') ? 0 : 1);`]);
  return status === 0 ? test : without(`the extension ${name} of php`, `php-cli ${debianPackage}`);
}

function without(what: string, debianPackage: string): Test {
  const missing = `needs ${what}: apt-get install ${debianPackage}`;
  if (process.env.CI !== 'true') return (title, body) => test.skip(`${title} (${missing})`, body);
  return (title) =>
    test(title, () => {
      throw new Error(missing);
    });
}

/** The PATH, with where Debian puts daemons: not everybody has that in it. */
export const PROGRAMS = [process.env.PATH ?? '', '/usr/sbin'].join(delimiter);

function isInstalled(program: string): boolean {
  return PROGRAMS.split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      // Not in this folder: that is what is asked here.
      return false;
    }
  });
}
