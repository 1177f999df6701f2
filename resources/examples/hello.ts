import { type Client, Resource } from 'websock';
import { beginning } from './lib/beginning.ts';

/** Characters of a name that are used. */
const NAME = 40;
const GOODBYE = ['quit', 'exit', 'bye'];

/**
 * `/hello`: for somebody at a terminal. `nc localhost 8096`, or telnet, then `/hello`, and it says hello; `quit` leaves.
 *
 * Without the dialog a line client sees plain lines, and what it types is the message. `client.data` holds what is known of it.
 */
export default class Hello extends Resource {
  static override dialog = false;

  onOpen(client: Client): void {
    client.send('Hello! What is your name? (quit leaves)');
  }

  override onData(client: Client<string | undefined>, message: string | Buffer): void {
    const said = message.toString().trim();
    if (said === '') return;
    if (GOODBYE.includes(said.toLowerCase())) {
      client.send(`Good bye, ${client.data ?? 'stranger'}!`);
      client.close();
    } else if (client.data === undefined) {
      client.data = beginning(said, NAME);
      client.send(`Nice to meet you, ${client.data}. You come from ${client.ip}, by ${client.scheme}.`);
    } else {
      client.send(`I hear you, ${client.data}: ${said.length} characters. I know no more than this.`);
    }
  }
}
