import { describe, expect, test } from '@jest/globals';
import { TestBench, type TestClient } from 'websock/testing';
import Default from '../../resources/default.ts';
import Php from '../../resources/php.ts';
import Web from '../../resources/web.ts';

interface Room {
  bench: TestBench;
  page: TestClient;
  other: TestClient;
  script: TestClient;
}

async function room(webMay?: string[]): Promise<Room> {
  const bench = new TestBench({ webMay }).mount(Default).mount(Web).mount(Php);
  return {
    bench,
    page: await bench.connect({ scheme: 'ws' }, '/web'),
    other: await bench.connect({ scheme: 'wss', ident: 'screen' }, '/'),
    script: await bench.connect({ scheme: 'tcp', ident: 'job' }, '/php'),
  };
}

const NEXT = { opcode: 'next', fyi: '' };

describe('the bundled resources (PROTOCOL.md §5)', () => {
  test('whom they accept', async () => {
    const { bench } = await room();
    await expect(bench.connect({ scheme: 'tcp' }, '/web')).rejects.toThrow('/web does not accept tcp');
    await expect(bench.connect({ scheme: 'ws' }, '/php')).rejects.toThrow('/php does not accept ws');
    for (const scheme of ['ws', 'wss', 'tcp', 'ssl'] as const) await bench.connect({ scheme }, '/');
  });

  test('echo: the same text, to the sender alone', async () => {
    const { page, other } = await room();
    const text = '{ "b": 12345678901234567890,\t"opcode":"echo", "a":"ü" }';
    expect(await page.say(text)).toEqual(NEXT);
    expect(page.received).toEqual([text]);
    expect(other.received).toEqual([]);
  });

  test('broadcast: to every other web client of the app, whatever its path', async () => {
    const { bench, page, other, script } = await room();
    const stranger = await bench
      .mount(
        class extends Default {
          static override path = '/x';
          static override app = 'x';
        },
      )
      .connect({}, '/x');
    expect(await script.say({ opcode: 'broadcast', n: 1 })).toEqual({ ...NEXT, delivered: 2 });
    expect(await page.say({ opcode: 'broadcast', n: 2 })).toEqual({ ...NEXT, delivered: 1 });
    expect(page.packets).toEqual([{ opcode: 'broadcast', n: 1 }]);
    expect(other.packets).toEqual([
      { opcode: 'broadcast', n: 1 },
      { opcode: 'broadcast', n: 2 },
    ]);
    expect([script.received, stranger.received]).toEqual([[], []]);
  });

  test('feedback by uuid: to one client, in whatever app, oneself included', async () => {
    const { page, other, script } = await room();
    expect(await script.say({ opcode: 'feedback', uuid: page.uuid, message: '50 %' })).toEqual({
      ...NEXT,
      delivered: 1,
    });
    expect(page.packets).toEqual([{ opcode: 'feedback', uuid: page.uuid, message: '50 %' }]);
    expect(other.received).toEqual([]);
    expect(await page.say({ opcode: 'feedback', uuid: page.uuid })).toEqual({ ...NEXT, delivered: 1 });
    expect(await script.say({ opcode: 'feedback', uuid: 'nobody' })).toEqual({ ...NEXT, delivered: 0 });
  });

  test('feedback by ident: to clients of any kind, only without a uuid, and a number by its digits', async () => {
    const { bench, other, script } = await room();
    const numbered = await bench.connect({ scheme: 'tcp', ident: '42' }, '/');
    expect(await script.say({ opcode: 'feedback', ident: 'screen' })).toEqual({ ...NEXT, delivered: 1 });
    expect(await script.say({ opcode: 'feedback', uuid: 'nobody', ident: 'screen' })).toEqual({
      ...NEXT,
      delivered: 0,
    });
    expect(await script.say({ opcode: 'feedback', uuid: '', ident: 'screen' })).toEqual({ ...NEXT, delivered: 1 });
    expect(other.received).toHaveLength(2);
    expect(await script.say({ opcode: 'feedback', ident: 42 })).toEqual({ ...NEXT, delivered: 1 });
    expect(numbered.packets).toEqual([{ opcode: 'feedback', ident: 42 }]);
  });

  test.each([
    {},
    { uuid: true },
    { uuid: 7 },
    { uuid: null, ident: '' },
    { ident: 4.2 },
    { ident: 2 ** 53 },
    { ident: {} },
    { ident: ['screen'] },
  ])('feedback to %j reaches nobody', async (target) => {
    const { script, other, page } = await room();
    expect(await script.say({ opcode: 'feedback', ...target })).toEqual({ ...NEXT, delivered: 0 });
    expect([other.received, page.received]).toEqual([[], []]);
  });

  test('what web clients may not do has no effect and says so; scripts may', async () => {
    const { page, other, script } = await room([]);
    const notAllowed = { ...NEXT, error: 'not allowed' };
    for (const opcode of ['echo', 'broadcast']) expect(await page.say({ opcode })).toEqual(notAllowed);
    expect(await page.say({ opcode: 'feedback', uuid: other.uuid })).toEqual(notAllowed);
    expect([page.received, other.received, page.closed]).toEqual([[], [], null]);
    expect(await script.say({ opcode: 'broadcast' })).toEqual({ ...NEXT, delivered: 2 });
  });

  test('feedback by ident is for web clients only where webMay says so', async () => {
    const { page, other } = await room();
    expect(await page.say({ opcode: 'feedback', ident: 'screen' })).toEqual({ ...NEXT, error: 'not allowed' });
    expect(other.received).toEqual([]);
    const open = await room(['feedback-ident']);
    expect(await open.page.say({ opcode: 'feedback', ident: 'screen' })).toEqual({ ...NEXT, delivered: 1 });
    expect(await open.page.say({ opcode: 'feedback', uuid: open.other.uuid })).toEqual({
      ...NEXT,
      error: 'not allowed',
    });
  });

  test('quit closes with 1000, whoever says it; any other opcode has no effect', async () => {
    const { page, script } = await room([]);
    expect(await page.say({ opcode: 'something' })).toEqual(NEXT);
    expect(page.closed).toBeNull();
    await page.say({ opcode: 'quit' });
    await script.say({ opcode: 'quit' });
    expect([page.closed?.code, script.closed?.code]).toEqual([1000, 1000]);
  });

  test('an empty message is acknowledged and goes no further', async () => {
    const { page } = await room();
    expect(await page.say('')).toEqual(NEXT);
    expect(page.closed).toBeNull();
  });

  test.each(['hello', '7', 'null', '[]', '{}', '{"opcode":7}', '{"opcode":"echo"', Buffer.from([0xff, 0xfe])])(
    'no packet: %p closes with 1007',
    async (message) => {
      const { page } = await room();
      expect(await page.say(message)).toBeUndefined();
      expect(page.closed?.code).toBe(1007);
      expect(page.closed?.reason).toMatch(/^not a valid packet: it/);
    },
  );
});
