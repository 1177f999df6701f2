import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { describeClose } from '../../src/client/index.ts';
import { dial, FakeSocket, outcome, pass, settled, useFakes } from './bed.ts';

useFakes();

describe('an attempt', () => {
  test('offers sessions, what the options name, the name of the plain dialog and the token', () => {
    dial({ protocols: ['mine', 'websock'], token: 'T' }, 'http://host:81/web?a=1#top');
    expect(FakeSocket.last.url).toBe('ws://host:81/web?a=1');
    expect(FakeSocket.last.offered).toEqual(['websock.2', 'mine', 'websock', 'websock.token.T']);
    expect(FakeSocket.last.binaryType).toBe('arraybuffer');
  });

  test('with resume: false offers no session', () => {
    dial({ resume: false }, 'https://host/web');
    expect([FakeSocket.last.url, FakeSocket.last.offered]).toEqual(['wss://host/web', ['websock']]);
  });

  test('takes a relative URL in a page, and the WebSocket that is there', () => {
    const page = { location: { href: 'https://host/page.html' }, WebSocket: FakeSocket };
    const before = { WebSocket: globalThis.WebSocket };
    Object.assign(globalThis, page);
    try {
      dial({ WebSocket: undefined }, '/web');
      expect(FakeSocket.last.url).toBe('wss://host/web');
    } finally {
      Reflect.deleteProperty(globalThis, 'location');
      Object.assign(globalThis, before);
    }
  });

  test('with no URL throws; with a WebSocket that takes it not, is closed for good', async () => {
    expect(() => dial({}, '/relative')).toThrow('Invalid URL');
    FakeSocket.broken = new SyntaxError('a bad subprotocol');
    const { connection } = dial();
    expect(connection.state).toBe('closed');
    await expect(connection.ready).rejects.toThrow('a bad subprotocol');
  });

  test('is open with ready: its uuid, its state', async () => {
    const { connection, states } = dial();
    expect([connection.state, connection.uuid]).toEqual(['connecting', '']);
    FakeSocket.last.ready();
    expect([connection.state, connection.uuid, states]).toEqual(['open', 'u1', ['open']]);
    expect(await connection.ready).toEqual({ uuid: 'u1' });
  });

  test('asks for a token each time', async () => {
    let count = 0;
    dial({ token: () => Promise.resolve(`T${++count}`) });
    await settled();
    expect(FakeSocket.last.offered).toContain('websock.token.T1');
    FakeSocket.last.end(1006);
    pass(250);
    await settled();
    expect(FakeSocket.last.offered).toContain('websock.token.T2');
  });

  test('that gets no token is made again later', async () => {
    let fails = true;
    const { states, details } = dial({ token: () => (fails ? Promise.reject(new Error('offline')) : 'T') });
    await settled();
    expect(states).toEqual(['waiting 1006']);
    expect(details[0].reason).toBe('no token: Error: offline');
    fails = false;
    pass(250);
    await settled();
    expect(FakeSocket.all).toHaveLength(1);
  });

  test('whose token comes too late is not made', async () => {
    let give: (token: string) => void = () => undefined;
    const { connection } = dial({ token: () => new Promise((done) => (give = done)) });
    connection.close();
    give('late');
    await settled();
    expect(FakeSocket.all).toEqual([]);
  });

  test('that gets no answer is given up after pingInterval', () => {
    const { states } = dial({ pingInterval: 5000 });
    const first = FakeSocket.last;
    pass(4999);
    expect(states).toEqual([]);
    pass(1);
    expect(states).toEqual(['waiting 4408']);
    expect(first.closed).toEqual([4408]);
    first.ready(); // too late
    expect(states).toEqual(['waiting 4408']);
  });
});

describe('close codes', () => {
  const FINAL = [1000, 1002, 1003, 1007, 1008, 1009, 4404];

  test.each(FINAL)('%i is for good', async (code) => {
    const { connection, states, details } = dial();
    FakeSocket.last.ready();
    const unanswered = connection.send({ opcode: 'x' });
    FakeSocket.last.end(code, 'why');
    expect(states).toEqual(['open', `closed ${code}`]);
    expect(details[1]).toMatchObject({ code, reason: 'why', words: describeClose(code) });
    expect(await outcome(unanswered)).toBe('ClosedError');
    expect(await outcome(connection.send({ opcode: 'y' }))).toBe('ClosedError');
    pass(120_000);
    expect(FakeSocket.all).toHaveLength(1);
  });

  test.each([1001, 1012])('%i: soon, spread over 3 s', (code) => {
    const { states, details } = dial();
    FakeSocket.last.ready();
    FakeSocket.last.end(code);
    expect(details[1]).toMatchObject({ attempt: 1, delay: 1500 });
    pass(1499);
    expect(states).toEqual(['open', `waiting ${code}`]);
    pass(1);
    expect(states).toEqual(['open', `waiting ${code}`, 'connecting']);
  });

  test.each([1005, 1006, 1011, 1013, 4000, 4408, 4429])('%i: with backoff', (code) => {
    const { states, details } = dial();
    FakeSocket.last.ready();
    FakeSocket.last.end(code);
    expect(details[1]).toMatchObject({ attempt: 1, delay: 250 });
    pass(250);
    expect(states).toEqual(['open', `waiting ${code}`, 'connecting']);
  });

  test('the close packet says why', () => {
    const { details } = dial();
    FakeSocket.last.protocol = 'websock.2';
    FakeSocket.last.dialog({ opcode: 'close', error: 'Too many connections' });
    FakeSocket.last.end(1013, 'other words');
    expect(details[0].reason).toBe('Too many connections');
    pass(250);
    FakeSocket.last.end(1006);
    expect(details[2].reason).toBe('');
  });

  test.each([401, 403, 404])('HTTP %i, where it can be seen, is for good', (status) => {
    const { states, details } = dial();
    FakeSocket.last.fire('unexpected-response', {}, { statusCode: status, statusMessage: 'No' });
    expect(states).toEqual([`closed ${status}`]);
    expect(details[0].reason).toBe(`HTTP ${status} No`);
    expect(FakeSocket.last.closed).not.toBeNull();
  });

  test('another HTTP status is as a lost connection', () => {
    const { states, details } = dial();
    FakeSocket.last.fire('unexpected-response', {}, { statusCode: 503, statusMessage: 'Service Unavailable' });
    expect([states, details[0].reason]).toEqual([['waiting 1006'], 'HTTP 503 Service Unavailable']);
  });

  test('a token that has expired is renewed, if it can be', async () => {
    const renewable = dial({ token: () => 'T' });
    await settled();
    FakeSocket.last.ready();
    FakeSocket.last.end(1008, 'the token has expired');
    const fixed = dial({ token: 'T' });
    FakeSocket.last.ready();
    FakeSocket.last.end(1008, 'the token has expired');
    expect([renewable.connection.state, fixed.connection.state]).toEqual(['waiting', 'closed']);
  });
});

describe('backoff', () => {
  test('doubles up to its most, and chance is in it', () => {
    const { details } = dial({ backoff: { min: 100, max: 1000 } });
    for (let n = 0; n < 6; n++) {
      FakeSocket.last.end(1006);
      pass(1000);
    }
    const waits = details.filter(({ code }) => code === 1006);
    expect(waits.map(({ delay }) => delay)).toEqual([50, 100, 200, 400, 500, 500]);
    expect(waits.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4, 5, 6]);
    jest.spyOn(Math, 'random').mockReturnValue(0.01);
    FakeSocket.last.end(1006);
    expect(details.at(-1)?.delay).toBe(10);
  });

  test('begins anew after a connection that held, not after one that did not', () => {
    const { details } = dial({ backoff: { min: 100, max: 1000 } });
    for (let n = 0; n < 3; n++) {
      FakeSocket.last.ready();
      FakeSocket.last.end(1011);
      pass(1000);
    }
    FakeSocket.last.ready();
    pass(801);
    FakeSocket.last.end(1006);
    const waits = details.filter(({ code }) => code !== 0);
    expect(waits.map(({ delay }) => delay)).toEqual([50, 100, 200, 50]);
  });
});

describe('a browser', () => {
  const document = Object.assign(new EventTarget(), { visibilityState: 'hidden' });
  const page = new EventTarget();
  const scope = globalThis as Record<string, unknown>;

  function enterPage(): void {
    scope.document = document;
    scope.addEventListener = page.addEventListener.bind(page);
    scope.removeEventListener = page.removeEventListener.bind(page);
  }

  afterEach(() => {
    for (const name of ['document', 'addEventListener', 'removeEventListener']) Reflect.deleteProperty(scope, name);
  });

  function show(visibility: string): void {
    document.visibilityState = visibility;
    document.dispatchEvent(new Event('visibilitychange'));
  }

  test.each(['online', 'visible'])('%s: the next attempt is made at once', (signal) => {
    enterPage();
    const { states } = dial();
    FakeSocket.last.end(1006);
    page.dispatchEvent(new Event('offline'));
    show('hidden');
    expect(states).toEqual(['waiting 1006']);
    if (signal === 'online') page.dispatchEvent(new Event('online'));
    else show('visible');
    expect(states).toEqual(['waiting 1006', 'connecting']);
    pass(24_000);
    expect(FakeSocket.all).toHaveLength(2);
  });

  test.each(['online', 'offline', 'visible'])('%s: an open connection is asked whether it is there', (signal) => {
    enterPage();
    dial();
    FakeSocket.last.ready();
    if (signal === 'visible') show('visible');
    else page.dispatchEvent(new Event(signal));
    expect(FakeSocket.last.sent).toEqual(['\n{"opcode":"ping"}']);
  });

  test('is not listened to any more when it is closed for good', () => {
    enterPage();
    const { connection } = dial();
    FakeSocket.last.ready();
    connection.close();
    page.dispatchEvent(new Event('online'));
    show('visible');
    expect([FakeSocket.all.length, FakeSocket.last.sent]).toEqual([1, []]);
  });
});

describe('a dead link', () => {
  test('is asked after pingInterval of silence, and given up after pingTimeout more', () => {
    const { states } = dial();
    const socket = FakeSocket.last.ready();
    pass(20_000);
    socket.packet({ opcode: 'echo' }); // a sign of life
    socket.sent.length = 0;
    pass(24_999);
    expect(socket.sent.filter((one) => String(one).includes('ping'))).toEqual([]);
    pass(1);
    expect(socket.sent.at(-1)).toBe('\n{"opcode":"ping"}');
    pass(9999);
    expect(states).toEqual(['open']);
    pass(1);
    expect(states).toEqual(['open', 'waiting 4408']);
    expect(socket.closed).toEqual([4408]);
  });

  test('pong, or anything else, is an answer; then it is asked again', () => {
    const { states } = dial();
    const socket = FakeSocket.last.ready();
    for (let n = 1; n <= 3; n++) {
      pass(25_000);
      expect(socket.sent).toHaveLength(n);
      socket.dialog({ opcode: 'pong' });
    }
    pass(25_000);
    pass(10_000);
    expect(states).toEqual(['open', 'waiting 4408']);
  });
});

test('words for a code that has none', () => expect(describeClose(4999)).toBe('closed with code 4999'));
