import { Child } from './child.ts';
import type { CrowdOrder } from './children/crowd.ts';
import { Namespace } from './namespace.ts';
import { claimQuiet, claimUnchanged, type Context, Honest, type Scenario, sleep } from './scenario.ts';
import { Target } from './target.ts';

/** Seconds of the heartbeat in this run. */
const INTERVAL = 3;
const TIMEOUT = 2;
/** Seconds that the daemon and this script may be late. */
const SLACK = 2;

export const blackhole: Scenario = {
  name: 'blackhole',
  title: 'the network of half of the clients swallows everything: the heartbeat notices, the others do not',
  async run(context) {
    const network = await Namespace.make();
    if (typeof network === 'string') {
      context.skip(network);
      return;
    }
    try {
      await lose(context, network);
    } finally {
      Child.endAll();
      network.remove();
    }
  },
};

async function lose(context: Context, network: Namespace): Promise<void> {
  const { quick, claim, loadCpu } = context;
  const half = quick ? 10 : 250;
  const ini = `[heartbeat]\ninterval=${INTERVAL}\ntimeout=${TIMEOUT}`;
  const more = [`ws://${network.host}`];
  const target = await Target.start({ cpu: context.serverCpu, ini, more, files: 2048 });
  const honest = await Honest.start(context, { port: target.port, clients: 10 });
  const crowd = async (child: Child, host: string, port: number, clients: number): Promise<void> => {
    const order: CrowdOrder = { host, port, clients, unfinished: false };
    await child.ask(order);
  };
  const near = new Child('crowd', loadCpu);
  const far = new Child('crowd', loadCpu, network.within);
  await crowd(near, '127.0.0.1', target.port, half);
  await sleep(0.2);
  const without = await target.health();
  await crowd(far, network.host, target.morePorts[0], half);
  // Pings are answered: nobody is thrown out who is there.
  await sleep(INTERVAL + TIMEOUT + SLACK);
  const there = await target.health();
  claim(
    `${there.clients - without.clients} of ${half} clients beyond are there after a heartbeat`,
    there.clients - without.clients === half,
  );
  target.logged();
  await network.swallow();
  const within = INTERVAL + TIMEOUT + SLACK;
  // Cut off, they still have closeTimeout to answer the Close frame.
  const took = await target.filesUntil((files) => files <= without.files, within + 5 + SLACK);
  await sleep(0.2);
  const closed = target.logged().filter(({ msg }) => / closed: 4408 /.test(msg));
  const last = Math.max(...closed.map(({ time }) => Date.parse(String(time))));
  claim(`${closed.length} of ${half} clients beyond were closed with 4408`, closed.length === half);
  const seconds = (last - network.swallowed) / 1000;
  claim(`the last of them ${seconds.toFixed(1)} s after the network was gone, at most ${within} s`, seconds <= within);
  claim(`their sockets are gone after ${(took / 1000).toFixed(1)} s`, !Number.isNaN(took));
  await honest.take('meanwhile');
  claimUnchanged(context, without, await target.health());
  claimQuiet(context, target);
  await honest.stop();
  await target.stop();
}
