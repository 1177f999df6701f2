import { FrameDecoder } from './decoder.ts';
import type { Engine, MessageCompressor } from './engine.ts';
import { closeFrame, controlFrame, dataHeader, OP } from './frame.ts';

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

  /** A FIN without a Close frame ends the connection; an incomplete message is nobody's. */
  end(): void {
    this.stop();
  }

  prefix(length: number, binary: boolean): string {
    return dataHeader(length, binary);
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
