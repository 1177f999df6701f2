import { expect, test } from '@jest/globals';
import { frame } from '../support/frames.ts';
import { openBed } from './bed.ts';

const turn = (): Promise<void> => new Promise((done) => setImmediate(done));
const MUCH = Buffer.alloc(1 << 16, 'x');

test('who brings about much with one chunk gets it over several turns of the event loop: others come between', async () => {
  const served: string[] = [];
  const onData = (who: string) => (client: { send: (data: Buffer) => boolean }, message: string | Buffer) => {
    served.push(`${who}${message.toString()}`);
    client.send(MUCH);
  };
  const greedy = openBed({ callbacks: { onData: onData('greedy ') } });
  const modest = openBed({ context: greedy.context, callbacks: { onData: onData('modest ') } });
  greedy.socket.say(Buffer.concat(Array.from({ length: 16 }, (_, i) => frame({ payload: String(i) }))));
  const first = served.length;
  expect(first).toBeGreaterThanOrEqual(4);
  expect(first).toBeLessThan(8);
  expect(greedy.socket.paused).toBe(true);
  modest.say('0');
  expect(served.at(-1)).toBe('modest 0');
  for (let turns = 0; turns < 4; turns++) await turn(); // oxlint-disable-line no-await-in-loop
  expect(served.filter((one) => one.startsWith('greedy'))).toEqual(Array.from({ length: 16 }, (_, i) => `greedy ${i}`));
  expect(greedy.socket.paused).toBe(false);
  expect(greedy.heard()).toHaveLength(32);
});

test('one message, however long, and what another client’s messages send, hold nobody', () => {
  const bed = openBed({ callbacks: { onData: (client) => void client.send(Buffer.alloc(1 << 20)) } });
  const other = openBed({
    context: bed.context,
    callbacks: { onData: () => void Array.from({ length: 8 }, () => bed.connection.client.send(MUCH)) },
  });
  bed.say('one');
  expect([bed.heard().length, bed.socket.paused]).toEqual([2, false]);
  other.say('all to the first');
  expect([bed.heard().length, bed.socket.paused]).toEqual([8, false]);
});

test('a client that goes while it waits for its turn', async () => {
  const bed = openBed({ callbacks: { onData: (client) => void client.send(MUCH) } });
  bed.socket.say(Buffer.concat(Array.from({ length: 16 }, () => frame({ payload: 'x' }))));
  bed.socket.reader.onClose(null);
  const { length } = bed.resource.calls;
  await turn();
  expect(bed.resource.calls).toHaveLength(length);
});
