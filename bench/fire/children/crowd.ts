/** Clients that come, say the beginning of a message, and stay: until they are killed, or nothing of theirs arrives any more. */
import { connect } from 'node:net';
import { serve } from '../child.ts';
import { frame, frameHeader, upgrade } from '../wire.ts';

export interface CrowdOrder {
  readonly host: string;
  readonly port: number;
  readonly clients: number;
  /** They stop in the middle of a message; else after one that is whole. */
  readonly unfinished: boolean;
}

serve(async ({ host, port, clients, unfinished }: CrowdOrder) => {
  const one = async (): Promise<void> => {
    const socket = connect({ port, host });
    // Killed or cut off: nobody is there to hear of it.
    socket.on('error', () => {});
    socket.write(upgrade('/web'));
    await new Promise<void>((done, fail) => {
      socket.once('data', () => done());
      socket.once('close', () => fail(new Error('the daemon does not let it in')));
    });
    socket.write(frame('{"opcode":"echo"}'));
    if (unfinished) socket.write(Buffer.concat([frameHeader(100_000, { op: 2 }), Buffer.alloc(50_000)]));
    // What they are told is read, and pings are answered.
    socket.on('data', (chunk: Buffer) => {
      if (chunk[0] === 0x89) socket.write(frame(chunk.subarray(2, 2 + chunk[1]), { op: 10 }));
    });
  };
  await Promise.all(Array.from({ length: clients }, one));
  return clients;
});
