import type { Config } from '../config/load.ts';
import { messageOf, type WebsockError } from '../errors.ts';
import type { Log } from '../log.ts';
import { type Certificate, CertificateError, type CertificateFiles } from '../transport/certificate.ts';
import type { Certificates } from '../transport/tls.ts';

const DAY = 86_400_000;
/** Days before its end from which on a certificate is warned of. */
const WARN_DAYS = 14;

/** What is wrong with a certificate, by the section, key and line of websock.ini that it comes from. */
export function certificateError(config: Config, { name }: CertificateFiles, error: unknown): WebsockError {
  const key = error instanceof CertificateError ? error.key : 'certFile';
  return config.error(name === '' ? key : `tls.${name}.${key}`, messageOf(error));
}

/**
 * What is to be said of the time that a certificate is valid for; null: nothing.
 * @param now milliseconds since 1970
 */
export function expiryNotice(certificate: Certificate, now: number): { level: 'error' | 'warn'; text: string } | null {
  const { validFrom, validTo } = certificate;
  const what = describe(certificate);
  const renew = 'renew it, then reload (SIGHUP)';
  if (now > validTo) return { level: 'error', text: `${what} has expired on ${dayOf(validTo)}: ${renew}` };
  if (now < validFrom) {
    return {
      level: 'error',
      text: `${what} is not valid before ${dayOf(validFrom)}: is the clock of this host right?`,
    };
  }
  const days = Math.floor((validTo - now) / DAY);
  if (days >= WARN_DAYS) return null;
  return {
    level: 'warn',
    text: `${what} expires on ${dayOf(validTo)}, in ${days} day${days === 1 ? '' : 's'}: ${renew}`,
  };
}

/** Which it is, for a log line. */
function describe({ certFile, host, names }: Certificate): string {
  return `the certificate ${certFile} for ${host === '' ? names : host}`;
}

function dayOf(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}

/** Looks after the certificates of a running daemon: reads them again when told to, and warns before they expire. */
export class CertificateWatch {
  private readonly config: Config;
  private readonly certificates: Certificates;
  private readonly log: Log;
  private timer: NodeJS.Timeout | undefined;

  constructor(config: Config, certificates: Certificates, log: Log) {
    this.config = config;
    this.certificates = certificates;
    this.log = log;
  }

  /** Warns, now and once a day. */
  start(): void {
    this.warn();
    this.timer = setInterval(() => this.warn(), DAY).unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** Reads all files again. What cannot be used is an error in the log, and the old one stays. */
  reload(): void {
    const changed = this.certificates.reload((files, error) => {
      this.log.error(`the old certificate is kept: ${certificateError(this.config, files, error).message}`, {
        file: files.certFile,
      });
    });
    for (const certificate of changed) {
      const { certFile, validTo } = certificate;
      this.log.info(`${describe(certificate)} is new, and served from now on until ${dayOf(validTo)}`, {
        file: certFile,
      });
    }
    this.log.info(`certificates read again: ${this.certificates.all.length}, new: ${changed.length}`);
    this.warn();
  }

  private warn(): void {
    for (const certificate of this.certificates.all) {
      const notice = expiryNotice(certificate, Date.now());
      if (notice !== null) this.log[notice.level](notice.text, { file: certificate.certFile });
    }
  }
}
