import { isIPv4 } from 'node:net';
import { excerpt } from '../log.ts';
import { isLoopback } from '../transport/address.ts';
import type { Entrance } from '../transport/transport.ts';

/** A host and a port, as a Host header or an origin has them. */
export interface HostAndPort {
  /** As URL writes it: lower case, punycode, addresses in their one form, IPv6 in brackets. */
  readonly name: string;
  /** '' : the default of its scheme. */
  readonly port: string;
}

// RFC 3986 §3.2.2 and §3.2.3, without what only a user's name could hold.
const HOST_PORT = /^([\w.~%!$&'()*+,;=-]+|\[[0-9a-f:.]+\])(?::(\d{0,5}))?$/i;
/** A name that URL would leave as it is: the last label of an address begins with a digit. */
const PLAIN_NAME = /^(?:[a-z0-9_-]+\.)*[a-z_][a-z0-9_-]*$/;
/** Longest host that a text repeats. */
const SHOWN = 100;

/** What `text` names; null if it is no host. */
export function parseHost(text: string): HostAndPort | null {
  const match = HOST_PORT.exec(text);
  if (match === null) return null;
  const [, host, port = ''] = match;
  const lower = host.toLowerCase();
  if (PLAIN_NAME.test(lower) || isIPv4(lower)) return { name: lower, port };
  try {
    return { name: new URL(`http://${lower}`).hostname, port };
  } catch {
    return null;
  }
}

/** Whether a name as {@link parseHost} gives it can be nobody's but this machine's (RFC 6761 §6.3, RFC 1122 §3.2.1.3). */
export function isLoopbackName(name: string): boolean {
  return name === 'localhost' || name.endsWith('.localhost') || isLoopback(name.replace(/^\[|\]$/g, ''));
}

/**
 * Checks `hosts`.
 * @throws Error that names the entry that no Host header could be.
 */
export function checkHosts(list: readonly string[]): void {
  for (const entry of list) {
    if (entry === '*') continue;
    const host = parseHost(asUrlDoes(entry));
    if (host === null || entry.includes('*') || entry.endsWith(':') || Number(host.port) > 65_535) {
      throw new Error(`'${entry}' is no host: give example.org, example.org:8096, 192.0.2.7, [2001:db8::7] or *`);
    }
  }
}

/** A name of other letters than ASCII's, as browsers send it. */
function asUrlDoes(entry: string): string {
  // oxlint-disable-next-line no-control-regex
  if (!/[^\u0000-\u007f]/.test(entry) || /[/?#@\\\s]/.test(entry)) return entry;
  try {
    return new URL(`ws://${entry}`).host;
  } catch {
    return entry;
  }
}

/**
 * Which Host headers are served (`[security] hosts`): against DNS rebinding, by which the page of a stranger comes to this
 * machine under a name of its own, and then is of the same origin.
 */
export class Hosts {
  /** null: none were named, the default. */
  private readonly named: ReadonlySet<string> | null;
  private readonly any: boolean;

  /** @param list entries that {@link checkHosts} has passed. */
  constructor(list: readonly string[]) {
    this.any = list.includes('*');
    const names = list.map((entry) => parseHost(asUrlDoes(entry))).filter((host) => host !== null);
    this.named =
      list.length === 0 ? null : new Set(names.map(({ name, port }) => (port === '' ? name : `${name}:${port}`)));
  }

  /** Whether no stranger's page can have come under the name `host`: it is this machine's alone, or `hosts` lists it. */
  isOwn(host: string): boolean {
    const parsed = parseHost(host);
    if (parsed === null) return false;
    return isLoopbackName(parsed.name) || (this.named !== null && !this.any && isNamed(parsed, this.named));
  }

  /**
   * Why a request that names `host` is not served; null: it is.
   * @param passedOn it came by a proxy that is trusted: then the name is the proxy's business, unless `hosts` is set.
   */
  objection(host: string, entrance: Entrance, passedOn: boolean): string | null {
    if (this.any) return null;
    if (this.named === null && (passedOn || !entrance.loopback)) return null;
    const parsed = parseHost(host);
    if (parsed !== null && (this.named === null ? isHome(parsed.name, entrance) : isNamed(parsed, this.named)))
      return null;
    const name = excerpt(host.replace(/^.*@/s, '…@'), SHOWN); // a user's name and password, in an absolute target
    if (this.named !== null) return `the host '${name}' is not served: see [security] hosts`;
    return (
      `the host '${name}' is not served on a loopback address: name it in [security] hosts; or if a proxy passes it on, ` +
      'the proxy in [security] trustedProxies, and let it send X-Forwarded-For'
    );
  }
}

function isHome(name: string, entrance: Entrance): boolean {
  return name === entrance.name || isLoopbackName(name);
}

function isNamed({ name: given, port }: HostAndPort, named: ReadonlySet<string>): boolean {
  const name = given.endsWith('.') ? given.slice(0, -1) : given; // the name from the root of DNS on
  if (named.has(name)) return true;
  // Without a port it is the scheme's, and whether a proxy has ended TLS we do not know.
  return port === '' ? named.has(`${name}:80`) || named.has(`${name}:443`) : named.has(`${name}:${port}`);
}
