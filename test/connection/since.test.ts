import { expect, test } from '@jest/globals';
import { type Client, sinceNow, sinceOf, unixOf } from '../../src/connection/client.ts';
import { recordOf, restoreSession } from '../../src/connection/sessionrecord.ts';
import { sessionBed } from './sessionbed.ts';

/** Milliseconds that a time is known to, on either side: it is kept in tenths of a second. */
const NEAR = 200;
const HOUR = 3_600_000;

test('a time survives the way there and back, before this process too', () => {
  for (const ago of [0, 1000, HOUR, 365 * 24 * HOUR]) {
    const unix = Date.now() - ago;
    expect(Math.abs(unixOf(sinceOf(unix)) - unix)).toBeLessThan(NEAR);
    expect(Number.isInteger(sinceOf(unix))).toBe(true);
  }
  // What V8 keeps without memory of its own, for years.
  expect(sinceNow()).toBeLessThan(2 ** 31);
});

/** Whether a client came in between two times. */
function cameIn({ connected }: Client, from: number, to: number): boolean {
  return connected > from - NEAR && connected < to + NEAR;
}

test('a client is detached while its session waits', () => {
  const bed = sessionBed();
  const began = Date.now();
  const one = bed.connect();
  const [client] = bed.context.registry.clients.values();
  expect([client.detached, cameIn(client, began, Date.now())]).toEqual([false, true]);
  one.cut();
  expect(client.detached).toBe(true);
  bed.resume(one.session, 0);
  expect(client.detached).toBe(false);
});

test('over a restart it is known when its last connection came, until it has another; of an older daemon it is not', () => {
  const before = sessionBed();
  const began = Date.now();
  const one = before.connect();
  const [session] = before.context.sessions;
  const record = JSON.parse(recordOf(session, before.context.log, 1024)) as { connected?: number };
  expect(cameIn({ connected: record.connected } as Client, began, Date.now())).toBe(true);
  for (const connected of [began - HOUR, undefined]) {
    const after = sessionBed();
    expect(restoreSession(after.context, JSON.stringify({ ...record, connected }))).toBeNull();
    const [client] = after.context.registry.clients.values();
    expect(client.detached).toBe(true);
    expect(cameIn(client, connected ?? began, connected ?? Date.now())).toBe(true);
    expect(after.resume(one.session, 0).first).toMatchObject({ opcode: 'resumed' });
    expect([client.detached, cameIn(client, began, Date.now())]).toEqual([false, true]);
  }
});

test('what a resource keeps of a client is written up to [dialog] maxData, and the log says of what is not', () => {
  const bed = sessionBed();
  bed.connect();
  const [session] = bed.context.sessions;
  const data = { text: 'x'.repeat(90) };
  session.client.data = data;
  const dataIn = (most: number): unknown =>
    (JSON.parse(recordOf(session, bed.context.log, most)) as { data?: unknown }).data;
  expect([dataIn(101), dataIn(100)]).toEqual([data, undefined]);
  expect(bed.context.log.lines).toContainEqual(
    expect.stringMatching(/^warn .*over \[dialog\] maxData: its client\.data is not kept: it has 101 bytes/),
  );
});
