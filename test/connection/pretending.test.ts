import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { answer, head, openerBed, type OpenerBedOptions, SCRIPT } from './openerbed.ts';

// A page, or whoever speaks as one, that would like to be a script, or somebody (PROTOCOL.md §2). All of it from loopback,
// which is trusted: there a page differs from a script by what its browser says of it alone.

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['queueMicrotask', 'nextTick'] });
});
afterEach(() => {
  jest.useRealTimers();
});

const EVERYBODY = ['ws', 'wss', 'tcp', 'ssl'] as const;
const BACKENDS = ['tcp', 'ssl'] as const;
const PAGE = 'http://localhost:3000';

/** What became of a handshake: the kind of client that it is now, the status that it got, or the text of its `close` packet. */
function fate(fields: Record<string, string>, accepts: readonly string[], options: OpenerBedOptions = {}): string {
  const bed = openerBed({ ...options, route: { accepts: new Set(accepts) as never } });
  bed.socket.say(head(fields));
  const { head: text, words } = answer(bed.socket);
  if (!text.startsWith('HTTP/1.1 101 ')) return text.slice(9, 12);
  const [client] = bed.context.registry.clients.values();
  if (client === undefined) return (JSON.parse(words[0]) as { error: string }).error;
  return client.kind;
}

describe('to be taken for a script', () => {
  test.each([
    // What browsers send, and cannot help sending
    [{ Origin: PAGE }, EVERYBODY, 'websocket'],
    [{ Origin: PAGE }, BACKENDS, '403'],
    [{ Origin: 'null' }, EVERYBODY, '403'],
    [{ Origin: 'null' }, BACKENDS, '403'],
    [{ Origin: 'https://evil.example' }, EVERYBODY, '403'],
    [{ Origin: PAGE, 'Sec-Fetch-Site': 'same-origin' }, BACKENDS, '403'],
    // Without an Origin, or with an empty one, what says Sec-Fetch-Site is a browser all the same
    [{}, BACKENDS, 'tcp'],
    [{ Origin: '' }, BACKENDS, 'tcp'],
    [{ Origin: ' \t' }, BACKENDS, 'tcp'],
    [{ 'Sec-Fetch-Site': 'cross-site' }, BACKENDS, 'no such resource: /'],
    [{ 'Sec-Fetch-Site': 'same-origin', Origin: '' }, BACKENDS, 'no such resource: /'],
    [{ 'Sec-Fetch-Site': 'none' }, BACKENDS, 'no such resource: /'],
    [{ 'Sec-Fetch-Site': '' }, BACKENDS, 'no such resource: /'],
    [{ 'Sec-Fetch-Site': 'same-site' }, EVERYBODY, 'websocket'],
    [{ ...SCRIPT, 'Sec-Fetch-Site': 'cross-site' }, EVERYBODY, '403'],
    [{ ...SCRIPT, 'Sec-Fetch-Site': 'cross-site', Origin: PAGE }, BACKENDS, '403'],
    // What Node's own WebSocket and fetch send; they are backends
    [{ ...SCRIPT, 'Sec-Fetch-Mode': 'websocket' }, BACKENDS, 'tcp'],
    // No page can send Client-Type: who does is a script, whatever Origin its library adds
    [{ ...SCRIPT, Origin: 'https://evil.example' }, EVERYBODY, 'tcp'],
    [{ 'Client-Type': 'TCP', Origin: 'null' }, EVERYBODY, 'tcp'],
    // Nearly
    [{ 'Client-Type': 'php, tcp' }, EVERYBODY, 'websocket'],
    [{ 'Client-Type': 'php;q=1' }, EVERYBODY, 'websocket'],
    [{ 'Client-Type': 'xphp' }, EVERYBODY, 'websocket'],
    [{ 'Client-Type': 'p\u0068p\u00a0x' }, EVERYBODY, 'websocket'],
    [{ 'Client-Type': '' }, EVERYBODY, 'websocket'],
    [{ 'Client-Type': 'web' }, BACKENDS, 'no such resource: /'],
    [{ 'Client-Type': '' }, BACKENDS, 'no such resource: /'],
    [{ 'Client-Type': 'web', Origin: PAGE }, BACKENDS, '403'],
    [{ Client_Type: 'php' }, EVERYBODY, 'websocket'],
    [{ 'X-Client-Type': 'php' }, EVERYBODY, 'websocket'],
    [{ Scheme: 'tcp', Upgrade: 'websocket, tcp' }, EVERYBODY, 'websocket'],
  ])('%j at a resource for %j: %s', (fields, accepts, expected) => {
    expect(fate(fields as unknown as Record<string, string>, accepts)).toBe(expected);
  });

  test('by two headers of one name: together they are none', () => {
    const bed = openerBed();
    bed.socket.say(head({ Origin: PAGE }).replace('\r\n\r\n', '\r\nOrigin:\r\n\r\n'));
    expect(answer(bed.socket).head.slice(9, 12)).toBe('403');
    const twice = openerBed();
    twice.socket.say(head({ 'Client-Type': 'web' }).replace('\r\n\r\n', '\r\nClient-Type: php\r\n\r\n'));
    expect([...twice.context.registry.clients.values()].map(({ kind }) => kind)).toEqual(['websocket']);
  });

  test('by the query: it names no type, no origin and no key', () => {
    const bed = openerBed({ access: { trustLoopback: false, key: 'secret' } });
    bed.socket.say(head({ Origin: '' }, '/?Client-Type=php&client-type=tcp&Authorization=Bearer%20secret'));
    expect([...bed.context.registry.clients.values()].map(({ kind }) => kind)).toEqual(['websocket']);
  });

  test('from an address that is not trusted nothing but the key helps', () => {
    const access = { trustLoopback: false, key: 'secret' };
    expect(fate(SCRIPT, EVERYBODY, { access })).toBe('401');
    expect(fate({}, BACKENDS, { access })).toBe('401');
    expect(fate({ ...SCRIPT, Authorization: 'Bearer secret' }, BACKENDS, { access })).toBe('tcp');
    expect(fate({ ...SCRIPT, 'Sec-Fetch-Site': 'none', Authorization: 'Bearer secret' }, BACKENDS, { access })).toBe(
      'tcp',
    );
  });
});

describe('to have a name', () => {
  const identOf = (fields: Record<string, string>, target: string, webIdent = false): string[] => {
    const bed = openerBed({ webIdent });
    bed.socket.say(head(fields, target));
    return [...bed.context.registry.clients.values()].map(({ kind, ident }) => `${kind} ${ident}`);
  };

  test.each([
    [{}, '/?ident=boss'],
    [{}, '/?ident=a&ident=boss'],
    [{}, '/?ident[]=boss'],
    [{}, '/?%69dent=boss'],
    [{}, '/?IDENT=boss&Ident=boss'],
    [{ Ident: 'boss' }, '/'],
    [{ ident: 'boss' }, '/?ident=boss'],
    [{ Ident: 'boss', Origin: PAGE }, '/'],
    [{ Ident: 'boss', 'Client-Type': 'web' }, '/'],
    [{ Cookie: 'ident=boss', 'X-Ident': 'boss' }, '/'],
  ])('a web client gets none by %j and %s', (fields, target) => {
    expect(identOf(fields as unknown as Record<string, string>, target)).toEqual(['websocket ']);
  });

  test('a name is a text, byte by byte, whatever it looks like; with webIdent a web client may choose it', () => {
    expect(identOf({}, '/?ident=__proto__', true)).toEqual(['websocket __proto__']);
    expect(identOf({}, '/?ident=9007199254740993', true)).toEqual(['websocket 9007199254740993']);
    expect(identOf({}, '/?ident=b%D0%BEss', true)).toEqual(['websocket b\u043ess']);
    expect(identOf({}, '/?ident=first&ident=second', true)).toEqual(['websocket first']);
    expect(identOf(SCRIPT, '/?ident=job')).toEqual(['tcp job']);
  });
});
