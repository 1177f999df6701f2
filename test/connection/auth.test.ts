import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { Granted, Verdict } from '../../src/auth/auth.ts';
import { Pass } from '../../src/connection/pass.ts';
import type { HandshakeRequest } from '../../src/connection/route.ts';
import { frame } from '../support/frames.ts';
import { defer, inWords, NEXT } from './bed.ts';
import { guarded, type Guarded } from './guarded.ts';
import { answer, gone, head, type OpenerBed, type OpenerBedOptions, READY, SCRIPT } from './openerbed.ts';

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['queueMicrotask', 'nextTick', 'setImmediate'] });
});
afterEach(() => {
  jest.useRealTimers();
});

/** The client that has come in. */
function clientOf({ context }: OpenerBed): { ident: string; auth: unknown } {
  const [client] = context.registry.clients.values();
  return { ident: client.ident, auth: client.auth };
}

const settled = (): Promise<void> => new Promise((done) => setImmediate(done));

describe('a web client', () => {
  test('shows its token in Authorization, the query or a subprotocol', () => {
    for (const [fields, target] of [
      [{ Authorization: 'Bearer right' }, '/'],
      [{}, '/?token=right'],
      [{ 'Sec-WebSocket-Protocol': 'websock.token.right' }, '/'],
    ] as const) {
      const bed = guarded();
      bed.socket.say(head(fields, target));
      expect(answer(bed.socket).words).toEqual([expect.stringMatching(READY)]);
      expect(clientOf(bed)).toEqual({ ident: '', auth: { mode: 'token' } });
      gone(bed);
    }
  });

  test('without a right one gets its 401 before the upgrade, and is no client of the resource', () => {
    for (const fields of [{}, { Authorization: 'Bearer wrong' }, { Cookie: 'token=right' }] as Record<
      string,
      string
    >[]) {
      const bed = guarded({ callbacks: { onHandshake: () => ({ ident: 'x' }) } });
      bed.socket.say(head(fields));
      const { head: text, words } = answer(bed.socket);
      expect(text).toMatch(/^HTTP\/1\.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\n/);
      expect(words).toEqual(['the token is wrong\n']);
      expect([bed.resource.calls, bed.socket.ended]).toEqual([[], true]);
      expect(bed.context.log.at('warn')).toEqual(['warn #1 127.0.0.1 / refused: 401 the token is wrong']);
      gone(bed);
    }
  });

  test('is told its own token only where it offered nothing else', () => {
    const chosen = (protocols: string, protocol?: string): string | undefined => {
      const bed = guarded({ callbacks: { onHandshake: () => ({ protocol }) } });
      bed.socket.say(head({ 'Sec-WebSocket-Protocol': protocols }));
      const { head: text } = answer(bed.socket);
      gone(bed);
      expect(text).toContain(' 101 ');
      return /^Sec-WebSocket-Protocol: (.*)\r$/m.exec(text)?.[1];
    };
    expect(chosen('websock.token.right')).toBe('websock.token.right');
    expect(chosen('websock.token.right, chat')).toBe('chat');
    expect(chosen('chat, websock.token.right', 'websock.token.right')).toBe('chat');
    expect(chosen('websock.token.right, a, b', 'b')).toBe('b');
    expect(chosen('websock.token.right, a, websock.resume.x.1')).toBe('a');
    expect(chosen('websock.token.right, websock.resume.x.1')).toBe('websock.token.right');
    expect(chosen('websock.resume.x.1, websock.token.right')).toBe('websock.token.right');
  });

  test('is seen without its token in the query, but for one that nobody has asked for', () => {
    for (const [mode, query] of [
      ['token', 'a=1&b=%C3%BC'],
      ['php-session', 'a=1&token=right&b=%C3%BC'],
    ] as const) {
      const seen: string[] = [];
      const bed = guarded({
        granted: { auth: mode === 'token' ? { mode } : { mode, session: {} } },
        callbacks: { onHandshake: (request: HandshakeRequest) => void seen.push(request.query.toString()) },
      });
      bed.socket.say(head({}, '/?a=1&token=right&b=%C3%BC'));
      const [client] = bed.context.registry.clients.values();
      expect([...seen, client.query.toString()]).toEqual([query, query]);
      gone(bed);
    }
  });

  test('is seen by onHandshake as what it was found to be, and onHandshake decides after that', () => {
    const seen: HandshakeRequest[] = [];
    const granted: Granted = { auth: { mode: 'jwt', claims: { sub: 'zoe', admin: false } }, ident: 'zoe' };
    const bed = guarded({
      granted,
      callbacks: {
        onHandshake: (request) => {
          seen.push(request);
          return { status: 403, body: 'not for you' };
        },
      },
    });
    bed.socket.say(head({ 'Sec-WebSocket-Protocol': 'chat, websock.token.right' }));
    expect(answer(bed.socket).head).toMatch(/^HTTP\/1\.1 403 /);
    expect([seen[0].auth, seen[0].protocols]).toEqual([granted.auth, ['chat']]);
    gone(bed);
  });

  test('is waited for as onHandshake is; what it sent along is kept', async () => {
    const { promise, resolve } = defer<Verdict>();
    const bed = guarded({ verdict: promise });
    bed.socket.say(Buffer.concat([Buffer.from(head()), frame({ payload: 'early' })]));
    expect([bed.socket.paused, bed.socket.writes]).toEqual([true, []]);
    resolve({ auth: { mode: 'token' } });
    await settled();
    expect(answer(bed.socket).words).toEqual([expect.stringMatching(READY), NEXT]);
    expect(bed.resource.names).toEqual(['onOpen', 'early']);
    gone(bed);
  });

  test('that is not judged within handlerTimeout gets 503; one that leaves meanwhile is forgotten', async () => {
    const slow = defer<Verdict>();
    const bed = guarded({ verdict: slow.promise, values: { handlerTimeout: 2 } });
    bed.socket.say(head());
    jest.advanceTimersByTime(2300);
    expect(answer(bed.socket).head).toMatch(/^HTTP\/1\.1 503 /);
    const left = guarded({ verdict: slow.promise });
    left.socket.say(head());
    gone(left);
    slow.resolve({ auth: { mode: 'token' } });
    await settled();
    expect([bed.resource.calls, left.resource.calls, left.socket.writes]).toEqual([[], [], []]);
    gone(bed);
  });

  test('whose guard fails gets 500, and the log the cause', async () => {
    const bed = guarded({ verdict: Promise.reject(new Error('a bug')) });
    bed.socket.say(head());
    await settled();
    expect(answer(bed.socket).words).toEqual(['authentication failed\n']);
    expect(bed.context.log.at('error')[0]).toMatch(/^error #1 127\.0\.0\.1 \/: authentication failed: a bug/);
    gone(bed);
  });

  test('at a path that asks for nothing is not asked', () => {
    const bed = guarded({ route: { path: '/open' } });
    bed.socket.say(head({}, '/open'));
    expect(answer(bed.socket).words).toEqual([expect.stringMatching(READY)]);
    expect(clientOf(bed)).toEqual({ ident: '', auth: null });
    gone(bed);
  });
});

describe('the ident of a web client where its path has a guard', () => {
  const SELF = { Ident: 'root', Authorization: 'Bearer right' };
  const identOf = (options: Parameters<typeof guarded>[0], fields: Record<string, string> = SELF): string => {
    const bed = guarded({ webIdent: true, ...options });
    bed.socket.say(head(fields, '/?ident=root&Ident=root'));
    const { ident } = clientOf(bed);
    gone(bed);
    return ident;
  };

  test('comes from its authentication or from onHandshake, never from itself', () => {
    const auth = { mode: 'token' } as const;
    expect(identOf({})).toBe('');
    expect(identOf({ granted: { auth, ident: 'zoe' } })).toBe('zoe');
    expect(identOf({ callbacks: { onHandshake: () => ({ ident: 'given' }) } })).toBe('given');
    expect(identOf({ granted: { auth, ident: 'zoe' }, callbacks: { onHandshake: () => ({ ident: 'given' }) } })).toBe(
      'given',
    );
    expect(identOf({ granted: { auth, ident: 'zoe' }, callbacks: { onHandshake: () => ({ ident: '' }) } })).toBe('');
  });

  test('is its own where it has none, if webIdent says so', () => {
    const bed = guarded({ webIdent: true, route: { path: '/open' } });
    bed.socket.say(head(SELF, '/open'));
    expect(clientOf(bed).ident).toBe('root');
    gone(bed);
  });
});

describe('clients of kind tcp', () => {
  test('are backends by their address or key: nothing more is asked of them', () => {
    for (const opening of [head({ ...SCRIPT, Ident: 'job' }), 'GET /?ident=job\n']) {
      const bed = guarded();
      bed.socket.say(opening);
      expect([bed.shown, clientOf(bed)]).toEqual([[], { ident: 'job', auth: null }]);
      gone(bed);
    }
  });

  test('no token lets in who is none', () => {
    const bed = guarded({ access: { trustLoopback: false, key: 'the-key' } });
    bed.socket.say(head({ ...SCRIPT, Authorization: 'Bearer right' }, '/?token=right'));
    expect(answer(bed.socket).head).toMatch(/^HTTP\/1\.1 401 /);
    expect(bed.shown).toEqual([]);
    gone(bed);
  });

  test('with backends=true they show a token as well; where Authorization has the key, in the query', () => {
    for (const [opening, lets] of [
      [head(SCRIPT), false],
      [head({ ...SCRIPT, Authorization: 'Bearer right' }), false],
      [head({ ...SCRIPT, Authorization: 'Bearer the-key' }, '/'), false],
      [head({ ...SCRIPT, Authorization: 'Bearer the-key' }, '/?token=right'), true],
      ['GET /?token=right Bearer the-key\n', true],
      ['GET / Bearer the-key\n', false],
    ] as const) {
      const bed = guarded({ backends: true, access: { trustLoopback: false, key: 'the-key' } });
      bed.socket.say(opening);
      expect([opening, bed.resource.names.includes('onOpen')]).toEqual([opening, lets]);
      gone(bed);
    }
  });

  test('with backends=true the key or ticket that let them in is no token: without one nobody has guessed', () => {
    for (const shownBy of [() => 'the-key', ({ context }: OpenerBed) => context.tickets.make('some-uuid', 60).ticket]) {
      const bed = guarded({
        backends: true,
        route: { tickets: true },
        access: { trustLoopback: false, key: 'the-key' },
      });
      bed.socket.say(head({ ...SCRIPT, Authorization: `Bearer ${shownBy(bed)}` }));
      expect(answer(bed.socket).head).toMatch(/^HTTP\/1\.1 401 /);
      expect(bed.shown).toEqual([{ token: undefined, cookie: undefined }]);
      gone(bed);
    }
  });

  test('with backends=true who has a ticket shows a token as well, and has no name of its own', () => {
    const options = { backends: true, route: { tickets: true } };
    const ticketOf = ({ context }: OpenerBed): string => context.tickets.make('some-uuid', 60).ticket;
    const none = guarded(options);
    none.socket.say(head({ ...SCRIPT, Authorization: `Bearer ${ticketOf(none)}` }));
    expect(answer(none.socket).head).toMatch(/^HTTP\/1\.1 401 /);
    const both = guarded(options);
    both.socket.say(
      head({ ...SCRIPT, Ident: 'job', Authorization: `Bearer ${ticketOf(both)}` }, '/?token=right&ident=job'),
    );
    expect(clientOf(both)).toEqual({ ident: '', auth: { mode: 'token' } });
    for (const bed of [none, both]) gone(bed);
  });

  test('with backends=true, by address: a line client shows it in its first line, and is refused by a packet', () => {
    const right = guarded({ backends: true });
    right.socket.say('GET /?ident=job Bearer right\n');
    expect(clientOf(right)).toEqual({ ident: 'job', auth: { mode: 'token' } });
    gone(right);
    const wrong = guarded({ backends: true });
    wrong.socket.say('GET / Bearer wrong\n');
    expect(wrong.socket.drop().toString()).toBe('{"opcode":"close","error":"the token is wrong"}\n');
    expect(wrong.socket.ended).toBe(true);
    gone(wrong);
  });
});

describe('what a session says that is too large', () => {
  test('goes over its limit: a counter, and a line that says so', () => {
    const bed = guarded({
      values: { maxSession: 100 },
      verdict: { refusal: { status: 500, text: 'the session cannot be read' }, limit: 'maxSession' },
    });
    bed.socket.say(head());
    expect(answer(bed.socket).words).toEqual(['the session cannot be read\n']);
    expect(bed.context.limits.counters.maxSession).toBe(1);
    expect(bed.context.log.at('error')).toEqual([
      'error #1 127.0.0.1 /: token: over [limits] maxSession: a session of more than 100 bytes',
    ]);
    gone(bed);
  });
});

describe('a token that expires', () => {
  const open = (seconds: number, options: OpenerBedOptions = {}): Guarded => {
    const granted: Granted = { auth: { mode: 'jwt', claims: {} }, expires: Date.now() / 1000 + seconds };
    const bed = guarded({ ...options, granted });
    bed.socket.say(head({ Authorization: 'Bearer right' }));
    answer(bed.socket);
    return bed;
  };
  const CLOSED = ['{"opcode":"close","error":"the token has expired"}', 'close 1008 the token has expired'];
  const heard = (bed: OpenerBed): string[] => inWords(bed.socket.drop());

  test('closes its connection with 1008, in time', () => {
    const bed = open(60);
    jest.advanceTimersByTime(59_900);
    expect(heard(bed)).toEqual([]);
    jest.advanceTimersByTime(400);
    expect(heard(bed)).toEqual(CLOSED);
    expect(bed.resource.calls.at(-1)).toEqual(['onClose', 1008, 'the token has expired']);
    gone(bed);
  });

  test('in many years is no surprise now, and in some hours none before', () => {
    for (const seconds of [3600 * 2.5, 1e12, Infinity]) {
      const bed = open(seconds);
      jest.advanceTimersByTime(3600 * 2.4 * 1000);
      expect(heard(bed)).toEqual([]);
      jest.advanceTimersByTime(3600 * 0.2 * 1000);
      expect(heard(bed)).toEqual(seconds === 3600 * 2.5 ? CLOSED : []);
      gone(bed);
    }
  });

  test('goes by the clock of the day, which may be set', () => {
    const armed: number[] = [];
    const pass = new Pass({ auth: { mode: 'jwt', claims: {} }, expires: Date.now() / 1000 + 36_000 });
    const closed: unknown[] = [];
    pass.begin({ arm: (_, seconds) => void armed.push(seconds), disarm: () => undefined }, (code) => closed.push(code));
    jest.setSystemTime(Date.now() + 35_000_000);
    pass.expire();
    jest.setSystemTime(Date.now() + 1_000_000);
    pass.expire();
    expect([armed, closed]).toEqual([[3600, 1000], [1008]]);
  });

  test('that has expired already while onHandshake took its time', async () => {
    const { promise, resolve } = defer();
    const granted: Granted = { auth: { mode: 'jwt', claims: {} }, expires: Date.now() / 1000 + 1 };
    const bed = guarded({ granted, callbacks: { onHandshake: () => promise } });
    bed.socket.say(head({ Authorization: 'Bearer right' }));
    jest.advanceTimersByTime(3000);
    resolve();
    await settled();
    expect(answer(bed.socket).words).toEqual([expect.stringMatching(READY), ...CLOSED]);
    gone(bed);
  });

  test('lets a handler in flight end, and waits for nobody who has gone', async () => {
    const { promise, resolve } = defer();
    const bed = open(10, { callbacks: { onData: () => promise } });
    bed.socket.say(frame({ payload: 'slow' }));
    jest.advanceTimersByTime(11_000);
    expect(heard(bed)).toEqual([]);
    resolve();
    await settled();
    expect(heard(bed)).toEqual([NEXT, ...CLOSED]);
    gone(bed);
    const left = open(10);
    gone(left);
    expect(left.context.deadlines.size).toBe(0);
  });
});
