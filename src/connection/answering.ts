import type { Client } from './client.ts';
import type { Requests } from './requests.ts';
import type { Callbacks, Handled, MessageInfo, Notice } from './route.ts';

/**
 * The resource, as a client sees it that was asked something: its answers go to who waits for them. It takes the resource's place in the
 * dialog of that client alone, so nobody else's messages are looked at for answers.
 */
export class Answering implements Callbacks {
  private readonly resource: Callbacks;
  private readonly requests: Requests;

  constructor(resource: Callbacks, requests: Requests) {
    this.resource = resource;
    this.requests = requests;
  }

  onData(client: Client, message: string | Buffer, info: MessageInfo): Handled | Promise<Handled> {
    const taken = info.binary ? null : this.requests.take(message);
    return taken ?? this.resource.onData(client, message, info);
  }

  onClose(client: Client, code: number, reason: string): unknown {
    return this.resource.onClose(client, code, reason);
  }

  onError(client: Client, error: unknown): unknown {
    return this.resource.onError(client, error);
  }

  onOther(client: Client, notice: Notice): unknown {
    return this.resource.onOther(client, notice);
  }
}
