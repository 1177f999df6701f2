import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { type Client, Resource } from 'websock';
import { type ClientOptions, TestBench, type TestClient } from 'websock/testing';
import Default from '../../resources/default.ts';
import Php from '../../resources/php.ts';
import Web from '../../resources/web.ts';

afterEach(() => {
  jest.useRealTimers();
});

const NEXT = { opcode: 'next', fyi: '' };
const NOT_ALLOWED = { ...NEXT, error: 'not allowed' };

interface Room {
  bench: TestBench;
  page: TestClient;
  other: TestClient;
  backend: TestClient;
}

async function room(webMay?: string[]): Promise<Room> {
  const bench = new TestBench({ webMay }).mount(Default).mount(Web).mount(Php);
  return {
    bench,
    page: await bench.connect({}, '/web'),
    other: await bench.connect({ scheme: 'wss', ident: 'screen' }, '/'),
    backend: await bench.connect({ scheme: 'tcp', ident: 'job' }, '/php'),
  };
}

/** Asks for a ticket. @returns its text. */
async function ask(client: TestClient, fields: Record<string, unknown> = {}): Promise<string> {
  expect(await client.say({ opcode: 'ticket', ...fields })).toEqual(NEXT);
  const [{ opcode, ticket, expires, ...more }] = client.packets.slice(-1);
  expect([opcode, typeof ticket, Number.isInteger(expires), more]).toEqual(['ticket', 'string', true, {}]);
  return String(ticket);
}

async function holder({ bench, page, backend }: Room, more: ClientOptions = {}, path = '/php'): Promise<TestClient> {
  const ticket = await ask(backend, { uuid: page.uuid });
  return bench.connect({ scheme: 'tcp', ...more, ticket }, path);
}

describe('asking for a ticket (PROTOCOL.md §5)', () => {
  test('a backend gets one for whomever it names, for 600 s or as long as it says', async () => {
    jest.useFakeTimers({ now: 1_700_000_000_000 });
    const { page, backend } = await room();
    for (const [ttl, expires] of [
      [undefined, 1_700_000_600],
      [1, 1_700_000_001],
      [86_400, 1_700_086_400],
      ['60', 1_700_000_060], // a form's fields are texts
    ]) {
      await ask(backend, { uuid: page.uuid, ttl });
      expect([ttl, backend.packets.at(-1)?.expires]).toEqual([ttl, expires]);
    }
    expect(page.received).toEqual([]);
  });

  test.each([0, -1, 86_401, 1.5, '', 'x', '1e3', '86401', null, true, [60], {}, 2 ** 53])(
    'not for ttl = %j',
    async (ttl) => {
      const { page, backend } = await room();
      const error = 'ttl is not a whole number of seconds from 1 to 86400';
      expect(await backend.say({ opcode: 'ticket', uuid: page.uuid, ttl })).toEqual({ ...NEXT, error });
      expect([backend.received, backend.closed]).toEqual([[], null]);
    },
  );

  test.each([
    {},
    { uuid: '' },
    { uuid: true },
    { uuid: 7 },
    { uuid: ['x'] },
    { ident: 'screen' },
    { uuid: 'x'.repeat(65) },
  ])('a backend not for %j', async (fields) => {
    const { backend } = await room();
    const error = 'uuid is not the uuid of a client';
    expect(await backend.say({ opcode: 'ticket', ...fields })).toEqual({ ...NEXT, error });
    expect(backend.received).toEqual([]);
  });

  test("a web client gets one for itself, whether it says so or not, and none for anybody else's uuid", async () => {
    const all = await room();
    const { bench, page, other } = all;
    for (const fields of [{}, { uuid: page.uuid }, { uuid: '' }, { uuid: [other.uuid] }, { ident: 'screen' }]) {
      const ticket = await ask(page, fields);
      const script = await bench.connect({ scheme: 'tcp', ticket }, '/php');
      expect(script.client.ticket?.uuid).toBe(page.uuid);
    }
    const had = page.received.length;
    for (const uuid of [other.uuid, page.uuid.toUpperCase() + '.', ` ${page.uuid}`, 'nobody']) {
      expect(await page.say({ opcode: 'ticket', uuid })).toEqual(NOT_ALLOWED);
    }
    expect(page.received).toHaveLength(had);
  });

  test('webMay decides whether a web client gets any', async () => {
    const { page, backend } = await room(['echo', 'feedback', 'feedback-ident']);
    expect(await page.say({ opcode: 'ticket' })).toEqual(NOT_ALLOWED);
    expect(await page.say({ opcode: 'ticket', uuid: page.uuid })).toEqual(NOT_ALLOWED);
    expect(page.received).toEqual([]);
    await ask(backend, { uuid: page.uuid });
  });
});

describe('who came by a ticket', () => {
  test.each(['/php', '/'])('reports to its uuid, and hears how many it reached: at %s', async (path) => {
    const all = await room();
    const script = await holder(all, {}, path);
    const text = `{ "opcode":"feedback", "uuid":"${all.page.uuid}", "n":12345678901234567890 }`;
    expect(await script.say(text)).toEqual({ ...NEXT, delivered: 1 });
    expect(all.page.received).toEqual([text]);
    all.page.leave();
    expect(await script.say(text)).toEqual({ ...NEXT, delivered: 0 });
  });

  test('may do nothing else', async () => {
    const all = await room();
    const { page, other, backend } = all;
    const script = await holder(all);
    for (const packet of [
      { opcode: 'broadcast', uuid: page.uuid },
      { opcode: 'feedback' },
      { opcode: 'feedback', uuid: other.uuid },
      { opcode: 'feedback', uuid: script.uuid },
      { opcode: 'feedback', uuid: `${page.uuid} ` },
      { opcode: 'feedback', uuid: [page.uuid] },
      { opcode: 'feedback', uuid: { toString: page.uuid } },
      { opcode: 'feedback', uuid: true },
      { opcode: 'feedback', ident: 'screen' },
      { opcode: 'feedback', ident: 'screen', uuid: '' },
      { opcode: 'feedback', ident: 7, uuid: [page.uuid] },
      { opcode: 'ticket' },
      { opcode: 'ticket', uuid: page.uuid },
      { opcode: 'ticket', uuid: script.uuid, ttl: 86_400 },
    ]) {
      expect([packet, await script.say(packet)]).toEqual([packet, NOT_ALLOWED]);
    }
    const twice = `{"opcode":"feedback","uuid":"${page.uuid}","uuid":"${other.uuid}"}`;
    expect(await script.say(twice)).toEqual(NOT_ALLOWED);
    const proto = `{"opcode":"feedback","__proto__":{"uuid":"${page.uuid}"}}`;
    expect(await script.say(proto)).toEqual(NOT_ALLOWED);
    // A uuid goes before an ident, as for everybody.
    expect(await script.say({ opcode: 'feedback', uuid: page.uuid, ident: 'screen' })).toEqual({
      ...NEXT,
      delivered: 1,
    });
    expect(page.received).toHaveLength(1);
    expect([other.received, backend.packets.slice(1), script.closed]).toEqual([[], [], null]);
  });

  test('what reaches nobody else is no harm: echo, quit, and opcodes that do nothing', async () => {
    const script = await holder(await room());
    expect(await script.say({ opcode: 'echo', n: 1 })).toEqual(NEXT);
    expect(await script.say({ opcode: 'anything' })).toEqual(NEXT);
    expect(script.packets).toEqual([{ opcode: 'echo', n: 1 }]);
    await script.say({ opcode: 'quit' });
    expect(script.closed?.code).toBe(1000);
  });

  test('stays when the ticket expires, but reports no more', async () => {
    jest.useFakeTimers({ now: 1_700_000_000_000 });
    const all = await room();
    const script = await holder(all);
    const report = { opcode: 'feedback', uuid: all.page.uuid };
    jest.setSystemTime(1_700_000_599_999);
    expect(await script.say(report)).toEqual({ ...NEXT, delivered: 1 });
    jest.setSystemTime(1_700_000_600_000);
    expect(await script.say(report)).toEqual({ ...NEXT, error: 'the ticket has expired' });
    expect(await script.say({ opcode: 'broadcast' })).toEqual(NOT_ALLOWED);
    expect(await script.say({ opcode: 'echo' })).toEqual(NEXT);
    expect([all.page.received.length, script.closed]).toEqual([1, null]);
  });

  test('has no name of its own, and hears nothing that is for others', async () => {
    const all = await room();
    const script = await holder(all, { ident: 'job' });
    expect(script.ident).toBe('');
    expect(await all.backend.say({ opcode: 'feedback', ident: 'job' })).toEqual({ ...NEXT, delivered: 1 });
    await all.page.say({ opcode: 'broadcast' });
    expect(script.received).toEqual([]);
  });
});

describe('tickets at a plugin', () => {
  class Board extends Resource {
    static override path = '/board';
    static override tickets = true;

    override onData(client: Client, message: string) {
      const packet = this.getPacket(message);
      if (packet.opcode === 'invite') {
        const { ticket } = this.server.ticket(client.uuid, 60);
        client.sendPacket({ opcode: 'invited', ticket });
        return undefined;
      }
      // Its own opcode is a feedback in all but name.
      if (!this.server.may(client, { opcode: 'feedback', uuid: packet.uuid })) return { error: 'not yours' };
      return { delivered: this.feedback(client, packet, message) };
    }
  }

  test('server.ticket makes one; server.may and client.ticket say what its holder may', async () => {
    const bench = new TestBench().mount(Board).mount(Php);
    const page = await bench.connect();
    const other = await bench.connect();
    await page.say({ opcode: 'invite' });
    const ticket = String(page.packets[0].ticket);
    const script = await bench.connect({ scheme: 'tcp', ticket });
    expect(script.client.ticket).toMatchObject({ uuid: page.uuid });
    expect(await script.say({ opcode: 'move', uuid: page.uuid })).toEqual({ ...NEXT, delivered: 1 });
    expect(await script.say({ opcode: 'move', uuid: other.uuid })).toEqual({ ...NEXT, error: 'not yours' });
    expect(page.client.ticket).toBeNull();
    // The ticket is for the uuid, in whatever app.
    const elsewhere = await bench.connect({ scheme: 'tcp', ticket }, '/php');
    expect(await elsewhere.say({ opcode: 'feedback', uuid: page.uuid })).toEqual({ ...NEXT, delivered: 1 });
  });

  test('a resource takes none unless it says so, and none that is not one', async () => {
    class Closed extends Board {
      static override path = '/closed';
      static override tickets = false;
    }
    const bench = new TestBench().mount(Board).mount(Closed);
    const page = await bench.connect();
    await page.say({ opcode: 'invite' });
    const ticket = String(page.packets[0].ticket);
    await expect(bench.connect({ scheme: 'tcp', ticket }, '/closed')).rejects.toThrow('403 /closed takes no tickets');
    await expect(bench.connect({ scheme: 'tcp', ticket: ticket.slice(1) })).rejects.toThrow(
      '401 the ticket is damaged',
    );
    jest.useFakeTimers({ now: Date.now() + 60_000 });
    await expect(bench.connect({ scheme: 'tcp', ticket })).rejects.toThrow('401 the ticket has expired');
    class Odd extends Board {
      static override tickets = 'yes' as unknown as boolean;
    }
    expect(() => bench.mount(Odd, '/odd')).toThrow('its static tickets is "yes": it may be false or true');
  });
});
