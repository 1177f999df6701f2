/** Clients that go over one limit each, again and again, and tell what they got for it. */
import { connect } from 'node:net';
import { deflateRawSync } from 'node:zlib';
import { serve } from '../child.ts';
import { frame, frameHeader, ServerReader, upgrade } from '../wire.ts';

export interface OffenderOrder {
  readonly port: number;
  readonly offence: Offence;
  readonly secs: number;
  /** How often a second. */
  readonly rate: number;
  /** Of `rate`: messages a second that are allowed. */
  readonly messageRate: number;
}

export interface OffenderReport {
  readonly count: number;
  /** How often each outcome: `1009`, `HTTP 431`, `next`, `echo and next`. */
  readonly outcomes: Readonly<Record<string, number>>;
}

const DEEP = 100_000;
const NESTED = `{"opcode":"echo","deep":${'['.repeat(DEEP)}${']'.repeat(DEEP)}}`;
const PROTO = '{"opcode":"echo","__proto__":{"opcode":"quit"},"constructor":{"prototype":{"uuid":"x"}}}';
const MiB = 1 << 20;
const BOMB = deflateRawSync(Buffer.alloc(64 * MiB), { level: 9, finishFlush: 2 }).subarray(0, -4);
const DEFLATE = 'Sec-WebSocket-Extensions: permessage-deflate\r\n';

/** What each says: its handshake, and what it sends behind it. */
const OFFENCES = {
  bomb: { opening: upgrade('/web', DEFLATE), bytes: frame(BOMB, { rsv: 4 }) },
  fragments: {
    opening: upgrade('/web'),
    bytes: Buffer.concat([frame('', { fin: false }), ...Array<Buffer>(16_384).fill(frame('x', { op: 0, fin: false }))]),
  },
  pieces: {
    opening: upgrade('/web'),
    bytes: Buffer.concat([frame('bufferON'), ...Array<Buffer>(10_001).fill(frame('x'))]),
  },
  length: { opening: upgrade('/web'), bytes: frameHeader(1n << 32n) },
  path: { opening: upgrade(`/${'p'.repeat(8192)}`), bytes: Buffer.alloc(0) },
  ident: { opening: upgrade('/php', `Client-Type: php\r\nIdent: ${'i'.repeat(8192)}\r\n`), bytes: Buffer.alloc(0) },
  uuid: { opening: upgrade('/web'), bytes: frame('{"opcode":"feedback","uuid":true}') },
  proto: { opening: upgrade('/web'), bytes: frame(PROTO) },
  deep: { opening: upgrade('/web'), bytes: frame(NESTED) },
  rate: { opening: upgrade('/web'), bytes: Buffer.alloc(0) },
} as const;

export type Offence = keyof typeof OFFENCES;

/** Milliseconds that an answer may take. */
const PATIENCE = 5000;

/** Does it once. @returns what came of it. */
async function offend({ port, offence, messageRate }: OffenderOrder): Promise<string> {
  const { opening, bytes } = OFFENCES[offence];
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  let ticker: NodeJS.Timeout | undefined;
  let late: NodeJS.Timeout | undefined;
  try {
    return await new Promise<string>((done) => {
      let echoes = 0;
      late = setTimeout(() => done('nothing'), PATIENCE);
      const reader = new ServerReader((op, payload) => {
        const text = payload.toString();
        if (op === 8) done(String(payload.readUInt16BE()));
        else if (text.startsWith('{"opcode":"echo"')) {
          if (text === NESTED || text === PROTO) echoes++;
        } else if (
          text.startsWith('{"opcode":"next"') &&
          (offence === 'uuid' || offence === 'proto' || offence === 'deep')
        ) {
          done(echoes === 0 ? text : 'echo and next');
        }
      });
      socket.on('data', (chunk: Buffer) => {
        reader.push(chunk);
        if (reader.head !== '' && !reader.head.includes(' 101 ')) done(`HTTP ${reader.head.slice(9, 12)}`);
      });
      socket.on('error', (error) => done(error.message));
      socket.on('close', () => done('closed without a word'));
      socket.write(opening);
      socket.write(bytes);
      if (offence === 'rate') {
        const some = Buffer.concat(Array<Buffer>(messageRate).fill(frame('{"opcode":"echo"}')));
        ticker = setInterval(() => socket.write(some), 100);
      }
    });
  } finally {
    clearInterval(ticker);
    clearTimeout(late);
    socket.destroy();
  }
}

serve(async (order: OffenderOrder): Promise<OffenderReport> => {
  const outcomes: Record<string, number> = {};
  const all: Promise<void>[] = [];
  const once = async (): Promise<void> => {
    const outcome = await offend(order);
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  };
  const began = performance.now();
  while (performance.now() - began < order.secs * 1000) {
    all.push(once());
    // oxlint-disable-next-line no-await-in-loop -- so many a second
    await new Promise((done) => setTimeout(done, 1000 / order.rate));
  }
  await Promise.all(all);
  return { count: all.length, outcomes };
});
