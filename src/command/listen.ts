/** `websock listen`: what comes, line by line. */
import type { Connection } from '../client/index.ts';
import { printable } from '../log.ts';
import { complain, LINK_FLAGS, numberOf, onSignal, openLink, placeOf, waiting } from './link.ts';
import { type Command, readCommand } from './options.ts';

export const LISTEN: Command = {
  name: 'listen',
  usage: 'URL [options]',
  about: `Connects and prints each message that comes as one line, until it is ended: Ctrl+C.

  websock listen -v ws://localhost:8096/web
  websock listen --ident printer ws://localhost:8096/php
  websock listen --opcode feedback --count 1 --timeout 10 ws://localhost:8096/web

ws:// and wss:// connect as a web page would, with --ident, --key or --script as a script. Text is printed as it
came, line ends in it as spaces; a binary message as {"opcode":"binary","base64":"…"}.`,
  flags: {
    count: { short: 'n', value: 'N', help: 'End after N messages.' },
    timeout: { short: 't', value: 'S', help: 'End after S seconds.' },
    opcode: {
      short: 'o',
      value: 'X',
      multiple: true,
      help: 'Print, and count, packets of this opcode alone; may be repeated.',
    },
    verbose: { short: 'v', help: 'Say on stderr when it is connected, and its uuid.' },
    ...LINK_FLAGS,
  },
  notes: `Exit codes: 0 it has ended as it should (after --count messages; without --count upon Ctrl+C, after --timeout, when nobody
reads what it prints, or when the daemon says goodbye), 1 it could not connect, was closed, or has not seen --count
messages, 2 this command line is wrong.`,
};

/** Runs it. @returns the exit code. @throws WebsockError */
export async function listen(argv: readonly string[]): Promise<number> {
  const { values, positionals } = readCommand(LISTEN, argv);
  const place = placeOf(positionals, values, process.env);
  const count = numberOf(values, 'count', true) ?? 0;
  const timeout = numberOf(values, 'timeout', false);
  const { opcode } = values;
  const opcodes = Array.isArray(opcode) ? new Set(opcode.map(String)) : null;
  const { connection, why } = openLink(place);
  return new Promise((done) => {
    let seen = 0;
    let wasOpen = false;
    let ended = false;
    const end = (code: number, complaint?: string): void => {
      if (ended) return;
      ended = true;
      clearTimeout(timer);
      offSignal();
      if (complaint !== undefined) complain('listen', complaint);
      connection.close();
      done(code);
    };
    /** Ended by somebody, or by the time. */
    const enough = (): void => {
      if (count > 0) end(1, `${seen} of ${count} messages have come`);
      else end(wasOpen ? 0 : 1, wasOpen ? undefined : 'it was never connected');
    };
    const print = (text: string): void => {
      if (ended) return;
      const line = text.replaceAll(/\r\n|[\r\n]/g, ' ');
      // What others send must not steer a terminal.
      process.stdout.write(`${process.stdout.isTTY ? printable(line) : line}\n`);
      if (++seen === count) end(0);
    };
    const offSignal = onSignal(enough);
    const timer = timeout === undefined ? undefined : setTimeout(enough, timeout * 1000);
    process.stdout.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') end(0);
      else end(1, error.message);
    });
    receive(connection, opcodes, print);
    connection.onstate = (state, detail) => {
      if (state === 'open') {
        wasOpen = true;
        if (values['verbose'] === true) complain('listen', `connected, uuid ${connection.uuid}`);
      } else if (state === 'waiting' && place.reconnect) complain('listen', waiting(why(detail), detail));
      else if (state === 'waiting') end(1, why(detail));
      else if (state === 'closed') end(detail.code === 1000 && count === 0 ? 0 : 1, why(detail));
    };
    connection.onlost = (lost) => complain('listen', `${lost} messages were lost`);
    connection.onresumed = ({ resumed }) => {
      if (!resumed) complain('listen', 'connected anew: what was sent in between is lost');
    };
  });
}

/** Hands every message that counts to `print`. */
function receive(connection: Connection, opcodes: ReadonlySet<string> | null, print: (text: string) => void): void {
  connection.on('*', ({ opcode }, text) => {
    if (opcodes === null || opcodes.has(opcode)) print(text);
  });
  // oxlint-disable-next-line prefer-add-event-listener -- it is no EventTarget
  connection.onmessage = (data) => {
    if (typeof data === 'string') {
      if (opcodes === null) print(data);
    } else if (opcodes === null || opcodes.has('binary')) {
      print(JSON.stringify({ opcode: 'binary', base64: Buffer.from(data).toString('base64') }));
    }
  };
}
