import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { Tickets } from '../../src/packet/ticket.ts';
import { answer, head, openerBed, type OpenerBed, type OpenerBedOptions, SCRIPT } from './openerbed.ts';
import { fakeContext, fakeRoute, FakeResource } from '../support/fakes.ts';

const KEY = 'correct-horse-battery';
const UUID = '6f1c1a52-5d0e-4d1b-9c7e-3f2a1b0c9d8e';
const WRONG = 'the backend key is wrong';
const DAMAGED = 'the ticket is damaged, or not of this daemon: without [tickets] secret they end when it does';

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['queueMicrotask', 'nextTick'] });
});
afterEach(() => {
  jest.useRealTimers();
});

/** A daemon with a key, at which several ask to come in, one after the other, from an address that earns nothing. */
function door(options: OpenerBedOptions = {}): {
  context: NonNullable<OpenerBedOptions['context']>;
  script: (shown: string, ip?: string, headers?: Record<string, string>) => OpenerBed;
  line: (first: string, ip?: string) => OpenerBed;
} {
  const route = fakeRoute(new FakeResource(), { tickets: true, ...options.route });
  const context = fakeContext({ access: { key: KEY, ...options.access }, values: options.values, routes: [route] });
  const open = (text: string, ip: string): OpenerBed => {
    const bed = openerBed({ context, socket: { ip } });
    bed.socket.say(text);
    return bed;
  };
  return {
    context,
    script: (shown, ip = '192.0.2.7', headers = {}) =>
      open(head({ ...SCRIPT, ...(shown === '' ? {} : { Authorization: `Bearer ${shown}` }), ...headers }), ip),
    line: (first, ip = '192.0.2.7') => open(`GET / ${first}\n`, ip),
  };
}

/** Status and text of a refusal; `101`: it came in. */
function verdict({ socket }: OpenerBed): string {
  const text = socket.drop().toString();
  if (text.startsWith('HTTP/1.1 101 ')) return '101';
  const [first, ...rest] = text.split('\r\n');
  return `${first.slice(9, 12)} ${rest.at(-1)?.trimEnd()}`;
}

describe('wrong keys and tickets from one address', () => {
  test('after five nothing from there is looked at for a while, not the right key either; others are not held', () => {
    const { context, script, line } = door();
    for (let i = 0; i < 5; i++) expect(verdict(script('wrong'))).toBe(`401 ${WRONG}`);
    const right = script(KEY).socket.drop().toString();
    expect(right).toMatch(/^HTTP\/1\.1 429 Too Many Requests\r\n(?:[^\r]+\r\n)*Retry-After: 60\r\n/);
    expect(right).toMatch(/\n\r\ntoo many wrong keys, tokens or tickets from your address: try again in \d\d s\n$/);
    expect(line(`Bearer ${KEY}`).socket.drop().toString()).toMatch(
      /^\{"opcode":"close","error":"too many wrong keys, [^"]+: try again in \d\d s"\}\n$/,
    );
    expect(verdict(script(context.tickets.make(UUID).ticket))).toMatch(/^429 /);
    expect(verdict(script(KEY, '192.0.2.8'))).toBe('101');
    expect(context.limits.counters.maxAttempts).toBe(3);
    const last = context.log.at('warn').at(-1);
    expect(last).toMatch(/^warn #\d+ 192\.0\.2\.7 \/ refused: 429 too many wrong keys, tokens or tickets/);
    expect(context.log.lines.join()).not.toContain(KEY);
  });

  test('who shows nothing is not guessing, however often it comes', () => {
    const { script } = door();
    for (let i = 0; i < 20; i++) expect(verdict(script(''))).toMatch(/^401 show the backend key/);
    expect(verdict(script(KEY))).toBe('101');
  });

  test('from an address that is trusted a wrong key is not compared: it comes in, and nothing is counted', () => {
    const { script } = door();
    for (let i = 0; i < 10; i++) expect(verdict(script('wrong', '127.0.0.1'))).toBe('101');
    // Nor is it held up by others that share its address and may not use it.
    for (let i = 0; i < 5; i++) script('wrong', '127.0.0.1', { Via: '1.1 x' });
    expect(verdict(script(KEY, '127.0.0.1', { Via: '1.1 x' }))).toMatch(/^429 /);
    expect(verdict(script('wrong', '127.0.0.1'))).toBe('101');
    expect(verdict(script('', '127.0.0.1'))).toBe('101');
  });

  test('behind a trusted proxy it is the client that counts', () => {
    const { script } = door({ access: { trustedProxies: ['10.0.0.1'] } });
    const from = (ip: string, key: string): string => verdict(script(key, '10.0.0.1', { 'X-Forwarded-For': ip }));
    for (let i = 0; i < 5; i++) expect(from(`203.0.113.9`, 'wrong')).toBe(`401 ${WRONG}`);
    expect([from('203.0.113.9', KEY), from('203.0.113.10', KEY)]).toEqual([expect.stringMatching(/^429 /), '101']);
    // What it says of itself changes nothing.
    expect(from(`198.51.100.1, 203.0.113.9`, KEY)).toMatch(/^429 /);
  });

  test('maxAttempts = 0: no limit', () => {
    const { script } = door({ values: { maxAttempts: 0 } });
    for (let i = 0; i < 50; i++) expect(verdict(script('wrong'))).toBe(`401 ${WRONG}`);
    expect(verdict(script(KEY))).toBe('101');
  });

  test('where there is no key there is nothing to guess', () => {
    const { script } = door({ access: { key: '' } });
    for (let i = 0; i < 20; i++) expect(verdict(script('wrong'))).toMatch(/^403 backend clients are not allowed/);
  });

  test('forged tickets count as wrong keys do; good ones at a path that takes none do not', () => {
    const { context, script } = door();
    const { ticket } = context.tickets.make(UUID);
    const forged = `${ticket.slice(0, -1)}${ticket.endsWith('A') ? 'B' : 'A'}`;
    for (let i = 0; i < 4; i++) expect(verdict(script(forged))).toBe(`401 ${DAMAGED}`);
    expect(verdict(script(KEY))).toBe('101');
    expect(verdict(script(forged))).toBe(`401 ${DAMAGED}`);
    expect(verdict(script(ticket))).toMatch(/^429 /);

    // What another daemon has made, or this one before it was started anew, is no guess.
    const after = door();
    const old = new Tickets('the secret of another daemon', 600).make(UUID).ticket;
    for (let i = 0; i < 20; i++) expect(verdict(after.script(old))).toBe(`401 ${DAMAGED}`);
    expect(verdict(after.script(after.context.tickets.make(UUID).ticket))).toBe('101');

    const closed = door({ route: { tickets: false } });
    const good = closed.context.tickets.make(UUID).ticket;
    for (let i = 0; i < 20; i++) {
      expect(verdict(closed.script(good))).toBe('403 / takes no tickets: its resource has no static tickets');
    }
  });
});

describe('a ticket', () => {
  test('lets a script and a line in from anywhere; the resource sees whose it is', () => {
    const { context, script, line } = door();
    const { ticket, expires } = context.tickets.make(UUID);
    for (const bed of [script(ticket), line(`Bearer ${ticket}`), line(`bearer ${ticket}`)]) {
      expect(bed.socket.drop().toString()).toContain('"opcode":"ready"');
    }
    const clients = [...context.registry.clients.values()];
    expect(clients.map((client) => [client.kind, client.ticket])).toEqual(
      Array.from({ length: 3 }, () => ['tcp', { uuid: UUID, expires }]),
    );
    expect(script(KEY) && [...context.registry.clients.values()].at(-1)?.ticket).toBeNull();
    expect(context.log.lines.join()).not.toContain(ticket);
  });

  test('gives no name: what is meant for a backend of that name is not for its holder', () => {
    const { context, script, line } = door();
    const { ticket } = context.tickets.make(UUID);
    script(ticket, '192.0.2.7', { Ident: 'job' });
    line(`Bearer ${ticket}`);
    const bed = openerBed({ context, socket: { ip: '192.0.2.7' } });
    bed.socket.say(`GET /?ident=job Bearer ${ticket}\n`);
    expect([...context.registry.clients.values()].map(({ ident }) => ident)).toEqual(['', '', '']);
    expect(context.registry.withIdent('/', 'job').size).toBe(0);
    script(KEY, '192.0.2.7', { Ident: 'job' });
    expect(context.registry.withIdent('/', 'job').size).toBe(1);
  });

  test('holds who shows it, from a trusted address too: a bad one does not come in there either', () => {
    const { context, script } = door();
    const { ticket } = context.tickets.make(UUID);
    expect(verdict(script(`${ticket}x`, '127.0.0.1'))).toBe(`401 ${DAMAGED}`);
    expect(verdict(script(ticket, '127.0.0.1'))).toBe('101');
    expect([...context.registry.clients.values()].map((client) => client.ticket?.uuid)).toEqual([UUID]);
  });

  test('is shown to onHandshake, which may refuse its holder, or name it', () => {
    const seen: unknown[] = [];
    const resource = new FakeResource({
      onHandshake({ ticket }) {
        seen.push(ticket?.uuid ?? null);
        return ticket === null ? undefined : { ident: 'guest' };
      },
    });
    const context = fakeContext({ access: { key: KEY }, routes: [fakeRoute(resource, { tickets: true })] });
    for (const shown of [context.tickets.make(UUID).ticket, KEY]) {
      const bed = openerBed({ context, socket: { ip: '192.0.2.7' } });
      bed.socket.say(head({ ...SCRIPT, Ident: 'job', Authorization: `Bearer ${shown}` }));
    }
    expect(seen).toEqual([UUID, null]);
    expect([...context.registry.clients.values()].map(({ ident }) => ident)).toEqual(['guest', 'job']);
  });

  test('of which there are two in one header is none', () => {
    const { context, script } = door();
    const { ticket } = context.tickets.make(UUID);
    expect(verdict(script(`${ticket}, Bearer ${KEY}`))).toMatch(/^401 show the backend key/);
  });

  test('that has expired: 401, however often: it is no guess', () => {
    const { context, script } = door();
    const { ticket } = context.tickets.make(UUID, 1);
    expect(verdict(script(ticket))).toBe('101');
    jest.setSystemTime(Date.now() + 1000);
    for (let i = 0; i < 20; i++) expect(verdict(script(ticket))).toBe('401 the ticket has expired: ask for another');
  });

  test('is nothing to a web client: it stays one', () => {
    const { context } = door();
    const { ticket } = context.tickets.make(UUID);
    const bed = openerBed({ context, socket: { ip: '192.0.2.7' } });
    bed.socket.say(head({ Authorization: `Bearer ${ticket}` }));
    expect(answer(bed.socket).head).toContain('101');
    const [client] = context.registry.clients.values();
    expect([client.kind, client.ticket]).toEqual(['websocket', null]);
  });
});
