import type { Kind, Scheme } from '../../src/connection/client.ts';
import { Connection } from '../../src/connection/connection.ts';
import type { Callbacks, Route } from '../../src/connection/route.ts';
import { LineEngine } from '../../src/wire/lines.ts';
import { WebSocketEngine } from '../../src/wire/rfc6455.ts';
import {
  type ContextOptions,
  FakeResource,
  FakeSocket,
  fakeContext,
  type FakeContext,
  fakeRoute,
} from '../support/fakes.ts';
import { frame, serverFrames } from '../support/frames.ts';

export const NEXT = '{"opcode":"next","fyi":""}';

export interface BedOptions extends ContextOptions {
  way?: 'web' | 'line' | 'script';
  callbacks?: Partial<Callbacks>;
  route?: Partial<Route>;
  /** What came behind the handshake. */
  rest?: Buffer;
  ended?: boolean;
  socket?: FakeSocket;
  /** That of another connection. */
  context?: FakeContext;
}

/** A connection between a fake socket and a fake resource. */
export interface Bed {
  readonly connection: Connection;
  readonly socket: FakeSocket;
  readonly resource: FakeResource;
  readonly context: FakeContext;
  /** What has been written since the last call: texts, and `close CODE REASON`, `pong X`, `ping X`, `binary X`. */
  readonly heard: () => string[];
  /** The client sends messages of text, each in a chunk of its own. */
  readonly say: (...texts: string[]) => void;
}

/** Frames of a server in words. */
export function inWords(bytes: Buffer): string[] {
  return serverFrames(bytes).map(({ op, payload }) => {
    if (op === 8)
      return `close ${payload.length < 2 ? '' : payload.readUInt16BE(0)} ${payload.subarray(2).toString()}`.trimEnd();
    return `${{ 2: 'binary ', 9: 'ping ', 10: 'pong ' }[op] ?? ''}${payload.toString()}`;
  });
}

export function openBed(options: BedOptions = {}): Bed {
  const { way = 'web', rest = Buffer.alloc(0), ended = false, socket = new FakeSocket() } = options;
  const resource = new FakeResource(options.callbacks);
  const route = fakeRoute(resource, options.route);
  const context = options.context ?? fakeContext({ ...options, routes: [route] });
  const kind: Kind = way === 'web' ? 'websocket' : 'tcp';
  const scheme: Scheme = way === 'web' ? 'ws' : 'tcp';
  const id = ++context.lastId;
  const identity = {
    id,
    uuid: `uuid-${id}`,
    ident: '',
    path: '/',
    scheme,
    kind,
    ip: socket.ip,
    headers: {},
    query: 'a=1',
    ticket: null,
    pass: null,
    since: 0,
  };
  const Framing = way === 'line' ? LineEngine : WebSocketEngine;
  context.admission.enter(socket.ip);
  const make = (receiver: ConstructorParameters<typeof Framing>[0]): InstanceType<typeof Framing> =>
    new Framing(receiver, route.engineOptions);
  const connection = new Connection(context, socket, route, identity, make, undefined);
  connection.start(rest, ended);
  const heard = (): string[] => {
    const bytes = socket.drop();
    return way === 'line' ? bytes.toString().split('\n').slice(0, -1) : inWords(bytes);
  };
  const say = (...texts: string[]): void => {
    for (const text of texts) socket.say(way === 'line' ? `${text}\n` : frame({ payload: text }));
  };
  return { connection, socket, resource, context, heard, say };
}

/** A promise that is settled from outside. */
export interface Deferred<Value = void> {
  readonly promise: Promise<Value>;
  readonly resolve: (value: Value) => void;
  readonly reject: (error: unknown) => void;
}

export function defer<Value = void>(): Deferred<Value> {
  let resolve!: (value: Value) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<Value>((done, fail) => {
    resolve = done;
    reject = fail;
  });
  return { promise, resolve, reject };
}
