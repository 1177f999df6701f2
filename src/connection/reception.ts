import type { Lobby, TransportSocket } from '../transport/transport.ts';
import type { ConnectionContext } from './context.ts';
import { Opener } from './opener.ts';

/** Takes what the transport accepts, if admission has room for it; who waits in the transport is counted as well. */
export class Reception implements Lobby {
  private readonly context: ConnectionContext;

  constructor(context: ConnectionContext) {
    this.context = context;
  }

  /** @param counted it has waited in the transport: see Lobby. */
  readonly accept = (socket: TransportSocket, counted: boolean): void => {
    const { context } = this;
    const { admission } = context;
    const { ip } = socket;
    if (context.draining || (!counted && admission.enter(ip) !== null)) {
      if (counted) admission.leave(ip);
      socket.destroy();
      return;
    }
    const over = counted ? null : admission.arrive(ip);
    if (over !== null && !admission.hearOut()) {
      admission.leave(ip);
      socket.destroy();
      return;
    }
    this.makeRoom();
    Opener.take(context, socket, over);
  };

  /** If too many wait, the oldest goes: an honest client's request comes close behind its connection, and it is soon none of them. */
  private makeRoom(): void {
    const { waiting, values } = this.context;
    if (values.maxHandshakes === 0 || waiting.size < values.maxHandshakes) return;
    if (waiting.oldest instanceof Opener) waiting.oldest.giveWay();
  }

  get most(): number {
    return this.context.values.maxHandshakes;
  }

  /** Nobody is told here why: that would take a TLS handshake. */
  enter(ip: string): boolean {
    const { admission, draining } = this.context;
    if (draining || admission.enter(ip) !== null) return false;
    if (admission.arrive(ip) === null) return true;
    admission.leave(ip);
    return false;
  }

  move(from: string, to: string): boolean {
    return this.context.admission.move(from, to) === null;
  }

  leave(ip: string): void {
    this.context.admission.leave(ip);
  }

  over(limit: 'tlsTimeout' | 'maxHandshakes', ip: string): void {
    if (limit === 'maxHandshakes') this.context.admission.refused(limit, ip);
    else this.context.limits.over(limit); // the transport has said it
  }
}
