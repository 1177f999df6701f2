import { type Client, type NextFields, Resource } from 'websock';
import { calculate } from './lib/calculate.ts';

/** Characters of a command that are read. */
const LONGEST = 200;

/** What a command does: with what follows its name, for whom. @throws Error that says what is wrong with it. */
type Run = (rest: string, client: Client) => string;

const COMMANDS = new Map<string, { readonly run: Run; readonly help: string }>([
  ['time', { run: () => new Date().toISOString(), help: 'the time of the server' }],
  ['uptime', { run: () => duration(process.uptime()), help: 'how long the daemon has been running' }],
  ['whoami', { run: (_, client) => describe(client), help: 'who you are to the daemon' }],
  ['calc', { run: (rest) => String(calculate(rest)), help: 'a sum: calc 2+3*4, with + - * / ( )' }],
  ['quit', { run: (_, client) => leave(client), help: 'leaves' }],
  ['help', { run: () => help(), help: 'this' }],
]);

/**
 * `/command`: a line is a command, and its answer is in its `next`: `{"opcode":"next","fyi":"","answer":"14"}`. So every kind of client
 * knows which answer is whose, a POST too. A command is looked up in a table; there is no shell and no `eval` anywhere near.
 */
export default class Command extends Resource {
  override onData(client: Client, message: string | Buffer): NextFields {
    const line = message.toString().trim();
    if (line.length > LONGEST) return { error: `a command has at most ${LONGEST} characters, this one ${line.length}` };
    const [name] = line.split(/\s/, 1);
    const command = COMMANDS.get(name.toLowerCase());
    if (command === undefined) return { error: `no such command: ${name}; help lists them` };
    try {
      return { answer: command.run(line.slice(name.length), client) };
    } catch (error) {
      return { error: `${name}: ${(error as Error).message}` };
    }
  }
}

function help(): string {
  return [...COMMANDS].map(([name, command]) => `${name}: ${command.help}`).join('\n');
}

function describe({ id, uuid, ident, ip, scheme }: Client): string {
  const named = ident === '' ? 'without a name' : `named ${ident}`;
  return `client ${id}, by ${scheme} from ${ip}, ${named}, ${uuid === '' ? 'without a uuid: a POST' : `uuid ${uuid}`}`;
}

function leave(client: Client): string {
  client.close(1000, 'quit');
  return 'good bye';
}

/** `1 d 2 h 3 min 4 s` */
function duration(seconds: number): string {
  const whole = Math.floor(seconds);
  const parts = [
    [Math.floor(whole / 86_400), 'd'],
    [Math.floor(whole / 3600) % 24, 'h'],
    [Math.floor(whole / 60) % 60, 'min'],
  ] as const;
  return [...parts.filter(([count]) => count > 0), [whole % 60, 's'] as const].map((part) => part.join(' ')).join(' ');
}
