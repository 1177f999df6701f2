import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'ini';
import { iniText } from '../../src/config/initext.ts';
import { loadConfig } from '../../src/config/load.ts';
import { BY_NAME, envName, fullName, OPTIONS, REPEATED, SECTIONS } from '../../src/config/options.ts';
import type { Option } from '../../src/config/shapes.ts';
import { allowedText, formatValue, parseValue } from '../../src/config/values.ts';
import { parseArgs } from '../../src/daemon/args.ts';
import { etc, load } from './folders.ts';

const root = resolve(import.meta.dirname, '../..');
const file = resolve(root, 'websock.ini');
const rows: readonly Option[] = OPTIONS;
const names = rows.map(({ section, key }) => fullName(section, key));
const squeezed = (text: string): string => text.replaceAll(/\s+/g, ' ');

describe('the option table', () => {
  test('names no option twice, in any spelling, nor two alike for the environment', () => {
    const all = rows.flatMap(({ section, key, aliases = [] }) =>
      [key, ...aliases].map((one) => fullName(section, one)),
    );
    expect(new Set(all).size).toBe(all.length);
    expect([...BY_NAME.keys()]).toEqual(all);
    const variables = [...all.map(envName), 'WEBSOCK_CONFIG'];
    expect(new Set(variables).size).toBe(variables.length);
  });

  test('never calls a top-level key as a section, nor a key as a reserved name', () => {
    const sections = [...Object.keys(SECTIONS), 'named'];
    for (const { section, key, aliases = [] } of rows) {
      expect(Object.keys(SECTIONS)).toContain(section);
      if (section === '') for (const name of [key, ...aliases]) expect(sections).not.toContain(name);
      expect(['config', 'check', 'version', 'help']).not.toContain(fullName(section, key));
    }
    for (const { section } of REPEATED) expect(Object.keys(SECTIONS)).toContain(section);
  });

  test('has a help of one to three sentences in every row', () => {
    for (const row of rows) {
      expect(row.help).toMatch(/^\S.*\.$/);
      expect(row.help.match(/\.( |$)/g)?.length).toBeLessThanOrEqual(3);
    }
  });

  test('has defaults that its own rules accept', () => {
    for (const row of rows) {
      expect(parseValue(row, formatValue(row, row.default))).toEqual({ value: row.default });
    }
  });
});

describe('the shipped websock.ini', () => {
  const text = readFileSync(file, 'utf8');

  test('is what the table says, byte for byte', () => {
    expect(text).toBe(iniText());
  });

  test('has every key with its default, as the ini package reads it', () => {
    const tree: Record<string, unknown> = parse(text);
    const flat = Object.entries(tree).flatMap(([key, value]) =>
      typeof value === 'object' && value !== null
        ? Object.entries(value).map(([inner, one]: [string, unknown]) => [`${key}.${inner}`, String(one)])
        : [[key, String(value)]],
    );
    expect(Object.fromEntries(flat)).toEqual(
      Object.fromEntries(rows.map((row, i) => [names[i], formatValue(row, row.default)])),
    );
  });

  test('loads without a warning and gives exactly the defaults', () => {
    const shipped = loadConfig({ file, cwd: '/', packageDir: '/nowhere' });
    const found = loadConfig({ cwd: '/nowhere', packageDir: root });
    const bare = loadConfig({ cwd: '/nowhere', packageDir: '/nowhere' });
    expect(shipped.warnings).toEqual([]);
    expect(shipped.file).toBe(file);
    expect(found.values).toEqual(shipped.values);
    expect(bare.file).toBeUndefined();
    const moved = JSON.stringify(shipped.values).replaceAll(`"${root}/`, '"/nowhere/');
    expect(JSON.stringify(bare.values)).toBe(moved);
    expect(shipped.values).toMatchObject({
      adress: 'ws://localhost:8096',
      logfile: `${root}/log/websock.log`,
      logLevel: 'info',
      console: false,
      certFile: '',
      resources: `${root}/resources`,
      log: { rotate: 'internal', maxSize: 10485760, daily: true, keep: 7 },
      limits: { maxPayload: 1048576, maxBuffer: 16777216, maxHead: 8192, headTimeout: 10, maxClients: 0 },
      security: {
        allowedOrigins: ['same', 'loopback'],
        webMay: ['echo', 'broadcast', 'feedback', 'ticket'],
        trustedProxies: [],
      },
      backend: { allowed: [], trustLoopback: true, key: '', keyFile: '' },
      tickets: { secret: '', secretFile: '', maxTtl: 86_400 },
      stop: { timeout: 10, code: 1001 },
      auth: { mode: 'none', backends: false, tokens: '' },
      named: { tls: [], auth: [] },
    });
  });

  test('has an example of each repeated section that works when its ; are taken away', () => {
    const lines = text.split('\n');
    const examples = ['tls', 'auth'].flatMap((section) => {
      const start = lines.indexOf(`; [${section}.NAME]`);
      return lines.slice(start, lines.indexOf('', start)).filter((line) => /^; (\[|\w+=)/.test(line));
    });
    const config = load(examples.map((line) => line.slice(2)).join('\n'));
    expect(config.warnings).toEqual([]);
    expect(config.values.named.auth).toMatchObject([
      {
        name: 'NAME',
        path: ['/chat', '/admin'],
        mode: 'token',
        tokenFile: join(etc, 'tokens.txt'),
        requireExpiry: true,
      },
    ]);
    expect(config.values.named.tls).toEqual([
      {
        name: 'NAME',
        host: 'www.example.org',
        certFile: join(etc, 'certs/www.example.org.pem'),
        pkFile: join(etc, 'certs/www.example.org.key'),
      },
    ]);
  });
});

describe('--help', () => {
  const { exit } = parseArgs(['--help'], '1.2.3');
  const help = squeezed(exit?.text ?? '');

  test.each(names.map((name, i) => [name, rows[i]] as const))(
    '%s: its help, what it takes and its default',
    (name, row) => {
      const takes = row.type === 'secret' ? 'not on the command line' : allowedText(row);
      const bracket = `[${takes}; default: ${formatValue(row, row.default) || 'none'}]`;
      expect(help).toContain(squeezed(`--${[name, ...(row.aliases ?? [])].join(', --')} ${row.help} ${bracket}`));
    },
  );

  test('has a heading for each section, and the environment once', () => {
    for (const [section, text] of Object.entries(SECTIONS)) {
      expect(help).toContain(section === '' ? text : `[${section}] ${text}`);
    }
    expect(help.match(/WEBSOCK_/g)).toHaveLength(1);
    expect(exit?.code).toBe(0);
    for (const line of exit?.text.split('\n') ?? []) expect(line.length).toBeLessThanOrEqual(100);
  });
});
