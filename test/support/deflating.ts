import { constants, deflateRawSync } from 'node:zlib';
import type { Codec } from '../../src/wire/codec.ts';
import { Compression, type PerMessageDeflate } from '../../src/wire/compression.ts';
import type { CompressionSettings } from '../../src/wire/deflate.ts';
import type { EngineOptions, Receiver } from '../../src/wire/engine.ts';
import { WebSocketEngine } from '../../src/wire/rfc6455.ts';
import { handleCodec } from '../../src/wire/zlibhandle.ts';

/** Everything is compressed, as small as it gets, and messages may refer to each other. */
export const SETTINGS: CompressionSettings = { threshold: 0, level: 6, contextTakeover: true };

export interface DeflatingOptions {
  /** What the client offers; default: permessage-deflate without parameters. */
  readonly offer?: string;
  readonly settings?: Partial<CompressionSettings>;
  readonly codec?: Codec;
  /** Default: a new one. */
  readonly compression?: Compression;
}

/** What is agreed upon with a client that offers this. */
export function agree(options: DeflatingOptions = {}): { response: string; deflate: PerMessageDeflate } {
  const { offer = 'permessage-deflate', settings, codec = handleCodec, compression = new Compression(codec) } = options;
  const answer = compression.negotiate(offer, { ...SETTINGS, ...settings });
  if (answer === null) throw new Error(`nothing is agreed upon: ${offer}`);
  return answer;
}

/** Makes engines of clients that agreed upon it, each by itself. */
export function deflating(engineOptions: EngineOptions, options: DeflatingOptions = {}) {
  return (receiver: Receiver): WebSocketEngine => new WebSocketEngine(receiver, engineOptions, agree(options).deflate);
}

/** The payload of a compressed message as zlib alone makes it. */
export function deflated(message: string | Buffer, windowBits = 15): Buffer {
  return deflateRawSync(message, { windowBits, finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4);
}
