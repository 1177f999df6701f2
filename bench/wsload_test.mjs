// Tests of wsload against servers that are awkward or wrong on purpose.
//   node bench/wsload_test.mjs [bench/bin/wsload]
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import { dribble, frame, serve } from './awkward.mjs';

const bin = process.argv[2] ?? join(import.meta.dirname, 'bin/wsload');
let failed = 0;

/** Runs wsload with `args` (words, as one types them) against a server, and looks at its result. */
async function test(name, server, args, check) {
  const srv = await server;
  const result = await new Promise((done) => {
    const common = ['--port', String(srv.address().port), '--secs', '0.5', '--warmup', '0.1', '--timeout', '3'];
    const program = spawn(bin, [...common, ...args.split(' ')], { stdio: ['ignore', 'pipe', 'ignore'] });
    let out = '';
    program.stdout.on('data', (chunk) => (out += chunk));
    program.on('close', (code) => done({ code, ...JSON.parse(out) }));
  });
  srv.close();
  const ok = check(result);
  if (!ok) failed++;
  process.stdout.write(`${ok ? 'ok  ' : 'FAIL'} ${name}${ok ? '' : ` ${JSON.stringify(result)}`}\n`);
}

const clean = (r) => r.code === 0 && r.errors === 0 && r.verify_errors === 0 && r.msgs > 5;
const noticed = (what) => (r) => r.code === 1 && r.errors > 0 && what.test(r.first_error);
const differs = (r) => r.code === 1 && r.verify_errors > 0;

const V = '--verify --conns 3';
const NEXT = frame(1, Buffer.from('{"opcode":"next","fyi":""}'));
const READY = frame(1, Buffer.from('{"opcode":"ready","uuid":"x"}'));
const echo = (c, p, op) => c.send(frame(op, p));
const withReady = { hello: (c, head) => c.send(Buffer.concat([head, READY])) };
const inFragments = (c, p, first) => {
  c.send(frame(first, p.subarray(0, 3), false));
  c.send(frame(9, Buffer.from('hi')));
  c.send(frame(0, p.subarray(3, 9), false));
  c.send(frame(0, p.subarray(9)));
};

for (const size of [1, 125, 126, 65535, 65536, 3000000])
  for (const depth of [1, 5]) {
    const args = `${V} --size ${size} --depth ${depth} --secs 1`;
    await test(`echo ${size} bytes depth ${depth}`, serve(echo), args, (r) => clean(r) && r.size === size);
  }
const inPieces = serve((c, p, op) => dribble(c, frame(op, p)));
await test('replies in pieces of a few bytes', inPieces, '--verify --size 130 --depth 3 --secs 2', clean);
const eightAtOnce = serve((c, p, op) => {
  (c.held ??= []).push(frame(op, p));
  if (c.held.length === 8) c.send(Buffer.concat(c.held.splice(0)));
});
await test('all frames of a chunk in one write', eightAtOnce, `${V} --depth 8`, clean);
await test('fragmented replies with pings between', serve(inFragments), `${V} --size 50`, clean);
await test('first message together with the 101', serve(echo, withReady), `${V} --ready`, clean);
await test('handshake in pieces', serve(echo, { hello: dribble }), '--verify --secs 1', clean);
const dialog = (c, p) => c.send(Buffer.concat([frame(1, p), NEXT]));
const acked = (r) => clean(r) && r.acks >= r.msgs;
await test('dialog', serve(dialog, withReady), `${V} --payload json --ack --depth 4 --size 100`, acked);
const skipped = (r) => clean(r) && r.skipped > 0;
await test('dialog without --ack', serve(dialog), `${V} --payload json --skip-json`, skipped);
await test('non-ASCII text', serve(echo), `${V} --utf8 --size 500`, clean);
const toOthers = (c, p, op) => {
  for (const other of c.all) if (other !== c) other.send(frame(op, p));
};
// The first and the last message are delivered partly outside of what is measured.
const spread = (r) =>
  r.code === 0 && r.msgs > 5 && Math.abs(r.deliveries - r.msgs * r.conns) <= r.conns && r.publisher_got === 0;
await test('broadcast', serve(toOthers), '--verify --mode broadcast --conns 20', spread);

// Servers that are wrong must be noticed.
const tenth = (c) => c.count % 10 === 0;
const flipped = serve((c, p, op) => {
  if (tenth(c)) p[p.length - 1] ^= 1;
  echo(c, p, op);
});
await test('a flipped byte', flipped, V, differs);
await test(
  'a missing byte',
  serve((c, p, op) => echo(c, tenth(c) ? p.subarray(1) : p, op)),
  V,
  differs,
);
const swapped = serve((c, p, op) => {
  if (c.count % 10 === 1) c.kept = p;
  else {
    echo(c, p, op);
    if (c.kept !== undefined) echo(c, c.kept, op);
    c.kept = undefined;
  }
});
await test('swapped replies', swapped, `${V} --depth 4`, differs);
const flippedLate = serve((c, p, op) => {
  p[60] ^= 1;
  const bytes = frame(op, p);
  c.send(bytes.subarray(0, 20));
  setTimeout(() => c.send(bytes.subarray(20)), 1);
});
await test('a flipped byte in pieces', flippedLate, '--verify --size 100', differs);
const twice = serve((c, p, op) => c.send(Buffer.concat([frame(op, p), frame(op, p)])));
await test('too many replies', twice, '--conns 1', noticed(/without a message/));
const closing = serve((c, p, op) => (c.count > 20 ? c.send(frame(8, Buffer.from([3, 232]))) : echo(c, p, op)));
await test('a close', closing, V, noticed(/close 1000/));
const losing = serve((c, p, op) => (c.count > 20 ? c.socket.destroy() : echo(c, p, op)));
await test('a lost connection', losing, V, noticed(/./));
await test(
  'a reserved bit',
  serve((c, p, op) => echo(c, p, op | 64)),
  V,
  noticed(/reserved/),
);
await test('a wrong accept', serve(echo, { wrongAccept: true }), V, noticed(/Accept/));
await test(
  'silence',
  serve(() => {}),
  '--secs 8',
  noticed(/stalled/),
);

// permessage-deflate. What is echoed is compressed anew: a wrong stream from wsload does not come back as it was.
const Z = `${V} --deflate`;
const RECORDS = '--deflate --payload records --size 1024';
const FLUSH = { finishFlush: constants.Z_SYNC_FLUSH };
const TAIL = Buffer.from([0, 0, 255, 255]);
const agreed = { extensions: 'permessage-deflate; server_no_context_takeover; client_no_context_takeover' };
const pack = (plain) => deflateRawSync(plain, FLUSH).subarray(0, -4);
const unpack = (packed) => inflateRawSync(Buffer.concat([packed, TAIL]), FLUSH);
/** A server that has each message unpacked and sends what `reply` makes of it, compressed. */
const packing = (reply, options = agreed) =>
  serve((c, p, op, packed) => {
    if (packed) c.send(frame(op | 64, pack(reply(unpack(p), c))));
    else c.socket.destroy();
  }, options);
const same = (plain) => plain;

for (const size of [64, 1024, 65536, 300000])
  for (const depth of [1, 5]) {
    const args = `${Z} --payload records --size ${size} --depth ${depth}`;
    await test(`deflate: echo ${size} bytes depth ${depth}`, packing(same), args, (r) => clean(r) && r.size === size);
  }
await test('deflate: text that gets no shorter', packing(same), `${Z} --size 3000`, clean);
const json = packing((text) => {
  JSON.parse(text);
  return text;
});
const half = (r) => clean(r) && r.ratio > 0.3 && r.ratio < 0.6;
await test('deflate: records are JSON and get half as long', json, `${V} ${RECORDS}`, half);
const counted = (r) => r.code === 0 && r.msgs > 5;
await test('deflate: counted without --verify', packing(same), `--conns 3 --depth 4 ${RECORDS}`, counted);
const packedPieces = serve((c, p, op) => dribble(c, frame(op | 64, p)), agreed);
await test('deflate: in pieces of a few bytes', packedPieces, '--verify --deflate --size 130 --secs 2', clean);
const packedFragments = serve((c, p, op) => inFragments(c, p, op | 64), agreed);
await test('deflate: fragmented, with pings between', packedFragments, `${Z} --size 50`, clean);
const packedDialog = serve((c, p) => c.send(Buffer.concat([frame(65, p), NEXT])), { ...agreed, ...withReady });
await test('deflate: dialog, its packets not compressed', packedDialog, `${Z} --payload json --ack --size 500`, acked);
const packedToOthers = serve((c, p, op) => toOthers(c, pack(unpack(p)), op | 64), agreed);
await test('deflate: broadcast', packedToOthers, `--verify --mode broadcast --conns 20 ${RECORDS}`, spread);

await test('deflate: a refusal', packing(same, {}), Z, noticed(/refused/));
const keeping = { extensions: 'permessage-deflate; client_no_context_takeover' };
await test('deflate: a context that is kept', packing(same, keeping), Z, noticed(/context/));
const plain = () => serve((c, p, op) => echo(c, unpack(p), op), agreed);
await test('deflate: replies not compressed', plain(), Z, noticed(/not compressed/));
await test('deflate: the same without --verify', plain(), '--deflate', noticed(/not compressed/));
const packedFlipped = packing((text, c) => {
  if (tenth(c)) text[text.length - 1] ^= 1;
  return text;
});
await test('deflate: a flipped byte', packedFlipped, Z, differs);
await test(
  'deflate: a missing byte',
  packing((text) => text.subarray(1)),
  Z,
  differs,
);
await test(
  'deflate: a reply that is too long',
  packing(() => Buffer.alloc(5_000_000)),
  Z,
  noticed(/inflated/),
);
const noise = serve((c, p, op) => c.send(frame(op | 64, Buffer.alloc(30, 255))), agreed);
await test('deflate: noise', noise, Z, noticed(/inflated/));
const halfStream = serve((c, p, op) => c.send(frame(op | 64, p.subarray(0, p.length >> 1))), agreed);
await test('deflate: half a stream', halfStream, `${Z} --size 1000`, differs);

process.stdout.write(failed > 0 ? `${failed} FAILED\n` : 'all passed\n');
process.exit(failed > 0 ? 1 : 0);
