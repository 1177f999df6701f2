import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from '@jest/globals';
import { makeCertificate } from '../support/certificate.ts';
import { type Done, run } from '../support/commands.ts';
import { ROOT, type RunningDaemon, spawnDaemon, startDaemon, temporaryFolder } from '../support/daemon.ts';
import { RawPeer } from '../support/rawpeer.ts';
import { WebPeer } from '../support/webpeer.ts';

const folder = temporaryFolder();
const daemons: RunningDaemon[] = [];
afterEach(() => Promise.all(daemons.splice(0).map((daemon) => daemon.dispose())));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function start(options: Parameters<typeof startDaemon>[0]): Promise<RunningDaemon> {
  const daemon = await startDaemon(options);
  daemons.push(daemon);
  return daemon;
}

/** The lines that say which transport it is, as they follow the date. */
function said(daemon: RunningDaemon): string[] {
  return [...daemon.out.matchAll(/; ((?:[A-Z]+ )?Transport\b.*)\n/g)].map((match) => match[1]);
}

/** Options of Node that run `text` before the program. */
function before(name: string, text: string): string[] {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, name), text);
  return ['--require', join(folder, name)];
}

const NO_BINDING = before('binding.cjs', 'process.binding = undefined;');
const NO_METHOD = before(
  'method.cjs',
  `const { TCP } = process.binding('tcp_wrap'); delete Object.getPrototypeOf(TCP.prototype).useUserBuffer;`,
);
/** Writes lose their first character. */
const OTHER_WRITES = before(
  'writes.cjs',
  `const { TCP } = process.binding('tcp_wrap');
   const { writeLatin1String } = TCP.prototype;
   TCP.prototype.writeLatin1String = function (request, text) { return writeLatin1String.call(this, request, text.slice(1)); };`,
);
const NODE = `direct does not work on Node ${process.version}: `;
const has = (flag: string): boolean => process.allowedNodeEnvironmentFlags.has(flag);
const PERMISSION = [
  has('--permission') ? '--permission' : '--experimental-permission',
  ...(has('--allow-net') ? ['--allow-net'] : []),
  '--allow-fs-read=*',
  '--allow-fs-write=*',
  '--disable-warning=ExperimentalWarning',
];

/** A page, a script and a POST are served. */
async function serves(daemon: RunningDaemon): Promise<void> {
  const web = await WebPeer.open(`ws://127.0.0.1:${daemon.port}/web`);
  const line = await RawPeer.line({ port: daemon.port }, '/php');
  const packet = `{"opcode":"feedback","uuid":"${web.uuid}","message":"50 %"}`;
  line.write(`${packet}\n`);
  expect(await web.text()).toBe(packet);
  const post = await RawPeer.open({ port: daemon.port });
  post.write(`POST /php HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${packet.length}\r\n\r\n${packet}`);
  expect((await post.response()).status).toBe(200);
  expect(await web.text()).toBe(packet);
  await web.close();
  line.destroy();
  post.destroy();
}

describe('a start says which transport it is', () => {
  test.each([
    ['auto', 'direct'],
    ['direct', 'direct'],
    ['net', 'net'],
  ])('transport=%s', async (transport, name) => {
    const daemon = await start({ ini: `transport='${transport}'`, env: { WEBSOCK_TRANSPORT: transport } });
    expect(said(daemon)).toEqual([`Transport: ${name}`]);
    await serves(daemon);
    expect(await daemon.stop()).toBe(0);
    expect(daemon.err).toBe('');
  });

  test('with listeners for TLS alone it is net', async () => {
    const { certFile, pkFile } = makeCertificate(folder);
    const ini = `adress='wss://127.0.0.1:0'\ncertFile='${certFile}'\npkFile='${pkFile}'`;
    expect(said(await start({ ini, env: { WEBSOCK_TRANSPORT: 'direct' } }))).toEqual(['Transport: net']);
  });
});

describe('where the internals are not what they were', () => {
  test.each([
    ['they are missing', NO_BINDING, "process.binding('stream_wrap') fails: "],
    ['one is missing', NO_METHOD, 'useUserBuffer of a TCP handle is missing'],
    ['they do something else', OTHER_WRITES, 'what comes of ending is wrong'],
    ['they are forbidden', PERMISSION, "process.binding('stream_wrap') fails: ERR_ACCESS_DENIED"],
  ])('%s: auto is net, with one line that says why', async (_, nodeArgs, why) => {
    const daemon = await start({ nodeArgs, env: { WEBSOCK_TRANSPORT: 'auto' } });
    expect(said(daemon)).toEqual([expect.stringContaining(`WARN Transport: net, for ${NODE}${why}`)]);
    if (nodeArgs !== OTHER_WRITES) await serves(daemon);
    expect(await daemon.stop()).toBe(0);
    const [, second, ...others] = daemon.logged();
    expect(second).toMatchObject({ level: 'warn', msg: expect.stringContaining(why) });
    expect(others.filter(({ level }) => level !== 'info')).toEqual([]);
  });

  test('transport=direct does not start, and says what to do', async () => {
    const daemon = spawnDaemon({ nodeArgs: NO_METHOD, env: { WEBSOCK_TRANSPORT: 'direct' } });
    daemons.push(daemon);
    expect(await daemon.ended()).toBe(1);
    const message = `transport ${NODE}useUserBuffer of a TCP handle is missing; set transport to auto or net`;
    expect(daemon.out).toMatch(new RegExp(`; ERROR ${message.replaceAll('.', '\\.')}\\n$`));
    expect(daemon.out).not.toMatch(/Server initialized|\n\s+at /);
  });
});

describe('--check', () => {
  const check = (transport: string, nodeArgs: string[] = []): Promise<Done> => {
    const args = [...nodeArgs, join(ROOT, 'dist/run.js'), '--check', '--transport', transport];
    return run(process.execPath, args, '', { cwd: folder, env: { PATH: process.env.PATH } });
  };

  test('prints it, and why it is not direct', async () => {
    expect((await check('auto')).stdout).toMatch(/^transport: direct$/m);
    expect((await check('net', NO_METHOD)).stdout).toMatch(/^transport: net$/m);
    const { code, stdout } = await check('auto', NO_METHOD);
    expect([code, stdout]).toEqual([0, expect.stringContaining(`\ntransport: net, for ${NODE}useUserBuffer of a TCP`)]);
  });

  test('transport=direct that does not work: 1', async () => {
    const { code, stdout, stderr } = await check('direct', NO_METHOD);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain(`websock: transport ${NODE}useUserBuffer of a TCP handle is missing`);
  });
});

test.each([
  ['succeeds', [], 'direct'],
  ['finds something missing', NO_METHOD, 'net'],
  ['finds something wrong', OTHER_WRITES, 'net'],
])('a self-test that %s leaves nothing: a program that does nothing else ends', async (_, nodeArgs, name) => {
  const text = `import { chooseTransport } from '${ROOT}/dist/transport/selftest.js';
    const choice = await chooseTransport('auto');
    console.log(choice.name, process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout'));`;
  const { code, stdout, stderr } = await run(process.execPath, [...nodeArgs, '--input-type=module', '-e', text]);
  expect([code, stdout, stderr]).toEqual([0, `${name} []\n`, '']);
});

/** A reader with a bug, in a process of its own: what becomes of it there is what Node makes of an uncaught error. */
const BUG = `
  import { connect } from 'node:net';
  import { parseAddresses } from '${ROOT}/dist/transport/address.js';
  import { Deadlines } from '${ROOT}/dist/transport/deadlines.js';
  import { chooseTransport } from '${ROOT}/dist/transport/selftest.js';
  import { NetTransport } from '${ROOT}/dist/transport/tcp.js';
  const log = { error() {}, warn() {}, info() {}, debug() {}, wants: () => false };
  const { name, intake } = await chooseTransport(process.argv[1]);
  const options = { keepAlive: 60, backlog: 5, tls: undefined, deadlines: new Deadlines() };
  const transport = new NetTransport(options, log, intake);
  process.on('uncaughtException', (error) => console.log('uncaught', error.message));
  const bug = (where, before = () => {}) => () => { before(); throw new Error(where); };
  let accepted;
  const wasAccepted = new Promise((done) => { accepted = done; });
  const listener = await transport.listen(parseAddresses('tcp://127.0.0.1:0')[0], (socket) => {
    const onEnd = bug('onEnd', () => socket.end());
    socket.reader = { onBytes: bug('onBytes'), onBehind() {}, onDrain() {}, onEnd, onFinish() {}, onClose: bug('onClose') };
    accepted();
  });
  const peer = connect(Number(listener.endpoints[0].split(':')[1]), '127.0.0.1', () => peer.end('x'));
  peer.resume();
  await wasAccepted;
  await listener.close();
  console.log(name, 'closed');
`;

test.each(['net', 'direct'])(
  'what a reader throws is nobody’s to swallow, and the others live on: %s',
  async (name) => {
    const args = ['--input-type=module', '-e', BUG, name];
    const { stdout, stderr } = await run(process.execPath, args);
    expect(stderr).toBe('');
    expect(stdout.trimEnd().split('\n').toSorted()).toEqual(
      [`${name} closed`, ...['onBytes', 'onClose', 'onEnd'].map((where) => `uncaught ${where}`)].toSorted(),
    );
  },
);
