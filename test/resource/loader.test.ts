import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import * as api from '../../src/index.ts';
import { loadResources } from '../../src/resource/loader.ts';
import type { Server } from '../../src/resource/server.ts';

/** The same whether it is on or off by default. */
const both = <Value>(value: Value): [Value, Value] => [value, value];

const REQUIRED = 'onData() {} onClose() {} onError() {} onOther() {}';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'websock-loader-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

async function load(files: Record<string, string>, enabled = false) {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const asked: string[] = [];
  const { router, refused } = await loadResources({
    folder,
    api,
    values: { maxPayload: 1000, maxFragments: 10 },
    compression: { enabled, threshold: 1024, level: 1, contextTakeover: false },
    serverFor: (path, app) => {
      asked.push(`${path} ${app}`);
      return {} as Server;
    },
  });
  const routes = router.all().map(({ path, app, accepts, dialog, textAsBuffer, borrowed }) => ({
    path,
    app,
    accepts: [...accepts],
    dialog,
    textAsBuffer,
    borrowed,
  }));
  return { routes, asked, router, refused: refused.map(({ file, why }) => `${file.slice(folder.length + 1)}: ${why}`) };
}

describe('what is served', () => {
  test('of a second folder the files that are named; a path that is taken stays whose it is', async () => {
    const file = `export default class { ${REQUIRED} }`;
    const first = await load({ 'a.js': file, 'b.js': file, 'c.js': file });
    const options = {
      folder,
      api,
      values: { maxPayload: 1000, maxFragments: 10 },
      compression: { enabled: false, threshold: 1024, level: 1, contextTakeover: false },
      serverFor: () => ({}) as Server,
    };
    const { router } = await loadResources({ ...options, files: ['a.js'] });
    expect(router.all().map(({ path }) => path)).toEqual(['/a']);
    const { router: same, refused } = await loadResources({ ...options, files: ['a.js', 'c.js'], router });
    expect(same).toBe(router);
    expect(router.all().map(({ path }) => path)).toEqual(['/a', '/c']);
    expect(refused.map(({ why }) => why)).toEqual(['its path /a is taken by another resource']);
    expect(first.routes).toHaveLength(3);
  });

  test('the four kinds of file side by side, each importing websock', async () => {
    const { routes, refused } = await load({
      'a.ts':
        "import { Resource, type Client } from 'websock';\nexport default class A extends Resource { override onOpen(client: Client): void { client.send('a'); } }",
      'b.js': "import { Resource } from 'websock';\nexport default class extends Resource {}",
      'c.mjs': "import * as websock from 'websock';\nexport default class C extends websock.Resource {}",
      'd.cjs': "const { Resource } = require('websock');\nmodule.exports = class D extends Resource {};",
    });
    expect(refused).toEqual([]);
    expect(routes.map(({ path }) => path)).toEqual(['/a', '/b', '/c', '/d']);
  });

  test('a class that extends nothing, with its methods as methods or as fields', async () => {
    const { routes, refused } = await load({
      'plain.js': `export default class { ${REQUIRED} }`,
      'fields.js':
        'export default class { onData = () => {}; onClose = () => {}; onError = () => {}; onOther = () => {} }',
    });
    expect(refused).toEqual([]);
    expect(routes.map(({ path }) => path)).toEqual(['/fields', '/plain']);
  });

  test('default is /, and the statics say the rest', async () => {
    const { routes, asked } = await load({
      'default.js': `export default class { ${REQUIRED} registerServer() {} }`,
      'x.js': `export default class { static path = '/y'; static app = 'games'; static accepts = ['ws', 'tcp']; static dialog = false; static text = 'buffer'; static buffers = 'borrowed'; ${REQUIRED} registerServer() {} }`,
    });
    expect(routes).toEqual([
      { path: '/', app: '/', accepts: ['ws', 'wss', 'tcp', 'ssl'], dialog: true, textAsBuffer: false, borrowed: false },
      { path: '/y', app: 'games', accepts: ['ws', 'tcp'], dialog: false, textAsBuffer: true, borrowed: true },
    ]);
    expect(asked).toEqual(['/ /', '/y games']);
  });

  test.each([
    ['', null, { threshold: 1024, level: 1, contextTakeover: false }],
    ['false', null, null],
    ['true', ...both({ threshold: 1024, level: 1, contextTakeover: false })],
    ['{}', ...both({ threshold: 1024, level: 1, contextTakeover: false })],
    ['{ level: 9, threshold: undefined }', ...both({ threshold: 1024, level: 9, contextTakeover: false })],
    ['{ threshold: 0, contextTakeover: true }', ...both({ threshold: 0, level: 1, contextTakeover: true })],
  ])('static compression = %s, where [compression] has it off and on', async (value, off, on) => {
    const text = `export default class { ${value === '' ? '' : `static compression = ${value};`} ${REQUIRED} }`;
    for (const enabled of [false, true]) {
      const { router, refused } = await load({ 'x.js': text }, enabled); // oxlint-disable-line no-await-in-loop
      expect(refused).toEqual([]);
      expect(router.find('/x')?.compression).toEqual(enabled ? on : off);
    }
  });

  test('a file may wait at its top level, import its neighbours and use the packages of Node', async () => {
    mkdirSync(join(folder, 'lib'));
    writeFileSync(
      join(folder, 'lib', 'base.ts'),
      "import { Resource } from 'websock';\nexport class Base extends Resource {}",
    );
    const { routes, refused } = await load({
      'a.ts':
        "import { hostname } from 'node:os';\nimport { Base } from './lib/base.ts';\nawait Promise.resolve(hostname());\nexport default class A extends Base {}",
    });
    expect(refused).toEqual([]);
    expect(routes.map(({ path }) => path)).toEqual(['/a']);
  });

  test('declarations, tests, hidden files and other kinds of file are passed over', async () => {
    const { routes, refused } = await load({
      'a.d.ts': 'nonsense(',
      'a.test.ts': 'nonsense(',
      '.hidden.js': 'nonsense(',
      'README.md': 'nonsense(',
      'a.js': `export default class { ${REQUIRED} }`,
    });
    expect([routes.length, refused]).toEqual([1, []]);
  });
});

describe('what is refused', () => {
  test('says which file, why, and on which line; the others are served', async () => {
    const { routes, refused } = await load({
      'good.js': `export default class { ${REQUIRED} }`,
      'syntax.ts': 'export default class Syntax {\n  onData( {\n}\n',
      'throws.js': "\n\nthrow new TypeError('no database');\n",
      'missing.js': "import nothing from './nowhere.js';\nexport default class { x = nothing }",
      'object.js': 'export default { onData() {} }',
      'nothing.js': 'export const x = 1;',
      'lacks.js': 'export default class { onData() {} onClose() {} }',
      'taken.js': `export default class { static path = '/good'; ${REQUIRED} }`,
      'ctor.js': `export default class { constructor() {\n throw new Error('no key'); }\n ${REQUIRED} }`,
    });
    expect(routes.map(({ path }) => path)).toEqual(['/good']);
    const why = Object.fromEntries(refused.map((line) => [line.split(': ')[0], line.slice(line.indexOf(': ') + 2)]));
    expect(why['syntax.ts']).toMatch(/Unexpected token.*syntax\.ts:\d+:\d+/);
    expect(why['throws.js']).toBe('no database (line 3)');
    expect(why['missing.js']).toContain('nowhere.js');
    expect(why['object.js']).toBe(
      'its default export is not a class: write "export default class Name extends Resource { … }"',
    );
    expect(why['nothing.js']).toContain('its default export is not a class');
    expect(why['lacks.js']).toBe('it has no method onError, onOther: write it, or extend Resource');
    expect(why['taken.js']).toBe('its path /good is taken by good.js');
    expect(why['ctor.js']).toBe('no key (line 2)');
  });

  test.each([
    ["static path = 'x'", "its path 'x' does not begin with / or holds a blank, ? or #"],
    ["static path = '/a?b'", "its path '/a?b' does not begin with / or holds a blank, ? or #"],
    ["static path = '/_websock/x'", "its path /_websock/x is the daemon's own, as all below /_websock/"],
    ["static path = '/_websock'", "its path /_websock is the daemon's own, as all below /_websock/"],
    ['static path = 7', 'its static path is not a text'],
    ["static app = ''", 'its static app is not a text'],
    ["static accepts = ['http']", 'its static accepts is ["http"]: a list of ws, wss, tcp, ssl'],
    ['static accepts = []', 'its static accepts is []: a list of ws, wss, tcp, ssl'],
    ["static dialog = 'no'", 'its static dialog is "no": it may be true or false'],
    ["static text = 'utf8'", 'its static text is "utf8": it may be string or buffer'],
    ["static buffers = 'mine'", 'its static buffers is "mine": it may be owned or borrowed'],
    ["static compression = 'yes'", 'its static compression is "yes": it may be true, false or an object'],
    [
      'static compression = { levle: 1 }',
      'its static compression has levle: it may have threshold, level, contextTakeover',
    ],
    ['static compression = { level: 0 }', 'its static compression.level is 0: it may be 1 to 9'],
    ['static compression = { level: 1.5 }', 'its static compression.level is 1.5: it may be 1 to 9'],
    [
      "static compression = { threshold: '1KiB' }",
      'its static compression.threshold is "1KiB": it may be a number of bytes',
    ],
    [
      'static compression = { contextTakeover: 1 }',
      'its static compression.contextTakeover is 1: it may be true or false',
    ],
  ])('%s', async (statement, why) => {
    const { refused } = await load({ 'x.js': `export default class { ${statement}; ${REQUIRED} }` });
    expect(refused).toEqual([`x.js: ${why}`]);
  });
});
