import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { runInNewContext } from 'node:vm';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import * as source from '../../src/client/index.ts';
import { run } from '../support/commands.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const BUNDLES = ['client.js', 'client.classic.js'].map((name) => join(ROOT, 'dist/client', name));
const NAMES = Object.keys(source).toSorted();

describe('the bundles', () => {
  test.each(BUNDLES)('%s is less than 6 KB gzipped, and imports nothing', (file) => {
    const text = readFileSync(file);
    expect(gzipSync(text).length).toBeLessThan(6000);
    expect(text.toString()).not.toMatch(/\bimport\b|\brequire\b|sourceMappingURL/);
  });

  test('the ES module and the classic script offer the same as the source', async () => {
    const code = `import(${JSON.stringify(pathToFileURL(BUNDLES[0]).href)}).then((m) => console.log(Object.keys(m).join()))`;
    const { stdout } = await run(process.execPath, ['-e', code]);
    expect(stdout.trim().split(',').toSorted()).toEqual(NAMES);
    // TextEncoder alone is what the script asks for when it is loaded.
    const { websock } = runInNewContext(`${readFileSync(BUNDLES[1], 'utf8')};({ websock })`, { TextEncoder });
    expect(Object.keys(websock as object).toSorted()).toEqual(NAMES);
  });

  test('websock/client is what the package exports', async () => {
    const code = "import('websock/client').then((m) => console.log(Object.keys(m).join()))";
    const { stdout } = await run(process.execPath, ['-e', code], '', { cwd: ROOT });
    expect(stdout.trim().split(',').toSorted()).toEqual(NAMES);
  });
});
