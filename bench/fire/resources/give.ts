import { type Client, Resource } from 'websock';

const SIXTEENTH = Buffer.alloc(1 << 16, 'x');

/** `/give`: 64 KiB for each message, for those who ask for much and read nothing. */
export default class Give extends Resource {
  static override path = '/give';
  static override dialog = false;

  override onData(client: Client): undefined {
    client.send(SIXTEENTH);
  }
}
