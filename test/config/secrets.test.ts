import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { loadConfig } from '../../src/config/load.ts';
import { cwd, errors, etc, file, load, packageDir, warnings } from './folders.ts';

const advice = (path: string): string =>
  `${path}: it holds a secret and every user of this host can read it; chmod o-r ${path}`;

describe('secrets', () => {
  const SECRET = 'hunter2-hunter2';

  test('from the ini, the environment, or a file', () => {
    expect(load(`[backend]\nkey='${SECRET}'`).values.backend.key).toBe(SECRET);
    expect(load('', { env: { WEBSOCK_BACKEND_KEY: SECRET } }).values.backend.key).toBe(SECRET);
    writeFileSync(join(etc, 'key'), `  ${SECRET}\n`, { mode: 0o600 });
    const config = load('[backend]\nkeyFile=key');
    expect(config.values.backend).toMatchObject({ key: SECRET, keyFile: join(etc, 'key') });
    expect(config.where('backend.key')).toBe(`${file} line 2, [backend] keyFile (${join(etc, 'key')})`);
    expect(config.warnings).toEqual([]);
    expect(load('', { args: { 'backend.keyFile': '../etc/key' } }).values.backend.key).toBe(SECRET);
    expect(load("[backend]\nkey=''\nkeyFile=key").values.backend.key).toBe(SECRET);
    expect(load("[backend]\nkey='12345678901234567890'").values.backend.key).toBe('12345678901234567890');
  });

  test('never from the command line', () => {
    expect(errors('', { args: { 'backend.key': SECRET } })).toEqual([
      'command line --backend.key: a secret is not taken from the command line, where every user of the host can read it; ' +
        'allowed: --backend.keyFile FILE, the environment variable WEBSOCK_BACKEND_KEY, or key= under [backend] in websock.ini',
    ]);
  });

  test('a file that others may read: a warning', () => {
    writeFileSync(join(etc, 'key'), SECRET);
    chmodSync(join(etc, 'key'), 0o644);
    expect(warnings(load('[backend]\nkeyFile=key'))).toEqual([advice('/etc/key')]);
    load(`[backend]\nkey=${SECRET}`);
    chmodSync(file, 0o644);
    expect(warnings(loadConfig({ file, cwd, packageDir }))).toEqual([advice('/etc/websock.ini')]);
    load("[backend]\nkey=''");
    chmodSync(file, 0o644);
    expect(warnings(loadConfig({ file, cwd, packageDir }))).toEqual([]);
  });

  test('a file that cannot be used', () => {
    const place = '/etc/websock.ini line 2, [backend] keyFile:';
    expect(errors('[backend]\nkeyFile=nothing')[0]).toContain(`${place} /etc/nothing cannot be read: `);
    writeFileSync(join(etc, 'key'), ' \n', { mode: 0o600 });
    expect(errors('[backend]\nkeyFile=key')).toEqual([
      `${place} /etc/key is empty; allowed: a file of one line, the secret`,
    ]);
    writeFileSync(join(etc, 'key'), `${SECRET}\n${SECRET}\n`);
    expect(errors('[backend]\nkeyFile=key')).toEqual([
      `${place} /etc/key holds more than one line of text; allowed: a file of one line, the secret`,
    ]);
    expect(errors(`[backend]\nkeyFile=key\nkey=${SECRET}`)).toEqual([
      `${place} key is set as well (/etc/websock.ini line 3, [backend] key); keep one of them`,
    ]);
    expect(errors('[backend]\nkeyFile=key', { env: { WEBSOCK_BACKEND_KEY: SECRET } })).toEqual([
      `${place} key is set as well (environment WEBSOCK_BACKEND_KEY); keep one of them`,
    ]);
  });

  test('no message shows one', () => {
    const lines = [
      `key=${SECRET};`,
      `key='${SECRET}`,
      `key="${SECRET}\\x"`,
      `key=${SECRET}\\n\nkey=${SECRET}`,
      `key=null\nkeyFile=x\nkey=${SECRET}`,
      SECRET,
      `kye=${SECRET}\nx`,
      `key[]=${SECRET}`,
      `key=${SECRET}\u0085x`,
    ];
    for (const line of lines) {
      const text = errors(`[backend]\n${line}`, { args: { 'backend.key': SECRET } }).join('\n');
      expect(text).not.toContain('hunter2');
    }
    expect(errors('', { env: { WEBSOCK_BACKEND_KEY: `${SECRET}\0` } })).toEqual([
      'environment WEBSOCK_BACKEND_KEY: it holds a control character; allowed: text, or empty',
    ]);
    expect(errors(`[backend]\nkye=${SECRET}`).join()).not.toContain('hunter2');
    expect(load('', { env: { WEBSOCK_BACKEND_KYE: SECRET } }).warnings.join()).not.toContain('hunter2');
  });
});
