import type { Lobby, TransportSocket } from '../transport/transport.ts';
import { TICKS } from '../transport/deadlines.ts';
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
    if (!counted) this.makeRoom();
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
    const { waiting, values } = context;
    if (values.maxHandshakes > 0 && waiting.size >= values.maxHandshakes) this.oldest(0)?.giveWay('maxHandshakes');
    Opener.take(context, socket, over);
  };

  /** Those who have kept silent for a second make room for one more. */
  private makeRoom(): void {
    let oldest: Opener | null;
    while (this.context.admission.full && (oldest = this.oldest(TICKS)) !== null) oldest.giveWay('maxClients');
  }

  /**
   * Who goes if too many wait: an honest client's request comes close behind its connection, so it is soon none of them.
   * @param ticks for which it must have waited
   */
  private oldest(ticks: number): Opener | null {
    const { waiting, deadlines } = this.context;
    const { oldest } = waiting;
    return oldest instanceof Opener && deadlines.tick - oldest.since >= ticks ? oldest : null;
  }

  get most(): number {
    return this.context.values.maxHandshakes;
  }

  get full(): boolean {
    return this.context.admission.full;
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

  over(limit: 'tlsTimeout' | 'maxHandshakes' | 'maxClients', ip: string): void {
    if (limit === 'tlsTimeout')
      this.context.limits.over(limit); // the transport has said it
    else this.context.admission.gaveWay(limit, ip);
  }
}
