/** What the commands take: their options, and their --help. */
import { parseArgs } from 'node:util';
import { messageOf, WebsockError } from '../errors.ts';

/** An option of a command. */
interface Flag {
  /** A letter for it. */
  readonly short?: string;
  /** What its value is called in --help; none: it is a switch. */
  readonly value?: string;
  /** It may be given several times. */
  readonly multiple?: true;
  readonly help: string;
}

/** A command, for its reader. */
export interface Command {
  readonly name: string;
  /** What follows its name. */
  readonly usage: string;
  /** What it does. */
  readonly about: string;
  readonly flags: Readonly<Record<string, Flag>>;
  /** What is to be known beside the options. */
  readonly notes: string;
}

/** Text, texts, or that a switch is on. */
export type FlagValues = Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>;

const HELP: Flag = { short: 'h', help: 'Print this.' };
const COLUMN = 22;

/** Whether its --help is asked for. */
export function wantsHelp(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return argv.slice(0, end === -1 ? argv.length : end).some((word) => /^(?:-h|--?help)$/.test(word));
}

/**
 * The options and other words of a command line. One dash does as well as two.
 * @throws WebsockError WEBSOCK_CONFIG that says what is wrong with it.
 */
export function readCommand(
  { name, flags }: Command,
  argv: readonly string[],
): { values: FlagValues; positionals: string[] } {
  const end = argv.indexOf('--');
  const args = argv.map((word, i) => (end !== -1 && i > end ? word : word.replace(/^-(?=[A-Za-z][\w-]+)/, '--')));
  const options = Object.fromEntries(
    Object.entries(flags).map(([flag, { short, value, multiple = false }]) => [
      flag,
      { type: value === undefined ? ('boolean' as const) : ('string' as const), multiple, ...(short && { short }) },
    ]),
  );
  try {
    const { values, positionals } = parseArgs({ args, options, allowPositionals: true, strict: true });
    return { values, positionals };
  } catch (error) {
    const [first] = messageOf(error).split(/\. |\n/);
    throw new WebsockError('WEBSOCK_CONFIG', `${first}; websock ${name} --help lists all`, { cause: error });
  }
}

/** The text of --help. */
export function helpText({ name, usage, about, flags, notes }: Command): string {
  const rows = Object.entries({ ...flags, help: HELP }).map(([flag, { short, value, help }]) => {
    const left = `  ${short === undefined ? '' : `-${short}, `}--${flag}${value === undefined ? '' : ` ${value}`}`;
    const lines = help.split('\n').join(`\n${' '.repeat(COLUMN)}`);
    return left.length < COLUMN - 1 ? left.padEnd(COLUMN) + lines : `${left}\n${' '.repeat(COLUMN)}${lines}`;
  });
  return `websock ${name} ${usage}\n\n${about}\n\nOptions\n${rows.join('\n')}\n\n${notes}`;
}
