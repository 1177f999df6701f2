import { Child } from './child.ts';
import type { Offence, OffenderOrder, OffenderReport } from './children/offender.ts';
import { claimQuiet, claimUnchanged, type Context, Honest, type Scenario, sleep } from './scenario.ts';
import { Target } from './target.ts';

const INI = '[compression]\nenabled=true';
/** Messages a second that are allowed, for who sends ten times as many. */
const RATE = 50;
/** What an offence may cost the honest clients: so many times their p99, which holds all of what it costs the daemon. */
const TIMES = 10;

/** What is done, and what PROTOCOL.md gives for it. */
const OFFENCES: readonly { offence: Offence; title: string; outcome: RegExp }[] = [
  { offence: 'bomb', title: '64 MiB in 64 KiB of DEFLATE', outcome: /^1009$/ },
  { offence: 'fragments', title: 'a message of 16,385 fragments', outcome: /^1009$/ },
  { offence: 'pieces', title: '10,001 pieces after bufferON', outcome: /^1009$/ },
  { offence: 'length', title: 'a frame header that announces 4 GiB', outcome: /^1009$/ },
  { offence: 'path', title: 'a path of 8 KiB', outcome: /^HTTP 4(?:14|31)$/ },
  { offence: 'ident', title: 'an ident of 8 KiB', outcome: /^HTTP 431$/ },
  { offence: 'uuid', title: '{"uuid":true}', outcome: /^\{"opcode":"next","fyi":"","delivered":0\}$/ },
  { offence: 'proto', title: 'the key __proto__', outcome: /^echo and next$/ },
  { offence: 'deep', title: 'JSON nested 100,000 deep, closed again', outcome: /^echo and next$/ },
  { offence: 'rate', title: '10 times messageRate', outcome: /^1008$/ },
];

export const limits: Scenario = {
  name: 'limits',
  title: 'clients that go over a limit each, 20 of them a second, beside 100 honest ones',
  async run(context) {
    await offend(context, INI, (offence) => offence !== 'rate');
    // The rate is for itself: it would be what others go over first.
    await offend(context, `[limits]\nmessageRate=${RATE}`, (offence) => offence === 'rate');
  },
};

/** Lets offences be done, one kind after the other. */
async function offend(context: Context, ini: string, which: (offence: Offence) => boolean): Promise<void> {
  const { quick, secs = quick ? 0.5 : 5, say, claim } = context;
  const target = await Target.start({ cpu: context.serverCpu, ini, files: 4096, first: true });
  const honest = await Honest.start(context, { port: target.port, clients: quick ? 10 : 100 });
  const child = new Child('offender', context.loadCpu);
  const once = (offence: Offence, seconds: number): Promise<OffenderReport> => {
    const order: OffenderOrder = { port: target.port, offence, secs: seconds, rate: 20, messageRate: RATE };
    return child.ask<OffenderReport>(order);
  };
  const all = OFFENCES.filter(({ offence }) => which(offence));
  // oxlint-disable-next-line no-await-in-loop -- one after the other
  for (const { offence } of all) await once(offence, 0.2);
  await sleep(1);
  const healthy = await target.health();
  await honest.take('warm-up');
  await sleep(secs);
  const before = await honest.take('before');
  for (const { offence, title, outcome } of all) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const { count, outcomes } = await once(offence, secs);
    const said = Object.entries(outcomes).map(([text, times]) => `${text} (${times})`);
    claim(
      `${title}: ${count} times, got ${said.join(', ')}`,
      Object.keys(outcomes).every((text) => outcome.test(text)),
    );
    // oxlint-disable-next-line no-await-in-loop
    honest.claimP99(before, await honest.take('meanwhile'), TIMES);
  }
  await sleep(1);
  say('  when all is over:');
  claimUnchanged(context, healthy, await target.health());
  claimQuiet(context, target);
  await child.kill();
  await honest.stop();
  await target.stop();
}
