import ipaddr from 'ipaddr.js';

/**
 * An address that somebody else has written, in the one form that we use: IPv4 dotted, IPv6 compressed and without a zone,
 * IPv4 in IPv6 clothes (RFC 4291 §2.5.5.2) as IPv4. Null: it is none. Short, hexadecimal and octal forms of IPv4 are none
 * either: others may read them differently.
 */
export function canonicalIp(text: string): string | null {
  if (!text.includes(':')) return ipaddr.IPv4.isValidFourPartDecimal(text) ? text : null;
  return !text.includes('%') && ipaddr.IPv6.isValid(text) ? ipaddr.process(text).toString() : null;
}

/** The same, of an address as it stands in a packet: 4 or 16 bytes. */
export function ipOfBytes(bytes: Uint8Array): string {
  const text = ipaddr.fromByteArray([...bytes]).toString();
  return canonicalIp(text) ?? text;
}

/**
 * What is counted as one address: of IPv6 the network of 64 bits, for whoever has one address there has all of them. Loopback and
 * link-local addresses, and what is no address (`unix`), stand for themselves.
 */
export function networkOf(ip: string): string {
  if (!ip.includes(':') || ip.includes('%') || ip === '::1' || !ipaddr.IPv6.isValid(ip)) return ip;
  const address = ipaddr.IPv6.parse(ip);
  if (address.range() === 'linkLocal') return ip;
  return `${address.parts
    .slice(0, 4)
    .map((part) => part.toString(16))
    .join(':')}::/64`;
}
