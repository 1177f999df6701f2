import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { cookieOf, shownBy, withoutTokens } from '../../src/auth/shown.ts';
import { SessionGuard } from '../../src/auth/session.ts';
import { TokenGuard } from '../../src/auth/token.ts';
import { temporaryFolder } from '../support/daemon.ts';

const request = (query = '', headers = {}): Parameters<typeof shownBy>[0] => ({
  headers,
  query: new URLSearchParams(query),
});

describe('the token that is shown', () => {
  test('stands in the query, in Authorization, or in a subprotocol, in this order', () => {
    expect(shownBy(request('token=q'), 'b', ['chat', 'websock.token.p']).token).toBe('q');
    expect(shownBy(request('a=1'), 'b', ['websock.token.p']).token).toBe('b');
    expect(shownBy(request(), undefined, ['chat', 'websock.token.p', 'websock.token.z']).token).toBe('p');
    expect(shownBy(request(), undefined, ['chat', 'websock', 'websock.2']).token).toBeUndefined();
  });

  test('is none where it is empty, as in a page that has not got it yet: nobody guesses like that', () => {
    expect(shownBy(request('token='), undefined, ['websock.token.']).token).toBeUndefined();
    expect(shownBy(request('token='), 'b', ['websock.token.p']).token).toBe('b');
    expect(shownBy(request('token='), undefined, ['websock.token.', 'websock.token.p']).token).toBe('p');
  });

  test('is no subprotocol', () => {
    expect(withoutTokens(['chat', 'websock.token.p', 'websock.2', 'WEBSOCK.TOKEN.x'])).toEqual([
      'chat',
      'websock.2',
      'WEBSOCK.TOKEN.x',
    ]);
  });

  test('is right only if it is one of the tokens, wherever it stands and whatever it is', () => {
    const tokens = ['first-token-of-some', 'second-token-of-some'];
    const guard = new TokenGuard(tokens, false);
    for (const token of tokens) {
      expect(guard.judge({ token, cookie: undefined })).toEqual({ auth: { mode: 'token' } });
    }
    const nearly = fc
      .tuple(fc.constantFrom(...tokens), fc.nat(18), fc.string())
      .map(([token, at, more]) => token.slice(0, at) + more);
    fc.assert(
      fc.property(fc.oneof(fc.string(), nearly), (token) => {
        fc.pre(token !== '' && !tokens.includes(token));
        for (const shown of [
          shownBy(request(new URLSearchParams({ token }).toString()), undefined, []),
          shownBy(request(), token, []),
          shownBy(request(), undefined, [`websock.token.${token}`]),
        ]) {
          expect(guard.judge(shown)).toMatchObject({
            guessed: true,
            refusal: { status: 401, text: 'the token is wrong' },
          });
        }
      }),
    );
  });
});

describe('a cookie', () => {
  test.each([
    ['PHPSESSID=abc', 'abc'],
    ['a=1; PHPSESSID=abc; b=2', 'abc'],
    ['a=1;PHPSESSID=abc', 'abc'],
    ['PHPSESSID=first; PHPSESSID=second', 'first'],
    ['PHPSESSID="abc"', '"abc"'],
    ['PHPSESSID=a=b', 'a=b'],
    ['XPHPSESSID=abc; phpsessid=abc; PHPSESSID', undefined],
    ['x="; PHPSESSID=abc"', 'abc"'],
    ['a=1, PHPSESSID=abc', undefined],
    ['', undefined],
    [undefined, undefined],
  ])('%s', (header, value) => {
    expect(cookieOf(header, 'PHPSESSID')).toBe(value);
  });

  test('that is no id of PHP is not looked for in any file, whatever is in it', async () => {
    const guard = new SessionGuard({
      backends: false,
      savePath: temporaryFolder(),
      serializer: 'php',
      cookieName: 'PHPSESSID',
      sessionKey: 'user',
      identKey: '',
      maxSession: 1000,
    });
    const texts = ['../x', '..', '/etc/passwd', 'a/b', 'a\0', 'a%2fb', 'a.b', 'ä', 'a'.repeat(251)];
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom(...texts)), async (id) => {
        fc.pre(!/^[A-Za-z0-9,-]*$/.test(id.trim()) || id.length > 250);
        fc.pre(!id.includes(';'));
        const verdict = await guard.judge({ token: undefined, cookie: `PHPSESSID=${id}` });
        expect(verdict).toMatchObject({ refusal: { status: 401, text: 'that is no session' } });
        expect(verdict).not.toHaveProperty('guessed');
      }),
    );
  });
});
