import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { type CertificateFiles, CertificateError, readCertificate } from '../../src/transport/certificate.ts';
import { makeCertificate, makeChain } from '../support/certificate.ts';

const dir = mkdtempSync(join(tmpdir(), 'websock-certificate-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const a = makeCertificate(dir, { name: 'a', hosts: ['a.example', 'www.a.example', '192.0.2.1'] });
const b = makeCertificate(dir, { name: 'b', hosts: ['b.example'] });
const wild = makeCertificate(dir, { name: 'wild', hosts: ['*.wild.example'] });
const many = makeCertificate(dir, { name: 'many', hosts: ['1.example', '2.example', '3.example', '4.example'] });
const nameless = makeCertificate(dir, { name: 'nameless.example', hosts: [] });
const chain = makeChain(dir, 'chain', ['chain.example']);

function put(name: string, ...texts: string[]): string {
  const file = join(dir, name);
  writeFileSync(file, texts.join(''));
  return file;
}

const read = (file: string): string => readFileSync(file, 'utf8');
const files = (some: Partial<CertificateFiles>): CertificateFiles => ({ name: '', host: '', ...a, ...some });

function failure(some: Partial<CertificateFiles>): { key: string; message: string } {
  try {
    readCertificate(files(some));
  } catch (error) {
    if (error instanceof CertificateError) return { key: error.key, message: error.message };
    throw error;
  }
  throw new Error('it was taken');
}

describe('a pair that belongs together', () => {
  test('is read, with its names and its days', () => {
    const found = readCertificate(files({}));
    expect(found).toMatchObject({ host: '', cert: read(a.certFile), key: read(a.pkFile), ...a });
    expect(found.names).toBe('a.example, www.a.example, 192.0.2.1');
    expect(found.validTo - found.validFrom).toBe(30 * 86_400_000);
    expect(Math.abs(found.validFrom - Date.now())).toBeLessThan(60_000);
  });

  test('names: some of many, and the common name where there are no others', () => {
    expect(readCertificate(files(many)).names).toBe('1.example, 2.example, 3.example and 1 more');
    expect(readCertificate(files(nameless)).names).toBe('nameless.example');
    expect(readCertificate(files({ ...nameless, host: 'nameless.example' })).host).toBe('nameless.example');
  });

  test('a chain, the own certificate first', () => {
    expect(readCertificate(files({ ...chain, host: 'chain.example' })).cert.match(/BEGIN/g)).toHaveLength(2);
  });

  test('both in one file, with text around them, in either order', () => {
    for (const texts of [
      [a.certFile, a.pkFile],
      [a.pkFile, a.certFile],
    ]) {
      const one = put('one.pem', 'Bag Attributes\r\n', ...texts.map(read));
      const { cert, key } = readCertificate(files({ certFile: one, pkFile: one }));
      expect([cert, key]).toEqual([read(a.certFile), read(a.pkFile)]);
    }
  });

  test.each([
    ['RSA, PKCS #8', ['genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048']],
    ['RSA, PKCS #1', ['genrsa', '-traditional']],
    ['EC with its parameters before it', ['ecparam', '-name', 'prime256v1', '-genkey']],
    ['Ed25519', ['genpkey', '-algorithm', 'ED25519']],
  ])('a key as openssl writes it: %s', (_, command) => {
    const pkFile = join(dir, 'own.key');
    const certFile = join(dir, 'own.pem');
    execFileSync('openssl', [...command, '-out', pkFile], { stdio: 'pipe' });
    execFileSync('openssl', ['req', '-x509', '-key', pkFile, '-subj', '/CN=own', '-out', certFile], { stdio: 'pipe' });
    expect(readCertificate(files({ certFile, pkFile })).names).toBe('own');
  });

  test.each([
    ['a.example', a],
    ['WWW.A.Example.', a],
    ['any.wild.example', wild],
    ['*.wild.example', wild],
    ['*.WILD.example.', wild],
  ])('host=%s, which it is for', (host, pair) => {
    expect(readCertificate(files({ host, ...pair })).host).toBe(host.toLowerCase().replace(/\.$/, ''));
  });

  test('a host with an umlaut is asked for in ASCII', () => {
    const pair = makeCertificate(dir, { name: 'idn', hosts: ['xn--bcher-kva.example'] });
    expect(readCertificate(files({ host: 'Bücher.example', ...pair })).host).toBe('xn--bcher-kva.example');
  });
});

describe('the error names the file, and the key of the ini', () => {
  const none = join(dir, 'none.pem');
  const text = put('text.pem', 'not a certificate\n');
  const broken = put('broken.pem', '-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n');
  const second = put('second.pem', read(a.certFile), read(broken));
  const badKey = put('bad.key', '-----BEGIN PRIVATE KEY-----\nnonsense\n-----END PRIVATE KEY-----\n');
  const reversed = put('reversed.pem', read(chain.caFile), read(chain.certFile));
  const locked = join(dir, 'locked.key');
  const lockedOld = join(dir, 'locked-old.key');
  execFileSync('openssl', ['pkey', '-in', a.pkFile, '-aes256', '-passout', 'pass:x', '-out', locked]);
  execFileSync('openssl', ['ec', '-in', a.pkFile, '-aes256', '-passout', 'pass:x', '-out', lockedOld], {
    stdio: 'pipe',
  });

  test.each<[string, Partial<CertificateFiles>, string, string]>([
    ['no certificate', { certFile: none }, 'certFile', 'the certificate cannot be read: ENOENT'],
    ['no key', { pkFile: none }, 'pkFile', 'the private key cannot be read: ENOENT'],
    ['no PEM', { certFile: text }, 'certFile', `the certificate ${text} is not a PEM file`],
    ['a key that is no PEM', { pkFile: text }, 'pkFile', `the private key ${text} is not a PEM file`],
    [
      'the key in place of the certificate',
      { certFile: a.pkFile },
      'certFile',
      `there is no certificate in ${a.pkFile} but a private key: is it the one for pkFile?`,
    ],
    [
      'the certificate in place of the key',
      { pkFile: a.certFile },
      'pkFile',
      `there is no private key in ${a.certFile} but a certificate: is it the one for certFile?`,
    ],
    ['a broken certificate', { certFile: broken }, 'certFile', `the certificate ${broken} is broken: `],
    ['a broken link of a chain', { certFile: second }, 'certFile', `${second}, number 2 of 2 is broken: `],
    ['a broken key', { pkFile: badKey }, 'pkFile', `the private key ${badKey} is broken: `],
    [
      'the key of another',
      { pkFile: b.pkFile },
      'pkFile',
      `the private key ${b.pkFile} does not belong to the certificate ${a.certFile}`,
    ],
    ['a passphrase (PKCS #8)', { pkFile: locked }, 'pkFile', `the private key ${locked} has a passphrase`],
    ['a passphrase (old form)', { pkFile: lockedOld }, 'pkFile', `the private key ${lockedOld} has a passphrase`],
    [
      'a chain from its end',
      { certFile: reversed, pkFile: chain.pkFile },
      'certFile',
      `the chain ${reversed} is in the wrong order: its certificate number 2 is the one of the private key ${chain.pkFile}`,
    ],
    [
      'another host',
      { host: 'b.example' },
      'certFile',
      `the certificate ${a.certFile} is not for the host b.example, but for a.example, www.a.example, 192.0.2.1`,
    ],
    ['more hosts than it is for', { host: '*.a.example' }, 'certFile', 'is not for the host *.a.example, but for '],
    ['one label too many', { ...wild, host: 'x.y.wild.example' }, 'certFile', 'is not for the host x.y.wild.example'],
    ['an address', { host: '192.0.2.1' }, 'host', "'192.0.2.1' is an address"],
    ['an IPv6 address', { host: '::1' }, 'host', "'::1' is an address"],
    ['no host name', { host: 'a b' }, 'host', "'a b' is no host name"],
    ['a star in the middle', { host: 'a.*.example' }, 'host', "'a.*.example' is no host name"],
    ['a star alone', { host: '*' }, 'host', "'*' is no host name"],
    ['an empty label', { host: 'a..example' }, 'host', "'a..example' is no host name"],
  ])('%s', (_, some, key, message) => {
    expect(failure(some)).toEqual({ key, message: expect.stringContaining(message) });
  });
});
