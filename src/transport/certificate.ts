import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { domainToASCII } from 'node:url';
import { messageOf } from '../errors.ts';

/** A certificate chain and its private key, both PEM files. */
export interface CertificateFiles {
  /** NAME of its section `[tls.NAME]`; '' for the main one, `certFile` and `pkFile`. */
  readonly name: string;
  /** Host name that it is for (SNI), or `*.` and a name; '' for the main one, which everybody else gets. */
  readonly host: string;
  readonly certFile: string;
  readonly pkFile: string;
}

/** What was in them: it belongs together. */
export interface Certificate extends CertificateFiles {
  /** In lower case and ASCII, without a dot at its end. */
  readonly host: string;
  /** The chain, PEM, the server's own certificate first. */
  readonly cert: string;
  /** PEM. */
  readonly key: string;
  /** The names and addresses that the certificate itself is for, for a person. */
  readonly names: string;
  /** Milliseconds since 1970. */
  readonly validFrom: number;
  readonly validTo: number;
}

/** What is wrong with a certificate, and the key of websock.ini that it is about. */
export class CertificateError extends Error {
  readonly key: 'host' | 'certFile' | 'pkFile';

  constructor(key: CertificateError['key'], message: string, cause?: unknown) {
    super(message, { cause });
    this.key = key;
  }
}

const CERTIFICATE = /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[^-]*-----END (?:X509 |TRUSTED )?CERTIFICATE-----/g;
const PRIVATE_KEY = /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[^]*?-----END [A-Z0-9 ]*PRIVATE KEY-----/;
const NAMES_SHOWN = 3;

/**
 * Reads a certificate and its key, and sees that they belong together and are for the host that they are given for.
 * @throws CertificateError that names the file and what is wrong with it.
 */
export function readCertificate(files: CertificateFiles): Certificate {
  const { certFile, pkFile } = files;
  const host = files.host === '' ? '' : hostName(files.host);
  const { cert, chain } = readChain(certFile);
  const { pem, key } = readKey(pkFile);
  const own = chain.findIndex((one) => one.checkPrivateKey(key));
  if (own === -1) {
    throw new CertificateError('pkFile', `the private key ${pkFile} does not belong to the certificate ${certFile}`);
  }
  if (own > 0) {
    const text = `the chain ${certFile} is in the wrong order: its certificate number ${own + 1} is the one of the private key ${pkFile}, and has to come first`;
    throw new CertificateError('certFile', text);
  }
  const [leaf] = chain;
  const names = namesOf(leaf);
  if (host !== '' && leaf.checkHost(host) === undefined) {
    throw new CertificateError('certFile', `the certificate ${certFile} is not for the host ${host}, but for ${names}`);
  }
  return {
    ...files,
    host,
    cert,
    key: pem,
    names,
    validFrom: Date.parse(leaf.validFrom),
    validTo: Date.parse(leaf.validTo),
  };
}

/**
 * A host name as clients ask for it: an umlaut as `xn--`, no dot at its end.
 * @throws CertificateError if it is none.
 */
function hostName(host: string): string {
  const wild = host.startsWith('*.') ? '*.' : '';
  const name = domainToASCII(host.slice(wild.length)).replace(/\.$/, '');
  // `1.2` is an address too, and comes out as one.
  if (isIP(host) !== 0 || isIP(name) !== 0) {
    throw new CertificateError('host', `'${host}' is an address, for which no client asks by name: it gets certFile`);
  }
  if (!/^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/.test(name)) {
    throw new CertificateError('host', `'${host}' is no host name: give www.example.org, or *.example.org`);
  }
  return wild + name;
}

function readText(file: string, key: 'certFile' | 'pkFile', what: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch (error) {
    throw new CertificateError(key, `the ${what} cannot be read: ${messageOf(error)}`, error);
  }
}

function readChain(file: string): { cert: string; chain: X509Certificate[] } {
  const text = readText(file, 'certFile', 'certificate');
  const blocks = text.match(CERTIFICATE) ?? [];
  if (blocks.length === 0) {
    if (!text.includes('-----BEGIN ')) throw notPem('certFile', `the certificate ${file}`);
    const holds = PRIVATE_KEY.test(text) ? ' but a private key: is it the one for pkFile?' : '';
    throw new CertificateError('certFile', `there is no certificate in ${file}${holds}`);
  }
  const chain = blocks.map((block, index) => {
    try {
      return new X509Certificate(block);
    } catch (error) {
      const which = blocks.length === 1 ? '' : `, number ${index + 1} of ${blocks.length}`;
      throw new CertificateError('certFile', `the certificate ${file}${which} is broken: ${messageOf(error)}`, error);
    }
  });
  return { cert: `${blocks.join('\n')}\n`, chain };
}

function readKey(file: string): { pem: string; key: KeyObject } {
  const text = readText(file, 'pkFile', 'private key');
  const block = PRIVATE_KEY.exec(text)?.[0];
  if (block === undefined) {
    if (!text.includes('-----BEGIN ')) throw notPem('pkFile', `the private key ${file}`);
    const holds = text.includes('CERTIFICATE-----') ? ' but a certificate: is it the one for certFile?' : '';
    throw new CertificateError('pkFile', `there is no private key in ${file}${holds}`);
  }
  if (/^-----BEGIN ENCRYPTED |^Proc-Type: 4,ENCRYPTED/m.test(block)) {
    const advice = `openssl pkey -in ${file} -out FILE writes it without one`;
    throw new CertificateError(
      'pkFile',
      `the private key ${file} has a passphrase, and a daemon has nobody to ask: ${advice}`,
    );
  }
  try {
    return { pem: `${block}\n`, key: createPrivateKey(block) };
  } catch (error) {
    throw new CertificateError('pkFile', `the private key ${file} is broken: ${messageOf(error)}`, error);
  }
}

function notPem(key: 'certFile' | 'pkFile', what: string): CertificateError {
  return new CertificateError(key, `${what} is not a PEM file (-----BEGIN …)`);
}

/** `www.example.org, example.org`, and how many more. */
function namesOf(certificate: X509Certificate): string {
  const all = (certificate.subjectAltName ?? '').split(', ').map((name) => name.replace(/^[A-Za-z ]+:/, ''));
  if (all[0] === '') all[0] = /^CN=(.*)$/m.exec(certificate.subject)?.[1] ?? 'nobody';
  const more = all.length - NAMES_SHOWN;
  return all.slice(0, NAMES_SHOWN).join(', ') + (more > 0 ? ` and ${more} more` : '');
}
