import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { loadConfig } from '../../src/config/load.ts';
import { CertificateWatch, expiryNotice } from '../../src/daemon/certificates.ts';
import type { Certificate } from '../../src/transport/certificate.ts';
import { certificates, makeCertificate } from '../support/certificate.ts';
import { FakeLog } from '../support/fakes.ts';

const DAY = 86_400_000;
const FROM = Date.UTC(2026, 0, 1);
const TO = Date.UTC(2026, 3, 1, 12);
const CERTIFICATE: Certificate = {
  name: '',
  host: '',
  certFile: '/etc/c.pem',
  pkFile: '/etc/c.key',
  cert: '',
  key: '',
  names: 'a.example, b.example',
  validFrom: FROM,
  validTo: TO,
};
const SOON = 'the certificate /etc/c.pem for a.example, b.example expires on 2026-04-01, in';

describe('expiryNotice', () => {
  test.each([
    ['in the middle', FROM + DAY, null],
    ['14 days before its end', TO - 14 * DAY, null],
    ['a little less', TO - 14 * DAY + 1, { level: 'warn', text: `${SOON} 13 days: renew it, then reload (SIGHUP)` }],
    ['a day and a half before', TO - 1.5 * DAY, { level: 'warn', text: expect.stringContaining(`${SOON} 1 day: `) }],
    ['at its end', TO, { level: 'warn', text: expect.stringContaining(`${SOON} 0 days: `) }],
    [
      'behind its end',
      TO + 1,
      { level: 'error', text: expect.stringContaining('for a.example, b.example has expired on 2026-04-01: renew it') },
    ],
    [
      'before it begins',
      FROM - 1,
      { level: 'error', text: expect.stringContaining('is not valid before 2026-01-01: is the clock of this host') },
    ],
  ])('%s', (_, now, notice) => {
    expect(expiryNotice(CERTIFICATE, now)).toEqual(notice);
  });

  test('one for a host is called by it', () => {
    const notice = expiryNotice({ ...CERTIFICATE, name: 'x', host: 'b.example' }, TO + 1);
    expect(notice?.text).toMatch(/^the certificate \/etc\/c\.pem for b\.example has expired/);
  });
});

describe('CertificateWatch', () => {
  const dir = mkdtempSync(join(tmpdir(), 'websock-watch-'));
  beforeEach(() => {
    jest.useFakeTimers({ now: Date.now(), doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
  });
  afterEach(() => {
    jest.useRealTimers();
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  test('looks once a day, warns each day from 14 days before the end on, and holds nobody up', () => {
    const log = new FakeLog();
    const store = certificates(makeCertificate(dir, { name: 'a', hosts: ['a.example'], days: 16 }));
    // The faked clock stands still, and openssl may have been a second behind it.
    jest.setSystemTime(store.all[0].validFrom + 1000);
    const config = loadConfig({ cwd: dir, packageDir: dir });
    const watch = new CertificateWatch(config, store, log);
    const timers = jest.spyOn(globalThis, 'setInterval');
    watch.start();
    expect((timers.mock.results[0].value as NodeJS.Timeout).hasRef()).toBe(false);
    expect(log.lines).toEqual([]);
    const warnings = (): string[] => log.at('warn').map((line) => /in \d+ days?/.exec(line)?.[0] ?? line);
    jest.advanceTimersByTime(DAY);
    expect(warnings()).toEqual([]);
    jest.advanceTimersByTime(2 * DAY);
    expect(warnings()).toEqual(['in 13 days', 'in 12 days']);
    expect(log.at('warn')[0]).toContain(`the certificate ${dir}/a.pem for a.example expires on `);
    makeCertificate(dir, { name: 'a', hosts: ['a.example'], days: 90 });
    watch.reload();
    jest.advanceTimersByTime(10 * DAY);
    expect(log.at('warn')).toHaveLength(2);
    expect(log.at('info')).toEqual([
      expect.stringContaining('a.pem for a.example is new, and served from now on until '),
      'info certificates read again: 1, new: 1',
    ]);
    watch.stop();
    expect(jest.getTimerCount()).toBe(0);
  });
});
