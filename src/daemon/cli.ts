import { readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Config, loadConfig } from '../config/load.ts';
import { printable, SILENT } from '../log.ts';
import { parseArgs } from './args.ts';
import { expiryNotice } from './certificates.ts';
import { Daemon, lastWords } from './daemon.ts';
import { openLogger } from './logger.ts';
import { bindProcess } from './signals.ts';

const PACKAGE = fileURLToPath(new URL('../../package.json', import.meta.url));

/**
 * The program. Exit codes: 0 stopped cleanly (or nothing to do), 1 could not run, or stopped for an error that nobody caught
 * (`[stop] exitOnUncaught`), 2 bad configuration.
 * @param argv without node and script
 */
export async function main(argv: readonly string[]): Promise<void> {
  const { version } = JSON.parse(readFileSync(PACKAGE, 'utf8')) as { version: string };
  const args = parseArgs(argv, version);
  if (args.exit !== undefined) {
    end(args.exit.code, args.exit.text);
    return;
  }
  try {
    const sources = {
      file: args.config,
      args: args.values,
      env: process.env,
      cwd: process.cwd(),
      packageDir: dirname(PACKAGE),
    };
    const config = loadConfig(sources);
    if (args.check) await check(config);
    else await run(config, version);
  } catch (error) {
    const { text, exitCode } = lastWords(error);
    end(exitCode, text);
  }
}

function end(code: number, text: string): void {
  const lines = text.split('\n').map(printable);
  if (code === 0) process.stdout.write(`${lines.join('\n')}\n`);
  else process.stderr.write(lines.map((line) => `websock: ${line}\n`).join(''));
  process.exitCode = code;
}

async function run(config: Config, version: string): Promise<void> {
  const { values } = config;
  const logger = await openLogger({ ...values, level: values.logLevel, ...values.log });
  try {
    logger.info(
      `websock ${version}, Node ${process.version}, process ${process.pid}, ${config.file ?? 'no websock.ini'}`,
    );
    for (const warning of config.warnings) logger.warn(warning);
    const daemon = new Daemon(config, logger);
    bindProcess(daemon, logger, { resources: values.resources, ...values.stop });
    await daemon.load();
    for (const warning of daemon.warnings) logger.warn(warning);
    await daemon.start();
    if (!values.console) {
      const where = values.logfile === '' ? 'nowhere: logfile is empty' : `to ${values.logfile}`;
      process.stdout.write(`websock: logging ${where}; -console shows it here\n`);
    }
  } catch (error) {
    const { text, exitCode } = lastWords(error);
    logger.error(text);
    await logger.close();
    // Said once: on the terminal the log has said it already.
    if (!values.console) end(exitCode, text);
    process.exitCode = exitCode;
    // A resource that was loaded may hold a timer; nothing is served all the same.
    process.exit();
  }
}

/** `--check`: prints what would be served; but for the transport's test on loopback nothing is listened on, or written. */
async function check(config: Config): Promise<void> {
  const daemon = new Daemon(config, SILENT);
  await daemon.load();
  const lines = [`configuration: ${config.file ?? 'none, the defaults'}`];
  for (const warning of [...config.warnings, ...daemon.warnings]) lines.push(`warning: ${warning}`);
  for (const { url, security, host, port } of daemon.plan.addresses) {
    const clients = { plain: 'ws, tcp, HTTP', tls: 'wss, ssl, HTTPS', both: 'ws, tcp, HTTP, wss, ssl, HTTPS' }[
      security
    ];
    const place = host === undefined || url.includes(`:${port}`) ? '' : `, port ${port}`;
    lines.push(`listen: ${url}${place} (${clients})`);
  }
  const transport = await daemon.chooseTransport();
  lines.push(`transport: ${transport.name}${transport.why === null ? '' : `, for ${transport.why}`}`);
  for (const certificate of daemon.plan.tls?.certificates.all ?? []) {
    const { certFile, host } = certificate;
    lines.push(`certificate: ${certFile}${host === '' ? '' : ` for ${host}`}`);
    const notice = expiryNotice(certificate, Date.now());
    if (notice !== null) lines.push(`warning: ${notice.text}`);
  }
  lines.push(`connections: at most ${daemon.plan.limits.maxClients}`);
  for (const { path, accepts, app, dialog } of daemon.router.all()) {
    const { mode } = daemon.plan.guards.of(path) ?? {};
    const asks = mode === undefined ? '' : `, auth ${mode}`;
    const talks = dialog ? '' : ', without the dialog';
    lines.push(`resource: ${path} for ${[...accepts].join(', ')}, app ${app}${talks}${asks}`);
  }
  process.stdout.write(`${lines.map(printable).join('\n')}\n`);
  for (const { file, why } of daemon.refused) end(2, `${basename(file)} is refused: ${why}`);
  process.exit();
}
