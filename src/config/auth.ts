/** The options of `[auth]`, and of `[auth.NAME]` for single resources: the same keys. */
import type { Shape } from './shapes.ts';

type Key = Shape & { readonly example: string };

const MODE = {
  key: 'mode',
  type: 'enum',
  default: 'none',
  values: ['none', 'token', 'jwt', 'php-session'],
  example: 'token',
  help: 'none asks for nothing, token for one of the tokens, jwt for a JSON Web Token, php-session for the cookie of a PHP session. See systemd/README.md.',
} as const satisfies Key;

const KEYS = [
  {
    key: 'backends',
    type: 'boolean',
    default: false,
    example: 'false',
    help: 'Ask scripts, line clients and posts too, beside what [backend] asks of them. One that shows the key of [backend] gives its token as ?token=.',
  },
  {
    key: 'tokens',
    type: 'secret',
    default: '',
    example: '',
    help: 'mode=token: the tokens that are accepted, separated by commas. Letters, digits, - . _ and ~.',
  },
  {
    key: 'tokenFile',
    type: 'path',
    default: '',
    example: 'tokens.txt',
    help: 'mode=token: a file that holds them, one in a line, in place of tokens. Lines that begin with # are comments.',
  },
  {
    key: 'keyFile',
    type: 'path',
    default: '',
    example: '',
    help: 'mode=jwt: the key that tokens are signed with: a public key (RS256, ES256) as PEM, JWK or JWKS, or a secret of at least 32 bytes in one line (HS256).',
  },
  {
    key: 'audience',
    type: 'string',
    default: '',
    example: '',
    help: 'mode=jwt: whom a token has to be for (its claim aud). Empty for any.',
  },
  {
    key: 'issuer',
    type: 'string',
    default: '',
    example: '',
    help: 'mode=jwt: whom a token has to come from (its claim iss). Empty for any.',
  },
  {
    key: 'requireExpiry',
    type: 'boolean',
    default: true,
    example: 'true',
    help: 'mode=jwt: refuse a token that never expires. When one expires, its connection is closed with 1008.',
  },
  {
    key: 'identClaim',
    type: 'string',
    default: 'sub',
    example: 'sub',
    help: 'mode=jwt: the claim that is the ident of the client. Empty for none.',
  },
  {
    key: 'savePath',
    type: 'string',
    default: '',
    example: '',
    help: "mode=php-session: the folder of the sessions, as PHP's session.save_path has it: /path, N;/path or N;MODE;/path.",
  },
  {
    key: 'serializer',
    type: 'enum',
    default: 'php',
    values: ['php', 'php_serialize'],
    example: 'php',
    help: "mode=php-session: PHP's session.serialize_handler.",
  },
  {
    key: 'cookieName',
    type: 'string',
    default: 'PHPSESSID',
    example: 'PHPSESSID',
    help: "mode=php-session: PHP's session.name.",
  },
  {
    key: 'sessionKey',
    type: 'string',
    default: '',
    example: '',
    help: 'mode=php-session: what in the session has to be there and true: user, or user.id for a key within it.',
  },
  {
    key: 'identKey',
    type: 'string',
    default: '',
    example: '',
    help: 'mode=php-session: what in the session is the ident of the client, such as user.id. Empty for none.',
  },
] as const satisfies readonly Key[];

/** The keys as rows of `[auth]`, their types as narrow as they are written. */
type InAuth<Keys extends readonly Key[]> = {
  readonly [I in keyof Keys]: Keys[I] & { readonly section: 'auth'; readonly reloadable: true };
};

const ALL = [MODE, ...KEYS] as const;

export const AUTH_OPTIONS = ALL.map((key) => ({
  ...key,
  section: 'auth',
  reloadable: true,
})) as unknown as InAuth<typeof ALL>;

export const AUTH_PATHS = {
  section: 'auth',
  help: 'For single resources, in place of [auth]: one section for each kind, under a name of your choice. It takes nothing from [auth]; what it does not set has its default.',
  keys: [
    {
      key: 'path',
      type: 'list',
      default: [],
      required: true,
      example: '/chat,/admin',
      help: 'The paths of the resources, separated by commas.',
    },
    { ...MODE, required: true },
    ...KEYS,
  ],
} as const;
