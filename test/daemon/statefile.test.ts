import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { StateFile } from '../../src/daemon/statefile.ts';
import { temporaryFolder } from '../support/daemon.ts';
import { FakeLog } from '../support/fakes.ts';

const HOUR = 3_600_000;
let folder: string;
let file: string;
let log: FakeLog;
let now: number;

beforeEach(() => {
  folder = temporaryFolder();
  file = join(folder, 'state');
  log = new FakeLog();
  now = Date.parse('2021-07-14T12:00:00Z');
});
afterEach(() => rmSync(folder, { recursive: true }));
const state = (most = 1000): StateFile => new StateFile({ file, most, log, now: () => now });

test('what was written is taken once, and was for nobody else to read', () => {
  expect(state().write(['a', '{"ä":"ü"}'])).toEqual(new Set([0, 1]));
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readdirSync(folder)).toEqual(['state']);
  expect(state().take()).toEqual(['a', '{"ä":"ü"}']);
  expect(state().take()).toEqual([]);
  expect([existsSync(file), log.lines]).toEqual([false, []]);
});

test('a file that is there already is replaced, whatever its mode, and so is what was left of a write that failed', () => {
  writeFileSync(file, 'old', { mode: 0o644 });
  writeFileSync(`${file}.tmp`, 'half', { mode: 0o644 });
  state().write(['new']);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readdirSync(folder)).toEqual(['state']);
  expect(state().take()).toEqual(['new']);
});

test('no more is written than it may have, nor asked for', () => {
  let asked = 0;
  const lines = function* (): Generator<string> {
    for (;;) {
      asked++;
      yield 'x'.repeat(99);
    }
  };
  expect(state(450).write(lines())).toEqual(new Set([0, 1, 2, 3]));
  expect([asked, statSync(file).size <= 450]).toEqual([4 + 101, true]);
  expect(state(400).take()).toEqual([]);
  expect(log.lines).toEqual([expect.stringMatching(/^warn .*state is longer than \[dialog\] maxState = 400 bytes/)]);
  expect(existsSync(file)).toBe(false);
});

test('a line that does not fit costs those behind it nothing', () => {
  expect(state(450).write(['a', 'x'.repeat(450), 'b'])).toEqual(new Set([0, 2]));
  expect(state().take()).toEqual(['a', 'b']);
});

test('it is used for an hour', () => {
  state().write(['a']);
  now += HOUR - 1;
  expect(state().take()).toEqual(['a']);
  state().write(['a']);
  now += HOUR;
  expect(state().take()).toEqual([]);
  expect(log.lines).toEqual([expect.stringMatching(/^warn .*state is older than an hour: its sessions are forgotten/)]);
});

test.each([
  ['nothing', ''],
  ['something else', 'hello\n'],
  ['another form', 'websock sessions 2 at 2021-07-14T12:00:00Z\na\n'],
  ['its beginning alone', 'websock sessions 1 at 2021-07-14T12:00:00Z\na'],
])('a file that holds %s is not used, and removed', (_, text) => {
  writeFileSync(file, text);
  expect(state().take()).toEqual([]);
  expect(log.lines).toEqual([expect.stringMatching(/^warn .*state is not one of this daemon, or damaged/)]);
  expect(existsSync(file)).toBe(false);
});

test('what cannot be read or removed is not used, and what cannot be written is said', () => {
  mkdirSync(file);
  expect(state().take()).toEqual([]);
  expect(log.lines.pop()).toBe(`warn ${file} is no file: it is not used`);
  expect(state().write(['a'])).toEqual(new Set());
  expect(log.lines.pop()).toMatch(/^error .*state cannot be written, so all sessions end: E/);
  expect(readdirSync(folder)).toEqual(['state']);
  file = join(folder, 'no/where');
  expect(state().problem).toMatch(/^ENOENT/);
  expect(state().write(['a'])).toEqual(new Set());
  file = join(folder, 'other');
  expect(state().problem).toBeNull();
});

test('what is no file of ours is not used, and holds nobody up', () => {
  execFileSync('mkfifo', [file]);
  expect(state().take()).toEqual([]);
  expect(log.lines).toEqual([`warn ${file} is no file: it is not used`]);
});

test('a folder where it is to be written first: that is said, and all else goes on', () => {
  mkdirSync(`${file}.tmp`);
  expect(state().write(['a'])).toEqual(new Set());
  expect(log.at('error')).toHaveLength(1);
});
