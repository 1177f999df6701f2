import { hostname } from 'node:os';
import { type Client, type MessageInfo, Resource } from 'websock';

/**
 * `/echo`: says which host serves it, then mirrors every message, text as text and bytes as bytes.
 *
 * A plain message socket, for the tools that test such things: no `ready` comes first, and no `next` in between. A client that does
 * not read what it gets is closed by the daemon (`[limits] sendQueue`), so nothing here has to be bounded.
 */
export default class Echo extends Resource {
  static override dialog = false;
  // Nothing is decoded or copied on its way back: what came is sent before `onData` returns.
  static override text = 'buffer' as const;
  static override buffers = 'borrowed' as const;

  onOpen(client: Client): void {
    client.send(`served by ${hostname()}`);
  }

  override onData(client: Client, message: string | Buffer, { binary }: MessageInfo): void {
    client.send(message, { binary });
  }
}
