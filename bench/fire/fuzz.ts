import { connect } from 'node:net';
import { BenchError } from '../processes.ts';
import { Child } from './child.ts';
import type { FuzzOrder, FuzzReport } from './children/fuzzer.ts';
import { claimQuiet, claimUnchanged, type Context, ms, type Scenario, sleep } from './scenario.ts';
import { Target } from './target.ts';
import { frame, ServerReader, upgrade } from './wire.ts';

/** After so many cases an honest client must be answered. */
const BATCH = 1000;
/** Milliseconds that it waits for that. */
const PATIENCE = 10_000;

/** Seconds that a session waits. */
const RESUME = 1;
const INI = `[limits]
headTimeout=2
proxyTimeout=2
tlsTimeout=2
messageTimeout=2
handlerTimeout=5
writeTimeout=2
closeTimeout=1
[http]
bodyTimeout=2
keepAliveTimeout=1
[compression]
enabled=true
threshold=0
[dialog]
resume=${RESUME}
[security]
trustedProxies=127.0.0.0/8`;

/** Beside a plain listener on the direct transport: those on net, with TLS too; and those that want a PROXY header. */
const MORE = ['ws+wss://127.0.0.1', 'ws://127.0.0.1?proxyProtocol=true', 'ws+wss://127.0.0.1?proxyProtocol=true'];

/** A new client comes in, is answered, and leaves. @returns milliseconds that it took. */
async function honest(port: number): Promise<number> {
  const began = performance.now();
  const socket = connect(port, '127.0.0.1');
  try {
    await new Promise<void>((done, fail) => {
      const text = `are you there at ${began}?`;
      const reader = new ServerReader((op, payload) => {
        if (op === 1 && payload.toString() === text) done();
        else fail(new BenchError(`an honest client got opcode ${op}: ${payload.toString('latin1', 0, 200)}`));
      });
      setTimeout(() => fail(new BenchError(`an honest client has no answer within ${PATIENCE} ms`)), PATIENCE).unref();
      socket.on('error', (error) => fail(new BenchError(`an honest client: ${error.message}`)));
      socket.on('close', () => fail(new BenchError('an honest client was disconnected')));
      socket.on('data', (chunk: Buffer) => reader.push(chunk));
      socket.write(upgrade('/echo'));
      socket.write(frame(text));
    });
  } finally {
    socket.destroy();
  }
  return performance.now() - began;
}

async function waitForNobody(target: Target, files: number): Promise<void> {
  await target.filesUntil((now) => now <= files, 10);
  // And those who may come back to a session are not waited for any more.
  await sleep(RESUME + 0.5);
}

export const fuzz: Scenario = {
  name: 'fuzz',
  title:
    'mutated handshakes, frames, lines, HTTP requests, TLS hellos and PROXY headers; an honest client after each thousand',
  async run(context) {
    const { quick, seed, cases = quick ? 5000 : 1_000_000, say, claim } = context;
    const target = await Target.start({ cpu: context.serverCpu, ini: INI, tls: 'more', more: MORE, files: 4096 });
    const doors = [target.port, target.port, ...target.morePorts].map((port, index) => ({ port, proxied: index > 2 }));
    say(`  --seed ${seed}`);
    const fuzzer = new Child('fuzzer', context.loadCpu);
    const idle = target.files;
    const sum = { connections: context.from ?? 0, cases: 0, unsaid: 0, closed: 0, slowest: 0 };
    let before = await target.health();
    const began = performance.now();
    // The first tenth, at most, makes the caches and the code that stay.
    const settled = Math.min(cases / 10, 50_000);
    for (let isSettled = false; sum.cases < cases; ) {
      const order: FuzzOrder = { doors, seed, first: sum.connections, cases: BATCH, width: 100 };
      // oxlint-disable-next-line no-await-in-loop -- batch after batch
      await batch(context, target, fuzzer, order, sum);
      if (!isSettled && sum.cases >= settled) {
        isSettled = true;
        // oxlint-disable-next-line no-await-in-loop
        await waitForNobody(target, idle);
        // oxlint-disable-next-line no-await-in-loop
        before = await target.health();
      }
    }
    const secs = (performance.now() - began) / 1000;
    const { connections, unsaid, closed, slowest } = sum;
    const rate = Math.round(sum.cases / secs);
    say(`  ${sum.cases} cases on ${connections} connections in ${secs.toFixed(0)} s (${rate}/s)`);
    say(`  the daemon closed ${closed} connections before all was said, and ${unsaid} further cases were not`);
    claim(`an honest client was answered after each thousand, at the latest in ${ms(slowest)}`, true);
    await waitForNobody(target, idle);
    claimUnchanged(context, before, await target.health(), 4 << 20);
    claimQuiet(context, target);
    await fuzzer.kill();
    await target.stop();
  },
};

interface Sum {
  connections: number;
  cases: number;
  unsaid: number;
  closed: number;
  slowest: number;
}

/** A thousand cases, and an honest client. @throws BenchError with how to repeat them. */
async function batch(context: Context, target: Target, fuzzer: Child, order: FuzzOrder, sum: Sum): Promise<void> {
  try {
    const report = await fuzzer.ask<FuzzReport>(order);
    if (report.wrong.length > 0) throw new BenchError(report.wrong[0]);
    sum.slowest = Math.max(sum.slowest, await honest(target.port));
    if (!target.lives) throw new BenchError('the daemon has ended');
    const [trouble] = target.trouble();
    if (trouble !== undefined) throw new BenchError(trouble);
    sum.connections += report.connections;
    sum.cases += report.cases;
    sum.unsaid += report.unsaid;
    sum.closed += report.closed;
  } catch (error) {
    if (!(error instanceof BenchError)) throw error;
    const again = `npm run fire -- fuzz --seed ${context.seed} --from ${order.first} --cases ${order.cases}`;
    throw new BenchError(`${error.message}\n  to repeat it: ${again}`);
  }
}
