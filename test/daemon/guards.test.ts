import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { Guard } from '../../src/auth/auth.ts';
import { makeGuards } from '../../src/daemon/guards.ts';
import { loadConfig } from '../../src/config/load.ts';
import {
  cwd,
  errors as configErrors,
  etc,
  failure,
  file as iniFile,
  load,
  packageDir,
  root,
  warnings as warningsOf,
} from '../config/folders.ts';

const TOKEN = 'a-token-that-is-long-enough';
const OTHER = 'another-token_of~this.kind';
const SECRET = 'a-secret-of-at-least-32-bytes-for-HS256';

function made(ini: string): { of: (path: string) => Guard | null; warnings: string[] } {
  const warnings: string[] = [];
  const guards = makeGuards(load(ini), warnings);
  return { of: (path) => guards.of(path), warnings: warnings.map((line) => line.replaceAll(root, '')) };
}

function errors(ini: string): string[] {
  return failure(() => made(ini));
}

async function takes(guard: Guard | null, token: string): Promise<boolean | null> {
  return guard === null ? null : 'auth' in (await guard.judge({ token, cookie: undefined }));
}

function file(name: string, text: string, mode = 0o600): void {
  writeFileSync(join(etc, name), text);
  chmodSync(join(etc, name), mode);
}

describe('what a path asks for', () => {
  test('is nothing by default', () => {
    expect([made('').of('/'), made('').warnings]).toEqual([null, []]);
  });

  test('is what [auth] says, or in its place [auth.NAME], which takes nothing from it', async () => {
    const { of, warnings } = made(
      `[auth]\nmode=token\ntokens=${TOKEN}\nbackends=true\n[auth.open]\npath='/open, /free'\nmode=none\n` +
        `[auth.other]\npath=/other\nmode=token\ntokens='${OTHER}, x${OTHER}'`,
    );
    expect(warnings).toEqual([]);
    for (const path of ['/', '/web', '/otherwise', '/open/', '/OTHER']) {
      expect([of(path)?.backends, await takes(of(path), TOKEN), await takes(of(path), OTHER)]).toEqual([
        true,
        true,
        false,
      ]);
    }
    expect([of('/open'), of('/free')]).toEqual([null, null]);
    const other = of('/other');
    expect([
      other?.backends,
      await takes(other, TOKEN),
      await takes(other, OTHER),
      await takes(other, `x${OTHER}`),
    ]).toEqual([false, false, true, true]);
  });

  test('stands alone in [auth.NAME], without [auth]', async () => {
    const { of } = made(`[auth.chat]\npath=/chat\nmode=token\ntokens=${TOKEN}`);
    expect([of('/'), await takes(of('/chat'), TOKEN), await takes(of('/chat'), OTHER)]).toEqual([null, true, false]);
  });

  test('comes from the environment too', async () => {
    const env = { WEBSOCK_AUTH_MODE: 'token', WEBSOCK_AUTH_TOKENS: TOKEN };
    expect(await takes(makeGuards(load('', { env }), []).of('/'), TOKEN)).toBe(true);
  });
});

describe('a section that sets what it does not use', () => {
  test('with mode=none: a warning, for it protects nothing', () => {
    const said = 'it is not used, and nothing is asked for: mode is none';
    expect(made(`[auth]\ntokens=${TOKEN}`).warnings).toEqual([`/etc/websock.ini line 2, [auth] tokens: ${said}`]);
    expect(made(`[auth.x]\npath=/x\nmode=none\nkeyFile=key`).warnings).toEqual([
      `/etc/websock.ini line 4, [auth.x] keyFile: ${said}`,
    ]);
  });
});

describe('tokens from a file', () => {
  test('stand one in a line, with comments between them', async () => {
    file('tokens', `# for the shop\n${TOKEN}\r\n\n  ${OTHER}  \n`);
    const { of, warnings } = made('[auth]\nmode=token\ntokenFile=tokens');
    expect([await takes(of('/'), TOKEN), await takes(of('/'), OTHER), await takes(of('/'), '# for the shop')]).toEqual([
      true,
      true,
      false,
    ]);
    expect(warnings).toEqual([]);
  });

  test('that others may read, or that are short: a warning each', () => {
    file('tokens', 'short\n', 0o644);
    expect(made('[auth.x]\npath=/x\nmode=token\ntokenFile=tokens').warnings).toEqual([
      '/etc/tokens: it holds a secret and every user of this host can read it; chmod o-r /etc/tokens',
      '/etc/websock.ini line 4, [auth.x] tokenFile: a token of less than 16 characters can be guessed: openssl rand -hex 32 makes one that cannot',
    ]);
  });

  test('in an ini that others may read: a warning, of [auth.NAME] too', () => {
    for (const section of ['[auth]', '[auth.x]\npath=/x']) {
      load(`${section}\nmode=token\ntokens=${TOKEN}`);
      chmodSync(join(etc, 'websock.ini'), 0o644);
      expect(warningsOf(loadConfig({ file: iniFile, cwd, packageDir }))).toEqual([
        '/etc/websock.ini: it holds a secret and every user of this host can read it; chmod o-r /etc/websock.ini',
      ]);
    }
  });
});

describe('an error names file, section, key, value and what is allowed', () => {
  const LETTERS = '1 to 256 tokens of letters, digits, - . _ and ~';

  test('of tokens, without showing one', () => {
    const at = '/etc/websock.ini line 3, [auth] tokens:';
    expect(errors('[auth]\nmode=token')).toEqual([
      `/etc/websock.ini, [auth] tokens (not set): there is no token; allowed: ${LETTERS}, separated by commas`,
    ]);
    expect(errors(`[auth]\nmode=token\ntokens='${TOKEN},hunter2/='`)).toEqual([
      `${at} token 2 holds something else than letters, digits, - . _ and ~; allowed: ${LETTERS}, separated by commas`,
    ]);
    expect(errors(`[auth]\nmode=token\ntokens='${Array(257).fill(TOKEN).join(',')}'`)).toEqual([
      `${at} 257 tokens are too many; allowed: ${LETTERS}, separated by commas`,
    ]);
    file('tokens', '\n# none\n');
    expect(errors('[auth.x]\npath=/x\nmode=token\ntokenFile=tokens')).toEqual([
      `/etc/websock.ini line 4, [auth.x] tokenFile: there is no token; allowed: ${LETTERS}, one in a line`,
    ]);
    expect(errors(`[auth]\nmode=token\ntokens=${TOKEN}\ntokenFile=tokens`)).toEqual([
      '/etc/websock.ini line 4, [auth] tokenFile: tokens is set as well; keep one of them',
    ]);
    expect(errors('[auth]\nmode=token\ntokenFile=none')[0]).toMatch(
      /^\/etc\/websock\.ini line 3, \[auth\] tokenFile: \/etc\/none cannot be read: ENOENT/,
    );
    expect(configErrors('', { args: { 'auth.tokens': TOKEN } })[0]).toMatch(
      /^command line --auth\.tokens: a secret is not taken from the command line/,
    );
  });

  test('of a key file', () => {
    const allowed =
      'a public key as PEM, JWK or JWKS (RSA of 2048 bits or more, or EC P-256), or a secret of at least 32 bytes in one line';
    expect(errors('[auth]\nmode=jwt')).toEqual([
      "/etc/websock.ini, [auth] keyFile (not set): found ''; allowed: a file with a public key or a secret: mode=jwt needs one",
    ]);
    file('key', 'hunter2');
    expect(errors('[auth]\nmode=jwt\nkeyFile=key')).toEqual([
      `/etc/websock.ini line 3, [auth] keyFile: /etc/key: a secret of 7 bytes is too short for HS256: it takes 32 or more; allowed: ${allowed}`,
    ]);
    file('key', SECRET, 0o644);
    expect(made('[auth]\nmode=jwt\nkeyFile=key').warnings).toEqual([
      '/etc/key: it holds a secret and every user of this host can read it; chmod o-r /etc/key',
    ]);
  });

  test('of a session', () => {
    const form = 'an absolute path, N;/path or N;MODE;/path: mode=php-session needs one';
    const mode = '[auth]\nmode=php-session\n';
    expect(errors(mode)).toEqual([
      "/etc/websock.ini, [auth] sessionKey (not set): found ''; allowed: a key of the session that has to be true, such as user: mode=php-session needs one",
    ]);
    expect(errors(`${mode}sessionKey=user`)).toEqual([
      `/etc/websock.ini, [auth] savePath (not set): found ''; allowed: ${form}`,
    ]);
    expect(errors(`${mode}sessionKey=user\nsavePath=sessions`)).toEqual([
      `/etc/websock.ini line 4, [auth] savePath: found 'sessions'; allowed: ${form}`,
    ]);
    expect(errors(`${mode}sessionKey=user\nsavePath='2;${etc}/none'`)).toEqual([
      '/etc/websock.ini line 4, [auth] savePath: /etc/none is not a folder',
    ]);
    expect(errors(`${mode}sessionKey=user\nsavePath='${etc}'\ncookieName='a b'`)).toEqual([
      "/etc/websock.ini line 5, [auth] cookieName: found 'a b'; allowed: the name of a cookie",
    ]);
    expect(errors(`${mode}serializer=igbinary`)).toEqual([
      "/etc/websock.ini line 3, [auth] serializer: found 'igbinary'; allowed: php or php_serialize",
    ]);
    mkdirSync(join(etc, 'real'));
    symlinkSync('real', join(etc, 'link'));
    expect(made(`${mode}sessionKey=user\nsavePath='0;0640;${etc}/link'`).of('/')?.mode).toBe('php-session');
  });

  test('of a section for single paths', () => {
    const at = (key: string, line: number): string => `/etc/websock.ini line ${line}, [auth.x] ${key}:`;
    const paths = 'paths such as /chat, separated by commas';
    expect(errors('[auth.x]')).toEqual([
      '/etc/websock.ini line 1, [auth.x]: path is missing; allowed: a list separated by commas',
      '/etc/websock.ini line 1, [auth.x]: mode is missing; allowed: none, token, jwt or php-session',
    ]);
    expect(errors("[auth.x]\npath=''\nmode=none")).toEqual([`${at('path', 2)} found ''; allowed: ${paths}`]);
    for (const bad of ['chat', '/a?b', '/a b']) {
      expect(errors(`[auth.x]\npath='/ok,${bad}'\nmode=none`)).toEqual([
        `${at('path', 2)} found '${bad}'; allowed: ${paths}`,
      ]);
    }
    expect(errors('[auth.y]\npath=/a\nmode=none\n[auth.x]\npath=/a\nmode=none')).toEqual([
      `${at('path', 5)} /a stands in another [auth.NAME] too; keep one of them`,
    ]);
    expect(errors('[auth.x]\npath=/a\nmode=all')).toEqual([
      `${at('mode', 3)} found 'all'; allowed: none, token, jwt or php-session`,
    ]);
  });
});

describe('sessions, and pages of any origin', () => {
  test('do not go together: a warning', () => {
    const textOf = (origins: string, mode: string): string =>
      `[security]\nallowedOrigins='${origins}'\n[auth.x]\npath=/x\nmode=${mode}\nsessionKey=user\nsavePath='${etc}'\ntokens=${TOKEN}`;
    const line =
      '/etc/websock.ini line 2, [security] allowedOrigins: with mode=php-session in [auth] a page of any site acts in the name of who looks at it';
    expect(made(textOf('*', 'php-session')).warnings).toEqual([line]);
    expect(made(textOf('same', 'php-session')).warnings).toEqual([]);
    expect(made(textOf('*', 'token')).warnings).toEqual([]);
  });
});
