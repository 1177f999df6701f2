/** Folders of their own for the tests of loadConfig. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect } from '@jest/globals';
import { type Config, loadConfig } from '../../src/config/load.ts';
import { WebsockError } from '../../src/errors.ts';

export const root = mkdtempSync(join(tmpdir(), 'websock-config-'));
export const cwd = join(root, 'cwd');
export const packageDir = join(root, 'package');
export const etc = join(root, 'etc');
export const file = join(etc, 'websock.ini');

beforeEach(() => {
  for (const dir of [cwd, packageDir, etc]) {
    rmSync(dir, { recursive: true, force: true });
    mkdirSync(dir);
  }
});
afterAll(() => rmSync(root, { recursive: true }));

type More = Partial<Parameters<typeof loadConfig>[0]>;

/** Loads /etc/websock.ini with this text. */
export function load(ini: string, more: More = {}): Config {
  writeFileSync(file, ini, { mode: 0o600 });
  return loadConfig({ file, cwd, packageDir, ...more });
}

/** The lines of the error, with the folder of this test as /. */
export function errors(ini: string, more: More = {}): string[] {
  return failure(() => load(ini, more));
}

export function failure(run: () => unknown): string[] {
  try {
    run();
  } catch (error) {
    if (!(error instanceof WebsockError)) throw error;
    expect(error.code).toBe('WEBSOCK_CONFIG');
    expect(error.exitCode).toBe(2);
    return error.message.replaceAll(root, '').split('\n');
  }
  throw new Error('it did not fail');
}

export const warnings = (config: Config): string[] => config.warnings.map((line) => line.replaceAll(root, ''));
