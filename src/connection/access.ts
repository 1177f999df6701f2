import { createHash, timingSafeEqual } from 'node:crypto';
import ipaddr from 'ipaddr.js';
import { messageOf } from '../errors.ts';
import type { Entrance } from '../transport/transport.ts';
import { type ReadHop, readForwarded, readXForwardedFor, rightMost } from '../wire/forwarded.ts';
import type { Headers, Refusal } from '../wire/head.ts';
import { checkHosts, Hosts, isLoopbackName, parseHost } from './hosts.ts';

type Address = ReturnType<typeof ipaddr.parse>;
type Range = [Address, number];

/** The values of `[security]` and `[backend]` that decide who a client is and what it may. */
export interface AccessOptions {
  /** Exact origins, and the words `same`, `loopback`, `null` and `*`. */
  readonly allowedOrigins: readonly string[];
  /** Host headers that are served, and `*`; none: all, but loopback names alone on loopback addresses. */
  readonly hosts: readonly string[];
  /** Address ranges of proxies whose forwarding headers count, and PROXY headers. */
  readonly trustedProxies: readonly string[];
  /** Address ranges that clients of kind `tcp` may come from. */
  readonly allowed: readonly string[];
  /** Loopback addresses and Unix sockets are in `allowed`; if a proxy is on loopback, Unix sockets alone. */
  readonly trustLoopback: boolean;
  /** '' : there is none. */
  readonly key: string;
}

/** Where a request came from. */
export interface Provenance {
  /** The client's address, behind a trusted proxy its own. */
  readonly ip: string;
  /**
   * Whether that address may earn trust: not if somebody forwarded the request that is no trusted proxy, nor if it is the
   * loopback address of whatever host.
   */
  readonly known: boolean;
}

const WORDS = new Set(['same', 'loopback', 'null', '*']);
/** How many verdicts on origins are kept, and how long an origin and a host may be for that. */
const VERDICTS_MOST = 256;
const QUESTION_MOST = 512;
const IPV4_LOOPBACK = ipaddr.parse('127.0.0.1');
const IPV6_LOOPBACK = ipaddr.parse('::1');
/** The origin of an app or a browser's extension: URL knows none for its scheme. */
const OWN_SCHEME = /^(?!(?:https?|wss?|ftp|file):)[a-z][a-z0-9+.-]*:\/\/[\w.-]+(?::\d{1,5})?$/i;
const FORWARDING = ['x-forwarded-for', 'forwarded', 'x-real-ip', 'via'];

/**
 * Address ranges from their CIDR form, or single addresses.
 * @throws Error that names the entry that is neither.
 */
export function parseRanges(list: readonly string[]): Range[] {
  return list.map((entry) => {
    try {
      if (entry.includes('/')) {
        const range = ipaddr.parseCIDR(entry);
        // Addresses in these clothes are IPv4 here: no client would ever be in it.
        if (range[0] instanceof ipaddr.IPv6 && range[0].isIPv4MappedAddress()) throw new Error('IPv4 in IPv6');
        return range;
      }
      const address = ipaddr.process(entry);
      return [address, address.kind() === 'ipv4' ? 32 : 128];
    } catch (error) {
      throw new Error(`'${entry}' is no address range: give 192.0.2.7, 10.0.0.0/8 or fd00::/8`, { cause: error });
    }
  });
}

/**
 * Checks `allowedOrigins`.
 * @throws Error that names the entry that no browser could send.
 */
export function checkOrigins(list: readonly string[]): void {
  for (const entry of list) {
    if (WORDS.has(entry) || OWN_SCHEME.test(entry)) continue;
    let origin: string;
    try {
      origin = new URL(entry).origin;
    } catch (error) {
      throw new Error(
        `'${entry}' is no origin: ${messageOf(error)}; give https://example.org, or same, loopback, null, *`,
        { cause: error },
      );
    }
    if (origin.toLowerCase() !== entry.toLowerCase()) {
      throw new Error(
        `'${entry}' is no origin: scheme, host and port alone, such as ${origin === 'null' ? 'https://example.org' : origin}`,
      );
    }
  }
}

function parse(ip: string): Address | null {
  const bare = ip.split('%')[0];
  return ipaddr.isValid(bare) ? ipaddr.process(bare) : null;
}

function within(address: Address, ranges: readonly Range[]): boolean {
  return ranges.some((range) => range[0].kind() === address.kind() && address.match(range));
}

function holdsLoopback(range: Range): boolean {
  return range[0].range() === 'loopback' || within(IPV4_LOOPBACK, [range]) || within(IPV6_LOOPBACK, [range]);
}

/** Whether a proxy may say so of its client: loopback is the proxy's own host, and `unknown` is nowhere. */
function isElsewhere(ip: string): boolean {
  const address = parse(ip);
  return address !== null && address.range() !== 'loopback';
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** Who comes from where, and what that allows (PROTOCOL.md §2). */
export class Access {
  /** `same`, `loopback`, `*`. */
  private readonly words: ReadonlySet<string>;
  private readonly origins: ReadonlySet<string>;
  private readonly hosts: Hosts;
  private readonly proxies: readonly Range[];
  private readonly allowed: readonly Range[];
  private readonly trustUnix: boolean;
  private readonly trustLoopback: boolean;
  private readonly key: Buffer | null;
  /** Verdicts on origins already seen: URLs are dear to parse, and pages of one site come again and again. */
  private readonly verdicts = new Map<string, boolean>();

  /** @throws Error from {@link parseRanges} and {@link checkOrigins}. */
  constructor(options: AccessOptions) {
    checkOrigins(options.allowedOrigins);
    checkHosts(options.hosts);
    this.hosts = new Hosts(options.hosts);
    const origins = options.allowedOrigins.map((origin) => origin.toLowerCase());
    this.words = new Set(origins.filter((origin) => WORDS.has(origin)));
    this.origins = new Set(origins.filter((origin) => !WORDS.has(origin) || origin === 'null'));
    this.proxies = parseRanges(options.trustedProxies);
    this.allowed = parseRanges(options.allowed);
    this.trustUnix = options.trustLoopback;
    // What a proxy on this host passes on without a word comes from loopback, too.
    this.trustLoopback = options.trustLoopback && !this.proxies.some(holdsLoopback);
    this.key = options.key === '' ? null : digest(options.key);
  }

  /** Whether the peer at `ip` is a trusted proxy. */
  isProxy(ip: string): boolean {
    const address = this.proxies.length === 0 ? null : parse(ip);
    return address !== null && within(address, this.proxies);
  }

  /**
   * Where a request of the peer at `ip` came from.
   * @param proxied the peer is a proxy, and `ip` what its PROXY header says.
   */
  locate(ip: string, headers: Headers, proxied = false): Provenance {
    if (proxied && !isElsewhere(ip)) return { ip, known: false };
    if (!FORWARDING.some((name) => name in headers)) return { ip, known: true };
    if (!this.isProxy(ip)) return { ip, known: false };
    const client = this.clientOf(headers);
    return client === null ? { ip, known: false } : { ip: client, known: isElsewhere(client) };
  }

  /** The client that a trusted proxy names; null: none, or in one header this and in the other that. */
  private clientOf(headers: Headers): string | null {
    const named = (name: string, read: ReadHop): string | null | undefined => {
      const value = headers[name];
      return value === undefined ? undefined : rightMost(value, read, (ip) => this.isProxy(ip));
    };
    const one = named('x-forwarded-for', readXForwardedFor);
    const other = named('forwarded', readForwarded);
    if (one === undefined || other === undefined) return one ?? other ?? null;
    return one === other ? one : null;
  }

  /** Whether a page of `origin` may connect to the host that it named in its Host header. */
  originAllowed(origin: string, host: string | undefined): boolean {
    const question = `${origin} ${host}`;
    const known = this.verdicts.get(question);
    if (known !== undefined) return known;
    const verdict = this.judgeOrigin(origin, host);
    if (this.verdicts.size >= VERDICTS_MOST) this.verdicts.clear();
    if (question.length <= QUESTION_MOST) this.verdicts.set(question, verdict);
    return verdict;
  }

  /**
   * Whether a request is served under the host that it names, in its Host header or in an absolute target.
   * @param ip the peer that sent it by `entrance`.
   * @returns null, or why not. Who names none is no browser.
   */
  judgeHost(named: { authority: string; headers: Headers }, ip: string, entrance: Entrance): Refusal | null {
    const { authority, headers } = named;
    const passedOn = entrance.loopback && FORWARDING.some((name) => name in headers) && this.isProxy(ip);
    for (const host of [authority, headers.host]) {
      const text = host === undefined || host === '' ? null : this.hosts.objection(host, entrance, passedOn);
      if (text !== null) return { status: 421, text };
    }
    return null;
  }

  private judgeOrigin(origin: string, host: string | undefined): boolean {
    const value = origin.toLowerCase();
    if (this.words.has('*') || this.origins.has(value)) return true;
    // `null`, and what is no origin of a page at all, is of no host.
    const page = parseHost(/^https?:\/\/(.*)$/.exec(value)?.[1] ?? '');
    if (page === null) return false;
    if (this.words.has('loopback') && isLoopbackName(page.name)) return true;
    return this.words.has('same') && host !== undefined && page.name === parseHost(host)?.name;
  }

  /**
   * Whether a client of kind `tcp` may come in: by the address it came from, or by the backend's key.
   * @param key what it showed, or undefined.
   * @param byAddress whether its address may earn trust: not for what comes from a page.
   * @returns null, or why not.
   */
  judgeBackend(origin: Provenance, key: string | undefined, byAddress: boolean): Refusal | null {
    if (key !== undefined && this.keyMatches(key)) return null;
    if (byAddress && origin.known && this.addressTrusted(origin.ip)) return null;
    if (this.key === null) {
      const where = origin.known ? origin.ip : `${origin.ip} (forwarded, so its key alone counts)`;
      return { status: 403, text: `backend clients are not allowed from ${where}: see [backend] allowed and key` };
    }
    const text = key === undefined ? 'show the backend key: Authorization: Bearer KEY' : 'the backend key is wrong';
    return { status: 401, text, headers: { 'WWW-Authenticate': 'Bearer' } };
  }

  /** Whether a request comes from this host itself, and the daemon trusts its host (PROTOCOL.md §2). */
  isTrustedLoopback({ ip, known }: Provenance): boolean {
    const isLocal = ip === 'unix' || parse(ip)?.range() === 'loopback';
    return isLocal && known && this.addressTrusted(ip);
  }

  /** Whether a request names hosts, and none that a stranger's page could have come under (DNS rebinding). */
  namesOwnHost({ authority, headers }: { authority: string; headers: Headers }): boolean {
    const names = [authority, headers.host ?? ''].filter((name) => name !== '');
    return names.length > 0 && names.every((name) => this.hosts.isOwn(name));
  }

  private addressTrusted(ip: string): boolean {
    if (ip === 'unix') return this.trustUnix;
    const address = parse(ip);
    if (address === null) return false;
    return (this.trustLoopback && address.range() === 'loopback') || within(address, this.allowed);
  }

  /** Takes the same time whatever `key` is. */
  private keyMatches(key: string): boolean {
    return this.key !== null && timingSafeEqual(digest(key), this.key);
  }
}

/** Whether a browser has sent this: no page can keep it from saying so, and no backend does (Fetch Metadata, §2). */
export function saysBrowser(headers: Headers): boolean {
  return 'sec-fetch-site' in headers;
}

/** The key in an Authorization header, or undefined. */
export function bearer(authorization: string | undefined): string | undefined {
  return authorization === undefined ? undefined : /^bearer +(\S+)$/i.exec(authorization)?.[1];
}
