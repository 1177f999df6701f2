import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from '@jest/globals';
import { makeCertificate } from '../support/certificate.ts';
import { type Done, run } from '../support/commands.ts';
import { ROOT, type RunningDaemon, spawnDaemon, startDaemon, temporaryFolder } from '../support/daemon.ts';

const PROGRAM = join(ROOT, 'dist/run.js');
const VERSION = (JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }).version;
const DATE = String.raw`(?:Sun|Mon|Tue|Wed|Thu|Fri|Sat), \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} [+-]\d{4}; `;

const folders: string[] = [];
const daemons: RunningDaemon[] = [];
const servers: Server[] = [];

afterEach(() => Promise.all(daemons.splice(0).map((daemon) => daemon.dispose())));
afterAll(() => {
  for (const server of servers) server.close();
  for (const dir of folders) rmSync(dir, { recursive: true, force: true });
});

function folder(): string {
  const dir = temporaryFolder();
  folders.push(dir);
  return dir;
}

/** A port that another program listens on. */
async function takenPort(): Promise<number> {
  const server = createServer();
  servers.push(server);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return (server.address() as AddressInfo).port;
}

/** The program in a folder of its own, run to its end. */
function websock(args: string[], ini?: string, dir = folder(), env: Record<string, string> = {}): Promise<Done> {
  if (ini !== undefined) writeFileSync(join(dir, 'websock.ini'), ini);
  return run(process.execPath, [PROGRAM, ...args], '', { cwd: dir, env: { PATH: process.env.PATH ?? '', ...env } });
}

describe('a start', () => {
  test('says what it listens on and serves, in the form of the original', async () => {
    const daemon = await startDaemon();
    daemons.push(daemon);
    expect(await daemon.stop('SIGTERM')).toBe(0);
    const lines = daemon.out.split('\n');
    for (const line of lines.slice(0, -1)) expect(line).toMatch(new RegExp(`^${DATE}\\S`));
    const texts = lines.map((line) => line.replace(new RegExp(`^${DATE}`), ''));
    expect(texts[0]).toBe(
      `websock ${VERSION}, Node ${process.version}, process ${daemon.pid}, ${join(daemon.dir, 'websock.ini')}`,
    );
    expect(texts.slice(1, 8)).toEqual([
      `Transport: ${process.env.WEBSOCK_TRANSPORT ?? 'direct'}`,
      `Server initialized on Linux 127.0.0.1:${daemon.port}`,
      'Starting server...',
      'Registered resource : /',
      'Registered resource : /jobs',
      'Registered resource : /php',
      'Registered resource : /web',
    ]);
    expect(texts[8]).toBe(`Console : http://127.0.0.1:${daemon.port}/_websock/`);
    expect(texts.slice(9)).toEqual(['SIGTERM received', 'Stopping server, connections: 0', 'Server stopped', '']);
    expect(daemon.err).toBe('');
  });

  test('with TLS, says so behind the address', async () => {
    const dir = folder();
    const { certFile, pkFile } = makeCertificate(dir, { name: 'localhost', hosts: ['localhost'] });
    const ini = `adress='ssl://127.0.0.1:0'\ncertFile='${certFile}'\npkFile='${pkFile}'`;
    const daemon = await startDaemon({ dir, ini });
    daemons.push(daemon);
    expect(daemon.out).toMatch(/; Server initialized on Linux 127\.0\.0\.1:\d+ ssl:\/\/\n/);
    await daemon.said(/; Console : https:\/\/127\.0\.0\.1:\d+\/_websock\/\n/);
    expect(await daemon.stop('SIGINT')).toBe(0);
    expect(daemon.out).toMatch(/; SIGINT received\n/);
  });

  test('names the console where a browser finds it, and only where there is one', async () => {
    const everywhere = await startDaemon({
      ini: "adress='unix:/WHERE,ws://0.0.0.0:0'".replace('/WHERE', join(folder(), 's')),
    });
    daemons.push(everywhere);
    await everywhere.said(new RegExp(`; Console : http://localhost:${everywhere.port}/_websock/\n`));
    const without = await startDaemon({ ini: '[http]\nconsole=false' });
    daemons.push(without);
    expect(await without.stop('SIGTERM')).toBe(0);
    expect(without.out).not.toContain('Console');
  });

  test('warns about what it does not know, with the nearest name, and goes on', async () => {
    const daemon = await startDaemon({ ini: "[limits]\nmaxPayloat=2MiB\n[limit]\nmaxPayload='2MiB'" });
    daemons.push(daemon);
    expect(daemon.out).toMatch(/; WARN .*websock\.ini.*maxPayloat.*maxPayload/);
    expect(daemon.out).toMatch(/; WARN .*websock\.ini.*\[limit\].*\[limits\]/);
  });
});

describe('exit code 1: it could not run', () => {
  const resources = `resources='${join(ROOT, 'resources')}'`;

  test('a port that is taken: one line that says which, and what to do', async () => {
    const port = await takenPort();
    const { code, stdout, stderr } = await websock([], `adress='ws://127.0.0.1:${port}'\n${resources}`);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toBe(
      `websock: cannot listen on ws://127.0.0.1:${port}: port ${port} is taken by another program: ` +
        "stop that one, or choose another port in 'adress'\n",
    );
  });

  test('with -console it is one line of the log', async () => {
    const port = await takenPort();
    const daemon = spawnDaemon({ ini: `adress='ws://127.0.0.1:${port}'` });
    daemons.push(daemon);
    expect(await daemon.ended()).toBe(1);
    expect(daemon.out.match(/cannot listen on/g)).toHaveLength(1);
    expect(daemon.out).toMatch(/; ERROR cannot listen on ws:\/\/127\.0\.0\.1:\d+: port \d+ is taken/);
    expect(daemon.out).not.toMatch(/Starting server|\n\s+at /);
  });

  test.each([
    [
      'one address of several that this machine has not',
      'ws://127.0.0.1:0,ws://192.0.2.1:8096',
      "no address '192.0.2.1'",
    ],
    ['a host that nobody knows', 'ws://no-such-host.invalid:8096', "'no-such-host.invalid' is not known"],
    [
      'a Unix socket in no folder',
      'unix:/no/such/folder/socket',
      '/no/such/folder/socket cannot be made: its folder does not exist',
    ],
  ])('%s', async (_, adress, says) => {
    const { code, stderr } = await websock([], `adress='${adress}'\n${resources}`);
    expect([code, stderr]).toEqual([1, expect.stringContaining(says)]);
    expect(stderr).toMatch(/^websock: [^\n]*\n$/);
  });
});

describe('exit code 2: what it was told cannot be used', () => {
  test.concurrent.each([
    ['a value that is not allowed', '[limits]\nmaxPayload=lots', /^websock: .*websock\.ini.*2.*maxPayload.*'lots'/],
    ['a value that would be cut off', 'adress=ws://127.0.0.1:0 ; here', /^websock: .*websock\.ini.*1/],
    [
      'an address that is none',
      "adress='http://x'",
      /^websock: .*adress.*'http:\/\/x' is no address.*ws:\/\/HOST:PORT/,
    ],
    [
      'TLS without a certificate',
      "adress='wss://127.0.0.1:0'",
      /^websock: .*line 1, adress: wss:\/\/127\.0\.0\.1:0 needs a certificate: set certFile and pkFile\n$/,
    ],
    [
      'an origin with a path',
      "[security]\nallowedOrigins='https://a.b/c'",
      /^websock: .*allowedOrigins.*https:\/\/a\.b/,
    ],
    ['a range that is none', "[backend]\nallowed='10.0.0.0/99'", /^websock: .*allowed.*10\.0\.0\.0\/99/],
    ['no folder of resources', "resources='nowhere'", /^websock: .*resources.*nowhere is not a folder/],
  ])('%s', async (_, ini, says) => {
    const { code, stderr } = await websock([], ini);
    expect(code).toBe(2);
    expect(stderr).toMatch(says);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(stderr.split('\n')).toHaveLength(2);
  });

  test.concurrent.each([
    [['--adres', 'ws://x'], /--adres.*--adress/],
    [['-limits.maxPayload', 'lots'], /limits\.maxPayload.*lots/],
    [['-limits.maxPayload'], /it needs a value/],
    [['extra'], /'extra' is not expected/],
    [['--backend.key', 'secret-on-the-command-line'], /backend\.key/],
    [['--config', 'missing.ini'], /missing\.ini/],
  ])('%j', async (args, says) => {
    const { code, stderr, stdout } = await websock(args, '');
    expect(code).toBe(2);
    expect(stderr).toMatch(says);
    expect(stderr + stdout).not.toContain('secret-on-the-command-line');
  });

  test('a bad value in the environment', async () => {
    const { code, stderr } = await websock([], '', folder(), { WEBSOCK_LIMITS_MAXPAYLOAD: 'lots' });
    expect([code, stderr]).toEqual([2, expect.stringContaining('WEBSOCK_LIMITS_MAXPAYLOAD')]);
  });
});

test('the command line comes before the environment, that before websock.ini', async () => {
  const dir = folder();
  const ini = `resources='${join(ROOT, 'resources')}'\nadress='ws://127.0.0.1:1001'`;
  const env = { WEBSOCK_ADRESS: 'ws://127.0.0.1:1002' };
  const listen = async (args: string[], more: Record<string, string>): Promise<string | undefined> =>
    /^listen: (\S+)/m.exec((await websock(['--check', ...args], ini, dir, more)).stdout)?.[1];
  expect(await listen([], {})).toBe('ws://127.0.0.1:1001');
  expect(await listen([], env)).toBe('ws://127.0.0.1:1002');
  expect(await listen(['-adress', 'ws://127.0.0.1:1003'], env)).toBe('ws://127.0.0.1:1003');
});

describe('--check', () => {
  test('prints what would be served, and listens on nothing', async () => {
    const port = await takenPort();
    const dir = folder();
    const { certFile, pkFile } = makeCertificate(dir, { name: 'localhost', hosts: ['localhost'] });
    const ini = [
      `adress='ws://127.0.0.1:${port}, wss://127.0.0.1:1, ws+wss://127.0.0.1:2'`,
      `certFile='${certFile}'\npkFile='${pkFile}'\nresources='${join(ROOT, 'resources')}'\n[limits]\nmaxClients=9`,
    ].join('\n');
    const { code, stdout, stderr } = await websock(['--check'], ini, dir);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toBe(
      `configuration: ${join(dir, 'websock.ini')}\n` +
        `listen: ws://127.0.0.1:${port} (ws, tcp, HTTP)\n` +
        'listen: wss://127.0.0.1:1 (wss, ssl, HTTPS)\n' +
        'listen: ws+wss://127.0.0.1:2 (ws, tcp, HTTP, wss, ssl, HTTPS)\n' +
        'transport: direct\n' +
        `certificate: ${certFile}\n` +
        'connections: at most 9\n' +
        'resource: / for ws, wss, tcp, ssl, app /\n' +
        'resource: /jobs for ws, wss, tcp, ssl, app /jobs\n' +
        'resource: /php for tcp, ssl, app /\n' +
        'resource: /web for ws, wss, app /\n',
    );
  });

  test('takes as many clients as there may be open files, less 64', async () => {
    const command = `ulimit -n 300; exec ${process.execPath} ${join(ROOT, 'dist/run.js')} --check`;
    const { stdout } = await run('sh', ['-c', command]);
    expect(stdout).toMatch(/^connections: at most 236$/m);
  });

  test('a certificate whose key is another one’s: 2', async () => {
    const dir = folder();
    const one = makeCertificate(dir, { name: 'one', hosts: ['localhost'] });
    const two = makeCertificate(dir, { name: 'two', hosts: ['localhost'] });
    const ini = `adress='wss://127.0.0.1:0'\ncertFile='${one.certFile}'\npkFile='${two.pkFile}'`;
    const { code, stderr } = await websock(['--check'], ini, dir);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^websock: .*two\.key does not belong to the certificate .*one\.pem/);
  });

  test('a resource that is broken: 2, and the others are shown', async () => {
    const dir = folder();
    mkdirSync(join(dir, 'res'));
    writeFileSync(
      join(dir, 'res/good.mjs'),
      "import { Resource } from 'websock';\nexport default class extends Resource {}\n",
    );
    writeFileSync(join(dir, 'res/bad.mjs'), 'export default {};\n');
    const { code, stdout, stderr } = await websock(['--check'], "resources='res'", dir);
    expect(code).toBe(2);
    expect(stdout).toMatch(/^resource: \/good for ws, wss, tcp, ssl, app \/good$/m);
    expect(stderr).toMatch(/^websock: bad\.mjs is refused: its default export is not a class/);
  });
});

test('--version, --help: what they print, and 0', async () => {
  for (const dashes of ['-', '--']) {
    expect(await websock([`${dashes}version`], 'rubbish;')).toEqual({ code: 0, stdout: `${VERSION}\n`, stderr: '' });
  }
  const { code, stdout, stderr } = await websock(['--help'], 'rubbish;');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  for (const name of ['--adress', '--console', '--limits.maxPayload', '--stop.timeout', '--config', '--check']) {
    expect(stdout).toContain(name);
  }
});
