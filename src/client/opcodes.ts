import { ClosedError } from './errors.ts';
import type { Inbox, Packet } from './inbox.ts';
import type { Next } from './types.ts';

/** The opcodes of the bundled resources, as methods. */
export abstract class Opcodes {
  protected abstract readonly inbox: Inbox;
  private ticketing: Promise<unknown> = Promise.resolve();

  abstract send(packet: { readonly opcode: string; readonly [field: string]: unknown }): Promise<Next>;
  abstract close(): void;

  /** To every other web client of the app. */
  broadcast(fields: object): Promise<Next> {
    return this.send({ ...fields, opcode: 'broadcast' });
  }

  /** To the client of a uuid, or those of an ident. */
  feedback(to: string | { readonly ident: string | number }, fields: object): Promise<Next> {
    return this.send({
      ...fields,
      ...(typeof to === 'string' ? { uuid: to } : { ident: to.ident }),
      opcode: 'feedback',
    });
  }

  /** It comes back, as a packet. */
  echo(fields: object): Promise<Next> {
    return this.send({ ...fields, opcode: 'echo' });
  }

  /**
   * A ticket for feedback to this client. One at a time: which answer is whose, its packet does not say.
   * @param ttl in seconds.
   * @throws Error with what the daemon says against it.
   */
  ticket(ttl?: number): Promise<{ readonly ticket: string; readonly expires: number }> {
    const asked = this.ticketing.then(async () => {
      let found: Packet | null = null as Packet | null;
      const off = this.inbox.on('ticket', (packet) => {
        found = packet;
      });
      const { error = 'no ticket has come' } = await this.send({ opcode: 'ticket', ttl }).finally(off);
      if (found === null) throw new Error(error);
      return { ticket: String(found.ticket), expires: Number(found.expires) };
    });
    this.ticketing = asked.catch(() => {
      // Who asked is told.
    });
    return asked;
  }

  /** Sends what waits, says goodbye and closes for good. */
  async quit(): Promise<void> {
    try {
      await this.send({ opcode: 'quit' });
    } catch (error) {
      if (!(error instanceof ClosedError)) throw error;
    }
    this.close();
  }
}
