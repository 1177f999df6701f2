import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { clientFrame, RawPeer } from '../support/rawpeer.ts';
import { WebPeer } from '../support/webpeer.ts';

// What one client brings a resource to do wrong, it alone suffers: by every callback, in every way that JavaScript has.
const HOSTILE = `
import { Resource } from 'websock';
const error = (text) => new Error(text);
/** What a callback can do wrong, by name. */
const wrong = {
  throws(at) { throw error(at + ' threw'); },
  rejects(at) { return Promise.reject(error(at + ' rejected')); },
  thenable(at) { return { then(done, fail) { fail(error(at + ' failed by a thenable')); } }; },
  'throwing thenable'(at) { return { then() { throw error(at + ' has a then that throws'); } }; },
  getter(at) { return { get then() { throw error(at + ' has a getter that throws'); } }; },
  'own then'(at) { const p = Promise.resolve(); p.then = () => { throw error(at + ' has a then of its own'); }; return p; },
  'own catch'(at) { const p = Promise.reject(error(at + ' has a catch of its own')); p.catch = () => { throw 1; }; return p; },
  subclass(at) { return class extends Promise { get then() { throw error(at + ' is a promise of its own'); } }.resolve(1); },
  null() { throw null; },
  nothing() { throw undefined; },
  symbol() { throw Symbol('odd'); },
  proxy() { throw new Proxy({}, { get() { throw 1; }, has() { throw 2; }, getPrototypeOf() { throw 3; } }); },
};
async function* source(how) {
  if (how === 'at once') throw error('the source threw at once');
  yield 'first';
  if (how === 'in the middle') throw error('the source threw in the middle');
  if (how === 'number') yield 7;
  try { yield 'second'; } finally { if (how === 'at its end') throw error('the source threw at its end'); }
}
export default class Hostile extends Resource {
  static path = '/hostile';
  go(client, at) {
    const query = client.query;
    return query.get('at') === at ? wrong[query.get('how')](at) : undefined;
  }
  onHandshake(request) { return this.go(request, 'onHandshake'); }
  onOpen(client) { return this.go(client, 'onOpen'); }
  onData(client, message) {
    if (String(message) === 'fine') return void client.send('fine');
    const how = client.query.get('source');
    if (how !== null) return client.sendFragmented(how === 'getter' ? { get [Symbol.asyncIterator]() { throw error('the source has a getter'); } } : source(how));
    if (client.query.get('at') === 'onError') throw error('for onError');
    return this.go(client, 'onData');
  }
  onClose(client) { return this.go(client, 'onClose'); }
  onError(client) { return this.go(client, 'onError'); }
  onOther(client) { return this.go(client, 'onOther'); }
}`;
const GETTERS = `
export default class Getters {
  static path = '/getters';
  count = 0;
  get onHandshake() { throw new Error('onHandshake is a getter that throws'); }
  onData() {}
  onClose() {}
  onError() {}
  onOther() {}
}`;
const LATER = `
export default class Later {
  static path = '/later';
  mounted = false;
  registerServer() { setImmediate(() => { this.mounted = true; }); }
  get onOpen() { throw new Error('onOpen is a getter that throws'); }
  get onData() { if (this.mounted) throw new Error('onData is a getter that throws'); return () => {}; }
  onClose() {}
  onError() {}
  onOther() {}
}`;
const ANSWERS = `
import { Resource } from 'websock';
export default class Answers extends Resource {
  static path = '/answers';
  onHandshake({ query }) {
    let reads = 0;
    const once = (value) => ({ enumerable: true, get() { if (reads++ > 0) throw new Error('read twice'); return value; } });
    return {
      twice: () => Object.defineProperty({}, 'ident', once('me')),
      'header getter': () => ({ headers: { get 'X-A'() { throw new Error('a header that throws'); } } }),
      'headers text': () => ({ headers: 'X-A: b' }),
      'header lines': () => ({ headers: { 'X-A': 'b\\r\\nSet-Cookie: evil=1', 'X-B\\r\\nX-C': 'd', 'X-Good': 'yes' } }),
      proxy: () => new Proxy({}, { has() { throw new Error('no proxy'); } }),
      protocol: () => ({ protocol: { toString() { throw new Error('no text'); } } }),
    }[query.get('answer')]();
  }
  onData(client) { client.send(client.ident); }
}`;
const refused = {
  'constructor.mjs': 'export default class { constructor() { throw new Error("no instance"); } }',
  'register.mjs': `export default class { registerServer() { throw new Error('not registered'); }
    onData() {} onClose() {} onError() {} onOther() {} }`,
  'static.mjs': `export default class { static get path() { throw new Error('a path that throws'); }
    onData() {} onClose() {} onError() {} onOther() {} }`,
  'accessor.mjs': `export default class { get onData() { throw new Error('a method that throws'); }
    onClose() {} onError() {} onOther() {} }`,
};
const registers = `export default class Registers { static path = '/registers';
  async registerServer() { throw new Error('registered, and rejected'); }
  onData(client) { client.send('served'); } onClose() {} onError() {} onOther() {} }`;

let daemon: RunningDaemon;
let url: string;
let bystander: WebPeer;

beforeAll(async () => {
  daemon = await startDaemon({
    ini: '[limits]\nhandlerTimeout=2\ncloseTimeout=1',
    resources: {
      'hostile.mjs': HOSTILE,
      'getters.mjs': GETTERS,
      'later.mjs': LATER,
      'answers.mjs': ANSWERS,
      'registers.mjs': registers,
      ...refused,
    },
  });
  url = `ws://127.0.0.1:${daemon.port}`;
  bystander = await WebPeer.open(`${url}/hostile`);
});
afterAll(() => daemon.dispose());

/** An honest client of the same resource is answered, and so is a new one. */
async function othersServe(): Promise<void> {
  bystander.send('fine');
  expect(await bystander.text()).toBe('fine');
  expect(await bystander.packet()).toEqual({ opcode: 'next', fyi: '' });
  const other = await WebPeer.open(`${url}/hostile`);
  other.send('fine');
  expect(await other.text()).toBe('fine');
  await other.packet();
  await other.close();
}

/** In every way that a callback can fail. */
const WAYS = [
  'throws',
  'rejects',
  'thenable',
  'throwing thenable',
  'getter',
  'own then',
  'own catch',
  'subclass',
  'null',
  'nothing',
  'symbol',
  'proxy',
];
const FAILED = { opcode: 'close', error: 'the resource failed' };

describe.each(WAYS)('a callback that fails: %s', (how) => {
  const at = (callback: string): string => `/hostile?at=${callback}&how=${encodeURIComponent(how)}`;

  test('onHandshake: 500, for a line client its close packet, for a POST 500', async () => {
    const from = daemon.out.length;
    const web = WebPeer.start(url + at('onHandshake'));
    const status = await new Promise((done) => {
      web.socket.on('unexpected-response', (_request, response) => done(response.statusCode));
      web.socket.on('open', () => done(101));
    });
    expect(status).toBe(500);
    web.socket.terminate();
    const line = await RawPeer.open({ port: daemon.port });
    line.write(`GET ${at('onHandshake')}\n`);
    expect(await line.rest()).toBe(`${JSON.stringify(FAILED)}\n`);
    line.destroy();
    const post = await fetch(`http://127.0.0.1:${daemon.port}${at('onHandshake')}`, { method: 'POST', body: 'x' });
    expect([post.status, await post.json()]).toEqual([500, FAILED]);
    await daemon.said(/ERROR #\d+ 127\.0\.0\.1 \/hostile: onHandshake failed: /, from);
    await othersServe();
  });

  test.each(['onOpen', 'onData', 'onOther'])('%s: its client is closed with 1011', async (callback) => {
    const from = daemon.out.length;
    const web = WebPeer.start(url + at(callback));
    expect(await web.packet()).toMatchObject({ opcode: 'ready' });
    if (callback === 'onData') web.send('x');
    if (callback === 'onOther') web.socket.ping();
    expect(await web.packet()).toEqual(FAILED);
    expect(await web.closed).toEqual({ code: 1011, reason: 'the resource failed' });
    await daemon.said(/ERROR #\d+ 127\.0\.0\.1 \/hostile: the resource failed: /, from);
    await othersServe();
  });

  test('onData, for a POST: 500', async () => {
    const from = daemon.out.length;
    const post = await fetch(`http://127.0.0.1:${daemon.port}${at('onData')}`, { method: 'POST', body: 'x' });
    expect([post.status, await post.json()]).toEqual([500, FAILED]);
    await daemon.said(/ERROR #\d+ 127\.0\.0\.1 POST \/hostile: the resource failed: /, from);
    await othersServe();
  });

  test.each(['onClose', 'onError'])('%s: it is logged, and the close is what it would have been', async (callback) => {
    const from = daemon.out.length;
    const web = await WebPeer.open(url + at(callback));
    if (callback === 'onError') {
      web.send('x');
      expect(await web.packet()).toEqual(FAILED);
      expect((await web.closed).code).toBe(1011);
    } else expect((await web.close()).code).toBe(1000);
    await daemon.said(
      new RegExp(`ERROR #\\d+ 127\\.0\\.0\\.1 /hostile: ${callback} failed, its client was closed`),
      from,
    );
    await othersServe();
  });
});

describe('a source handed to sendFragmented', () => {
  test.each([
    ['at once', 'the source threw at once', []],
    ['in the middle', 'the source threw in the middle', ['first']],
    ['number', 'a piece of a message is a string or a Buffer', ['first']],
    ['at its end', 'the source threw at its end', ['first', 'second']],
    ['getter', 'the source has a getter', []],
  ])('%s: its client is closed with 1011', async (how, message, pieces) => {
    const from = daemon.out.length;
    const peer = await RawPeer.script({ port: daemon.port }, `/hostile?source=${encodeURIComponent(how)}`, {
      'Client-Type': 'x',
    });
    peer.write(clientFrame('x'));
    for (const piece of pieces) expect((await peer.frame()).payload.toString()).toBe(piece);
    if (pieces.length === 0) expect(await peer.packet()).toEqual(FAILED);
    expect(await peer.closeFrame()).toEqual({ code: 1011, reason: 'the resource failed' });
    peer.destroy();
    await daemon.said(new RegExp(`ERROR #\\d+ 127\\.0\\.0\\.1 /hostile: the resource failed: ${message}`), from);
    await othersServe();
  });
});

describe('a getter of the resource that throws', () => {
  test('onHandshake: 500', async () => {
    const post = await fetch(`http://127.0.0.1:${daemon.port}/getters`, { method: 'POST', body: 'x' });
    expect([post.status, await post.json()]).toEqual([500, FAILED]);
    const peer = await RawPeer.open({ port: daemon.port });
    peer.write('GET /getters\n');
    expect(await peer.rest()).toBe(`${JSON.stringify(FAILED)}\n`);
    peer.destroy();
    await daemon.said(/ERROR #\d+ .*\/getters: onHandshake failed: onHandshake is a getter that throws/);
    await othersServe();
  });

  test('onOpen: 1011', async () => {
    const web = await WebPeer.open(`${url}/later`);
    expect(await web.packet()).toEqual(FAILED);
    expect((await web.closed).code).toBe(1011);
    await daemon.said(/ERROR #\d+ .*\/later: the resource failed: onOpen is a getter that throws/);
    const post = await fetch(`http://127.0.0.1:${daemon.port}/later`, { method: 'POST', body: 'x' });
    expect([post.status, await post.json()]).toEqual([500, FAILED]);
    await othersServe();
  });
});

describe('what onHandshake answers', () => {
  test.each([
    ['twice', 101],
    ['header getter', 500],
    ['headers text', 500],
    ['header lines', 101],
    ['proxy', 500],
    ['protocol', 101],
  ])('%s: %d', async (answer, expected) => {
    const from = daemon.out.length;
    const web = WebPeer.start(`${url}/answers?answer=${encodeURIComponent(answer)}`, { protocols: [] });
    const seen = await new Promise<{ status?: number; headers: Record<string, unknown> }>((done) => {
      web.socket.on('unexpected-response', (_request, { statusCode, headers }) =>
        done({ status: statusCode, headers }),
      );
      web.socket.on('upgrade', ({ headers }) => done({ status: 101, headers }));
    });
    expect(seen.status).toBe(expected);
    expect(seen.headers).not.toHaveProperty('set-cookie');
    expect(seen.headers['x-good']).toBe(answer === 'header lines' ? 'yes' : undefined);
    if (answer === 'header lines')
      await daemon.said(/WARN .*headers left out of the 101.*: X-A, X-B\\x0d\\x0aX-C\n/, from);
    if (answer === 'twice') {
      await web.packet();
      web.send('x');
      expect(await web.text()).toBe('me');
    }
    web.socket.terminate();
    await othersServe();
  });
});

test.each([
  ['constructor', 'no instance'],
  ['register', 'not registered'],
  ['static', 'a path that throws'],
  ['accessor', 'a method that throws'],
])('%s.mjs is refused when it is loaded, and the others are served', async (name, why) => {
  expect(daemon.out).toMatch(new RegExp(`ERROR Resource refused : .*/${name}\\.mjs: ${why}`));
  await othersServe();
});

test('registerServer that rejects: it is logged, and the resource is served', async () => {
  expect(daemon.out).toMatch(/ERROR nobody caught this error: registered, and rejected \(at .*registers\.mjs:2:/);
  const peer = await WebPeer.open(`${url}/registers`);
  peer.send('x');
  expect(await peer.text()).toBe('served');
  await peer.close();
});

test('nothing of all this was said to be nobody’s, but what was', () => {
  expect(daemon.out.match(/nobody caught this error.*/g)).toHaveLength(1);
});
