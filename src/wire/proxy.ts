import { canonicalIp, ipOfBytes } from './ip.ts';

// The PROXY protocol, versions 1 and 2: what a proxy says of a connection before the connection's own first byte
// (https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt; §2.1 and §2.2 are meant below).

/** Whom a proxy speaks for. */
export interface ProxyClient {
  /** As in `canonicalIp`. */
  readonly ip: string;
  readonly port: number;
}

/** What the first bytes of a connection say of the rest. */
export type ProxyHeader =
  /** Not enough yet. */
  | { readonly type: 'more' }
  | { readonly type: 'malformed'; readonly why: string }
  /** The header was `length` bytes; client: null if it names nobody (UNKNOWN, LOCAL, and what is not TCP). */
  | { readonly type: 'read'; readonly length: number; readonly client: ProxyClient | null };

const V1 = Buffer.from('PROXY ');
const V2 = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
/** §2.1: the longest line, with its CRLF. */
const V1_MOST = 107;
/** Signature, version and command, family, length. */
const V2_FIXED = 16;
/** The longest header of version 2 that is taken: its addresses need 232 bytes at most, the rest are TLVs, which are skipped. */
export const V2_MOST = 4096;

const V1_LINE = /^PROXY (TCP[46]) ([^ ]+) ([^ ]+) (0|[1-9]\d{0,4}) (0|[1-9]\d{0,4})$/;

/** Address families of version 2, with SOCK_STREAM: bytes of an address. */
const TCP4 = 0x11;
const TCP6 = 0x21;
/** The bytes that the addresses of each family and protocol take (§2.2); others are not known. */
const V2_ADDRESSES = new Map([
  [0x00, 0], // UNSPEC
  [TCP4, 12],
  [0x12, 12], // UDP over IPv4
  [TCP6, 36],
  [0x22, 36],
  [0x31, 216], // Unix sockets
  [0x32, 216],
]);

const MORE: ProxyHeader = { type: 'more' };

/** Reads the PROXY header at the beginning of `bytes`, which are all that have come so far. */
export function readProxyHeader(bytes: Buffer): ProxyHeader {
  if (begins(bytes, V1)) return bytes.length < V1.length ? MORE : readLine(bytes);
  if (begins(bytes, V2)) return bytes.length < V2_FIXED ? MORE : readBinary(bytes);
  return malformed('there is none');
}

function begins(bytes: Buffer, signature: Buffer): boolean {
  const length = Math.min(bytes.length, signature.length);
  return bytes.compare(signature, 0, length, 0, length) === 0;
}

function malformed(why: string): ProxyHeader {
  return { type: 'malformed', why };
}

/** Version 1: one line of text. */
function readLine(bytes: Buffer): ProxyHeader {
  const text = bytes.toString('latin1', 0, V1_MOST);
  const lf = text.indexOf('\n');
  if (lf === -1) return text.length < V1_MOST ? MORE : malformed(`its line is longer than ${V1_MOST} bytes`);
  if (text.charCodeAt(lf - 1) !== 13) return malformed('its line does not end with CR LF');
  const line = text.slice(0, lf - 1);
  const length = lf + 1;
  // What stands behind UNKNOWN is to be ignored.
  if (/^PROXY UNKNOWN(?: |$)/.test(line)) return { type: 'read', length, client: null };
  const match = V1_LINE.exec(line);
  if (match === null) return malformed('its line is not PROXY TCP4|TCP6 ADDRESS ADDRESS PORT PORT');
  const [, family, source, target, port, targetPort] = match;
  const ip = inFamily(family, source);
  if (ip === null || inFamily(family, target) === null)
    return malformed(`its line holds what is no address of ${family}`);
  if (Number(port) > 65535 || Number(targetPort) > 65535) return malformed('its line holds a port above 65535');
  return { type: 'read', length, client: { ip, port: Number(port) } };
}

function inFamily(family: string, text: string): string | null {
  return text.includes(':') === (family === 'TCP6') ? canonicalIp(text) : null;
}

/** Version 2: binary. */
function readBinary(bytes: Buffer): ProxyHeader {
  const command = bytes[12];
  const family = bytes[13];
  const length = V2_FIXED + bytes.readUInt16BE(14);
  // The version is the high half, 2; the command LOCAL or PROXY.
  if (command !== 0x20 && command !== 0x21) return malformed(`its version and command are 0x${hex(command)}`);
  const isLocal = command === 0x20;
  const needed = V2_ADDRESSES.get(family);
  // §2.2: with LOCAL the family is to be ignored.
  if (!isLocal && needed === undefined) return malformed(`its address family and protocol are 0x${hex(family)}`);
  if (!isLocal && length < V2_FIXED + (needed ?? 0)) return malformed('it is too short for its addresses');
  if (length > V2_MOST) return malformed(`it is longer than ${V2_MOST} bytes`);
  if (bytes.length < length) return MORE;
  if (isLocal) return { type: 'read', length, client: null };
  if (family === TCP4) return { type: 'read', length, client: clientAt(bytes, 4) };
  if (family === TCP6) return { type: 'read', length, client: clientAt(bytes, 16) };
  return { type: 'read', length, client: null };
}

/** Source and destination address, of `size` bytes each, then both ports. */
function clientAt(bytes: Buffer, size: number): ProxyClient {
  const ip = ipOfBytes(bytes.subarray(V2_FIXED, V2_FIXED + size));
  return { ip, port: bytes.readUInt16BE(V2_FIXED + 2 * size) };
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0');
}
