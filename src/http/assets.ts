import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Headers } from '../wire/head.ts';

/** A file that the daemon serves below `/_websock/`. */
interface AssetRow {
  /** All of the path of the URL. */
  readonly path: string;
  /** Relative to the folder of the package. */
  readonly file: string;
  readonly type: string;
  readonly headers: Headers;
}

/** A file as it is served: read once, at start. */
export interface Asset {
  readonly type: string;
  readonly body: Buffer;
  /** By its content, in quotes. */
  readonly etag: string;
  readonly headers: Headers;
}

/** By path. */
export type Assets = ReadonlyMap<string, Asset>;

const SCRIPT = 'text/javascript; charset=utf-8';
/** Pages of every site load it, isolated ones too; it is asked for each time, for the next daemon may have another. */
const LIBRARY: Headers = {
  'Cache-Control': 'no-cache',
  'Cross-Origin-Resource-Policy': 'cross-origin',
  'X-Content-Type-Options': 'nosniff',
};

/** All of them. */
const ROWS: readonly AssetRow[] = [
  { path: '/_websock/client.js', file: 'dist/client/client.js', type: SCRIPT, headers: LIBRARY },
  { path: '/_websock/client.classic.js', file: 'dist/client/client.classic.js', type: SCRIPT, headers: LIBRARY },
];

/**
 * Reads the files of the table.
 * @throws Error if one of them is not there: the package was not built.
 */
export function readAssets(): Assets {
  const assets = new Map<string, Asset>();
  for (const { path, file, type, headers } of ROWS) {
    const body = readFileSync(new URL(`../../${file}`, import.meta.url));
    const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
    assets.set(path, { type, body, etag, headers });
  }
  return assets;
}

/** Whether an If-None-Match header names an ETag; weak or not does not matter to it (RFC 9110 §13.1.2). */
export function isNamed(etag: string, header = ''): boolean {
  return header.trim() === '*' || header.split(',').some((one) => one.trim().replace(/^W\//, '') === etag);
}
