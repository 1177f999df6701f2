import { constants, deflateRawSync } from 'node:zlib';
import type { Codec } from '../../src/wire/codec.ts';
import { Compression, type PerMessageDeflate } from '../../src/wire/compression.ts';
import type { CompressionSettings } from '../../src/wire/deflate.ts';
import type { EngineOptions, Receiver } from '../../src/wire/engine.ts';
import { WebSocketEngine } from '../../src/wire/rfc6455.ts';
import { handleCodec } from '../../src/wire/zlibhandle.ts';
import { serverFrames } from './frames.ts';

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

/** A client that reads compressed messages. */
export class InflatingClient {
  private readonly takeover: boolean;
  private readonly inflater = handleCodec.inflater(15);

  constructor(takeover = false) {
    this.takeover = takeover;
  }

  /** The messages in what a server sent, `*` before those that were compressed; `close CODE` for a Close frame. */
  read(bytes: Buffer): string[] {
    return serverFrames(bytes, true).map(({ op, payload, compressed }) => {
      if (op === 8) return `close ${payload.readUInt16BE(0)}`;
      return compressed === true ? `*${this.inflate(payload)}` : payload.toString();
    });
  }

  private inflate(payload: Buffer): string {
    const output = Buffer.alloc(1 << 20);
    this.inflater.begin(output.length);
    const count = this.inflater.inflate(payload, 0, payload.length, output, 0, output.length);
    if (count < 0 || this.inflater.finish(output, count, output.length) !== 0) throw new Error('it cannot be inflated');
    if (!this.takeover) this.inflater.reset();
    return output.toString('utf8', 0, count);
  }
}
