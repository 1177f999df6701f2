/** What the fuzzer says: things that are right, or nearly so, before they are mutated. One case is one of them. */
import { deflateRawSync } from 'node:zlib';
import type { Dice } from './dice.ts';
import { mutate } from './mutate.ts';
import { frame, frameHeader, upgrade } from './wire.ts';

/** A connection of the fuzzer: how it opens, and the cases that follow, each made when it is wanted. */
export interface Session {
  /** Sent first; '' : nothing. */
  readonly opening: string | Buffer;
  /** The opening is a case itself. */
  readonly counts: boolean;
  readonly cases: readonly (() => Buffer)[];
  /** The opening is a handshake that is right, as far as its first lines go: the answer is one of HTTP, and then frames. */
  readonly speaks: 'websocket' | 'anything';
}

const UUID = '123e4567-e89b-42d3-a456-426614174000';
const PATHS = [
  '/web',
  '/web',
  '/echo',
  '/php',
  '/',
  '/nope',
  '/_websock/',
  '/_websock/about.json',
  '/_websock/post/web',
  '/web?ident=a',
  '/web/../php',
  '/%77eb',
  '//',
  '*',
  `/${'p'.repeat(300)}`,
];
const HEADERS = [
  'Client-Type: php',
  'Client-Type: tcp',
  'Origin: http://localhost',
  'Origin: null',
  'Origin: http://[::1]:99999',
  'Ident: me',
  'Ident: \xff\xfe',
  'Sec-WebSocket-Extensions: permessage-deflate',
  'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=8, x; y="z"',
  'Sec-WebSocket-Protocol: websock.2, websock.token.abc',
  'Sec-WebSocket-Protocol: websock.2',
  `Sec-WebSocket-Protocol: websock.2, websock.resume.${'a'.repeat(48)}.7`,
  'Idempotency-Key: "k"',
  'Authorization: Basic Ondyb25n',
  'X-Forwarded-For: 1.2.3.4, ::1, unknown',
  'Forwarded: for="[::1]:80";proto=http, for=_x',
  'Authorization: Bearer wrong',
  'Cookie: PHPSESSID=../../etc/passwd; a=b',
  'Content-Length: 5',
  'Transfer-Encoding: chunked',
  'Expect: 100-continue',
  'Connection: keep-alive, Upgrade',
  `X-Long: ${'y'.repeat(500)}`,
];
const TEXTS = [
  '{"opcode":"echo","message":"hello"}',
  `{"opcode":"feedback","uuid":"${UUID}","message":"50 %"}`,
  '{"opcode":"feedback","ident":12345678901234567890}',
  '{"opcode":"feedback","uuid":true,"ident":{}}',
  '{"id":1}\n{"opcode":"echo","message":"hello"}',
  '{"id":1,"again":true,"ack":1}\n{"opcode":"broadcast"}',
  '{"id":2,"more":true}\n{"opcode":"ec',
  '{"id":2}\nho"}',
  '{"id":9007199254740991,"ack":-1}\n',
  '\n{"opcode":"ping"}',
  '\n{"opcode":"ack","received":1}',
  '{"opcode":"broadcast","__proto__":{"x":1},"constructor":null}',
  '{"opcode":"ticket","uuid":null,"ttl":-1}',
  '{"opcode":"__proto__"}',
  '{"opcode":["echo"]}',
  '[{"opcode":"echo"}]',
  'bufferON',
  'bufferON{"opcode":"echo",',
  '"message":"a piece"}',
  'bufferOFF',
  '',
  'null',
  '{"opcode":"echo","message":"\u20ac \ud83d\ude00 \\ud800"}',
  '['.repeat(2000),
];
const CODES = [0, 999, 1000, 1001, 1004, 1005, 1006, 1011, 1015, 2999, 3000, 4999, 65535];

function text(dice: Dice): string {
  return dice.chance(0.02) ? '{"opcode":"quit"}' : dice.pick(TEXTS);
}

/** What a frame may hold. */
function payload(dice: Dice): Buffer {
  switch (dice.below(8)) {
    case 0:
      return dice.bytes(dice.size(300));
    case 1:
      return Buffer.alloc(dice.size(70_000), 'x');
    case 2: {
      const close = Buffer.from('..as if it mattered');
      close.writeUInt16BE(dice.pick(CODES));
      return close;
    }
    default:
      return Buffer.from(text(dice));
  }
}

function anyFrame(dice: Dice): Buffer {
  const content = payload(dice);
  if (dice.chance(0.15)) return frame(content, { op: 9 + dice.below(2) });
  if (dice.chance(0.03)) return frame(content, { op: 8 });
  if (dice.chance(0.1)) return frame(deflateRawSync(content, { finishFlush: 2 }).subarray(0, -4), { rsv: 4 });
  if (dice.chance(0.1)) {
    // Its length lies.
    const lies = [0n, 125n, 126n, 65_535n, 65_536n, 1n << 20n, 1n << 32n, (1n << 53n) + 1n, (1n << 63n) - 1n];
    return Buffer.concat([frameHeader(dice.pick(lies), { op: dice.below(3) }), content]);
  }
  if (dice.chance(0.2)) return frame(content, { op: dice.below(3), fin: dice.chance(0.5) });
  return frame(content, { op: 1 + dice.below(2) });
}

function anyLine(dice: Dice): Buffer {
  const content = dice.chance(0.2) ? dice.bytes(dice.size(500)) : Buffer.from(text(dice));
  return Buffer.concat([content, Buffer.from(dice.pick(['\n', '\n', '\r\n', '\r', '\n\n']))]);
}

function headers(dice: Dice): string {
  return Array.from({ length: dice.size(5) }, () => `${dice.pick(HEADERS)}\r\n`).join('');
}

function anyHandshake(dice: Dice): Buffer {
  return Buffer.from(upgrade(dice.pick(PATHS), headers(dice)), 'latin1');
}

function anyRequest(dice: Dice): Buffer {
  const method = dice.pick(['POST', 'POST', 'POST', 'GET', 'OPTIONS', 'HEAD', 'PUT', 'CONNECT', 'PRI']);
  const start = `${method} ${dice.pick(PATHS)} HTTP/1.${dice.pick([0, 1, 1, 1])}\r\nHost: localhost\r\n${headers(dice)}`;
  if (method !== 'POST') return Buffer.from(`${start}\r\n`, 'latin1');
  const type = dice.pick([
    'application/json',
    'application/x-ndjson',
    'application/x-www-form-urlencoded',
    'text/plain',
  ]);
  const body = Array.from({ length: 1 + dice.size(4) }, () => text(dice)).join('\n');
  const head = `${start}Content-Type: ${type}\r\n`;
  if (dice.chance(0.7)) return Buffer.from(`${head}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  const chunk = `${Buffer.byteLength(body).toString(16)}${dice.pick(['', ';ext=1'])}\r\n${body}\r\n0\r\n\r\n`;
  return Buffer.from(`${head}Transfer-Encoding: chunked\r\n\r\n${chunk}`);
}

const PROXY_2 = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');

function anyProxyHeader(dice: Dice): Buffer {
  if (dice.chance(0.5)) {
    const lines = [
      'TCP4 192.0.2.1 198.51.100.7 56324 443',
      'TCP6 2001:db8::1 ::1 1 65535',
      'UNKNOWN',
      `UNKNOWN ${'f'.repeat(90)}`,
      'TCP4 999.0.0.1 1 1 1',
    ];
    return Buffer.from(`PROXY ${dice.pick(lines)}\r\n`);
  }
  const family = dice.pick([0x00, 0x11, 0x12, 0x21, 0x22, 0x31, 0xff]);
  const size = { 0x11: 12, 0x12: 12, 0x21: 36, 0x22: 36, 0x31: 216 }[family] ?? 0;
  const rest = dice.bytes(size + dice.size(100));
  const head = Buffer.from([dice.pick([0x20, 0x21, 0x21, 0x21, 0x11, 0x22]), family, 0, 0]);
  head.writeUInt16BE(dice.chance(0.9) ? rest.length : dice.below(65_536), 2);
  return Buffer.concat([PROXY_2, head, rest]);
}

/** So many of a kind, of which some are mutated. */
function several(dice: Dice, most: number, make: (dice: Dice) => Buffer, wrong: number): (() => Buffer)[] {
  const one = (): Buffer => {
    const bytes = make(dice);
    return dice.chance(wrong) ? mutate(dice, bytes, () => make(dice)) : bytes;
  };
  return Array.from({ length: 1 + dice.below(most) }, () => one);
}

/** @param proxied whether the listener wants a PROXY header first. */
export function session(dice: Dice, proxied: boolean): Session {
  if (proxied) {
    const header = anyProxyHeader(dice);
    if (dice.chance(0.4)) {
      const opening = mutate(dice, header, () => anyProxyHeader(dice));
      const cases = several(dice, 2, dice.chance(0.5) ? anyHandshake : anyRequest, 0.3);
      return { speaks: 'anything', opening, counts: true, cases };
    }
    const behind = session(dice, false);
    return { ...behind, speaks: 'anything', opening: Buffer.concat([header, Buffer.from(behind.opening as string)]) };
  }
  switch (dice.below(10)) {
    case 0:
      return { speaks: 'anything', opening: '', counts: false, cases: several(dice, 2, anyHandshake, 0.9) };
    case 1:
    case 2:
      return { speaks: 'anything', opening: '', counts: false, cases: several(dice, 8, anyRequest, 0.5) };
    case 3:
    case 4:
      return {
        speaks: 'anything',
        opening: `${dice.pick(['GET ', ''])}${dice.pick(PATHS)}\n`,
        counts: false,
        cases: several(dice, 40, anyLine, 0.4),
      };
    case 5:
      return {
        speaks: 'anything',
        opening: '',
        counts: false,
        cases: several(dice, 3, (one) => one.bytes(1 + one.size(2000)), 0),
      };
    default: {
      const opening = upgrade(dice.pick(['/web', '/echo', '/php', '/web']), headers(dice));
      const cases = several(dice, 40, anyFrame, 0.15);
      return { speaks: 'websocket', opening: Buffer.from(opening, 'latin1'), counts: false, cases };
    }
  }
}
