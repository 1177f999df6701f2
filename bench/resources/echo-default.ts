import { type Client, Resource } from 'websock';

/** `/echo-default`: the same with the defaults of a resource: text as string, Buffers that are its own. */
export default class EchoDefault extends Resource {
  static override path = '/echo-default';
  static override dialog = false;

  override onData(client: Client, message: string | Buffer): undefined {
    client.send(message);
  }
}
