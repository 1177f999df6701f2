import { FrameDecoder } from './decoder.ts';
import type { Engine, MessageCompressor } from './engine.ts';
import { closeFrame, controlFrame, dataHeader, fragmentHeader, LAST_FRAGMENT, OP } from './frame.ts';

/** WebSocket framing (RFC 6455), with permessage-deflate where that was agreed upon (RFC 7692). */
export class WebSocketEngine extends FrameDecoder implements Engine {
  get framing(): string {
    return 'rfc6455';
  }

  get compressor(): MessageCompressor | null {
    return this.deflate;
  }

  get hasClose(): boolean {
    return true;
  }

  get suffix(): string {
    return '';
  }

  get lastFragment(): string {
    return LAST_FRAGMENT;
  }

  /** A FIN without a Close frame ends the connection; an incomplete message is nobody's. */
  end(): void {
    this.stop();
  }

  prefix(length: number, binary: boolean): string {
    return dataHeader(length, binary);
  }

  fragmentPrefix(length: number, binary: boolean, begun: boolean): string {
    if (begun) return fragmentHeader(length, OP.CONTINUATION);
    return fragmentHeader(length, binary ? OP.BINARY : OP.TEXT);
  }

  clean(text: string): string {
    return text;
  }

  cleanBytes(bytes: Buffer): Buffer {
    return bytes;
  }

  closeFrame(code: number, reason: string): string {
    return closeFrame(code, reason);
  }

  pingFrame(payload: Buffer): string {
    return controlFrame(OP.PING, payload);
  }

  pongFrame(payload: Buffer): string {
    return controlFrame(OP.PONG, payload);
  }
}
