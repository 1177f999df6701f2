import type { Auth } from '../auth/auth.ts';
import type { Headers } from '../wire/head.ts';

/** A GET or HEAD of the path of a resource that answers such requests itself: what `onRequest` is asked. */
export interface HttpRequest {
  /** HEAD is answered as GET is; the body is left out for you. */
  readonly method: 'GET' | 'HEAD';
  /** What was asked for, without the query. */
  readonly path: string;
  /** Without the `token` that `[auth]` asked for. */
  readonly query: URLSearchParams;
  /** By lower-case names. */
  readonly headers: Headers;
  /** Address of the client, behind trusted proxies its own. `unix` for a Unix socket. */
  readonly ip: string;
  /** It came by TLS, as far as the daemon itself knows. */
  readonly secure: boolean;
  /** What `[auth]` found of it; null: nothing was asked of it. */
  readonly auth: Auth | null;
  /**
   * It comes from a backend: it has shown the backend's key, or comes from a trusted address and from no page, and then under a
   * host name that is this host's alone or in `[security] hosts`. Of who is not trusted nothing is known but what `[auth]` says.
   */
  readonly trusted: boolean;
}

/** How an answer is sent; what is left out gets a default. */
export interface ReplyOptions {
  /** 200 to 599; default 200. */
  readonly status?: number;
  /** Content-Type; default: `text/html; charset=utf-8` for a string, `application/octet-stream` for a Buffer. */
  readonly type?: string;
  /** Further header fields; a list is sent as one field for each of its texts. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
}

/** The answer to a {@link HttpRequest}. */
export interface HttpResponse {
  /** It is answered: by `send`, or because its time was up. */
  readonly sent: boolean;
  /**
   * Answers, once and with all of the body; with `X-Content-Type-Options: nosniff`, and with what CORS asks for where the
   * page may connect.
   * @param body default: none. With status 204 and 304 there is none.
   * @throws TypeError or RangeError if there is something that cannot be sent; Error if it was answered already.
   */
  send(body?: string | Buffer, options?: ReplyOptions): void;
}
