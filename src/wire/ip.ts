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

/** Bits of an IPv6 network: whoever has one address of it has them all (RFC 6177 §2). */
const NETWORK_BITS = 64;

/**
 * What a client cannot change at will of where it comes from: an IPv4 address itself, of an IPv6 address its /64
 * (`2001:db8:1:2::/64`), and what is no address (`unix`, `unknown`) as it is.
 */
export function networkOf(ip: string): string {
  if (!ip.includes(':')) return ip;
  const bare = ip.split('%')[0];
  if (!ipaddr.IPv6.isValid(bare)) return ip;
  const address = ipaddr.process(bare);
  if (address.kind() === 'ipv4') return address.toString();
  return `${ipaddr.IPv6.networkAddressFromCIDR(`${bare}/${NETWORK_BITS}`).toString()}/${NETWORK_BITS}`;
}
