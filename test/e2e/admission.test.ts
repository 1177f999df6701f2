import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { makeCertificate } from '../support/certificate.ts';
import { type RunningDaemon, startDaemon } from '../support/daemon.ts';
import { RawPeer, upgradeRequest } from '../support/rawpeer.ts';
import { WebPeer } from '../support/webpeer.ts';

const dir = mkdtempSync(join(tmpdir(), 'websock-admission-'));
const { certFile, pkFile } = makeCertificate(dir, { name: 'server', hosts: ['localhost'] });
const ca = readFileSync(certFile, 'utf8');
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** Plain and TLS, with these limits. */
const start = async (limits: string): Promise<RunningDaemon> =>
  startDaemon({
    ini: `adress='ws://127.0.0.1:0,wss://127.0.0.1:0'\ncertFile='${certFile}'\npkFile='${pkFile}'\n[limits]\n${limits}`,
  });

/** Who says nothing, one after the other. */
async function silent(port: number, count: number): Promise<RawPeer[]> {
  const peers: RawPeer[] = [];
  for (let i = 0; i < count; i++) peers.push(await RawPeer.open({ port })); // oxlint-disable-line no-await-in-loop
  return peers;
}

describe.each([
  ['plain', 0],
  ['TLS', 1],
])('silent connections, %s', (scheme, index) => {
  const web = (port: number, options = {}): Promise<WebPeer> =>
    WebPeer.open(`${scheme === 'TLS' ? 'wss' : 'ws'}://localhost:${port}/`, { ca, family: 4, ...options });

  test('above maxHandshakes the oldest goes, an honest client is served, and the log says it once', async () => {
    const daemon = await start('maxHandshakes=5');
    try {
      const port = daemon.ports[index];
      const peers = await silent(port, 20);
      const honest = await web(port);
      await Promise.all(peers.slice(0, 15).map((peer) => peer.gone()));
      await honest.nothingElse();
      expect(peers.filter(({ ended }) => !ended).length).toBeGreaterThanOrEqual(4);
      const said = daemon.out.match(
        /WARN 127\.0\.0\.1 closed, it was the oldest: over \[limits\] maxHandshakes: .*\n/g,
      );
      expect(said).toHaveLength(1);
      expect(said?.[0]).toContain('more than 5 connections whose request has not come yet');
      await honest.close();
      for (const peer of peers) peer.destroy();
    } finally {
      await daemon.dispose();
    }
  });

  test('that fill maxClients and its headroom make room for who speaks, when they have had a second', async () => {
    const daemon = await start('maxClients=5\nmaxHandshakes=0');
    try {
      const port = daemon.ports[index];
      const peers = await silent(port, 50);
      let honest: WebPeer | null = null;
      while (honest === null) {
        // oxlint-disable-next-line no-await-in-loop
        honest = await web(port).catch(() => null);
      }
      await honest.nothingElse();
      await Promise.all(peers.slice(0, 5).map((peer) => peer.gone()));
      expect(daemon.out).toContain(' 127.0.0.1 refused: over [limits] maxClients: Too many connections');
      await honest.close();
      for (const peer of peers) peer.destroy();
    } finally {
      await daemon.dispose();
    }
  });

  test('count for maxPerIP: another address finds room', async () => {
    const daemon = await start('maxPerIP=2\nmaxClients=20\nmaxHandshakes=0');
    try {
      const port = daemon.ports[index];
      const peers = await silent(port, 40);
      await daemon.said(
        /WARN 127\.0\.0\.1 refused: over \[limits\] maxPerIP: Too many connections from: 127\.0\.0\.1\n/,
      );
      const other = await web(port, { localAddress: '127.0.0.2' });
      await other.nothingElse();
      await other.close();
      for (const peer of peers) peer.destroy();
    } finally {
      await daemon.dispose();
    }
  });
});

describe('connectRate, of the clients of a trusted proxy', () => {
  let daemon: RunningDaemon;
  beforeAll(async () => {
    daemon = await startDaemon({
      ini: "[limits]\nconnectRate=1\n[security]\ntrustedProxies='127.0.0.1'\n[backend]\nkey='secret-key-of-the-backend'",
    });
  });
  afterAll(() => daemon.dispose());
  const text = 'more than 1 connections a second from one address';

  test('who comes too fast gets 429, others are served', async () => {
    const statusOf = async (client: string): Promise<{ status: number; body: string }> => {
      const peer = await RawPeer.open({ port: daemon.port });
      peer.write(upgradeRequest('/', { 'X-Forwarded-For': client }));
      const head = await peer.head();
      const status = Number(head.slice(9, 12));
      const body = status === 101 ? '' : await peer.rest();
      peer.destroy();
      return { status, body };
    };
    let refused = await statusOf('203.0.113.1');
    let served = 0;
    for (; refused.status === 101 && served < 100; served++) refused = await statusOf('203.0.113.1'); // oxlint-disable-line no-await-in-loop
    expect(served).toBeGreaterThanOrEqual(10);
    expect(refused).toEqual({ status: 429, body: `${text}\n` });
    expect((await statusOf('203.0.113.2')).status).toBe(101);
    await daemon.said(/WARN 203\.0\.113\.1 refused: over \[limits\] connectRate: more than 1 connections a second/);
    expect(daemon.out.match(/over \[limits\] connectRate/g)).toHaveLength(1);
  });

  test('so do posts', async () => {
    const headers = { 'X-Forwarded-For': '203.0.113.3', Authorization: 'Bearer secret-key-of-the-backend' };
    const post = async (): Promise<Response> =>
      fetch(`http://127.0.0.1:${daemon.port}/php`, { method: 'POST', body: '{"opcode":"x"}', headers });
    let answer = await post();
    for (let i = 0; answer.status === 200 && i < 100; i++) answer = await post(); // oxlint-disable-line no-await-in-loop
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([429, '1']);
    expect(await answer.json()).toEqual({ opcode: 'close', error: text });
  });
});
