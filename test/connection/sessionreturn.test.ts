import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { Guard } from '../../src/auth/auth.ts';
import type { HandshakeRequest } from '../../src/connection/route.ts';
import { fakeRoute, FakeResource, settle } from '../support/fakes.ts';
import { frame } from '../support/frames.ts';
import { defer } from './bed.ts';
import { type SessionBed, sessionBed, type SessionBedOptions } from './sessionbed.ts';

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['queueMicrotask', 'nextTick'] });
});
afterEach(() => {
  jest.useRealTimers();
});
const wait = (seconds: number): void => {
  jest.advanceTimersByTime(seconds * 1000);
};

/** A session that has been cut, and a way back to it. */
function cut(options: SessionBedOptions = {}): { bed: SessionBed; session: string } {
  const bed = sessionBed(options);
  const one = bed.connect();
  const { session } = one;
  one.cut();
  return { bed, session };
}

describe('who comes back', () => {
  test('is who it was, by another connection', () => {
    const bed = sessionBed({ webIdent: true, callbacks: { onHandshake: () => ({ data: { n: 1 } }) } });
    const one = bed.connect('websock.2', { target: '/?ident=zoe&a=1' });
    const [client] = bed.context.registry.clients.values();
    const { id, uuid, data } = client;
    one.cut();
    const two = bed.resume(one.session, 0, { ip: '127.0.0.9', target: '/?ident=zoe&a=2', fields: { 'X-A': 'b' } });
    expect(two.first?.uuid).toBe(uuid);
    expect(bed.context.registry.clients.get(id)).toBe(client);
    expect([client.id, client.uuid, client.ident]).toEqual([id, uuid, 'zoe']);
    expect(client.data).toBe(data);
    expect([client.ip, client.query.get('a'), client.headers['x-a']]).toEqual(['127.0.0.9', '2', 'b']);
    expect(bed.context.registry.withUuid(uuid)?.client).toBe(client);
    expect(bed.context.registry.withIdent('/', 'zoe').size).toBe(1);
  });

  test.each([
    [
      'with another secret',
      (s: string) => `websock.2, websock.resume.${s.slice(0, -1)}${s.endsWith('a') ? 'b' : 'a'}.0`,
    ],
    ['with what cannot be one', () => 'websock.2, websock.resume.x'],
    ['having received more than was sent', (s: string) => `websock.2, websock.resume.${s}.1`],
  ])('%s has a new session, and the old one stays for who owns it', (_, protocols) => {
    const { bed, session } = cut();
    const two = bed.connect(protocols(session));
    expect(two.first).toMatchObject({ opcode: 'ready', resumed: false });
    expect(two.session).not.toBe(session);
    expect(bed.context.registry.clients.size).toBe(2);
    expect(bed.resume(session, 0).first).toMatchObject({ opcode: 'resumed' });
  });

  test('having received less than it had acknowledged has a new session', () => {
    const bed = sessionBed();
    const one = bed.connect();
    const [client] = bed.context.registry.clients.values();
    client.send('a');
    one.ack(1);
    one.cut();
    expect(bed.resume(one.session, 0).first).toMatchObject({ resumed: false });
    expect(bed.context.log.at('info').join('\n')).toContain('it has received 0 messages, and once had 1');
    expect(bed.resume(one.session, 1).first).toMatchObject({ opcode: 'resumed' });
  });

  test('by another path, or as somebody else, has a new session', () => {
    const bed = sessionBed({ webIdent: true });
    const other = fakeRoute(new FakeResource(), { path: '/other' });
    const own = bed.context.routes.find('/');
    bed.context.routes.find = (path) => (path === '/other' ? other : own);
    const one = bed.connect('websock.2', { target: '/?ident=zoe' });
    one.cut();
    for (const target of ['/other?ident=zoe', '/?ident=tom', '/']) {
      expect(bed.resume(one.session, 0, { target }).first).toMatchObject({ resumed: false });
    }
    expect(bed.resume(one.session, 0, { target: '/?ident=zoe' }).first).toMatchObject({ opcode: 'resumed' });
  });

  test('is judged as anybody', () => {
    let verdict: { status: number } | undefined;
    const { bed, session } = cut({ callbacks: { onHandshake: () => verdict } });
    verdict = { status: 403 };
    expect(bed.resume(session, 0).head).toContain('HTTP/1.1 403 Forbidden');
    verdict = undefined;
    expect(bed.resume(session, 0).first).toMatchObject({ opcode: 'resumed' });
  });

  test('takes over from a connection that still stands', () => {
    const bed = sessionBed();
    const one = bed.connect();
    one.say(1, 'a');
    const two = bed.resume(one.session, 0, { ip: '127.0.0.9' });
    expect(two.first).toMatchObject({ opcode: 'resumed', handled: 1 });
    expect(one.socket.destroyed).toBe(true);
    expect(bed.context.log.at('info').join('\n')).toContain(
      'its session was taken over from 127.0.0.9; its session waits',
    );
    one.say(2, 'not any more');
    two.say(2, 'b');
    one.cut();
    expect(bed.resource.names).toEqual(['onOpen', 'a', 'detached', 'resumed', 'b']);
    expect(two.short()).toEqual(['next 2']);
    expect([bed.context.admission.count, bed.context.live.size]).toEqual([1, 1]);
  });

  test('finds nothing where its resource closes it as its connection is taken over', () => {
    const bed = sessionBed({
      callbacks: { onOther: (client, { type }) => void (type === 'detached' && client.close()) },
    });
    const one = bed.connect();
    expect(bed.resume(one.session, 0).first).toMatchObject({ opcode: 'ready', resumed: false });
    expect(bed.resource.names).toEqual(['onOpen', 'detached', 'onClose', 'onOpen']);
  });

  test('with messages behind its handshake has them handled after what was in flight', async () => {
    const work = defer();
    const bed = sessionBed({ callbacks: { onData: (_, text) => (text === 'slow' ? work.promise : undefined) } });
    const one = bed.connect();
    one.say(1, 'slow');
    one.cut();
    const rest = frame({ payload: '{"id":2}\nquick' });
    const two = bed.connect(`websock.2, websock.resume.${one.session}.0`, { rest });
    expect(bed.resource.names.at(-1)).toBe('resumed');
    work.resolve();
    await settle();
    expect(two.short()).toEqual(['next 1', 'next 2']);
  });

  test('is not seen with its secret by the resource, nor in the log', () => {
    const seen: HandshakeRequest[] = [];
    const bed = sessionBed({ callbacks: { onHandshake: (request) => void seen.push(request) } });
    const one = bed.connect();
    one.cut();
    const shown = `websock.resume.${one.session}.0`;
    const two = bed.connect(`chat, ${shown},websock.2`);
    expect(two.first).toMatchObject({ opcode: 'resumed' });
    expect(seen.at(-1)?.protocols).toEqual(['chat', 'websock.2']);
    const [client] = bed.context.registry.clients.values();
    for (const { headers } of [seen.at(-1) as HandshakeRequest, client]) {
      expect(headers['sec-websocket-protocol']).toBe('chat, websock.2');
      expect(headers.host).toBe('example.org');
    }
    // What is no session's is hidden as well, and so it is from who gets none.
    bed.connect('chat, websock.resume.strange');
    expect(seen.at(-1)?.protocols).toEqual(['chat']);
    expect(bed.context.log.lines.join('\n')).not.toContain(one.session.slice(20));
    expect(bed.context.log.lines.join('\n')).not.toContain('websock.resume');
  });
});

describe('who offers websock.2', () => {
  const chosen = (options: SessionBedOptions, fields: Record<string, string> = {}): [string | undefined, unknown] => {
    const peer = sessionBed(options).connect('chat, websock.2', { fields });
    return [/Sec-WebSocket-Protocol: (.*)\r\n/.exec(peer.head)?.[1], peer.first !== undefined];
  };

  test('gets it, but where it is switched off, the resource has no dialog or has chosen another, and scripts', () => {
    expect(chosen({})).toEqual(['websock.2', true]);
    expect(chosen({ values: { resume: 0 } })).toEqual(['chat', false]);
    expect(chosen({ route: { dialog: false } })).toEqual(['chat', false]);
    expect(chosen({}, { 'Client-Type': 'php' })).toEqual(['chat', false]);
    expect(chosen({ callbacks: { onHandshake: () => ({ protocol: 'chat' }) } })).toEqual(['chat', false]);
    expect(chosen({ callbacks: { onHandshake: () => ({ protocol: 'strange' }) } })).toEqual(['websock.2', true]);
    expect(chosen({ callbacks: { onHandshake: () => ({ protocol: 'websock.2' }) } })).toEqual(['websock.2', true]);
    expect(chosen({ values: { resume: 0 }, callbacks: { onHandshake: () => ({ protocol: 'websock.2' }) } })).toEqual([
      'chat',
      false,
    ]);
  });
});

test('who is refused is told so in its own dialog', () => {
  const bed = sessionBed({ values: { maxClients: 1 } });
  bed.connect();
  const refused = bed.connect();
  expect(refused.head).toContain('Sec-WebSocket-Protocol: websock.2\r\n');
  expect(refused.first).toEqual({ opcode: 'close', error: 'Too many connections' });
  expect(bed.connect('websock.2', { target: '/nowhere' }).first).toMatchObject({ opcode: 'close' });
  expect(bed.context.sessions.size).toBe(1);
});

describe('a session that waits', () => {
  test('is there for others until its time is up; then its resource hears that it is closed', () => {
    const { bed, session } = cut({ values: { resume: 5 } });
    wait(4.9);
    expect([bed.context.registry.clients.size, bed.resource.names.at(-1)]).toEqual([1, 'detached']);
    wait(0.4);
    expect(bed.resource.calls.at(-1)).toEqual(['onClose', 1006, 'it did not come back within 5 s']);
    expect(bed.context.registry.clients.size).toBe(0);
    expect(bed.resume(session, 0).first).toMatchObject({ resumed: false });
  });

  test('has all of its time again each time', () => {
    const { bed, session } = cut({ values: { resume: 5 } });
    wait(4);
    const two = bed.resume(session, 0);
    wait(10);
    two.cut();
    wait(4);
    expect(bed.resume(session, 0).first).toMatchObject({ opcode: 'resumed' });
  });

  test('leaves nothing behind when it ends', () => {
    const { bed } = cut();
    const [client] = bed.context.registry.clients.values();
    client.send('kept');
    wait(31);
    const { context } = bed;
    expect([context.sessions.size, context.sessions.detached, context.sessions.bytes]).toEqual([0, 0, 0]);
    expect([context.admission.count, context.admission.connected, context.deadlines.size]).toEqual([0, 0, 0]);
    expect([client.send('late'), client.ping()]).toEqual([false, false]);
  });

  test('is closed by its resource at once, or when the handler in flight has ended', async () => {
    const { bed } = cut();
    const [client] = bed.context.registry.clients.values();
    client.close(1000, 'enough');
    expect(bed.resource.calls.at(-1)).toEqual(['onClose', 1000, 'enough']);
    const work = defer();
    const busy = sessionBed({ callbacks: { onData: () => work.promise } });
    const one = busy.connect();
    one.say(1, 'a');
    one.cut();
    [...busy.context.registry.clients.values()][0].close(4000, 'enough');
    expect(busy.resource.names.at(-1)).toBe('detached');
    expect(busy.resume(one.session, 0).first).toMatchObject({ resumed: false });
    work.resolve();
    await settle();
    expect(busy.resource.calls.at(-1)).toEqual(['onClose', 4000, 'enough']);
  });

  test('gives a handler that was cut off no more time than others', () => {
    const bed = sessionBed({
      values: { handlerTimeout: 5, resume: 60 },
      callbacks: { onData: () => new Promise(() => {}) },
    });
    const one = bed.connect();
    one.say(1, 'a');
    wait(3);
    one.cut();
    wait(2.3);
    expect(bed.resource.calls.at(-1)).toEqual(['onClose', 1011, 'the resource took longer than 5 s']);
    const two = bed.connect();
    two.say(1, 'b');
    wait(3);
    const three = bed.resume(two.session, 0);
    wait(2.3);
    expect(three.heard().at(-1)).toBe('close 1011 the resource took longer than 5 s');
    expect(bed.context.limits.counters.handlerTimeout).toBe(2);
    expect(bed.context.sessions.size).toBe(0);
  });

  test('of who does not answer pings waits for him', () => {
    const bed = sessionBed({ values: { heartbeatInterval: 5, heartbeatTimeout: 2 } });
    const one = bed.connect();
    wait(7.5);
    expect(one.heard().slice(-2)).toEqual([
      '\n{"opcode":"close","error":"no answer to a ping within 2 s"}',
      'close 4408 no answer to a ping within 2 s',
    ]);
    expect(bed.resource.names.at(-1)).toBe('detached');
    expect(bed.resume(one.session, 0).first).toMatchObject({ opcode: 'resumed' });
  });

  test('ends with its token, and so does one that has come back with another', () => {
    let life = 10;
    const guard: Guard = {
      mode: 'jwt',
      backends: false,
      guessable: false,
      judge: () => ({ auth: { mode: 'jwt', claims: { life } }, ident: 'zoe', expires: Date.now() / 1000 + life }),
    };
    const guards = { of: () => guard };
    const { bed } = cut({ guards });
    const [client] = bed.context.registry.clients.values();
    wait(10.3);
    expect(bed.resource.calls.at(-1)).toEqual(['onClose', 1008, 'the token has expired']);
    expect(bed.context.registry.clients.has(client.id)).toBe(false);
    const one = bed.connect();
    one.cut();
    life = 20;
    const two = bed.resume(one.session, 0);
    wait(15);
    const [second] = bed.context.registry.clients.values();
    expect(second.auth).toEqual({ mode: 'jwt', claims: { life: 20 } });
    wait(5.3);
    expect(two.heard().at(-1)).toBe('close 1008 the token has expired');
    expect(bed.context.sessions.size).toBe(0);
  });

  test('is waited for by a stop, as long as its handler is in flight', async () => {
    const work = [defer(), defer()];
    const bed = sessionBed({ callbacks: { onData: (_, n) => work[Number(n)].promise } });
    const { sessions } = bed.context;
    let quiet = false;
    const [one, two] = [bed.connect(), bed.connect()];
    one.say(1, '0');
    two.say(1, '1');
    one.cut();
    two.cut();
    expect(sessions.busy).toHaveLength(2);
    void sessions.quiet().then(() => (quiet = true));
    work[0].resolve();
    await settle();
    expect([sessions.busy.length, quiet]).toEqual([1, false]);
    [...bed.context.registry.clients.values()][1].close();
    work[1].resolve();
    await settle();
    expect([sessions.busy.length, quiet]).toEqual([0, true]);
    expect(bed.resource.names.at(-1)).toBe('onClose');
  });

  test('may be thrown out by its resource, whose errors are its own', async () => {
    const bed = sessionBed({
      callbacks: {
        onOther: (_, { type }) => {
          if (type === 'detached') throw new Error('no');
        },
      },
    });
    bed.connect().cut();
    expect(bed.resource.names).toEqual(['onOpen', 'detached', 'onError', 'onClose']);
    const later = sessionBed({ callbacks: { onOther: () => Promise.reject(new Error('no')) } });
    later.connect().cut();
    await settle();
    expect(later.resource.names).toEqual(['onOpen', 'detached', 'onError', 'onClose']);
  });

  test('does not begin before onOpen has settled', async () => {
    const opening = defer();
    const bed = sessionBed({ callbacks: { onOpen: () => opening.promise } });
    const one = bed.connect();
    one.cut();
    const two = bed.resume(one.session, 0);
    two.say(1, 'a');
    expect(bed.resource.names).toEqual(['onOpen', 'detached', 'resumed']);
    opening.resolve();
    await settle();
    expect(two.short()).toEqual(['next 1']);
    expect(bed.resource.names).toEqual(['onOpen', 'detached', 'resumed', 'a']);
  });
});
