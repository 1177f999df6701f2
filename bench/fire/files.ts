import { connect, type Socket } from 'node:net';
import { claimUnchanged, type Context, Honest, type Scenario, sleep } from './scenario.ts';
import { Target } from './target.ts';
import { upgrade } from './wire.ts';

const LIMIT = 256;
const CLIENTS = 300;

/** Asks to come in. @returns the socket, and what it has got as an answer so far. */
function ask(port: number): { socket: Socket; heard: () => string } {
  let heard = '';
  const socket = connect(port, '127.0.0.1');
  socket.on('data', (chunk: Buffer) => (heard += chunk.toString('latin1')));
  socket.on('error', (error) => (heard += error.message));
  socket.write(upgrade('/web'));
  return { socket, heard: () => heard };
}

export const files: Scenario = {
  name: 'files',
  title: `${CLIENTS} clients at a daemon that may open ${LIMIT} files, with and without maxClients`,
  async run(context) {
    context.say('  maxClients by default: they are refused before the files are used up');
    await crowd(context, '', 0);
    context.say('  maxClients=10000: they are not');
    await crowd(context, '[limits]\nmaxClients=10000', 1);
  },
};

/** @param errors how many lines of the log must say so. */
async function crowd(context: Context, ini: string, errors: number): Promise<void> {
  const { say, claim } = context;
  const target = await Target.start({ cpu: context.serverCpu, ini, files: LIMIT });
  const honest = await Honest.start(context, { port: target.port, clients: 50 });
  const before = await target.health();
  const all = Array.from({ length: CLIENTS }, () => ask(target.port));
  await sleep(2);
  await honest.take('while nobody more can come in');
  const count = (part: string): number => all.filter(({ heard }) => heard().includes(part)).length;
  const [ready, refused] = [count('"opcode":"ready"'), count('Too many connections')];
  const others = all.filter(({ heard }) => heard() === '' || heard().includes('ECONN')).length;
  say(`  ${ready} were let in, ${refused} were told why not, ${others} wait or were cut off`);
  claim('some were let in, and nobody got anything else', ready > 0 && ready + refused + others === CLIENTS);
  for (const { socket } of all) socket.destroy();
  await target.filesUntil((now) => now <= before.files, 10);
  const again = ask(target.port);
  await sleep(1);
  claim('when they have left, others are let in', again.heard().includes('"opcode":"ready"'));
  again.socket.destroy();
  await target.filesUntil((now) => now <= before.files, 10);
  const said = target.logged().filter(({ level }) => level === 'error');
  for (const { msg } of said) say(`  ${msg}`);
  claim(`the log says so ${said.length} times`, said.length === errors && target.lives);
  claimUnchanged(context, before, await target.health());
  await honest.stop();
  await target.stop();
}
