/** What send and listen have in common: where they connect, as whom, and what they say of it. */
import { type ClientOptions, WebSocket } from 'ws';
import { connect, type Connection, type Next, type StateDetail } from '../client/index.ts';
import { messageOf, WebsockError } from '../errors.ts';
import { excerpt, printable } from '../log.ts';
import type { FlagValues } from './options.ts';

/** Their options. */
export const LINK_FLAGS = {
  ident: { value: 'NAME', help: 'Be called NAME: it makes this a script (a client of kind tcp), not a web client.' },
  key: {
    value: 'KEY',
    help: "The backend's key; it makes this a script, too. Other users of this host can see what\nstands on a command line: better put it into the environment variable WEBSOCK_KEY.",
  },
  script: { help: 'Be a script without a name. It shows WEBSOCK_KEY, if there is one.' },
  token: { value: 'TOKEN', help: 'The token or JWT that [auth] asks for. It is seen as the key is: or WEBSOCK_TOKEN.' },
  insecure: { help: 'Take any certificate, a self-signed one too: whoever is in between may read and change all.' },
  'no-reconnect': { help: 'End when the connection is lost, or cannot be had. Default: connect again.' },
} as const;

/** Milliseconds that the daemon has to say goodbye: it waits for the message that it is handling, but nobody here does any more. */
const LEAVE = 2000;
/** Milliseconds between two attempts: somebody waits for it, and it is one client, not a crowd of pages. */
export const LONGEST_DELAY = 5000;
/** A token that is sent as a subprotocol (RFC 9110 §5.6.2). */
const TOKEN = /^[\w!#$%&'*+.^`|~-]*$/;

/** Where to connect, and as whom. */
export interface Place {
  readonly url: URL;
  /** '' : none. */
  readonly ident: string;
  readonly key: string;
  readonly token: string;
  /** A client of kind tcp. */
  readonly script: boolean;
  readonly insecure: boolean;
  readonly reconnect: boolean;
}

/**
 * Reads URL and options.
 * @throws WebsockError WEBSOCK_CONFIG
 */
export function placeOf(positionals: readonly string[], values: FlagValues, env: NodeJS.ProcessEnv): Place {
  if (positionals.length !== 1) throw usage(`give one URL: ws://localhost:8096/web`);
  const [text] = positionals;
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !/^(?:ws|http)s?:$/.test(url.protocol) || url.host === '') {
    throw usage(`'${excerpt(text)}' is no URL of websock; allowed: ws://, wss://, http:// or https://, host and path`);
  }
  const { ident, key, token } = values;
  return {
    url,
    ident: sendable('--ident', textOr(ident, '')),
    key: sendable('the key', textOr(key, env['WEBSOCK_KEY'] ?? '')),
    token: sendable('the token', textOr(token, env['WEBSOCK_TOKEN'] ?? ''), TOKEN),
    script: ident !== undefined || key !== undefined || values['script'] === true,
    insecure: values['insecure'] === true,
    reconnect: values['no-reconnect'] !== true,
  };
}

/**
 * A number from an option.
 * @throws WebsockError WEBSOCK_CONFIG
 */
export function numberOf(values: FlagValues, name: string, whole: boolean): number | undefined {
  const text = values[name];
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text !== '' && value > 0 && value <= 1e6 && (!whole || Number.isInteger(value))) return value;
  throw usage(`--${name}: found '${excerpt(String(text))}'; allowed: ${whole ? '1' : 'more than 0'} to 1000000`);
}

/** An error of the command line. */
function usage(text: string): WebsockError {
  return new WebsockError('WEBSOCK_CONFIG', text);
}

/** What the network says: of a name with several addresses there are several errors, and no message. */
export function networkError(error: unknown): string {
  return error instanceof AggregateError ? error.errors.map(messageOf).join(', ') : messageOf(error);
}

/** Something for the person at the terminal. */
export function complain(name: string, text: string): void {
  process.stderr.write(`websock ${name}: ${printable(text)}\n`);
}

/** The headers by which a script is known. */
function headersOf({ ident, key, script }: Place): Record<string, string> {
  if (!script) return {};
  return {
    'Client-Type': 'tcp',
    ...(ident === '' ? {} : { Ident: ident }),
    ...(key === '' ? {} : { Authorization: `Bearer ${key}` }),
  };
}

/** What carries messages, each to its acknowledgement. */
export interface Carrier {
  /** Rejects if the message was not handled, or nobody knows. */
  send(text: string): Promise<Next>;
  /** Messages that it takes before the first of them is acknowledged. */
  readonly ahead: number;
  close(): void;
}

/** A connection, and what the network said when it was lost: `ws` alone tells. */
export interface Link {
  readonly connection: Connection;
  /** Why it is not connected, in words. */
  readonly why: (detail: StateDetail) => string;
}

/** Connects. */
export function openLink(place: Place): Link {
  let failure = '';
  const options: ClientOptions & { closeTimeout: number } = {
    headers: headersOf(place),
    rejectUnauthorized: !place.insecure,
    closeTimeout: LEAVE, // not in its types
  };
  class Socket extends WebSocket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols, options);
      failure = '';
      this.on('error', (error) => {
        failure = networkError(error);
      });
    }
  }
  const connection = connect(place.url, {
    WebSocket: Socket,
    backoff: { max: LONGEST_DELAY },
    ...(place.token === '' ? {} : { token: place.token }),
  });
  const why = ({ code, reason, words }: StateDetail): string => {
    if (reason.startsWith('HTTP ')) return `${words} (${reason})`;
    if (reason === '' && failure !== '') return failure;
    return `${reason === '' ? words : reason} (${code})`;
  };
  return { connection, why };
}

/** What is said of a connection that is tried again. */
export function waiting(why: string, { delay }: StateDetail): string {
  return `not connected: ${why}; trying again in ${(delay / 1000).toFixed(1)} s`;
}

/** Calls `end` on the first SIGINT or SIGTERM; the second ends the process as ever. @returns what takes that back. */
export function onSignal(end: () => void): () => void {
  const off = (): void => {
    for (const signal of ['SIGINT', 'SIGTERM']) process.off(signal, stop);
  };
  const stop = (): void => {
    off();
    end();
  };
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, stop);
  return off;
}

/** What goes into a header; a secret is not repeated. */
function sendable(what: string, text: string, allowed = /^[!-~]*$/): string {
  if (allowed.test(text)) return text;
  throw usage(`${what}: it holds a character that cannot be sent; allowed: ${allowed.source}`);
}

function textOr(value: FlagValues[string], otherwise: string): string {
  return typeof value === 'string' ? value : otherwise;
}
