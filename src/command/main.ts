/** What `websock` does beside being the daemon: its commands, each the first word of the command line. */
import { WebsockError } from '../errors.ts';
import { printable } from '../log.ts';
import { type Command, helpText, wantsHelp } from './options.ts';

interface Loaded {
  readonly about: Command;
  /** @returns the exit code. */
  readonly run: (argv: readonly string[]) => number | Promise<number>;
}

/** Loaded when it is called: the daemon needs none of them, and none of them the daemon. */
const COMMANDS: Readonly<Record<string, () => Promise<Loaded>>> = {
  init: async () => {
    const { INIT, init } = await import('./init.ts');
    return { about: INIT, run: init };
  },
  send: async () => {
    const { SEND, send } = await import('./send.ts');
    return { about: SEND, run: send };
  },
  listen: async () => {
    const { LISTEN, listen } = await import('./listen.ts');
    return { about: LISTEN, run: listen };
  },
};

/** Whether a command line is that of a command. */
export function isCommand(argv: readonly string[]): boolean {
  return argv.length > 0 && Object.hasOwn(COMMANDS, argv[0]);
}

/** Runs a command; its exit code is that of the process. */
export async function runCommand([name, ...argv]: readonly string[]): Promise<void> {
  const { about, run } = await COMMANDS[name]();
  if (wantsHelp(argv)) {
    process.stdout.write(`${helpText(about)}\n`);
    return;
  }
  try {
    process.exitCode = await run(argv);
  } catch (error) {
    if (!(error instanceof WebsockError)) throw error;
    process.stderr.write(`websock ${name}: ${printable(error.message)}\n`);
    process.exitCode = error.exitCode;
  }
}
