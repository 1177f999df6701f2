import { Child } from './child.ts';
import type { CrowdOrder } from './children/crowd.ts';
import { claimQuiet, claimUnchanged, Honest, type Scenario, sleep } from './scenario.ts';
import { Target } from './target.ts';

/** Seconds within which the daemon must have heard of all of them: the kernel tells it at once. */
const SOON = 2;

export const kill9: Scenario = {
  name: 'kill9',
  title: '500 clients in four processes, killed by SIGKILL in the middle of a message',
  async run(context) {
    const { quick, say, claim } = context;
    const each = quick ? 10 : 125;
    const target = await Target.start({ cpu: context.serverCpu, files: 1024 });
    const honest = await Honest.start(context, { port: target.port, clients: 10 });
    const order: CrowdOrder = { host: '127.0.0.1', port: target.port, clients: each, unfinished: true };
    const crowd = async (processes: number): Promise<Child[]> => {
      const children = Array.from({ length: processes }, () => new Child('crowd', context.loadCpu));
      await Promise.all(children.map((child) => child.ask(order)));
      return children;
    };
    // A first crowd, so that what is kept for ever is there.
    const files = target.files;
    await Promise.all((await crowd(1)).map((child) => child.kill()));
    await target.filesUntil((now) => now <= files, SOON);
    await sleep(0.2);
    const before = await target.health();
    target.logged();
    const children = await crowd(4);
    const there = await target.health();
    claim(`${there.clients - before.clients} clients are there`, there.clients - before.clients === 4 * each);
    say(`  with half a message each they take ${((there.external - before.external) / (1 << 20)).toFixed(1)} MiB`);
    await Promise.all(children.map((child) => child.kill('SIGKILL')));
    const took = await target.filesUntil((now) => now <= before.files, SOON);
    claim(`all of them were noticed within ${took.toFixed(0)} ms`, !Number.isNaN(took));
    await sleep(0.2);
    const closed = target.logged().filter(({ msg }) => msg.includes('closed by the client: 1006')).length;
    claim(`the log says of ${closed} that they have gone without a Close frame`, closed === 4 * each);
    await honest.take('meanwhile');
    claimUnchanged(context, before, await target.health());
    claimQuiet(context, target);
    await honest.stop();
    await target.stop();
  },
};
