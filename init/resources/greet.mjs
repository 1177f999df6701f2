import { Resource } from 'websock';

/**
 * Clients of /greet greet each other: {"opcode":"hello","name":"Ada"} is answered, and everybody else at /greet is told.
 * What else a resource can do: resources/README.md of websock.
 */
export default class Greet extends Resource {
  onData(client, message) {
    // A JSON object with an opcode, or the client is closed with 1007.
    const packet = this.getPacket(message);
    if (packet.opcode !== 'hello') return { error: `no such opcode: ${packet.opcode}` };
    client.sendPacket({ opcode: 'hello', message: `Hello, ${packet.name}!` });
    const delivered = this.broadcast(client, JSON.stringify({ opcode: 'arrived', name: packet.name }));
    // What is returned stands in the `next` that acknowledges the message.
    return { delivered };
  }
}
