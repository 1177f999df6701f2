import ipaddr from 'ipaddr.js';

/** One entry of `adress` (PROTOCOL.md §1). */
export interface ListenAddress {
  /** As it was written. */
  readonly url: string;
  /** `plain`: ws and tcp; `tls`: wss and ssl; `both`: the first byte decides. */
  readonly security: 'plain' | 'tls' | 'both';
  /** Host name or IP address without brackets; undefined for a Unix socket. */
  readonly host: string | undefined;
  /** 0: any free port. */
  readonly port: number;
  /** Path of a Unix socket; undefined for TCP. */
  readonly path: string | undefined;
  /** Permissions of the Unix socket; undefined: what the umask leaves. */
  readonly mode: number | undefined;
  /** Whoever connects is a proxy and sends a PROXY header first. */
  readonly proxyProtocol: boolean;
}

/** Whether what comes may be read as it is, by whatever transport. */
export function takesDirect({ security, proxyProtocol }: ListenAddress): boolean {
  return security === 'plain' && !proxyProtocol;
}

const SECURITY = {
  ws: 'plain',
  tcp: 'plain',
  wss: 'tls',
  ssl: 'tls',
  'ws+wss': 'both',
} as const satisfies Record<string, ListenAddress['security']>;

const URL_FORM = /^([a-z+]+):\/\/(\[[0-9a-f:.%\w]+\]|[^:/?#[\]]+)(?::(\d+))?\/?(?:\?(.*))?$/i;
const UNIX_FORM = /^unix:(\/[^?]*)(?:\?(.*))?$/;
const FORMS = 'ws://HOST:PORT, wss://, tcp://, ssl://, ws+wss:// or unix:/PATH, several with commas between';

/**
 * The addresses in a value of `adress`.
 * @throws Error that says which part cannot be understood, and what is allowed.
 */
export function parseAddresses(value: string): ListenAddress[] {
  const parts = value
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  if (parts.length === 0) throw new Error(`it is empty: give ${FORMS}`);
  const twice = parts.find((part, index) => parts.indexOf(part) !== index);
  if (twice !== undefined) throw new Error(`'${twice}' is in it twice`);
  return parts.map(parseAddress);
}

function parseAddress(url: string): ListenAddress {
  const unix = UNIX_FORM.exec(url);
  if (unix !== null) {
    const mode = parseMode(url, unix[2]);
    return { url, security: 'plain', host: undefined, port: 0, path: unix[1], mode, proxyProtocol: false };
  }
  const match = URL_FORM.exec(url);
  const scheme = match?.[1].toLowerCase() ?? '';
  if (match === null || !Object.hasOwn(SECURITY, scheme)) throw new Error(`'${url}' is no address: give ${FORMS}`);
  const security = SECURITY[scheme as keyof typeof SECURITY];
  const port = match[3] === undefined ? (security === 'plain' ? 80 : 443) : Number(match[3]);
  if (port > 65535) throw new Error(`'${url}' has a port above 65535`);
  const proxyProtocol = parseProxyProtocol(url, match[4]);
  const host = match[2].replace(/^\[|\]$/g, '');
  return { url, security, host, port, path: undefined, mode: undefined, proxyProtocol };
}

function parseProxyProtocol(url: string, query: string | undefined): boolean {
  let proxyProtocol = false;
  for (const [name, value] of new URLSearchParams(query ?? '')) {
    if (name !== 'proxyProtocol' || (value !== 'true' && value !== 'false')) {
      throw new Error(
        `'${url}' has an option that is not known: ${name}=${value}; a TCP listener takes proxyProtocol=true`,
      );
    }
    proxyProtocol = value === 'true';
  }
  return proxyProtocol;
}

function parseMode(url: string, query: string | undefined): number | undefined {
  let mode: number | undefined;
  for (const [name, value] of new URLSearchParams(query ?? '')) {
    if (name !== 'mode' || !/^0?[0-7]{3}$/.test(value)) {
      throw new Error(`'${url}' has an option that is not known: ${name}=${value}; a Unix socket takes mode=0660`);
    }
    mode = Number.parseInt(value, 8);
  }
  return mode;
}

/** Whether an IP address, without brackets, is one that only this machine reaches; false for what is no address. */
export function isLoopback(ip: string): boolean {
  const bare = ip.split('%')[0];
  return ipaddr.isValid(bare) && ipaddr.process(bare).range() === 'loopback';
}

/** `host:port` as people write it: IPv6 in brackets. */
export function formatEndpoint(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
