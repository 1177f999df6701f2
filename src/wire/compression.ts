import { type Codec, type Deflater, HEADROOM, type Inflater } from './codec.ts';
import { type CompressionSettings, type DeflateParams, negotiateDeflate } from './deflate.ts';
import type { EngineOptions, MessageCompressor } from './engine.ts';
import { parseExtensions } from './extensions.ts';
import { putCompressedHeader } from './frame.ts';
import { Inflation } from './inflation.ts';

/** Decompressors of one window size that are kept while no message is in them; busier times make more, and drop them. */
const KEPT_INFLATIONS = 16;
/** Text is encoded here to be compressed; longer text in a buffer of its own. */
const INPUT = Buffer.allocUnsafeSlow(65536);
/** A shorter frame is a latin1 string, as in `encodeMessage`. */
const STRING_LIMIT = 16384;

/** Compresses what is sent: to all clients with the same parameters, or with context takeover to one. */
class Outbound {
  private readonly make: () => Deflater;
  private readonly takeover: boolean;
  private deflater: Deflater | null = null;
  private closed = false;

  constructor(make: () => Deflater, takeover: boolean) {
    this.make = make;
    this.takeover = takeover;
  }

  /**
   * @returns the frame of a compressed message, or null if it is to be sent as it is: compressed it would not be shorter.
   * @throws CompressionError
   */
  frame(input: Buffer, length: number, binary: boolean): string | Buffer | null {
    if (this.closed) return null;
    const { takeover } = this;
    const deflater = (this.deflater ??= this.make());
    try {
      // With takeover it goes out however long it is: the compressor remembers it, so the client must have seen it.
      const payload = deflater.compress(input, length, takeover ? Infinity : length - 1);
      const frame = payload === -1 ? null : frameOf(deflater.output, payload, binary);
      deflater.done(takeover);
      return frame;
    } catch (error) {
      // What it remembers is not known any more; a new one refers to nothing.
      this.drop();
      throw error;
    }
  }

  close(): void {
    this.closed = true;
    this.drop();
  }

  private drop(): void {
    this.deflater?.close();
    this.deflater = null;
  }
}

/** Decompressors: a pool for all clients with the same window, or with context takeover the one of one client. */
class Inbound {
  private readonly make: () => Inflater;
  private readonly takeover: boolean;
  private readonly idle: Inflation[] = [];
  private closed = false;

  constructor(make: () => Inflater, takeover: boolean) {
    this.make = make;
    this.takeover = takeover;
  }

  take(): Inflation {
    return this.idle.pop() ?? new Inflation(this.make());
  }

  give(inflation: Inflation): void {
    const keep = !this.closed && this.idle.length < KEPT_INFLATIONS;
    try {
      inflation.done(this.takeover);
      if (keep) this.idle.push(inflation);
      else inflation.close();
    } catch (error) {
      inflation.close();
      throw error;
    }
  }

  close(): void {
    this.closed = true;
    for (const inflation of this.idle.splice(0)) inflation.close();
  }
}

function frameOf(output: Buffer, length: number, binary: boolean): string | Buffer {
  const start = putCompressedHeader(output, HEADROOM, length, binary);
  const end = HEADROOM + length;
  if (end - start < STRING_LIMIT) return output.toString('latin1', start, end);
  const frame = Buffer.allocUnsafe(end - start);
  output.copy(frame, 0, start, end);
  return frame;
}

/**
 * permessage-deflate as it was agreed upon (RFC 7692). Where no message refers to another, one object serves every
 * connection with the same parameters, so that it costs an idle one nothing.
 */
export class PerMessageDeflate implements MessageCompressor {
  readonly key: string;
  private readonly threshold: number;
  private readonly outbound: Outbound;
  private readonly inbound: Inbound;
  /** What of it belongs to one connection. */
  private readonly own: readonly { close(): void }[];

  constructor(
    key: string,
    threshold: number,
    outbound: Outbound,
    inbound: Inbound,
    own: readonly { close(): void }[] = [],
  ) {
    this.key = key;
    this.threshold = threshold;
    this.outbound = outbound;
    this.inbound = inbound;
    this.own = own;
  }

  frame(data: string | Buffer, binary: boolean, always: boolean): string | Buffer | null {
    const length = typeof data === 'string' ? Buffer.byteLength(data) : data.length;
    if (length < this.threshold && !always) return null;
    if (typeof data !== 'string') return this.outbound.frame(data, length, binary);
    if (length > INPUT.length) return this.outbound.frame(Buffer.from(data), length, binary);
    INPUT.write(data);
    return this.outbound.frame(INPUT, length, binary);
  }

  /** A compressed message begins to arrive. Whoever takes it gives it back. */
  take(options: EngineOptions, unchecked: boolean): Inflation {
    const inflation = this.inbound.take();
    inflation.begin(options, unchecked);
    return inflation;
  }

  give(inflation: Inflation): void {
    this.inbound.give(inflation);
  }

  /** The connection is over: what is sent from here on is not compressed. */
  close(): void {
    for (const part of this.own) part.close();
  }
}

/** The compression of a daemon: what its connections share. */
export class Compression {
  private readonly codec: Codec;
  private readonly outbounds = new Map<string, Outbound>();
  private readonly inbounds = new Map<number, Inbound>();
  private readonly agreed = new Map<string, PerMessageDeflate>();

  constructor(codec: Codec) {
    this.codec = codec;
  }

  /**
   * Answers the offers of a client.
   * @param header its Sec-WebSocket-Extensions, if it sent one.
   * @returns what to answer and how to speak; null: without compression.
   */
  negotiate(
    header: string | undefined,
    settings: CompressionSettings,
  ): { response: string; deflate: PerMessageDeflate } | null {
    const offers = header === undefined ? null : parseExtensions(header);
    if (offers === null) return null;
    const answer = negotiateDeflate(offers, settings.contextTakeover && this.codec.takeover);
    if (answer === null) return null;
    return { response: answer.response, deflate: this.deflateFor(answer.params, settings) };
  }

  private deflateFor(params: DeflateParams, { level, threshold }: CompressionSettings): PerMessageDeflate {
    const { serverBits, clientBits, serverTakeover, clientTakeover } = params;
    const sending = `deflate ${serverBits} ${level}`;
    const key = `${sending} ${threshold}`;
    const makeOutbound = (): Outbound => new Outbound(() => this.codec.deflater(serverBits, level), serverTakeover);
    const makeInbound = (): Inbound => new Inbound(() => this.codec.inflater(clientBits), clientTakeover);
    const outbound = serverTakeover ? makeOutbound() : entry(this.outbounds, sending, makeOutbound);
    const inbound = clientTakeover ? makeInbound() : entry(this.inbounds, clientBits, makeInbound);
    if (!serverTakeover && !clientTakeover) {
      return entry(this.agreed, `${key} ${clientBits}`, () => new PerMessageDeflate(key, threshold, outbound, inbound));
    }
    const own = [...(serverTakeover ? [outbound] : []), ...(clientTakeover ? [inbound] : [])];
    return new PerMessageDeflate(serverTakeover ? '' : key, threshold, outbound, inbound, own);
  }
}

function entry<Key, Value>(map: Map<Key, Value>, key: Key, create: () => Value): Value {
  let value = map.get(key);
  if (value === undefined) {
    value = create();
    map.set(key, value);
  }
  return value;
}
