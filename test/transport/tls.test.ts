import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { createTlsServer, readCertificate } from '../../src/transport/tls.ts';
import { makeCertificate } from '../support/certificate.ts';

const dir = mkdtempSync(join(tmpdir(), 'websock-tls-'));
const a = makeCertificate(dir, { name: 'a', hosts: ['a.example'] });
const b = makeCertificate(dir, { name: 'b', hosts: ['b.example'] });
const text = join(dir, 'text.pem');
writeFileSync(text, 'not a certificate\n');
const broken = join(dir, 'broken.pem');
writeFileSync(broken, '-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n');
const none = join(dir, 'none.pem');

afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe('readCertificate', () => {
  test('a pair that belongs together', () => {
    expect(readCertificate({ host: '', ...a })).toEqual({
      cert: expect.stringContaining('-----BEGIN CERTIFICATE-----'),
      key: expect.stringContaining('PRIVATE KEY-----'),
    });
  });

  test.each([
    ['no certificate', { ...a, certFile: none }, `the certificate cannot be read: ENOENT`],
    ['no key', { ...a, pkFile: none }, `the private key cannot be read: ENOENT`],
    ['no PEM', { ...a, certFile: text }, `the certificate ${text} is not a PEM file`],
    ['a key that is no PEM', { ...a, pkFile: text }, `the private key ${text} is not a PEM file`],
    [
      'the key of another',
      { ...a, pkFile: b.pkFile },
      `the private key ${b.pkFile} does not belong to the certificate ${a.certFile}`,
    ],
    ['a broken certificate', { ...a, certFile: broken }, `${broken} and ${a.pkFile} cannot be used: `],
  ])('%s: the error names the file', (_, files, message) => {
    const options = { certificates: [{ host: '', ...files }], minVersion: 'TLSv1.2', timeout: 5 } as const;
    expect(() => readCertificate({ host: '', ...files })).toThrow(message);
    expect(() =>
      createTlsServer(
        options,
        () => {},
        () => {},
      ),
    ).toThrow(message);
  });
});
