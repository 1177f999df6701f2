import { Child } from './child.ts';
import type { HonestReport } from './children/honest.ts';
import type { Shape, SlowOrder, SlowReport } from './children/slow.ts';
import { claimQuiet, claimUnchanged, type Context, Honest, ms, type Scenario, sleep } from './scenario.ts';
import { type LogLine, Target } from './target.ts';

/** Seconds that the last words have, over the limit. */
const CLOSING = 1;
/** Seconds that a deadline, a busy event loop and the client's own may be late. */
const SLACK = 5;

/** The shapes, and the limit that ends each. */
const SHAPES: readonly { shape: Shape; title: string; limit: string }[] = [
  { shape: 'hello', title: 'a TLS hello that never ends', limit: 'tlsTimeout' },
  { shape: 'head', title: 'a request head, byte by byte', limit: 'headTimeout' },
  { shape: 'header', title: 'the header of a frame, byte by byte', limit: 'messageTimeout' },
  { shape: 'payload', title: 'the payload of a frame, byte by byte', limit: 'messageTimeout' },
  { shape: 'unread', title: 'asks for 32 MiB and never reads', limit: 'writeTimeout' },
  { shape: 'line', title: 'a line, byte by byte', limit: 'messageTimeout' },
  { shape: 'body', title: 'the body of a POST, byte by byte', limit: 'bodyTimeout' },
];

/** What the log says when a limit has ended somebody. */
const SAID: Readonly<Record<string, RegExp>> = {
  tlsTimeout: /TLS handshake with .* failed/,
  headTimeout: /refused: 408 no complete request/,
  messageTimeout: /over \[limits\] messageTimeout/,
  writeTimeout: /over \[limits\] writeTimeout/,
  bodyTimeout: /over bodyTimeout/,
};

function ini(limit: number): string {
  const limits = ['tlsTimeout', 'headTimeout', 'messageTimeout', 'writeTimeout'].map((name) => `${name}=${limit}`);
  // Nobody is to make room: what is looked at is how long they are suffered.
  limits.push('maxHandshakes=100000');
  return `[limits]\n${limits.join('\n')}\ncloseTimeout=${CLOSING}\nsendQueue=64KiB\n[http]\nbodyTimeout=${limit}`;
}

/** Sends a wave of attackers, `each` of every shape, within so many seconds. */
async function attack({ loadCpu }: Context, { port }: Target, each: number, within: number): Promise<Child> {
  const child = new Child('slow', loadCpu);
  await Promise.all(
    SHAPES.map(({ shape }, index) => {
      const order: SlowOrder = { port, shape, clients: each, from: `127.0.0.${10 + index}`, within, beat: 1 };
      return child.ask<SlowReport>(order);
    }),
  );
  return child;
}

export const slowloris: Scenario = {
  name: 'slowloris',
  title: 'seven ways to begin something and not to end it, 1,000 of each at once, beside 100 honest clients',
  async run(context) {
    const { quick, secs = quick ? 1 : 10, claim } = context;
    const each = quick ? 20 : 1000;
    /** Seconds that each limit of this run allows. */
    const limit = quick ? 3 : 40;
    const total = each * SHAPES.length;
    const target = await Target.start({
      cpu: context.serverCpu,
      ini: ini(limit),
      tls: 'all',
      first: true,
      files: total + 1000,
    });
    const clients = quick ? 10 : 100;
    const honest = await Honest.start(context, { port: target.port, clients });
    // What the attackers' programs, and the kernel for them, take of the machine hits a daemon that nobody attacks as well.
    const aside = await Target.start({ cpu: context.serverCpu, first: true });
    const others = await Honest.start(context, { port: aside.port, clients });
    // A first wave, small and short: code is compiled, and what is kept for ever is there.
    const empty = target.files;
    const first = await attack(context, target, 20, 0.5);
    await sleep(1);
    await first.kill();
    const left = await target.filesUntil((files) => files <= empty, SLACK);
    claim(`a first wave that is killed is noticed within ${SLACK} s`, !Number.isNaN(left));
    const healthy = await target.health();
    // What waited while garbage was collected for that is none of what is compared.
    await sleep(1);
    await honest.take('warm-up');
    await sleep(secs);
    const before = await honest.take('before');
    target.logged();
    const within = limit * 0.4;
    await others.take('before, at a daemon that nobody attacks');
    const attackers = await attack(context, target, each, within);
    // They are connected when the kernel has them; the daemon takes them in one by one.
    await target.filesUntil((files) => files - healthy.files === total, SLACK);
    const open = target.files - healthy.files;
    claim(`${open} of ${total} attackers are held at the same time`, open === total);
    const arriving = await honest.take('while they arrive');
    const aloof = await others.take('while they arrive, at a daemon that nobody attacks');
    await sleep(limit - within - 0.5);
    const held = await honest.take('while they are held');
    const unharmed = await others.take('while they are held, at a daemon that nobody attacks');
    await others.stop();
    await aside.stop();
    // Who does not read may have his time twice: what the kernel still takes at first is progress.
    const took = await target.filesUntil((files) => files <= healthy.files, within + limit + CLOSING + SLACK);
    const ending = await honest.take('while they are thrown out');
    claim(`${SLACK} s after the last of their limits the daemon is rid of all of them`, !Number.isNaN(took));
    // Who does not read hears of its end when it writes the next time.
    await sleep(3);
    for (const report of await attackers.ask<SlowReport[]>({ report: true })) claimGone(context, report, limit);
    await attackers.kill();
    claimLogged(context, target.logged(), each);
    await sleep(secs);
    const after = await honest.take('after');
    claimSpared(context, honest, { before, arriving, aloof, held, unharmed, ending, after });
    claimUnchanged(context, healthy, await target.health());
    claimQuiet(context, target);
    await honest.stop();
    await target.stop();
  },
};

/** Claims that the honest clients hardly noticed; `aloof` and `unharmed` are those of a daemon that nobody attacked. */
function claimSpared(
  { say }: Context,
  honest: Honest,
  reports: Record<'before' | 'arriving' | 'aloof' | 'held' | 'unharmed' | 'ending' | 'after', HonestReport>,
): void {
  const { before, arriving, aloof, held, unharmed, ending, after } = reports;
  say(`  p99 while they are thrown out: ${ms(ending.p99)}`);
  say('  while nobody attacks → while they are held; before → after:');
  // Something else on the machine may have got in the way of one of the two: it is no excuse.
  honest.claimP99(before.p99 < after.p99 ? before : after, held);
  honest.claimP99(before, after);
  // To take in that many is work for the machine, whomever they come to: who is with another daemon waits as well.
  say('  at the daemon that nobody attacks → here, while they arrive and are held:');
  honest.claimP99(aloof, arriving);
  honest.claimP99(unharmed, held);
}

/** Claims that those of one shape lived as long as their limit lets them. */
function claimGone(
  { claim }: Context,
  { shape, clients, gone, least, most, errors }: SlowReport,
  allowed: number,
): void {
  const { title, limit } = SHAPES.find((one) => one.shape === shape) as (typeof SHAPES)[number];
  // Who does not read is not told, but destroyed closeTimeout later; and the kernel's buffers may have grown in his first time.
  const longest = SLACK + (shape === 'unread' ? 2 * allowed + CLOSING + 1 : allowed);
  const text = `${title}: ${gone} of ${clients} ended after ${least.toFixed(1)} to ${most.toFixed(1)} s (${limit}=${allowed})`;
  const inTime = least >= allowed - 0.1 && most <= longest;
  claim(errors.length === 0 ? text : `${text}; ${errors[0]}`, gone === clients && inTime && errors.length === 0);
}

/** Claims that the log names each limit as often as it has ended somebody. */
function claimLogged({ claim }: Context, lines: readonly LogLine[], each: number): void {
  for (const [limit, said] of Object.entries(SAID)) {
    const count = lines.filter(({ msg }) => said.test(msg)).length;
    const expected = each * SHAPES.filter((one) => one.limit === limit).length;
    claim(`the log names ${limit} ${count} times`, count === expected);
  }
}
