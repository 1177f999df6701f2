import { readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { makeCertificate } from '../support/certificate.ts';
import { type RunningDaemon, temporaryFolder } from '../support/daemon.ts';
import { clientClose, frame, hex } from '../support/frames.ts';
import type { RawPeer } from '../support/rawpeer.ts';
import { expectEnd, farewell, NEXT, open, type Path, PATHS, served, servedClose, startEcho } from './peers.ts';

describe('the closing handshake', () => {
  let daemon: RunningDaemon;
  beforeAll(async () => {
    // No FIN of these waits for closeTimeout: nobody would see the end of it.
    daemon = await startEcho('[limits]\ncloseTimeout=86400');
  });
  afterAll(() => daemon.dispose());

  describe.each(PATHS)('at %s', (path) => {
    const peerAt = async (): Promise<RawPeer> => open(daemon.port, path);
    /** What the handler's end brings about, before the close that it asked for. */
    const next = path === '/dialog' ? served(1, NEXT) : Buffer.alloc(0);

    test.each([
      ['88 82 00000000 03e8', '88 02 03e8', 1000],
      ['88 82 00000000 03e9', '88 02 03e9', 1001],
      ['88 86 00000000 03f3 677574 21', '88 06 03f3 677574 21', 1011],
      ['88 82 00000000 0bb8', '88 02 0bb8', 3000],
      ['88 84 37fa213d 247de2a1', '88 04 1387 c39c', 4999],
      ['88 80 37fa213d', '88 00', 1005],
    ])('§5.5.1 answer, §5.5.1 end: %s is answered with %s and the FIN', async (sent, answer, code) => {
      const from = daemon.out.length;
      await expectEnd(await peerAt(), sent, answer);
      await daemon.said(new RegExp(`${path} closed by the client: ${code} `), from);
    });

    test('§5.5.1 answer: behind a message, in the middle of a message, and with more behind it', async () => {
      await expectEnd(await peerAt(), '01 81 00000000 41  88 82 00000000 03e8', '88 02 03e8');
      const echoed = path === '/dialog' ? `81 05 68656c6c6f ${next.toString('hex')}` : '81 05 68656c6c6f';
      const input = '81 85 00000000 68656c6c6f  88 82 00000000 03e8  81 81 00000000 41  ffff';
      await expectEnd(await peerAt(), input, `${echoed} 88 02 03e8`);
    });

    test('§7.1.2, §6.1/1: the server begins: a Close frame with code and reason, the FIN, and not a word behind it', async () => {
      const expected = Buffer.concat([next, farewell(path, 4000, 'out with you')]);
      await expectEnd(await peerAt(), frame({ payload: 'close 4000 out with you' }), expected);
      await expectEnd(await peerAt(), frame({ payload: 'close 1000' }), Buffer.concat([next, servedClose(1000)]));
    });

    test('§5.5.1 data, §6.1/1: what a resource sends after the Close frame goes nowhere', async () => {
      const from = daemon.out.length;
      await expectEnd(await peerAt(), frame({ payload: 'late' }), Buffer.concat([next, farewell(path, 4000, 'early')]));
      await daemon.said(/sent late: false/, from);
    });

    test.each([999, 1004, 1005, 1006, 1014, 1015, 1016, 2999, 5000])(
      '§7.4.1, §7.4.2: a resource cannot close with %i: its error is, with 1011',
      async (code) => {
        const from = daemon.out.length;
        const peer = await peerAt();
        await expectEnd(peer, frame({ payload: `close ${code}` }), farewell(path, 1011, 'the resource failed'));
        await daemon.said(new RegExp(`close code ${code} may not be sent`), from);
      },
    );

    test('§7.4.1: a client that ends without a Close frame gets one, and not with 1006', async () => {
      const from = daemon.out.length;
      const peer = await peerAt();
      peer.end();
      expect(await peer.restBytes()).toEqual(servedClose(1000, 'the client ended without a Close frame'));
      await daemon.said(/closed by the client: 1006 /, from);
    });

    test('§5.5.1 end: a client that answers the Close frame is not answered again', async () => {
      const peer = await peerAt();
      peer.write(frame({ payload: 'close 4001' }));
      const came = await peer.restBytes();
      expect(came).toEqual(
        Buffer.concat([
          next,
          path === '/dialog' ? served(1, '{"opcode":"close","error":"code 4001"}') : next,
          servedClose(4001),
        ]),
      );
      peer.end(clientClose(4001));
      await expectEnd(await peerAt(), clientClose(1000), '88 02 03e8');
      expect([await peer.restBytes(), peer.failure]).toEqual([Buffer.alloc(0), null]);
    });
  });
});

describe('Ping and Pong', () => {
  let daemon: RunningDaemon;
  beforeAll(async () => {
    daemon = await startEcho();
  });
  afterAll(() => daemon.dispose());

  describe.each(PATHS)('at %s', (path) => {
    test.each([
      ['of no byte', '89 80 37fa213d', '8a 00'],
      ['of the RFC', '89 85 37fa213d 7f9f4d5158', '8a 05 48656c6c6f'],
      ['of bytes that are no text', '89 84 00000000 ff00c080', '8a 04 ff00c080'],
      ['of 125 bytes', `89 fd 00000000 ${'80'.repeat(125)}`, `8a 7d ${'80'.repeat(125)}`],
      ['twice', '89 81 00000000 31  89 81 00000000 32', '8a 01 31  8a 01 32'],
    ])('§5.5.2, §5.5.3: a Ping %s', async (_, ping, pong) => {
      await expectEnd(await open(daemon.port, path), `${ping} 88 80 00000000`, `${pong} 88 00`);
    });

    test('§5.5.2, §5.4 control frames: in the middle of a message, which goes on', async () => {
      const peer = await open(daemon.port, path);
      const end = path === '/dialog' ? `81 1a ${Buffer.from(NEXT).toString('hex')}` : '';
      peer.write(hex('01 83 37fa213d 7f9f4d  89 85 37fa213d 7f9f4d5158'));
      expect((await peer.take(7)).toString('hex')).toBe('8a0548656c6c6f');
      await expectEnd(peer, '80 82 37fa213d 5b95  88 80 00000000', `81 05 48656c6c6f ${end} 88 00`);
    });

    test('§5.5.2: behind a Close frame, a Ping is not answered', async () => {
      await expectEnd(await open(daemon.port, path), '88 82 00000000 03e8  89 80 00000000', '88 02 03e8');
    });

    test('§5.5.3: a Pong that nobody has asked for is not answered', async () => {
      const pongs = '8a 80 00000000  8a 85 37fa213d 7f9f4d5158';
      await expectEnd(await open(daemon.port, path), `${pongs} 88 80 00000000`, '88 00');
    });
  });
});

const UNMASKED = 'a frame from a client is not masked';
/** How an end begins: why, what the client sends, and what it gets for it, at last. */
const BEGINNINGS: readonly (readonly [why: string, sent: Buffer, got: (path: Path) => Buffer])[] = [
  ['it broke a rule', hex('81 00'), (path) => farewell(path, 1002, UNMASKED)],
  [
    'it sent text that is not UTF-8',
    frame({ payload: hex('ff') }),
    (path) => farewell(path, 1007, 'a text message is not UTF-8'),
  ],
  ['it sent a Close frame', clientClose(1000), () => servedClose(1000)],
  [
    'the server closed it',
    frame({ payload: 'close 4000 out' }),
    (path) => Buffer.concat([...(path === '/dialog' ? [served(1, NEXT)] : []), farewell(path, 4000, 'out')]),
  ],
];
const CASES = PATHS.flatMap((path) => BEGINNINGS.map(([, sent, got]) => ({ path, sent, expected: got(path) })));

/** How many sockets a daemon has open. */
function sockets({ pid }: RunningDaemon): number {
  const folder = `/proc/${pid}/fd`;
  const targets = readdirSync(folder).map((name) => {
    try {
      return readlinkSync(`${folder}/${name}`);
    } catch {
      return ''; // closed meanwhile
    }
  });
  return targets.filter((target) => target.startsWith('socket:')).length;
}

/** Resolves when a daemon has as many sockets open as before; meanwhile it is asked something, again and again. */
async function allGone(daemon: RunningDaemon, before: number): Promise<void> {
  for (let tries = 0; sockets(daemon) !== before; tries++) {
    if (tries > 5000) throw new Error(`${sockets(daemon)} sockets are open, not ${before}`);
    const answer = await fetch(`http://127.0.0.1:${daemon.port}/`, { headers: { Connection: 'close' } });
    await answer.text();
  }
}

/** A daemon with a plain and a TLS address, plain first. */
async function startBoth(dir: string, ini: string): Promise<{ daemon: RunningDaemon; ca: string }> {
  const { certFile, pkFile } = makeCertificate(dir, { name: 'localhost', hosts: ['localhost'] });
  const tls = `adress='ws://127.0.0.1:0, wss://127.0.0.1:0'\ncertFile='${certFile}'\npkFile='${pkFile}'`;
  return { daemon: await startEcho(`${tls}\n${ini}`), ca: readFileSync(certFile, 'utf8') };
}

describe.each(['ws', 'wss'])('a client of %s that leaves', (scheme) => {
  const dir = temporaryFolder();
  let daemon: RunningDaemon;
  let ca: string;
  beforeAll(async () => {
    ({ daemon, ca } = await startBoth(dir, '[limits]\ncloseTimeout=86400'));
  });
  afterAll(async () => {
    await daemon.dispose();
    rmSync(dir, { recursive: true });
  });
  const openAt = async (path: Path): Promise<RawPeer> =>
    scheme === 'ws' ? open(daemon.ports[0], path) : open(daemon.ports[1], path, {}, ca);

  test('§7.1.7, §5.5.1 end: its socket is gone with its FIN, without waiting for closeTimeout', async () => {
    const before = sockets(daemon);
    for (const { path, sent, expected } of CASES) {
      const peer = await openAt(path);
      peer.write(sent);
      expect(await peer.restBytes()).toEqual(expected);
      peer.end();
      expect(peer.failure).toBeNull();
    }
    await allGone(daemon, before);
  });

  test('§7.1.7, §5.5.1 end: so it is if its FIN comes with what ends it', async () => {
    const before = sockets(daemon);
    for (const { path, sent, expected } of CASES) {
      const peer = await openAt(path);
      peer.end(sent);
      expect(await peer.restBytes()).toEqual(expected);
      expect(peer.failure).toBeNull();
    }
    await allGone(daemon, before);
  });
});

describe.each(['ws', 'wss'])('a client of %s that does not leave: cut off after closeTimeout', (scheme) => {
  const dir = temporaryFolder();
  let daemon: RunningDaemon;
  let ca: string;
  beforeAll(async () => {
    ({ daemon, ca } = await startBoth(dir, 'logLevel=debug\n[limits]\ncloseTimeout=0.4\nsendQueue=64MiB'));
  });
  afterAll(async () => {
    await daemon.dispose();
    rmSync(dir, { recursive: true });
  });
  const openAt = async (path: Path): Promise<RawPeer> =>
    scheme === 'ws' ? open(daemon.ports[0], path) : open(daemon.ports[1], path, {}, ca);

  /** The lines that say that so many were cut off. */
  const cutOff = (count: number): RegExp =>
    new RegExp(`(?:: it did not leave within 0\\.4 s: destroyed\n[^]*?){${count}}`);

  test('§7.1.7, §5.5.1 end: one that says nothing more', async () => {
    const before = sockets(daemon);
    const from = daemon.out.length;
    const peers = await Promise.all(
      CASES.map(async ({ path, sent, expected }) => {
        const peer = await openAt(path);
        peer.write(sent);
        expect(await peer.restBytes()).toEqual(expected);
        return peer;
      }),
    );
    await daemon.said(cutOff(CASES.length), from);
    await allGone(daemon, before);
    for (const peer of peers) {
      expect(peer.failure).toBeNull();
      peer.destroy();
    }
  });

  test('§7.1.7, §5.5.1 end: one that goes on sending, as fast as it can: after the FIN a reset', async () => {
    const before = sockets(daemon);
    const from = daemon.out.length;
    const noise = Buffer.concat([frame({ op: 9 }), frame({ payload: 'x'.repeat(1000) }), clientClose(1000)]);
    await Promise.all(
      CASES.map(async ({ path, sent, expected }) => {
        const peer = await openAt(path);
        const closed = new Promise((done) => peer.socket.once('close', done));
        const pump = (): void => {
          while (peer.socket.writable && peer.socket.write(noise));
        };
        peer.write(Buffer.concat([sent, noise, noise]));
        expect(await peer.restBytes()).toEqual(expected);
        expect(peer.failure).toBeNull();
        peer.socket.on('drain', pump);
        pump();
        await closed;
        expect(peer.failure?.message).toMatch(/ECONNRESET|EPIPE/);
        expect(await peer.restBytes()).toHaveLength(0);
      }),
    );
    await daemon.said(cutOff(CASES.length), from);
    await allGone(daemon, before);
  });

  test('§7.1.7, §5.5.1 end: one that reads nothing; when it does, it finds its Close frame and the FIN', async () => {
    const before = sockets(daemon);
    const from = daemon.out.length;
    const peers = await Promise.all(
      CASES.map(async ({ path, sent, expected }) => {
        const peer = await openAt(path);
        peer.socket.pause();
        peer.write(sent);
        return { peer, expected };
      }),
    );
    await daemon.said(cutOff(CASES.length), from);
    await allGone(daemon, before);
    for (const { peer, expected } of peers) {
      peer.socket.resume();
      expect(await peer.restBytes()).toEqual(expected);
      expect(peer.failure).toBeNull();
      peer.destroy();
    }
  });

  test('§7.1.7: one that broke a rule, is owed more than the kernel takes, and reads nothing', async () => {
    const before = sockets(daemon);
    const from = daemon.out.length;
    const peers = await Promise.all(
      PATHS.map(async (path) => {
        const peer = await openAt(path);
        peer.socket.pause();
        peer.write(Buffer.concat([frame({ payload: 'flood 16000000' }), hex('81 00')]));
        return peer;
      }),
    );
    await daemon.said(cutOff(PATHS.length), from);
    for (const path of PATHS) expect(daemon.out.slice(from)).toContain(`${path} closed: 1002 ${UNMASKED}\n`);
    await allGone(daemon, before);
    for (const peer of peers) peer.destroy();
  });
});
