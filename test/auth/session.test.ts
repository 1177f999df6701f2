import { mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, jest, test } from '@jest/globals';
import type { Verdict } from '../../src/auth/auth.ts';
import { SessionGuard, type SessionOptions } from '../../src/auth/session.ts';
import { run } from '../support/commands.ts';
import { temporaryFolder } from '../support/daemon.ts';

interface Bed {
  readonly folder: string;
  readonly guard: SessionGuard;
  /** Writes the session `abc`. */
  readonly write: (text: string) => void;
  readonly judge: (id?: string) => Promise<Verdict>;
}

function bed(options: Partial<SessionOptions> = {}): Bed {
  const folder = realpathSync(temporaryFolder());
  const guard = new SessionGuard({
    backends: false,
    savePath: folder,
    serializer: 'php',
    cookieName: 'PHPSESSID',
    sessionKey: 'user',
    identKey: 'user',
    maxSession: 1000,
    ...options,
    ...(options.savePath === undefined ? {} : { savePath: options.savePath + folder }),
  });
  return {
    folder,
    guard,
    write: (text) => writeFileSync(join(folder, 'sess_abc'), text),
    judge: async (id = 'abc') => guard.judge({ token: undefined, cookie: `PHPSESSID=${id}` }),
  };
}

const NONE = {
  refusal: {
    status: 401,
    text: 'there is no such session',
    headers: { 'WWW-Authenticate': 'Cookie realm="websock", cookie-name="PHPSESSID"' },
  },
};

describe('a PHP session', () => {
  test('in which the key is true: its content and its name', async () => {
    const { write, judge } = bed({ sessionKey: 'user.active', identKey: 'user.id' });
    write('user|a:2:{s:2:"id";i:7;s:6:"active";b:1;}lang|s:2:"en";');
    expect(await judge()).toEqual({
      auth: { mode: 'php-session', session: { user: { id: 7, active: true }, lang: 'en' } },
      ident: '7',
    });
  });

  test.each([
    ['N;', false],
    ['b:0;', false],
    ['i:0;', false],
    ['d:0;', false],
    ['s:0:"";', false],
    ['s:1:"0";', false],
    ['a:0:{}', false],
    ['b:1;', true],
    ['s:3:"0.0";', true],
    ['d:0.1;', true],
    ['a:1:{i:0;N;}', true],
    ['O:1:"A":0:{}', true],
  ])('whose key is %s: %s, as PHP has it', async (value, allowed) => {
    const { write, judge } = bed();
    write(`user|${value}`);
    expect('auth' in (await judge())).toBe(allowed);
  });

  test('without the key: known, but not allowed; nobody has guessed', async () => {
    const { write, judge } = bed({ sessionKey: 'user.name' });
    const refused = { refusal: { status: 403, text: 'the session does not allow it: log in first' } };
    for (const text of [
      '',
      'lang|s:2:"en";',
      'user|s:1:"x";',
      'user|a:1:{i:0;i:1;}',
      '__proto__|a:1:{s:4:"name";i:1;}',
    ]) {
      write(text);
      expect(await judge()).toEqual(refused);
    }
    const list = bed({ sessionKey: 'user.length' });
    list.write('user|a:1:{i:0;i:1;}');
    expect(await list.judge()).toEqual(refused);
  });

  test.each<[string, string | undefined, string]>([
    ['s:3:"Zoë";', undefined, 'not of the length that it says'],
    ['s:4:"Zoë";', 'Zoë', 'a text'],
    ['i:9223372036854775807;', '9223372036854775807', 'a number of 64 bits'],
    ['d:1.5;', undefined, 'no whole number'],
    ['b:1;', undefined, 'no text'],
    [`s:257:"${'x'.repeat(257)}";`, undefined, 'too long'],
  ])('%s names its client %s: %s', async (value, ident) => {
    const { write, judge } = bed({ sessionKey: 'ok' });
    write(`ok|b:1;user|${value}`);
    const verdict = await judge();
    expect('auth' in verdict ? verdict.ident : undefined).toBe(ident);
  });

  test('names nobody where no key is to, whatever is in it', async () => {
    const { write, judge } = bed({ identKey: '' });
    write('|s:3:"zoe";user|b:1;');
    expect(await judge()).toMatchObject({ auth: {}, ident: undefined });
  });

  test('that is not there', async () => {
    const { judge } = bed();
    expect(await judge('nobody')).toEqual(NONE);
    expect(await judge('x'.repeat(250))).toEqual(NONE);
  });

  test('of nobody who has the cookie: asked for, and nobody has guessed', async () => {
    const { guard } = bed();
    const refusal = { ...NONE.refusal, text: 'log in first: there is no session' };
    for (const cookie of [undefined, '', 'a=b', 'PHPSESSID=']) {
      expect(await guard.judge({ token: 'abc', cookie })).toEqual({ refusal });
    }
  });
});

describe('the file of a session', () => {
  test('lies below folders that its id names, where save_path says so', async () => {
    for (const savePath of ['2;', '2;0640;']) {
      const { folder, judge } = bed({ savePath });
      mkdirSync(join(folder, 'a', 'b'), { recursive: true });
      writeFileSync(join(folder, 'a', 'b', 'sess_abc'), 'user|b:1;');
      writeFileSync(join(folder, 'sess_xyz'), 'user|b:1;');
      expect(await judge()).toMatchObject({ auth: { mode: 'php-session' } });
      for (const id of ['xyz', 'ab', 'a']) expect(await judge(id)).toMatchObject({ refusal: { status: 401 } });
    }
    for (const savePath of ['a;', '2;9;', ';']) expect(() => bed({ savePath })).toThrow('found');
  });

  test('is no link, no folder, no pipe, and not reached through a link', async () => {
    const { folder, judge } = bed();
    writeFileSync(join(folder, 'other'), 'user|b:1;');
    symlinkSync('other', join(folder, 'sess_link'));
    symlinkSync('/dev/zero', join(folder, 'sess_zero'));
    mkdirSync(join(folder, 'sess_folder'));
    expect(await run('mkfifo', [join(folder, 'sess_pipe')])).toMatchObject({ code: 0 });
    for (const id of ['link', 'zero', 'folder', 'pipe']) expect(await judge(id)).toEqual(NONE);
    const below = bed({ savePath: '1;' });
    symlinkSync(folder, join(below.folder, 'a'));
    writeFileSync(join(folder, 'sess_abc'), 'user|b:1;');
    expect(await below.judge()).toEqual(NONE);
  });

  test('is read up to its limit, and no further', async () => {
    const { write, judge } = bed({ maxSession: 100 });
    const long = (length: number): string => `user|b:1;x|s:${length}:"${'x'.repeat(length)}";`;
    write(long(81));
    expect(await judge()).toMatchObject({ auth: { mode: 'php-session' } });
    write(long(82));
    const refusal = { status: 500, text: 'the session cannot be read' };
    expect(await judge()).toEqual({ refusal, limit: 'maxSession' });
  });

  test('that PHP is just writing is read again, once', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
    try {
      const { write, judge } = bed();
      for (const [before, written, found] of [
        ['user|b:1;x|s:9:"ab', 'user|b:1;', { auth: { mode: 'php-session' } }],
        ['user|b:1;x|s:9:"ab', 'user|b:1;x|s:9:"', { refusal: { status: 500 } }],
        ['', 'user|b:1;', { auth: { mode: 'php-session' } }],
        ['', '', { refusal: { status: 403 } }],
      ] as const) {
        write(before);
        const verdict = judge();
        while (jest.getTimerCount() === 0) await new Promise(setImmediate);
        write(written);
        jest.runAllTimers();
        expect(await verdict).toMatchObject(found);
      }
    } finally {
      jest.useRealTimers();
    }
  });

  test('that cannot be read: the log learns why, without the id', async () => {
    const { write, judge } = bed();
    write('user|x:1;');
    const refusal = { status: 500, text: 'the session cannot be read' };
    expect(await judge()).toEqual({ refusal, detail: 'not as php writes it: no type of value, at byte 6' });
    const gone = new SessionGuard({
      backends: false,
      savePath: '/nowhere/at/all',
      serializer: 'php',
      cookieName: 'id',
      sessionKey: 'user',
      identKey: '',
      maxSession: 1000,
    });
    expect(await gone.judge({ token: undefined, cookie: 'id=abc' })).toEqual({ refusal, detail: 'ENOENT' });
  });
});
