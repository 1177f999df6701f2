import { type Client, type NextFields, type Packet, Resource } from 'websock';

const NOT_ALLOWED: NextFields = { error: 'not allowed' };
const EXPIRED: NextFields = { error: 'the ticket has expired' };

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
        if (!this.server.may(client, packet)) return hasExpired(client) ? EXPIRED : NOT_ALLOWED;
        return { delivered: this.feedback(client, packet, message) };
      case 'ticket':
        if (!this.server.may(client, packet)) return NOT_ALLOWED;
        return this.giveTicket(client, packet);
      case 'quit':
        client.close(1000, 'quit');
        return undefined;
      default:
        return undefined;
    }
  }

  /** For the uuid that the packet names; a web client's is its own, named or not. */
  private giveTicket(client: Client, { uuid, ttl }: Packet): NextFields | undefined {
    const own = client.kind === 'websocket' ? client.uuid : '';
    const name = typeof uuid === 'string' && uuid !== '' ? uuid : own;
    // The fields of a form are texts.
    const seconds = typeof ttl === 'string' && /^\d{1,9}$/.test(ttl) ? Number(ttl) : ttl;
    try {
      client.sendPacket({ opcode: 'ticket', ...this.server.ticket(name, seconds as number | undefined) });
      return undefined;
    } catch (error) {
      if (error instanceof RangeError) return { error: error.message };
      throw error;
    }
  }
}

/** A connection may outlive the ticket that it came by. */
function hasExpired({ ticket }: Client): boolean {
  return ticket !== null && ticket.expires * 1000 <= Date.now();
}
