import { checkOrigins, parseRanges } from '../connection/access.ts';
import { checkHosts } from '../connection/hosts.ts';
import type { LimitValues } from '../connection/limits.ts';
import { type Config, readableByAll } from '../config/load.ts';
import { messageOf } from '../errors.ts';
import { makeGuards, type PathGuards } from './guards.ts';
import { type ListenAddress, parseAddresses } from '../transport/address.ts';
import { Certificates, checkCiphers, type TlsOptions } from '../transport/tls.ts';
import { certificateError } from './certificates.ts';
import { clientsWithin, openFilesLimit, SPARE_FILES } from './openfiles.ts';
import { checkSecrets } from './secrets.ts';

/** A configuration whose values have been looked into: what the daemon is going to do. */
export interface Plan {
  readonly addresses: readonly ListenAddress[];
  /** undefined: nothing listens with TLS. */
  readonly tls: TlsOptions | undefined;
  readonly limits: LimitValues;
  readonly guards: PathGuards;
  /** How many files this process may have open. */
  readonly openFiles: number;
  /** One line each, for the log. */
  readonly warnings: readonly string[];
}

/**
 * Looks into the values that the option table cannot judge: addresses, certificates, ranges, origins.
 * @throws WebsockError WEBSOCK_CONFIG that names the option, where it was set, and what is wrong.
 */
export function makePlan(config: Config): Plan {
  const { values } = config;
  const judge = <Result>(name: string, check: () => Result): Result => {
    try {
      return check();
    } catch (error) {
      throw config.error(name, messageOf(error));
    }
  };
  const addresses = judge('adress', () => parseAddresses(values.adress));
  judge('security.allowedOrigins', () => checkOrigins(values.security.allowedOrigins));
  judge('security.hosts', () => checkHosts(values.security.hosts));
  judge('security.trustedProxies', () => parseRanges(values.security.trustedProxies));
  judge('backend.allowed', () => parseRanges(values.backend.allowed));
  const warnings = checkSecrets(config);
  const proxied = addresses.find(({ proxyProtocol }) => proxyProtocol);
  if (proxied !== undefined && values.security.trustedProxies.length === 0) {
    throw config.error(
      'adress',
      `${proxied.url} takes connections of trusted proxies alone, and there are none: name their addresses in [security] trustedProxies`,
    );
  }
  const secure = addresses.find(({ security }) => security !== 'plain');
  const { maxClients } = values.limits;
  const openFiles = openFilesLimit();
  if (maxClients > clientsWithin(openFiles)) warnings.push(tooFewFiles(config, openFiles));
  const tls = secure === undefined ? undefined : tlsOptions(config, secure, judge);
  for (const { pkFile } of tls?.certificates.all ?? []) {
    const warning = readableByAll(pkFile);
    if (warning !== null) warnings.push(warning);
  }
  return {
    guards: makeGuards(config, warnings),
    warnings,
    addresses,
    tls,
    limits: {
      ...values.limits,
      ...values.http,
      ...values.dialog,
      // What is kept is sent again at once.
      keepBytes: Math.min(values.dialog.keepBytes, values.limits.sendQueue),
      heartbeatInterval: values.heartbeat.interval,
      heartbeatTimeout: values.heartbeat.timeout,
      maxClients: maxClients === 0 ? clientsWithin(openFiles) : maxClients,
    },
    openFiles,
  };
}

function tooFewFiles(config: Config, openFiles: number): string {
  const { maxClients } = config.values.limits;
  return (
    `${config.where('limits.maxClients')}: ${maxClients} connections need a limit of ${maxClients + SPARE_FILES} open files, and it is ` +
    `${openFiles}: more than about ${clientsWithin(openFiles)} are cut off without a word; raise it (LimitNOFILE=, ulimit -n)`
  );
}

type Judge = <Result>(name: string, check: () => Result) => Result;

function tlsOptions(config: Config, secure: ListenAddress, judge: Judge): TlsOptions {
  const { values } = config;
  const { certFile, pkFile } = values;
  if (certFile === '') throw config.error('adress', `${secure.url} needs a certificate: set certFile and pkFile`);
  if (pkFile === '') throw config.error('adress', `${secure.url} needs the private key of its certificate: set pkFile`);
  judge('tls.ciphers', () => checkCiphers(values.tls.ciphers));
  const certificates = new Certificates(values.tls);
  for (const files of [{ name: '', host: '', certFile, pkFile }, ...values.named.tls]) {
    try {
      certificates.add(files);
    } catch (error) {
      throw certificateError(config, files, error);
    }
  }
  return { certificates, timeout: values.limits.tlsTimeout };
}
