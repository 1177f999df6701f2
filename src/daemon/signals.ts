import { messageOf } from '../errors.ts';
import type { Daemon } from './daemon.ts';
import type { Logger } from './logger.ts';
import { Uncaught } from './uncaught.ts';

/** What the process does upon an error that nobody caught. */
export interface LastResort {
  /** The folder of the resources, absolute. */
  readonly resources: string;
  /** `[stop] exitOnUncaught`. */
  readonly exitOnUncaught: boolean;
}

/** Binds the daemon's life to the signals and the last resorts of its process. */
export function bindProcess(daemon: Daemon, logger: Logger, { resources, exitOnUncaught }: LastResort): void {
  let stopping = false;
  const stop = (code: number): void => {
    stopping = true;
    void daemon
      .stop()
      .catch((error: unknown) => logger.error(`the stop failed: ${messageOf(error)}`))
      .then(() => logger.info('Server stopped'))
      .then(() => logger.close())
      .finally(() => process.exit(code));
  };
  const onSignal = (signal: NodeJS.Signals): void => {
    if (stopping) {
      logger.warn(`${signal} again: exiting at once`);
      logger.flushSync();
      process.exit(1);
    }
    logger.info(`${signal} received`);
    stop(0);
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  process.on('SIGHUP', () => {
    logger.reopen();
    logger.info('SIGHUP: the log is opened again, where it says rotate=external');
    daemon.reload();
  });
  // From a plugin's own timer or promise, or a bug of ours: nobody's client is known, and the others are served on.
  const uncaught = new Uncaught(resources);
  const stray = (error: unknown): void => {
    const { text, fields } = uncaught.describe(error);
    logger.error(text, fields);
    if (!exitOnUncaught || stopping) return;
    logger.error('[stop] exitOnUncaught is set: the daemon stops');
    stop(1);
  };
  process.on('uncaughtException', stray);
  process.on('unhandledRejection', stray);
}
