import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { parse } from 'ini';
import { withProgram } from '../support/program.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const UNIT = readFileSync(join(ROOT, 'systemd/websock.service'), 'utf8');

const it = withProgram('systemd-analyze', 'systemd');

let folder: string;
let unit: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'websock-unit-'));
  unit = join(folder, 'websock.service');
  // The one change: Debian's node may not be the one that runs this test, and verify looks for what is to be executed.
  writeFileSync(unit, UNIT.replaceAll('=/usr/bin/node ', `=${process.execPath} `));
});

afterEach(() => rmSync(folder, { recursive: true }));

/** The values of a key, in order. */
function values(key: string): string[] {
  return [...UNIT.matchAll(/^(\w+)=(.*)$/gm)].filter(([, name]) => name === key).map(([, , value]) => value);
}

it('systemd-analyze verify finds nothing', () => {
  const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', unit], { encoding: 'utf8' });
  expect({ status, output: stdout + stderr }).toEqual({ status: 0, output: '' });
});

it('systemd-analyze verify would find a mistake', () => {
  writeFileSync(unit, UNIT.replace('[Service]', '[Service]\nRestartt=always'));
  const { stdout, stderr } = spawnSync('systemd-analyze', ['verify', unit], { encoding: 'utf8' });
  expect(stdout + stderr).toContain('Restartt');
});

it('systemd-analyze security rates it as the README says', () => {
  const readme = readFileSync(join(ROOT, 'systemd/README.md'), 'utf8');
  const figure = /exposure of (\d\.\d)/.exec(readme)?.[1];
  const output = execFileSync('systemd-analyze', ['security', '--offline=true', '--no-pager', unit], {
    encoding: 'utf8',
  });
  const rated = /exposure level for websock\.service: (\d\.\d)/.exec(output)?.[1];
  // Other versions of systemd weigh a little differently.
  expect(Math.abs(Number(rated) - Number(figure))).toBeLessThan(0.5);
});

test('checks exactly the configuration that it starts with', () => {
  const [start] = values('ExecStart');
  expect(start).toBe('/usr/bin/node /opt/websock/dist/run.js --config /etc/websock/websock.ini');
  expect(values('ExecStartPre')).toEqual([`${start} --check`]);
});

test('gives the daemon more time to stop than it takes', () => {
  const { stop } = parse(readFileSync(join(ROOT, 'websock.ini'), 'utf8'));
  expect(Number(stop.timeout)).toBeGreaterThan(0);
  expect(Number(values('TimeoutStopSec')[0])).toBeGreaterThan(Number(stop.timeout) + 2);
});

test('runs as a user of its own that may bind low ports and nothing else', () => {
  expect(values('User')).toEqual(['websock']);
  expect(values('CapabilityBoundingSet')).toEqual(['CAP_NET_BIND_SERVICE']);
  expect(values('AmbientCapabilities')).toEqual(['CAP_NET_BIND_SERVICE']);
  // V8 would not start.
  expect(values('MemoryDenyWriteExecute')).toEqual([]);
});
