import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { createSecureContext, createServer, type Server, type TLSSocket } from 'node:tls';
import { messageOf } from '../errors.ts';

/** A certificate chain and its private key, both PEM files. */
export interface CertificateFiles {
  /** Host name that it is for (SNI); '' for the one that everybody else gets. */
  readonly host: string;
  readonly certFile: string;
  readonly pkFile: string;
}

export interface TlsOptions {
  readonly certificates: readonly CertificateFiles[];
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
  /** Seconds that a handshake may take. */
  readonly timeout: number;
}

/** Takes a socket whose TLS handshake is done. */
type OnSecure = (socket: TLSSocket) => void;
/** Hears why a handshake failed. */
type OnFailure = (socket: Socket, why: string) => void;

interface Pair {
  readonly cert: string;
  readonly key: string;
}

/**
 * Reads a certificate and its key, and sees that they belong together.
 * @throws Error that names the file and what is wrong with it.
 */
export function readCertificate(files: CertificateFiles): Pair {
  const cert = readPem(files.certFile, 'certificate');
  const key = readPem(files.pkFile, 'private key');
  try {
    createSecureContext({ cert, key });
  } catch (error) {
    const text = messageOf(error);
    if (/key values mismatch/i.test(text)) {
      throw new Error(`the private key ${files.pkFile} does not belong to the certificate ${files.certFile}`, {
        cause: error,
      });
    }
    throw new Error(`${files.certFile} and ${files.pkFile} cannot be used: ${text}`, { cause: error });
  }
  return { cert, key };
}

function readPem(file: string, what: string): string {
  let text: string;
  try {
    text = readFileSync(file, 'latin1');
  } catch (error) {
    throw new Error(`the ${what} cannot be read: ${messageOf(error)}`, { cause: error });
  }
  if (!text.includes('-----BEGIN')) throw new Error(`the ${what} ${file} is not a PEM file`);
  return text;
}

/**
 * A TLS server that never listens: sockets are put into it, raw, and come out when their handshake is done.
 * @throws Error from {@link readCertificate}.
 */
export function createTlsServer(options: TlsOptions, onSecure: OnSecure, onFailure: OnFailure): Server {
  const [main, ...others] = options.certificates;
  const server = createServer({
    ...readCertificate(main),
    minVersion: options.minVersion,
    handshakeTimeout: options.timeout * 1000,
    ALPNProtocols: ['http/1.1'],
    // Else a peer's FIN would be answered before what it is owed has been written.
    allowHalfOpen: true,
  });
  for (const files of others)
    server.addContext(files.host, { ...readCertificate(files), minVersion: options.minVersion });
  server.on('secureConnection', onSecure);
  server.on('tlsClientError', (error, socket) => {
    // OpenSSL's own words, without its numbers and file names.
    const { reason } = error as { reason?: string };
    onFailure(socket, reason ?? messageOf(error));
    socket.destroy();
  });
  return server;
}
