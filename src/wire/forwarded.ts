import { canonicalIp } from './ip.ts';

// What proxies write into a request about where it came from. Each hop is one element between commas, the nearest last.
// A comma always separates, in quotes too: no address holds one, and a client that sends an open quote along must not be able
// to swallow what a proxy appends to it.

/** Reads one element: the address of the hop, in the form of `canonicalIp`, or null if it names none. */
export type ReadHop = (element: string) => string | null;

/** An address with or without a port, IPv6 in brackets. RFC 7239 §6: the port may be obfuscated. */
const NODE = /^(?:([\d.]+)|\[([\da-f.]*:[\da-f:.]*)\])(?::(?:(\d{1,5})|_[\w.-]+))?$/i;

function addressOf(node: string): string | null {
  const match = NODE.exec(node);
  return match === null || Number(match[3] ?? 0) > 65535 ? null : canonicalIp(match[1] ?? match[2]);
}

/** X-Forwarded-For, which no standard describes: an address, also with a port, IPv6 also in brackets. */
export const readXForwardedFor: ReadHop = (element) => {
  const text = element.trim();
  return canonicalIp(text) ?? addressOf(text);
};

/** RFC 7239 §4; blanks around the semicolons are taken, too. */
const PAIR = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+)=(?:([!#$%&'*+.^_`|~0-9A-Za-z-]+)|"([^"\\]*)")$/;
/** Forwarded (RFC 7239): the `for` of its element, unless that is `unknown` or an obfuscated identifier. */
export const readForwarded: ReadHop = (element) => {
  let node: string | null = null;
  const names = new Set<string>();
  for (const part of element.trim().split(/[ \t]*;[ \t]*/)) {
    if (part === '') continue;
    const [, written, token, quoted] = PAIR.exec(part) ?? [];
    const name = written?.toLowerCase();
    // §4: no parameter twice.
    if (name === undefined || names.has(name)) return null;
    names.add(name);
    if (name === 'for') node = token ?? quoted;
  }
  return node === null ? null : addressOf(node);
};

/**
 * The right-most hop in `value` that is no proxy; where all are, the first of them. Null: a hop on the way names no address,
 * and those before it are whatever somebody wrote.
 */
export function rightMost(value: string, read: ReadHop, isProxy: (ip: string) => boolean): string | null {
  for (let end = value.length; ; ) {
    const comma = value.lastIndexOf(',', end - 1);
    const ip = end === 0 ? null : read(value.slice(comma + 1, end));
    if (ip === null || comma === -1 || !isProxy(ip)) return ip;
    end = comma;
  }
}
