import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CertificateFiles } from '../../src/transport/certificate.ts';
import { Certificates } from '../../src/transport/tls.ts';

interface Pair {
  certFile: string;
  pkFile: string;
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: 'pipe' });
}

function subject(name: string, hosts: string[]): string[] {
  const names = hosts.map((host) => (/^[\d.]+$|:/.test(host) ? `IP:${host}` : `DNS:${host}`)).join(',');
  return ['-subj', `/CN=${name}`, ...(hosts.length === 0 ? [] : ['-addext', `subjectAltName=${names}`])];
}

/**
 * Makes a self-signed certificate and its key by openssl.
 * @param dir where the two files are put.
 * @param options.name stem of the files' names, and the common name. options.hosts: host names and IP addresses.
 * options.days: how long it is valid; -1: it has expired yesterday.
 */
export function makeCertificate(
  dir: string,
  {
    name = 'localhost',
    hosts = ['localhost', '127.0.0.1', '::1'],
    days = 30,
  }: { name?: string; hosts?: string[]; days?: number } = {},
): Pair {
  const certFile = join(dir, `${name}.pem`);
  const pkFile = join(dir, `${name}.key`);
  const request = join(dir, `${name}.csr`);
  openssl('req', ...NEW_KEY, '-keyout', pkFile, '-out', request, ...subject(name, hosts));
  const extensions = ['-copy_extensions', 'copyall', '-days', String(days)];
  openssl('x509', '-req', '-in', request, '-signkey', pkFile, ...extensions, '-out', certFile);
  return { certFile, pkFile };
}

/** Makes a certificate that an authority of its own has signed; its file holds both, as a chain does. */
export function makeChain(dir: string, name: string, hosts: string[]): Pair & { caFile: string } {
  const ca = makeCertificate(dir, { name: `${name}-ca`, hosts: [] });
  const { certFile, pkFile } = makeCertificate(dir, { name, hosts });
  const request = join(dir, `${name}.csr`);
  const by = ['-CA', ca.certFile, '-CAkey', ca.pkFile, '-CAcreateserial', '-copy_extensions', 'copyall'];
  openssl('x509', '-req', '-in', request, ...by, '-days', '30', '-out', certFile);
  writeFileSync(certFile, readFileSync(certFile, 'utf8') + readFileSync(ca.certFile, 'utf8'));
  return { certFile, pkFile, caFile: ca.certFile };
}

/** What a transport serves: the first is the main one. */
export function certificates(...all: (Pair & Partial<CertificateFiles>)[]): Certificates {
  const store = new Certificates({ minVersion: 'TLSv1.2', ciphers: [] });
  for (const files of all) store.add({ name: '', host: '', ...files });
  return store;
}
