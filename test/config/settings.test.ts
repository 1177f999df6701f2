import { describe, expect, test } from '@jest/globals';
import { settingsOf } from '../../src/config/load.ts';
import { errors, load, root, warnings } from './folders.ts';

describe('sections of resources', () => {
  test('[/path] holds what the resource at that path is set up by: texts, whatever their keys', () => {
    const config = load("[/chat]\nmaxPayload=x\nsize=5\non=true\ntext='a; b'\n[/]\na=\n[/a/b]\n[/chat]\nlast=1");
    expect(warnings(config)).toEqual([]);
    expect(config.resources.map(({ path, where }) => [path, where.replace(root, '')])).toEqual([
      ['/chat', '/etc/websock.ini line 1, [/chat]'],
      ['/', '/etc/websock.ini line 6, [/]'],
      ['/a/b', '/etc/websock.ini line 8, [/a/b]'],
    ]);
    const settings = settingsOf(config, '/chat');
    expect({ ...settings }).toEqual({ maxPayload: 'x', size: '5', on: 'true', text: 'a; b', last: '1' });
    expect(Object.isFrozen(settings)).toBe(true);
    expect(Object.getPrototypeOf(settings)).toBeNull();
    expect(['/', '/a/b', '/none'].map((path) => ({ ...settingsOf(config, path) }))).toEqual([{ a: '' }, {}, {}]);
    expect(config.values.limits.maxPayload).toBe(1024 * 1024);
  });

  test('[jobs] is that of /jobs, with its types and defaults; [/jobs] would be another and is ignored', () => {
    const config = load('[jobs]\nkeep=5\n[/jobs]\nkeep=6');
    expect(settingsOf(config, '/jobs')).toMatchObject({ keep: 5, keepTime: 86_400, maxText: 4096 });
    expect(warnings(config)).toEqual([
      '/etc/websock.ini line 3, [/jobs]: it is ignored, for the resource at /jobs is set up by [jobs]',
    ]);
  });

  test('no resource gets a section of the daemon by its name', () => {
    const config = load("[backend]\nkey='a-key-of-the-backend'\n[limits]\nmaxClients=5");
    for (const path of ['/backend', '/limits', '/', '/named']) expect({ ...settingsOf(config, path) }).toEqual({});
  });

  test('a name that is no path is told so', () => {
    expect(errors('[/a b]\nx=1')).toEqual([
      '/etc/websock.ini line 1: [/a b] cannot be the name of a section; allowed: letters, digits, _ and -, and one dot as in [tls.NAME]; or a path, as in [/chat], without a dot',
    ]);
  });
});
