import type { Scheme } from '../connection/client.ts';
import { type Callbacks, engineOptions, isReserved, type Route } from '../connection/route.ts';
import type { CompressionSettings } from '../wire/deflate.ts';
import type { Server } from './server.ts';

const SCHEMES: readonly Scheme[] = ['ws', 'wss', 'tcp', 'ssl'];
const REQUIRED = ['onData', 'onClose', 'onError', 'onOther'] as const;

/** What a route is made with, beside its class. */
export interface MountOptions {
  /** Bounds of the messages that resources take. */
  readonly values: { readonly maxPayload: number; readonly maxFragments: number };
  /** `[compression]`: for resources that say nothing of it, and what they leave out. */
  readonly compression: CompressionSettings & { readonly enabled: boolean };
  /** The daemon, as the resource at `path` in `app` sees it. */
  readonly serverFor: (path: string, app: string) => Server;
}

/** A class of a resource file, as far as it can be trusted before it is checked. */
interface ResourceClass {
  new (): Callbacks & { registerServer?: (server: Server) => void };
  path?: unknown;
  accepts?: unknown;
  app?: unknown;
  dialog?: unknown;
  tickets?: unknown;
  text?: unknown;
  buffers?: unknown;
  compression?: unknown;
}

/**
 * Makes one instance of a class, and the route to it.
 * @throws Error that says what the class lacks.
 */
export function mount(exported: unknown, defaultPath: string, options: MountOptions): Route {
  if (!isClass(exported)) {
    throw new Error('its default export is not a class: write "export default class Name extends Resource { … }"');
  }
  const path = textOf(exported, 'path', defaultPath);
  if (!/^\/[^\s?#]*$/.test(path)) throw new Error(`its path '${path}' does not begin with / or holds a blank, ? or #`);
  if (isReserved(path)) throw new Error(`its path ${path} is the daemon's own, as all below /_websock/`);
  const app = textOf(exported, 'app', path);
  const dialog = choiceOf(exported, 'dialog', [true, false]);
  const tickets = choiceOf(exported, 'tickets', [false, true]);
  const text = choiceOf(exported, 'text', ['string', 'buffer']);
  const buffers = choiceOf(exported, 'buffers', ['owned', 'borrowed']);
  const accepts = acceptsOf(exported);
  const compression = compressionOf(exported, options.compression);
  // Looked for on the instance: a class may also make its methods as fields, arrow functions.
  const resource = new exported();
  const lacking = REQUIRED.filter((name) => typeof resource[name] !== 'function');
  if (lacking.length > 0) throw new Error(`it has no method ${lacking.join(', ')}: write it, or extend Resource`);
  resource.registerServer?.(options.serverFor(path, app));
  return {
    path,
    app,
    accepts,
    tickets,
    dialog,
    textAsBuffer: text === 'buffer',
    borrowed: buffers === 'borrowed',
    engineOptions: engineOptions(options.values, dialog),
    compression,
    resource,
  };
}

function isClass(value: unknown): value is ResourceClass {
  if (typeof value !== 'function') return false;
  // What an old compiler made of a class is a function with methods in its prototype.
  return /^class\b/.test(Function.prototype.toString.call(value)) || typeof value.prototype?.onData === 'function';
}

function textOf(exported: ResourceClass, name: 'path' | 'app', fallback: string): string {
  const value = exported[name];
  if (value === undefined) return fallback;
  if (typeof value !== 'string' || value === '') throw new Error(`its static ${name} is not a text`);
  return value;
}

/** The first choice is the default. */
function choiceOf<Value extends string | boolean>(
  exported: ResourceClass,
  name: 'dialog' | 'tickets' | 'text' | 'buffers',
  choices: readonly Value[],
): Value {
  const value = exported[name] ?? choices[0];
  if (choices.includes(value as Value)) return value as Value;
  throw new Error(`its static ${name} is ${JSON.stringify(value)}: it may be ${choices.join(' or ')}`);
}

function acceptsOf(exported: ResourceClass): ReadonlySet<Scheme> {
  const value = exported.accepts ?? SCHEMES;
  const valid = Array.isArray(value) && value.length > 0 && value.every((scheme) => SCHEMES.includes(scheme));
  if (!valid) throw new Error(`its static accepts is ${JSON.stringify(value)}: a list of ${SCHEMES.join(', ')}`);
  return new Set(value as Scheme[]);
}

const isWhole = (value: unknown, min: number, max: number): boolean =>
  Number.isInteger(value) && (value as number) >= min && (value as number) <= max;

/** What `static compression` may set, and to what. */
const COMPRESSION: Record<keyof CompressionSettings, { is: (value: unknown) => boolean; text: string }> = {
  threshold: { is: (value) => isWhole(value, 0, Number.MAX_SAFE_INTEGER), text: 'a number of bytes' },
  level: { is: (value) => isWhole(value, 1, 9), text: '1 to 9' },
  contextTakeover: { is: (value) => typeof value === 'boolean', text: 'true or false' },
};

function compressionOf(exported: ResourceClass, defaults: MountOptions['compression']): CompressionSettings | null {
  const value = exported.compression ?? defaults.enabled;
  const { enabled: _, ...settings } = defaults;
  if (typeof value === 'boolean') return value ? settings : null;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Error(`its static compression is ${JSON.stringify(value)}: it may be true, false or an object`);
  }
  const given = Object.entries(value).filter(([, one]) => one !== undefined);
  for (const [key, one] of given) {
    if (!Object.hasOwn(COMPRESSION, key)) {
      throw new Error(`its static compression has ${key}: it may have ${Object.keys(COMPRESSION).join(', ')}`);
    }
    const { is, text } = COMPRESSION[key as keyof CompressionSettings];
    if (is(one)) continue;
    throw new Error(`its static compression.${key} is ${JSON.stringify(one)}: it may be ${text}`);
  }
  return { ...settings, ...(Object.fromEntries(given) as Partial<CompressionSettings>) };
}
