/** PROXY headers of version 2, as a proxy sends them. */

const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');

/** @param command 0x20 LOCAL, 0x21 PROXY. @param family with the protocol. @param rest addresses and TLVs. */
export function proxyV2(command: number, family: number, rest: Buffer): Buffer {
  const fixed = Buffer.from([command, family, rest.length >> 8, rest.length & 255]);
  return Buffer.concat([SIGNATURE, fixed, rest]);
}

/** The addresses of TCP over IPv4: from `ip` and `port`, to 10.0.0.1:443. */
export function tcp4(ip: string, port: number): Buffer {
  return Buffer.from([...ip.split('.').map(Number), 10, 0, 0, 1, port >> 8, port & 255, 443 >> 8, 443 & 255]);
}

/** Of TCP over IPv6: the 16 bytes of the address in hex. */
export function tcp6(address: string, port: number): Buffer {
  const ports = [port >> 8, port & 255, 443 >> 8, 443 & 255];
  return Buffer.concat([Buffer.from(address, 'hex'), Buffer.alloc(16, 1), Buffer.from(ports)]);
}

/** A connection of a client at `ip` and `port`. */
export function proxyV2From(ip: string, port = 50_000): Buffer {
  return proxyV2(0x21, 0x11, tcp4(ip, port));
}
