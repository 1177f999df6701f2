import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

/**
 * Makes a self-signed certificate and its key by openssl.
 * @param dir where the two files are put.
 * @param options.name stem of the files' names, and the common name. options.hosts: host names and IP addresses.
 */
export function makeCertificate(
  dir: string,
  { name = 'localhost', hosts = ['localhost', '127.0.0.1', '::1'] }: { name?: string; hosts?: string[] } = {},
): { certFile: string; pkFile: string } {
  const certFile = join(dir, `${name}.pem`);
  const pkFile = join(dir, `${name}.key`);
  const names = hosts.map((host) => (/^[\d.]+$|:/.test(host) ? `IP:${host}` : `DNS:${host}`)).join(',');
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
  const files = ['-keyout', pkFile, '-out', certFile];
  const about = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=${names}`, '-days', '2'];
  execFileSync('openssl', ['req', '-x509', ...curve, '-nodes', ...files, ...about], { stdio: 'pipe' });
  return { certFile, pkFile };
}
