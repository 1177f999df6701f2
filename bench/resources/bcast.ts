import { type Client, Resource } from 'websock';

/** `/bcast`: every message goes to all other clients, as text. */
export default class Bcast extends Resource {
  static override path = '/bcast';
  static override dialog = false;

  override onData(client: Client, message: string | Buffer): undefined {
    this.broadcast(client, message);
  }
}
