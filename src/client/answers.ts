import type { Packet } from './inbox.ts';
import type { Message } from './types.ts';

/** What answers a request: by fields of the answer, or nothing, or a promise of these. */
// oxlint-disable-next-line typescript/no-invalid-void-type -- a handler that returns nothing
export type AnswerHandler<One = Packet> = (
  packet: One,
) => object | undefined | void | Promise<object | undefined | void>;

/** Answers what the daemon asks (PROTOCOL.md §10). */
export class Answers {
  private readonly handlers = new Map<string, AnswerHandler>();
  private readonly send: (answer: Message, uuid: string) => Promise<unknown>;

  /** @param send sends an answer of the client that had a uuid when it was asked. */
  constructor(send: (answer: Message, uuid: string) => Promise<unknown>) {
    this.send = send;
  }

  on(opcode: string, handler: AnswerHandler): () => void {
    this.handlers.set(opcode, handler);
    return () => {
      if (this.handlers.get(opcode) === handler) this.handlers.delete(opcode);
    };
  }

  /** @returns whether the packet was a request, and is being answered. */
  take(packet: Packet, uuid: string): boolean {
    const { opcode, request } = packet;
    // Who answers nothing is not asked: the field is another client's.
    if (this.handlers.size === 0 || !Number.isSafeInteger(request)) return false;
    const reply = (fields: object | null): Promise<unknown> =>
      this.send({ ...fields, opcode: 'answer', request } as Message, uuid);
    const refuse = (error: unknown): void => {
      const text = error instanceof Error ? error.message : String(error);
      reply({ error: text }).catch(() => {
        // Whoever has asked is not there any more.
      });
    };
    const handler = this.handlers.get(opcode);
    if (handler === undefined) refuse(`no answer to ${opcode}`);
    else new Promise((done) => done(handler(packet))).then((fields) => reply(fields as object | null)).catch(refuse);
    return handler !== undefined;
  }
}
