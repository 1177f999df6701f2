import { type Client, type HandshakeAnswer, type HandshakeRequest, type NextFields, Resource } from 'websock';

/**
 * `/status`: closes its client with the code that it asks for, `{"opcode":"close","code":4000,"reason":"as you wish"}`; what a client
 * then sees of it, its page shows. A code that no Close frame may hold (RFC 6455 §7.4) is refused in `next`.
 *
 * With `?refuse` the handshake itself is refused: a browser reports that as 1006, and does not say why.
 */
export default class Status extends Resource {
  onHandshake({ query }: HandshakeRequest): HandshakeAnswer {
    return query.has('refuse') ? { status: 403, body: 'refused, as you wish' } : undefined;
  }

  override onData(client: Client, message: string | Buffer): NextFields | undefined {
    const { opcode, code, reason } = this.getPacket(message);
    if (opcode !== 'close') return { error: 'say {"opcode":"close","code":4000,"reason":"why"}' };
    try {
      // The fields of a form are texts.
      client.close(typeof code === 'object' ? NaN : Number(code), typeof reason === 'string' ? reason : '');
      return undefined;
    } catch (error) {
      if (error instanceof RangeError) return { error: error.message };
      throw error;
    }
  }
}
