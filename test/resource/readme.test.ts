import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, test } from '@jest/globals';
import { createJiti } from 'jiti';
import * as websock from 'websock';
import * as testing from 'websock/testing';

const GUIDE = readFileSync(resolve(import.meta.dirname, '../../resources/README.md'), 'utf8');

test('the plugin of the guide is served, and its test gives what the guide says', async () => {
  const [plugin, example] = [...GUIDE.matchAll(/^```ts\n(.*?)^```$/gms)].map((match) => match[1]);
  const said = [...example.matchAll(/^\/\/ (?:next|page\.packets): +(.*)$/gm)].map((match) => match[1]);
  const folder = mkdtempSync(join(tmpdir(), 'websock-guide-'));
  try {
    writeFileSync(join(folder, 'progress.ts'), plugin);
    writeFileSync(
      join(folder, 'example.ts'),
      `${example}\nexport default { next, packets: page.packets, uuid: page.uuid };\n`,
    );
    const jiti = createJiti(`${folder}/`, {
      fsCache: false,
      moduleCache: false,
      virtualModules: { websock, 'websock/testing': testing },
    });
    const got = await jiti.import<Record<string, unknown>>(join(folder, 'example.ts'), { default: true });
    expect(said).toHaveLength(2);
    expect(show(got.next)).toBe(said[0]);
    expect(show(got.packets).replace(String(got.uuid), '…')).toBe(said[1]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('the guide names every member of Client and Server, and every callback and static', () => {
  const source = (name: string): string => readFileSync(resolve(import.meta.dirname, '../../src', name), 'utf8');
  const members = (text: string, name: string): string[] => {
    const body = new RegExp(`interface ${name}\\b.*?\\n\\}`, 's').exec(text)?.[0] ?? '';
    return [...body.matchAll(/^ {2}(?:readonly )?(\w+)[?(<:]/gm)].map((match) => match[1]);
  };
  const statics = [...source('resource/resource.ts').matchAll(/^ {2}static (\w+)/gm)].map((match) => match[1]);
  const names = [
    ...members(source('connection/client.ts'), 'Client'),
    ...members(source('resource/server.ts'), 'Server'),
    ...members(source('connection/route.ts'), 'Callbacks'),
    ...statics,
  ];
  expect(names.length).toBeGreaterThan(30);
  expect(names.filter((name) => !new RegExp(`\`[^\`]*\\b${name}\\b`).test(GUIDE))).toEqual([]);
});

/** As the guide writes an object. */
function show(value: unknown): string {
  return JSON.stringify(value)
    .replaceAll(/"(\w+)":/g, '$1: ')
    .replaceAll(/,(?=\S)/g, ', ')
    .replaceAll('"', "'")
    .replaceAll('{', '{ ')
    .replaceAll('}', ' }');
}
