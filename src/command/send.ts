/** `websock send`: lines in, one message each. */
import { messageOf } from '../errors.ts';
import { excerpt } from '../log.ts';
import { parsePacket } from '../packet/packet.ts';
import { linesOf } from './lines.ts';
import {
  type Carrier,
  complain,
  LINK_FLAGS,
  numberOf,
  onSignal,
  openLink,
  type Place,
  placeOf,
  waiting,
} from './link.ts';
import { type Command, readCommand } from './options.ts';
import { openPost } from './post.ts';

export const SEND: Command = {
  name: 'send',
  usage: 'URL [options]',
  about: `Sends each line of its input as a message, and waits until each is acknowledged. It prints nothing but errors.

  websock send --message '{"opcode":"broadcast","text":"hello"}' ws://localhost:8096/web
  tail -f access.log | websock send ws://localhost:8096/log      (/log: a resource of yours that takes text)
  websock send -v --json http://localhost:8096/php < packets.ndjson

ws:// and wss:// connect as a web page would, with --ident, --key or --script as a script. With http:// and https:// each
message is a POST with an Idempotency-Key, so that none is handled twice. Empty lines are left out.`,
  flags: {
    message: { short: 'm', value: 'TEXT', multiple: true, help: 'Send TEXT, and read no input; may be repeated.' },
    json: { help: 'Send packets alone, JSON objects with an opcode; say which lines are none.' },
    verbose: { short: 'v', help: 'Print what each message was acknowledged with.' },
    timeout: { short: 't', value: 'S', help: 'Give up when nothing was acknowledged for S seconds. Default 30.' },
    ...LINK_FLAGS,
  },
  notes: 'Exit codes: 0 all were acknowledged, 1 not all, or with an error, 2 this command line is wrong.',
};

/** Messages, and characters of them, that are not acknowledged yet: below what the client keeps waiting. */
const AHEAD = 64;
const AHEAD_LENGTH = 256 * 1024;
const TIMEOUT = 30;

/** Runs it. @returns the exit code. @throws WebsockError */
export async function send(argv: readonly string[]): Promise<number> {
  const { values, positionals } = readCommand(SEND, argv);
  const place = placeOf(positionals, values, process.env);
  const timeout = numberOf(values, 'timeout', false) ?? TIMEOUT;
  const { message, json, verbose } = values;
  const sender = new Sender(place, { timeout, json: json === true, verbose: verbose === true });
  if (!Array.isArray(message)) return sender.run(linesOf(process.stdin));
  return sender.run(message.map((text, i): [number, string] => [i + 1, String(text)]));
}

interface SenderOptions {
  /** Seconds. */
  readonly timeout: number;
  readonly json: boolean;
  readonly verbose: boolean;
}

class Sender {
  private readonly options: SenderOptions;
  private readonly carrier: Carrier;
  /** Those that are under way, oldest first. */
  private readonly pending: { readonly length: number; readonly settled: Promise<void> }[] = [];
  private length = 0;
  private failed = 0;
  private timer: NodeJS.Timeout | undefined;
  private over = false;
  private prints: boolean;

  constructor(place: Place, options: SenderOptions) {
    this.options = options;
    this.prints = options.verbose;
    process.stdout.on('error', ({ code, message }: NodeJS.ErrnoException) => {
      this.prints = false;
      if (code !== 'EPIPE') complain('send', message); // else nobody reads it any more
    });
    const giveUp = (why: string): void => this.giveUp(why);
    this.carrier = place.url.protocol.startsWith('http') ? openPost(place, giveUp) : openSocket(place, giveUp);
  }

  /** Sends them all. @returns the exit code. */
  async run(messages: AsyncIterable<[number, string]> | Iterable<[number, string]>): Promise<number> {
    const offSignal = onSignal(() => this.giveUp('interrupted'));
    try {
      for await (const [number, text] of messages) {
        if (this.over) break;
        if (this.options.json && !isPacket(text)) this.fail(number, `no packet: ${excerpt(text, 60)}`);
        else await this.send(number, text);
      }
      await this.drain(0);
    } catch (error) {
      await this.drain(0);
      // Once it is over, its input was destroyed, not to wait for it.
      if (!this.over) throw error;
    } finally {
      offSignal();
      clearTimeout(this.timer);
      this.carrier.close();
    }
    return this.failed === 0 && !this.over ? 0 : 1;
  }

  /** Resolves when there is room for one more. */
  private async send(number: number, text: string): Promise<void> {
    this.length += text.length;
    if (this.pending.length === 0) this.wait();
    const settled = this.carrier.send(text).then(
      (next) => {
        this.wait();
        if (this.prints) process.stdout.write(`${JSON.stringify(next)}\n`);
        if (next.error !== undefined) this.fail(number, next.error);
      },
      (error: unknown) => this.fail(number, messageOf(error)),
    );
    this.pending.push({ length: text.length, settled });
    await this.drain(this.carrier.ahead - 1);
  }

  /** Waits until at most `count` are under way. */
  private async drain(count: number): Promise<void> {
    while (this.pending.length > count || (this.pending.length > 0 && this.length > AHEAD_LENGTH)) {
      // oxlint-disable-next-line no-await-in-loop -- they are acknowledged in order
      await this.pending[0].settled;
      this.length -= this.pending.shift()?.length ?? 0;
    }
    if (this.pending.length === 0) clearTimeout(this.timer);
  }

  private wait(): void {
    clearTimeout(this.timer);
    const { timeout } = this.options;
    this.timer = setTimeout(() => this.giveUp(`nothing was acknowledged for ${timeout} s`), timeout * 1000);
  }

  /** Of one that was not handled; once it is over, that has been said. */
  private fail(number: number, why: string): void {
    this.failed++;
    if (!this.over) complain('send', `message ${number}: ${why}`);
  }

  private giveUp(why: string): void {
    if (this.over) return;
    this.over = true;
    const left = this.pending.length;
    complain('send', `${why}${left === 0 ? '' : `; not acknowledged: ${left}`}`);
    process.stdin.destroy();
    this.carrier.close();
  }
}

function openSocket(place: Place, giveUp: (why: string) => void): Carrier {
  const { connection, why } = openLink(place);
  let open = true;
  connection.onstate = (state, detail) => {
    if (!open) return;
    if (state === 'closed') giveUp(why(detail));
    else if (state === 'waiting' && place.reconnect) complain('send', waiting(why(detail), detail));
    else if (state === 'waiting') giveUp(why(detail));
  };
  return {
    ahead: AHEAD,
    send: (text) => connection.send(text),
    close: () => {
      open = false;
      connection.close();
    },
  };
}

function isPacket(text: string): boolean {
  try {
    parsePacket(text);
    return true;
  } catch {
    return false; // that is what is asked
  }
}
