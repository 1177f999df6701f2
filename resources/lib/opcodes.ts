import { type Client, type NextFields, Resource } from 'websock';

const NOT_ALLOWED: NextFields = { error: 'not allowed' };

/** The opcodes of PROTOCOL.md §5, which the resources `/`, `/web` and `/php` share. */
export class Opcodes extends Resource {
  static override app = '/';

  override onData(client: Client, message: string | Buffer): NextFields | undefined {
    const packet = this.getPacket(message);
    switch (packet.opcode) {
      case 'echo':
        if (!this.server.may(client, packet)) return NOT_ALLOWED;
        this.echo(client, message);
        return undefined;
      case 'broadcast':
        if (!this.server.may(client, packet)) return NOT_ALLOWED;
        return { delivered: this.broadcast(client, message) };
      case 'feedback':
        if (!this.server.may(client, packet)) return NOT_ALLOWED;
        return { delivered: this.feedback(client, packet, message) };
      case 'quit':
        client.close(1000, 'quit');
        return undefined;
      default:
        return undefined;
    }
  }
}
