import { describeThrown, messageOf, traceOf } from '../errors.ts';
import type { Daemon } from './daemon.ts';
import type { Logger } from './logger.ts';

/** Binds the daemon's life to the signals and the last resorts of its process. */
export function bindProcess(daemon: Daemon, logger: Logger): void {
  let stopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    if (stopping) {
      logger.warn(`${signal} again: exiting at once`);
      logger.flushSync();
      process.exit(1);
    }
    stopping = true;
    logger.info(`${signal} received`);
    void daemon
      .stop()
      .catch((error: unknown) => logger.error(`the stop failed: ${messageOf(error)}`))
      .then(() => logger.info('Server stopped'))
      .then(() => logger.close())
      .finally(() => process.exit(0));
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  process.on('SIGHUP', () => {
    logger.reopen();
    logger.info('SIGHUP: the log is opened again, where it says rotate=external');
    daemon.reload();
  });
  // From a plugin's own timer or promise: nobody's client is known, and the others are served on.
  const stray = (error: unknown): void => {
    logger.error(`nobody caught this error: ${describeThrown(error)}`, { stack: traceOf(error) });
  };
  process.on('uncaughtException', stray);
  process.on('unhandledRejection', stray);
}
