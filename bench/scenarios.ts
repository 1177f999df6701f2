/** What is measured, and what is aimed at. One entry is one scenario; `npm run bench -- --list` shows them. */

/** How the daemon holds its sockets: its option `transport`, which TLS has no part in. */
export type Transport = 'direct' | 'net' | 'tls';
/** `ws`; `ws` with its native helpers; an echo of raw TCP on node:net; the same in C. */
export type Peer = 'ws' | 'ws+n' | 'net' | 'C';

/** What the ratio to each peer has to reach; where less is better, what it may not exceed. */
export type Targets = Partial<Record<Peer, number>>;

/** One way in which websock takes part. */
export interface Variant {
  /** What tells it from the others of its scenario; '' for the first. */
  readonly label: string;
  /** The resource, one of bench/resources. */
  readonly path: string;
  readonly targets?: Readonly<Partial<Record<Transport, Targets>>>;
  /** The daemon's logLevel; default: that of the command line, `warn`. */
  readonly level?: 'info';
  /** As {@link Scenario.check}, where it differs. */
  readonly check?: string;
}

export interface Scenario {
  readonly name: string;
  readonly title: string;
  /** What the figures count. */
  readonly unit: string;
  /** The field of wsload's result that is compared. */
  readonly metric: 'msgs_per_s' | 'deliveries_per_s' | 'handshakes_per_s' | 'rss_per_conn';
  /** The lower the better. */
  readonly less?: true;
  /** Arguments of wsload. */
  readonly load: string;
  /** What a server has to answer rightly, byte by byte, before it counts; default: `load`. */
  readonly check?: string;
  /** The resource of `ws`. */
  readonly path: string;
  readonly peers: readonly Peer[];
  readonly websock: readonly [Variant, ...Variant[]];
  readonly tls?: true;
  readonly deflate?: true;
  /** How many files server and load have to be able to open. */
  readonly files?: number;
  /** In a smoke run: left out, or further arguments of wsload. */
  readonly smoke?: false | string;
}

const DEFAULT: Variant = { label: 'default resource', path: '/echo-default' };
const AS_STRING = { label: 'text as string', path: '/echo-default' };
const DIALOG = '--size 64 --payload json --ack';
const RECORDS = '--size 1024 --payload records --deflate';

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'echo32',
    title: 'echo of 32 B, 1 in flight, 100 connections',
    unit: 'messages/s',
    metric: 'msgs_per_s',
    load: '--conns 100 --size 32',
    path: '/echo',
    peers: ['ws', 'ws+n', 'net', 'C'],
    websock: [{ label: '', path: '/echo', targets: { direct: { ws: 1.5, net: 1.25 }, net: { ws: 1.15 } } }, DEFAULT],
  },
  {
    name: 'echo32-16',
    title: 'echo of 32 B, 16 in flight, 100 connections',
    unit: 'messages/s',
    metric: 'msgs_per_s',
    load: '--conns 100 --size 32 --depth 16',
    path: '/echo',
    peers: ['ws', 'ws+n', 'net', 'C'],
    websock: [{ label: '', path: '/echo', targets: { direct: { ws: 12, net: 0.95 }, net: { ws: 10 } } }, DEFAULT],
  },
  {
    name: 'echo16k',
    title: 'echo of 16 KiB, binary, 1 in flight, 50 connections',
    unit: 'messages/s',
    metric: 'msgs_per_s',
    load: '--conns 50 --size 16384 --binary',
    path: '/echo',
    peers: ['ws', 'ws+n', 'net', 'C'],
    websock: [{ label: '', path: '/echo', targets: { direct: { ws: 5, 'ws+n': 2 }, net: { ws: 3 } } }, DEFAULT],
  },
  {
    name: 'echo1m',
    title: 'echo of 1 MiB, binary, 1 in flight, 4 connections',
    unit: 'messages/s',
    metric: 'msgs_per_s',
    load: '--conns 4 --size 1048576 --binary',
    path: '/echo',
    peers: ['ws', 'ws+n', 'net', 'C'],
    websock: [{ label: '', path: '/echo', targets: { direct: { ws: 7, 'ws+n': 3 }, net: { ws: 3.4 } } }, DEFAULT],
  },
  {
    name: 'echo16k-text',
    title: 'echo of 16 KiB of text, handed out as string (by ws: as Buffer)',
    unit: 'messages/s',
    metric: 'msgs_per_s',
    load: '--conns 50 --size 16384',
    path: '/echo',
    peers: ['ws', 'ws+n'],
    websock: [{ ...AS_STRING, targets: { direct: { ws: 2 }, net: { ws: 1.6 } } }],
  },
  {
    name: 'echo1m-text',
    title: 'echo of 1 MiB of text, handed out as string (by ws: as Buffer)',
    unit: 'messages/s',
    metric: 'msgs_per_s',
    load: '--conns 4 --size 1048576',
    path: '/echo',
    peers: ['ws', 'ws+n'],
    websock: [{ ...AS_STRING, targets: { direct: { ws: 2 }, net: { ws: 1.6 } } }],
    smoke: false,
  },
  {
    name: 'broadcast',
    title: 'broadcast of 100 B to 1000 clients',
    unit: 'deliveries/s',
    metric: 'deliveries_per_s',
    load: '--mode broadcast --conns 1000 --size 100',
    path: '/bcast',
    peers: ['ws'],
    websock: [{ label: '', path: '/bcast', targets: { direct: { ws: 1.4 }, net: { ws: 1.25 } } }],
  },
  {
    name: 'handshake',
    title: 'handshakes, 16 at a time, each closed by FIN',
    unit: 'handshakes/s',
    metric: 'handshakes_per_s',
    load: '--mode handshake --conns 16',
    check: '--conns 16 --size 32',
    path: '/echo',
    peers: ['ws'],
    websock: [
      { label: '', path: '/echo', targets: { direct: { ws: 3.5 }, net: { ws: 1.7 } } },
      { label: 'logLevel=info', path: '/echo', level: 'info' },
    ],
  },
  {
    name: 'dialog',
    title: 'dialog: JSON echo of 64 B and next on /web, 1 in flight, 100 connections',
    unit: 'messages/s',
    metric: 'msgs_per_s',
    load: `--conns 100 ${DIALOG}`,
    path: '/web',
    peers: ['ws'],
    websock: [{ label: '', path: '/web', targets: { direct: { ws: 2.2 }, net: { ws: 1.7 } } }],
  },
  {
    name: 'dialog-16',
    title: 'dialog: JSON echo of 64 B and next on /web, 16 in flight, 100 connections',
    unit: 'messages/s',
    metric: 'msgs_per_s',
    load: `--conns 100 --depth 16 ${DIALOG}`,
    path: '/web',
    peers: ['ws'],
    websock: [{ label: '', path: '/web', targets: { direct: { ws: 10 }, net: { ws: 9 } } }],
  },
  {
    name: 'idle',
    title: 'resident memory per idle connection, 10,000 held for 5 s',
    unit: 'bytes',
    metric: 'rss_per_conn',
    less: true,
    load: '--mode idle --conns 10000 --secs 5',
    check: '--conns 4 --size 32',
    path: '/echo',
    peers: ['ws'],
    websock: [
      { label: '', path: '/echo', targets: { direct: { ws: 0.4 }, net: { ws: 0.9 } } },
      { label: '/web', path: '/web', check: DIALOG, targets: { direct: { ws: 0.5 }, net: { ws: 1 } } },
    ],
    files: 10_200,
    smoke: '--secs 1',
  },
  {
    name: 'wss-echo32',
    title: 'wss: echo of 32 B, 1 in flight, 100 connections',
    unit: 'messages/s',
    metric: 'msgs_per_s',
    load: '--tls --conns 100 --size 32',
    path: '/echo',
    peers: ['ws', 'ws+n'],
    websock: [{ label: '', path: '/echo', targets: { tls: { ws: 1.15 } } }],
    tls: true,
  },
  {
    name: 'wss-echo16k',
    title: 'wss: echo of 16 KiB, binary, 1 in flight, 50 connections',
    unit: 'messages/s',
    metric: 'msgs_per_s',
    load: '--tls --conns 50 --size 16384 --binary',
    path: '/echo',
    peers: ['ws', 'ws+n'],
    websock: [{ label: '', path: '/echo', targets: { tls: { ws: 2 } } }],
    tls: true,
    smoke: false,
  },
  {
    name: 'deflate-echo',
    title: 'permessage-deflate: echo of 1 KiB of JSON, 1 in flight, 100 connections',
    unit: 'messages/s',
    metric: 'msgs_per_s',
    load: `--conns 100 ${RECORDS}`,
    path: '/echo',
    peers: ['ws'],
    websock: [{ label: '', path: '/echo', targets: { direct: { ws: 2 } } }, DEFAULT],
    deflate: true,
  },
  {
    name: 'deflate-broadcast',
    title: 'permessage-deflate: broadcast of 1 KiB of JSON to 1000 clients',
    unit: 'deliveries/s',
    metric: 'deliveries_per_s',
    load: `--mode broadcast --conns 1000 ${RECORDS}`,
    path: '/bcast',
    peers: ['ws'],
    websock: [{ label: '', path: '/bcast', targets: { direct: { ws: 10 } } }],
    deflate: true,
  },
];

/**
 * The scenarios that words ask for: the one of that name, else all whose names begin so; without words all.
 * @returns the words that fit none, too.
 */
export function chosen(words: readonly string[]): { scenarios: readonly Scenario[]; unknown: string[] } {
  if (words.length === 0) return { scenarios: SCENARIOS, unknown: [] };
  const found = words.map((word) => {
    const exact = SCENARIOS.filter(({ name }) => name === word);
    return exact.length > 0 ? exact : SCENARIOS.filter(({ name }) => name.startsWith(word));
  });
  return {
    scenarios: SCENARIOS.filter((scenario) => found.some((list) => list.includes(scenario))),
    unknown: words.filter((_, index) => found[index].length === 0),
  };
}
