/** The command line: yargs splits it and lays out --help; what is allowed comes from the option table. */
import yargs from 'yargs';
import { BY_NAME, envName, fullName, OPTIONS, SECTIONS } from '../config/options.ts';
import { unknownOption } from '../config/sources.ts';
import type { Option } from '../config/shapes.ts';
import { allowedText, formatValue } from '../config/values.ts';
import { printable } from '../log.ts';

/** What the command line asks for. */
export interface Args {
  /** --config: the ini to load. */
  readonly config?: string;
  /** --check: load everything, say what would be served, and end. */
  readonly check: boolean;
  /** Full name of an option -> its value; text except for switches without a value. For `loadConfig`. */
  readonly values: Record<string, string | boolean>;
  /** The program ends here: with this code, after writing this text (to stdout for code 0, else to stderr). */
  readonly exit?: { readonly code: 0 | 2; readonly text: string };
}

/** What is no option of the table: name -> help. */
const ACTIONS = {
  config: 'The ini file to use. Default: websock.ini here, else the one of the package.',
  check: 'Load configuration, certificates and resources, print what would be served, and end.',
  version: 'Print the version.',
  help: 'Print this.',
} as const;

const WIDTH = 100;

/**
 * Reads the command line. It neither writes nor exits.
 *
 * @param argv without node and script, as in `process.argv.slice(2)`
 * @param version what --version prints
 */
export function parseArgs(argv: readonly string[], version: string): Args {
  const found = split(argv);
  const errors: string[] = [];
  const values: Record<string, string | boolean> = {};
  const actions: Record<keyof typeof ACTIONS, string | boolean> = {
    config: '',
    check: false,
    version: false,
    help: false,
  };
  for (const extra of found.extra)
    errors.push(
      `command line: '${printable(extra)}' is not expected; options begin with -, and the commands are init, send and listen`,
    );
  for (const [name, value] of found.options) {
    const shown = `command line --${printable(name)}`;
    const option = BY_NAME.get(name);
    if (option === undefined && !isAction(name)) {
      errors.push(`${shown}: ${unknownOption(name, Object.keys(ACTIONS))}`);
    } else if (Array.isArray(value)) {
      errors.push(`${shown}: it is given ${value.length} times; allowed: once`);
    } else if (isSwitch(name)) {
      const on = value === true || value === 'true';
      if (!on && value !== false && value !== 'false') {
        errors.push(`${shown}: found '${printable(value)}'; allowed: true or false`);
      }
      if (isAction(name)) actions[name] = on;
      else values[name] = on;
    } else if (value === false) {
      errors.push(`command line --no-${printable(name)}: no- is for options that are true or false`);
    } else if (value === true && option?.type !== 'secret') {
      errors.push(`${shown}: it needs a value; allowed: ${option === undefined ? 'a path' : allowedText(option)}`);
    } else if (name === 'config' && value === '') {
      errors.push(`${shown}: found ''; allowed: a path`);
    } else if (isAction(name)) {
      actions[name] = value;
    } else {
      values[name] = value;
    }
  }
  const args: Args = { check: actions.check === true, values };
  if (actions.help === true) return { ...args, exit: { code: 0, text: helpText() } };
  if (actions.version === true) return { ...args, exit: { code: 0, text: version } };
  if (errors.length > 0) return { ...args, exit: { code: 2, text: errors.join('\n') } };
  return found.options.has('config') ? { ...args, config: String(actions.config) } : args;
}

function isAction(name: string): name is keyof typeof ACTIONS {
  return Object.hasOwn(ACTIONS, name);
}

/** Whether `name` may stand without a value. */
function isSwitch(name: string): boolean {
  return isAction(name) ? name !== 'config' : BY_NAME.get(name)?.type === 'boolean';
}

type Found = string | boolean | unknown[];

/** Names and values as yargs finds them, and what is left over. An option given more than once has an array. */
function split(argv: readonly string[]): { options: Map<string, Found>; extra: string[] } {
  // Then -console is --console in every respect: yargs takes -no-console for an option called so.
  const long = argv.map((word) => (word === '-h' ? '--help' : word.replace(/^-(?=[A-Za-z])/, '--')));
  const options = new Map<string, Found>();
  for (const word of long) {
    const name = /^--(?:no-)?([^=]*)/.exec(word)?.[1];
    // yargs stumbles over --constructor and the like: they are the one thing reported then.
    if (name !== undefined && name in Object.prototype) return { options: options.set(name, true), extra: [] };
  }
  const parsed: Record<string, unknown> = parser().help(false).version(false).parseSync(long);
  for (const [name, value] of Object.entries(parsed)) {
    if (name === '_' || name === '$0') continue;
    options.set(name, Array.isArray(value) || typeof value === 'boolean' ? value : String(value));
  }
  return { options, extra: Array.isArray(parsed['_']) ? parsed['_'].map(String) : [] };
}

/** No types are told to yargs: it would turn sizes into numbers, and `--console=maybe` into false. */
function parser(): ReturnType<typeof yargs> {
  return yargs([])
    .parserConfiguration({
      'short-option-groups': false,
      'camel-case-expansion': false,
      'dot-notation': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
    })
    .locale('en')
    .exitProcess(false)
    .fail(false);
}

function helpText(): string {
  let help = parser()
    .scriptName('websock')
    .usage(
      'websock [options]\n\nThe socket daemon: ws, wss, tcp and ssl clients and HTTP posts on one port.\n\n' +
        'Commands, each with a --help of its own:\n' +
        '  websock init [dir]    make a folder to begin with: websock.ini, resources, a test, a unit file\n' +
        '  websock send URL      send lines as messages\n' +
        '  websock listen URL    print messages as lines',
    )
    .help(false)
    .version(false)
    .wrap(WIDTH);
  for (const [name, text] of Object.entries(ACTIONS)) help = help.option(name, { group: 'Actions', describe: text });
  for (const [section, heading] of Object.entries(SECTIONS)) {
    for (const option of OPTIONS as readonly Option[]) {
      if (option.section !== section) continue;
      const allowed = option.type === 'secret' ? 'not on the command line' : allowedText(option);
      help = help.option(fullName(section, option.key), {
        group: section === '' ? heading : `[${section}] ${heading}`,
        describe: `${option.help} [${allowed}; default: ${formatValue(option, option.default) || 'none'}]`,
        ...(option.aliases === undefined ? {} : { alias: option.aliases }),
      });
    }
  }
  help = help.epilogue(
    `One dash does as well as two: -console. --no-console is --console=false.\n` +
      `Each option is an environment variable, too: --limits.maxPayload is ${envName('limits.maxPayload')}.\n` +
      `The command line comes first, then the environment, then websock.ini, then the default.`,
  );
  let text = '';
  help.showHelp((shown) => {
    text = shown;
  });
  return text;
}
