/**
 * Nothing lost, nothing twice (PROTOCOL.md §9): the client library against a daemon that is restarted and killed, on a way
 * that is cut at random bytes.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { WebSocket } from 'ws';
import { connect, type Connection, type Options } from '../../src/client/index.ts';
import { CutProxy, numbersFrom } from '../support/cutproxy.ts';
import { type RunningDaemon, startDaemon, temporaryFolder } from '../support/daemon.ts';
import { freePort } from '../support/freeport.ts';

const MESSAGES = 10_000;
const RESTARTS = 5;
const CUTS = 20;
const SEED = Number(process.env.WEBSOCK_SEED ?? Date.now() % 0x8000_0000);
/** Milliseconds for all of it, on a busy machine. */
const PATIENCE = 180_000;

/** `/count` writes down, before it returns, which message has come: what a `kill -9` cannot take back. */
const COUNT = `
  import { appendFileSync } from 'node:fs';
  import { Resource } from 'websock';
  export default class Count extends Resource {
    static path = '/count';
    onData(client, message, info) {
      appendFileSync('handled.txt', message + (info.again ? ' again' : '') + '\\n');
    }
  }`;

/** All 10,000 may wait for who is away. */
const ROOMY = 'keepPackets=20000\nkeepBytes=16MiB\n[limits]\nsendQueue=16MiB\n';

/** A daemon that comes again on the same port, in the same folder. */
class Phoenix {
  readonly dir = temporaryFolder();
  readonly port: number;
  private readonly dialog: string;
  private daemon: RunningDaemon | null = null;

  constructor(port: number, dialog: string) {
    this.port = port;
    this.dialog = dialog;
  }

  async rise(): Promise<void> {
    const ini = `adress='ws://127.0.0.1:${this.port}'\n[dialog]\n${this.dialog}`;
    this.daemon = await startDaemon({ dir: this.dir, ini, extra: { 'count.ts': COUNT } });
  }

  /** @returns its exit code. */
  async fall(signal: NodeJS.Signals): Promise<number | null> {
    return (await this.daemon?.stop(signal)) ?? null;
  }

  /** The messages that were handled, in order: `12`, or `12 again`. */
  get handled(): string[] {
    return readFileSync(join(this.dir, 'handled.txt'), 'utf8').trimEnd().split('\n');
  }

  async dispose(): Promise<void> {
    await this.daemon?.dispose();
  }
}

let phoenix: Phoenix;
const open: { close: () => unknown }[] = [];
beforeEach(() => {
  // Clients come back by chance, within seconds: here soon.
  jest.spyOn(Math, 'random').mockReturnValue(0.1);
});
afterEach(async () => {
  jest.restoreAllMocks();
  for (const one of open.splice(0)) one.close();
  await phoenix.dispose();
});

/** A client that is not slow to come back. */
function client(port: number, path: string, options: Options = {}): Connection {
  const connection = connect(`ws://127.0.0.1:${port}${path}`, {
    WebSocket: WebSocket as unknown as Options['WebSocket'],
    backoff: { min: 200, max: 500 },
    queue: { messages: 2 * MESSAGES, bytes: 1 << 24 },
    ...options,
  });
  open.push(connection);
  return connection;
}

/** A daemon, and a way to it on which the first connections are cut. */
async function setUp(dialog: string, cuts: number): Promise<{ proxy: CutProxy; next: (most: number) => number }> {
  const next = numbersFrom(SEED);
  process.stdout.write(`lossless: WEBSOCK_SEED=${SEED}\n`);
  phoenix = new Phoenix(await freePort(), dialog);
  await phoenix.rise();
  const proxy = await CutProxy.open(
    phoenix.port,
    Array.from({ length: cuts }, () => next(3 * MESSAGES)),
  );
  open.push(proxy);
  return { proxy, next };
}

const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i));

test(
  `${MESSAGES} messages are handled once each, in order, over ${CUTS} cuts and ${RESTARTS} restarts`,
  async () => {
    const { proxy } = await setUp(ROOMY, CUTS);
    const sender = client(proxy.port, '/count');
    const sent = numbers(MESSAGES).map((number) => sender.send(number));
    for (let restart = 1; restart <= RESTARTS; restart++) {
      /* oxlint-disable no-await-in-loop -- one after the other */
      await sent[Math.floor((MESSAGES * restart) / (RESTARTS + 1))];
      expect(await phoenix.fall('SIGTERM')).toBe(0);
      await phoenix.rise();
      /* oxlint-enable no-await-in-loop */
    }
    await Promise.all(sent);
    expect(phoenix.handled).toEqual(numbers(MESSAGES));
    expect(proxy.cuts).toBe(CUTS);
  },
  PATIENCE,
);

test(
  `${MESSAGES} feedbacks reach a page that comes and goes once each, in order, over ${CUTS} cuts and ${RESTARTS} restarts`,
  async () => {
    const { proxy } = await setUp(ROOMY, CUTS);
    const page = client(proxy.port, '/web');
    const got: number[] = [];
    const lost: number[] = [];
    page.onlost = (count) => lost.push(count);
    const all = new Promise<void>((done) => {
      page.on('feedback', (packet) => {
        got.push(packet.n as number);
        if (packet.n === MESSAGES - 1) done();
      });
    });
    const { uuid } = await page.ready;
    const backend = client(phoenix.port, '/web');
    const sent = numbers(MESSAGES).map((n) => backend.feedback(uuid, { n: Number(n) }));
    for (let restart = 1; restart <= RESTARTS; restart++) {
      /* oxlint-disable no-await-in-loop -- one after the other */
      await sent[Math.floor((MESSAGES * restart) / (RESTARTS + 1))];
      expect(await phoenix.fall('SIGTERM')).toBe(0);
      await phoenix.rise();
      /* oxlint-enable no-await-in-loop */
    }
    const nexts = await Promise.all(sent);
    expect(nexts.filter(({ delivered }) => delivered !== 1)).toEqual([]);
    await all;
    expect(got).toEqual(numbers(MESSAGES).map(Number));
    expect([lost, page.uuid, proxy.cuts]).toEqual([[], uuid, CUTS]);
  },
  PATIENCE,
);

test(
  'what a buffer that is too small had to drop is counted, exactly',
  async () => {
    const { proxy } = await setUp('keepPackets=50\n', CUTS);
    // It comes back late, so that more is sent meanwhile than is kept.
    const page = client(proxy.port, '/web', { backoff: { min: 3000, max: 3000 } });
    const got: number[] = [];
    let lost = 0;
    page.onlost = (count) => (lost += count);
    const last = new Promise<void>((done) => {
      page.on('feedback', (packet) => {
        got.push(packet.n as number);
        if (packet.n === MESSAGES - 1) done();
      });
    });
    const { uuid } = await page.ready;
    const backend = client(phoenix.port, '/web');
    for (let n = 0; n < MESSAGES; n += 100) {
      const batch = Array.from({ length: 100 }, (_, i) => backend.feedback(uuid, { n: n + i }));
      await Promise.all(batch); // oxlint-disable-line no-await-in-loop -- as fast as the daemon takes them
    }
    await last;
    expect(lost).toBeGreaterThan(0);
    expect(got.length + lost).toBe(MESSAGES);
    expect(got).toEqual(got.toSorted((a, b) => a - b));
    expect(new Set(got).size).toBe(got.length);
  },
  PATIENCE,
);

test(
  'with kill -9 nothing is missing, and what is handled again says so',
  async () => {
    const { proxy } = await setUp(ROOMY, Math.floor(CUTS / 4));
    const sender = client(proxy.port, '/count');
    const sent = numbers(MESSAGES).map((number) => sender.send(number));
    for (let kill = 1; kill <= RESTARTS; kill++) {
      /* oxlint-disable no-await-in-loop -- one after the other */
      await sent[Math.floor((MESSAGES * kill) / (RESTARTS + 1))];
      await phoenix.fall('SIGKILL');
      await phoenix.rise();
      /* oxlint-enable no-await-in-loop */
    }
    await Promise.all(sent);
    const { handled } = phoenix;
    const first = new Map<string, number>();
    const unmarked: string[] = [];
    for (const [at, line] of handled.entries()) {
      const [number, again] = line.split(' ');
      if (!first.has(number)) first.set(number, at);
      else if (again === undefined) unmarked.push(line);
    }
    expect([...first.keys()]).toEqual(numbers(MESSAGES));
    expect(unmarked).toEqual([]);
    // A kill can hit between two messages: but hardly five times.
    expect(handled.some((line) => line.endsWith(' again'))).toBe(true);
  },
  PATIENCE,
);
