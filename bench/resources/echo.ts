import { type Client, type MessageInfo, Resource } from 'websock';

/** `/echo`: every message goes back as it came; nothing is copied, and text is checked but not decoded. */
export default class Echo extends Resource {
  static override path = '/echo';
  static override dialog = false;
  static override text = 'buffer' as const;
  static override buffers = 'borrowed' as const;

  override onData(client: Client, message: string | Buffer, info: MessageInfo): undefined {
    client.send(message, info);
  }
}
