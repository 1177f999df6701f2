/** Connections that say what is wrong, cut anywhere, and leave in every way there is. */
import { connect, type Socket } from 'node:net';
import { session } from '../cases.ts';
import { serve } from '../child.ts';
import { Dice } from '../dice.ts';
import { ServerReader } from '../wire.ts';

export interface FuzzOrder {
  /** Where to, each as likely as the next, and whether it wants a PROXY header. */
  readonly doors: readonly { readonly port: number; readonly proxied: boolean }[];
  readonly seed: number;
  /** The number of the first connection: with the seed, it decides what that one says. */
  readonly first: number;
  readonly cases: number;
  /** How many connections at once. */
  readonly width: number;
}

export interface FuzzReport {
  readonly connections: number;
  readonly cases: number;
  /** Cases that were not sent: the daemon had closed the connection. */
  readonly unsaid: number;
  /** Connections that the daemon closed. */
  readonly closed: number;
  /** What came that may not come, and connections that could not be made. */
  readonly wrong: readonly string[];
}

/** Milliseconds that a connection lives at most. */
const LIFE = 400;
const LEAVING = ['destroy', 'destroy', 'end', 'reset', 'stay'] as const;

interface Count {
  connections: number;
  cases: number;
  unsaid: number;
  closed: number;
  wrong: string[];
}

function turn(): Promise<void> {
  return new Promise((done) => setImmediate(done));
}

/** Writes in pieces of any size, each for itself. */
async function write(socket: Socket, dice: Dice, bytes: Buffer): Promise<void> {
  if (bytes.length === 0) return;
  if (dice.chance(0.7)) {
    socket.write(bytes);
    return;
  }
  for (let at = 0; at < bytes.length && socket.writable; ) {
    const to = at + 1 + dice.size(dice.chance(0.3) ? 3 : bytes.length);
    socket.write(bytes.subarray(at, to));
    at = to;
    // oxlint-disable-next-line no-await-in-loop -- each piece is a read of its own
    await turn();
  }
}

async function one(order: FuzzOrder, number: number, count: Count): Promise<void> {
  const dice = new Dice(order.seed, number);
  const { port, proxied } = dice.pick(order.doors);
  // From many addresses: what one of them did must not keep the next out, nor ports run out.
  const localAddress = `127.0.${1 + dice.below(200)}.${1 + dice.below(250)}`;
  const socket = connect({ port, host: '127.0.0.1', localAddress, allowHalfOpen: true });
  socket.setNoDelay(true);
  let connected = false;
  let ended = false;
  const gone = new Promise<void>((done) => socket.once('close', () => done()));
  socket.on('connect', () => (connected = true));
  socket.on('end', () => (ended = true));
  socket.on('error', (error) => {
    if (!connected) count.wrong.push(`a connection fails: ${error.message}`);
    ended = true;
  });
  const late = setTimeout(() => socket.destroy(), LIFE);
  const { opening, counts, cases, speaks } = session(dice, proxied);
  const reader = new ServerReader(() => {});
  if (dice.chance(0.1)) socket.pause();
  else socket.on('data', (chunk: Buffer) => speaks === 'websocket' && reader.push(chunk));
  count.connections++;
  if (counts) count.cases++;
  await write(socket, dice, Buffer.from(opening as string));
  for (const [said, make] of cases.entries()) {
    if (ended || !socket.writable) {
      count.unsaid += cases.length - said;
      break;
    }
    count.cases++;
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await write(socket, dice, make());
    // oxlint-disable-next-line no-await-in-loop
    if (dice.chance(0.2)) await turn();
  }
  if (ended) count.closed++;
  const way = dice.pick(LEAVING);
  // Some hear what the daemon says to it.
  if (way !== 'destroy' || dice.chance(0.5)) await turn();
  if (way === 'destroy') socket.destroy();
  else if (way === 'reset') socket.resetAndDestroy();
  else if (way === 'end' || ended) socket.end();
  await gone;
  clearTimeout(late);
  if (reader.wrong !== '') count.wrong.push(`#${number} was sent ${reader.wrong}`);
  if (reader.head !== '' && !/^HTTP\/1\.1 [1-5]\d\d /.test(reader.head)) {
    count.wrong.push(`#${number} was answered ${JSON.stringify(reader.head.slice(0, 200))}`);
  }
}

serve(async (order: FuzzOrder): Promise<FuzzReport> => {
  const count: Count = { connections: 0, cases: 0, unsaid: 0, closed: 0, wrong: [] };
  let next = order.first;
  const row = async (): Promise<void> => {
    // oxlint-disable-next-line no-await-in-loop -- one after the other; the rows run side by side
    while (count.cases < order.cases) await one(order, next++, count);
  };
  await Promise.all(Array.from({ length: order.width }, row));
  return { ...count, wrong: count.wrong.slice(0, 5) };
});
