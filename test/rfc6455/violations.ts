import { clientClose, frame, hex } from '../support/frames.ts';

/** Frames that break a rule: what the engine is to say of them, and what a client gets for them. */
export interface Violation {
  readonly clause: string;
  readonly name: string;
  readonly sent: Buffer;
  /** After so many bytes it is certain, and found. */
  readonly after: number;
  readonly code: 1002 | 1007;
  readonly reason: string;
  /** What stands in front of it and is answered: an empty Ping, an empty text. */
  readonly first: 'Ping' | 'text' | null;
}

type Row = readonly [name: string, sent: Buffer | string, after?: number, first?: 'Ping' | 'text'];

function violations(clause: string, code: 1002 | 1007, reason: string, rows: readonly Row[]): Violation[] {
  return rows.map(([name, bytes, after, first = null]) => {
    const sent = typeof bytes === 'string' ? hex(bytes) : bytes;
    return { clause, code, reason, name, sent, after: after ?? sent.length, first };
  });
}

const KEY = '00000000';
const UNMASKED = 'a frame from a client is not masked';
const RESERVED = 'a reserved bit is set though no extension was negotiated';
const NOT_SHORTEST = 'a frame length is not in its shortest form';
const TOP_BIT = 'the top bit of a 64-bit frame length is set';
const NEW_INSIDE = 'a new message inside a fragmented one';
const NO_START = 'a continuation without a message';
const FRAGMENTED = 'a control frame is fragmented';
const TOO_LONG = 'a control frame is longer than 125 bytes';
const OPCODES = { text: 1, binary: 2, Close: 8, Ping: 9, Pong: 10 } as const;
const BAD_CODES = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999, 5000, 9999, 32_768, 65_535];

export const VIOLATIONS: readonly Violation[] = [
  ...violations('§5.1 unmasked', 1002, UNMASKED, [
    ['an unmasked text of the RFC', '81 05 48656c6c6f', 2],
    ['an unmasked empty text', '81 00'],
    ['an unmasked first fragment', '01 03 48656c', 2],
    ['an unmasked binary of 16-bit length', '82 7e 0100', 2],
    ['an unmasked continuation of a masked message', `01 81 ${KEY} 41  80 01 42`, 9],
    ['an unmasked Ping', '89 00'],
    ['an unmasked Close', '88 02 03e8', 2],
  ]),
  ...[1, 2, 3, 4, 5, 6, 7].flatMap((rsv) => {
    const bits = [4, 2, 1].flatMap((bit, i) => ((rsv & bit) === 0 ? [] : [`RSV${i + 1}`])).join(' and ');
    const rows = Object.entries(OPCODES).map(
      ([name, op]): Row => [`${bits} on a ${name} frame`, frame({ op, rsv, payload: op === 8 ? '' : 'x' }), 2],
    );
    const inside = Buffer.concat([frame({ fin: false }), frame({ op: 0, rsv })]);
    return violations('§5.2 RSV', 1002, RESERVED, [...rows, [`${bits} on a continuation`, inside, 8]]);
  }),
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].flatMap((op) =>
    violations('§5.2 opcode', 1002, `opcode ${op} is reserved`, [
      [`opcode ${op}`, frame({ op }), 2],
      [`opcode ${op} inside a message`, Buffer.concat([frame({ fin: false }), frame({ op, payload: 'x' })]), 8],
      [`opcode ${op} without FIN`, frame({ op, fin: false, payload: 'x' }), 2],
    ]),
  ),
  ...violations('§5.2 length', 1002, NOT_SHORTEST, [
    ['125 in 16 bits', `81 fe 007d ${KEY}`, 4],
    ['124 in 16 bits, the example of the RFC', `82 fe 007c ${KEY}`, 4],
    ['0 in 16 bits', `82 fe 0000 ${KEY}`, 4],
    ['0 in 64 bits', `81 ff 0000000000000000 ${KEY}`, 10],
    ['125 in 64 bits', `82 ff 000000000000007d ${KEY}`, 10],
    ['126 in 64 bits', `81 ff 000000000000007e ${KEY}`, 10],
    ['65535 in 64 bits', `82 ff 000000000000ffff ${KEY}`, 10],
    ['1 in 16 bits, of a first fragment', `01 fe 0001 ${KEY}`, 4],
    ['1 in 16 bits, of a continuation', `01 80 ${KEY} 80 fe 0001 ${KEY}`, 10],
  ]),
  ...violations('§5.2 top bit', 1002, TOP_BIT, [
    ['2**63', `81 ff 8000000000000000 ${KEY}`, 10],
    ['2**63 + 1', `82 ff 8000000000000001 ${KEY}`, 10],
    ['2**64 - 1', `82 ff ffffffffffffffff ${KEY}`, 10],
    ['a length of 5, but for its top bit', `81 ff 8000000000000005 ${KEY}`, 10],
    ['2**63, of a continuation', `02 80 ${KEY} 00 ff 8000000000000000`, 16],
  ]),
  ...violations('§5.4 interleaving', 1002, NO_START, [
    ['a continuation of nothing', `80 80 ${KEY}`, 2],
    ['a continuation of nothing, without FIN', `00 81 ${KEY} 41`, 2],
    ['a continuation after a whole message', `81 80 ${KEY} 80 80 ${KEY}`, 8, 'text'],
    ['a continuation after a message in fragments', `01 80 ${KEY} 80 80 ${KEY} 80 80 ${KEY}`, 14, 'text'],
    ['a continuation after a Ping', `89 80 ${KEY} 80 80 ${KEY}`, 8, 'Ping'],
  ]),
  ...violations('§5.4 interleaving', 1002, NEW_INSIDE, [
    ['text inside a text in fragments', `01 80 ${KEY} 81 80 ${KEY}`, 8],
    ['binary inside a text in fragments', `01 80 ${KEY} 82 80 ${KEY}`, 8],
    ['text inside a binary in fragments', `02 80 ${KEY} 81 80 ${KEY}`, 8],
    ['a second first fragment', `02 80 ${KEY} 02 80 ${KEY}`, 8],
    ['text behind a Ping inside a message', `01 80 ${KEY} 89 80 ${KEY} 81 80 ${KEY}`, 14, 'Ping'],
    ['text behind a continuation', `01 80 ${KEY} 00 80 ${KEY} 81 80 ${KEY}`, 14],
  ]),
  ...violations('§5.5', 1002, FRAGMENTED, [
    ['a Ping without FIN', `09 80 ${KEY}`, 2],
    ['a Pong without FIN', `0a 80 ${KEY}`, 2],
    ['a Close without FIN', `08 82 ${KEY} 03e8`, 2],
    ['a Ping without FIN inside a message', `01 80 ${KEY} 09 80 ${KEY}`, 8],
  ]),
  ...violations('§5.5', 1002, TOO_LONG, [
    ['a Ping of 126 bytes', frame({ op: 9, payload: 'x'.repeat(126) }), 2],
    ['a Pong of 126 bytes', frame({ op: 10, payload: 'x'.repeat(126) }), 2],
    ['a Close of 126 bytes', clientClose(1000, 'x'.repeat(124)), 2],
    ['a Ping of 64-bit length', `89 ff 0000000000010000 ${KEY}`, 2],
    ['a Ping of 5 bytes, in 16 bits', `89 fe 0005 ${KEY}`, 2],
    ['a Ping of 126 bytes inside a message', `01 80 ${KEY} 89 fe 007e ${KEY}`, 8],
  ]),
  ...violations('§5.5.1 body', 1002, 'a Close frame with a body of one byte', [
    ['a Close of one byte', `88 81 ${KEY} 03`],
    ['a Close of one byte inside a message', `01 80 ${KEY} 88 81 ${KEY} 03`],
  ]),
  ...BAD_CODES.flatMap((code) => {
    const clause = [1005, 1006, 1015].includes(code) ? '§7.4.1' : '§7.4.2';
    return violations(clause, 1002, `close code ${code} may not be sent`, [
      [`a Close with ${code}`, clientClose(code)],
      [`a Close with ${code} and a reason`, clientClose(code, 'Tschüß')],
    ]);
  }),
  ...violations('§8.1', 1007, 'the reason of a Close frame is not UTF-8', [
    ['a reason that is not UTF-8', frame({ op: 8, payload: hex('03e8 c0af') })],
    ['a reason cut inside a character', frame({ op: 8, payload: hex('03e8 78 f09f99') })],
  ]),
  ...violations('§8.1', 1007, 'a text message is not UTF-8', [
    ['text that is not UTF-8', frame({ payload: hex('7b ff 7d') }), 8],
    ['text that is not UTF-8, the message not ended', frame({ fin: false, payload: hex('c0af 7d') }), 7],
    ['a character that goes wrong in the next frame', `01 81 ${KEY} e2  00 82 ${KEY} 28a1`, 14],
  ]),
  ...violations('§8.1', 1007, 'a text message ends inside a character', [
    ['text cut inside a character by the last of its frames', `01 82 ${KEY} 41f0  80 80 ${KEY}`],
  ]),
];
