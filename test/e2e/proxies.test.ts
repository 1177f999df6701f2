import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { makeCertificate } from '../support/certificate.ts';
import { fixture, type RunningDaemon, startDaemon, temporaryFolder } from '../support/daemon.ts';
import { freePort } from '../support/freeport.ts';
import { withFile, withProgram } from '../support/program.ts';
import {
  operatorBlock,
  operatorBlocks,
  type RunningProxy,
  startHaproxy,
  startNginx,
  STREAM_MODULE,
} from '../support/proxy.ts';
import { proxyV2From } from '../support/proxyheader.ts';
import { clientFrame, RawPeer, upgradeRequest, type Where } from '../support/rawpeer.ts';
import { WebPeer } from '../support/webpeer.ts';

// The configurations are those of systemd/README.md: only ports and paths are put in.

const withNginx = withProgram('nginx', 'nginx');
const withStream = withFile(STREAM_MODULE, 'nginx libnginx-mod-stream');
const withHaproxy = withProgram('haproxy', 'haproxy');

const KEY = 'correct-horse-battery';
const BEARER = { Authorization: `Bearer ${KEY}` };
const ME = { opcode: 'me' };
/** Not the proxy's own address, but of this host too. */
const CLIENT = '127.0.0.9';

let daemon: RunningDaemon;
let dir: string;
let ca: string;
let caFile: string;

beforeAll(async () => {
  dir = temporaryFolder();
  const { certFile, pkFile } = makeCertificate(dir);
  caFile = certFile;
  ca = readFileSync(certFile, 'utf8');
  writeFileSync(join(dir, 'both.pem'), ca + readFileSync(pkFile, 'utf8'));
  writeFileSync(join(dir, 'backend.key'), `${KEY}\n`, { mode: 0o600 });
  const ini = operatorBlock('ini', 'trustedProxies')
    .replaceAll(/:809\d/g, ':0')
    .replace("adress='", `adress='unix:${dir}/own.sock, `)
    .replaceAll('/etc/websock/cert.pem', certFile)
    .replaceAll('/etc/websock/key.pem', pkFile)
    .replaceAll('/etc/websock/', `${dir}/`)
    .concat("allowed='192.0.2.0/24'\n");
  daemon = await startDaemon({ dir, ini, extra: { 'lab.js': fixture('resources/lab.js') } });
});

afterAll(() => daemon.dispose());

/** A configuration of the README with the ports and paths of this test in it. */
function here(text: string, port: number): string {
  return text
    .replace(/(listen |bind )(?::?)443/, `$1127.0.0.1:${port}`)
    .replace(/127\.0\.0\.1:(809\d)/, (_, old: string) => `127.0.0.1:${daemon.ports[Number(old) - 8096]}`)
    .replaceAll('/etc/haproxy/websock.pem', join(dir, 'both.pem'))
    .replaceAll('/etc/websock/cert.pem', caFile)
    .replaceAll('/etc/websock/key.pem', join(dir, 'localhost.key'));
}

/** A daemon for one test: gone when that has ended, however it did. */
async function withDaemon(ini: string, use: (daemon: RunningDaemon) => Promise<void>): Promise<void> {
  const own = await startDaemon({ ini });
  try {
    await use(own);
  } finally {
    await own.dispose();
  }
}

interface Posted {
  readonly status: number;
  /** What the resource sent. */
  readonly packets: unknown;
}

/** A POST to /lab that asks who it comes from. */
async function postMe(where: Where, headers: readonly string[]): Promise<Posted> {
  const peer = await RawPeer.open(where);
  const body = JSON.stringify(ME);
  const head = ['POST /lab HTTP/1.1', 'Host: localhost', `Content-Length: ${body.length}`, ...headers];
  peer.write(`${head.join('\r\n')}\r\n\r\n${body}`);
  const response = await peer.response();
  peer.destroy();
  return { status: response.status, packets: (JSON.parse(response.body) as { packets?: unknown }).packets };
}

type Start = (folder: string, text: string, port: number) => Promise<RunningProxy>;
interface Way {
  readonly it: typeof withNginx;
  readonly start: Start;
  readonly config: string;
  /** It passes bytes on, and names the client in a PROXY header. */
  readonly bytes: boolean;
  /** Scheme of a web client and of others: it ends TLS, or passes it through. */
  readonly schemes: readonly [string, string];
}

const PLAIN = ['ws', 'tcp'] as const;
const SECURE = ['wss', 'ssl'] as const;
const nginx = (holding: string): string => operatorBlock('nginx', holding);
const haproxy = (holding: string): string => operatorBlock('haproxy', holding);

const WAYS: [string, Way][] = [
  [
    'nginx that ends TLS, X-Forwarded-For',
    { it: withNginx, start: startNginx, config: nginx('proxy_add_x_forwarded_for'), bytes: false, schemes: PLAIN },
  ],
  [
    'nginx that passes TLS through, PROXY v1',
    { it: withStream, start: startNginx, config: nginx('proxy_protocol on'), bytes: true, schemes: SECURE },
  ],
  [
    'HAProxy that ends TLS, X-Forwarded-For',
    { it: withHaproxy, start: startHaproxy, config: haproxy('option forwardfor'), bytes: false, schemes: PLAIN },
  ],
  [
    'HAProxy that ends TLS, PROXY v2',
    { it: withHaproxy, start: startHaproxy, config: haproxy('127.0.0.1:8097'), bytes: true, schemes: PLAIN },
  ],
  [
    'HAProxy that passes TLS through, PROXY v2',
    { it: withHaproxy, start: startHaproxy, config: haproxy('127.0.0.1:8098'), bytes: true, schemes: SECURE },
  ],
];

test('the README has no configuration that is not tested', () => {
  const all = [...operatorBlocks('nginx', ''), ...operatorBlocks('haproxy', '')];
  expect(WAYS.map(([, { config }]) => config).toSorted()).toEqual(all.toSorted());
});

describe.each(WAYS)('%s', (_, { it, start, config, bytes, schemes }) => {
  let proxy: RunningProxy;
  /** Started by the first test that is not skipped. */
  const withProxy = (title: string, body: () => Promise<void>): void => {
    it(title, async () => {
      const port = proxy?.port ?? (await freePort());
      proxy ??= await start(dir, here(config, port), port);
      await body();
    });
  };
  afterAll(() => proxy?.stop());

  const web = (path: string, headers: Record<string, string> = {}, localAddress = CLIENT): Promise<WebPeer> =>
    WebPeer.open(`wss://localhost:${proxy.port}${path}`, { ca, localAddress, headers });
  const post = (localAddress: string, ...headers: string[]): Promise<Posted> =>
    postMe({ port: proxy.port, ca, localAddress }, headers);

  withProxy('a web client echoes through; the resource and the log see its own address', async () => {
    const from = daemon.out.length;
    const peer = await web('/lab');
    expect(await peer.ask(ME)).toMatchObject({ ip: CLIENT, scheme: schemes[0], kind: 'websocket' });
    expect(await peer.packet()).toMatchObject({ opcode: 'next' });
    const echo = `{"opcode":"echo","filler":"${'x'.repeat(200_000)}"}`;
    peer.send(echo);
    expect(await peer.text()).toBe(echo);
    await daemon.said(/#\d+ 127\.0\.0\.9 \/lab websocket wss?: open/, from);
    expect(await peer.close()).toMatchObject({ code: 1000 });
  });

  withProxy('pages of the same host are let in by its name, others are not', async () => {
    const peer = await web('/lab', { Origin: 'https://localhost' });
    await peer.close();
    const foreign = await RawPeer.open({ port: proxy.port, ca });
    foreign.write(upgradeRequest('/lab', { Origin: 'https://evil.example' }));
    expect((await foreign.response()).status).toBe(403);
    foreign.destroy();
  });

  withProxy('a POST from this host is not taken for loopback: 401 without the key, 200 with it', async () => {
    for (const ip of ['127.0.0.1', CLIENT]) {
      const from = daemon.out.length;
      expect([ip, (await post(ip)).status]).toEqual([ip, 401]);
      await daemon.said(new RegExp(`WARN .*#\\d+ ${ip} POST /lab: refused: 401`), from);
      const response = await post(ip, `Authorization: Bearer ${KEY}`);
      expect(response).toMatchObject({ status: 200, packets: [{ ip, scheme: schemes[1], kind: 'tcp' }] });
    }
  });

  withProxy('nor is a script client', async () => {
    for (const localAddress of ['127.0.0.1', CLIENT]) {
      const refused = await RawPeer.open({ port: proxy.port, ca, localAddress });
      refused.write(upgradeRequest('/php', { 'Client-Type': 'php' }));
      expect((await refused.response()).status).toBe(401);
      refused.destroy();
      const script = await RawPeer.script({ port: proxy.port, ca, localAddress }, '/lab', BEARER);
      script.write(clientFrame(JSON.stringify(ME)));
      expect(await script.packet()).toMatchObject({ opcode: 'next' });
      expect(await script.packet()).toMatchObject({ ip: localAddress, kind: 'tcp' });
      script.destroy();
    }
  });

  withProxy('what a client says of itself earns it nothing, though that address is allowed', async () => {
    const lies = [
      ['X-Forwarded-For: 192.0.2.7'],
      ['X-Forwarded-For: 192.0.2.7', 'X-Forwarded-For: 192.0.2.7'],
      ['X-Forwarded-For: 192.0.2.7, 127.0.0.1, 127.0.0.1'],
      [`X-Forwarded-For: ${','.repeat(4000)}192.0.2.7`],
      ['Forwarded: for=192.0.2.7'],
      ['Forwarded: for=192.0.2.7;x="', 'X-Forwarded-For: 192.0.2.7'],
      ['X-Real-IP: 192.0.2.7'],
      ['Via: 1.1 192.0.2.7'],
    ];
    for (const headers of lies) {
      const response = await post(CLIENT, ...headers);
      expect([headers, response.status]).toEqual([headers, 401]);
      const keyed = await post(CLIENT, `Authorization: Bearer ${KEY}`, ...headers);
      // Where the proxy writes no header of its own, the client has none that counts.
      expect([headers, keyed.packets]).toMatchObject([headers, [{ ip: CLIENT }]]);
    }
  });

  // nginx writes it anew; with TLS passed through there is nothing to keep.
  if (start === startHaproxy && schemes === PLAIN) {
    withProxy('the opening of a script client is as long as it was sent', async () => {
      const script = await RawPeer.open({ port: proxy.port, ca });
      script.write(upgradeRequest('/php', { 'Client-Type': 'php', ...BEARER }));
      expect([(await script.head()).length, (await script.frame()).size]).toEqual([1024, 1024]);
      script.destroy();
    });
  }
  if (!bytes) return;

  withProxy('a line client comes through; a PROXY header of its own is no second one', async () => {
    const refused = await RawPeer.open({ port: proxy.port, ca, localAddress: CLIENT });
    refused.write('/php\n');
    expect(await refused.rest()).toContain('show the backend key');
    refused.destroy();
    const line = await RawPeer.line({ port: proxy.port, ca, localAddress: CLIENT }, `/lab Bearer ${KEY}`);
    line.write(`${JSON.stringify(ME)}\n`);
    expect(await line.linePacket()).toMatchObject({ ip: CLIENT, scheme: schemes[1] });
    line.end();
    await line.gone();
    const liar = await RawPeer.open({ port: proxy.port, ca, localAddress: CLIENT });
    liar.write('PROXY TCP4 192.0.2.7 127.0.0.1 1 2\r\n/lab\n');
    expect(await liar.rest()).toContain('the first line is neither GET /path nor an HTTP request');
    liar.destroy();
  });
});

describe('straight to the daemon, past every proxy', () => {
  const posted = (port: number, localAddress: string, ...headers: string[]): Promise<Posted> =>
    postMe({ port, localAddress }, headers);

  test('forwarding headers of who is no trusted proxy name nobody', async () => {
    const [port] = daemon.ports;
    for (const header of ['X-Forwarded-For: 192.0.2.7', 'Forwarded: for=192.0.2.7', 'X-Real-IP: 192.0.2.7']) {
      expect([header, (await posted(port, CLIENT, header)).status]).toEqual([header, 401]);
      const keyed = await posted(port, CLIENT, header, `Authorization: Bearer ${KEY}`);
      expect(keyed.packets).toMatchObject([{ ip: CLIENT }]);
    }
  });

  test('from loopback, without a header: no trust; by the Unix socket: trusted', async () => {
    for (const ip of ['127.0.0.1', CLIENT]) expect((await posted(daemon.port, ip)).status).toBe(401);
    const line = await RawPeer.open({ port: daemon.port });
    line.write('/php\n');
    expect(await line.rest()).toContain('show the backend key');
    line.destroy();
    const own = await postMe({ path: join(dir, 'own.sock') }, []);
    expect(own.packets).toMatchObject([{ ip: 'unix' }]);
  });

  test('with a PROXY header: only from trustedProxies, all others are closed, with a line', async () => {
    for (const [index, url] of [
      [1, 'ws://127.0.0.1:0'],
      [2, 'wss://127.0.0.1:0'],
    ] as const) {
      const from = daemon.out.length;
      const peer = await RawPeer.open({ port: daemon.ports[index], localAddress: CLIENT });
      peer.write('PROXY TCP4 192.0.2.7 127.0.0.1 1 2\r\nPOST /lab HTTP/1.1\r\n\r\n');
      await peer.gone();
      await daemon.said(
        new RegExp(`WARN .*127\\.0\\.0\\.9 is no trusted proxy and connects to ${url}\\?proxyProtocol=true: see`),
        from,
      );
      peer.destroy();
    }
  });

  test('`[backend] allowed` is asked for the address in the header', async () => {
    const [, port] = daemon.ports;
    for (const [ip, first] of [
      ['192.0.2.7', 'ready'],
      ['198.51.100.7', 'close'],
    ]) {
      const peer = await RawPeer.open({ port });
      peer.write(Buffer.concat([proxyV2From(ip), Buffer.from('/php\n')]));
      expect([ip, (await peer.linePacket()).opcode]).toEqual([ip, first]);
      peer.destroy();
    }
  });

  test('a loopback address in the header earns nothing, even where `allowed` names it', async () => {
    await withDaemon(
      "adress='ws://127.0.0.1:0,ws://127.0.0.1:0?proxyProtocol=true'\n[security]\ntrustedProxies='127.0.0.1'\n[backend]\nallowed='127.0.0.0/8'",
      async (allowing) => {
        const post = 'POST /php HTTP/1.1\r\nHost: localhost\r\nContent-Length: 17\r\n\r\n{"opcode":"echo"}';
        const script = upgradeRequest('/php', { 'Client-Type': 'php' });
        const [own, proxied] = allowing.ports;
        for (const [request, good, bad] of [
          [post, /^HTTP\/1\.1 200/, /^HTTP\/1\.1 403/],
          [script, /^HTTP\/1\.1 101/, /^HTTP\/1\.1 403/],
          [
            '/php\n',
            /^\{"opcode":"ready"/,
            /^\{"opcode":"close","error":"backend clients are not allowed from 127\.0\.0\.9 \(/,
          ],
        ] as const) {
          const trusted = await RawPeer.open({ port: own });
          trusted.write(request);
          expect((await trusted.through('\n')).toString()).toMatch(good);
          const named = await RawPeer.open({ port: proxied });
          named.write(Buffer.concat([proxyV2From(CLIENT), Buffer.from(request)]));
          expect((await named.through('\n')).toString()).toMatch(bad);
          for (const peer of [trusted, named]) peer.destroy();
        }
      },
    );
  });

  test('of a client that the proxy does not name: it is served, and trusted by the key alone', async () => {
    const request = upgradeRequest('/lab');
    for (const header of ['PROXY UNKNOWN\r\n', '\r\n\r\n\0\r\nQUIT\n\x20\0\0\0']) {
      const from = daemon.out.length;
      const peer = await RawPeer.open({ port: daemon.ports[1] });
      peer.write(header + request);
      expect(await peer.head()).toMatch(/^HTTP\/1\.1 101/);
      await daemon.said(/#\d+ unknown \/lab websocket ws: open/, from);
      peer.destroy();
      const line = await RawPeer.open({ port: daemon.ports[1] });
      line.write(`${header}/php\n`);
      expect(await line.rest()).toContain('show the backend key');
      line.destroy();
    }
  });

  test('clients are counted by the address in the header; a header is waited for as long as proxyTimeout says', async () => {
    await withDaemon(
      "adress='ws://127.0.0.1:0?proxyProtocol=true'\n[limits]\nmaxPerIP=1\nproxyTimeout=0.3\n[security]\ntrustedProxies='127.0.0.1'",
      async (crowded) => {
        const open = async (ip: string): Promise<RawPeer> => {
          const peer = await RawPeer.open({ port: crowded.port });
          peer.write(`PROXY TCP4 ${ip} 127.0.0.1 1 2\r\n${upgradeRequest('/')}`);
          await peer.head();
          return peer;
        };
        const first = await open('198.51.100.1');
        const other = await open('198.51.100.2');
        const second = await open('198.51.100.1');
        expect(await first.packet()).toMatchObject({ opcode: 'ready' });
        expect(await other.packet()).toMatchObject({ opcode: 'ready' });
        expect(await second.packet()).toEqual({
          opcode: 'close',
          error: 'Too many connections from: 198.51.100.1',
        });
        for (const peer of [first, other, second]) peer.destroy();
        const silent = await RawPeer.open({ port: crowded.port });
        await silent.gone();
        await crowded.said(/WARN .*127\.0\.0\.1 on ws:\S+: no complete PROXY header within 0\.3 s: closed/);
        silent.destroy();
      },
    );
  });
});

test('proxyProtocol=true without a trusted proxy is an error that says what to do', async () => {
  await expect(startDaemon({ ini: "adress='ws://127.0.0.1:0?proxyProtocol=true'" })).rejects.toThrow(
    /adress.*ws:\/\/127\.0\.0\.1:0\?proxyProtocol=true takes connections of trusted proxies alone, and there are none: name their addresses in \[security\] trustedProxies/,
  );
});
