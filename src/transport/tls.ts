import { constants } from 'node:crypto';
import type { Socket } from 'node:net';
import {
  createSecureContext,
  createServer,
  getCiphers,
  type SecureContext,
  type SecureContextOptions,
  type Server,
  type TLSSocket,
} from 'node:tls';
import { messageOf } from '../errors.ts';
import { type Certificate, CertificateError, type CertificateFiles, readCertificate } from './certificate.ts';

/** Of TLS 1.2: those with forward secrecy and authenticated encryption, for keys on curves and for RSA keys. */
const CIPHERS = [
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
];

/** What is spoken: the values of `[tls]`. */
export interface TlsSettings {
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
  /** Of TLS 1.2, the preferred first, by OpenSSL's names: {@link checkCiphers}. None: {@link CIPHERS}. */
  readonly ciphers: readonly string[];
}

export interface TlsOptions {
  readonly certificates: Certificates;
  /** Seconds that a handshake may take. */
  readonly timeout: number;
}

/** Takes a socket whose TLS handshake is done. */
type OnSecure = (socket: TLSSocket) => void;
/** Hears why a handshake failed; `late`: because it took too long. */
type OnFailure = (socket: Socket, why: string, late: boolean) => void;

interface Entry {
  certificate: Certificate;
  context: SecureContext;
}

/**
 * Checks `[tls] ciphers`.
 * @throws Error that names the one that is not known.
 */
export function checkCiphers(ciphers: readonly string[]): void {
  const known = new Set(getCiphers());
  for (const cipher of ciphers) {
    if (/^TLS_/i.test(cipher)) throw new Error(`'${cipher}' is one of TLS 1.3, which are not chosen from`);
    if (!known.has(cipher.toLowerCase())) {
      throw new Error(`'${cipher}' is not known: give OpenSSL's names, as 'openssl ciphers' prints them`);
    }
  }
}

/** The certificates that are served, by the host names that clients ask for (SNI, RFC 6066 §3). */
export class Certificates {
  private readonly settings: SecureContextOptions;
  private readonly entries: Entry[] = [];
  private readonly byHost = new Map<string, Entry>();
  private readonly servers: Server[] = [];

  constructor({ minVersion, ciphers }: TlsSettings) {
    this.settings = {
      minVersion,
      ciphers: (ciphers.length === 0 ? CIPHERS : ciphers).join(':'),
      honorCipherOrder: true,
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_NO_COMPRESSION,
    };
  }

  /** All of them, the main one first. */
  get all(): Certificate[] {
    return this.entries.map(({ certificate }) => certificate);
  }

  /**
   * Adds one. The first is the main one.
   * @throws CertificateError if it cannot be used, or its host has one already.
   */
  add(files: CertificateFiles): void {
    const entry = this.read(files);
    const { host } = entry.certificate;
    const other = this.byHost.get(host)?.certificate;
    if (other !== undefined)
      throw new CertificateError('host', `${host} has a certificate already: [tls.${other.name}]`);
    this.entries.push(entry);
    this.byHost.set(host, entry);
  }

  /**
   * Reads all files again; handshakes that begin from now on get what is in them. Connections stay as they are.
   * @param failed hears of what cannot be used: in its place the old one stays.
   * @returns those that are not what they were.
   */
  reload(failed: (files: CertificateFiles, error: unknown) => void): Certificate[] {
    const changed: Certificate[] = [];
    for (const entry of this.entries) {
      const { certificate } = entry;
      try {
        const { certificate: found, context } = this.read(certificate);
        if (found.cert === certificate.cert && found.key === certificate.key) continue;
        Object.assign(entry, { certificate: found, context });
        changed.push(found);
      } catch (error) {
        failed(certificate, error);
      }
    }
    if (changed.some(({ host }) => host === '')) {
      for (const server of this.servers) server.setSecureContext(this.mainOptions());
    }
    return changed;
  }

  /** A server that gives everybody what it asks for, also after a reload. */
  createServer(options: { handshakeTimeout: number; ALPNProtocols: string[] }): Server {
    // Where nobody can ask for another, a handshake need not stop to look.
    const SNICallback =
      this.entries.length < 2
        ? undefined
        : (name: string, done: (error: Error | null, context?: SecureContext) => void) =>
            done(null, this.entryFor(name)?.context);
    const server = createServer({ ...this.mainOptions(), ...options, SNICallback });
    this.servers.push(server);
    return server;
  }

  /** undefined: it gets the main one. A `*` stands for one label (RFC 6125 §6.4.3). */
  private entryFor(servername: string): Entry | undefined {
    const name = servername.toLowerCase().replace(/\.$/, '');
    const dot = name.indexOf('.');
    return this.byHost.get(name) ?? (dot > 0 ? this.byHost.get(`*${name.slice(dot)}`) : undefined);
  }

  private mainOptions(): SecureContextOptions {
    const [{ certificate }] = this.entries;
    return { ...this.settings, cert: certificate.cert, key: certificate.key };
  }

  private read(files: CertificateFiles): Entry {
    const certificate = readCertificate(files);
    const { cert, key, certFile, pkFile } = certificate;
    try {
      return { certificate, context: createSecureContext({ ...this.settings, cert, key }) };
    } catch (error) {
      // Such as a key that is too short.
      throw new CertificateError('certFile', `${certFile} and ${pkFile} cannot be used: ${messageOf(error)}`, error);
    }
  }
}

/** A TLS server that never listens: sockets are put into it, raw, and come out when their handshake is done. */
export function createTlsServer(options: TlsOptions, onSecure: OnSecure, onFailure: OnFailure): Server {
  const server = options.certificates.createServer({
    handshakeTimeout: options.timeout * 1000,
    ALPNProtocols: ['http/1.1'],
  });
  server.on('secureConnection', (socket) => {
    // Else a peer's FIN would be answered before what it is owed has been written.
    socket.allowHalfOpen = true;
    onSecure(socket);
  });
  server.on('tlsClientError', (error, socket) => {
    // OpenSSL's own words, without its numbers and file names.
    const { reason, code } = error as { reason?: string; code?: string };
    onFailure(socket, reason ?? messageOf(error), code === 'ERR_TLS_HANDSHAKE_TIMEOUT');
    socket.destroy();
  });
  return server;
}
