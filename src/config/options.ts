/**
 * THE table of options. What websock.ini may hold, what the command line and the environment take, `--help`, the comments
 * of the shipped websock.ini and the type of the loaded values all follow from it: to add an option, add a row.
 */
import { LOG_LEVELS } from '../log.ts';
import { AUTH_OPTIONS, AUTH_PATHS } from './auth.ts';
import { DIALOG_OPTIONS } from './dialog.ts';
import { JOBS_OPTIONS } from './jobs.ts';
import { LIMIT_OPTIONS } from './limits.ts';
import { GiB, KEEPIDLE_MAX, KiB, LONGEST_TEXT, MANY, MiB, row, TIME } from './rows.ts';
import type { Option, Repeated, ValuesOf } from './shapes.ts';
import { TICKET_OPTIONS } from './tickets.ts';

/** What each section is about: a comment in websock.ini and a heading in --help. */
export const SECTIONS = {
  '': 'Where to listen, and the files used',
  log: 'What is worth a line, and how the log file is rotated',
  limits: 'What one client, or all of them, may take',
  compression: 'Compression of WebSocket messages (permessage-deflate), for resources that do not say themselves',
  http: 'HTTP requests on the same port',
  dialog:
    'Sessions: what is kept for web clients that speak websock.2, so that they lose nothing with their connection',
  heartbeat: 'Web clients that have gone without a word',
  tcp: 'TCP connections',
  tls: 'TLS, for wss://, ssl:// and ws+wss://',
  security: 'What browsers may do',
  backend: 'Who counts as a backend: line clients, scripts and posters that may address other clients',
  tickets: 'Tickets, which let a script send feedback to one client, from any host and without the key',
  auth: 'Who may come in: what every resource asks of web clients before it sees them',
  stop: 'How the daemon stops',
  jobs: 'Jobs, at /jobs',
} as const;

export const OPTIONS = [
  row(
    '',
    'adress',
    { aliases: ['address'], type: 'string', default: 'ws://localhost:8096', required: true, reloadable: false },
    'Where to listen: one URL or several separated by commas. ws:// or tcp:// is plain, wss:// or ssl:// is TLS, ws+wss:// is both on one port, unix:/path is a Unix socket. Without a port it is 80, or 443 with TLS; with ?proxyProtocol=true it takes connections of trustedProxies alone, each with a PROXY header first.',
  ),
  row(
    '',
    'logfile',
    { type: 'path', default: 'log/websock.log', reloadable: false },
    'The log file, JSON lines. Empty for none.',
  ),
  row(
    '',
    'logLevel',
    { type: 'enum', default: 'info', values: LOG_LEVELS, reloadable: true },
    'The least severe lines that are logged.',
  ),
  row(
    '',
    'console',
    { type: 'boolean', default: false, reloadable: false },
    'Write the log lines to the terminal as well.',
  ),
  row(
    '',
    'certFile',
    { type: 'path', default: '', reloadable: true },
    'The TLS certificate with its chain, PEM. Needed for wss://, ssl:// and ws+wss://. Read again on SIGHUP.',
  ),
  row('', 'pkFile', { type: 'path', default: '', reloadable: true }, 'The private key of certFile, PEM.'),
  row(
    '',
    'resources',
    { type: 'path', default: 'resources', required: true, reloadable: false },
    'The folder of the resource classes, one file each.',
  ),
  row(
    '',
    'examples',
    { type: 'list', default: [], reloadable: false },
    'The examples that are served, by name (echo,chat), or all; their pages are at /_websock/examples/. Empty for none: they are there to be tried, and whoever can reach the daemon may use them.',
  ),
  row(
    '',
    'transport',
    { type: 'enum', default: 'auto', values: ['auto', 'net', 'direct'], reloadable: false },
    "What moves the bytes of plain connections: net is Node's own sockets; direct goes past them, which is faster and takes less memory, but rests on Node's internals. auto is direct where a test at start finds that it works, else net. TLS connections are always net.",
  ),
  row(
    'log',
    'rotate',
    { type: 'enum', default: 'internal', values: ['internal', 'external'], reloadable: false },
    'internal: the daemon starts new files itself. external: it writes exactly to logfile and opens it again on SIGHUP, as logrotate wants it.',
  ),
  row(
    'log',
    'maxSize',
    { type: 'size', default: 10 * MiB, min: KiB, max: 100 * GiB, zero: 'no limit', reloadable: false },
    'A log file longer than this is followed by a new one (rotate=internal).',
  ),
  row(
    'log',
    'daily',
    { type: 'boolean', default: true, reloadable: false },
    'Start a new log file every day (rotate=internal).',
  ),
  row(
    'log',
    'keep',
    { type: 'integer', default: 7, min: 1, max: 10_000, unit: 'files', reloadable: false },
    'How many older log files are kept beside the current one (rotate=internal).',
  ),
  row(
    'log',
    'stallWarn',
    { type: 'seconds', default: 1, ...TIME, zero: 'nothing is logged', reloadable: true },
    'A warning is logged when a resource holds the event loop, and with it all clients, for longer than this.',
  ),
  ...LIMIT_OPTIONS,
  row(
    'compression',
    'enabled',
    { type: 'boolean', default: false, reloadable: true },
    'Compress messages with web clients that offer it.',
  ),
  row(
    'compression',
    'threshold',
    { type: 'size', default: KiB, min: 0, max: LONGEST_TEXT, reloadable: true },
    'Shorter messages are sent as they are, unless the resource asks for it.',
  ),
  row(
    'compression',
    'level',
    { type: 'integer', default: 1, min: 1, max: 9, reloadable: true },
    'How hard to try: 1 is fast, 9 is small. All clients wait while a message is being compressed.',
  ),
  row(
    'compression',
    'contextTakeover',
    { type: 'boolean', default: false, reloadable: true },
    'Let a message refer to the ones before it, which makes similar ones much smaller. It costs about 250 KiB for each client that uses it, and a broadcast is compressed for each.',
  ),
  row(
    'http',
    'bodyTimeout',
    { type: 'seconds', default: 30, ...TIME, reloadable: true },
    'How long a request body may take to arrive. One that comes fast enough for minBodyRate has this time again, as often as it takes.',
  ),
  row(
    'http',
    'minBodyRate',
    { type: 'size', default: 4 * KiB, min: 1, max: GiB, zero: 'all of a body within bodyTimeout', reloadable: true },
    'How many bytes of a request body must come in each second of bodyTimeout, if it takes longer than that.',
  ),
  row(
    'http',
    'keepAliveTimeout',
    { type: 'seconds', default: 5, ...TIME, reloadable: true },
    'How long a kept-alive connection may be idle between two requests.',
  ),
  row(
    'http',
    'maxAhead',
    { type: 'integer', default: 100, min: 1, max: 10_000, unit: 'requests', reloadable: true },
    'How many requests a client may have sent ahead while an earlier one is being answered. They are answered one after the other, and meanwhile no more is read.',
  ),
  row(
    'http',
    'maxAnswers',
    { type: 'integer', default: 10_000, min: 1, max: MANY, unit: 'answers', reloadable: true },
    'How many POSTs with an Idempotency-Key are remembered for [dialog] resume, so that each is handled once. One more, and the oldest is forgotten.',
  ),
  row(
    'http',
    'maxAnswer',
    { type: 'size', default: 64 * KiB, min: KiB, max: LONGEST_TEXT, reloadable: true },
    'The longest answer that is kept for such a POST. If one with a longer answer comes again, it gets 409.',
  ),
  row(
    'http',
    'maxAnswerMemory',
    { type: 'size', default: 16 * MiB, min: KiB, max: GiB, reloadable: true },
    'What all these answers may take. If it is more, the oldest are dropped, and one that comes again gets 409.',
  ),
  ...DIALOG_OPTIONS,
  row(
    'http',
    'console',
    { type: 'boolean', default: true, reloadable: false },
    'Serve the console at /_websock/, a page to connect and look at what is sent: to loopback, as far as that is trusted, and to who shows the backend key by HTTP Basic (any user name).',
  ),
  row(
    'heartbeat',
    'interval',
    { type: 'seconds', default: 25, ...TIME, zero: 'no pings', reloadable: true },
    'How long a web client may send nothing before it is sent a WebSocket ping, which browsers answer by themselves. Scripts and line clients are never pinged: see idleTimeout in [limits].',
  ),
  row(
    'heartbeat',
    'timeout',
    { type: 'seconds', default: 10, ...TIME, reloadable: true },
    'How long a web client that was pinged may go on sending nothing. After that it is closed with 4408.',
  ),
  row(
    'tcp',
    'keepAlive',
    { type: 'seconds', default: 60, min: 1, max: KEEPIDLE_MAX, reloadable: true },
    'How long a connection is silent before TCP asks whether the peer is still there.',
  ),
  row(
    'tcp',
    'backlog',
    { type: 'integer', default: 4096, min: 1, max: 65_535, unit: 'connections', reloadable: false },
    'How many new connections the system queues until they are accepted: one in each turn of the event loop. Beyond that it forgets them, and clients try again after seconds. The system may have a lower limit of its own (net.core.somaxconn).',
  ),
  row(
    'tls',
    'minVersion',
    { type: 'enum', default: 'TLSv1.2', values: ['TLSv1.2', 'TLSv1.3'], reloadable: true },
    'The oldest version of TLS that is accepted.',
  ),
  row(
    'tls',
    'ciphers',
    { type: 'list', default: [], reloadable: true },
    "The cipher suites of TLS 1.2, the preferred first, by OpenSSL's names. Empty for ECDHE with AES-GCM or ChaCha20; those of TLS 1.3 are not chosen.",
  ),
  row(
    'security',
    'allowedOrigins',
    { type: 'list', default: ['same', 'loopback'], reloadable: true },
    'The pages that may connect, by origin: https://www.example.org, same (the host name that the page asks for), loopback (pages of localhost), null (pages opened as a file) or * (all).',
  ),
  row(
    'security',
    'hosts',
    { type: 'list', default: [], reloadable: true },
    'The Host headers that are served: www.example.org (with any port), www.example.org:8096, 192.0.2.7, or * (all). Empty: all, but at a loopback address only localhost, loopback addresses and what a proxy of trustedProxies passes on: else a page of the internet could come in under a name of its own.',
  ),
  row(
    'security',
    'webMay',
    {
      type: 'list',
      default: ['echo', 'broadcast', 'feedback', 'ticket'],
      values: ['echo', 'broadcast', 'feedback', 'feedback-ident', 'ticket', 'quit'],
      reloadable: true,
    },
    'The opcodes that web clients may use at /, /web and /php. feedback reaches a client by its uuid, feedback-ident by its ident too; ticket gives a client one for its own uuid; quit may be used by all in any case.',
  ),
  row(
    'security',
    'webIdent',
    { type: 'boolean', default: false, reloadable: true },
    'Let web clients choose their own ident (Ident header or ?ident=).',
  ),
  row(
    'security',
    'trustedProxies',
    { type: 'list', default: [], items: 'range', reloadable: true },
    "The proxies whose X-Forwarded-For, Forwarded or PROXY header is believed to name the client's address. If one of them is on loopback, backends there need the key (see trustLoopback).",
  ),
  row(
    'backend',
    'allowed',
    { type: 'list', default: [], items: 'range', reloadable: true },
    'The addresses that backends may come from without the key, besides loopback (see trustLoopback).',
  ),
  row(
    'backend',
    'trustLoopback',
    { type: 'boolean', default: true, reloadable: true },
    'Let backends come from this host without the key. Set it to false where a proxy runs on this host: what it passes on comes from loopback too. A loopback address in trustedProxies does the same, but for Unix sockets.',
  ),
  row(
    'backend',
    'key',
    { type: 'secret', default: '', fileKey: 'keyFile', reloadable: true },
    'The key that lets a backend come from any address: Authorization: Bearer KEY. Empty for none.',
  ),
  row(
    'backend',
    'keyFile',
    { type: 'path', default: '', reloadable: true },
    'A file that holds the key, in place of key. Only the daemon should be able to read it.',
  ),
  ...TICKET_OPTIONS,
  ...AUTH_OPTIONS,
  row(
    'stop',
    'timeout',
    { type: 'seconds', default: 10, ...TIME, min: 0, reloadable: true },
    'How long a stop waits for the messages that are being worked on.',
  ),
  row(
    'stop',
    'exitOnUncaught',
    { type: 'boolean', default: false, reloadable: true },
    'Stop, with exit code 1, upon an error that nobody caught: one from a timer of a resource, say. It is logged in any case, with its file and line.',
  ),
  row(
    'stop',
    'code',
    { type: 'enum', default: 1001, values: [1001, 1012], reloadable: true },
    'The close code that a stop sends: 1001 going away, 1012 to announce that the daemon comes back.',
  ),
  ...JOBS_OPTIONS,
] as const satisfies readonly Option[];

export const REPEATED = [
  {
    section: 'tls',
    help: 'A further certificate, for clients that ask for this host name (SNI). One section for each, under a name of your choice.',
    keys: [
      {
        key: 'host',
        type: 'string',
        default: '',
        required: true,
        example: 'www.example.org',
        help: 'The host name; *.example.org stands for all names with one more label.',
      },
      {
        key: 'certFile',
        type: 'path',
        default: '',
        required: true,
        example: 'certs/www.example.org.pem',
        help: 'Its certificate with the chain, PEM.',
      },
      {
        key: 'pkFile',
        type: 'path',
        default: '',
        required: true,
        example: 'certs/www.example.org.key',
        help: 'The private key of that certificate, PEM.',
      },
    ],
  },
  AUTH_PATHS,
] as const satisfies readonly Repeated[];

/** The sections whose values are what the bundled resource at `/NAME` is set up by; those of other resources are `[/NAME]`. */
export const OF_RESOURCES = ['jobs'] as const satisfies readonly (keyof typeof SECTIONS)[];

type Rows = (typeof OPTIONS)[number];

/** The loaded values: `values.adress`, `values.limits.maxPayload` (bytes), `values.named.tls[0].host`. */
export type Values = ValuesOf<Extract<Rows, { section: '' }>> & {
  [S in Exclude<Rows['section'], ''>]: ValuesOf<Extract<Rows, { section: S }>>;
} & {
  /** The repeated sections, in the order of the file; `name` is the NAME of `[section.NAME]`. */
  named: {
    [S in (typeof REPEATED)[number]['section']]: ({ name: string } & ValuesOf<
      Extract<(typeof REPEATED)[number], { section: S }>['keys'][number]
    >)[];
  };
};

/** `adress`, `limits.maxPayload`: what an option is called on the command line and in `where()`. */
export function fullName(section: string, key: string): string {
  return section === '' ? key : `${section}.${key}`;
}

/** `WEBSOCK_LIMITS_MAXPAYLOAD`: the environment variable of a full name. */
export function envName(name: string): string {
  return `WEBSOCK_${name.replaceAll('.', '_').toUpperCase()}`;
}

/** Every full name an option goes by, mapped to its row: aliases too. */
export const BY_NAME: ReadonlyMap<string, Option> = new Map(
  OPTIONS.flatMap((option: Option) =>
    [option.key, ...(option.aliases ?? [])].map((key) => [fullName(option.section, key), option] as const),
  ),
);
