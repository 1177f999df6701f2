import { chmodSync, copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { makeCertificate } from '../support/certificate.ts';
import { run } from '../support/commands.ts';
import { ROOT, type RunningDaemon, startDaemon, temporaryFolder } from '../support/daemon.ts';
import { RawPeer } from '../support/rawpeer.ts';
import { WebPeer } from '../support/webpeer.ts';

const ECHO = '{"opcode":"echo"}';
const REQUEST = 'GET /_ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';

/** What single tests start; the others are their suite's. */
const daemons: RunningDaemon[] = [];
afterEach(() => Promise.all(daemons.splice(0).map((daemon) => daemon.dispose())));

async function start(dir: string, ini: string): Promise<RunningDaemon> {
  const daemon = await startDaemon({ dir, ini });
  daemons.push(daemon);
  return daemon;
}

/** A TLS client of Node whose handshake is done. */
async function handshake(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const peer = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options });
  await new Promise<void>((done, fail) => peer.once('error', fail).once('secureConnect', () => done()));
  return peer;
}

/** The common name of the certificate that a client gets which asks for `servername`; '': for none. */
async function served(port: number, servername = ''): Promise<string> {
  const peer = await handshake(port, { servername });
  const name = peer.getPeerCertificate().subject.CN;
  peer.destroy();
  return String(name);
}

/** What `openssl s_client` says, both streams together. @param input which it sends */
async function client(port: number, args: string[], input = ''): Promise<string> {
  const { stdout, stderr } = await run('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, ...args], input);
  return stdout + stderr;
}

/** A client that has sent the first half of its TLS hello. */
async function halfHello(port: number): Promise<{ finish(): Promise<TLSSocket> }> {
  const { socket } = await RawPeer.open({ port });
  let held = Buffer.alloc(0);
  let isHeld = true;
  const through = new Duplex({
    read() {},
    write(chunk: Buffer, _, done) {
      if (isHeld) held = Buffer.concat([held, chunk]);
      else socket.write(chunk);
      done();
    },
  });
  socket.on('data', (chunk: Buffer) => through.push(chunk));
  const peer = connect({ socket: through, rejectUnauthorized: false });
  const ready = new Promise<TLSSocket>((done, fail) => {
    peer.once('error', fail).once('secureConnect', () => done(peer));
  });
  while (held.length === 0) await new Promise(setImmediate);
  const half = held.length >> 1;
  await new Promise((done) => socket.write(held.subarray(0, half), done));
  return {
    finish() {
      isHeld = false;
      socket.write(held.subarray(half));
      return ready;
    },
  };
}

describe('what is spoken', () => {
  let daemon: RunningDaemon;
  let dir: string;

  beforeAll(async () => {
    dir = temporaryFolder();
    const pair = (name: string, hosts: string[]): string => {
      const { certFile, pkFile } = makeCertificate(dir, { name, hosts });
      return `certFile='${certFile}'\npkFile='${pkFile}'`;
    };
    daemon = await startDaemon({
      dir,
      ini: [
        `adress='wss://127.0.0.1:0, ws+wss://127.0.0.1:0'\n${pair('main', ['localhost'])}`,
        `[tls.other]\nhost='Other.Example.'\n${pair('other', ['other.example'])}`,
        `[tls.wild]\nhost='*.wild.example'\n${pair('wild', ['*.wild.example'])}`,
        `[tls.exact]\nhost='www.wild.example'\n${pair('exact', ['www.wild.example'])}`,
      ].join('\n'),
    });
  });
  afterAll(() => daemon.dispose());

  test.each([
    ['', 'main'],
    ['localhost', 'main'],
    ['unknown.example', 'main'],
    ['other.example', 'other'],
    ['OTHER.example', 'other'],
    ['a.wild.example', 'wild'],
    ['A.Wild.Example', 'wild'],
    ['www.wild.example', 'exact'],
    ['wild.example', 'main'],
    ['a.b.wild.example', 'main'],
  ])('who asks for %j gets the certificate %s', async (servername, name) => {
    for (const port of daemon.ports) expect(await served(port, servername)).toBe(name);
  });

  test('a name with a dot at its end is the same name', async () => {
    const said = await client(daemon.port, ['-servername', 'other.example.']);
    expect(said).toMatch(/subject=CN ?= ?other\n/);
  });

  test('TLS 1.2: only suites with forward secrecy and AEAD, the one that the server prefers', async () => {
    const suites = ['ECDHE-ECDSA-CHACHA20-POLY1305', 'ECDHE-ECDSA-AES128-GCM-SHA256'];
    const said = await client(daemon.port, ['-tls1_2', '-cipher', suites.join(':')]);
    expect(said).toContain('Cipher is ECDHE-ECDSA-AES128-GCM-SHA256');
    expect(said).toContain('Compression: NONE');
    const from = daemon.out.length;
    const old = ['-tls1_2', '-cipher', 'ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES128-SHA:AES128-GCM-SHA256'];
    expect(await client(daemon.port, old)).toContain('alert handshake failure');
    await daemon.said(/TLS handshake with 127\.0\.0\.1 failed: no shared cipher\n/, from);
  });

  test('TLS 1.2: a client cannot begin a new handshake in the middle', async () => {
    expect(await client(daemon.port, ['-tls1_2'], 'R\n')).toMatch(/RENEGOTIATING\n[^]*no renegotiation/);
  });

  test('ALPN: http/1.1, also where h2 is offered first; nothing where nothing is offered', async () => {
    expect(await client(daemon.port, ['-alpn', 'h2,http/1.1'])).toContain('ALPN protocol: http/1.1');
    expect(await client(daemon.port, [])).toContain('No ALPN negotiated');
  });

  test('ALPN: who offers h2 alone is refused with the alert for it', async () => {
    const from = daemon.out.length;
    expect(await client(daemon.port, ['-alpn', 'h2'])).toMatch(/alert no application protocol.*SSL alert number 120/);
    await daemon.said(/TLS handshake with 127\.0\.0\.1 failed: no application protocol\n/, from);
    await expect(handshake(daemon.port, { ALPNProtocols: ['h2'] })).rejects.toThrow(/no application protocol/);
  });

  test.each([
    ['-tls1_2', []],
    ['-tls1_3', []],
    ['-tls1_2', ['-servername', 'other.example']],
    ['-tls1_3', ['-servername', 'other.example']],
  ])('a session is taken up again: %s %j', async (version, name) => {
    const session = join(dir, 'session.pem');
    // To the server's FIN: in TLS 1.3 the ticket comes behind the handshake.
    await client(daemon.port, [version, ...name, '-ign_eof', '-sess_out', session], REQUEST);
    expect(await client(daemon.port, [version, ...name, '-sess_in', session])).toMatch(/^Reused, TLSv1/m);
  });
});

test('[tls] minVersion and ciphers: what they leave out is not spoken', async () => {
  const dir = temporaryFolder();
  const { certFile, pkFile } = makeCertificate(dir, { name: 'main', hosts: ['localhost'] });
  const main = `adress='wss://127.0.0.1:0'\ncertFile='${certFile}'\npkFile='${pkFile}'\n[tls]\n`;
  const newest = await start(dir, `${main}minVersion='TLSv1.3'`);
  await expect(handshake(newest.port, { maxVersion: 'TLSv1.2' })).rejects.toThrow();
  const peer = await handshake(newest.port);
  expect(peer.getProtocol()).toBe('TLSv1.3');
  peer.destroy();
  const one = await start(dir, `${main}ciphers='ECDHE-ECDSA-AES128-SHA,ECDHE-ECDSA-AES256-GCM-SHA384'`);
  const other = await handshake(one.port, { maxVersion: 'TLSv1.2' });
  expect(other.getCipher().name).toBe('ECDHE-ECDSA-AES128-SHA');
  other.destroy();
  const third = { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' } as const;
  await expect(handshake(one.port, third)).rejects.toThrow();
});

describe('SIGHUP reads the certificates again', () => {
  let daemon: RunningDaemon;
  let dir: string;
  const replace = (name: string, by: string): void => {
    for (const kind of ['pem', 'key']) copyFileSync(join(dir, `${by}.${kind}`), join(dir, `${name}.${kind}`));
  };
  /** Sends SIGHUP. @returns what it said then, up to `last`. */
  const reload = async (last: RegExp): Promise<string> => {
    const from = daemon.out.length;
    daemon.child.kill('SIGHUP');
    await daemon.said(last, from);
    return daemon.out.slice(from);
  };

  beforeAll(async () => {
    dir = temporaryFolder();
    for (const name of ['new', 'newer']) makeCertificate(dir, { name, hosts: ['localhost', 'other.example'] });
    makeCertificate(dir, { name: 'main', hosts: ['localhost'] });
    makeCertificate(dir, { name: 'other', hosts: ['other.example'] });
    daemon = await startDaemon({
      dir,
      ini: [
        "adress='wss://127.0.0.1:0, ws+wss://127.0.0.1:0'\ncertFile='main.pem'\npkFile='main.key'",
        "[tls.other]\nhost='other.example'\ncertFile='other.pem'\npkFile='other.key'",
      ].join('\n'),
    });
  });
  afterAll(() => daemon.dispose());

  test('who is connected stays, and new handshakes get the new ones', async () => {
    const [secure, both] = daemon.ports;
    const main = { rejectUnauthorized: false, servername: 'localhost' };
    const other = { rejectUnauthorized: false, servername: 'other.example' };
    const webs = await Promise.all([
      WebPeer.open(`wss://localhost:${secure}/`, main),
      WebPeer.open(`wss://localhost:${both}/`, main),
      WebPeer.open(`wss://localhost:${secure}/`, other),
    ]);
    const plain = await RawPeer.line({ port: both }, '/php');
    const half = await halfHello(secure);
    expect(await served(secure)).toBe('main'); // so the half has been read before this
    replace('main', 'new');
    const said = await reload(/; certificates read again: 2, new: 1\n/);
    expect(said).toContain('SIGHUP: the log is opened again, where it says rotate=external\n');
    expect(said).toMatch(
      /; the certificate \S+\/main\.pem for localhost, other\.example is new, and served from now on until \d{4}-\d\d-\d\d\n/,
    );
    expect(said).not.toContain('other.pem');
    for (const port of daemon.ports) {
      expect([await served(port), await served(port, 'localhost')]).toEqual(['new', 'new']);
      expect(await served(port, 'other.example')).toBe('other');
    }
    const late = await half.finish();
    expect(late.getPeerCertificate().subject.CN).toBe('main');
    late.destroy();
    for (const web of webs) {
      expect(await web.ask(ECHO)).toEqual({ opcode: 'echo' });
      expect(await web.packet()).toMatchObject({ opcode: 'next' });
      await web.close();
    }
    plain.write(`${ECHO}\n`);
    expect(await plain.linePacket()).toEqual({ opcode: 'echo' });
    plain.destroy();
    replace('other', 'newer');
    await reload(/\/other\.pem for other\.example is new/);
    for (const port of daemon.ports) expect(await served(port, 'other.example')).toBe('newer');
  });

  test('a pair that cannot be used leaves the old one, and the log says which file, and why', async () => {
    const [main, other] = await Promise.all([served(daemon.port), served(daemon.port, 'other.example')]);
    copyFileSync(join(dir, 'newer.key'), join(dir, 'main.key'));
    writeFileSync(join(dir, 'other.pem'), 'half a file');
    const said = await reload(/; certificates read again: 2, new: 0\n/);
    expect(said).toMatch(
      /; ERROR the old certificate is kept: \S+\/websock\.ini line 4, pkFile: the private key \S+\/main\.key does not belong to the certificate \S+\/main\.pem\n/,
    );
    expect(said).toMatch(
      /; ERROR the old certificate is kept: \S+\/websock\.ini line 7, \[tls\.other\] certFile: the certificate \S+\/other\.pem is not a PEM file/,
    );
    expect([await served(daemon.port), await served(daemon.port, 'other.example')]).toEqual([main, other]);
  });

  test('when it is mended, the next SIGHUP takes it', async () => {
    replace('main', 'newer');
    replace('other', 'new');
    await reload(/other\.pem .* is new/);
    expect([await served(daemon.port), await served(daemon.port, 'other.example')]).toEqual(['newer', 'new']);
  });

  test('a session of before is not taken up again, but its client comes in', async () => {
    const session = join(dir, 'session.pem');
    await client(daemon.port, ['-ign_eof', '-sess_out', session], REQUEST);
    replace('main', 'new');
    await reload(/main\.pem .* is new/);
    expect(await client(daemon.port, ['-sess_in', session])).toMatch(/^New, TLSv1/m);
  });
});

describe('at start and in --check', () => {
  const PROGRAM = join(ROOT, 'dist/run.js');
  const RESOURCES = `resources='${join(ROOT, 'resources')}'`;
  let dir: string;
  beforeAll(() => {
    dir = temporaryFolder();
    makeCertificate(dir, { name: 'main', hosts: ['localhost', 'example.org'] });
    makeCertificate(dir, { name: 'other', hosts: ['other.example'] });
    makeCertificate(dir, { name: 'soon', hosts: ['soon.example'], days: 13 });
    makeCertificate(dir, { name: 'gone', hosts: ['gone.example'], days: -1 });
  });
  const section = (name: string, host: string): string =>
    `[tls.${name}]\nhost='${host}'\ncertFile='${name}.pem'\npkFile='${name}.key'`;
  const write = (certFile: string, pkFile: string, ...more: string[]): string => {
    const lines = [RESOURCES, "adress='wss://127.0.0.1:0'", `certFile='${certFile}'`, `pkFile='${pkFile}'`, ...more];
    const file = join(dir, 'websock.ini');
    writeFileSync(file, lines.join('\n'));
    return file;
  };

  test.each([
    [
      'a key of another',
      ['main.pem', 'other.key'],
      /line 4, pkFile: the private key \S+\/other\.key does not belong to/,
    ],
    ['no certificate', ['none.pem', 'main.key'], /line 3, certFile: the certificate cannot be read: ENOENT.*none\.pem/],
    [
      'a host that is another’s',
      ['main.pem', 'main.key', section('other', 'www.other.example')],
      /line 7, \[tls\.other\] certFile: the certificate \S+\/other\.pem is not for the host www\.other\.example, but for other\.example\n$/,
    ],
    [
      'an address as host',
      ['main.pem', 'main.key', section('other', '127.0.0.1')],
      /line 6, \[tls\.other\] host: '127\.0\.0\.1' is an address/,
    ],
    [
      'a host twice',
      [
        'main.pem',
        'main.key',
        section('other', 'other.example'),
        section('other2', 'other.example').replaceAll('2.', '.'),
      ],
      /\[tls\.other2\] host: other\.example has a certificate already: \[tls\.other\]\n$/,
    ],
    [
      'a cipher that is none',
      ['main.pem', 'main.key', "[tls]\nciphers='RC5'"],
      /line 6, \[tls\] ciphers: 'RC5' is not known/,
    ],
  ])('%s: exit code 2, and one line that says where', async (_, [certFile, pkFile, ...more], says) => {
    const file = write(certFile, pkFile, ...more);
    for (const args of [[PROGRAM, '--check'], [PROGRAM]]) {
      // oxlint-disable-next-line no-await-in-loop
      const { code, stderr } = await run(process.execPath, args, '', { cwd: dir, env: { PATH: process.env.PATH } });
      expect([code, stderr]).toEqual([2, expect.stringMatching(says)]);
      expect(stderr).toContain(`websock: ${file} line `);
      expect(stderr.split('\n')).toHaveLength(2);
    }
  });

  test('a private key that everybody can read: a warning', async () => {
    const file = write('main.pem', 'main.key');
    const check = async (): Promise<string> =>
      (await run(process.execPath, [PROGRAM, '--check', '--config', file], '', { cwd: dir })).stdout;
    expect(await check()).not.toContain('warning: ');
    chmodSync(join(dir, 'main.key'), 0o644);
    expect(await check()).toMatch(
      /^warning: \S+\/main\.key: it holds a secret and every user of this host can read it/m,
    );
    chmodSync(join(dir, 'main.key'), 0o600);
  });

  test('a certificate that expires within 14 days, or has: said, and served all the same', async () => {
    const ini = write('soon.pem', 'soon.key', section('gone', 'gone.example'), section('main', 'example.org'));
    const { code, stdout } = await run(process.execPath, [PROGRAM, '--check'], '', { cwd: dir });
    expect(code).toBe(0);
    const days = String.raw`\d{4}-\d\d-\d\d`;
    const soon = String.raw`the certificate \S+/soon\.pem for soon\.example expires on ${days}, in 12 days: renew it, then reload \(SIGHUP\)\n`;
    const gone = String.raw`the certificate \S+/gone\.pem for gone\.example has expired on ${days}: renew it, then reload \(SIGHUP\)\n`;
    expect(stdout).toMatch(new RegExp(`^warning: ${soon}`, 'm'));
    expect(stdout).toMatch(new RegExp(`^warning: ${gone}`, 'm'));
    expect(stdout.match(/^warning: /gm)).toHaveLength(2);
    const daemon = await start(dir, readFileSync(ini, 'utf8').replace(`${RESOURCES}\n`, ''));
    await daemon.said(new RegExp(`; WARN ${soon}`));
    await daemon.said(new RegExp(`; ERROR ${gone}`));
    expect(await served(daemon.port, 'gone.example')).toBe('gone');
    makeCertificate(dir, { name: 'gone', hosts: ['gone.example'] });
    const from = daemon.out.length;
    daemon.child.kill('SIGHUP');
    await daemon.said(
      new RegExp(`gone\\.pem for gone\\.example is new.*\n.*; certificates read again: 3, new: 1\n.*; WARN ${soon}`),
      from,
    );
    expect(daemon.out.slice(from)).not.toContain('has expired');
  });
});
