/** Clients that come and go, so many a second, and leave in every way there is. */
import { connect } from 'node:net';
import { serve } from '../child.ts';
import { frame, upgrade } from '../wire.ts';

export interface ChurnOrder {
  readonly port: number;
  /** Cycles a second, for so many seconds. */
  readonly rate: number;
  readonly secs: number;
}

export interface ChurnReport {
  /** Cycles that were complete: connected, let in, closed. */
  readonly cycles: number;
  readonly secs: number;
  readonly failed: number;
  readonly errors: readonly string[];
}

/** Cycles under way, at most: the daemon is not to be flooded. */
const MOST = 400;
const CLOSE = frame(Buffer.from([0x03, 0xe8]), { op: 8 });

let underWay = 0;
let cycles = 0;
let failed = 0;
const errors: string[] = [];

function cycle(port: number, number: number): void {
  // From many addresses: each keeps its port for a minute.
  const localAddress = `127.0.${1 + (number % 100)}.${1 + (Math.trunc(number / 100) % 200)}`;
  const socket = connect({ port, host: '127.0.0.1', localAddress });
  socket.setNoDelay(true);
  underWay++;
  let isIn = false;
  socket.on('error', (error) => {
    if (!isIn) errors.push(error.message);
  });
  socket.on('close', () => {
    underWay--;
    if (isIn) cycles++;
    else failed++;
  });
  socket.write(upgrade(number % 2 === 0 ? '/web' : '/echo'));
  socket.once('data', (chunk: Buffer) => {
    isIn = chunk.toString('latin1', 0, 12) === 'HTTP/1.1 101';
    const way = number % 4;
    if (way === 0) socket.end();
    else if (way === 1) socket.destroy();
    else if (way === 2) socket.resetAndDestroy();
    else socket.end(CLOSE);
  });
}

serve(async ({ port, rate, secs }: ChurnOrder): Promise<ChurnReport> => {
  const began = performance.now();
  let begun = 0;
  for (let now = began; now - began < secs * 1000; now = performance.now()) {
    const due = ((now - began) / 1000) * rate;
    while (begun < due && underWay < MOST) cycle(port, begun++);
    // oxlint-disable-next-line no-await-in-loop -- one look after the other
    await new Promise((done) => setTimeout(done, 1));
  }
  const took = (performance.now() - began) / 1000;
  // oxlint-disable-next-line no-await-in-loop, no-unmodified-loop-condition -- those who leave count down
  while (underWay > 0) await new Promise((done) => setTimeout(done, 5));
  const report = { cycles, secs: took, failed, errors: errors.slice(0, 3) };
  cycles = 0;
  failed = 0;
  return report;
});
