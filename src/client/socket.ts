import type { Payload } from './framing.ts';

/** What is used of a WebSocket: of a browser, of Node, or of the package `ws`. */
export interface Socket {
  binaryType: string;
  readonly protocol: string;
  /** 2 and 3: it is closing, or closed. */
  readonly readyState: number;
  addEventListener(type: 'message', listener: (event: { data: string | ArrayBuffer }) => void): void;
  addEventListener(type: 'close', listener: (event: { code: number; reason: string }) => void): void;
  addEventListener(type: 'error', listener: () => void): void;
  send(data: Payload): void;
  close(code?: number, reason?: string): void;
  /** Of `ws` alone. Who listens ends the attempt himself. */
  on?(event: 'unexpected-response', listener: (request: unknown, response: Refusal) => void): void;
}

interface Refusal {
  readonly statusCode: number;
  readonly statusMessage: string;
}

/** What is used of the global scope, where it is there. */
interface Scope {
  WebSocket?: new (url: string, protocols: string[]) => object;
  location?: { href: string };
  document?: Signals & { visibilityState: string };
  addEventListener?: Signals['addEventListener'];
  removeEventListener?: Signals['removeEventListener'];
}

interface Signals {
  addEventListener(type: string, listener: () => void): void;
  removeEventListener(type: string, listener: () => void): void;
}

const scope = (): Scope => globalThis;

/** The URL of a WebSocket; in a page it may be relative. @throws TypeError if it is none. */
export function urlOf(url: string | URL): string {
  const found = new URL(url, scope().location?.href);
  found.protocol = found.protocol.replace('http', 'ws');
  found.hash = '';
  return found.href;
}

/** What is offered. `websock` is what a daemon without sessions chooses: browsers want one of theirs chosen. */
export function subprotocols(session: string[], others: readonly string[] = [], token: string | undefined): string[] {
  const all = [...session, ...others, 'websock'];
  if (token !== undefined) all.push(`websock.token.${token}`);
  return [...new Set(all)];
}

/** @throws Error, where there is no WebSocket, or it does not take these. */
export function makeSocket(given: Scope['WebSocket'], url: string, protocols: string[]): Socket {
  const Constructor = given ?? scope().WebSocket;
  if (Constructor === undefined) throw new TypeError('there is no WebSocket here: give one as options.WebSocket');
  const socket = new Constructor(url, protocols) as Socket;
  socket.binaryType = 'arraybuffer';
  socket.addEventListener('error', () => {
    // `close` follows, and says more. Without a listener `ws` would throw it.
  });
  return socket;
}

/**
 * Listens to what a browser says of the network, and of whether the page is seen.
 * @param look is called then; `away`: the network has gone.
 * @returns what ends that.
 */
export function attachSignals(look: (away: boolean) => void): () => void {
  const here = scope();
  const { document } = here;
  const online = (): void => look(false);
  const offline = (): void => look(true);
  const visible = (): void => {
    if (document?.visibilityState === 'visible') look(false);
  };
  here.addEventListener?.('online', online);
  here.addEventListener?.('offline', offline);
  document?.addEventListener('visibilitychange', visible);
  return () => {
    here.removeEventListener?.('online', online);
    here.removeEventListener?.('offline', offline);
    document?.removeEventListener('visibilitychange', visible);
  };
}
