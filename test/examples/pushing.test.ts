import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { Client } from 'websock';
import { TestBench, type TestClient } from 'websock/testing';
import Hello from '../../resources/examples/hello.ts';
import Stats from '../../resources/examples/stats.ts';
import Ticker from '../../resources/examples/ticker.ts';

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

const numbers = (client: TestClient) => client.packets.map(({ n }) => n);

describe('ticker', () => {
  const bench = () => new TestBench().mount(Ticker, '/ticker');

  test('a tick every 250 ms for whoever is there, from one timer; none for nobody', async () => {
    const room = bench();
    expect(jest.getTimerCount()).toBe(0);
    const [page, line] = [await room.connect({ scheme: 'ws' }), await room.connect({ scheme: 'tcp' })];
    expect(jest.getTimerCount()).toBe(1);
    jest.advanceTimersByTime(750);
    expect([numbers(page), numbers(line)]).toEqual([
      [1, 2, 3],
      [1, 2, 3],
    ]);
    expect(page.packets[0]).toEqual({
      opcode: 'tick',
      n: 1,
      prices: Object.fromEntries(['Amber', 'Copper', 'Ivory', 'Slate'].map((name) => [name, expect.any(Number)])),
    });
    page.leave();
    jest.advanceTimersByTime(250);
    expect(numbers(line)).toEqual([1, 2, 3, 4]);
    line.leave();
    jest.advanceTimersByTime(250);
    expect(jest.getTimerCount()).toBe(0);
    const late = await room.connect();
    jest.advanceTimersByTime(250);
    expect(numbers(late)).toEqual([5]);
  });

  test('a slow reader misses ticks; the others do not, and it goes on when it has caught up', async () => {
    const room = bench();
    const [slow, other] = [await room.connect({ query: 'heavy' }), await room.connect()];
    jest.advanceTimersByTime(250);
    slow.behind = true;
    jest.advanceTimersByTime(500);
    slow.behind = false;
    jest.advanceTimersByTime(250);
    expect([numbers(slow), slow.dropped, numbers(other)]).toEqual([[1, 4], 2, [1, 2, 3, 4]]);
    expect([slow.received[0].length > 512 * 1024, other.received[0].length < 200]).toEqual([true, true]);
  });

  test('five may have heavy ticks, until one leaves', async () => {
    const room = bench();
    const heavy: TestClient[] = [];
    for (let n = 0; n < 6; n++) heavy.push(await room.connect({ query: 'heavy' }));
    const refused = { code: 1013, reason: '5 clients have heavy ticks already' };
    expect(heavy.map(({ closed }) => closed)).toEqual([null, null, null, null, null, refused]);
    heavy[0].leave();
    expect((await room.connect({ query: 'heavy' })).closed).toBeNull();
  });

  test('prices stay prices', async () => {
    const client = await bench().connect();
    jest.advanceTimersByTime(250 * 2000);
    const prices = client.packets.flatMap((packet) => Object.values(packet.prices as object) as number[]);
    expect(prices).toHaveLength(8000);
    expect(prices.filter((price) => !(price >= 1 && price === Number(price.toFixed(2))))).toEqual([]);
  });

  test('who comes back over a restart of the daemon gets ticks again, though nobody has opened', async () => {
    class Restored extends Ticker {
      override onOpen(client: Client): void {
        client.join('light'); // what the session has kept
      }
    }
    const client = await new TestBench().mount(Restored, '/ticker').connect();
    jest.advanceTimersByTime(1000);
    expect(client.received).toEqual([]);
    await client.notify({ type: 'resumed', lost: 0, restarted: true });
    jest.advanceTimersByTime(250);
    expect(numbers(client)).toEqual([1]);
  });
});

describe('stats', () => {
  const bench = () => new TestBench().mount(Stats, '/stats').mount(Hello, '/hello');

  test('at once, then every second, in all and by path', async () => {
    const room = bench();
    await room.connect({ scheme: 'tcp' }, '/hello');
    const watcher = await room.connect();
    const guest = await room.connect({}, '/hello');
    jest.advanceTimersByTime(1000);
    guest.leave();
    jest.advanceTimersByTime(1000);
    expect(watcher.packets).toMatchObject([
      { opcode: 'stats', all: 2, paths: { '/hello': 1, '/stats': 1 }, uptime: expect.any(Number) },
      { opcode: 'stats', all: 3, paths: { '/hello': 2, '/stats': 1 }, memory: expect.any(Number) },
      { opcode: 'stats', all: 2, paths: { '/hello': 1, '/stats': 1 } },
    ]);
  });

  test('one timer for all who watch, none for nobody; who is behind misses some', async () => {
    const room = bench();
    const watchers = [await room.connect(), await room.connect()];
    expect(jest.getTimerCount()).toBe(1);
    watchers[0].behind = true;
    jest.advanceTimersByTime(2000);
    expect(watchers.map(({ received }) => received.length)).toEqual([1, 3]);
    for (const watcher of watchers) watcher.leave();
    jest.advanceTimersByTime(1000);
    expect(jest.getTimerCount()).toBe(0);
  });

  test('GET is answered with the same', async () => {
    const room = bench();
    await room.connect({}, '/hello');
    const { status, type, body } = await room.request('/stats');
    expect([status, type]).toEqual([200, 'application/json']);
    expect(JSON.parse(String(body))).toMatchObject({ opcode: 'stats', all: 1, paths: { '/hello': 1 } });
    expect(jest.getTimerCount()).toBe(0);
  });
});
