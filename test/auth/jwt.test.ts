import { createHmac, createSecretKey, type KeyObject, generateKeyPairSync } from 'node:crypto';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { SignJWT } from 'jose';
import { JwtGuard, type JwtOptions } from '../../src/auth/jwt.ts';
import { isSecret, readKeys } from '../../src/auth/keys.ts';

const OPTIONS: JwtOptions = { backends: false, audience: '', issuer: '', requireExpiry: true, identClaim: 'sub' };
const SECRET = 'a-secret-of-at-least-32-bytes-for-HS256';

interface Pair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
  readonly pem: string;
}

let rsa: Pair;
let ec: Pair;

beforeAll(() => {
  const pemOf = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }).toString();
  const one = generateKeyPairSync('rsa', { modulusLength: 2048 });
  rsa = { ...one, pem: pemOf(one.publicKey) };
  const two = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  ec = { ...two, pem: pemOf(two.publicKey) };
});

const hs = (text = SECRET): KeyObject => createSecretKey(Buffer.from(text));
const now = (): number => Math.floor(Date.now() / 1000);

function sign(key: KeyObject, alg: string, claims: Record<string, unknown> = {}, header = {}): Promise<string> {
  return new SignJWT({ sub: 'zoe', exp: now() + 60, ...claims }).setProtectedHeader({ alg, ...header }).sign(key);
}

/** A token of these very parts. */
function forge(header: unknown, claims: unknown, signature: string | ((input: string) => string) = ''): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const input = `${part(header)}.${part(claims)}`;
  return `${input}.${typeof signature === 'string' ? signature : signature(input)}`;
}

async function judge(
  file: string | Buffer,
  token: string | undefined,
  options: Partial<JwtOptions> = {},
): Promise<unknown> {
  const guard = new JwtGuard(readKeys(Buffer.from(file as string)), { ...OPTIONS, ...options });
  return guard.judge({ token, cookie: undefined });
}

const WRONG = { guessed: true, refusal: { status: 401, text: 'the token is wrong' } };
const said = (text: string): unknown => ({
  refusal: {
    status: 401,
    text,
    headers: { 'WWW-Authenticate': `Bearer realm="websock", error="invalid_token", error_description="${text}"` },
  },
});

describe('a JWT', () => {
  test('that the key has signed: its claims, its name, its end', async () => {
    const exp = now() + 60;
    for (const [file, key, alg] of [
      [SECRET, hs(), 'HS256'],
      [`  ${SECRET}\n`, hs(), 'HS256'],
      [rsa.pem, rsa.privateKey, 'RS256'],
      [ec.pem, ec.privateKey, 'ES256'],
    ] as const) {
      const token = await sign(key, alg, { exp, room: 5 });
      expect(await judge(file, token)).toEqual({
        auth: { mode: 'jwt', claims: { sub: 'zoe', exp, room: 5 } },
        ident: 'zoe',
        expires: exp,
      });
    }
  });

  test('that is not shown is asked for', async () => {
    expect(await judge(SECRET, undefined)).toMatchObject({
      refusal: { status: 401, headers: { 'WWW-Authenticate': 'Bearer realm="websock"' } },
    });
    expect(await judge(SECRET, undefined)).not.toHaveProperty('guessed');
  });

  test('of another key, changed, or none at all', async () => {
    const token = await sign(hs(), 'HS256');
    const [header, claims, signature] = token.split('.');
    const other = Buffer.from(JSON.stringify({ sub: 'root', exp: now() + 60 })).toString('base64url');
    for (const wrong of [
      await sign(hs(`${SECRET}!`), 'HS256'),
      `${header}.${other}.${signature}`,
      `${header}.${claims}.${signature.slice(0, -4)}AAAA`,
      `${header}.${claims}.`,
      `${header}.${claims}`,
      '',
      '...',
      'x',
      'é\0',
      'x'.repeat(8000),
    ]) {
      expect(await judge(SECRET, wrong)).toMatchObject(WRONG);
    }
  });

  test('without an algorithm, or with another than the one of the key, is refused whatever it is signed with', async () => {
    const claims = { sub: 'root', exp: now() + 60 };
    const hmac = (secret: string | Buffer) => (input: string) =>
      createHmac('sha256', secret).update(input).digest('base64url');
    const der = rsa.publicKey.export({ type: 'spki', format: 'der' });
    for (const wrong of [
      forge({ alg: 'none' }, claims),
      forge({ alg: 'None' }, claims),
      forge({ alg: 'nOnE', typ: 'JWT' }, claims, 'AAAA'),
      forge({}, claims),
      // HS256 with the public key for a secret: in every form that somebody might have it.
      ...[rsa.pem, rsa.pem.trim(), `${rsa.pem.trim()}\n`, der].map((key) => forge({ alg: 'HS256' }, claims, hmac(key))),
      await sign(rsa.privateKey, 'RS512'),
      await sign(rsa.privateKey, 'PS256'),
      // Keys that the token brings along.
      await sign(ec.privateKey, 'ES256', {}, { jwk: ec.publicKey.export({ format: 'jwk' }) }),
      forge({ alg: 'HS256', jwk: { kty: 'oct', k: 'AAAA' } }, claims, hmac(Buffer.from('AAAA', 'base64url'))),
      await sign(rsa.privateKey, 'RS256', {}, { crit: ['b64'], b64: true }).then((token) =>
        token.replace(/^[^.]+/, (head) => {
          const header = JSON.parse(Buffer.from(head, 'base64url').toString()) as object;
          return Buffer.from(JSON.stringify({ ...header, crit: ['x'], x: 1 })).toString('base64url');
        }),
      ),
    ]) {
      expect(await judge(rsa.pem, wrong)).toMatchObject(WRONG);
    }
    expect(await judge(SECRET, forge({ alg: 'none' }, claims))).toMatchObject(WRONG);
    expect(await judge(SECRET, await sign(rsa.privateKey, 'RS256'))).toMatchObject(WRONG);
    expect(await judge(SECRET, await sign(hs(SECRET.repeat(2)), 'HS512'))).toMatchObject(WRONG);
  });

  test('that was right says what is not, and has guessed nothing', async () => {
    const cases: [Record<string, unknown>, string, Partial<JwtOptions>?][] = [
      [{ exp: now() - 1 }, 'the token has expired'],
      [{ exp: undefined }, 'the token has no exp'],
      [{ exp: 'tomorrow' }, 'the exp of the token is not accepted here'],
      [{ nbf: now() + 60 }, 'the token is not valid yet'],
      [{}, 'the token has no aud', { audience: 'chat' }],
      [{ aud: 'other' }, 'the aud of the token is not accepted here', { audience: 'chat' }],
      [{ iss: 'evil' }, 'the iss of the token is not accepted here', { issuer: 'https://id.example.org' }],
    ];
    for (const [claims, text, options] of cases) {
      expect(await judge(SECRET, await sign(hs(), 'HS256', claims), options)).toEqual(said(text));
    }
    const right = await sign(hs(), 'HS256', { aud: ['other', 'chat'], iss: 'me' });
    expect(await judge(SECRET, right, { audience: 'chat', issuer: 'me' })).toHaveProperty('auth');
  });

  test('that never expires is taken if that is wanted', async () => {
    const token = await sign(hs(), 'HS256', { exp: undefined });
    expect(await judge(SECRET, token, { requireExpiry: false })).toMatchObject({ expires: undefined, ident: 'zoe' });
  });

  test.each([
    ['sub', { sub: 7 }, '7'],
    ['name', { name: 'Zoë' }, 'Zoë'],
    ['name', {}, undefined],
    ['name', { name: ['a'] }, undefined],
    ['name', { name: 'x'.repeat(257) }, undefined],
    ['toString', {}, undefined],
    ['__proto__', {}, undefined],
    ['', { '': 'x' }, undefined],
  ])('is named by its claim %s: %j: %s', async (identClaim, claims, ident) => {
    const token = await sign(hs(), 'HS256', claims);
    expect(await judge(SECRET, token, { identClaim })).toMatchObject({ ident });
  });
});

describe('a key file', () => {
  const jwk = (pair: Pair, more = {}): object => ({ ...pair.publicKey.export({ format: 'jwk' }), ...more });
  const secretJwk = (more = {}): object => ({ kty: 'oct', k: Buffer.from(SECRET).toString('base64url'), ...more });

  test('is a JWK or a set of them; kid chooses among the keys, never among the algorithms', async () => {
    const set = JSON.stringify({
      keys: [
        jwk(rsa, { kid: 'r', alg: 'RS256', use: 'sig' }),
        jwk(ec, { kid: 'e' }),
        jwk(rsa, { kid: 'x', use: 'enc' }),
        { kty: 'OKP', crv: 'Ed25519', x: 'AAAA' },
        null,
      ],
    });
    expect(await judge(JSON.stringify(jwk(ec)), await sign(ec.privateKey, 'ES256'))).toHaveProperty('auth');
    expect(await judge(JSON.stringify(secretJwk()), await sign(hs(), 'HS256'))).toHaveProperty('auth');
    expect(await judge(set, await sign(rsa.privateKey, 'RS256', {}, { kid: 'r' }))).toHaveProperty('auth');
    expect(await judge(set, await sign(ec.privateKey, 'ES256'))).toHaveProperty('auth');
    for (const kid of ['e', 'x', '../r', '']) {
      expect(await judge(set, await sign(rsa.privateKey, 'RS256', {}, { kid }))).toMatchObject(WRONG);
    }
    expect(await judge(set, await sign(hs(rsa.pem), 'HS256', {}, { kid: 'r' }))).toMatchObject(WRONG);
  });

  test('with two keys of one kind, as while they are changed: either will do', async () => {
    const old = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const set = JSON.stringify({ keys: [jwk({ ...old, pem: '' }), jwk(ec)] });
    for (const key of [old.privateKey, ec.privateKey]) {
      expect(await judge(set, await sign(key, 'ES256'))).toHaveProperty('auth');
    }
    const expired = await sign(old.privateKey, 'ES256', { exp: 1 });
    expect(await judge(set, expired)).toEqual(said('the token has expired'));
  });

  test('is a secret or not', () => {
    const secret = (file: string): boolean => isSecret(readKeys(Buffer.from(file)));
    expect([secret(SECRET), secret(JSON.stringify(secretJwk())), secret(ec.pem)]).toEqual([true, true, false]);
  });

  test.each<[string, () => string | Buffer, string]>([
    ['short', () => 'x'.repeat(31), 'a secret of 31 bytes is too short for HS256: it takes 32 or more'],
    ['empty', () => '\n', 'a secret of 0 bytes is too short'],
    ['lines', () => `${SECRET}\n${SECRET}`, 'it holds more than one line of text'],
    ['bytes', () => Buffer.from([0xff, 0xfe]), 'it is not text'],
    ['private', () => rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), 'it holds a private key'],
    [
      'private, of the old form',
      () => rsa.privateKey.export({ type: 'pkcs1', format: 'pem' }).toString(),
      'it holds a private key',
    ],
    ['private JWK', () => JSON.stringify(ec.privateKey.export({ format: 'jwk' })), 'a private key'],
    [
      'broken',
      () => '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----',
      'it holds no public key that can be read',
    ],
    ['small RSA', () => pem('rsa', { modulusLength: 1024 }), 'an RSA key of 1024 bits is too short'],
    ['another curve', () => pem('ec', { namedCurve: 'P-384' }), 'a key of type ec secp384r1'],
    ['another kind', () => pem('ed25519', {}), 'a key of type ed25519'],
    ['another algorithm', () => JSON.stringify(jwk(rsa, { alg: 'RS512' })), 'a key for another algorithm'],
    ['no JSON', () => '{"kty":', 'it begins with { and is not JSON'],
    ['no keys', () => '{"keys":[]}', 'none of its keys can be used'],
    ['no list', () => '{"keys":{}}', 'its keys are not a list'],
    ['too many', () => JSON.stringify({ keys: Array(33).fill(secretJwk()) }), '33 keys are too many'],
    ['no text', () => '{"kty":"oct","k":7}', 'a secret of 0 bytes is too short'],
  ])('that is %s', (_, file, problem) => {
    expect(() => readKeys(Buffer.from(file() as string))).toThrow(problem);
  });

  function pem(type: string, options: object): string {
    const { publicKey } = generateKeyPairSync(type as 'rsa', options as { modulusLength: number });
    return publicKey.export({ type: 'spki', format: 'pem' }).toString();
  }
});
