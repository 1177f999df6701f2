import { expect } from '@jest/globals';
import type { RateName } from '../../src/connection/admission.ts';
import { Opener } from '../../src/connection/opener.ts';
import type { Callbacks, Route } from '../../src/connection/route.ts';
import {
  type ContextOptions,
  type FakeContext,
  fakeContext,
  FakeResource,
  fakeRoute,
  FakeSocket,
} from '../support/fakes.ts';
import { inWords } from './bed.ts';

const UUID = '[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}';
export const READY = new RegExp(`^\\{"opcode":"ready","uuid":"${UUID}"\\} *$`);

export interface OpenerBed {
  readonly socket: FakeSocket;
  readonly resource: FakeResource;
  readonly context: FakeContext;
}

export interface OpenerBedOptions extends ContextOptions {
  callbacks?: Partial<Callbacks>;
  route?: Partial<Route>;
  socket?: Partial<FakeSocket>;
  context?: FakeContext;
  /** It came too fast. */
  over?: RateName | null;
}

export function openerBed(options: OpenerBedOptions = {}): OpenerBed {
  const resource = new FakeResource(options.callbacks);
  const context = options.context ?? fakeContext({ ...options, routes: [fakeRoute(resource, options.route)] });
  const socket = Object.assign(new FakeSocket(), { ip: '127.0.0.1' }, options.socket);
  context.admission.enter(socket.ip);
  if (options.over !== undefined && options.over !== null) context.admission.hearOut();
  Opener.take(context, socket, options.over);
  return { socket, resource, context };
}

export function head(fields: Record<string, string> = {}, target = '/'): string {
  const all: Record<string, string> = {
    Host: 'example.org',
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Version': '13',
    ...fields,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `GET ${target} HTTP/1.1\r\n${lines.join('')}\r\n`;
}
export const SCRIPT = { 'Client-Type': 'php' };

/** The 101 and the words of the frames after it. */
export function answer(socket: FakeSocket): { head: string; words: string[] } {
  const bytes = socket.drop();
  const end = bytes.indexOf('\r\n\r\n') + 4;
  const text = bytes.toString('latin1', 0, end);
  return {
    head: text,
    words: text.startsWith('HTTP/1.1 101 ') ? inWords(bytes.subarray(end)) : [String(bytes.subarray(end))],
  };
}

/** The socket goes: nothing may be left of it. */
export function gone({ socket, context }: OpenerBed): void {
  socket.reader.onClose(null);
  expect([context.waiting.size, context.live.size]).toEqual([0, 0]);
  expect([context.deadlines.size, context.admission.count]).toEqual([0, 0]);
  expect(context.registry.clients.size).toBe(0);
}
