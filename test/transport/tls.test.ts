import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { CertificateError } from '../../src/transport/certificate.ts';
import { checkCiphers } from '../../src/transport/tls.ts';
import { certificates, makeCertificate } from '../support/certificate.ts';

const dir = mkdtempSync(join(tmpdir(), 'websock-tls-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const a = makeCertificate(dir, { name: 'a', hosts: ['a.example', 'b.example'] });
const b = makeCertificate(dir, { name: 'b', hosts: ['b.example'] });

describe('checkCiphers', () => {
  test('takes what OpenSSL knows', () => {
    for (const ciphers of [[], ['ECDHE-RSA-AES128-GCM-SHA256', 'AES128-SHA']]) {
      expect(() => checkCiphers(ciphers)).not.toThrow();
    }
  });

  test.each([
    [['ECDHE-RSA-AES128-GCM-SHA256', 'ECDHE-RSA-NOTHING'], "'ECDHE-RSA-NOTHING' is not known"],
    [['HIGH'], "'HIGH' is not known"],
    [['TLS_AES_128_GCM_SHA256'], "'TLS_AES_128_GCM_SHA256' is one of TLS 1.3"],
  ])('%j: no', (ciphers, message) => {
    expect(() => checkCiphers(ciphers)).toThrow(message);
  });
});

describe('Certificates', () => {
  test('one host has one certificate, however it is spelt', () => {
    const store = certificates(a, { name: 'one', host: 'b.example', ...a });
    const twice = (): void => store.add({ name: 'two', host: 'B.Example.', ...b });
    expect(twice).toThrow(new CertificateError('host', 'b.example has a certificate already: [tls.one]'));
    expect(store.all.map(({ name, host }) => [name, host])).toEqual([
      ['', ''],
      ['one', 'b.example'],
    ]);
  });

  test('a key that OpenSSL finds too short is refused', () => {
    const certFile = join(dir, 'short.pem');
    const pkFile = join(dir, 'short.key');
    const args = ['-newkey', 'rsa:512', '-nodes', '-subj', '/CN=short', '-keyout', pkFile, '-out', certFile];
    execFileSync('openssl', ['req', '-x509', ...args], { stdio: 'pipe' });
    expect(() => certificates({ certFile, pkFile })).toThrow(`${certFile} and ${pkFile} cannot be used: `);
  });

  test('reload: what has changed is taken, what is bad is reported and the old one stays', () => {
    const main = makeCertificate(dir, { name: 'main', hosts: ['main.example'] });
    const other = makeCertificate(dir, { name: 'other', hosts: ['other.example'] });
    const store = certificates(main, { name: 'other', host: 'other.example', ...other });
    const failures: string[] = [];
    const reload = (): string[] =>
      store.reload((files, error) => failures.push(`${files.name}: ${String(error)}`)).map(({ name }) => name);
    expect(reload()).toEqual([]);
    const before = store.all[0].cert;
    copyFileSync(b.certFile, other.certFile);
    copyFileSync(b.pkFile, other.pkFile);
    makeCertificate(dir, { name: 'main', hosts: ['main.example'] });
    expect(reload()).toEqual(['']);
    expect(store.all[0].cert).toBe(readFileSync(main.certFile, 'utf8'));
    expect(store.all[0].cert).not.toBe(before);
    expect(store.all[1].names).toBe('other.example');
    expect(failures).toEqual([
      `other: Error: the certificate ${other.certFile} is not for the host other.example, but for b.example`,
    ]);
    writeFileSync(main.certFile, '');
    makeCertificate(dir, { name: 'other', hosts: ['other.example'] });
    expect(reload()).toEqual(['other']);
    expect(failures[1]).toBe(`: Error: the certificate ${main.certFile} is not a PEM file (-----BEGIN …)`);
    expect(store.all[0].names).toBe('main.example');
  });
});
