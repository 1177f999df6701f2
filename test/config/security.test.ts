import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { limitOptions, withLimits } from '../../src/config/limitstext.ts';
import { BY_NAME, fullName, OPTIONS } from '../../src/config/options.ts';
import type { Option } from '../../src/config/shapes.ts';
import { formatValue } from '../../src/config/values.ts';

const root = resolve(import.meta.dirname, '../..');
const text = readFileSync(resolve(root, 'SECURITY.md'), 'utf8');
/** Of these, everything that is no limit says who may do what. Of `[auth]`, which is off, systemd/README.md speaks. */
const SECTIONS = new Set(['tls', 'tickets', 'security', 'backend']);

/** The rows of the table of defaults: `[security] webIdent`, and its value; '' is written as nothing. */
function defaults(): [string, string][] {
  const found = text.matchAll(/^\| `(?:\[(\w+)\] )?(\w+)=([^`]*)` \| \S/gm);
  return [...found].map(([, section = '', key, value]) => [fullName(section, key), value]);
}

describe('SECURITY.md', () => {
  test('has the table of limits that the options say (npm run ini writes it)', () => {
    expect(withLimits(text)).toBe(text);
  });

  test('the table has every limit, with its default', () => {
    const rows = withLimits(text).split('\n');
    const names = limitOptions().map(({ section, key }) => `| \`[${section}] ${key}\` | `);
    for (const name of names) expect(rows.filter((row) => row.startsWith(name))).toHaveLength(1);
    expect(names.length).toBeGreaterThan(20);
    const row = (name: string): string[] => rows.find((line) => line.startsWith(`| \`${name}\``))?.split(' | ') ?? [];
    expect(row('[limits] maxPayload')[1]).toBe('1MiB');
    expect(row('[limits] headTimeout')[1]).toBe('10 s');
    expect(row('[limits] maxClients')[1]).toBe("the process's limit of open files less 64");
  });

  test('one that is stale is written anew, and one without its marks is refused', () => {
    const stale = text.replace('| `[limits] maxPayload` | 1MiB |', '| `[limits] maxPayload` | 2MiB |');
    expect(stale).not.toBe(text);
    expect(withLimits(stale)).toBe(text);
    expect(() => withLimits('# Security')).toThrow('no <!-- limits');
  });

  test('the defaults that it explains are those of the options, and no option that says who may do what is missing', () => {
    const explained = defaults();
    for (const [name, value] of explained) {
      const option = BY_NAME.get(name);
      expect([name, option === undefined ? undefined : formatValue(option, option.default)]).toEqual([name, value]);
    }
    const limits = new Set(limitOptions());
    const names = (OPTIONS as readonly Option[])
      .filter((option) => SECTIONS.has(option.section) && !limits.has(option))
      .map(({ section, key }) => fullName(section, key));
    expect(explained.map(([name]) => name)).toEqual(expect.arrayContaining(names));
  });

  test('its links lead somewhere', () => {
    const targets = [...text.matchAll(/\]\(([^)#]+)\)/g)].map(([, target]) => target);
    expect(targets.length).toBeGreaterThan(0);
    for (const target of targets) expect(readFileSync(resolve(root, target), 'utf8')).not.toBe('');
  });
});
