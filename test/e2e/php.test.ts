import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect } from '@jest/globals';
import { makeCertificate } from '../support/certificate.ts';
import { type Done, run } from '../support/commands.ts';
import { ROOT, type RunningDaemon, startDaemon, temporaryFolder } from '../support/daemon.ts';
import { withProgram } from '../support/program.ts';
import { WebPeer } from '../support/webpeer.ts';

const SCRIPT = join(ROOT, 'test/fixtures/php/backend.php');
const RUNS = 20;
const withPhp = withProgram('php', 'php-cli');

let daemon: RunningDaemon;
let certFile: string;

beforeAll(async () => {
  const dir = temporaryFolder();
  const files = makeCertificate(dir, { name: 'localhost', hosts: ['localhost', '127.0.0.1'] });
  ({ certFile } = files);
  const ini = `adress='ws://127.0.0.1:0,wss://127.0.0.1:0'\ncertFile='${certFile}'\npkFile='${files.pkFile}'`;
  daemon = await startDaemon({ dir, ini });
});

afterAll(() => daemon.dispose());

/** The text of 6 KB pieces that the page got. */
function checkLong(packet: Record<string, unknown>, least: number): void {
  const filler = String(packet.filler);
  expect(Buffer.byteLength(filler)).toBeGreaterThan(least);
  expect(createHash('md5').update(filler).digest('hex')).toBe(packet.md5);
}

describe.each(['tcp', 'ssl'])('a PHP script by %s://', (scheme) => {
  const php = (uuid: string, steps: number, long: number): Promise<Done> => {
    const address = scheme === 'tcp' ? `tcp://127.0.0.1:${daemon.ports[0]}` : `ssl://127.0.0.1:${daemon.ports[1]}`;
    const args = [address, scheme === 'tcp' ? '' : certFile, uuid, String(steps), String(long)];
    return run('php', ['-n', SCRIPT, ...args]);
  };

  withPhp(`${RUNS} runs, one after the other: each step reaches the page, none is lost`, async () => {
    const page = await WebPeer.open(`ws://127.0.0.1:${daemon.ports[0]}/web`);
    for (let i = 0; i < RUNS; i++) {
      expect(await php(page.uuid, 5, 0)).toEqual({ code: 0, stdout: 'done 5 delivered, 0 pieces\n', stderr: '' });
      for (let step = 1; step <= 5; step++) expect(await page.packet()).toMatchObject({ opcode: 'feedback', step });
    }
    await page.nothingElse();
    await page.close();
  });

  withPhp(`${RUNS} runs at once, with a long message in pieces each: none is lost`, async () => {
    const page = await WebPeer.open(`ws://127.0.0.1:${daemon.ports[0]}/web`);
    const runs = await Promise.all(Array.from({ length: RUNS }, () => php(page.uuid, 10, 40_000)));
    expect(runs).toEqual(runs.map(() => ({ code: 0, stdout: 'done 11 delivered, 7 pieces\n', stderr: '' })));
    const steps = new Map<number, number[]>();
    for (let i = 0; i < RUNS * 11; i++) {
      const packet = await page.packet();
      const seen = steps.get(Number(packet.from)) ?? [];
      steps.set(Number(packet.from), seen);
      if (packet.filler === undefined) seen.push(Number(packet.step));
      else {
        checkLong(packet, 39_000);
        seen.push(0);
      }
    }
    expect([...steps.values()]).toEqual(Array.from({ length: RUNS }, () => [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0]));
    await page.nothingElse();
    await page.close();
  });

  withPhp('1 MiB in pieces of 6 KB, cut inside characters', async () => {
    const page = await WebPeer.open(`ws://127.0.0.1:${daemon.ports[0]}/web`);
    expect(await php(page.uuid, 1, 1_048_576)).toMatchObject({ code: 0, stdout: 'done 2 delivered, 171 pieces\n' });
    expect(await page.packet()).toMatchObject({ step: 1 });
    checkLong(await page.packet(), 1_048_000);
    await page.close();
  });

  withPhp('a page that has gone: the script is told so, and goes on', async () => {
    const { code, stdout } = await php('00000000-0000-4000-8000-000000000000', 3, 0);
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'done 0 delivered, 0 pieces\n' });
  });
});
