/** Messages by POST (PROTOCOL.md §7), each handled once. */
import { randomUUID } from 'node:crypto';
import { Agent, type IncomingMessage, type RequestOptions, request as requestHttp } from 'node:http';
import { Agent as SecureAgent, request as requestHttps } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Next } from '../client/index.ts';
import { type Carrier, complain, LONGEST_DELAY, networkError, type Place } from './link.ts';

/** Milliseconds before the first repeat, at most. */
const FIRST_DELAY = 500;
/** Nobody else's message would fare better. */
const HOPELESS = new Set([401, 403, 404, 421]);

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** @param giveUp is called when no further message can be sent. */
export function openPost(place: Place, giveUp: (why: string) => void): Carrier {
  const secure = place.url.protocol === 'https:';
  const agent = secure
    ? new SecureAgent({ keepAlive: true, rejectUnauthorized: !place.insecure })
    : new Agent({ keepAlive: true });
  const request = secure ? requestHttps : requestHttp;
  const abort = new AbortController();
  const options = { method: 'POST', agent, signal: abort.signal, headers: postHeaders(place) };
  const url = urlOf(place);
  return {
    ahead: 1, // so that they arrive in order
    send: async (text) => {
      const headers = {
        ...options.headers,
        'Idempotency-Key': `"${randomUUID()}"`,
        'Content-Length': Buffer.byteLength(text),
      };
      const answer = await persist(place.reconnect, abort.signal, () =>
        once(request, url, { ...options, headers }, text),
      );
      const next = read(answer);
      if (answer.status === 200 && next !== null) return next;
      // It was handled, but the answer is gone.
      if (answer.status === 409) return {};
      const why = `${answer.status} ${next?.error ?? answer.body.trim()}`;
      if (HOPELESS.has(answer.status)) giveUp(why);
      throw new Error(why);
    },
    close: () => {
      abort.abort();
      agent.destroy();
    },
  };
}

function postHeaders({ ident, key, token }: Place): Record<string, string> {
  const shown = key === '' ? token : key;
  return {
    'Content-Type': 'text/plain; charset=utf-8',
    ...(ident === '' ? {} : { Ident: ident }),
    ...(shown === '' ? {} : { Authorization: `Bearer ${shown}` }),
  };
}

/** Where the key is in Authorization, the token goes into the query. */
function urlOf({ url, key, token }: Place): URL {
  const found = new URL(url);
  if (key !== '' && token !== '') found.searchParams.set('token', token);
  return found;
}

/** Sends it again, with the same key, until there is an answer that counts. */
async function persist(again: boolean, signal: AbortSignal, attempt: () => Promise<Answer>): Promise<Answer> {
  for (let most = FIRST_DELAY; ; most = Math.min(most * 2, LONGEST_DELAY)) {
    let why: string;
    try {
      // oxlint-disable-next-line no-await-in-loop -- one after the other is what it is for
      const answer = await attempt();
      if (!again || (answer.status !== 503 && answer.status !== 429)) return answer;
      why = `${answer.status} ${answer.body.trim()}`;
    } catch (error) {
      if (!again || signal.aborted) throw new Error(networkError(error), { cause: error });
      why = networkError(error);
    }
    const delay = Math.random() * most;
    complain('send', `${why}; trying again in ${(delay / 1000).toFixed(1)} s`);
    // oxlint-disable-next-line no-await-in-loop
    await sleep(delay, undefined, { signal });
  }
}

function once(request: typeof requestHttp, url: URL, options: RequestOptions, text: string): Promise<Answer> {
  return new Promise((done, fail) => {
    const asked = request(url, options, (response: IncomingMessage) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', fail);
      response.on('end', () => done({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }));
    });
    asked.on('error', fail);
    asked.end(text);
  });
}

/** The packet of an answer; null: it is none of websock. */
function read({ body }: Answer): Next | null {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' ? (value as Next | null) : null;
  } catch {
    return null; // a proxy, for example
  }
}
